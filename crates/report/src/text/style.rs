//! Width and colour.

/// How a text is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns to fill.
    pub width: usize,
    /// Whether to use ANSI colours.
    pub has_colour: bool,
}

impl Style {
    /// Without colours.
    #[must_use]
    pub fn plain(width: usize) -> Self {
        Self { width, has_colour: false }
    }

    /// With colours.
    #[must_use]
    pub fn coloured(width: usize) -> Self {
        Self { width, has_colour: true }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    pub(crate) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    pub(crate) fn warn(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// What is only forecast.
    pub(crate) fn paint_future(self, text: &str) -> String {
        self.paint("34", text)
    }

    pub(super) fn paint(self, code: &str, text: &str) -> String {
        if self.has_colour && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
