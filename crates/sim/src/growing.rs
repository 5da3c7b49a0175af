//! Workflows that grow: what each task turns out to make, told by its name and a seed alone.
//!
//! A task may emit tasks, and others may be discovered from its files. Whoever asks twice gets the
//! same answer, and the whole graph can be worked out by recursion, without growing anything: that
//! is what a run is compared with. Knows names and files of tasks; not when or where they run.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use spec::growth::{Found, Growth};
use spec::{Digest, Duration, TaskId, Workflow, ZoneId};

use crate::truth::{Failure, Script};

/// A growing workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Design {
    /// Each seed is another one.
    pub seed: u64,
    /// How many tasks its file names at most, besides those that are discovered.
    pub n_base: u64,
    /// Whether tasks fail now and then.
    pub fails: bool,
}

/// Deeper, nothing is emitted.
const DEPTH_MAX: usize = 3;

fn depth(name: &str) -> usize {
    name.matches('.').count()
}

impl Design {
    /// One draw for each purpose, so that a design can be asked again for the same answer.
    fn draw(&self, what: &str, name: &str, below: u64) -> u64 {
        let seed = self.seed.to_le_bytes();
        let digest = Digest::of_parts([&seed[..], what.as_bytes(), name.as_bytes()]);
        digest.0[..8].iter().fold(0_u64, |all, &byte| all << 8 | u64::from(byte)) % below
    }

    fn emits(&self, name: &str) -> bool {
        depth(name) < DEPTH_MAX && self.draw("emits", name, 3) == 0
    }

    /// Whether a fan-out `NAME-f` is discovered from the files of `name`.
    fn is_discovered_from(&self, name: &str) -> bool {
        depth(name) < DEPTH_MAX && self.draw("discovers", name, 3) == 0
    }

    fn files(&self, name: &str) -> Vec<String> {
        let n = self.draw("files", name, 4);
        (0..n).map(|i| format!("f/{name}/{i}")).collect()
    }

    /// The names of tasks side by side: those of the file, or those that a task emits.
    fn siblings(&self, of: Option<&str>) -> Vec<String> {
        match of {
            None => (0..self.n_base).map(|i| format!("t{i}")).collect(),
            Some(name) if self.emits(name) => {
                let n = self.draw("emitted", name, 4);
                (0..n).map(|i| format!("{name}.{i}")).collect()
            }
            Some(_) => Vec::new(),
        }
    }

    /// Which of the siblings before it a task needs.
    fn needs(&self, siblings: &[String], index: usize) -> Vec<String> {
        let name = &siblings[index];
        let is_needed = |other: &&String| self.draw(name, other, 3) == 0;
        siblings[..index].iter().filter(is_needed).cloned().collect()
    }

