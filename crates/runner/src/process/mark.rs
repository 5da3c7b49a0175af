//! The marks that a keeper leaves in the environment of what it starts.
//!
//! Children inherit them, daemons too: they tell whose a process is when its parents are gone.

use engine::AllocationId;

/// Names run and allocation, as `<run>/<allocation>`.
pub const ALLOCATION_MARK: &str = "FORESHARD_ALLOCATION";

/// Names the attempt, as `t12.1`.
pub const ATTEMPT_MARK: &str = "FORESHARD_ATTEMPT";

/// The value of [`ALLOCATION_MARK`].
#[must_use]
pub fn allocation_mark(run: &str, allocation: AllocationId) -> String {
    format!("{run}/{allocation}")
}

/// Whose a process is, by its own environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Run and allocation.
    pub allocation: Option<String>,
    /// The attempt.
    pub attempt: Option<String>,
}

impl Mark {
    /// Reads the environment that a process was started with. Empty if it has none of ours, may
    /// not be read, or is gone.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        Self::in_environment(&environment)
    }

    fn in_environment(environment: &[u8]) -> Self {
        let mut mark = Self::default();
        for variable in environment.split(|&byte| byte == 0) {
            let Some((name, value)) =
                std::str::from_utf8(variable).ok().and_then(|variable| variable.split_once('='))
            else {
                continue;
            };
            match name {
                ALLOCATION_MARK => mark.allocation = Some(value.to_owned()),
                ATTEMPT_MARK => mark.attempt = Some(value.to_owned()),
                _ => {}
            }
        }
        mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_among_other_variables_and_odd_bytes() {
        let environment =
            b"PATH=/bin\0X=\xff\0FORESHARD_ALLOCATION=r1/a2\0FORESHARD_ATTEMPT=t3.1\0";
        let mark = Mark::in_environment(environment);
        assert_eq!(mark.allocation.as_deref(), Some("r1/a2"));
        assert_eq!(mark.attempt.as_deref(), Some("t3.1"));
        assert_eq!(Mark::in_environment(b"NOT_FORESHARD_ATTEMPT=t3.1\0"), Mark::default());
    }
}
