//! A dry run: which tasks would be run, and why each one.
//!
//! Goes through the graph in order, pretending that unchanged tasks have published what they
//! published before. Behind a task that will run, a task whose own command is unchanged may or
//! may not have to: it depends on whether what it reads comes out different.

use std::collections::BTreeMap;

use engine::Manifest;
use engine::decision::{Decision, TaskDecision};
use spec::{Site, TaskId};

use crate::artifact::Digests;
use crate::images::Images;
use crate::initial::InitialFiles;
use crate::load::Loaded;
use crate::results::{Cache, Past};
use crate::reuse::{self, Keys};
use crate::run_dir::Project;
use crate::start::{self, Error};
use crate::work::{Published, WorkMaker};

/// Decides for every wanted task, in topological order; all are wanted if `targets` is empty.
/// `images` are what those of the workflow were found to be.
///
/// # Errors
/// What would keep a run from beginning.
pub fn of(
    loaded: &Loaded,
    site: &Site,
    images: &Images,
    targets: &[TaskId],
    is_fresh: bool,
) -> Result<Vec<TaskDecision>, Error> {
    let (project, workflow) = (&loaded.project, &*loaded.workflow);
    let past = if is_fresh { Past::default() } else { Past::read(project, workflow) };
    let maker = WorkMaker {
        project: project.root().to_string_lossy().into_owned(),
        run_dir: project.run(""),
        images: images.clone(),
        site: site.clone(),
        initial: look_at_inputs(loaded, &past)?,
        replayer: String::new(),
    };
    let environment = start::environment(workflow);
    let keys = Keys { workflow, maker: &maker, environment: &environment };
    let selected = start::select(workflow, targets);
    decide(project, &keys, &past, &|task| selected.contains(task))
        .map_err(|source| Error::Io { what: "open the project", source })
}

/// Tasks that a run would add, as far as that can be told before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// One for each file that another task makes.
    Discovered {
        /// The fan-out.
        template: String,
        /// The task that makes the files.
        from: String,
        /// Which of them.
        pattern: String,
        /// How many of them earlier runs have left results of.
        known: usize,
    },
    /// Whatever this task's file declares.
    Emitted {
        /// The task.
        by: String,
    },
}

/// What is not known yet of a workflow.
#[must_use]
pub fn awaited(loaded: &Loaded) -> Vec<Awaited> {
    let workflow = &loaded.workflow;
    if !workflow.can_grow() {
        return Vec::new();
    }
    let past = Past::read(&loaded.project, workflow);
    let awaited = workflow.templates().iter().flat_map(|template| {
        let discovered = template.discovers.as_ref().map(|discovery| Awaited::Discovered {
            template: template.name.clone(),
            from: discovery.from.clone(),
            pattern: discovery.glob.clone(),
            known: past.count_of(&template.name),
        });
        let emitted = template.emits.map(|_| Awaited::Emitted { by: template.name.clone() });
        discovered.into_iter().chain(emitted)
    });
    awaited.collect()
}

/// Finds initial inputs; their digests are only needed for comparing.
fn look_at_inputs(loaded: &Loaded, past: &Past) -> Result<InitialFiles, Error> {
    let (project, workflow) = (&loaded.project, &*loaded.workflow);
    if workflow.is_replay() {
        // They are made when it is run.
        return Ok(InitialFiles::default());
    }
    let mut initial = InitialFiles::find(project, workflow).map_err(Error::MissingInputs)?;
    if !past.is_empty() {
        initial.hash(project, workflow, &Cache::open(project)).map_err(Error::Input)?;
    }
    Ok(initial)
}

fn decide(
    project: &Project,
    keys: &Keys<'_>,
    past: &Past,
    is_selected: &dyn Fn(TaskId) -> bool,
) -> std::io::Result<Vec<TaskDecision>> {
    let workflow = keys.workflow;
    let mut pretence = Pretence::default();
    let cache = Cache::open(project);
    let digests = cache.digests(project)?;
    let mut decisions = Vec::with_capacity(workflow.n_tasks());
    let mut tasks = plan::rank::topological_order(workflow);
    tasks.retain(|&task| is_selected(task));
    // Nothing says so in the graph, but final tasks come last.
    tasks.sort_by_key(|&task| workflow.is_final(task));
    for task in tasks {
        let (decision, why) = decide_one(keys, past, &pretence, task, &digests);
        if let Decision::Reuse { .. } = decision {
            let name = workflow.task_name(task);
            let outputs = past.get(&name).map(|result| result.outputs.clone());
            pretence.outputs.insert(task, outputs.unwrap_or_default());
        }
        decisions.push(TaskDecision { task, decision, why });
    }
    Ok(decisions)
}

/// What unchanged tasks have published before.
#[derive(Debug, Default)]
struct Pretence {
    outputs: BTreeMap<TaskId, Manifest>,
    nothing: Manifest,
}

impl Published for Pretence {
    fn outputs(&self, task: TaskId) -> &Manifest {
        self.outputs.get(&task).unwrap_or(&self.nothing)
    }

    fn has_run(&self, task: TaskId) -> bool {
        !self.outputs.contains_key(&task)
    }
}

fn decide_one(
    keys: &Keys<'_>,
    past: &Past,
    pretence: &Pretence,
    task: TaskId,
    digests: &Digests<'_>,
) -> (Decision, String) {
    let workflow = keys.workflow;
    if workflow.is_final(task) {
        return (Decision::Run, "it runs when all others have ended".to_owned());
    }
    if !reuse::can_be_reused(workflow, task) {
        return (Decision::Run, "it declares no files, so it always runs".to_owned());
    }
    let name = workflow.task_name(task);
    let Some(result) = past.get(&name) else {
        return (Decision::Run, "it has not been run before".to_owned());
    };
    if let Some(parent) = workflow.parents(task).find(|parent| pretence.has_run(*parent)) {
        let own = reuse::compare_own(result, keys, task)
            .and_then(|()| reuse::compare_outputs(digests, result));
        return match own {
            Err(why) => (Decision::Run, why),
            Ok(()) => {
                (Decision::Perhaps, format!("{} would be run before", workflow.task_name(parent)))
            }
        };
    }
    let compared = keys.of(pretence, task).and_then(|key| reuse::compare(digests, result, &key));
    match compared {
        Ok(()) => (Decision::Reuse { run: result.run.clone() }, "unchanged".to_owned()),
        Err(why) => (Decision::Run, why),
    }
}
