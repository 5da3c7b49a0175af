//! From a lease to work: the command line, its environment and the folder it runs in.
//!
//! Everything that depends on what was granted or published is filled in here, as late as it can be.

use engine::action::Lease;
use engine::{Manifest, RunState};
use spec::assemble::compile_glob;
use spec::command::{Bindings, RenderedCommand};
use spec::files::FileKind;
use spec::workflow::Input;
use spec::{TaskId, Workflow};

use crate::protocol::{Work, WorkCommand, WorkPlace};

/// What tasks have published, in a run or in a plan of one.
pub trait Published {
    /// The outputs of a task; empty if it has none.
    fn outputs(&self, task: TaskId) -> &Manifest;

    /// Whether the task was run rather than found unchanged.
    fn has_run(&self, task: TaskId) -> bool;
}

impl Published for RunState {
    fn outputs(&self, task: TaskId) -> &Manifest {
        Self::outputs(self, task)
    }

    fn has_run(&self, task: TaskId) -> bool {
        self.task(task).attempts > 0
    }
}

/// What makes work out of leases, for one run.
#[derive(Clone, Debug)]
pub struct WorkMaker {
    /// The absolute project directory.
    pub project: String,
    /// The id of the run.
    pub run: String,
    /// Files that were there at the start and match a declared input glob which no task makes.
    pub initial: crate::initial::InitialFiles,
    /// The program that replays recorded tasks: this one.
    pub replayer: String,
}

impl WorkMaker {
    /// Everything a keeper needs to run a lease.
    ///
    /// # Errors
    /// Why the command cannot be started, for people.
    pub fn make(
        &self,
        workflow: &Workflow,
        published: &dyn Published,
        lease: &Lease,
    ) -> Result<Work, String> {
        let task = lease.attempt.task();
        let template = workflow.template(task);
        let files = self.input_files(workflow, published, task)?;
        let outputs: Vec<String> = workflow
            .outputs(task)
            .iter()
            .map(|&file| workflow.files().path(file).to_owned())
            .collect();
        let up = path_up(template.workdir.as_deref());
        let by_slot = by_slot(&files, template.inputs.len(), &up);
        let output_arguments: Vec<String> =
            outputs.iter().map(|path| format!("{up}{path}")).collect();
        let bindings = Bindings {
            inputs: &by_slot,
            outputs: &output_arguments,
            granted: &lease.granted,
            attempt: lease.attempt.number(),
            project: &self.project,
            run: &self.run,
        };
        let command = workflow.command(task, &bindings).map_err(|error| error.to_string())?;
        let env = workflow.environment(task, &bindings).map_err(|error| error.to_string())?;
        Ok(Work {
            attempt: lease.attempt,
            after: lease.after.clone(),
            position: lease.position,
            granted: lease.granted.clone(),
            task: workflow.task_name(task),
            command: self.work_command(workflow, command),
            env,
            place: self.place(template.workdir.as_deref(), files, outputs),
            timeout: template.timeout,
            is_idempotent: lease.is_idempotent,
        })
    }

    fn work_command(&self, workflow: &Workflow, command: RenderedCommand) -> WorkCommand {
        match command {
            RenderedCommand::Shell(line) => WorkCommand::Shell(line),
            RenderedCommand::Argv(mut argv) => {
                if workflow.is_replay() {
                    argv[0].clone_from(&self.replayer);
                }
                WorkCommand::Argv(argv)
            }
        }
    }

    fn place(
        &self,
        workdir: Option<&str>,
        files: Vec<(Input, Vec<String>)>,
        outputs: Vec<String>,
    ) -> WorkPlace {
        let workdir = workdir.unwrap_or(".").to_owned();
        if files.is_empty() && outputs.is_empty() {
            return WorkPlace::Project(workdir);
        }
        let mut paths: Vec<String> = files.into_iter().flat_map(|(_, paths)| paths).collect();
        paths.sort();
        paths.dedup();
        let links = outermost(paths).map(|path| {
            let target = format!("{}/{path}", self.project);
            (path, target)
        });
        WorkPlace::Private { workdir, links: links.collect(), outputs }
    }

    /// By declared input: the files that are there, relative to the project.
    pub(crate) fn input_files(
        &self,
        workflow: &Workflow,
        published: &dyn Published,
        task: TaskId,
    ) -> Result<Vec<(Input, Vec<String>)>, String> {
        let inputs = workflow.inputs(task).iter();
        inputs.map(|&input| Ok((input, self.resolve(workflow, published, input)?))).collect()
    }

    fn resolve(
        &self,
        workflow: &Workflow,
        published: &dyn Published,
        input: Input,
    ) -> Result<Vec<String>, String> {
        let path = workflow.files().path(input.file);
        let mut producers = workflow.producers(input.file).peekable();
        if producers.peek().is_none() {
            return Ok(self.initial.files(input.file, path));
        }
        match workflow.files().kind(input.file) {
            FileKind::Directory => Ok(vec![path.trim_end_matches('/').to_owned()]),
            FileKind::Glob => {
                let pattern = compile_glob(path).map_err(|error| error.to_string())?;
                let pattern = pattern.compile_matcher();
                let made = producers.flat_map(|producer| published.outputs(producer));
                let mut found: Vec<String> = made
                    .map(|output| output.path.trim_end_matches('/'))
                    .filter(|made| pattern.is_match(made))
                    .map(str::to_owned)
                    .collect();
                found.sort();
                found.dedup();
                Ok(found)
            }
            FileKind::File => {
                if producers.any(|producer| was_made(published, producer, path)) {
                    Ok(vec![path.to_owned()])
                } else {
                    let makers: Vec<String> =
                        workflow.producers(input.file).map(|t| workflow.task_name(t)).collect();
                    Err(format!("its input {path} was not made by {}", makers.join(" or ")))
                }
            }
        }
    }
}

/// Whether a file is among what a task published, or inside a directory that it published.
fn was_made(published: &dyn Published, producer: TaskId, path: &str) -> bool {
    published.outputs(producer).iter().any(|output| {
        let made = output.path.trim_end_matches('/');
        path == made
            || output.is_directory && path.strip_prefix(made).is_some_and(|p| p.starts_with('/'))
    })
}

/// From where the command starts back to where paths are relative to.
fn path_up(workdir: Option<&str>) -> String {
    let workdir = workdir.unwrap_or(".");
    let depth = workdir.split('/').filter(|part| !part.is_empty() && *part != ".").count();
    "../".repeat(depth)
}

fn by_slot(files: &[(Input, Vec<String>)], n_slots: usize, up: &str) -> Vec<Vec<String>> {
    let mut slots = vec![Vec::new(); n_slots];
    for (input, paths) in files {
        slots[usize::from(input.slot)].extend(paths.iter().map(|path| format!("{up}{path}")));
    }
    slots
}

/// Sorted paths without those that lie below another one: a link to a folder brings all of it.
fn outermost(sorted: Vec<String>) -> impl Iterator<Item = String> {
    let mut last: Option<String> = None;
    sorted.into_iter().filter(move |path| {
        let is_below = last.as_ref().is_some_and(|outer| {
            path.strip_prefix(outer.as_str()).is_some_and(|rest| rest.starts_with('/'))
        });
        if !is_below {
            last = Some(path.clone());
        }
        !is_below
    })
}
