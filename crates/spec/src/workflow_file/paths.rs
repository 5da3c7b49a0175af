//! Which paths and names may be declared.
//!
//! A declared path stays inside the project whatever its placeholders hold, means the same to
//! everyone who reads it, and can be a file name on any system that shares the project.

use crate::files::FileKind;

/// Linux refuses longer names of one file.
const MAX_COMPONENT: usize = 255;
/// Leaves room for the project folder within the 4096 bytes of a whole path.
const MAX_PATH: usize = 2_048;
/// Where runs are kept, inside the project.
const STATE_FOLDER: &str = ".foreshard";

/// Why a path cannot be declared, or should not be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PathProblem {
    #[error("is empty")]
    Empty,
    #[error("is absolute; paths are relative to the project")]
    Absolute,
    #[error("leaves the project by `..`")]
    Parent,
    #[error("has a component `.`; leave it out")]
    Dot,
    #[error("has two slashes in a row")]
    EmptyComponent,
    #[error("contains the control character {0}")]
    Control(String),
    #[error("contains {0}, which does not show and changes how the name is read")]
    Invisible(String),
    #[error("has {0} bytes; at most {MAX_PATH}")]
    Long(usize),
    #[error("has a name of {0} bytes; at most {MAX_COMPONENT}")]
    LongComponent(usize),
    #[error("begins with `~`, which is not expanded")]
    Home,
    #[error("contains `$`, but shell variables are not expanded in paths")]
    Dollar,
    #[error("lies in `{STATE_FOLDER}`, which is kept by foreshard itself")]
    State,
    #[error("contains a backslash")]
    Backslash,
    #[error("has a name that other systems reserve: `{0}`")]
    Reserved(String),
    #[error("has a name that ends with a dot or blank, which other systems drop")]
    TrailingDot,
}

impl PathProblem {
    /// Whether it keeps the workflow from running: portability alone does not.
    pub(super) fn is_error(&self) -> bool {
        !matches!(self, Self::Reserved(_) | Self::TrailingDot)
    }
}

/// Checks a path as it is after its placeholders were filled in.
pub(super) fn check(path: &str) -> Result<(), PathProblem> {
    if path.is_empty() {
        return Err(PathProblem::Empty);
    }
    if path.starts_with('/') {
        return Err(PathProblem::Absolute);
    }
    if path.len() > MAX_PATH {
        return Err(PathProblem::Long(path.len()));
    }
    characters(path)?;
    let body = path.strip_suffix('/').unwrap_or(path);
    let mut portability = Ok(());
    for (index, component) in body.split('/').enumerate() {
        match component {
            "" => return Err(PathProblem::EmptyComponent),
            "." => return Err(PathProblem::Dot),
            ".." => return Err(PathProblem::Parent),
            STATE_FOLDER if index == 0 => return Err(PathProblem::State),
            _ if component.len() > MAX_COMPONENT => {
                return Err(PathProblem::LongComponent(component.len()));
            }
            _ if component.ends_with(['.', ' ']) => portability = Err(PathProblem::TrailingDot),
            _ if is_reserved(component) => {
                portability = Err(PathProblem::Reserved(component.to_owned()));
            }
            _ => {}
        }
    }
    portability
}

fn characters(path: &str) -> Result<(), PathProblem> {
    if path.starts_with('~') {
        return Err(PathProblem::Home);
    }
    // One pass over bytes decides the usual case.
    let is_usual = |b: u8| b.is_ascii_graphic() && b != b'$' && b != b'\\';
    if path.bytes().all(is_usual) {
        return Ok(());
    }
    for c in path.chars() {
        let name = || format!("U+{:04X}", c as u32);
        match c {
            '$' => return Err(PathProblem::Dollar),
            '\\' => return Err(PathProblem::Backslash),
            c if c.is_control() => return Err(PathProblem::Control(name())),
            c if is_invisible(c) => return Err(PathProblem::Invisible(name())),
            _ => {}
        }
    }
    Ok(())
}

/// Marks that turn the direction of writing, and characters without width.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(c, '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{00AD}')
}

/// Names of devices on Windows, whatever follows the dot.
fn is_reserved(component: &str) -> bool {
    let stem = component.split('.').next().unwrap_or(component);
    if !(3..=4).contains(&stem.len()) || !stem.is_ascii() {
        return false;
    }
    let stem = stem.to_ascii_uppercase();
    let numbered =
        |name: &str| stem.strip_prefix(name).is_some_and(|n| matches!(n.as_bytes(), [b'1'..=b'9']));
    matches!(&*stem, "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
}

/// Whether a value that was filled in made a pattern of what was a plain path.
pub(super) fn became_glob(literal_text: &str, path: &str) -> bool {
    FileKind::of(literal_text) != FileKind::Glob && FileKind::of(path) == FileKind::Glob
}

/// Checks the name of a workflow or task: what is wrong with it, if anything.
pub(super) fn name_problem(name: &str) -> Option<&'static str> {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() {
        Some("is empty")
    } else if !name.chars().all(is_allowed) {
        Some("has characters other than letters, digits, `-`, `_` and `.`")
    } else if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Some("does not begin with a letter or digit")
    } else if name.len() > 100 {
        Some("is longer than 100 characters")
    } else if name.ends_with('.') {
        Some("ends with a dot")
    } else if is_reserved(name) {
        Some("is reserved on other systems")
    } else {
        None
    }
}

/// Whether a name can be that of a parameter or variable, and so of a shell variable.
pub(super) fn is_variable_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.len() <= 100
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_project_or_deceive_are_refused() {
        let refused = [
            "",
            ".",
            "..",
            "../x",
            "/etc/x",
            "a/../../b",
            "a/./b",
            "a//b",
            "./a",
            "a\nb",
            "a\u{7f}b",
            "a\u{202e}b",
            "a\u{200f}b",
            "~/x",
            "$HOME/x",
            ".foreshard/x",
            "a\\b",
            "a\u{85}b",
        ];
        for path in refused {
            assert!(check(path).is_err_and(|p| p.is_error()), "{path:?}");
        }
        assert_eq!(check(&"x".repeat(300)), Err(PathProblem::LongComponent(300)));
        assert_eq!(check(&"x/".repeat(2_000)), Err(PathProblem::Long(4_000)));
    }

    #[test]
    fn paths_that_other_systems_cannot_hold_are_doubted() {
        for path in ["CON", "a/aux.txt", "b.", "com1.log", "x /y"] {
            assert!(check(path).is_err_and(|p| !p.is_error()), "{path:?}");
        }
    }

    #[test]
    fn ordinary_paths_are_accepted() {
        for path in ["a", "a/b.txt", "out/", "counts/*", "é/ü.txt", "..a", "a b", "console", "{x}"]
        {
            assert_eq!(check(path), Ok(()), "{path:?}");
        }
    }

    #[test]
    fn names_are_for_file_names_and_job_names_alike() {
        for name in ["../x", "", ".", "a b", "-rf", "x.", "NUL", "é"] {
            assert!(name_problem(name).is_some(), "{name:?}");
        }
        assert!(name_problem(&"x".repeat(300)).is_some());
        assert_eq!(name_problem("align-2.b_c"), None);
    }
}
