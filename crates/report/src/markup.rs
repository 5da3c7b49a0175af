//! Markup in which text cannot become markup: only literals of this program go in as they are.
//!
//! [`Markup::raw`] takes `&'static str`, so that a name or an error text can get in only through
//! [`Markup::text`], which escapes it for element content and quoted attributes alike.

use std::fmt::Write;

use crate::printable::clipped;

/// No name or message is longer than this in a picture or a table.
const TEXT_MAX: usize = 300;

/// A piece of HTML or SVG.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Markup(String);

impl Markup {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A literal of this program, as it is.
    pub(crate) fn raw(&mut self, literal: &'static str) -> &mut Self {
        self.0.push_str(literal);
        self
    }

    /// Any text, made visible and escaped.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        for c in clipped(text, TEXT_MAX).chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
        self
    }

    /// A coordinate, to a tenth of a unit.
    pub(crate) fn at(&mut self, number: f64) -> &mut Self {
        let tenths = (number * 10.0).round();
        let tenths = if tenths.is_finite() { tenths as i64 } else { 0 };
        let sign = if tenths < 0 { "-" } else { "" };
        let (whole, tenth) = (tenths.abs() / 10, tenths.abs() % 10);
        let _ = if tenth == 0 {
            write!(self.0, "{sign}{whole}")
        } else {
            write!(self.0, "{sign}{whole}.{tenth}")
        };
        self
    }

    /// A whole number.
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        let _ = write!(self.0, "{number}");
        self
    }

    /// Markup made before.
    pub(crate) fn add(&mut self, other: &Self) -> &mut Self {
        self.0.push_str(&other.0);
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        let mut markup = Markup::new();
        markup.text(text);
        markup.into_string()
    }

    #[test]
    fn no_text_becomes_markup() {
        let table = [
            ("plain", "plain"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" onload=\"x", "&quot; onload=&quot;x"),
            ("' onload='x", "&#39; onload=&#39;x"),
            ("a & b &lt;", "a &amp; b &amp;lt;"),
            ("\x1b[31mred", "␛[31mred"),
            ("]]>--><!--", "]]&gt;--&gt;&lt;!--"),
            ("a\0b\nc", "a␀b␊c"),
            ("\u{202e}gpj.exe", "\\u{202e}gpj.exe"),
        ];
        for (given, shown) in table {
            assert_eq!(text(given), shown);
        }
    }

    #[test]
    fn an_endless_text_is_cut_before_it_is_escaped() {
        let shown = text(&"<".repeat(100_000));
        assert_eq!(shown, "&lt;".repeat(TEXT_MAX - 1) + "…");
    }

    #[test]
    fn coordinates_are_short_and_always_numbers() {
        let at = |number: f64| {
            let mut markup = Markup::new();
            markup.at(number);
            markup.into_string()
        };
        let shown = [3.0, 2.55, -0.04, -1.26, 1e3, f64::NAN, f64::INFINITY].map(at);
        assert_eq!(shown, ["3", "2.6", "0", "-1.3", "1000", "0", "0"]);
    }
}
