//! JSON text as events for the builder, so that it need not pass as YAML.
//!
//! YAML readers stumble over JSON now and then: over pairs of `\u` escapes, and over documents
//! of a single line, whose tokens they all hold until the end of it. Text that is not strict
//! JSON is left to the YAML reader, which says what is wrong with it.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::Kind;
use super::build::Builder;
use crate::diagnostic::Diagnostic;

/// Feeds the builder. `Ok(false)` means that the text is not JSON.
///
/// # Errors
/// What the builder cannot take, such as a bound.
pub(super) fn feed<'a>(text: &'a str, builder: &mut Builder<'a>) -> Result<bool, Diagnostic> {
    let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = Reader { text, at, open: Vec::new() };
    reader.skip(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    if !matches!(reader.peek(), Some(b'{' | b'[')) {
        return Ok(false);
    }
    let mut expected = Expected::Value;
    loop {
        reader.skip(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
        let Some(byte) = reader.peek() else { return Ok(false) };
        expected = match (expected, byte) {
            (Expected::Value | Expected::ValueOrEnd, b'{' | b'[') => {
                builder.open(reader.at..reader.at + 1, 0, byte == b'{')?;
                reader.open.push(byte);
                reader.at += 1;
                if byte == b'{' { Expected::KeyOrEnd } else { Expected::ValueOrEnd }
            }
            (Expected::Key | Expected::KeyOrEnd, b'"') => {
                if !reader.string(builder)? {
                    return Ok(false);
                }
                Expected::Colon
            }
            (Expected::Colon, b':') => {
                reader.at += 1;
                Expected::Value
            }
            (Expected::Value | Expected::ValueOrEnd, _) if byte != b']' => {
                let is_value =
                    if byte == b'"' { reader.string(builder)? } else { reader.word(builder)? };
                if !is_value {
                    return Ok(false);
                }
                Expected::Next
            }
            (Expected::Next, b',') => {
                reader.at += 1;
                if reader.open.last() == Some(&b'{') { Expected::Key } else { Expected::Value }
            }
            (Expected::Next | Expected::KeyOrEnd | Expected::ValueOrEnd, b'}' | b']') => {
                // The closing brackets lie two past the opening ones.
                if reader.open.pop() != Some(byte - 2) {
                    return Ok(false);
                }
                reader.at += 1;
                builder.close(Some(reader.at))?;
                Expected::Next
            }
            _ => return Ok(false),
        };
        if reader.open.is_empty() {
            return Ok(reader.text[reader.at..].trim_matches([' ', '\t', '\r', '\n']).is_empty());
        }
    }
}

#[derive(Clone, Copy)]
enum Expected {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    /// A comma, or the end of what is open.
    Next,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// The opening brackets.
    open: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, skipped: impl Fn(u8) -> bool) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().position(|&b| !skipped(b)).unwrap_or(rest.len());
    }

    fn string(&mut self, builder: &mut Builder<'a>) -> Result<bool, Diagnostic> {
        let start = self.at;
        self.at += 1;
        let mut escaped = false;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.at += 2;
                }
                Some(0x20..) => self.at += 1,
                _ => return Ok(false),
            }
        }
        self.at += 1;
        let text = if escaped {
            let Ok(text) = serde_json::from_str(&self.text[start..self.at]) else {
                return Ok(false);
            };
            Cow::Owned(text)
        } else {
            Cow::Borrowed(&self.text[start + 1..self.at - 1])
        };
        builder.scalar(start..self.at, Kind::Quoted(text), 0)?;
        Ok(true)
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self, builder: &mut Builder<'a>) -> Result<bool, Diagnostic> {
        let start = self.at;
        self.skip(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        let word = &self.text[start..self.at];
        // Numbers beyond what a float holds are text here, and judged by who reads the field.
        let is_digits = !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        if !is_digits && serde_json::from_str::<IgnoredAny>(word).is_err() {
            return Ok(false);
        }
        builder.scalar(start..self.at, Kind::Plain(Cow::Borrowed(word)), 0)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::source::{Node, read};

    /// The text of every scalar, the text that its span covers, and the brackets around.
    fn dump(node: &Node<'_>, text: &str, out: &mut String) {
        use std::fmt::Write as _;
        match &node.kind {
            Kind::Plain(t) | Kind::Quoted(t) => {
                write!(out, "{t}@{} ", &text[node.span()]).unwrap();
            }
            Kind::List(items) => {
                out.push('[');
                items.iter().for_each(|item| dump(item, text, out));
                out.push(']');
            }
            Kind::Map(entries) => {
                out.push('{');
                for (key, value) in entries.iter() {
                    dump(key, text, out);
                    dump(value, text, out);
                }
                out.push('}');
            }
        }
    }

    fn dumped(text: &str) -> String {
        let source = Source::new("w.json", text);
        let mut out = String::new();
        dump(&read(&source).unwrap(), text, &mut out);
        out
    }

    #[test]
    fn json_and_the_same_as_yaml_give_the_same_tree() {
        let json = "\u{feff}{\"é\": [1, -2.5e3, true, null, \"x: y\"],\r\n\t\"b\": {}, \"c\": [], \"d\": [[\"\"]]}\n";
        // A comment is no JSON, so that YAML reads it.
        let yaml = format!("{json}# comment");
        assert_eq!(dumped(json), dumped(&yaml));
    }

    #[test]
    fn json_escapes_are_read() {
        assert_eq!(
            dumped(r#"{"a": "\ud83d\ude00\/\n"}"#),
            "{a@\"a\" \u{1F600}/\n@\"\\ud83d\\ude00\\/\\n\" }"
        );
    }

    #[test]
    fn what_is_no_json_is_left_to_yaml() {
        for text in [
            "a",
            "",
            "{a: 1}",
            "[1,]",
            "{\"a\" 1}",
            "[1]]",
            "[}",
            "[01x]",
            "[\"\t\"]",
            "[1] x",
            "[",
        ] {
            assert_eq!(feed(text, &mut Builder::default()), Ok(false), "{text}");
        }
    }
}
