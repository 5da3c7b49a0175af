//! YAML text as events for the builder.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::Kind;
use super::build::{Builder, too_deep};
use super::counted::{Counted, MAX_MARKS};
use super::offsets::Offsets;
use crate::diagnostic::{Code, Diagnostic};

/// Feeds the builder.
///
/// # Errors
/// What ends the reading: syntax, or a bound.
pub(super) fn feed<'a>(text: &'a str, builder: &mut Builder<'a>) -> Result<(), Diagnostic> {
    let marks = Cell::new(0);
    let mut yaml = Yaml { text, offsets: Offsets::new(text), builder };
    let mut last = 0..0;
    for event in Parser::new(Counted::new(text, &marks)) {
        match event {
            _ if marks.get() > MAX_MARKS => return Err(too_many_marks(last)),
            Ok((event, span)) => {
                last = yaml.take(event, span)?;
                marks.set(0);
            }
            Err(error) => return Err(yaml.syntax(&error)),
        }
    }
    Ok(())
}

/// `last` is the event before.
fn too_many_marks(last: Range<usize>) -> Diagnostic {
    let message = format!("`[ ]` or `{{ }}` holds more than {MAX_MARKS} commas and brackets");
    let mistake = Diagnostic::error(Code::Limit, last.end..last.end).message(message);
    mistake.help("write long lists with one `- item` a line")
}

struct Yaml<'a, 'b> {
    text: &'a str,
    offsets: Offsets<'a>,
    builder: &'b mut Builder<'a>,
}

impl<'a> Yaml<'a, '_> {
    /// Passes an event on, and tells where it stands.
    fn take(&mut self, event: Event<'a>, at: Span) -> Result<Range<usize>, Diagnostic> {
        let at = self.span(at);
        let span = at.clone();
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
        }?;
        Ok(at)
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
            info if info.contains("flow sequence") || info.contains("flow mapping") => {
                mistake.help("inside `[…]` put text that holds `{`, `[` or `,` in quotes")
            }
            info if info.contains("tab") => mistake.help("indent with spaces"),
            _ => mistake,
        }
    }
}
