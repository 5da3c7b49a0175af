//! Finds placeholders in a text and what they stand for.
//!
//! `{word}`, `{word.name}` and `{word[0]}` are placeholders, whatever else braces hold is left
//! alone, and so is all that follows a `$`. `{{word}}` writes `{word}`.

use std::collections::BTreeMap;
use std::ops::Range;

use super::{MemoryUnit, Placeholder, Quoting, Segment, TextTemplate, shell};
use crate::diagnostic::nearest;
use crate::template::Value;

/// Names that no parameter's or variable's placeholder can have.
pub const RESERVED: [&str; 10] = [
    "params", "inputs", "outputs", "cpus", "memory", "attempt", "task", "project", "run", "secrets",
];

/// What the placeholders of one text may name.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Parameters with the values in force.
    pub params: &'a BTreeMap<String, Value>,
    /// Names of the task's variables, by position.
    pub variables: &'a [String],
    /// What a command may name besides; none in paths.
    pub slots: Option<Slots<'a>>,
}

/// Names of input and output slots, by position.
#[derive(Clone, Copy, Debug)]
pub struct Slots<'a> {
    /// Of `inputs`.
    pub inputs: &'a [Option<String>],
    /// Of `outputs`.
    pub outputs: &'a [Option<String>],
}

/// A placeholder that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where in the text, in bytes.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// A literal or a placeholder, with its place in the text.
pub(super) struct Piece {
    pub(super) segment: Segment,
    pub(super) at: Range<usize>,
}

/// Reads a text that no shell will see: a path, an argument, a value of the environment.
///
/// # Errors
/// Every placeholder that names nothing.
pub fn parse(text: &str, scope: &Scope<'_>) -> Result<TextTemplate, Vec<Mistake>> {
    Ok(TextTemplate(pieces(text, scope)?.into_iter().map(|piece| piece.segment).collect()))
}

/// Reads a line or script for the shell.
///
/// # Errors
/// Every placeholder that names nothing, or stands where no value can be put safely.
pub fn parse_shell(text: &str, scope: &Scope<'_>) -> Result<TextTemplate, Vec<Mistake>> {
    let mut pieces = pieces(text, scope)?;
    shell::quote(&mut pieces)?;
    Ok(TextTemplate(pieces.into_iter().map(|piece| piece.segment).collect()))
}

fn pieces(text: &str, scope: &Scope<'_>) -> Result<Vec<Piece>, Vec<Mistake>> {
    let mut pieces = Vec::new();
    let mut mistakes = Vec::new();
    let (mut literal, mut literal_start, mut at) = (String::new(), 0, 0);
    while at < text.len() {
        match braces(text, at) {
            Some(Braces::Escaped { inner }) => {
                literal.push_str(&text[inner.clone()]);
                at = inner.end + 1;
            }
            Some(Braces::Named { inner }) => {
                let whole = at..inner.end + 1;
                match resolve(&text[inner], scope) {
                    Ok(what) => {
                        flush(&mut pieces, &mut literal, literal_start..at);
                        let segment = Segment::Placeholder { what, quoting: Quoting::None };
                        pieces.push(Piece { segment, at: whole.clone() });
                    }
                    Err((message, help)) => {
                        mistakes.push(Mistake { at: whole.clone(), message, help });
                    }
                }
                at = whole.end;
                literal_start = at;
            }
            None => {
                let c = text[at..].chars().next().expect("in bounds");
                literal.push(c);
                at += c.len_utf8();
            }
        }
    }
    flush(&mut pieces, &mut literal, literal_start..at);
    if mistakes.is_empty() { Ok(pieces) } else { Err(mistakes) }
}

fn flush(pieces: &mut Vec<Piece>, literal: &mut String, at: Range<usize>) {
    if !literal.is_empty() {
        pieces.push(Piece { segment: Segment::Literal(std::mem::take(literal)), at });
    }
}

enum Braces {
    /// `{{word}}`; `inner` is `{word}`.
    Escaped { inner: Range<usize> },
    /// `{word}`; `inner` is `word`.
    Named { inner: Range<usize> },
}