    /// A file of tasks: the workflow, or what a task emits.
    #[must_use]
    pub fn file(&self, of: Option<&str>) -> String {
        let mut text = String::from("foreshard: 1\ntasks:\n");
        let siblings = self.siblings(of);
        if siblings.is_empty() {
            return "{foreshard: 1, tasks: {}}".to_owned();
        }
        for (index, name) in siblings.iter().enumerate() {
            let needs = self.needs(&siblings, index).join(", ");
            let retries = self.draw("retries", name, 4);
            let _ = write!(
                text,
                "  {name}: {{run: x, needs: [{needs}], outputs: [\"f/{name}/*\"], retries: {retries}"
            );
            if self.emits(name) {
                let _ = write!(text, ", emits: more/{name}.yaml");
            }
            text.push_str("}\n");
            if self.is_discovered_from(name) {
                let _ = writeln!(
                    text,
                    "  {name}-f: {{foreach: {{part: \"f/{name}/{{part}}\", from: {name}}}, run: x, outputs: \"g/{name}/{{part}}\"}}
  {name}-g: {{run: x, inputs: {{outputs_of: {name}-f}}, outputs: \"h/{name}\"}}"
                );
            }
        }
        text
    }

    /// What a task adds to the graph when it succeeds.
    #[must_use]
    pub fn growth(&self, workflow: &Workflow, task: TaskId) -> Growth {
        let name = workflow.task_name(task);
        let wanted = workflow.growth_wanted(task);
        let found = |(template, _): (String, String)| Found { template, files: self.files(&name) };
        Growth {
            found: wanted.patterns.into_iter().map(found).collect(),
            emitted: wanted.emits.map(|_| self.file(Some(&name))),
        }
    }

    /// How long a task runs.
    #[must_use]
    pub fn runtime(&self, name: &str) -> Duration {
        Duration::from_millis(1 + self.draw("runtime", name, 30_000))
    }

    /// Where a new task goes, of so many zones.
    #[must_use]
    pub fn zone(&self, name: &str, n_zones: usize) -> ZoneId {
        ZoneId(self.draw("zone", name, n_zones as u64) as u32)
    }

    /// Whether an earlier run had a task of this name.
    #[must_use]
    pub fn has_past(&self, name: &str) -> bool {
        self.draw("past", name, 4) == 0
    }

    /// How a task fails before it succeeds; one that grows may add what cannot be added.
    #[must_use]
    pub fn script(&self, name: &str, grows: bool) -> Script {
        let mut kinds = vec![Failure::Exit, Failure::Signal, Failure::CannotStart];
        if grows {
            kinds.extend([Failure::BadGrowth; 2]);
        }
        let is_troubled = self.fails && self.draw("trouble", name, 4) == 0;
        let n = if is_troubled { 1 + self.draw("failures", name, 2) } else { 0 };
        let kind = |i| kinds[self.draw(&format!("failure {i}"), name, kinds.len() as u64) as usize];
        Script {
            failures: (0..n).map(kind).collect(),
            is_stubborn: self.draw("stubborn", name, 3) == 0,
            is_unchanged: self.draw("unchanged", name, 2) == 0,
            ..Script::default()
        }
    }
}

/// The whole graph by recursion over the design: each task with those it has to come after.
#[derive(Debug, Default)]
pub struct Reference(pub BTreeMap<String, BTreeSet<String>>);

impl Reference {
    /// Of a run in which the tasks of these names have grown.
    #[must_use]
    pub fn of(design: &Design, has_grown: &BTreeSet<String>) -> Self {
        let mut reference = Self::default();
        reference.add(design, None, has_grown);
        reference
    }

    /// Adds what `by` emits, and returns the names of all that comes of it.
    fn add(
        &mut self,
        design: &Design,
        by: Option<&str>,
        has_grown: &BTreeSet<String>,
    ) -> Vec<String> {
        let siblings = design.siblings(by);
        let mut families: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (index, name) in siblings.iter().enumerate() {
            let needs = design.needs(&siblings, index);
            let parents = needs.iter().flat_map(|need| families[need.as_str()].clone());
            self.0.insert(name.clone(), parents.chain(by.map(str::to_owned)).collect());
            let mut family = if has_grown.contains(name) {
                self.add(design, Some(name), has_grown)
            } else {
                Vec::new()
            };
            family.push(name.clone());
            families.insert(name, family);
        }
        let mut all: Vec<String> = families.into_values().flatten().collect();
        for name in siblings.iter().filter(|name| design.is_discovered_from(name)) {
            let found = if has_grown.contains(name) { design.files(name) } else { Vec::new() };
            let part = |file: &str| file.rsplit_once('/').map_or(file, |(_, part)| part).to_owned();
            let rows: Vec<String> =
                found.iter().map(|file| format!("{name}-f[{}]", part(file))).collect();
            for row in &rows {
                self.0.insert(row.clone(), [name.clone()].into());
            }
            let gather = format!("{name}-g");
            let source = [name.clone()];
            self.0.insert(gather.clone(), rows.iter().cloned().chain(source).collect());
            all.extend(rows);
            all.push(gather);
        }
        all
    }
}
