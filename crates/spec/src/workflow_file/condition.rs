//! `when`: conditions on parameters, read and decided in one go.
//!
//! Knows the small language of `docs/formats/workflow.md`. Every operand is looked at, also where
//! the answer is certain without it, so that a mistake is found whatever the parameters are.

use std::collections::BTreeMap;
use std::ops::Range;

use super::values::Type;
use crate::command::placeholder::Mistake;
use crate::diagnostic::nearest;
use crate::template::Value;

/// How deep parentheses, lists and `not` may lie in each other.
const MAX_NESTED: usize = 64;

/// Whether the condition holds.
///
/// # Errors
/// The first thing in the text that is no condition, with its place.
pub(super) fn holds(text: &str, params: &BTreeMap<String, Value>) -> Result<bool, Mistake> {
    let tokens = tokens(text)?;
    let mut reader = Reader { params, tokens: &tokens, end: text.len(), at: 0, nested: 0 };
    let outcome = reader.either()?;
    if let Some(token) = reader.peek() {
        let help = "join conditions with `and` or `or`";
        return Err(wrong(token.at.clone(), "the condition should end here", help));
    }
    truth(&outcome, "`when`")
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// `params.NAME`, the name alone.
    Param(String),
    Word(String),
    Literal(Value),
    Symbol(&'static str),
}

#[derive(Clone, Debug)]
struct Token {
    kind: Kind,
    at: Range<usize>,
}

/// A value with the part of the text that it comes from.
struct Operand<'t> {
    value: std::borrow::Cow<'t, Value>,
    at: Range<usize>,
}

/// Longer ones first.
const SYMBOLS: [&str; 11] = ["==", "!=", "<=", ">=", "<", ">", "(", ")", "[", "]", ","];
const COMPARISONS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];

/// What is written elsewhere for the same thing.
const FOREIGN: [(&str, &str); 6] = [
    ("&&", "write `and`"),
    ("||", "write `or`"),
    ("!", "write `not`"),
    ("=", "write `==` to compare"),
    ("{", "a parameter stands without braces here: `params.name`"),
    ("$", "a parameter is written `params.name`"),
];

fn tokens(text: &str) -> Result<Vec<Token>, Mistake> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (kind, len) = if c == '"' || c == '\'' {
            quoted(rest, c, at)?
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            (Kind::Symbol(symbol), symbol.len())
        } else {
            word(rest, at)?
        };
        tokens.push(Token { kind, at: at..at + len });
        at += len;
    }
    Ok(tokens)
}

fn quoted(rest: &str, quote: char, at: usize) -> Result<(Kind, usize), Mistake> {
    match rest[1..].find(quote) {
        Some(len) => Ok((Kind::Literal(Value::Text(rest[1..=len].to_owned())), len + 2)),
        None => {
            let help = format!("end it with `{quote}`");
            Err(wrong(at..at + rest.len(), "the text has no end", &help))
        }
    }
}

/// A name, a number, or what is neither.
fn word(rest: &str, at: usize) -> Result<(Kind, usize), Mistake> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+');
    let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
    if word.is_empty() {
        let foreign = FOREIGN.iter().find(|(symbol, _)| rest.starts_with(symbol));
        let found = foreign.map_or_else(
            || rest.chars().next().map(String::from).unwrap_or_default(),
            |(symbol, _)| (*symbol).to_owned(),
        );
        let help = foreign.map_or("put text in quotes", |(_, help)| help);
        let message = format!("`{}` means nothing in a condition", found.escape_debug());
        return Err(wrong(at..at + found.len(), &message, help));
    }
    let kind = match word {
        "true" | "false" => Kind::Literal(Value::Bool(word == "true")),
        _ if word.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.')) => {
            number(word, at)?
        }
        _ => match word.strip_prefix("params.") {
            Some(name) => Kind::Param(name.to_owned()),
            None => Kind::Word(word.to_owned()),
        },
    };
    Ok((kind, word.len()))
}

fn number(word: &str, at: usize) -> Result<Kind, Mistake> {
    let whole = word.parse().map(Value::Int).ok();
    let number =
        whole.or_else(|| word.parse().ok().filter(|x: &f64| x.is_finite()).map(Value::Float));
    number.map(Kind::Literal).ok_or_else(|| {
        let message = format!("`{word}` is no number");
        wrong(at..at + word.len(), &message, "put text in quotes")
    })
}

