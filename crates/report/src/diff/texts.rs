//! Texts, maps and nested values, and what two of them do not have in common.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::definition::Change;

/// How many lines are kept of each side.
const LINES_MAX: usize = 200;

/// Lines that only one of two texts has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TextDiff {
    /// How many lines only the earlier text has.
    pub n_removed: usize,
    /// The first of them.
    pub removed: Vec<String>,
    /// How many lines only the later text has.
    pub n_added: usize,
    /// The first of them.
    pub added: Vec<String>,
    /// Whether they have the same lines, in another order.
    pub is_reordered: bool,
}

impl TextDiff {
    /// Of two texts. Lines are counted: one more of the same is one more.
    pub(super) fn of(before: &str, after: &str) -> Self {
        if before == after {
            return Self::default();
        }
        let (mut removed, mut added) = (beyond(before, after), beyond(after, before));
        let (n_removed, n_added) = (removed.len(), added.len());
        let is_reordered = n_removed + n_added == 0;
        removed.truncate(LINES_MAX);
        added.truncate(LINES_MAX);
        Self { n_removed, removed, n_added, added, is_reordered }
    }

    /// Whether the texts are the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        !self.is_reordered && self.n_removed + self.n_added == 0
    }
}

/// Lines of `text` that `other` has not, or not so often.
fn beyond(text: &str, other: &str) -> Vec<String> {
    let mut there: BTreeMap<&str, usize> = BTreeMap::new();
    for line in other.lines() {
        *there.entry(line).or_default() += 1;
    }
    let is_more = |line: &&str| match there.get_mut(*line) {
        Some(n) if *n > 0 => {
            *n -= 1;
            false
        }
        _ => true,
    };
    text.lines().filter(is_more).map(str::to_owned).collect()
}

/// What two maps do not have in common, as texts.
pub(super) fn maps<T: PartialEq>(
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
    text: impl Fn(&T) -> String,
) -> Vec<Change> {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let differs = |name: &&String| before.get(*name) != after.get(*name);
    let change = |name: &String| Change {
        what: name.clone(),
        before: before.get(name).map(&text),
        after: after.get(name).map(&text),
    };
    let mut changes: Vec<Change> = after.keys().chain(gone).filter(differs).map(change).collect();
    changes.sort();
    changes
}

/// What two nested values do not have in common, each place by its path.
pub(super) fn values(path: &str, before: &Value, after: &Value) -> Vec<Change> {
    let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (before, after) {
        _ if before == after => Vec::new(),
        (Value::Object(was), Value::Object(is)) => {
            let gone = was.keys().filter(|key| !is.contains_key(*key));
            let keys = is.keys().chain(gone);
            let of = |map: &serde_json::Map<String, Value>, key| {
                map.get(key).cloned().unwrap_or_default()
            };
            keys.flat_map(|key| values(&at(key), &of(was, key), &of(is, key))).collect()
        }
        (Value::Array(was), Value::Array(is)) if was.len() == is.len() => {
            let items = was.iter().zip(is).enumerate();
            items.flat_map(|(i, (was, is))| values(&at(&i.to_string()), was, is)).collect()
        }
        _ => {
            let text = |value: &Value| (!value.is_null()).then(|| value.to_string());
            vec![Change { what: path.to_owned(), before: text(before), after: text(after) }]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_an_order_is_an_order() {
        let diff = TextDiff::of("a\nb\nb\n", "b\nc\na\n");
        assert_eq!((diff.removed, diff.added), (vec!["b".to_owned()], vec!["c".to_owned()]));
        assert!(TextDiff::of("a\nb\n", "a\nb\n").is_same());
        let turned = TextDiff::of("a\nb\n", "b\na\n");
        assert!(turned.is_reordered && !turned.is_same());
    }

    #[test]
    fn nested_values_are_compared_place_by_place() {
        let read = |text| serde_json::from_str::<Value>(text).unwrap();
        let before = read(r#"{"zones":[{"name":"a","cpus":2}],"policy":"x"}"#);
        let after = read(r#"{"zones":[{"name":"a","cpus":4}],"links":[]}"#);
        let told: Vec<String> = values("", &before, &after).iter().map(Change::to_string).collect();
        assert_eq!(
            told,
            ["links: nothing -> []", "zones.0.cpus: 2 -> 4", "policy: \"x\" -> nothing"]
        );
    }
}
