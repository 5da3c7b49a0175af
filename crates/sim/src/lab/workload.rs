//! What is run: a workflow with the sizes of its files, or several as one.
//!
//! An ensemble is one graph of parts that know nothing of each other, which share places: each part
//! keeps its tasks under a number of its own. Knows nothing of places.

use std::collections::BTreeMap;
use std::sync::Arc;

use spec::assemble::{GraphError, Parts, assemble};
use spec::csr::Csr;
use spec::files::FileTable;
use spec::template::{Per, Template};
use spec::workflow::Input;
use spec::{Bytes, Digest, Duration, FileId, Resources, TaskId, Workflow};

/// A workflow and how large its files are.
#[derive(Clone, Debug)]
pub struct Workload {
    /// What is run.
    pub workflow: Arc<Workflow>,
    /// By file; files beyond the end are empty.
    pub sizes: Arc<[Bytes]>,
    /// By task: what it reads of each of its parents, in the order of the parents.
    edges: Arc<Csr<Edge>>,
}

/// What a task reads of a parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    parent: TaskId,
    bytes: Bytes,
}

impl Workload {
    /// A workflow; files have their recorded sizes, or none.
    #[must_use]
    pub fn of(workflow: Arc<Workflow>) -> Self {
        let sizes = recorded_sizes(&workflow);
        Self::with(workflow, sizes)
    }

    /// Workflows that are run together, with estimates so many times as long. Of their parameters and
    /// their notifications, nothing is kept; none of them can grow.
    ///
    /// # Errors
    /// Together they have more dependencies than a workflow can have.
    pub fn ensemble(parts: &[Arc<Workflow>], factor: f64) -> Result<Self, Vec<GraphError>> {
        let mut all = Ensemble::default();
        for (number, part) in parts.iter().enumerate() {
            all.add(number, part, factor);
        }
        let names: Vec<&str> = parts.iter().map(|part| part.name()).collect();
        let (workflow, sizes) = all.finish(name_of(&names))?;
        Ok(Self::with(Arc::new(workflow), sizes))
    }

    /// The same with tasks that all take as many cores as the largest, as whoever submits each in a slice of
    /// its own has them; none where they do so anyway.
    pub(super) fn alike(&self) -> Option<Self> {
        let workflow = &self.workflow;
        let cpus = |task| workflow.resources(task).cpus;
        let most = workflow.tasks().map(cpus).max()?;
        if workflow.tasks().all(|task| cpus(task) == most) {
            return None;
        }
        let mut made = Ensemble::default();
        made.add(0, workflow, 1.0);
        for template in &mut made.templates {
            let large = |resources: &Resources| Resources { cpus: most, ..resources.clone() };
            template.resources = match &template.resources {
                Per::Same(resources) => Per::Same(large(resources)),
                Per::Each(rows) => Per::Each(rows.iter().map(large).collect()),
            };
        }
        let (alike, _) = made.finish(workflow.name().to_owned()).ok()?;
        Some(Self { workflow: Arc::new(alike), ..self.clone() })
    }

    fn with(workflow: Arc<Workflow>, sizes: Vec<Bytes>) -> Self {
        let mut edges = Csr::default();
        for task in workflow.tasks() {
            edges.push_row(edges_into(&workflow, &sizes, task));
        }
        Self { workflow, sizes: sizes.into(), edges: Arc::new(edges) }
    }

    /// What a task reads of a parent, in bytes.
    #[must_use]
    pub fn bytes(&self, parent: TaskId, task: TaskId) -> Bytes {
        let row = self.edges.row(task.index());
        let found = row.binary_search_by_key(&parent, |edge| edge.parent);
        found.map_or(Bytes(0), |at| row[at].bytes)
    }

    /// How long a task is expected to take, in seconds; a second where nobody says.
    #[must_use]
    pub fn expected(&self, task: TaskId) -> f64 {
        self.workflow.estimate(task).map_or(1.0, Duration::as_secs_f64)
    }

    /// All work that is expected, in core-seconds.
    #[must_use]
    pub fn core_seconds(&self) -> f64 {
        let cores = |task| f64::from(self.workflow.resources(task).cpus.0) / 1e3;
        self.workflow.tasks().map(|task| self.expected(task) * cores(task)).sum()
    }

    /// How long the task is in which a core-second of the work lies on average, in seconds: what a
    /// loss of capacity takes away grows with it. Short tasks count for as much as they work.
    #[must_use]
    pub fn task_seconds(&self) -> f64 {
        let cores = |task| f64::from(self.workflow.resources(task).cpus.0) / 1e3;
        let weighted = |task| self.expected(task).powi(2) * cores(task);
        let sum: f64 = self.workflow.tasks().map(weighted).sum();
        sum / self.core_seconds().max(f64::MIN_POSITIVE)
    }
}

