//! Replaces secrets in what a task prints, as it comes by, in every form that is looked for.
//!
//! Knows bytes only. An automaton of Aho and Corasick (Communications of the ACM 18, 1975) finds all
//! forms at once and says how much of the end may be the beginning of one: just that is held back
//! until more comes. Beside the stream as it stands, it is read without line ends, for forms that
//! programs break into lines, and with percent-encoding undone.

mod automaton;
mod forms;

use std::collections::VecDeque;
use std::sync::Arc;

use automaton::Automaton;

/// What stands in place of a secret.
const MASK: &[u8] = b"***";

/// What a text ends with is masked if it begins a form with so many bytes: it was cut off.
const CUT_MIN: usize = 4;

/// More line ends than this in a row end a form.
const BREAKS_MAX: u32 = 2;

/// Everything that must not be shown.
pub(super) struct Patterns {
    whole: Automaton,
    broken: Automaton,
    decoded: Automaton,
}

impl Patterns {
    /// All forms of these values.
    pub(super) fn of(values: &[Vec<u8>]) -> Self {
        let all: Vec<forms::Forms> = values.iter().map(|value| forms::of(value)).collect();
        let of = |forms: fn(&forms::Forms) -> &Vec<Vec<u8>>| {
            Automaton::of(all.iter().flat_map(forms).cloned())
        };
        Self {
            whole: of(|forms| &forms.whole),
            broken: of(|forms| &forms.broken),
            decoded: of(|forms| &forms.decoded),
        }
    }

    /// Whether no form of any begins with this byte.
    fn begins_nothing(&self, byte: u8) -> bool {
        byte != b'%'
            && self.whole.begins_nothing(byte)
            && self.broken.begins_nothing(byte)
            && self.decoded.begins_nothing(forms::without_plus(byte))
    }

    /// A text without them.
    pub(super) fn mask(self: &Arc<Self>, text: &str) -> String {
        let mut masker = Masker::new(Arc::clone(self));
        let mut masked = masker.pass(text.as_bytes());
        masked.extend(masker.release());
        String::from_utf8_lossy(&masked).into_owned()
    }

    /// Whether a text holds any.
    pub(super) fn are_in(self: &Arc<Self>, text: &str) -> bool {
        self.mask(text) != text
    }
}

/// One reading of a stream, in which what is matched need not lie side by side.
#[derive(Default)]
struct Reading {
    state: u32,
    /// Position in the stream of each byte that the state stands for.
    matched: VecDeque<u64>,
}

impl Reading {
    /// Takes in a byte that was read at a position. Returns from where on a secret has been read.
    fn step(&mut self, automaton: &Automaton, byte: u8, at: u64) -> Option<u64> {
        let found;
        (self.state, found) = automaton.step(self.state, byte);
        self.matched.push_back(at);
        let depth = automaton.depth(self.state);
        self.matched.drain(..self.matched.len() - depth);
        (found > 0).then(|| self.matched[depth - found])
    }

    /// From where on it may be the beginning of a secret.
    fn begun_at(&self) -> Option<u64> {
        self.matched.front().copied()
    }
}

/// Masks one stream.
pub(super) struct Masker {
    patterns: Arc<Patterns>,
    /// As it stands.
    whole: Reading,
    /// Without ends of lines.
    broken: Reading,
    breaks: u32,
    /// With `%41` read as `A`, and `+` as a blank.
    decoded: Reading,
    /// `%`, `%4`: what may become one byte.
    escape: Vec<u8>,
    /// Bytes that have not been given back, and whether they are part of a secret.
    pending: Vec<(u8, bool)>,
    /// Position of the first of them.
    start: u64,
    /// Whether the last byte that was given back was part of a secret.
    is_masking: bool,
}

impl Masker {
    pub(super) fn new(patterns: Arc<Patterns>) -> Self {
        Self {
            patterns,
            whole: Reading::default(),
            broken: Reading::default(),
            breaks: 0,
            decoded: Reading::default(),
            escape: Vec::new(),
            pending: Vec::new(),
            start: 0,
            is_masking: false,
        }
    }

