//! Mistakes as values: what is wrong, where in which text, and what to write instead.
//!
//! Knows byte spans and how to turn them into lines and columns. Does not print: the command
//! line draws the snippet with its caret, an editor or `--json` takes the plain fields.

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

/// A text that was read, with the name people know it by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The path as given on the command line, or `<stdin>`.
    pub name: String,
    /// The text itself.
    pub text: String,
}

/// The texts that a workflow was read from: its own file first, then all that was included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sources(Vec<Arc<Source>>);

/// Which of the [`Sources`] of a workflow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SourceId(pub u32);

impl SourceId {
    /// The workflow file itself.
    pub const MAIN: Self = Self(0);
}

/// A place in one of several texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Which text.
    pub source: SourceId,
    /// Where in it, in bytes.
    pub span: Range<usize>,
}

/// A place in a text as editors count it: both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Source {
    /// A text that is already known to be UTF-8.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Decodes what was read from a file.
    ///
    /// # Errors
    /// Bytes that are not UTF-8: the readable rest, to show the place in, and the diagnostic.
    pub fn from_bytes(
        name: impl Into<String>,
        bytes: Vec<u8>,
    ) -> Result<Self, Box<(Self, Diagnostic)>> {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self::new(name, text)),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let byte = error.as_bytes()[at];
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let width = char::REPLACEMENT_CHARACTER.len_utf8();
                let diagnostic = Diagnostic::error(Code::Encoding, at..at + width)
                    .message(format!(
                        "the file is not UTF-8: byte 0x{byte:02x} begins no character"
                    ))
                    .help("save it as UTF-8");
                Err(Box::new((Self::new(name, text), diagnostic)))
            }
        }
    }

    /// Where a byte offset lies; past the end is the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        let line_start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        let line = before[..line_start].iter().filter(|&&b| b == b'\n').count() + 1;
        let is_char_start = |b: &&u8| (**b & 0xC0) != 0x80;
        let column = before[line_start..].iter().filter(is_char_start).count() + 1;
        Position { line, column }
    }
}

impl Sources {
    /// A file that nothing was included into yet.
    #[must_use]
    pub fn new(main: impl Into<Arc<Source>>) -> Self {
        Self(vec![main.into()])
    }

    /// Adds a text.
    pub fn push(&mut self, source: impl Into<Arc<Source>>) -> SourceId {
        self.0.push(source.into());
        SourceId(u32::try_from(self.0.len() - 1).expect("there is no room for so many texts"))
    }

    /// The workflow file itself.
    #[must_use]
    pub fn main(&self) -> &Source {
        &self.0[0]
    }

    /// The text of that id; the workflow file, if it is of another workflow.
    #[must_use]
    pub fn get(&self, id: SourceId) -> &Source {
        self.0.get(id.0 as usize).unwrap_or(&self.0[0])
    }

    /// The same, to be kept.
    #[must_use]
    pub fn shared(&self, id: SourceId) -> Arc<Source> {
        self.0.get(id.0 as usize).unwrap_or(&self.0[0]).clone()
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Source> {
        self.0.iter().map(AsRef::as_ref)
    }
}

impl From<Source> for Sources {
    fn from(main: Source) -> Self {
        Self::new(main)
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Nothing runs before it is put right.
    Error,
    /// It runs, but probably not as meant.
    Warning,
}

/// What kind of mistake it is; stable, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// Not UTF-8.
    Encoding,
    /// Not YAML or JSON.
    Syntax,
    /// Deeper, longer or more often repeated than is read.
    Limit,
    /// A key that stands twice in one map.
    DuplicateKey,
    /// A file of another version of the format.
    Version,
    /// A field that does not exist.
    UnknownField,
    /// A field that must be there.
    MissingField,
    /// A value of the wrong type or out of bounds.
    Value,
    /// A name that cannot be one.
    Name,
    /// A path that cannot be declared.
    Path,
    /// A parameter that is unknown, missing or of the wrong type.
    Param,
    /// A condition that cannot be decided.
    Condition,
    /// A file that cannot be included.
    Include,
    /// Braces that name nothing, or stand where no value can be put safely.
    Placeholder,
    /// A task that is named and does not exist.
    UnknownTask,
    /// Tasks that wait for each other.
    Cycle,
    /// Two tasks that write the same path.
    Collision,
}

/// A second place that belongs to a mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Which text.
    pub source: SourceId,
    /// Where in it, in bytes.
    pub span: Range<usize>,
    /// What is there, such as `first written here`.
    pub label: String,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is.
    pub code: Code,
    /// What is wrong, a lower-case fragment.
    pub message: String,
    /// Which text it is about.
    pub source: SourceId,
    /// Where in it, in bytes; empty at 0 when it is about the file as a whole.
    pub span: Range<usize>,
    /// What stands at the caret; may be empty.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Other places that belong to it.
    pub related: Vec<Related>,
}

