//! Draws diagnostics: file, line, the text with a caret under the mistake, and what to write.
//!
//! Cuts the lines around a mistake out first: a text can have a million lines, or a single line
//! of a hundred megabytes.

use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Element, Group, Level, Origin, Renderer, Snippet};
use report::quantity::plural;
use serde::Serialize;
use spec::diagnostic::{Code, Diagnostic, Position, Severity, Source, Sources};

use crate::screen::Screen;

/// How many mistakes are drawn; `check --json` lists all of them.
const DRAWN_MAX: usize = 500;

/// A longer line is cut down to the part around the mistake.
const LINE_MAX: usize = 400;

/// How much of a long line is shown before and after its mistake, in bytes.
const AROUND: usize = 80;

/// Says all of them on standard error.
pub(crate) fn say_all(screen: Screen, sources: &Sources, diagnostics: &[Diagnostic]) {
    let renderer = if screen.paints_err() { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(screen.width());
    for diagnostic in diagnostics.iter().take(DRAWN_MAX) {
        screen.say(&renderer.render(&[group(sources, diagnostic)]));
        screen.say("");
    }
    if diagnostics.len() > DRAWN_MAX {
        let n = plural(diagnostics.len() - DRAWN_MAX, "more is", "more are");
        screen.say(&format!("… {n} not shown; `foreshard check --json` lists all of them"));
    }
}

/// `2 errors and 1 warning`.
#[must_use]
pub(crate) fn tally(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|d| d.is_error()).count();
    let warnings = diagnostics.len() - errors;
    let (errors_said, warnings_said) =
        (plural(errors, "error", "errors"), plural(warnings, "warning", "warnings"));
    match (errors, warnings) {
        (_, 0) => errors_said,
        (0, _) => warnings_said,
        _ => format!("{errors_said} and {warnings_said}"),
    }
}

fn group<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level.primary_title(&diagnostic.message).elements(place(sources, diagnostic));
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    group
}

/// Where it is: the text around it, or the file alone when it is about all of it.
fn place<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Vec<Element<'a>> {
    let source = sources.get(diagnostic.source);
    let spans = || {
        let related =
            diagnostic.related.iter().map(|r| (sources.get(r.source), &r.span, r.label.as_str()));
        let own = (source, &diagnostic.span, diagnostic.label.as_str());
        std::iter::once(own).chain(related)
    };
    if source.text.is_empty() || diagnostic.span == (0..0) {
        return vec![Origin::path(&source.name).into()];
    }
    let lines: Vec<Range<usize>> =
        spans().map(|(source, span, _)| lines_around(&source.text, span)).collect();
    if lines.iter().any(|lines| lines.len() > LINE_MAX) {
        return cut_out(source, diagnostic);
    }
    let mut order: Vec<usize> = (0..lines.len()).collect();
    // The mistake itself first, then the places that belong to it, as they stand in the file.
    let number = |i: usize| diagnostic.related[i - 1].source;
    order[1..].sort_by_key(|&i| (number(i), lines[i].start));
    let mut elements = Vec::new();
    for i in order {
        let (source, span, label) = spans().nth(i).expect("as many spans as lines");
        let kind = if i == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let within = within(span, &lines[i]);
        let annotation = kind.span(within).label((!label.is_empty()).then_some(label));
        let start = source.position(lines[i].start).line;
        let snippet = Snippet::source(&source.text[lines[i].clone()])
            .path(&source.name)
            .line_start(start)
            .annotation(annotation);
        elements.push(snippet.into());
    }
    elements
}

/// The part of a very long line around a mistake.
fn cut_out<'a>(source: &'a Source, diagnostic: &'a Diagnostic) -> Vec<Element<'a>> {
    let text = &source.text;
    let Position { line, column } = source.position(diagnostic.span.start);
    let lines = lines_around(text, &diagnostic.span);
    let start =
        text.floor_char_boundary(diagnostic.span.start.saturating_sub(AROUND)).max(lines.start);
    let end = text.ceil_char_boundary((diagnostic.span.start + AROUND).min(lines.end));
    let span = within(&diagnostic.span, &(start..end));
    let label = (!diagnostic.label.is_empty()).then_some(diagnostic.label.as_str());
    let snippet = Snippet::source(&text[start..end])
        .line_start(line)
        .annotation(AnnotationKind::Primary.span(span).label(label));
    vec![Origin::path(&source.name).line(line).char_column(column).into(), snippet.into()]
}

/// The whole lines that a span touches.
fn lines_around(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[end..].find('\n').map_or(text.len(), |at| end + at);
    line_start..line_end
}

/// A span of the text as one of a part of it.
fn within(span: &Range<usize>, part: &Range<usize>) -> Range<usize> {
    let clamp = |at: usize| at.clamp(part.start, part.end) - part.start;
    clamp(span.start)..clamp(span.end)
}

