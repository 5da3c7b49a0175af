//! Why a command could not do what was asked: an exit code, what is wrong, and the next step.

use std::error::Error;
use std::path::Path;

use runner::manifest;

use crate::exit_code::Code;

/// What is printed as `error: …`, `caused by: …`, `hint: …`.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) code: Code,
    /// What is wrong.
    pub(crate) message: String,
    /// What that comes from, outermost first.
    pub(crate) causes: Vec<String>,
    /// What to do next.
    pub(crate) hints: Vec<String>,
    /// Whether all that happened is that nobody reads the output any more.
    pub(crate) is_closed_pipe: bool,
}

impl Failure {
    /// Without causes or hints.
    #[must_use]
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            is_closed_pipe: false,
        }
    }

    /// Wrong usage, or an invalid file.
    #[must_use]
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    /// An error with the chain of its sources.
    #[must_use]
    pub(crate) fn of(code: Code, error: &dyn Error) -> Self {
        Self::new(code, error.to_string()).because_of(error.source())
    }

    /// The operating system refused.
    #[must_use]
    pub(crate) fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        let message = format!("failed to {what} {}", path.display());
        Self::new(Code::Machine, message).cause(error.to_string())
    }

    /// Names a cause.
    #[must_use]
    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Names the causes that a chain of errors holds.
    #[must_use]
    pub(crate) fn because_of(mut self, mut source: Option<&dyn Error>) -> Self {
        while let Some(error) = source {
            let text = error.to_string();
            // Some errors repeat their source in their own text.
            let is_told = self.causes.last().unwrap_or(&self.message).ends_with(&text);
            if !is_told {
                self.causes.push(text);
            }
            source = error.source();
        }
        self
    }

    /// Whether nobody reads the output any more, which is nobody's mistake: `foreshard … | head`.
    #[must_use]
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.is_closed_pipe
    }

    /// Says what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// Output that cannot be written is a failure of the machine.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let is_closed_pipe = error.kind() == std::io::ErrorKind::BrokenPipe;
        let failure = Self::new(Code::Machine, "failed to write the output");
        Self { is_closed_pipe, ..failure.cause(error.to_string()) }
    }
}

impl From<manifest::Error> for Failure {
    fn from(error: manifest::Error) -> Self {
        match &error {
            manifest::Error::Read { .. } => Self::of(Code::Machine, &error),
            manifest::Error::Damaged { .. } => Self::of(Code::Damaged, &error),
        }
    }
}

impl From<journal::Error> for Failure {
    fn from(error: journal::Error) -> Self {
        use journal::Error as E;
        let code = match &error {
            E::Damaged { .. } | E::RepairUnfinished { .. } | E::HeadLost { .. } => Code::Damaged,
            E::InUse { .. } | E::StaleEpoch { .. } => Code::Owned,
            E::Missing { .. }
            | E::Exists { .. }
            | E::Version { .. }
            | E::OtherRun { .. }
            | E::Unsafe { .. }
            | E::Stopped(_)
            | E::OldSqlite { .. }
            | E::Io { .. }
            | E::Sqlite { .. } => Code::Machine,
        };
        Self::of(code, &error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Layer(&'static str, Option<&'static Layer>);

    impl std::fmt::Display for Layer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.map(|layer| layer as &dyn Error)
        }
    }

    #[test]
    fn every_cause_is_named_once() {
        static DISK: Layer = Layer("no space left", None);
        static WRITE: Layer = Layer("cannot write: no space left", Some(&DISK));
        let top = Layer("the journal stopped", Some(&WRITE));
        let failure = Failure::of(Code::Machine, &top);
        assert_eq!(failure.message, "the journal stopped");
        assert_eq!(failure.causes, ["cannot write: no space left"]);
    }
}