struct Reader<'t> {
    params: &'t BTreeMap<String, Value>,
    tokens: &'t [Token],
    /// Of the text, in bytes.
    end: usize,
    at: usize,
    nested: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.at)
    }

    fn next_is(&mut self, symbol: &str) -> bool {
        let is_next =
            matches!(self.peek(), Some(Token { kind: Kind::Symbol(s), .. }) if *s == symbol);
        self.at += usize::from(is_next);
        is_next
    }

    fn next_is_word(&mut self, word: &str) -> bool {
        let is_next = matches!(self.peek(), Some(Token { kind: Kind::Word(w), .. }) if w == word);
        self.at += usize::from(is_next);
        is_next
    }

    /// `a or b or …`
    fn either(&mut self) -> Result<Operand<'t>, Mistake> {
        self.joined("or", Self::both, |a, b| a || b)
    }

    /// `a and b and …`
    fn both(&mut self) -> Result<Operand<'t>, Mistake> {
        self.joined("and", Self::negated, |a, b| a && b)
    }

    fn joined(
        &mut self,
        word: &str,
        operand: fn(&mut Self) -> Result<Operand<'t>, Mistake>,
        join: fn(bool, bool) -> bool,
    ) -> Result<Operand<'t>, Mistake> {
        let mut left = operand(self)?;
        while self.next_is_word(word) {
            let right = operand(self)?;
            let who = format!("`{word}`");
            let value = join(truth(&left, &who)?, truth(&right, &who)?);
            left = Operand::new(Value::Bool(value), left.at.start..right.at.end);
        }
        Ok(left)
    }

    fn negated(&mut self) -> Result<Operand<'t>, Mistake> {
        let start = self.peek().map_or(self.end, |token| token.at.start);
        if !self.next_is_word("not") {
            return self.compared();
        }
        let operand = self.deeper(Self::negated)?;
        let value = !truth(&operand, "`not`")?;
        Ok(Operand::new(Value::Bool(value), start..operand.at.end))
    }

    /// `a == b`, `a in b` and their like; never a chain of them.
    fn compared(&mut self) -> Result<Operand<'t>, Mistake> {
        let left = self.operand()?;
        let Some((comparison, _)) = self.comparison() else { return Ok(left) };
        let right = self.operand()?;
        let at = left.at.start..right.at.end;
        let value = compare(&left, &comparison, &right)?;
        if let Some((_, place)) = self.comparison() {
            let help = "compare twice, and join with `and`";
            return Err(wrong(place, "comparisons cannot be chained", help));
        }
        Ok(Operand::new(Value::Bool(value), at))
    }

    fn comparison(&mut self) -> Option<(String, Range<usize>)> {
        let at = self.peek()?.at.clone();
        if let Some(symbol) = COMPARISONS.iter().find(|symbol| self.next_is(symbol)) {
            return Some(((*symbol).to_owned(), at));
        }
        if self.next_is_word("in") {
            return Some(("in".to_owned(), at));
        }
        let before = self.at;
        if self.next_is_word("not") && self.next_is_word("in") {
            return Some(("not in".to_owned(), at));
        }
        self.at = before;
        None
    }

    fn operand(&mut self) -> Result<Operand<'t>, Mistake> {
        let Some(token) = self.peek() else {
            let help = "write a parameter such as `params.name`, a number, or text in quotes";
            return Err(wrong(self.end..self.end, "something is missing here", help));
        };
        self.at += 1;
        let at = token.at.clone();
        match &token.kind {
            Kind::Param(name) => match self.params.get(name) {
                Some(value) => Ok(Operand { value: std::borrow::Cow::Borrowed(value), at }),
                None => Err(self.unknown(name, at)),
            },
            Kind::Literal(value) => Ok(Operand { value: std::borrow::Cow::Borrowed(value), at }),
            Kind::Symbol("(") => {
                let inner = self.deeper(Self::either)?;
                let end = self.close(")", &at)?;
                Ok(Operand { at: at.start..end, ..inner })
            }
            Kind::Symbol("[") => self.list(at),
            Kind::Symbol(symbol) => {
                let message = format!("`{symbol}` cannot stand here");
                let help = "write a parameter such as `params.name`, a number, or text in quotes";
                Err(wrong(at, &message, help))
            }
            Kind::Word(word) => Err(self.no_operand(word, at)),
        }
    }

    fn list(&mut self, open: Range<usize>) -> Result<Operand<'t>, Mistake> {
        let mut items = Vec::new();
        while !self.next_is("]") {
            items.push(self.deeper(Self::operand)?.value.into_owned());
            if !self.next_is(",") {
                self.close("]", &open)?;
                break;
            }
        }
        let end = self.tokens[self.at - 1].at.end;
        Ok(Operand::new(Value::List(items), open.start..end))
    }

    fn close(&mut self, symbol: &str, open: &Range<usize>) -> Result<usize, Mistake> {
        let end = self.peek().map(|token| token.at.end);
        match end.filter(|_| self.next_is(symbol)) {
            Some(end) => Ok(end),
            None => {
                let message = format!("this has no `{symbol}`");
                Err(wrong(open.clone(), &message, &format!("add `{symbol}`")))
            }
        }
    }

    fn deeper<T>(&mut self, read: fn(&mut Self) -> Result<T, Mistake>) -> Result<T, Mistake> {
        self.nested += 1;
        if self.nested > MAX_NESTED {
            let at = self.peek().map_or(self.end..self.end, |token| token.at.clone());
            return Err(wrong(at, "the condition is nested too deeply", "make it simpler"));
        }
        let read = read(self);
        self.nested -= 1;
        read
    }

    fn unknown(&self, name: &str, at: Range<usize>) -> Mistake {
        let help = match nearest(name, self.params.keys().map(String::as_str)) {
            Some(close) => format!("did you mean `params.{close}`?"),
            None => "declare it below `params:`".to_owned(),
        };
        wrong(at, &format!("there is no parameter `{name}`"), &help)
    }

    fn no_operand(&self, word: &str, at: Range<usize>) -> Mistake {
        let lower = word.to_lowercase();
        let help = if self.params.contains_key(word) {
            format!("write `params.{word}`")
        } else if ["true", "false"].contains(&lower.as_str()) {
            format!("write `{lower}`")
        } else {
            format!("put text in quotes: `\"{word}\"`")
        };
        wrong(at, &format!("`{word}` means nothing here"), &help)
    }
}

