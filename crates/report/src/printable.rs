//! Makes any text safe to show: what would command a terminal, or turn text around, becomes visible.
//!
//! Names and error texts come from files and programs that nobody vouches for. Every renderer
//! passes them through here first, then through its own escaping.

use std::borrow::Cow;

/// `text` with control characters as their Unicode pictures (`␛` for escape), and characters
/// that are invisible or change the direction of text as `\u{…}`.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0'..='\x1f' => {
                shown
                    .push(char::from_u32(0x2400 + c as u32).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            '\x7f' => shown.push('␡'),
            c if is_hidden(c) => shown.push_str(&format!("\\u{{{:x}}}", c as u32)),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\0'..='\x1f'
            | '\x7f'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// At most `width` characters of printable text, the cut marked by `…`.
#[must_use]
pub fn clipped(text: &str, width: usize) -> String {
    let shown = printable(text);
    if shown.chars().count() <= width {
        return shown.into_owned();
    }
    shown.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_becomes_visible() {
        let table = [
            ("plain ä 日本", "plain ä 日本"),
            ("\x1b[31mred", "␛[31mred"),
            ("a\nb\tc\r", "a␊b␉c␍"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("abc\u{202e}fed", "abc\\u{202e}fed"),
            ("zero\u{200b}width\u{7f}", "zero\\u{200b}width␡"),
        ];
        for (text, shown) in table {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn a_cut_is_marked_and_counts_characters() {
        assert_eq!(clipped("align[sample]", 8), "align[s…");
        assert_eq!(clipped("äöü", 3), "äöü");
    }
}