    /// Takes in what comes, and gives back what is known to be harmless.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if self.is_idle() && self.patterns.begins_nothing(byte) {
                // Most of what is printed: it need not be kept for a moment.
                self.emit(self.pending.len(), &mut out);
                out.push(byte);
                self.start += 1;
                self.is_masking = false;
                continue;
            }
            let at = self.end();
            self.pending.push((byte, false));
            let found = self.whole.step(&self.patterns.whole, byte, at);
            self.mark(found);
            self.read_broken(byte, at);
            self.read_decoded(byte, at);
        }
        let begun = [&self.whole, &self.broken, &self.decoded].map(Reading::begun_at);
        let escape = (!self.escape.is_empty()).then(|| self.end() - self.escape.len() as u64);
        let held = begun.into_iter().chain([escape]).flatten().min().unwrap_or(self.end());
        self.emit(usize::try_from(held - self.start).expect("it is pending"), &mut out);
        out
    }

    /// The stream is over: gives back the rest, without what looks like a secret that was cut off.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        for reading in [&self.whole, &self.broken, &self.decoded] {
            let is_cut = reading.matched.len() >= CUT_MIN;
            if let Some(from) = reading.begun_at().filter(|_| is_cut) {
                mark(&mut self.pending, self.start, from);
            }
        }
        self.release()
    }

    /// Gives back the rest as it is.
    fn release(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.emit(self.pending.len(), &mut out);
        out
    }

    /// Whether nothing that was read can be the beginning of a secret.
    fn is_idle(&self) -> bool {
        self.escape.is_empty()
            && [&self.whole, &self.broken, &self.decoded]
                .iter()
                .all(|r| Automaton::is_root(r.state))
    }

    fn read_broken(&mut self, byte: u8, at: u64) {
        if !matches!(byte, b'\n' | b'\r') {
            self.breaks = 0;
            let found = self.broken.step(&self.patterns.broken, byte, at);
            return self.mark(found);
        }
        self.breaks += 1;
        if self.breaks > BREAKS_MAX {
            self.broken = Reading::default();
        }
    }

    fn read_decoded(&mut self, byte: u8, at: u64) {
        let is_escape = match self.escape.len() {
            0 => byte == b'%',
            _ => byte.is_ascii_hexdigit(),
        };
        if !is_escape {
            // It was none after all: its bytes stand for themselves.
            let escape = std::mem::take(&mut self.escape);
            for (i, &byte) in escape.iter().enumerate() {
                self.step_decoded(byte, at - (escape.len() - i) as u64);
            }
            if byte == b'%' {
                self.escape.push(byte);
            } else {
                self.step_decoded(byte, at);
            }
            return;
        }
        self.escape.push(byte);
        if let [_, high, low] = self.escape[..] {
            self.escape.clear();
            let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
            self.step_decoded(digit(high) << 4 | digit(low), at - 2);
        }
    }

    fn step_decoded(&mut self, byte: u8, at: u64) {
        let found = self.decoded.step(&self.patterns.decoded, forms::without_plus(byte), at);
        self.mark(found);
    }

    /// Marks everything from a position on. What is found always lies in what is held back.
    fn mark(&mut self, from: Option<u64>) {
        if let Some(from) = from {
            mark(&mut self.pending, self.start, from);
        }
    }

    /// The position behind the last byte.
    fn end(&self) -> u64 {
        self.start + self.pending.len() as u64
    }

    fn emit(&mut self, n: usize, out: &mut Vec<u8>) {
        if n == 0 {
            return;
        }
        for (byte, is_secret) in self.pending.drain(..n) {
            if !is_secret {
                out.push(byte);
            } else if !self.is_masking {
                out.extend_from_slice(MASK);
            }
            self.is_masking = is_secret;
        }
        self.start += n as u64;
    }
}

