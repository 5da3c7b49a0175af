//! From a lease to work: the command line, its environment and the folder it runs in.
//!
//! Everything that depends on what was granted or published is filled in here, as late as it can be.

use std::collections::BTreeSet;

use engine::action::Lease;
use engine::{Manifest, Outcome, RunState};
use spec::assemble::compile_glob;
use spec::command::render::check_total;
use spec::command::{Bindings, RenderedCommand};
use spec::files::FileKind;
use spec::site::Zone;
use spec::template::SecretSource;
use spec::workflow::Input;
use spec::wrap::{WrapValues, around};
use spec::{Site, TaskId, Workflow, ZoneId};

use crate::images::Images;
use crate::process::{ALLOCATION_MARK, ATTEMPT_MARK};
use crate::protocol::{Work, WorkCommand, WorkPlace, Wrap};
use crate::run_dir::RunDir;

/// What tells a final task how all else ended.
const OUTCOME: &str = "FORESHARD_OUTCOME";

/// What tasks have published, in a run or in a plan of one.
pub trait Published {
    /// The outputs of a task; empty if it has none.
    fn outputs(&self, task: TaskId) -> &Manifest;

    /// How all else ended, once final tasks are due.
    fn finals(&self) -> Option<Outcome> {
        None
    }

    /// Whether the task was run rather than found unchanged.
    fn has_run(&self, task: TaskId) -> bool;
}

impl Published for RunState {
    fn outputs(&self, task: TaskId) -> &Manifest {
        Self::outputs(self, task)
    }

