//! Patterns of files that a task has yet to make: which files, and what their paths tell.
//!
//! `chunks/*.fq` gives whole paths; `chunks/{sample}_{lane}.fq` gives parts of them, as users of
//! Snakemake know it. Knows paths as text only.

use regex::Regex;

use super::paths;
use crate::template::{Discovery, Value};

/// A pattern taken apart.
pub(super) struct Pattern {
    /// For [`crate::assemble::compile_glob`].
    pub(super) glob: String,
    /// In order; empty when the whole path is the value.
    pub(super) names: Vec<String>,
    expression: String,
}

impl Pattern {
    /// # Errors
    /// What is wrong with it, and what to write instead.
    pub(super) fn parse(text: &str) -> Result<Self, (String, String)> {
        let mut pattern = Self { glob: String::new(), names: Vec::new(), expression: "^".into() };
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let close = rest[open..].find('}').map(|at| open + at);
            let close = close.ok_or_else(|| unclosed(text))?;
            pattern.literal(&rest[..open]);
            pattern.name(&rest[open + 1..close])?;
            rest = &rest[close + 1..];
        }
        pattern.literal(rest);
        pattern.expression.push('$');
        let is_pattern = pattern.glob.contains(['*', '?', '[']);
        if !is_pattern {
            let message = "names one file; a fan-out needs a pattern".to_owned();
            return Err((message, "use `*` or `{name}` where files differ".to_owned()));
        }
        if !pattern.names.is_empty() && text.contains('[') {
            let message = "has both `[…]` and `{name}`".to_owned();
            return Err((message, "use `*` or `{name}` instead of `[…]`".to_owned()));
        }
        if text.ends_with('/') {
            let message = "ends with `/`; folders are not discovered, files are".to_owned();
            return Err((message, "name a file in the folder".to_owned()));
        }
        match paths::check(&pattern.glob) {
            Err(problem) if problem.is_error() => {
                Err((format!("{problem}"), "paths are relative to the project".to_owned()))
            }
            _ => Ok(pattern),
        }
    }

    fn literal(&mut self, text: &str) {
        self.glob.push_str(text);
        let mut rest = text;
        while let Some(at) = rest.find(['*', '?']) {
            self.expression.push_str(&regex::escape(&rest[..at]));
            let (expression, len) = match &rest[at..] {
                wild if wild.starts_with("**/") => ("(?:.*/)?", 3),
                wild if wild.starts_with("**") => (".*", 2),
                wild if wild.starts_with('*') => ("[^/]*", 1),
                _ => ("[^/]", 1),
            };
            self.expression.push_str(expression);
            rest = &rest[at + len..];
        }
        self.expression.push_str(&regex::escape(rest));
    }

    /// Within one folder; where two could share it, the first takes as much as it can.
    fn name(&mut self, name: &str) -> Result<(), (String, String)> {
        if self.names.iter().any(|known| known == name) {
            let message = format!("has `{{{name}}}` twice");
            return Err((message, "name each part once".to_owned()));
        }
        self.names.push(name.to_owned());
        self.glob.push('*');
        self.expression.push_str("([^/]+)");
        Ok(())
    }
}

impl Discovery {
    /// By variable: the values that these files give, in the order of the files; files that only
    /// the glob matches give none.
    ///
    /// # Errors
    /// Two files give the same values.
    pub(super) fn values(&self, files: &[String]) -> Result<Vec<Vec<Value>>, String> {
        let pattern = Pattern::parse(&self.pattern).map_err(|(message, _)| message)?;
        if pattern.names.is_empty() {
            return Ok(vec![files.iter().cloned().map(Value::Text).collect()]);
        }
        let expression = Regex::new(&pattern.expression).map_err(|error| error.to_string())?;
        let mut columns = vec![Vec::new(); pattern.names.len()];
        for captures in files.iter().filter_map(|file| expression.captures(file)) {
            for (column, group) in columns.iter_mut().zip(1..) {
                column.push(Value::Text(captures[group].to_owned()));
            }
        }
        Ok(columns)
    }
}

fn unclosed(text: &str) -> (String, String) {
    (format!("`{text}` has a `{{` without `}}`"), "write `{name}`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pattern: &str, files: &[&str]) -> Vec<Vec<String>> {
        let glob = Pattern::parse(pattern).unwrap_or_else(|(m, _)| panic!("{m}")).glob;
        let discovery = Discovery { from: "t".into(), glob, pattern: pattern.into() };
        let files: Vec<String> = files.iter().map(|&file| file.to_owned()).collect();
        let columns = discovery.values(&files).unwrap();
        columns.iter().map(|c| c.iter().map(ToString::to_string).collect()).collect()
    }

    #[test]
    fn a_plain_pattern_gives_whole_paths() {
        assert_eq!(values("chunks/*.fq", &["chunks/a.fq"]), [["chunks/a.fq"]]);
    }

    #[test]
    fn names_give_parts_of_paths_each_as_much_as_it_can() {
        let files = ["c/a_b_1.fq", "c/x_2.fq", "c/none.fq"];
        assert_eq!(values("c/{s}_{lane}.fq", &files), [["a_b", "x"], ["1", "2"]]);
        assert_eq!(values("**/{s}.fq", &["a/b/c.fq", "d.fq"]), [["c", "d"]]);
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_what_to_write() {
        for text in ["a.fq", "a/{x", "{x}/{x}", "../*.fq", "/x/*", "c/*/", "{x}[ab]"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