/// A diagnostic as programs read it: places as lines and columns, both from 1.
#[derive(Debug, Serialize)]
pub(crate) struct Plain<'a> {
    severity: Severity,
    code: Code,
    message: &'a str,
    file: &'a str,
    #[serde(flatten)]
    at: Span,
    #[serde(skip_serializing_if = "str::is_empty")]
    label: &'a str,
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<PlainRelated<'a>>,
}

#[derive(Debug, Serialize)]
struct PlainRelated<'a> {
    file: &'a str,
    #[serde(flatten)]
    at: Span,
    label: &'a str,
}

#[derive(Debug, Serialize)]
struct Span {
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

impl Span {
    fn of(source: &Source, span: &Range<usize>) -> Self {
        let (start, end) = (source.position(span.start), source.position(span.end));
        let (Position { line, column }, end_line, end_column) = (start, end.line, end.column);
        Self { line, column, end_line, end_column }
    }
}

impl<'a> Plain<'a> {
    /// With the names of the texts that it is about.
    #[must_use]
    pub(crate) fn of(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Self {
        let source = sources.get(diagnostic.source);
        let related = diagnostic.related.iter().map(|r| {
            let source = sources.get(r.source);
            PlainRelated { file: &source.name, at: Span::of(source, &r.span), label: &r.label }
        });
        Self {
            severity: diagnostic.severity,
            code: diagnostic.code,
            message: &diagnostic.message,
            file: &source.name,
            at: Span::of(source, &diagnostic.span),
            label: &diagnostic.label,
            help: diagnostic.help.as_deref(),
            related: related.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use spec::diagnostic::{Place, SourceId};

    use super::*;

    fn drawn(source: &Source, diagnostic: &Diagnostic) -> String {
        drawn_among(&Sources::new(source.clone()), diagnostic)
    }

    fn drawn_among(sources: &Sources, diagnostic: &Diagnostic) -> String {
        Renderer::plain().decor_style(DecorStyle::Ascii).render(&[group(sources, diagnostic)])
    }

    fn caret_line(drawn: &str) -> (String, String) {
        let lines: Vec<&str> = drawn.lines().collect();
        let at = lines.iter().position(|line| line.contains('^')).unwrap();
        (lines[at - 1].to_owned(), lines[at].to_owned())
    }

    #[test]
    fn the_caret_stands_under_the_mistake() {
        let source = Source::new("w.yaml", "tasks:\n  ä: {retires: 1}\n");
        let start = source.text.find("retires").unwrap();
        let diagnostic = Diagnostic::error(Code::UnknownField, start..start + 7)
            .message("unknown field `retires`")
            .help("did you mean `retries`?");
        let text = drawn(&source, &diagnostic);
        let (line, caret) = caret_line(&text);
        assert_eq!(line.find("retires").map(|at| line[..at].chars().count()), caret.find('^'));
        assert!(text.contains("--> w.yaml:2:7"), "{text}");
        assert!(text.contains("help: did you mean `retries`?"), "{text}");
    }

    #[test]
    fn a_mistake_in_a_line_without_end_shows_the_part_around_it() {
        let long = "x".repeat(100_000);
        let source =
            Source::new("w.json", format!("{{\"a\": \"{long}\", \"wrong\": 1, \"{long}\": 2}}"));
        let start = source.text.find("wrong").unwrap();
        let diagnostic = Diagnostic::error(Code::Value, start..start + 5).message("it is wrong");
        let text = drawn(&source, &diagnostic);
        let (line, caret) = caret_line(&text);
        assert_eq!(line.find("wrong"), caret.find('^'));
        assert!(text.contains(&format!("--> w.json:1:{}", start + 1)), "{text}");
        assert!(text.len() < 1_000, "{} bytes", text.len());
    }

    #[test]
    fn each_place_is_shown_in_the_file_that_it_lies_in() {
        let mut sources = Sources::new(Source::new("w.yaml", "here: 1\n"));
        let included = sources.push(Source::new("qc.yaml", "\n\nthere: 2\n"));
        let diagnostic = Diagnostic::error(Code::Collision, 2..7)
            .in_source(included)
            .message("twice")
            .related_at(Place { source: SourceId::MAIN, span: 0..4 }, "also here");
        let text = drawn_among(&sources, &diagnostic);
        assert!(text.contains("--> qc.yaml:3:1"), "{text}");
        assert!(text.contains("::: w.yaml:1:1") && text.contains("also here"), "{text}");
        let plain = serde_json::to_value(Plain::of(&sources, &diagnostic)).unwrap();
        assert_eq!((&plain["file"], &plain["line"]), (&"qc.yaml".into(), &3.into()));
        assert_eq!(plain["related"][0]["file"], "w.yaml");
    }

    #[test]
    fn a_mistake_far_down_keeps_its_line_number() {
        let source = Source::new("w.yaml", "a: 1\n".repeat(5_000) + "b: 2\n");
        let start = source.text.find("b: 2").unwrap();
        let diagnostic = Diagnostic::error(Code::Value, start..start + 1).message("it is wrong");
        assert!(drawn(&source, &diagnostic).contains("--> w.yaml:5001:1"));
    }
}