impl Operand<'_> {
    fn new(value: Value, at: Range<usize>) -> Self {
        Self { value: std::borrow::Cow::Owned(value), at }
    }

    /// A number; text that is one counts, as parameters keep their digits (`1.10`).
    fn number(&self) -> Option<Number> {
        Number::of(&self.value)
    }
}

#[derive(Clone, Copy)]
enum Number {
    Whole(i64),
    Other(f64),
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Int(n) => Some(Self::Whole(*n)),
            Value::Float(x) => Some(Self::Other(*x)),
            Value::Text(text) => {
                let whole = text.parse().map(Self::Whole).ok();
                whole.or_else(|| text.parse().ok().filter(|x: &f64| x.is_finite()).map(Self::Other))
            }
            Value::Bool(_) | Value::List(_) => None,
        }
    }

    fn compare(self, other: Self) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => Some(a.cmp(&b)),
            _ => self.float().partial_cmp(&other.float()),
        }
    }

    fn float(self) -> f64 {
        match self {
            Self::Whole(n) => n as f64,
            Self::Other(x) => x,
        }
    }
}

fn truth(operand: &Operand<'_>, who: &str) -> Result<bool, Mistake> {
    match *operand.value {
        Value::Bool(is_true) => Ok(is_true),
        ref value => {
            let message = format!("{who} needs true or false, and this is {}", what(value));
            Err(wrong(
                operand.at.clone(),
                &message,
                "compare it, such as `params.mode == \"full\"`",
            ))
        }
    }
}

fn compare(left: &Operand<'_>, comparison: &str, right: &Operand<'_>) -> Result<bool, Mistake> {
    match comparison {
        "in" | "not in" => {
            let Value::List(items) = &*right.value else {
                let message = format!("`in` needs a list, and this is {}", what(&right.value));
                return Err(wrong(
                    right.at.clone(),
                    &message,
                    "write `[a, b]` with text in quotes",
                ));
            };
            let is_in = items.iter().any(|item| are_equal(&left.value, item));
            Ok(is_in == (comparison == "in"))
        }
        "==" | "!=" => {
            check_alike(left, right)?;
            Ok(are_equal(&left.value, &right.value) == (comparison == "=="))
        }
        _ => {
            let number = |side: &Operand<'_>| {
                side.number().ok_or_else(|| {
                    let shown = what(&side.value);
                    let message = format!("`{comparison}` needs numbers, and this is {shown}");
                    wrong(side.at.clone(), &message, "compare text with `==`, `!=` or `in`")
                })
            };
            let Some(order) = number(left)?.compare(number(right)?) else { return Ok(false) };
            Ok(match comparison {
                "<" => order.is_lt(),
                "<=" => order.is_le(),
                ">" => order.is_gt(),
                _ => order.is_ge(),
            })
        }
    }
}

/// Values of two types are never equal: whoever compares them has made a mistake.
fn check_alike(left: &Operand<'_>, right: &Operand<'_>) -> Result<(), Mistake> {
    let is_number =
        |operand: &Operand<'_>| matches!(*operand.value, Value::Int(_) | Value::Float(_));
    let are_numbers = (is_number(left) || is_number(right))
        && left.number().is_some()
        && right.number().is_some();
    if are_numbers || Type::of(&left.value) == Type::of(&right.value) {
        return Ok(());
    }
    let (a, b) = (what(&left.value), what(&right.value));
    let message = format!("{a} is never equal to {b}");
    let help = if a == "text" || b == "text" {
        "put text in quotes, and nothing else"
    } else {
        "compare values of one type"
    };
    Err(wrong(left.at.start..right.at.end, &message, help))
}

