//! YAML (and so JSON) text as a tree of nodes that know where they stand.
//!
//! Built from the parser's events without recursion and within bounds on depth, on the number
//! of nodes and on what aliases repeat, so that hostile text costs little. Knows syntax only:
//! what the keys mean is for [`crate::workflow_file`] and [`crate::site_file`].

mod build;
mod counted;
pub mod fields;
mod json;
mod offsets;
pub mod scalar;
mod yaml;

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use self::build::Builder;
use crate::diagnostic::{Code, Diagnostic, Source};

/// How deep lists and maps may lie in each other.
pub const MAX_DEPTH: usize = 128;
/// How many nodes a text may have, aliases not repeated.
pub const MAX_NODES: usize = 2_000_000;
/// How much aliases may repeat, in nodes; each 16 bytes of text count as one more.
pub const MAX_REPEATED: usize = 1_000_000;
/// How long a text may be, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// A value with its place in the text.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    start: u32,
    end: u32,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What a node is.
#[derive(Clone, Debug)]
pub enum Kind<'a> {
    /// Text without quotes: may be a number, `true`, or null if empty or `~`.
    Plain(Cow<'a, str>),
    /// Text in quotes or in a block: nothing but text.
    Quoted(Cow<'a, str>),
    /// A list.
    List(Rc<Vec<Node<'a>>>),
    /// A map, in the order of the text.
    Map(Rc<Vec<(Node<'a>, Node<'a>)>>),
}

impl<'a> Node<'a> {
    /// Where it stands, in bytes.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The text of a scalar; none for null, lists and maps.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Plain(_) if self.is_null() => None,
            Kind::Plain(text) | Kind::Quoted(text) => Some(text),
            Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Whether it is `~`, `null` or nothing at all.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Plain(text) if matches!(&**text, "" | "~" | "null"))
    }

    /// The items of a list.
    #[must_use]
    pub fn list(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The keys and values of a map.
    #[must_use]
    pub fn map(&self) -> Option<&[(Self, Self)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a key of a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.iter().find(|(k, _)| k.text() == Some(key)).map(|(_, value)| value)
    }

    /// What stands between the braces of `{word}` without quotes, which YAML takes for a map.
    #[must_use]
    pub fn braces_without_quotes(&self) -> Option<&str> {
        match self.map()? {
            [(key, Self { kind: Kind::Plain(text), .. })] if text.is_empty() => key.text(),
            _ => None,
        }
    }

    /// What to call it in a message.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match &self.kind {
            _ if self.is_null() => "nothing",
            Kind::Plain(_) | Kind::Quoted(_) => "text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a map",
        }
    }
}

/// Reads a text with one document into a tree.
///
/// # Errors
/// What keeps it from being read at all: syntax, a bound, or keys that stand twice (all of
/// them).
pub fn read(source: &Source) -> Result<Node<'_>, Vec<Diagnostic>> {
    let text = &source.text;
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        return Err(vec![Diagnostic::error(Code::Limit, 0..0).message(message)]);
    }
    let mut builder = Builder::default();
    match json::feed(text, &mut builder) {
        Ok(true) => return builder.finish(),
        Ok(false) => builder = Builder::default(),
        Err(fatal) => return Err(vec![fatal]),
    }
    if let Err(fatal) = yaml::feed(text, &mut builder) {
        builder.report(fatal);
    }
    builder.finish()
}
