//! YAML text as events for the builder.

use std::borrow::Cow;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::Kind;
use super::build::{Builder, too_deep};
use super::offsets::Offsets;
use crate::diagnostic::{Code, Diagnostic};

/// How many of `,[]{}` a line may have: the parser holds the tokens of a line until its end, as
/// a list in brackets could turn out to be a key.
const MAX_MARKS: usize = 200_000;

/// Feeds the builder.
///
/// # Errors
/// What ends the reading: syntax, or a bound.
pub(super) fn feed<'a>(text: &'a str, builder: &mut Builder<'a>) -> Result<(), Diagnostic> {
    check_lines(text)?;
    let mut yaml = Yaml { text, offsets: Offsets::new(text), builder };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => yaml.take(event, span)?,
            Err(error) => return Err(yaml.syntax(&error)),
        }
    }
    Ok(())
}

fn check_lines(text: &str) -> Result<(), Diagnostic> {
    let (mut marks, mut start) = (0, 0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\n' => (marks, start) = (0, at + 1),
            b',' | b'[' | b']' | b'{' | b'}' => marks += 1,
            _ => {}
        }
        if marks > MAX_MARKS {
            let mistake = Diagnostic::error(Code::Limit, start..start);
            let message = format!("a line has more than {MAX_MARKS} commas and brackets");
            return Err(mistake.message(message).help("put long lists on several lines"));
        }
    }
    Ok(())
}

struct Yaml<'a, 'b> {
    text: &'a str,
    offsets: Offsets<'a>,
    builder: &'b mut Builder<'a>,
}

impl<'a> Yaml<'a, '_> {
    fn take(&mut self, event: Event<'a>, at: Span) -> Result<(), Diagnostic> {
        let span = self.span(at);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = style != ScalarStyle::Plain
                    || tag.is_some_and(|t| t.is_yaml_core_schema() && t.suffix == "str");
                let text = self.borrow(text, &span);
                let kind = if quoted { Kind::Quoted(text) } else { Kind::Plain(text) };
                self.builder.scalar(span, kind, anchor)
            }
            Event::SequenceStart(anchor, _) => self.builder.open(span, anchor, false),
            Event::MappingStart(anchor, _) => self.builder.open(span, anchor, true),
            Event::SequenceEnd | Event::MappingEnd => {
                // A block ends only where the next thing begins.
                let is_written = self.text[..span.end].ends_with([']', '}']);
                self.builder.close(is_written.then_some(span.end))
            }
            Event::Alias(id) => self.builder.repeat(id, span),
            Event::DocumentStart(_) if self.builder.is_complete() => {
                let mistake = Diagnostic::error(Code::Syntax, span);
                Err(mistake
                    .message("a second document begins here")
                    .help("put each workflow into a file of its own and remove the `---`"))
            }
            _ => Ok(()),
        }
    }

    /// Text that stands in the file as it is needs no copy.
    fn borrow(&self, text: Cow<'a, str>, span: &Range<usize>) -> Cow<'a, str> {
        match self.text.get(span.clone()) {
            Some(written) if written == text => Cow::Borrowed(written),
            _ => Cow::Owned(text.into_owned()),
        }
    }

    fn span(&self, span: Span) -> Range<usize> {
        let byte = |index| self.offsets.byte(index);
        let start = byte(span.start.index());
        start..byte(span.end.index()).max(start)
    }

    fn syntax(&self, error: &ScanError) -> Diagnostic {
        let at = self.span(Span::empty(*error.marker())).start;
        let end = self.text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
        if error.info() == "recursion limit exceeded" {
            return too_deep(at..end);
        }
        let mistake = Diagnostic::error(Code::Syntax, at..end).message(error.info());
        match error.info() {
            info if info.contains("mapping values are not allowed") => {
                mistake.help("put text that holds `: ` in quotes, or write it below `|`")
            }
            info if info.contains("tab") => mistake.help("indent with spaces"),
            _ => mistake,
        }
    }
}