fn are_equal(a: &Value, b: &Value) -> bool {
    let is_number = |value: &Value| matches!(value, Value::Int(_) | Value::Float(_));
    if is_number(a) || is_number(b) {
        let numbers = Number::of(a).zip(Number::of(b));
        return numbers.and_then(|(a, b)| a.compare(b)).is_some_and(std::cmp::Ordering::is_eq);
    }
    a == b
}

fn what(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "true or false",
        Value::Int(_) | Value::Float(_) => "a number",
        Value::Text(_) => "text",
        Value::List(_) => "a list",
    }
}

fn wrong(at: Range<usize>, message: &str, help: &str) -> Mistake {
    Mistake { at, message: message.to_owned(), help: help.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params() -> BTreeMap<String, Value> {
        let text = |text: &str| Value::Text(text.to_owned());
        BTreeMap::from([
            ("mode".to_owned(), text("full")),
            ("n".to_owned(), Value::Int(7)),
            ("rate".to_owned(), text("1.10")),
            ("skip".to_owned(), Value::Bool(false)),
            ("kinds".to_owned(), Value::List(vec![text("a"), Value::Int(2)])),
        ])
    }

    #[test]
    fn conditions_are_decided_as_they_read() {
        let is_met = |text: &str| holds(text, &params()).unwrap();
        for text in [
            "params.mode == \"full\" and not params.skip",
            "params.mode != 'quick'",
            "params.n > 6 and params.n <= 7 and params.n >= 7 and params.n < 7.5",
            "params.n == 7.0 and params.rate == 1.1 and params.rate > 1",
            "params.skip or params.n == 7 or false",
            "true or true and false",
            "not (true and false)",
            "not false and not not true",
            "'a' in params.kinds and 2 in params.kinds and 'b' not in params.kinds",
            "params.mode in [\"full\", 'quick',]",
            "params.kinds == ['a', 2]",
            "params.skip == false",
            "1 in [1] and 1 not in []",
        ] {
            assert!(is_met(text), "{text}");
            assert!(!is_met(&format!("not ({text})")), "not ({text})");
        }
    }

    #[test]
    fn a_mistake_is_told_where_it_stands() {
        let told = |text: &str| {
            let mistake = holds(text, &params()).unwrap_err();
            (text[mistake.at.clone()].to_owned(), mistake.message, mistake.help)
        };
        let cases = [
            ("params.mod == 'full'", "params.mod", "no parameter", "params.mode"),
            ("params.mode", "params.mode", "this is text", "compare"),
            ("params.n and true", "params.n", "this is a number", "compare"),
            ("params.mode = 'full'", "=", "means nothing", "=="),
            ("params.skip && true", "&&", "means nothing", "`and`"),
            ("!params.skip", "!", "means nothing", "`not`"),
            ("{params.skip}", "{", "means nothing", "without braces"),
            ("mode == 'full'", "mode", "means nothing", "params.mode"),
            ("params.mode == full", "full", "means nothing", "quotes"),
            ("params.skip == True", "True", "means nothing", "`true`"),
            ("params.mode == 'full", "'full", "no end", "end it"),
            ("1 < params.n < 9", "<", "chained", "and"),
            ("params.mode < 3", "params.mode", "needs numbers", "=="),
            ("params.mode == 3", "params.mode == 3", "never equal", "quotes"),
            ("params.mode in 'full'", "'full'", "needs a list", "["),
            ("(params.skip", "(", "no `)`", "add"),
            ("params.kinds == [1, 2", "[", "no `]`", "add"),
            ("params.skip params.skip", "params.skip", "end here", "and"),
            ("params.skip or", "", "missing", "params.name"),
            ("", "", "missing", "params.name"),
            ("false and params.mode", "params.mode", "this is text", "compare"),
            ("1.2.3 == 1", "1.2.3", "no number", "quotes"),
            (") == 1", ")", "cannot stand", "params.name"),
        ];
        for (text, at, message, help) in cases {
            let (place, said, advice) = told(text);
            assert_eq!(place, at, "{text}: {said}");
            assert!(said.contains(message), "{text}: {said}");
            assert!(advice.contains(help), "{text}: {advice}");
        }
    }

    #[test]
    fn a_deeply_nested_condition_is_refused_and_not_followed() {
        for open in ["(", "[", "not "] {
            let mistake = holds(&open.repeat(100_000), &params()).unwrap_err();
            assert!(mistake.message.contains("deeply"), "{}", mistake.message);
        }
    }
}
