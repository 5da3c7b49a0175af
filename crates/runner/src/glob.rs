//! Patterns of declared paths: `*` and `?` stay within one path component, `**` does not.

use globset::{GlobBuilder, GlobMatcher};

/// A declared glob.
#[derive(Clone, Debug)]
pub struct Pattern(GlobMatcher);

impl Pattern {
    /// From its text.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn new(text: &str) -> Result<Self, String> {
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        Ok(Self(glob.map_err(|error| error.to_string())?.compile_matcher()))
    }

    /// Whether a path matches.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.0.is_match(path)
    }
}
