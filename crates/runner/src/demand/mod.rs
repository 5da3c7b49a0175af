//! What tasks take: remembered as attempts end, looked up when the next run begins.
//!
//! Knows the project's history and what its observations say about memory; [`known`] learns from
//! them how long tasks take and what they write, too. The history is never the truth: without it,
//! tasks start with what they ask for.
//!
//! **The rule.** Of the latest [`WINDOW`] attempts at tasks of a template, those that succeeded
//! and were measured count. A task starts with the [`QUANTILE`] of their peaks and
//! [`HEADROOM`] on top, in whole MiB, at least [`FLOOR`] and at most its `max`. So one that ran
//! out of memory and finished after growing starts right the next time, and few others are tried
//! twice. A start (`memory: {start: …}`) is a guess, and gives way; it is lowered only when
//! [`ENOUGH_TO_LOWER`] attempts say so. A plain size is a wish, and gives way only upwards, once
//! an attempt has run out of it.

pub mod known;
mod observed;

use std::collections::BTreeMap;

use engine::memory::{LearnedMemory, MemoryTerms};
use journal::history::{History, Observation};
use spec::template::Per;
use spec::{Bytes, Site, Template, Workflow};

pub(crate) use self::observed::Observed;
use crate::run_dir::Project;

/// How many attempts are looked back.
const WINDOW: u32 = 200;

/// Which share of attempts the start is to be enough for.
const QUANTILE: f64 = 0.95;

/// What is added, as a factor: inputs differ, and peaks between two looks are missed.
const HEADROOM: f64 = 1.25;

/// Less is not worth a limit.
const FLOOR: Bytes = Bytes(16 << 20);

/// One lucky small input is no reason to ask for less.
const ENOUGH_TO_LOWER: usize = 3;

const SUCCEEDED: &str = "succeeded";
const OUT_OF_MEMORY: &str = "out_of_memory";
const FAILED: &str = "failed";

/// What a run that begins now is to grant: what the places have, and what was learned.
#[must_use]
pub fn terms(project: &Project, workflow: &Workflow, site: &Site) -> MemoryTerms {
    let nodes = |zone: &spec::site::Zone| {
        let there = zone.pools.iter().filter(|pool| pool.count > 0);
        there.map(|pool| pool.node.clone()).collect()
    };
    MemoryTerms {
        nodes: site.zones.iter().map(nodes).collect(),
        learned: learned(project, workflow),
    }
}

/// What was learned about the workflow's templates, by name.
fn learned(project: &Project, workflow: &Workflow) -> BTreeMap<String, LearnedMemory> {
    let nothing = BTreeMap::new();
    if workflow.is_replay() || !project.history().exists() {
        return nothing;
    }
    let Ok(mut history) = History::open(&project.history()) else { return nothing };
    let mut all = nothing;
    for template in workflow.templates() {
        let Some(asked) = asked(template) else { continue };
        // What cannot be read teaches nothing.
        let seen = history.latest(&key(workflow, template), WINDOW).unwrap_or_default();
        if let Some(learned) = learn(template, asked, &seen) {
            all.insert(template.name.clone(), learned);
        }
    }
    all
}

/// What all tasks of a template ask for, if they have a limit.
fn asked(template: &Template) -> Option<Bytes> {
    match &template.resources {
        Per::Same(resources) => Some(resources.memory).filter(|memory| memory.0 > 0),
        Per::Each(_) => None,
    }
}

/// Two workflows of a project may each have a template of the same name.
fn key(workflow: &Workflow, template: &Template) -> String {
    format!("{}/{}", workflow.name(), template.name)
}

