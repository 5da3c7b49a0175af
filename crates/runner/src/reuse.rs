//! Reuse: whether an earlier result of a task still stands.
//!
//! It does when command, named environment and the digests of all inputs are the same, and the
//! outputs are still what that run left. The same comparison serves a run, when a task becomes
//! ready, and a dry run, before anything is started.

use std::collections::{BTreeMap, BTreeSet};

use engine::Manifest;
use spec::{Digest, TaskId, Workflow};

use crate::artifact::{Digests, Verdict};
use crate::results::TaskResult;
use crate::work::{Published, WorkMaker};

/// Begins the name of what surrounds a command among what a result depends on.
const SURROUNDING: &str = "/";

/// What a result depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The command, with everything that is known before it runs.
    pub command: Digest,
    /// The outside variables that the task names in `env_from`.
    pub env: Digest,
    /// Path and digest of every input, sorted by path; of a task that is only needed, its name
    /// and the digest of what it published. What surrounds the command is here as well.
    pub inputs: BTreeMap<String, Digest>,
}

/// The outside variables that tasks may name, as they were when the run began.
pub type Environment = BTreeMap<String, String>;

/// Finds out what results depend on.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    /// The workflow in force.
    pub workflow: &'a Workflow,
    /// Resolves inputs to files.
    pub maker: &'a WorkMaker,
    /// What `env_from` looks names up in.
    pub environment: &'a Environment,
}

impl Keys<'_> {
    /// What the result of a task depends on, once everything it needs is published.
    ///
    /// # Errors
    /// Why nothing can be compared, for people.
    pub fn of(&self, published: &dyn Published, task: TaskId) -> Result<Key, String> {
        Ok(Key {
            command: self.workflow.command_digest(task),
            env: self.env_digest(task),
            inputs: self
                .inputs(published, task)?
                .into_iter()
                .chain(self.surroundings(task))
                .collect(),
        })
    }

    fn env_digest(&self, task: TaskId) -> Digest {
        let names = &self.workflow.template(task).env_from;
        Digest::of_parts(names.iter().flat_map(|name| {
            let value = self.environment.get(name);
            [
                name.as_bytes(),
                if value.is_some() { b"=" } else { b"" },
                value.map_or(b"", |v| v.as_bytes()),
            ]
        }))
    }

    /// What a command is surrounded by: the image it runs in, and the words of the site around it.
    /// Where it will run is not known yet, so those of all zones count. Names begin with a slash,
    /// as no path of the project does.
    fn surroundings(&self, task: TaskId) -> BTreeMap<String, Digest> {
        let mut digests = BTreeMap::new();
        let image = self.workflow.template(task).image.as_deref();
        if let Some(name) = image
            && let Some(image) = self.maker.images.get(name)
        {
            digests.insert(format!("{SURROUNDING}image {name}"), image.digest);
        }
        let zones = self.maker.site.zones.iter();
        let wraps: BTreeSet<(&[String], &[String])> = zones
            .map(|zone| {
                let rule = image.and_then(|image| zone.image_rule(image));
                (&zone.wrap[..], rule.map_or(&[][..], |rule| &rule.wrap))
            })
            .collect();
        if wraps.iter().any(|(outer, inner)| !outer.is_empty() || !inner.is_empty()) {
            let text = serde_json::to_vec(&wraps).expect("words are plain data");
            digests.insert(format!("{SURROUNDING}wrap of the site"), Digest::of(&text));
        }
        digests
    }

    /// Path and digest of what a task reads.
    ///
    /// # Errors
    /// Why that is not known, for people.
    pub(crate) fn inputs(
        &self,
        published: &dyn Published,
        task: TaskId,
    ) -> Result<BTreeMap<String, Digest>, String> {
        let mut digests = BTreeMap::new();
        let mut seen_producers = Vec::new();
        for (input, paths) in self.maker.input_files(self.workflow, published, task)? {
            let producers: Vec<TaskId> = self.workflow.producers(input.file).collect();
            let made: Vec<&Manifest> = producers.iter().map(|&p| published.outputs(p)).collect();
            for path in paths {
                let digest =
                    digest_among(&made, &path).or_else(|| self.maker.initial.digest(&path));
                let digest = digest.ok_or_else(|| format!("the digest of {path} is not known"))?;
                digests.insert(path, digest);
            }
            seen_producers.extend(producers);
        }
        let template = self.workflow.template(task);
        // That it grew out of a task says where it comes from, not what it reads.
        let is_origin =
            |parent: &TaskId| template.grown_by == Some(*parent) && !template.needs_grower;
        let read_otherwise =
            |parent: &TaskId| !seen_producers.contains(parent) && !is_origin(parent);
        for parent in self.workflow.parents(task).filter(read_otherwise) {
            let outputs = published.outputs(parent);
            if outputs.is_empty() && published.has_run(parent) {
                return Err(format!("{} was run again", self.workflow.task_name(parent)));
            }
            let name = format!("needs {}", self.workflow.task_name(parent));
            digests.insert(name, digest_of_manifest(outputs));
        }
        Ok(digests)
    }
}