fn mark(pending: &mut [(u8, bool)], start: u64, from: u64) {
    let from = usize::try_from(from - start).expect("it is still pending");
    pending[from..].iter_mut().for_each(|(_, is_secret)| *is_secret = true);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patterns(values: &[&str]) -> Arc<Patterns> {
        let values: Vec<Vec<u8>> = values.iter().map(|value| value.as_bytes().to_vec()).collect();
        Arc::new(Patterns::of(&values))
    }

    /// The stream in pieces of this many bytes.
    fn masked(patterns: &Arc<Patterns>, text: &[u8], piece: usize) -> String {
        let mut masker = Masker::new(Arc::clone(patterns));
        let mut out: Vec<u8> = text.chunks(piece).flat_map(|bytes| masker.pass(bytes)).collect();
        out.extend(masker.finish());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_secret_is_masked_whatever_pieces_it_comes_in() {
        let patterns = patterns(&["hunter2-long", "other"]);
        let text = b"a hunter2-long, hunter2-lon, hunter2-hunter2-longother z\n";
        for piece in 1..text.len() {
            let out = masked(&patterns, text, piece);
            assert_eq!(out, "a ***, hunter2-lon, hunter2-*** z\n", "{piece}");
        }
    }

    #[test]
    fn what_cannot_begin_a_secret_is_given_back_at_once() {
        let mut masker = Masker::new(patterns(&["secret"]));
        assert_eq!(masker.pass(b"ready\nse"), b"ready\n");
        assert_eq!(masker.pass(b"t\n"), b"set\n");
    }

    #[test]
    fn a_secret_that_is_cut_off_is_masked_as_well() {
        let patterns = patterns(&["correct horse battery"]);
        assert_eq!(masked(&patterns, b"it is correct hor", 3), "it is ***");
        assert_eq!(masked(&patterns, b"it is cor", 3), "it is cor");
    }

    #[test]
    fn base64_is_found_in_every_alignment_and_across_lines() {
        let secret = "0123456789".repeat(12) + "?>~\u{ff}";
        let patterns = patterns(&[&secret]);
        for before in ["", "a", "ab", "abc", "user:"] {
            let encoded = forms::base64(format!("{before}{secret} after").as_bytes());
            let encoded = String::from_utf8(encoded).unwrap();
            let lines: Vec<&str> = encoded
                .as_bytes()
                .chunks(76)
                .map(|line| std::str::from_utf8(line).unwrap())
                .collect();
            for text in [encoded.clone(), lines.join("\n"), lines.join("\r\n")] {
                let out = masked(&patterns, text.as_bytes(), 7);
                assert!(out.contains("***") && out.len() < 32, "{before}: {out}");
            }
        }
    }

    #[test]
    fn what_is_percent_encoded_is_found_whatever_is_left_as_it_is() {
        let patterns = patterns(&["a b/ž%20+"]);
        for text in ["a%20b%2F%c5%BE%2520%2B", "%61+b/ž%2520+", "%61 %62/ž%25%32%30%2b"] {
            assert_eq!(masked(&patterns, format!("%%4-{text}%4%").as_bytes(), 2), "%%4-***%4%");
        }
    }

    #[test]
    fn line_ends_without_end_are_not_held_back() {
        let mut masker = Masker::new(patterns(&["secretsecret"]));
        masker.pass(b"c2Vj");
        masker.pass(&[b'\n'; 100]);
        assert!(masker.pending.len() < 8);
    }

    proptest! {
        /// Against the obvious way: look for the value everywhere.
        #[test]
        fn no_value_is_ever_left_and_nothing_else_is_taken(
            values in prop::collection::vec("[ab]{4,6}", 1..3),
            text in "[abc\n]{0,60}", piece in 1_usize..9,
        ) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            // A beginning at the very end is masked too; here it is not to be one.
            let text = text + "c";
            let out = masked(&patterns(&values), text.as_bytes(), piece);
            let mut is_secret = vec![false; text.len()];
            for value in &values {
                for at in 0..text.len() {
                    if text[at..].starts_with(value) {
                        is_secret[at..at + value.len()].fill(true);
                    }
                }
            }
            let mut expected = String::new();
            for (at, c) in text.char_indices() {
                if !is_secret[at] {
                    expected.push(c);
                } else if at == 0 || !is_secret[at - 1] {
                    expected.push_str("***");
                }
            }
            prop_assert_eq!(out, expected);
        }
    }
}
