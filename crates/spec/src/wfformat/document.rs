//! Reads the JSON of a document, one task at a time, and finds out which version it is.
//!
//! Versions 1.3 and 1.4 keep everything about a task in one place; from 1.5 on, `specification`
//! says what it is and `execution` how it went. Both shapes end in the same [`Recorded`].

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::recorded::{File, Recorded, Task, Text};
use crate::diagnostic::{Code, Diagnostic};

/// The two fields that say what a document is.
#[derive(Deserialize)]
pub(super) struct Head<'a> {
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(rename = "schemaVersion", borrow)]
    pub(super) schema_version: Option<Cow<'a, str>>,
}

pub(super) fn head(text: &str) -> Option<Head<'_>> {
    serde_json::from_str(text).ok()
}

/// Reads the tables.
///
/// # Errors
/// What keeps the document from being read at all, with its place.
pub(super) fn read(text: &str) -> Result<Recorded, Box<Diagnostic>> {
    let head: Head<'_> = serde_json::from_str(text).map_err(|e| syntax(text, &e))?;
    let version = head.schema_version.as_deref().unwrap_or_default();
    if !matches!(version, "1.3" | "1.4" | "1.5" | "1.6") {
        let at = text.find("\"schemaVersion\"").map_or(0..0, |at| at..at + 15);
        return Err(Box::new(
            Diagnostic::error(Code::Version, at)
                .message(format!("WfFormat {version:?} is not known"))
                .help("versions 1.3, 1.4, 1.5 and 1.6 can be read"),
        ));
    }
    let name = workflow_name(head.name.as_deref().unwrap_or_default());
    let mut recorded = Recorded::new(name, !matches!(version, "1.3" | "1.4"));
    let mut json = serde_json::Deserializer::from_str(text);
    let part = Part { recorded: &mut recorded, level: Level::Top };
    part.deserialize(&mut json).and_then(|()| json.end()).map_err(|e| syntax(text, &e))?;
    recorded.finish();
    Ok(recorded)
}

fn syntax(text: &str, error: &serde_json::Error) -> Box<Diagnostic> {
    let line_start = match error.line() {
        0 | 1 => 0,
        line => text.match_indices('\n').nth(line - 2).map_or(0, |(at, _)| at + 1),
    };
    // serde_json counts columns in bytes and points at the byte it stopped after.
    let at = (line_start + error.column().saturating_sub(1)).min(text.len());
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default().to_owned();
    let code = if error.is_data() { Code::Value } else { Code::Syntax };
    Box::new(Diagnostic::error(code, at..(at + 1).min(text.len())).message(message))
}

/// The document's name in the letters that a workflow's name may have.
fn workflow_name(name: &str) -> String {
    let name = name.strip_suffix(".json").unwrap_or(name);
    let safe: String = name.chars().map(|c| if is_plain(c) { c } else { '-' }).take(80).collect();
    let safe = safe.trim_matches(['.', '-', '_']);
    if safe.is_empty() { "workflow".to_owned() } else { safe.to_owned() }
}

pub(super) fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Top,
    Workflow,
    Specification,
    Execution,
}

/// An object of the document; what is not known is skipped.
struct Part<'r> {
    recorded: &'r mut Recorded,
    level: Level,
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { recorded, level } = self;
        let mut seen = Vec::new();
        while let Some(key) = map.next_key::<Text<'de>>()? {
            let inner = match (level, key.as_str()) {
                (Level::Top, "workflow") => Some(Level::Workflow),
                (Level::Workflow, "specification") => Some(Level::Specification),
                (Level::Workflow, "execution") => Some(Level::Execution),
                _ => None,
            };
            let list = matches!(key.as_str(), "tasks" | "jobs" | "files") && level != Level::Top;
            // A second list would be added to the first instead of taking its place.
            if (inner.is_some() || list) && seen.contains(&key) {
                return Err(M::Error::custom(format!("`{}` stands here twice", key.as_str())));
            }
            match (level, key.as_str()) {
                _ if let Some(level) = inner => map.next_value_seed(Part { recorded, level })?,
                (Level::Workflow | Level::Specification, "tasks" | "jobs") => {
                    map.next_value_seed(each(|task: Task<'de>| recorded.task(&task)))?;
                }
                (Level::Specification, "files") => {
                    map.next_value_seed(each(|file: File<'de>| recorded.listed_file(&file)))?;
                }
                (Level::Execution, "tasks") => {
                    map.next_value_seed(each(|task: Task<'de>| recorded.executed(&task)))?;
                }
                _ => map.next_value::<IgnoredAny>().map(|_| ())?,
            }
            seen.push(key);
        }
        Ok(())
    }
}

/// Hands every item of a list to a function, so that the list itself is never held.
struct Each<T, F> {
    take: F,
    items: PhantomData<T>,
}

fn each<T, F: FnMut(T)>(take: F) -> Each<T, F> {
    Each { take, items: PhantomData }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> DeserializeSeed<'de> for Each<T, F> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<S: SeqAccess<'de>>(mut self, mut items: S) -> Result<(), S::Error> {
        while let Some(item) = items.next_element::<T>()? {
            (self.take)(item);
        }
        Ok(())
    }
}
