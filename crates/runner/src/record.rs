//! What a run leaves to be asked about it later, beyond its journal.
//!
//! What attempts were told to run is found again in the order files of their keepers, which stay
//! with the run; there, a secret is only ever a reference. What cannot be found anywhere later is
//! written once, when a run begins: the digests of its initial inputs, and of the outside
//! variables that its tasks name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};

use engine::{AllocationId, AttemptId, RunState};
use serde::{Deserialize, Serialize};
use spec::site::Policy;
use spec::{Digest, Site, TaskId, Workflow};

use crate::images::Images;
use crate::initial::InitialFiles;
use crate::protocol::{Errand, Order, Work, read_line};
use crate::reuse::{Environment, Keys};
use crate::run_dir::{Project, RunDir};
use crate::work::WorkMaker;

/// With more attempts than this, lines are read whole instead of being looked through first.
const SOUGHT_MAX: usize = 8;

/// What was ordered, by attempt; without those whose orders are not there (they could not be
/// made, or the file is gone). Each attempt is given with the allocation it was granted to.
///
/// # Errors
/// An order file cannot be read.
pub fn of_attempts(
    run_dir: &RunDir,
    attempts: impl IntoIterator<Item = (AllocationId, AttemptId)>,
) -> std::io::Result<BTreeMap<AttemptId, Work>> {
    let mut wanted: BTreeMap<AllocationId, BTreeSet<AttemptId>> = BTreeMap::new();
    for (allocation, attempt) in attempts {
        wanted.entry(allocation).or_default().insert(attempt);
    }
    let mut found = BTreeMap::new();
    for (allocation, attempts) in wanted {
        match File::open(run_dir.allocation(allocation).orders()) {
            Ok(file) => read_orders(BufReader::new(file), &attempts, &mut found)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn read_orders(
    mut orders: impl BufRead,
    wanted: &BTreeSet<AttemptId>,
    found: &mut BTreeMap<AttemptId, Work>,
) -> std::io::Result<()> {
    // A line holds a hundred orders and more; most need not be read to know that it is none of ours.
    let marks: Vec<String> = wanted.iter().take(SOUGHT_MAX + 1).map(mark).collect();
    let may_hold = |line: &[u8]| {
        marks.len() > SOUGHT_MAX
            || std::str::from_utf8(line)
                .is_ok_and(|text| marks.iter().any(|mark| text.contains(mark.as_str())))
    };
    let mut line = Vec::new();
    while orders.read_until(b'\n', &mut line)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        // A torn line is passed over, as the keeper does.
        if may_hold(text)
            && let Ok(Order { what: Errand::Lease(work), .. }) = read_line(text)
        {
            let ours = work.into_iter().filter(|work| wanted.contains(&work.attempt));
            found.extend(ours.map(|work| (work.attempt, work)));
        }
        line.clear();
    }
    Ok(())
}

/// As it stands in a line of orders.
fn mark(attempt: &AttemptId) -> String {
    let id = serde_json::to_string(attempt).expect("plain values serialize");
    format!("\"attempt\":{id}")
}

/// What a run found when it began, `found.json` in its folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Outside variables that any task names, by the digest of their value; null if not set.
    pub environment: BTreeMap<String, Option<Digest>>,
    /// Initial inputs, by path.
    pub inputs: BTreeMap<String, Digest>,
}

impl Found {
    /// What was found.
    #[must_use]
    pub fn of(workflow: &Workflow, initial: &InitialFiles, environment: &Environment) -> Self {
        let names = workflow.templates().iter().flat_map(|template| &template.env_from);
        let digest = |name: &String| Some(Digest::of(environment.get(name)?.as_bytes()));
        let inputs = initial.digests().map(|(path, digest)| (path.to_owned(), digest));
        Self {
            environment: names.map(|name| (name.clone(), digest(name))).collect(),
            inputs: inputs.collect(),
        }
    }

    /// Writes it down.
    ///
    /// # Errors
    /// The disk fails.
    pub fn write(&self, run_dir: &RunDir) -> std::io::Result<()> {
        std::fs::write(run_dir.found(), serde_json::to_vec(self).expect("plain values serialize"))
    }

    /// Reads it; nothing, of a run whose folder does not say.
    #[must_use]
    pub fn read(run_dir: &RunDir) -> Self {
        let bytes = std::fs::read(run_dir.found()).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }
}

/// Tells what tasks of a run have read.
pub struct Reader(WorkMaker);

impl Reader {
    /// For a run with what it found when it began.
    #[must_use]
    pub fn new(project: &Project, run_dir: &RunDir, workflow: &Workflow, found: &Found) -> Self {
        Self(WorkMaker {
            project: project.root().to_string_lossy().into_owned(),
            run_dir: run_dir.clone(),
            // Only files are asked for, whatever commands ran in.
            images: Images::default(),
            site: Site {
                zones: Vec::new(),
                links: Vec::new(),
                policy: Policy::balanced(),
                outages: Vec::new(),
                calendars: Vec::new(),
                feeds: Vec::new(),
            },
            initial: InitialFiles::known(workflow, found.inputs.clone()),
            replayer: String::new(),
        })
    }

    /// The digests of what a task has read, by path; none if something that it reads was not made.
    #[must_use]
    pub fn inputs(&self, state: &RunState, task: TaskId) -> Option<BTreeMap<String, Digest>> {
        let nothing = Environment::new();
        let keys = Keys { workflow: state.workflow(), maker: &self.0, environment: &nothing };
        keys.inputs(state, task).ok()
    }
}

#[cfg(test)]
mod tests {
    use engine::Epoch;
    use spec::Resources;

    use super::*;
    use crate::protocol::{WorkCommand, WorkPlace, write_line};

    fn work(task: u32, number: u32, script: &str) -> Work {
        Work {
            attempt: AttemptId(TaskId(task), number),
            after: Vec::new(),
            position: 0,
            granted: Resources::default(),
            task: format!("task{task}"),
            command: WorkCommand::Shell(script.to_owned()),
            wrap: None,
            unset: Vec::new(),
            secrets: Vec::new(),
            env: Vec::new(),
            place: WorkPlace::Project(".".to_owned()),
            refuses_empty: false,
            timeout: None,
            is_idempotent: true,
            may_be_empty: Vec::new(),
        }
    }

    #[test]
    fn an_order_is_found_among_many_also_behind_a_torn_line() {
        let mut file = Vec::new();
        let order = |work| Order { epoch: Epoch(1), what: Errand::Lease(work) };
        write_line(&mut file, &order(vec![work(1, 1, "one"), work(2, 1, "two")]));
        file.extend(b"0123 torn\n");
        write_line(&mut file, &order(vec![work(12, 1, "other"), work(1, 2, "again")]));
        let sought = |numbers: &[(u32, u32)]| {
            let wanted = numbers.iter().map(|&(task, n)| AttemptId(TaskId(task), n)).collect();
            let mut found = BTreeMap::new();
            read_orders(&file[..], &wanted, &mut found).unwrap();
            found.into_values().map(|work| work.command).collect::<Vec<_>>()
        };
        let scripts = |texts: &[&str]| {
            texts.iter().map(|&text| WorkCommand::Shell(text.to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(sought(&[(1, 1), (1, 2), (3, 1)]), scripts(&["one", "again"]));
        let all: Vec<(u32, u32)> = (0..20).map(|task| (task, 1)).collect();
        assert_eq!(sought(&all), scripts(&["one", "two", "other"]));
    }
}
