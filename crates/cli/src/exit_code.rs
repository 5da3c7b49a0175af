//! Exit codes: one table for the program, its help, its manual and `docs/exit_codes.md`.

use std::process::ExitCode;

/// How the program ends. The number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// Everything succeeded.
    Succeeded = 0,
    /// Tasks failed for good.
    TasksFailed = 1,
    /// Wrong usage, or an invalid file.
    Invalid = 2,
    /// A task fits nowhere.
    NoPool = 3,
    /// A person cancelled the run.
    Cancelled = 4,
    /// The run paused and can be resumed.
    Interrupted = 5,
    /// The journal is damaged.
    Damaged = 6,
    /// Disk, permissions, keepers.
    Machine = 7,
    /// Somebody else runs it.
    Owned = 8,
    /// A defect of ours.
    Internal = 70,
}

/// Every code and what it means, as documented.
pub(crate) const TABLE: [(Code, &str); 10] = [
    (Code::Succeeded, "everything succeeded"),
    (Code::TasksFailed, "tasks failed; of `diff`: the runs differ"),
    (Code::Invalid, "wrong usage, or an invalid file"),
    (
        Code::NoPool,
        "a task asks for more than any pool can hold, or for an image that no zone allows",
    ),
    (Code::Cancelled, "cancelled"),
    (Code::Interrupted, "interrupted; `foreshard resume` goes on"),
    (Code::Damaged, "the journal is damaged; the message says where"),
    (Code::Machine, "the machine failed the run: disk, permissions, or a keeper that died"),
    (Code::Owned, "the run belongs to another orchestrator that is alive"),
    (Code::Internal, "an internal error: please report it"),
];

/// The table as plain text, for `foreshard help exit-codes`.
#[must_use]
pub(crate) fn table() -> String {
    let row = |(code, meaning): &(Code, &str)| format!("{:>4}  {meaning}\n", *code as u8);
    format!("code  meaning\n{}", TABLE.iter().map(row).collect::<String>())
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of the table under the heading that names exit codes, as `(code, meaning)`.
    fn documented(markdown: &str) -> Vec<(u8, String)> {
        let table = markdown.split_once("xit codes\n").expect("a heading names exit codes").1;
        let rows = table.lines().take_while(|line| !line.starts_with('#'));
        let cells = rows.filter_map(|row| {
            let (code, meaning) = row.strip_prefix('|')?.strip_suffix('|')?.split_once('|')?;
            Some((code.trim().parse().ok()?, meaning.split('|').next()?.trim().to_owned()))
        });
        cells.collect()
    }

    #[test]
    fn the_manual_and_the_readme_say_what_the_program_does() {
        let ours: Vec<(u8, String)> =
            TABLE.iter().map(|(code, meaning)| (*code as u8, (*meaning).to_owned())).collect();
        assert_eq!(documented(include_str!("../../../docs/exit_codes.md")), ours);
        assert_eq!(documented(include_str!("../../../README.md")), ours);
    }
}
