//! From a lease to a process: place, environment, command.

use std::fs::{DirBuilder, create_dir_all};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use engine::{AllocationId, AttemptId};

use super::cgroup::Group;
use super::programs::{Programs, is_program};
use super::secrets::Variable;
use crate::artifact;
use crate::process::{ALLOCATION_MARK, ATTEMPT_MARK, allocation_mark};
use crate::protocol::{Work, WorkCommand, WorkPlace};
use crate::run_dir::RunDir;

/// Joins a control group, then becomes the command: nothing of it ever runs outside, and its
/// number stays the same. If it cannot join, the sampler watches it.
const JOIN: &str = "{ echo $$ > \"$0\"; } 2>/dev/null; exec \"$@\"";

/// The longest that one argument can be (`MAX_ARG_STRLEN`, execve(2)), with its end.
const ARGUMENT_MAX: usize = 128 * 1024 - 1;

/// What all attempts of an allocation have in common.
pub(super) struct Launcher {
    run_dir: RunDir,
    project: PathBuf,
    run: String,
    mark: String,
    programs: Programs,
}

impl Launcher {
    pub(super) fn new(run_dir: RunDir, project: PathBuf, allocation: AllocationId) -> Self {
        let run = run_dir.id();
        let mark = allocation_mark(&run, allocation);
        Self { run_dir, project, run, mark, programs: Programs::default() }
    }

    /// Makes the place of an attempt and returns where its command is to run.
    ///
    /// # Errors
    /// What could not be made, for people.
    pub(super) fn prepare(&self, work: &Work) -> Result<PathBuf, String> {
        match &work.place {
            WorkPlace::Project(workdir) => Ok(self.project.join(workdir)),
            WorkPlace::Private { workdir, links, outputs } => {
                let root = self.run_dir.attempt(work.attempt);
                make_private(&root, workdir, links, outputs)?;
                Ok(root.join(workdir))
            }
        }
    }

    /// Removes the private folder of an attempt that came to nothing and may have left secrets.
    pub(super) fn clear_all(&self, attempt: AttemptId) {
        if let Err(error) = artifact::discard(&self.run_dir.attempt(attempt)) {
            eprintln!("failed to remove the folder of {attempt}: {error}");
        }
    }

    /// Removes the private folder of an attempt that left nothing to be taken from it.
    pub(super) fn clear(&self, work: &Work) {
        if let WorkPlace::Private { outputs, .. } = &work.place
            && outputs.is_empty()
            && let Err(error) = artifact::discard(&self.run_dir.attempt(work.attempt))
        {
            eprintln!("failed to remove the folder of {}: {error}", work.attempt);
        }
    }

    /// Starts the process, in a control group if there is one.
    ///
    /// # Errors
    /// Why it cannot be started, for people.
    pub(super) fn spawn(
        &self,
        work: &Work,
        cwd: &Path,
        secrets: &[Variable],
        group: Option<&Group>,
        (out, err): (Stdio, Stdio),
    ) -> Result<Child, String> {
        let words = words(work);
        let (program, arguments) = words.split_first().ok_or("its command is empty")?;
        // A program of the site is not looked for where a task says.
        let path = if work.wrap.is_some() { None } else { search_path(work) };
        let mut command = Command::new(self.programs.find(program, path));
        command.arg0(program).args(arguments);
        let script = match &work.command {
            WorkCommand::Shell(script) if work.wrap.is_none() => Some(script.as_str()),
            WorkCommand::Shell(_) | WorkCommand::Argv(_) => None,
        };
        if let Some(group) = group {
            command = script
                .and_then(|script| shell_that_joins(script, group))
                .unwrap_or_else(|| joining(command, cwd, group));
        }
        self.set_environment(&mut command, work);
        command.envs(secrets.iter().map(|(name, value)| (name, value)));
        // Nothing here may run between fork and exec: without such a hook the child is made by
        // posix_spawn, whose cost does not depend on how much memory the keeper uses.
        command.current_dir(cwd).process_group(0).stdin(Stdio::null());
        let spawned = command.stdout(out).stderr(err).spawn();
        spawned.map_err(|error| explain(&error, program, cwd))
    }

    fn set_environment(&self, command: &mut Command, work: &Work) {
        for variable in &work.unset {
            command.env_remove(variable);
        }
        command
            .env("FORESHARD_PROJECT", &self.project)
            .env("FORESHARD_RUN", &self.run)
            .env("FORESHARD_TASK", &work.task)
            .env("FORESHARD_CPUS", work.granted.cpus.to_string())
            .env("FORESHARD_MEMORY", work.granted.memory.0.to_string())
            .envs(work.env.iter().map(|(name, value)| (name, value)))
            // Last: whatever a task sets, its processes must be known as its own.
            .env(ATTEMPT_MARK, work.attempt.to_string())
            .env(ALLOCATION_MARK, &self.mark);
    }
}