    fn finals(&self) -> Option<Outcome> {
        Self::finals(self)
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
    /// The folder of the run.
    pub run_dir: RunDir,
    /// What images were found to be.
    pub images: Images,
    /// Says how commands are wrapped.
    pub site: Site,
    /// Files that were there at the start and match a declared input glob which no task makes.
    pub initial: crate::initial::InitialFiles,
    /// The program that replays recorded tasks: this one.
    pub replayer: String,
}

impl WorkMaker {
    /// Everything a keeper needs to run a lease in a zone.
    ///
    /// # Errors
    /// Why the command cannot be started, for people.
    pub fn make(
        &self,
        workflow: &Workflow,
        published: &dyn Published,
        lease: &Lease,
        zone: ZoneId,
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
            run: &self.run_dir.id(),
        };
        let command = workflow.command(task, &bindings).map_err(|error| error.to_string())?;
        let mut env = workflow.environment(task, &bindings).map_err(|error| error.to_string())?;
        let outcome = published.finals().filter(|_| template.is_final);
        env.extend(outcome.map(|outcome| (OUTCOME.to_owned(), outcome.word().to_owned())));
        let place = self.place(template.workdir.as_deref(), files, outputs);
        let wrap = self.wrap(workflow, lease, self.site.zone(zone), &place, &env)?;
        check_size(&command, wrap.as_ref(), &env)?;
        Ok(Work {
            attempt: lease.attempt,
            after: lease.after.clone(),
            position: lease.position,
            granted: lease.granted.clone(),
            task: workflow.task_name(task),
            command: self.work_command(workflow, command),
            wrap,
            unset: hidden(workflow),
            secrets: template.secrets.clone(),
            env,
            place,
            refuses_empty: !template.empty_outputs,
            timeout: template.timeout,
            is_idempotent: lease.is_idempotent,
            may_be_empty: may_be_empty(workflow, task),
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

    /// The words of the zone around a command, those of its image inside.
    fn wrap(
        &self,
        workflow: &Workflow,
        lease: &Lease,
        zone: &Zone,
        place: &WorkPlace,
        env: &[(String, String)],
    ) -> Result<Option<Wrap>, String> {
        let task = lease.attempt.task();
        let template = workflow.template(task);
        let mut image = "";
        let mut rule = None;
        if let Some(name) = &template.image {
            // A graph that grows can name an image that nobody looked up.
            let unknown = || format!("the image {name} was not looked up when the run began");
            image = &self.images.get(name).ok_or_else(unknown)?.reference;
            let refused = || format!("zone {} does not allow the image {name}", zone.name);
            rule = Some(zone.image_rule(name).ok_or_else(refused)?);
        }
        let inner = rule.map_or(&[][..], |rule| &rule.wrap);
        if zone.wrap.is_empty() && inner.is_empty() {
            return Ok(None);
        }
        let (folder, workdir) = self.folders(lease, place);
        let names =
            env.iter().map(|(name, _)| name).chain(template.secrets.iter().map(|s| &s.name));
        let marks = [ATTEMPT_MARK, ALLOCATION_MARK].map(str::to_owned);
        let names: BTreeSet<String> = names.cloned().chain(marks).collect();
        let values = WrapValues {
            image,
            project: &self.project,
            folder: &folder,
            workdir: &workdir,
            env: &Vec::from_iter(names),
            task: &workflow.task_name(task),
            run: &self.run_dir.id(),
            attempt: lease.attempt.number(),
            granted: &lease.granted,
        };
        let (mut before, after) = around(&zone.wrap, &values);
        let (inner_before, mut inner_after) = around(inner, &values);
        before.extend(inner_before);
        inner_after.extend(after);
        Ok(Some(Wrap { before, after: inner_after }))
    }

    /// The folder that is an attempt's own, and the one in which its command starts.
    fn folders(&self, lease: &Lease, place: &WorkPlace) -> (String, String) {
        let (folder, workdir) = match place {
            WorkPlace::Project(workdir) => (self.project.clone(), workdir),
            WorkPlace::Private { workdir, .. } => {
                let folder = self.run_dir.attempt(lease.attempt);
                (folder.to_string_lossy().into_owned(), workdir)
            }
        };
        let start = if workdir == "." { folder.clone() } else { format!("{folder}/{workdir}") };
        (folder, start)
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

    /// Size of all inputs of a task: what was published says its own, initial files are looked at.
    pub(crate) fn input_bytes(&self, state: &RunState, task: TaskId) -> u64 {
        let workflow = state.workflow();
        let made = workflow.parents(task).flat_map(|parent| state.outputs(parent));
        let made: std::collections::BTreeMap<&str, u64> =
            made.map(|output| (output.path.trim_end_matches('/'), output.size.0)).collect();
        let inputs = self.input_files(workflow, state, task).unwrap_or_default();
        let on_disk = |path: &str| {
            let path = std::path::Path::new(&self.project).join(path);
            path.metadata().ok().filter(std::fs::Metadata::is_file).map_or(0, |meta| meta.len())
        };
        let size =
            |path: &String| made.get(path.as_str()).copied().unwrap_or_else(|| on_disk(path));
        inputs.iter().flat_map(|(_, paths)| paths).map(size).sum()
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
            if self.initial.is_awaited(input.file) {
                return Err(format!("its input {path} was not made by any task that came"));
            }
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

/// The system passes command and environment on together, or not at all.
fn check_size(
    command: &RenderedCommand,
    wrap: Option<&Wrap>,
    env: &[(String, String)],
) -> Result<(), String> {
    let command = match command {
        RenderedCommand::Shell(script) => std::slice::from_ref(script),
        RenderedCommand::Argv(argv) => argv,
    };
    let around = wrap.into_iter().flat_map(|wrap| wrap.before.iter().chain(&wrap.after));
    let words = command.iter().chain(around).map(String::len);
    let variables = env.iter().map(|(name, value)| name.len() + 1 + value.len());
    check_total(words.chain(variables)).map_err(|error| error.to_string())
}

/// Variables of the machine that hold secrets of some task; a task is given only its own.
fn hidden(workflow: &Workflow) -> Vec<String> {
    let secrets = workflow.templates().iter().flat_map(|template| &template.secrets);
    let variables = secrets.filter_map(|secret| match &secret.source {
        SecretSource::Env(variable) => Some(variable.clone()),
        SecretSource::File(_) | SecretSource::Command(_) => None,
    });
    Vec::from_iter(variables.collect::<BTreeSet<_>>())
}

/// Outputs of a task that may turn out to be no file at all: a fan-out over them has no tasks then.
fn may_be_empty(workflow: &Workflow, task: TaskId) -> Vec<String> {
    if !workflow.grows(task) {
        return Vec::new();
    }
    let patterns = workflow.growth_wanted(task).patterns;
    let outputs = workflow.outputs(task).iter().map(|&file| workflow.files().path(file));
    let is_pattern = |path: &&str| patterns.iter().any(|(_, pattern)| pattern == path);
    outputs.filter(is_pattern).map(str::to_owned).collect()
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
