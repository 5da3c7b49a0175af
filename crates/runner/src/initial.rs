//! What must be there before a run: declared inputs that no task makes.

use std::collections::{BTreeMap, BTreeSet};

use spec::assemble::compile_glob;
use spec::files::FileKind;
use spec::{Digest, FileId, Workflow};

use crate::artifact::{self, DigestCache, Digested, Digests, Refusal, Unfit};
use crate::results::HASH_THREADS;
use crate::run_dir::Project;

/// Initial inputs, with the files that globs matched when the run began.
#[derive(Clone, Debug, Default)]
pub struct InitialFiles {
    by_glob: BTreeMap<FileId, Vec<String>>,
    /// Not there, but something that the graph grows may make them.
    awaited: BTreeSet<FileId>,
    digests: BTreeMap<String, Digest>,
}

/// An initial input that is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// As declared.
    pub path: String,
    /// The first task that needs it.
    pub task: String,
}

impl InitialFiles {
    /// Looks at the disk. Digests are taken by [`InitialFiles::hash`].
    ///
    /// # Errors
    /// Everything that is missing.
    pub fn find(project: &Project, workflow: &Workflow) -> Result<Self, Vec<Missing>> {
        let mut found = Self::default();
        found.look(project, workflow)?;
        Ok(found)
    }

    /// Looks for initial inputs of tasks that came into the graph since, and takes their digests.
    ///
    /// # Errors
    /// What is missing or cannot be read, for people.
    pub fn extend(
        &mut self,
        project: &Project,
        workflow: &Workflow,
        cache: &dyn DigestCache,
    ) -> Result<(), String> {
        self.look(project, workflow).map_err(|missing| {
            let tell = |missing: &Missing| {
                format!("{} reads {}, which is not there", missing.task, missing.path)
            };
            missing.iter().map(tell).collect::<Vec<_>>().join("; ")
        })?;
        self.hash(project, workflow, cache).map_err(|refusal| refusal.to_string())
    }

    fn look(&mut self, project: &Project, workflow: &Workflow) -> Result<(), Vec<Missing>> {
        let mut missing = Vec::new();
        let known: BTreeSet<FileId> = self.by_glob.keys().copied().collect();
        for file in workflow.initial_inputs().filter(|file| !known.contains(file)) {
            let path = workflow.files().path(file);
            let is_there = match workflow.files().kind(file) {
                FileKind::Glob => {
                    // A folder that cannot be read has nothing in it for us, and is said to be missing.
                    let matched = artifact::expand(project.root(), path).unwrap_or_default();
                    // What gathers from tasks that are left out may find nothing.
                    let any = !matched.is_empty() || workflow.maker_left_out(path).is_some();
                    self.by_glob.insert(file, matched);
                    any
                }
                FileKind::Directory => project.root().join(path).is_dir(),
                FileKind::File => project.root().join(path).exists(),
            };
            if !is_there && workflow.may_come(file) {
                self.awaited.insert(file);
            } else if !is_there {
                missing.push((file, path.to_owned()));
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(name_users(workflow, missing)) }
    }

    /// The files of a declared initial input.
    #[must_use]
    pub fn files(&self, file: FileId, path: &str) -> Vec<String> {
        if self.is_awaited(file) {
            return Vec::new();
        }
        let plain = || vec![path.trim_end_matches('/').to_owned()];
        self.by_glob.get(&file).cloned().unwrap_or_else(plain)
    }

    /// Whether a file was not there and nothing but a growth of the graph could bring it.
    #[must_use]
    pub fn is_awaited(&self, file: FileId) -> bool {
        self.awaited.contains(&file) && !self.by_glob.contains_key(&file)
    }

    /// Digests every initial file, as far as `cache` does not know them.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn hash(
        &mut self,
        project: &Project,
        workflow: &Workflow,
        cache: &dyn DigestCache,
    ) -> Result<(), Refusal> {
        let mut paths: Vec<String> = workflow
            .initial_inputs()
            .flat_map(|file| self.files(file, workflow.files().path(file)))
            .collect();
        paths.sort();
        paths.dedup();
        paths.retain(|path| !self.digests.contains_key(path));
        let unreadable = |error| Refusal {
            path: project.root().display().to_string(),
            why: Unfit::Io { doing: "opened", error },
        };
        let digests = Digests::new(project.root(), cache, HASH_THREADS).map_err(unreadable)?;
        let wanted: Vec<&str> = paths.iter().map(String::as_str).collect();
        let found = digests.digest_many(&wanted).into_iter();
        let found: Vec<Digested> = found.collect::<Result<_, _>>()?;
        self.digests.extend(paths.into_iter().zip(found.into_iter().map(|d| d.digest)));
        Ok(())
    }

    /// As a run found them when it began.
    #[must_use]
    pub fn known(workflow: &Workflow, digests: BTreeMap<String, Digest>) -> Self {
        let mut by_glob = BTreeMap::new();
        for file in workflow.initial_inputs() {
            let path = workflow.files().path(file);
            if workflow.files().kind(file) != FileKind::Glob {
                continue;
            }
            // A pattern that was good enough for the run is so now.
            let Ok(pattern) = compile_glob(path).map(|glob| glob.compile_matcher()) else {
                continue;
            };
            let matched = digests.keys().filter(|path| pattern.is_match(path)).cloned();
            by_glob.insert(file, matched.collect());
        }
        Self { by_glob, digests, ..Self::default() }
    }

    /// Every initial file whose digest has been taken.
    pub fn digests(&self) -> impl Iterator<Item = (&str, Digest)> {
        self.digests.iter().map(|(path, digest)| (path.as_str(), *digest))
    }

    /// The digest of an initial file, if they have been taken.
    #[must_use]
    pub fn digest(&self, path: &str) -> Option<Digest> {
        self.digests.get(path).copied()
    }
}

fn name_users(workflow: &Workflow, missing: Vec<(FileId, String)>) -> Vec<Missing> {
    let mut users = BTreeMap::new();
    for task in workflow.tasks() {
        for input in workflow.inputs(task) {
            users.entry(input.file).or_insert(task);
        }
    }
    missing
        .into_iter()
        .map(|(file, path)| {
            let task = users.get(&file).map(|&task| workflow.task_name(task)).unwrap_or_default();
            Missing { path, task }
        })
        .collect()
}
