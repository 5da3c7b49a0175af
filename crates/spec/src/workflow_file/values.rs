//! Values of parameters and variables: what type a text has, and how it reaches a command.
//!
//! A value reaches commands as it is written: a number whose digits would change on the way
//! (`1.10`, `007`, `1e3`) is kept as text.

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Kind, Node};
use crate::template::Value;

/// The type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Int,
    Float,
    Bool,
    Text,
    List,
}

impl Type {
    pub(super) const NAMES: [&'static str; 5] = ["int", "float", "bool", "text", "list"];

    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "int" => Self::Int,
            "float" => Self::Float,
            "bool" => Self::Bool,
            "text" => Self::Text,
            "list" => Self::List,
            _ => return None,
        })
    }

    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Bool(_) => Self::Bool,
            Value::Int(_) => Self::Int,
            Value::Float(_) => Self::Float,
            Value::Text(_) => Self::Text,
            Value::List(_) => Self::List,
        }
    }

    pub(super) fn article(self) -> &'static str {
        match self {
            Self::Int => "a whole number",
            Self::Float => "a number",
            Self::Bool => "`true` or `false`",
            Self::Text => "text",
            Self::List => "a list",
        }
    }

    /// Reads what was given on the command line; a list is separated by commas, with or without
    /// brackets around it.
    pub(super) fn parse(self, text: &str) -> Option<Value> {
        match self {
            Self::Int => text.parse().ok().map(Value::Int),
            Self::Float => {
                let number: f64 = text.parse().ok().filter(|x: &f64| x.is_finite())?;
                Some(as_written(Value::Float(number), text))
            }
            Self::Bool => text.parse().ok().map(Value::Bool),
            Self::Text => Some(Value::Text(text.to_owned())),
            Self::List => {
                let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
                let items = inside.unwrap_or(text).trim();
                let separate = || items.split(',').map(|item| plain(item.trim())).collect();
                Some(Value::List(if items.is_empty() { Vec::new() } else { separate() }))
            }
        }
    }

    /// Whether a value of the file has this type, and as what it is kept.
    pub(super) fn accept(self, value: Value) -> Result<Value, Value> {
        match (self, value) {
            (Self::Float, value @ Value::Int(_)) => Ok(value),
            // A float or int whose digits would change is text until here.
            (Self::Float | Self::Int, Value::Text(text)) => {
                self.parse(&text).ok_or(Value::Text(text))
            }
            (Self::Text, value @ (Value::Int(_) | Value::Float(_) | Value::Bool(_))) => {
                Ok(Value::Text(value.to_string()))
            }
            (wanted, value) if wanted == Self::of(&value) => Ok(value),
            (_, value) => Err(value),
        }
    }
}

/// The value of a text without quotes.
pub(super) fn plain(text: &str) -> Value {
    if let Ok(b) = text.parse() {
        return Value::Bool(b);
    }
    // Most texts are no numbers, and a million of them are read.
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return Value::Text(text.to_owned());
    }
    let number = text.parse().map(Value::Int).ok();
    let number = number.or_else(|| text.parse().map(Value::Float).ok());
    number.map_or_else(|| Value::Text(text.to_owned()), |number| as_written(number, text))
}

fn as_written(number: Value, text: &str) -> Value {
    if number.to_string() == text { number } else { Value::Text(text.to_owned()) }
}

/// The value of a node: a scalar, or a list of values.
pub(super) fn of_node(node: &Node<'_>) -> Result<Value, Diagnostic> {
    let value = match &node.kind {
        _ if node.is_null() => return Err(refused(node, "a value must be written out")),
        Kind::Plain(text) => plain(text),
        Kind::Quoted(text) => Value::Text(text.clone().into_owned()),
        Kind::List(items) => Value::List(items.iter().map(of_node).collect::<Result<_, _>>()?),
        Kind::Map(_) => return Err(refused(node, "a map cannot be a value")),
    };
    match &value {
        Value::Text(text) if text.contains('\0') => {
            Err(refused(node, "a NUL character cannot be passed to a program"))
        }
        _ => Ok(value),
    }
}

fn refused(node: &Node<'_>, why: &str) -> Diagnostic {
    let mistake = Diagnostic::error(Code::Value, node.span()).message(why);
    match node.kind {
        Kind::Map(_) => mistake.help("put text that begins with `{` in quotes"),
        _ if node.is_null() => mistake.help("for empty text write `\"\"`"),
        _ => mistake,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_as_it_was_read() {
        for text in
            ["1", "1.10", "007", "1e3", "-0", "0.1", "+5", "1_000", "NaN", "true", "0x1f", ".5"]
        {
            assert_eq!(plain(text).to_string(), text);
        }
        assert_eq!(plain("12"), Value::Int(12));
        assert_eq!(plain("0.5"), Value::Float(0.5));
        assert_eq!(plain("1e400").to_string(), "1e400");
    }

    #[test]
    fn the_command_line_is_read_by_type() {
        assert_eq!(Type::Int.parse("12"), Some(Value::Int(12)));
        assert_eq!(Type::Int.parse("1.5"), None);
        assert_eq!(Type::Float.parse("NaN"), None);
        assert_eq!(Type::Float.parse("1e400"), None);
        assert_eq!(Type::Bool.parse("yes"), None);
        let list = vec![Value::Text("a".to_owned()), Value::Int(2)];
        assert_eq!(Type::List.parse("a,2"), Some(Value::List(list)));
    }
}