impl Diagnostic {
    /// A mistake at a place; the message follows.
    #[must_use]
    pub fn error(code: Code, span: Range<usize>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: String::new(),
            source: SourceId::MAIN,
            span,
            label: String::new(),
            help: None,
            related: Vec::new(),
        }
    }

    /// A doubt at a place; the message follows.
    #[must_use]
    pub fn warning(code: Code, span: Range<usize>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span) }
    }

    /// Says what is wrong.
    #[must_use]
    pub fn message(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// Says what stands at the caret.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    /// Says what to write instead.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Points at a second place in the same text.
    #[must_use]
    pub fn related(self, span: Range<usize>, label: impl Into<String>) -> Self {
        let source = self.source;
        self.related_at(Place { source, span }, label)
    }

    /// Points at a second place in any text.
    #[must_use]
    pub fn related_at(mut self, place: Place, label: impl Into<String>) -> Self {
        let Place { source, span } = place;
        self.related.push(Related { source, span, label: label.into() });
        self
    }

    /// The same, found while this text was read.
    #[must_use]
    pub fn in_source(mut self, source: SourceId) -> Self {
        self.source = source;
        self.related.iter_mut().for_each(|related| related.source = source);
        self
    }

    /// Whether it keeps the workflow from running.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// The candidate that someone who wrote `word` most likely meant, if any is close.
#[must_use]
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters may be wrong: `retires` is `retries`, `colour` is not `count`.
    let letters = word.chars().count();
    let reach = (letters / 3).max(usize::from(letters > 1));
    // In a short word another first letter makes another word: `gpus` is not `cpus`.
    let starts_alike =
        |candidate: &str| letters > 4 || candidate.chars().next() == word.chars().next();
    candidates
        .into_iter()
        .filter(|candidate| starts_alike(candidate))
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|&(distance, _)| distance <= reach)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let source = Source::new("w.yaml", "a: é1\nb: 2\n");
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position("a: é".len()), Position { line: 1, column: 5 });
        assert_eq!(source.position("a: é1\nb: ".len()), Position { line: 2, column: 4 });
        assert_eq!(source.position(10_000), Position { line: 3, column: 1 });
    }

    #[test]
    fn bytes_that_are_no_text_are_pointed_at() {
        let failed = Source::from_bytes("w.yaml", b"a: 1\nb: \xff\n".to_vec());
        let (source, diagnostic) = *failed.unwrap_err();
        assert_eq!(source.position(diagnostic.span.start), Position { line: 2, column: 4 });
        assert!(diagnostic.message.contains("0xff"), "{}", diagnostic.message);
    }

    #[test]
    fn the_nearest_name_is_found_but_nothing_far_fetched() {
        let fields = ["retries", "resources", "run"];
        assert_eq!(nearest("retires", fields), Some("retries"));
        assert_eq!(nearest("resource", fields), Some("resources"));
        assert_eq!(nearest("colour", fields), None);
        assert_eq!(nearest("gpus", ["cpus"]), None);
        assert_eq!(nearest("cpu", ["cpus"]), Some("cpus"));
    }
}