/// What the braces that open at `at` hold, if they hold a name at all.
fn braces(text: &str, at: usize) -> Option<Braces> {
    if !text[at..].starts_with('{') || text[..at].ends_with('$') {
        return None;
    }
    if text[at + 1..].starts_with('{') {
        let end = at + 2 + name_len(&text[at + 2..])?;
        return text[end..].starts_with("}}").then_some(Braces::Escaped { inner: at + 1..end + 1 });
    }
    let end = at + 1 + name_len(&text[at + 1..])?;
    text[end..].starts_with('}').then_some(Braces::Named { inner: at + 1..end })
}

/// The length of `word`, `word.name` or `word[0]` at the beginning of a text.
fn name_len(text: &str) -> Option<usize> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let word = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let rest = &text[word..];
    if let Some(name) = rest.strip_prefix('.') {
        let len = name.find(|c| !is_word(c)).unwrap_or(name.len());
        return (len > 0).then_some(word + 1 + len);
    }
    if let Some(index) = rest.strip_prefix('[') {
        let len = index.find(|c: char| !c.is_ascii_digit()).unwrap_or(index.len());
        return (len > 0 && index[len..].starts_with(']')).then_some(word + len + 2);
    }
    Some(word)
}

fn resolve(name: &str, scope: &Scope<'_>) -> Result<Placeholder, (String, String)> {
    if let Some(found) = known(name, scope) {
        return found;
    }
    if let Some(secret) = name.strip_prefix("secrets.") {
        let message = format!("`{{{name}}}` would show a secret to everybody who lists processes");
        let help = format!("write `secrets: [{secret}]` and let the command read `${secret}`");
        return Err((message, help));
    }
    let message = format!("`{{{name}}}` names nothing here");
    let names = candidates(scope);
    let help = match nearest(name, names.iter().map(String::as_str)) {
        Some(close) => format!("did you mean `{{{close}}}`?"),
        None if scope.slots.is_none() && RESERVED.contains(&head(name)) => {
            "paths can hold only parameters and variables".to_owned()
        }
        None => format!("for braces as they stand write `{{{{{name}}}}}`"),
    };
    Err((message, help))
}

fn head(name: &str) -> &str {
    name.split(['.', '[']).next().unwrap_or(name)
}

type Resolved = Result<Placeholder, (String, String)>;

fn known(name: &str, scope: &Scope<'_>) -> Option<Resolved> {
    if let Some(param) = name.strip_prefix("params.") {
        return Some(Ok(Placeholder::Param(scope.params.get(param)?.clone())));
    }
    if let Some(position) = scope.variables.iter().position(|v| v == name) {
        return Some(Ok(Placeholder::Variable(position as u16)));
    }
    let slots = scope.slots?;
    match head(name) {
        "inputs" => slot(name, "inputs", slots.inputs).map(|s| s.map(Placeholder::Inputs)),
        "outputs" => slot(name, "outputs", slots.outputs).map(|s| s.map(Placeholder::Outputs)),
        _ => builtin(name).map(Ok),
    }
}

fn builtin(name: &str) -> Option<Placeholder> {
    Some(match name {
        "cpus" => Placeholder::Cpus,
        "memory" => Placeholder::Memory(MemoryUnit::Bytes),
        "memory.mib" => Placeholder::Memory(MemoryUnit::Mebibytes),
        "memory.gib" => Placeholder::Memory(MemoryUnit::Gibibytes),
        "attempt" => Placeholder::Attempt,
        "task" => Placeholder::Task,
        "project" => Placeholder::Project,
        _ => return None,
    })
}

