//! Reads what a task adds to the graph: the files that it made, and the file that it emits.
//!
//! Looks only at what is in the task's manifest, in the folder of the attempt or, for an earlier
//! run's result, in the project. Says where new tasks go, and which of them have results already.

use std::path::Path;

use engine::action::Grown;
use engine::input::GrowthVerdict;
use engine::ranges::TaskRanges;
use engine::{Manifest, Observation};
use spec::growth::{Found, Growth};
use spec::{Site, TaskId, Workflow};

use crate::artifact;
use crate::results::{Cache, Past};
use crate::reuse;
use crate::run_dir::{Project, RunDir};
use crate::work::WorkMaker;

/// What an emitted file may have: as much as a workflow file.
const EMITTED_MAX: u64 = 64 << 20;

/// Where to look, and with what to compare.
pub(crate) struct Grower<'a> {
    pub(crate) project: &'a Project,
    pub(crate) run_dir: &'a RunDir,
    pub(crate) site: &'a Site,
    pub(crate) past: &'a Past,
}

impl Grower<'_> {
    /// What came out for one task. New initial inputs are found, and known to `maker` from here on.
    pub(crate) fn read(
        &self,
        workflow: &Workflow,
        maker: &mut WorkMaker,
        grown: &Grown,
    ) -> Observation {
        let verdict = self.verdict(workflow, maker, grown);
        let verdict = verdict.unwrap_or_else(|why| GrowthVerdict::Unfit { why });
        Observation::GrowthRead { task: grown.task, attempt: grown.attempt, verdict }
    }

    fn verdict(
        &self,
        workflow: &Workflow,
        maker: &mut WorkMaker,
        grown: &Grown,
    ) -> Result<GrowthVerdict, String> {
        let root = match grown.attempt {
            Some(attempt) => self.run_dir.attempt(attempt),
            None => self.project.root().to_path_buf(),
        };
        let growth = look(workflow, grown, &root)?;
        let after = workflow.grown(grown.task, &growth).map_err(|unfit| unfit.to_string())?;
        let new: Vec<TaskId> = after.tasks().skip(workflow.n_tasks()).collect();
        let zones = plan::place(&after, self.site, new.iter().copied()).map_err(|wishes| {
            wishes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        })?;
        let cache = Cache::open(self.project);
        maker.initial.extend(self.project, &after, &cache)?;
        let first = workflow.n_tasks();
        let has_past = |task: &TaskId| {
            reuse::can_be_reused(&after, *task) && self.past.get(&after.task_name(*task)).is_some()
        };
        let reusable = new.iter().copied().filter(has_past);
        let reusable = reusable.map(|task| TaskId::from_index(task.index() - first));
        let reusable = TaskRanges::from_sorted(reusable);
        Ok(GrowthVerdict::Read { growth, zones, reusable })
    }
}

fn look(workflow: &Workflow, grown: &Grown, root: &Path) -> Result<Growth, String> {
    let wanted = workflow.growth_wanted(grown.task);
    let mut found = Vec::with_capacity(wanted.patterns.len());
    for (template, pattern) in wanted.patterns {
        let files = artifact::expand(root, &pattern).map_err(|refusal| refusal.to_string())?;
        let files = files.into_iter().filter(|file| is_made(&grown.outputs, file)).collect();
        found.push(Found { template, files });
    }
    let emitted = match wanted.emits {
        Some(file) => {
            let path = workflow.files().path(file);
            Some(text(root, path).map_err(|why| format!("{path} {why}"))?)
        }
        None => None,
    };
    Ok(Growth { found, emitted })
}

fn text(root: &Path, path: &str) -> Result<String, String> {
    let path = root.join(path);
    let size = std::fs::metadata(&path).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > EMITTED_MAX {
        return Err(format!("has {size} bytes; a file of tasks has at most {EMITTED_MAX}"));
    }
    let bytes = std::fs::read(&path).map_err(|error| format!("cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|_| "is not UTF-8".to_owned())
}

/// Whether a file is in the manifest, or in a folder that is.
fn is_made(outputs: &Manifest, file: &str) -> bool {
    outputs.iter().any(|output| {
        let path = output.path.trim_end_matches('/');
        let inside = || file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        path == file || output.is_directory && inside()
    })
}
