//! Random runs in a virtual world: real engine, real shard hosts, every fault, every invariant.
//!
//! `FORESHARD_SEED=17 cargo test -p engine --test world` plays one seed again;
//! `FORESHARD_SEEDS=100000` plays more of them.

mod case;
mod checks;
mod keeper;
mod listed;
mod reference;
mod rng;
mod stories;
mod world;

use std::collections::BTreeSet;
use std::fmt::Debug;

use engine::outcome::Outcome;
use engine::phase::Phase;
use engine::task_state::TaskState;
use spec::TaskId;

use checks::Seen;
use reference::Fate;
use world::{Ran, World};

const N_SEEDS: u64 = 1_500;

#[test]
fn faulty_runs_keep_every_invariant_and_end_as_their_scripts_say() {
    let mut seen = Seen::new();
    for seed in seeds() {
        let _told = Told(seed);
        let mut ran = World::new(seed).run();
        check_end(&ran);
        seen.append(&mut ran.checks.seen);
    }
    if chosen("FORESHARD_SEED").is_none() {
        assert_eq!(missing(&seen), BTreeSet::new(), "changes of state that no run has taken");
    }
}

#[test]
fn the_same_seed_gives_the_same_records_byte_for_byte() {
    for seed in seeds().take(25) {
        let _told = Told(seed);
        let [first, second] =
            [0, 1].map(|_| serde_json::to_string(&World::new(seed).run().records).unwrap());
        assert!(first == second, "two runs of one seed differ");
    }
}

/// Says which seed failed and how to play it again.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            eprintln!("play it again: FORESHARD_SEED={seed} cargo test -p engine --test world");
        }
    }
}

fn seeds() -> std::ops::Range<u64> {
    let n = chosen("FORESHARD_SEEDS").unwrap_or(N_SEEDS);
    chosen("FORESHARD_SEED").map_or(0..n, |seed| seed..seed + 1)
}

fn chosen(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a person chooses seeds from outside")]
    let text = std::env::var(name);
    text.ok()?.parse().ok()
}

fn check_end(ran: &Ran) {
    let Ran { case, records, checks, store, .. } = ran;
    let state = checks.state();
    let replayed = engine::RunState::replay(std::sync::Arc::clone(&case.workflow), records);
    assert_eq!(replayed.as_ref(), Ok(state), "S11: replay gives another state");
    assert!(state.live().is_empty() && state.committed().is_empty(), "something is left over");
    for (id, row) in state.allocations() {
        assert!(!row.state.is_live(), "{id} is still {:?}", row.state);
    }
    for task in case.workflow.tasks() {
        let is_stored = store.contains_key(&task);
        let is_published = state.task(task).state == TaskState::Published;
        let is_ours = case.has_outputs(task) && !checks.was_reused(task);
        assert_eq!(
            is_stored,
            is_published && is_ours,
            "S17: outputs of {task}\n{}",
            life(ran, task)
        );
    }
    let is_cancelled = state.phase() == Phase::Finished(Outcome::Cancelled);
    let is_cut_short = is_cancelled || case.options.fail_fast;
    if case.options.fail_fast && checks.generation > 0 {
        return;
    }
    let fates = reference::fates(case, checks);
    for task in case.workflow.tasks().filter(|&task| !case.workflow.is_final(task)) {
        let (fate, now) = (fates[task.index()], state.task(task).state);
        let is_right = is_fate(now, fate) || (is_cut_short && !now.is_final());
        let is_missed = reference::can_reuse(case, checks, task) && !checks.was_reused(task);
        let is_missed = is_missed && fate == Fate::Published && checks.generation == 0;
        assert!(is_cut_short || !is_missed, "{task} was not reused:\n{}", life(ran, task));
        assert!(is_right, "{task} ended as {now:?}, and should be {fate:?}:\n{}", life(ran, task));
    }
    check_outcome(ran, &fates, is_cancelled);
    check_blame(ran);
    check_inputs(ran);
}

/// S2: whatever is published was made from what is published.
fn check_inputs(ran: &Ran) {
    let state = ran.checks.state();
    for task in ran.case.workflow.tasks() {
        let made_by = ran.checks.latest(task);
        if state.task(task).state == TaskState::Published && !ran.checks.was_reused(task) {
            for &read in &ran.read[&made_by] {
                let parent = read.task();
                assert_eq!(state.task(parent).state, TaskState::Published, "S2: {made_by}");
                assert_eq!(ran.checks.latest(parent), read, "S2: {made_by} read something else");
            }
        }
    }
}

/// All that was recorded of a task, for whoever reads a failure.
fn life(ran: &Ran, task: TaskId) -> String {
    let name = format!("[{},", task.0);
    let lines = ran.records.iter().map(|r| serde_json::to_string(r).expect("text"));
    let of_task: Vec<String> = lines.filter(|line| line.contains(&name)).collect();
    let parents: Vec<TaskId> = ran.case.workflow.parents(task).collect();
    format!("after {parents:?}; {:?}\n{}", ran.case.scripts[task.index()], of_task.join("\n"))
}

fn is_fate(state: TaskState, fate: Fate) -> bool {
    let wanted = match fate {
        Fate::Excluded => TaskState::Excluded,
        Fate::Published => TaskState::Published,
        Fate::Failed => TaskState::Failed,
        Fate::Skipped => TaskState::Skipped,
    };
    state == wanted
}

fn check_outcome(ran: &Ran, fates: &[Fate], is_cancelled: bool) {
    let (workflow, state) = (&ran.case.workflow, ran.checks.state());
    let phase = state.phase();
    // What becomes of final tasks is not worked out: they run again at each end.
    let failed = workflow.tasks().any(|task| {
        let now = state.task(task).state;
        let has_failed = workflow.is_final(task) && now == TaskState::Failed;
        has_failed || !workflow.is_final(task) && fates[task.index()] == Fate::Failed
    });
    let wanted = if failed { Outcome::Failed } else { Outcome::Succeeded };
    if !is_cancelled {
        assert_eq!(phase, Phase::Finished(wanted));
    }
}

/// Whoever failed has a cause; whoever was skipped is told whose failure is to blame.
fn check_blame(ran: &Ran) {
    let state = ran.checks.state();
    for task in ran.case.workflow.tasks() {
        let is_failed = state.task(task).state == TaskState::Failed;
        assert_eq!(state.failures().contains_key(&task), is_failed, "the cause of {task}");
        if state.task(task).state == TaskState::Skipped {
            let blamed: TaskId = state.skipped()[&task];
            assert_eq!(state.task(blamed).state, TaskState::Failed, "{task} blames {blamed}");
        }
    }
}

fn missing(seen: &Seen) -> BTreeSet<(String, String)> {
    fn names<T: Debug>(listed: &[(T, T)]) -> Vec<(String, String)> {
        listed.iter().map(|(from, to)| (format!("{from:?}"), format!("{to:?}"))).collect()
    }
    let mut all = names(listed::TASK);
    all.extend(names(listed::ALLOCATION));
    all.extend(names(listed::PHASE));
    let mut rare = names(listed::RARE);
    rare.extend(names(listed::RARE_PHASE));
    all.into_iter().filter(|change| !seen.contains(change) && !rare.contains(change)).collect()
}
