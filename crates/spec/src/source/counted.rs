//! Bounds how far the YAML parser reads ahead of the events it gives.
//!
//! A list in brackets could turn out to be a key, so the parser holds all tokens of it until
//! its last bracket: gigabytes for a hostile text of some megabytes. This input counts the
//! marks that make tokens and pretends that the text ends when there are too many.

use std::cell::Cell;

use saphyr_parser::{Input, StrInput};

/// How many of `,[]{}` a collection in brackets may have; each costs two tokens of some 170
/// bytes.
pub(super) const MAX_MARKS: usize = 250_000;

/// A text, and how many marks were read since the last event.
pub(super) struct Counted<'a, 'c> {
    inner: StrInput<'a>,
    marks: &'c Cell<usize>,
}

impl<'a, 'c> Counted<'a, 'c> {
    pub(super) fn new(text: &'a str, marks: &'c Cell<usize>) -> Self {
        Self { inner: StrInput::new(text), marks }
    }

    fn is_spent(&self) -> bool {
        self.marks.get() > MAX_MARKS
    }
}

impl Input for Counted<'_, '_> {
    #[inline]
    fn lookahead(&mut self, count: usize) {
        self.inner.lookahead(count);
    }

    #[inline]
    fn buflen(&self) -> usize {
        self.inner.buflen()
    }

    #[inline]
    fn bufmaxlen(&self) -> usize {
        self.inner.bufmaxlen()
    }

    #[inline]
    fn raw_read_ch(&mut self) -> char {
        self.inner.raw_read_ch()
    }

    #[inline]
    fn raw_read_non_breakz_ch(&mut self) -> Option<char> {
        self.inner.raw_read_non_breakz_ch()
    }

    #[inline]
    fn skip(&mut self) {
        if matches!(self.inner.peek(), ',' | '[' | ']' | '{' | '}') {
            self.marks.set(self.marks.get() + 1);
        }
        self.inner.skip();
    }

    #[inline]
    fn skip_n(&mut self, count: usize) {
        self.inner.skip_n(count);
    }

    #[inline]
    fn peek(&self) -> char {
        if self.is_spent() { '\0' } else { self.inner.peek() }
    }

    #[inline]
    fn peek_nth(&self, n: usize) -> char {
        if self.is_spent() { '\0' } else { self.inner.peek_nth(n) }
    }

    #[inline]
    fn peek_opt(&self) -> Option<char> {
        if self.is_spent() { None } else { self.inner.peek_opt() }
    }

    #[inline]
    fn skip_while_non_breakz(&mut self) -> usize {
        self.inner.skip_while_non_breakz()
    }

    #[inline]
    fn skip_while_blank(&mut self) -> usize {
        self.inner.skip_while_blank()
    }

    #[inline]
    fn fetch_while_is_alpha(&mut self, out: &mut String) -> usize {
        self.inner.fetch_while_is_alpha(out)
    }

    #[inline]
    fn fetch_while_is_yaml_non_space(&mut self, out: &mut String) -> usize {
        self.inner.fetch_while_is_yaml_non_space(out)
    }
}
