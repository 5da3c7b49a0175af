//! Replaces secrets in what a task prints, as it comes by, in every form that is looked for.
//!
//! Knows bytes only. An automaton of Aho and Corasick (Communications of the ACM 18, 1975) finds all
//! forms at once and says how much of the end may be the beginning of one: just that is held back
//! until more comes. A second one passes over line ends, for forms that programs break into lines.

mod automaton;
mod forms;

use std::collections::VecDeque;
use std::sync::Arc;

use automaton::{Automaton, ROOT};

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
}

impl Patterns {
    /// All forms of these values.
    pub(super) fn of(values: &[Vec<u8>]) -> Self {
        let forms = values.iter().map(|value| forms::of(value));
        let (whole, broken): (Vec<_>, Vec<_>) =
            forms.map(|forms| (forms.whole, forms.broken)).unzip();
        Self { whole: Automaton::of(whole.concat()), broken: Automaton::of(broken.concat()) }
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

/// Masks one stream.
pub(super) struct Masker {
    patterns: Arc<Patterns>,
    whole: u32,
    broken: u32,
    /// Positions in the stream of what `broken` stands for, which lie apart where lines end.
    matched: VecDeque<u64>,
    breaks: u32,
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
            whole: ROOT,
            broken: ROOT,
            matched: VecDeque::new(),
            breaks: 0,
            pending: Vec::new(),
            start: 0,
            is_masking: false,
        }
    }

    /// Takes in what comes, and gives back what is known to be harmless.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        for &byte in bytes {
            self.pending.push((byte, false));
            self.step_whole(byte);
            self.step_broken(byte);
        }
        let held = self.pending.len() - self.held_back();
        self.emit(held)
    }

    /// The stream is over: gives back the rest, without what looks like a secret that was cut off.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let whole = self.patterns.whole.depth(self.whole);
        if whole >= CUT_MIN {
            self.mark(self.end() - whole as u64);
        }
        if self.matched.len() >= CUT_MIN
            && let Some(&from) = self.matched.front()
        {
            self.mark(from);
        }
        self.release()
    }

    /// Gives back the rest as it is.
    fn release(&mut self) -> Vec<u8> {
        self.emit(self.pending.len())
    }

    fn step_whole(&mut self, byte: u8) {
        let found;
        (self.whole, found) = self.patterns.whole.step(self.whole, byte);
        if found > 0 {
            self.mark(self.end() - found as u64);
        }
    }

    fn step_broken(&mut self, byte: u8) {
        if matches!(byte, b'\n' | b'\r') {
            self.breaks += 1;
            if self.breaks > BREAKS_MAX {
                self.broken = ROOT;
                self.matched.clear();
            }
            return;
        }
        self.breaks = 0;
        let found;
        (self.broken, found) = self.patterns.broken.step(self.broken, byte);
        self.matched.push_back(self.end() - 1);
        let depth = self.patterns.broken.depth(self.broken);
        self.matched.drain(..self.matched.len() - depth);
        if found > 0 {
            self.mark(self.matched[depth - found]);
        }
    }

    /// The position behind the last byte.
    fn end(&self) -> u64 {
        self.start + self.pending.len() as u64
    }

    /// Marks everything from a position on. What is found always lies in what is held back.
    fn mark(&mut self, from: u64) {
        let from = usize::try_from(from - self.start).expect("it is still pending");
        self.pending[from..].iter_mut().for_each(|(_, is_secret)| *is_secret = true);
    }

    /// How many bytes at the end may be the beginning of a form.
    fn held_back(&self) -> usize {
        let whole = self.patterns.whole.depth(self.whole);
        let broken = self.matched.front().map_or(0, |&from| self.end() - from);
        whole.max(usize::try_from(broken).expect("they are pending"))
    }

    fn emit(&mut self, n: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(n);
        for (byte, is_secret) in self.pending.drain(..n) {
            if !is_secret {
                out.push(byte);
            } else if !self.is_masking {
                out.extend_from_slice(MASK);
            }
            self.is_masking = is_secret;
        }
        self.start += n as u64;
        out
    }
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