/// `inputs`, `inputs.name` or `inputs[0]`.
fn slot(
    text: &str,
    field: &str,
    slots: &[Option<String>],
) -> Option<Result<Option<u16>, (String, String)>> {
    if slots.is_empty() {
        let message = format!("`{{{text}}}`, but the task declares no {field}");
        return Some(Err((message, format!("add `{field}:` to the task"))));
    }
    let rest = &text[field.len()..];
    if rest.is_empty() {
        return Some(Ok(None));
    }
    if let Some(name) = rest.strip_prefix('.') {
        let position = slots.iter().position(|s| s.as_deref() == Some(name))?;
        return Some(Ok(Some(position as u16)));
    }
    let index = rest.trim_matches(['[', ']']).parse::<usize>().ok();
    if let Some(index) = index.filter(|&i| i < slots.len()) {
        return Some(Ok(Some(index as u16)));
    }
    let message = format!("`{{{text}}}` is past the end: the task has {} {field}", slots.len());
    Some(Err((message, format!("the last one is `{{{field}[{}]}}`", slots.len() - 1))))
}

fn candidates(scope: &Scope<'_>) -> Vec<String> {
    let mut names: Vec<String> = scope.params.keys().map(|p| format!("params.{p}")).collect();
    names.extend(scope.variables.iter().cloned());
    if let Some(slots) = scope.slots {
        for (field, slots) in [("inputs", slots.inputs), ("outputs", slots.outputs)] {
            if !slots.is_empty() {
                names.push(field.to_owned());
            }
            names.extend(slots.iter().flatten().map(|name| format!("{field}.{name}")));
        }
        let builtin = ["cpus", "memory", "memory.mib", "memory.gib", "attempt", "task", "project"];
        names.extend(builtin.map(str::to_owned));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_scope<T>(check: impl FnOnce(&Scope<'_>) -> T) -> T {
        let params = BTreeMap::from([("top".to_owned(), Value::Int(10))]);
        let inputs = [Some("reads".to_owned()), None];
        let slots = Slots { inputs: &inputs, outputs: &[] };
        check(&Scope { params: &params, variables: &["x".to_owned()], slots: Some(slots) })
    }

    fn literal(text: &str) -> Segment {
        Segment::Literal(text.to_owned())
    }

    #[test]
    fn braces_that_hold_no_name_are_left_alone() {
        for text in
            ["${HOME}", "awk '{print $1}'", "{a,b}", "{}", "{ x }", "{1..3}", "}}", "{{", "$1{}"]
        {
            let parsed = with_scope(|scope| parse(text, scope));
            assert_eq!(parsed, Ok(TextTemplate(vec![literal(text)])), "{text}");
        }
    }

    #[test]
    fn doubled_braces_around_a_name_write_the_name_in_braces() {
        let parsed = |text| with_scope(|scope| parse(text, scope)).unwrap().0;
        assert_eq!(parsed("{{print}}"), [literal("{print}")]);
        assert_eq!(parsed("{{{x}}}"), [literal("{{x}}")]);
        assert_eq!(parsed("{if(a){b=1}}"), [literal("{if(a){b=1}}")]);
    }

    #[test]
    fn names_are_found_by_name_and_by_position() {
        let what = |text| match with_scope(|scope| parse(text, scope)).unwrap().0.remove(0) {
            Segment::Placeholder { what, .. } => what,
            Segment::Literal(text) => panic!("{text} is literal"),
        };
        assert_eq!(what("{params.top}"), Placeholder::Param(Value::Int(10)));
        assert_eq!(what("{x}"), Placeholder::Variable(0));
        assert_eq!(what("{inputs}"), Placeholder::Inputs(None));
        assert_eq!(what("{inputs.reads}"), Placeholder::Inputs(Some(0)));
        assert_eq!(what("{inputs[1]}"), Placeholder::Inputs(Some(1)));
        assert_eq!(what("{memory.gib}"), Placeholder::Memory(MemoryUnit::Gibibytes));
    }

    #[test]
    fn a_name_that_is_none_gets_advice() {
        let advice = |text| with_scope(|scope| parse(text, scope)).unwrap_err().remove(0).help;
        assert_eq!(advice("{params.tpo}"), "did you mean `{params.top}`?");
        assert_eq!(advice("{input}"), "did you mean `{inputs}`?");
        assert_eq!(advice("awk '{print}'"), "for braces as they stand write `{{print}}`");
        assert_eq!(advice("{outputs}"), "add `outputs:` to the task");
        assert_eq!(advice("{inputs[2]}"), "the last one is `{inputs[1]}`");
    }
}
