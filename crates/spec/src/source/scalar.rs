//! Single values of a document: numbers, durations, sizes and switches, within their bounds.

use std::borrow::Cow;
use std::ops::{Range, RangeInclusive};

use super::{Kind, Node};
use crate::diagnostic::{Code, Diagnostic};
use crate::resources::MilliCpus;
use crate::units::{Bytes, Duration};

/// More cpus than any machine has; beyond it a number is a slip of the finger.
const MAX_CPUS: f64 = 100_000.0;

/// The text of one value, where it stands and which field it belongs to.
#[derive(Clone, Debug)]
pub struct Scalar<'n> {
    /// The text without quotes.
    pub text: Cow<'n, str>,
    /// Whether it stood in quotes, and so is nothing but text.
    pub quoted: bool,
    /// In bytes.
    pub span: Range<usize>,
    field: &'n str,
}

impl<'n> Scalar<'n> {
    /// Takes a node as one value of the named field.
    ///
    /// # Errors
    /// The node is a list, a map or nothing.
    pub fn of(node: &'n Node<'_>, field: &'n str) -> Result<Self, Diagnostic> {
        let Some(text) = node.text() else {
            let message = format!("`{field}` must be a single value, not {}", node.what());
            let mistake = Diagnostic::error(Code::Value, node.span()).message(message);
            return Err(match node.braces_without_quotes() {
                Some(word) => mistake.help(format!("put it in quotes: `\"{{{word}}}\"`")),
                None => mistake,
            });
        };
        let quoted = matches!(node.kind, Kind::Quoted(_));
        Ok(Self { text: Cow::Borrowed(text), quoted, span: node.span(), field })
    }

    /// The same place and field with another text, such as the value of a parameter.
    #[must_use]
    pub fn with_text(self, text: String) -> Self {
        Self { text: Cow::Owned(text), quoted: false, ..self }
    }

    /// A whole number within bounds.
    ///
    /// # Errors
    /// Anything else.
    pub fn int(&self, bounds: RangeInclusive<i64>) -> Result<i64, Diagnostic> {
        let (low, high) = (*bounds.start(), *bounds.end());
        match self.text.parse::<i64>() {
            Ok(number) if bounds.contains(&number) => Ok(number),
            Ok(_) => Err(self.wrong(&format!("must lie between {low} and {high}"))),
            Err(error) if is_overflow(&error) => {
                Err(self.wrong(&format!("must lie between {low} and {high}")))
            }
            Err(_) => Err(self.wrong("must be a whole number")),
        }
    }

    /// A number within bounds; never infinite and never NaN.
    ///
    /// # Errors
    /// Anything else.
    pub fn float(&self, bounds: RangeInclusive<f64>) -> Result<f64, Diagnostic> {
        let (low, high) = (*bounds.start(), *bounds.end());
        let number: f64 = self.text.parse().map_err(|_| self.wrong("must be a number"))?;
        if number.is_nan() {
            return Err(self.wrong("must be a number"));
        }
        if !bounds.contains(&number) {
            return Err(self.wrong(&format!("must lie between {low} and {high}")));
        }
        Ok(number)
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// Anything else.
    pub fn bool(&self) -> Result<bool, Diagnostic> {
        match &*self.text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.wrong("must be `true` or `false`")),
        }
    }

    /// A duration such as `1h30m`.
    ///
    /// # Errors
    /// Anything else.
    pub fn duration(&self) -> Result<Duration, Diagnostic> {
        let example = "write a duration such as `90s` or `1h30m`";
        self.text.parse().map_err(|e| self.wrong(&format!("is no duration: {e}")).help(example))
    }

    /// A size such as `4GiB`.
    ///
    /// # Errors
    /// Anything else.
    pub fn bytes(&self) -> Result<Bytes, Diagnostic> {
        let example = "write a size such as `500MB` or `4GiB`";
        self.text.parse().map_err(|e| self.wrong(&format!("is no size: {e}")).help(example))
    }

    /// A bandwidth such as `10MB/s`, in bytes a second.
    ///
    /// # Errors
    /// Anything else.
    pub fn bandwidth(&self) -> Result<Bytes, Diagnostic> {
        let example = "write a bandwidth such as `10MB/s`";
        let size = self.text.strip_suffix("/s").unwrap_or(&self.text);
        size.parse().map_err(|e| self.wrong(&format!("is no bandwidth: {e}")).help(example))
    }

    /// A number of cpus, in thousandths; what lies between is rounded up.
    ///
    /// # Errors
    /// No number, none at all, or more than any machine has.
    pub fn cpus(&self) -> Result<MilliCpus, Diagnostic> {
        let cpus = self.float(0.001..=MAX_CPUS)?;
        // A hair is taken off first: 0.3 is a little more than 300 thousandths in binary.
        Ok(MilliCpus((cpus * 1e3 - 1e-6).ceil() as u32))
    }

    /// A diagnostic about this value: "`cpus: -1` must be …".
    #[must_use]
    pub fn wrong(&self, why: &str) -> Diagnostic {
        let shown: String = self.text.chars().take(60).collect();
        let dots = if shown.len() < self.text.len() { "…" } else { "" };
        let message = format!("`{}: {}{dots}` {why}", self.field, shown.escape_debug());
        Diagnostic::error(Code::Value, self.span.clone()).message(message)
    }
}

fn is_overflow(error: &std::num::ParseIntError) -> bool {
    use std::num::IntErrorKind as Kind;
    matches!(error.kind(), Kind::PosOverflow | Kind::NegOverflow)
}
