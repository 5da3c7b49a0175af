//! How a site has commands run: words of the site with the command of a task among them.
//!
//! Knows the placeholders that such words can hold and fills them in. Does not know what any of
//! these programs do: a site can say `nice`, `systemd-run`, `bwrap`, `apptainer`, `podman` alike.

use std::ops::Range;

use crate::resources::Resources;

/// What can stand between braces.
pub const PLACEHOLDERS: [&str; 12] = [
    "command",
    "image",
    "project",
    "folder",
    "workdir",
    "env",
    "task",
    "run",
    "attempt",
    "cpus",
    "memory",
    "memory.mib",
];

/// What is known when a task starts.
#[derive(Clone, Copy, Debug)]
pub struct WrapValues<'a> {
    /// What the image was found to be; empty outside of an image.
    pub image: &'a str,
    /// The absolute folder of the project.
    pub project: &'a str,
    /// The absolute private folder of the attempt; the project, of a task that has none.
    pub folder: &'a str,
    /// The absolute folder in which the command starts.
    pub workdir: &'a str,
    /// Names of the variables that the task is given beyond those of the machine.
    pub env: &'a [String],
    /// The name of the task.
    pub task: &'a str,
    /// The id of the run.
    pub run: &'a str,
    /// 1 for the first try.
    pub attempt: u32,
    /// What was set aside.
    pub granted: &'a Resources,
}

/// The words that stand before a command and behind it, with everything filled in. The command
/// takes the place of the word `{command}`, or comes last; a word with `{env}` is there once for
/// each variable.
#[must_use]
pub fn around(words: &[String], values: &WrapValues<'_>) -> (Vec<String>, Vec<String>) {
    let at = words.iter().position(|word| word == "{command}").unwrap_or(words.len());
    let behind = words.get(at + 1..).unwrap_or_default();
    (filled(&words[..at], values), filled(behind, values))
}

fn filled(words: &[String], values: &WrapValues<'_>) -> Vec<String> {
    let mut filled = Vec::new();
    for word in words {
        if placeholders(word).any(|(_, name)| name == "env") {
            filled.extend(values.env.iter().map(|variable| fill(word, values, variable)));
        } else {
            filled.push(fill(word, values, ""));
        }
    }
    filled
}

fn fill(word: &str, values: &WrapValues<'_>, variable: &str) -> String {
    let mut filled = String::new();
    let mut end = 0;
    for (at, name) in placeholders(word) {
        filled.push_str(&word[end..at.start]);
        end = at.end;
        match name {
            "image" => filled.push_str(values.image),
            "project" => filled.push_str(values.project),
            "folder" => filled.push_str(values.folder),
            "workdir" => filled.push_str(values.workdir),
            "env" => filled.push_str(variable),
            "task" => filled.push_str(values.task),
            "run" => filled.push_str(values.run),
            "attempt" => filled.push_str(&values.attempt.to_string()),
            "cpus" => filled.push_str(&(values.granted.cpus.0 / 1_000).max(1).to_string()),
            "memory" => filled.push_str(&values.granted.memory.0.to_string()),
            "memory.mib" => filled.push_str(&(values.granted.memory.0 >> 20).to_string()),
            _ => filled.push_str(&word[at]),
        }
    }
    filled.push_str(&word[end..]);
    filled
}

/// Names between braces, with the place of the braces. Braces behind a `$`, and braces that hold
/// anything but a name, are left alone.
pub fn placeholders(word: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let opened = word.match_indices('{').filter(|(at, _)| !word[..*at].ends_with('$'));
    opened.filter_map(|(at, _)| {
        let inner = &word[at + 1..];
        let name = &inner[..inner.find('}')?];
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.'));
        is_name.then_some((at..at + name.len() + 2, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(words: &[&str], command: &[&str]) -> Vec<String> {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let granted = Resources { memory: crate::Bytes(3 << 20), ..Resources::default() };
        let values = WrapValues {
            image: "/roots/{task}",
            project: "/p",
            folder: "/p/a",
            workdir: "/p/a/w",
            env: &owned(&["A", "B"]),
            task: "t[1]",
            run: "r",
            attempt: 2,
            granted: &granted,
        };
        let (before, after) = around(&owned(words), &values);
        [before, owned(command), after].concat()
    }

    #[test]
    fn the_command_stands_where_it_is_put_or_last() {
        assert_eq!(wrapped(&[], &["a", "b c"]), ["a", "b c"]);
        assert_eq!(wrapped(&["nice", "-n", "5"], &["a"]), ["nice", "-n", "5", "a"]);
        assert_eq!(wrapped(&["x", "{command}", "y"], &["a", "b"]), ["x", "a", "b", "y"]);
    }

    #[test]
    fn values_are_not_read_again_and_other_braces_stay() {
        let words = ["{image}:{workdir}", "{{.Id}}", "${HOME}", "{memory.mib}m", "{attempt}{cpus}"];
        let expected =
            ["/roots/{task}:/p/a/w", "{{.Id}}", "${HOME}", "3m", "21", "{image}", "{command}"];
        assert_eq!(wrapped(&words, &["{image}", "{command}"]), expected);
    }

    #[test]
    fn a_word_is_there_once_for_each_variable() {
        assert_eq!(wrapped(&["--env={env}", "-e{env}"], &[]), ["--env=A", "--env=B", "-eA", "-eB"]);
    }
}