fn learn(template: &Template, asked: Bytes, seen: &[Observation]) -> Option<LearnedMemory> {
    let has_run_out = seen.iter().any(|seen| seen.outcome == OUT_OF_MEMORY);
    if !template.memory.is_open && !has_run_out {
        return None;
    }
    let succeeded = seen.iter().filter(|seen| seen.outcome == SUCCEEDED);
    let mut peaks: Vec<u64> = succeeded.filter_map(|seen| seen.peak_memory).collect();
    peaks.sort_unstable();
    let start = enough_for(&peaks)?;
    let start = template.memory.max.map_or(start, |max| start.min(max));
    let may_lower = template.memory.is_open && peaks.len() >= ENOUGH_TO_LOWER;
    let attempts = u32::try_from(peaks.len()).unwrap_or(u32::MAX);
    (start >= asked || may_lower).then_some(LearnedMemory { start, attempts })
}

/// Of sorted peaks: the quantile by nearest rank, with head room; none of none.
fn enough_for(peaks: &[u64]) -> Option<Bytes> {
    let rank = (peaks.len() as f64 * QUANTILE).ceil() as usize;
    let peak = *peaks.get(rank.checked_sub(1)?)?;
    let mib = (peak as f64 * HEADROOM / f64::from(1 << 20)).ceil() as u64;
    Some(Bytes(mib << 20).max(FLOOR))
}

#[cfg(test)]
mod tests {
    use spec::template::MemoryGrowth;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn template(is_open: bool, max: Option<u64>) -> Template {
        let max = max.map(|max| Bytes(max * MIB));
        let memory = MemoryGrowth { is_open, max, ..MemoryGrowth::default() };
        Template { memory, ..Template::default() }
    }

    fn seen(outcome: &str, peak: u64) -> Observation {
        Observation {
            template: "t".to_owned(),
            input_bytes: 0,
            duration_ms: 1,
            peak_memory: Some(peak * MIB),
            output_bytes: None,
            outcome: outcome.to_owned(),
        }
    }

    fn start(template: &Template, asked: u64, seen: &[Observation]) -> Option<u64> {
        learn(template, Bytes(asked * MIB), seen).map(|learned| learned.start.0 / MIB)
    }

    #[test]
    fn the_start_is_enough_for_nearly_all_with_head_room() {
        let (open, many) = (template(true, None), |n: u64| (1..=n).map(|i| seen(SUCCEEDED, i)));
        let hundred: Vec<Observation> = many(100).collect();
        assert_eq!(start(&open, 10, &hundred), Some(119), "95 and a quarter of it");
        let learned = learn(&open, Bytes(MIB), &hundred).unwrap();
        assert_eq!(learned.attempts, 100);
        assert_eq!(start(&template(true, Some(64)), 10, &hundred), Some(64));
        assert_eq!(start(&open, 10, &[seen(SUCCEEDED, 1), seen(SUCCEEDED, 1)]), Some(16));
    }

    #[test]
    fn a_guess_is_raised_by_one_attempt_and_lowered_by_three() {
        let open = template(true, None);
        assert_eq!(start(&open, 50, &[seen(SUCCEEDED, 80)]), Some(100));
        assert_eq!(start(&open, 500, &[seen(SUCCEEDED, 80), seen(SUCCEEDED, 80)]), None);
        let three = [80, 80, 80].map(|peak| seen(SUCCEEDED, peak));
        assert_eq!(start(&open, 500, &three), Some(100));
        assert_eq!(start(&open, 500, &[]), None);
        assert_eq!(start(&open, 50, &[seen(FAILED, 80), seen(OUT_OF_MEMORY, 80)]), None);
    }

    #[test]
    fn a_plain_size_gives_way_upwards_once_it_was_too_small() {
        let plain = template(false, None);
        let grown = [seen(SUCCEEDED, 160), seen(OUT_OF_MEMORY, 64)];
        assert_eq!(start(&plain, 64, &grown), Some(200));
        assert_eq!(start(&plain, 64, &grown[..1]), None);
        let [small, large] = [40, 64].map(|asked| {
            start(&plain, asked, &{
                let mut seen: Vec<_> = [8, 8, 8, 8].map(|peak| seen(SUCCEEDED, peak)).into();
                seen.push(grown[1].clone());
                seen
            })
        });
        assert_eq!((small, large), (None, None));
    }
}