fn recorded_sizes(workflow: &Workflow) -> Vec<Bytes> {
    workflow.replay().map_or_else(Vec::new, |replay| {
        workflow.files().ids().map(|file| replay.size(file)).collect()
    })
}

fn edges_into(workflow: &Workflow, sizes: &[Bytes], task: TaskId) -> Vec<Edge> {
    let mut edges: BTreeMap<TaskId, u64> = workflow.parents(task).map(|p| (p, 0)).collect();
    for input in workflow.inputs(task) {
        let size = sizes.get(input.file.index()).copied().unwrap_or_default();
        for producer in workflow.producers(input.file) {
            *edges.entry(producer).or_default() += size.0;
        }
    }
    edges.into_iter().map(|(parent, bytes)| Edge { parent, bytes: Bytes(bytes) }).collect()
}

/// `montage`, `montage x 4`, `montage and 2 more`.
fn name_of(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, rest @ ..] if rest.iter().all(|name| name == first) => {
            format!("{first} x {}", names.len())
        }
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// Parts that are put together.
#[derive(Default)]
struct Ensemble {
    templates: Vec<Template>,
    first_task: Vec<u32>,
    files: FileTable,
    sizes: Vec<Bytes>,
    inputs: Csr<Input>,
    outputs: Csr<FileId>,
    needs: Csr<u32>,
    n_tasks: u32,
    digests: Vec<u8>,
}

impl Ensemble {
    fn add(&mut self, number: usize, part: &Workflow, factor: f64) {
        let sizes = recorded_sizes(part);
        let mut file_of = Vec::with_capacity(part.files().len());
        for file in part.files().ids() {
            file_of.push(self.files.intern(&format!("{number}/{}", part.files().path(file))));
            self.sizes.push(sizes.get(file.index()).copied().unwrap_or_default());
        }
        let longer = |span: &Option<Duration>| span.map(|span| span.mul_f64(factor));
        let mut first = self.n_tasks;
        for (id, template) in part.templates().iter().enumerate() {
            let estimate = match &template.estimate {
                Per::Same(span) => Per::Same(longer(span)),
                Per::Each(spans) => Per::Each(spans.iter().map(longer).collect()),
            };
            let name = format!("{number}.{}", template.name);
            self.templates.push(Template { name, estimate, ..template.clone() });
            self.first_task.push(first);
            first += part.tasks_of(spec::TemplateId::from_index(id)).len() as u32;
        }
        for task in part.tasks() {
            let moved = |input: &Input| Input { file: file_of[input.file.index()], ..*input };
            self.inputs.push_row(part.inputs(task).iter().map(moved));
            self.outputs.push_row(part.outputs(task).iter().map(|file| file_of[file.index()]));
            self.needs.push_row(part.parents(task).map(|parent| parent.0 + self.n_tasks));
        }
        self.n_tasks += part.n_tasks() as u32;
        self.digests.extend(part.digest().0);
        self.digests.extend(factor.to_bits().to_le_bytes());
    }

    fn finish(mut self, name: String) -> Result<(Workflow, Vec<Bytes>), Vec<GraphError>> {
        self.first_task.push(self.n_tasks);
        let parts = Parts {
            name,
            digest: Digest::of(&self.digests),
            params: BTreeMap::new(),
            templates: self.templates,
            first_task: self.first_task,
            files: self.files,
            inputs: self.inputs,
            outputs: self.outputs,
            needs: self.needs,
        };
        Ok((assemble(parts)?, self.sizes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ensemble_has_the_tasks_edges_and_files_of_all_its_parts() {
        let text = "foreshard: 1\ntasks:\n  \
                    part: {foreach: {i: 1..3}, run: 'p {i}', outputs: 'o{i}', estimate: 60}\n  \
                    sum: {run: s, inputs: ['o1', 'o2'], needs: [part], estimate: 30}\n";
        let source = spec::diagnostic::Source::new("test.yaml", text);
        let (workflow, said) = spec::workflow_file::parse(&source, &BTreeMap::new());
        let workflow = Arc::new(workflow.unwrap_or_else(|| panic!("{said:?}")));
        let parts = [Arc::clone(&workflow), Arc::clone(&workflow)];
        let both = Workload::ensemble(&parts, 10.0).unwrap();
        assert_eq!(both.workflow.n_tasks(), 2 * workflow.n_tasks());
        assert_eq!(both.workflow.n_edges(), 2 * workflow.n_edges());
        assert_eq!(both.workflow.files().len(), 2 * workflow.files().len());
        assert!((both.core_seconds() - 2.0 * (3.0 * 600.0 + 300.0)).abs() < 1e-9);
        // Of a core-second, 6 in 7 lie in a task of 600 s.
        assert!((both.task_seconds() - (6.0 * 600.0 + 300.0) / 7.0).abs() < 1e-9);
        let last = both.workflow.find_task("1.sum").unwrap();
        assert!(both.workflow.parents(last).all(|parent| parent.index() >= 4));
    }
}