/// The shell of a script joins by itself, which saves starting another one; none where that would
/// take some care. Lines keep their numbers.
fn shell_that_joins(script: &str, group: &Group) -> Option<Command> {
    let door = group.door();
    let door = door.to_str().filter(|door| !door.contains('\''))?;
    let script = format!("{{ echo $$ > '{door}'; }} 2>/dev/null || :; {script}");
    let mut shell = Command::new("/bin/sh");
    shell.args(["-e", "-c", &script]);
    (script.len() < ARGUMENT_MAX).then_some(shell)
}

/// The command by way of its control group. What cannot be started is left as it is, for the
/// system to say why.
fn joining(command: Command, cwd: &Path, group: &Group) -> Command {
    if !is_program(&cwd.join(command.get_program())) {
        return command;
    }
    let mut joining = Command::new("/bin/sh");
    joining.args(["-c", JOIN]).arg(group.door());
    joining.arg(command.get_program()).args(command.get_args());
    joining
}

/// The program and its arguments, with what the site puts around them.
fn words(work: &Work) -> Vec<&str> {
    let command: Vec<&str> = match &work.command {
        WorkCommand::Shell(script) => vec!["/bin/sh", "-e", "-c", script],
        WorkCommand::Argv(argv) => argv.iter().map(String::as_str).collect(),
    };
    let Some(wrap) = &work.wrap else { return command };
    let before = wrap.before.iter().map(String::as_str);
    before.chain(command).chain(wrap.after.iter().map(String::as_str)).collect()
}

/// The `PATH` that a task sets for itself.
fn search_path(work: &Work) -> Option<&str> {
    let set = work.env.iter().rev().find(|(name, _)| name == "PATH");
    set.map(|(_, value)| value.as_str())
}

fn make_private(
    root: &Path,
    workdir: &str,
    links: &[(String, String)],
    outputs: &[String],
) -> Result<(), String> {
    let told = |path: &Path, error: &Error| format!("failed to make {}: {error}", path.display());
    make_root(root).map_err(|error| told(root, &error))?;
    let make_dir = |path: &Path| create_dir_all(path).map_err(|error| told(path, &error));
    make_dir(&root.join(workdir))?;
    for (link, target) in links {
        let link = root.join(link.trim_end_matches('/'));
        make_dir(link.parent().unwrap_or(root))?;
        symlink(target, &link).map_err(|error| told(&link, &error))?;
    }
    outputs.iter().try_for_each(|output| make_dir(&root.join(folder_of(output))))
}

/// What is there already is of an attempt of the same number, whose record was lost with the power
/// of the machine before it was synced; nothing of it counts.
fn make_root(root: &Path) -> Result<(), Error> {
    let make = || DirBuilder::new().mode(0o700).create(root);
    match make() {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            artifact::discard(root)?;
            make()
        }
        made => made,
    }
}

/// The folder that an output needs: itself, or the one it lies in. Of a pattern, what comes
/// before its first special character.
fn folder_of(output: &str) -> &str {
    let literal = output.find(['*', '?', '[', '{', '\\']).map_or(output, |end| &output[..end]);
    literal.rfind('/').map_or("", |end| &literal[..end])
}

/// The system says only "no such file": of two possible ones.
fn explain(error: &Error, program: &str, cwd: &Path) -> String {
    match error.kind() {
        ErrorKind::NotFound if !cwd.is_dir() => format!("no folder {} to run in", cwd.display()),
        ErrorKind::NotFound => format!("no program `{program}`"),
        ErrorKind::PermissionDenied => format!("not allowed to run `{program}`"),
        _ => format!("failed to run `{program}`: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_forgotten_attempt_of_the_same_number_left_is_not_found_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("t1.1");
        let links = [("in.txt".to_owned(), "/nowhere".to_owned())];
        for _ in 0..2 {
            make_private(&root, ".", &links, &["out/a".to_owned()]).unwrap();
            assert!(!root.join("out/a").exists());
            std::fs::write(root.join("out/a"), "of another time").unwrap();
        }
    }

    #[test]
    fn the_folder_of_an_output_stops_where_its_pattern_begins() {
        for (output, folder) in [
            ("a.txt", ""),
            ("out/a.txt", "out"),
            ("out/deep/", "out/deep"),
            ("out/*/a.txt", "out"),
            ("out/part-*.txt", "out"),
            ("*.txt", ""),
        ] {
            assert_eq!(folder_of(output), folder, "{output}");
        }
    }
}