/// The digest of a path in what its makers published. A file inside a published directory
/// changes when the directory does.
fn digest_among(made: &[&Manifest], path: &str) -> Option<Digest> {
    let outputs = || made.iter().flat_map(|manifest| manifest.iter());
    let exact = outputs().find(|output| output.path.trim_end_matches('/') == path);
    let around = || {
        outputs().find(|output| {
            let folder = output.path.trim_end_matches('/');
            output.is_directory && path.strip_prefix(folder).is_some_and(|p| p.starts_with('/'))
        })
    };
    // A declared directory input can cover outputs of several tasks below it.
    let below = || {
        let inside: Vec<&[u8]> = outputs()
            .filter(|output| output.path.strip_prefix(path).is_some_and(|p| p.starts_with('/')))
            .flat_map(|output| [output.path.as_bytes(), &output.digest.0[..]])
            .collect();
        (!inside.is_empty()).then(|| Digest::of_parts(inside))
    };
    exact.or_else(around).map(|output| output.digest).or_else(below)
}

fn digest_of_manifest(outputs: &Manifest) -> Digest {
    Digest::of_parts(outputs.iter().flat_map(|o| [o.path.as_bytes(), &o.digest.0[..]]))
}

/// Whether there is anything by which a result could be known again.
#[must_use]
pub fn can_be_reused(workflow: &Workflow, task: TaskId) -> bool {
    let has_files = !workflow.inputs(task).is_empty() || !workflow.outputs(task).is_empty();
    has_files && !workflow.is_final(task)
}

/// Compares an earlier result with what would be run now, and with what is on disk.
///
/// # Errors
/// What changed, for people.
pub fn compare(digests: &Digests<'_>, past: &TaskResult, key: &Key) -> Result<(), String> {
    compare_key(past, key)?;
    compare_outputs(digests, past)
}

/// Compares what does not depend on other tasks: the command and the named environment.
///
/// # Errors
/// What changed, for people.
pub fn compare_own(past: &TaskResult, keys: &Keys<'_>, task: TaskId) -> Result<(), String> {
    if past.key.command != keys.workflow.command_digest(task) {
        return Err("its command changed".to_owned());
    }
    if past.key.env != keys.env_digest(task) {
        return Err("the environment it names changed".to_owned());
    }
    compare_named("its", &split(&past.key.inputs).0, &keys.surroundings(task))
}

/// Compares what a result depended on with what it would depend on now.
///
/// # Errors
/// What changed, for people.
pub fn compare_key(past: &TaskResult, key: &Key) -> Result<(), String> {
    if past.key.command != key.command {
        return Err("its command changed".to_owned());
    }
    if past.key.env != key.env {
        return Err("the environment it names changed".to_owned());
    }
    let (around, inputs) = split(&key.inputs);
    let (around_before, inputs_before) = split(&past.key.inputs);
    compare_named("its", &around_before, &around)?;
    compare_named("input", &inputs_before, &inputs)
}

fn compare_named(
    what: &str,
    before: &BTreeMap<String, Digest>,
    now: &BTreeMap<String, Digest>,
) -> Result<(), String> {
    let mut changes = Vec::new();
    let told = |name: &str| name.trim_start_matches(SURROUNDING).to_owned();
    for (name, digest) in now {
        match before.get(name) {
            Some(same) if same == digest => {}
            Some(_) => changes.push(format!("{} changed", told(name))),
            None => changes.push(format!("{} is new", told(name))),
        }
    }
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    changes.extend(gone.map(|name| format!("{} is gone", told(name))));
    if changes.is_empty() { Ok(()) } else { Err(summarise(what, changes)) }
}

/// What surrounds a command, and what it reads.
fn split(
    inputs: &BTreeMap<String, Digest>,
) -> (BTreeMap<String, Digest>, BTreeMap<String, Digest>) {
    inputs.clone().into_iter().partition(|(name, _)| name.starts_with(SURROUNDING))
}

/// Compares what is on disk with what an earlier run left.
///
/// # Errors
/// What is not the same, for people.
pub fn compare_outputs(digests: &Digests<'_>, past: &TaskResult) -> Result<(), String> {
    let mut changes = Vec::new();
    for output in &past.outputs {
        match digests.verify(output) {
            Ok(Verdict::Fresh) => {}
            Ok(Verdict::Modified) => changes.push(format!("{} was changed", output.path)),
            Ok(Verdict::Missing) => changes.push(format!("{} is missing", output.path)),
            Err(refusal) => changes.push(refusal.to_string()),
        }
    }
    if changes.is_empty() { Ok(()) } else { Err(summarise("output", changes)) }
}

fn summarise(what: &str, mut changes: Vec<String>) -> String {
    const NAMED_MAX: usize = 3;
    let n = changes.len();
    changes.truncate(NAMED_MAX);
    let named = changes.join(", ");
    if n > NAMED_MAX {
        format!("{what} {named} and {} more", n - NAMED_MAX)
    } else {
        format!("{what} {named}")
    }
}
