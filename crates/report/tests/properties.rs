//! Relations that hold in every run, whatever it does.

mod fake;

use engine::cause::FailureCause;
use fake::{Deed, Story};
use proptest::prelude::*;
use report::critical_path::CriticalPath;
use report::summary::Extras;
use report::{Progress, Summary, Timeline};
use spec::Duration;

/// A workflow of layers; a task needs some of the layer before.
fn layered(needs: &[Vec<u8>]) -> String {
    let mut text = "foreshard: 1\nname: layered\ntasks:\n".to_owned();
    for (layer, row) in needs.iter().enumerate() {
        for (i, mask) in row.iter().enumerate() {
            let above = layer.checked_sub(1).map_or(0, |above| needs[above].len());
            let parents: Vec<String> = (0..above)
                .filter(|parent| mask & (1 << parent) != 0)
                .map(|parent| format!("l{}-{parent}", layer - 1))
                .collect();
            let cpus = 1 + usize::from(mask.is_multiple_of(5));
            text.push_str(&format!(
                "  l{layer}-{i}: {{run: x, outputs: o{layer}-{i}, needs: [{}], \
                 resources: {{cpus: {cpus}}}, retries: {{count: 1, backoff: 1s}}}}\n",
                parents.join(", ")
            ));
        }
    }
    text
}

fn needs() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..6), 1..5)
}

fn seconds(name: &str, seed: u32) -> f64 {
    let hash = name.bytes().fold(seed, |h, b| h.wrapping_mul(16_777_619) ^ u32::from(b));
    f64::from(hash % 2_000) / 100.0
}

fn figures(story: &Story) -> (Timeline, Summary) {
    let timeline = Timeline::of(&story.workflow, story.play()).expect("the engine wrote them");
    let summary = Summary::of(&story.workflow, &timeline, Extras::default());
    (timeline, summary)
}

fn check_always(story: &Story, timeline: &Timeline, s: &Summary) -> Result<(), TestCaseError> {
    let work = &s.work;
    let parts = work.useful_core_seconds
        + work.lost_core_seconds
        + work.redundant_core_seconds
        + work.running_core_seconds;
    prop_assert_eq!(work.total_core_seconds, parts);
    prop_assert!(work.utilisation.unwrap_or(0.0) <= 1.0);
    let path = CriticalPath::of(&story.workflow, timeline);
    prop_assert_eq!(path.running() + path.waits().total(), s.makespan_seconds.0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_run_without_faults_is_never_faster_than_its_lower_bound(
        needs in needs(), cpus in 2_u32..5, seed in any::<u32>(),
    ) {
        let story = Story::of(&layered(&needs), cpus, move |name, _| Deed::Run(seconds(name, seed)));
        let (timeline, s) = figures(&story);
        check_always(&story, &timeline, &s)?;
        prop_assert_eq!(s.outcome, "succeeded");
        prop_assert!(s.makespan_seconds >= s.lower_bound.seconds);
        prop_assert_eq!(s.work.total_core_seconds, s.work.useful_core_seconds);
        prop_assert_eq!(s.critical_path.waits.retry_pause_seconds.0, Duration::ZERO);
    }

    #[test]
    fn faults_do_not_break_the_sums(
        needs in needs(), cpus in 2_u32..5, seed in any::<u32>(),
        dies in 0.0_f64..40.0, away in proptest::option::of((0.0_f64..30.0, 1.0_f64..60.0)),
    ) {
        let mut story = Story::of(&layered(&needs), cpus, move |name, attempt| {
            let seconds = seconds(name, seed ^ attempt);
            if ((seconds * 100.0) as u32).is_multiple_of(4) {
                Deed::Fail(seconds, FailureCause::Exit(1))
            } else {
                Deed::Run(seconds)
            }
        });
        story.keeper_dies_at = Some(dies);
        story.away = away.map(|(from, gap)| (from, from + gap));
        let (timeline, s) = figures(&story);
        check_always(&story, &timeline, &s)?;
        let counts = &s.tasks;
        prop_assert_eq!(counts.published + counts.failed + counts.skipped, counts.selected);
    }

    #[test]
    fn progress_and_timeline_agree_after_every_record(
        needs in needs(), seed in any::<u32>(), dies in 0.0_f64..40.0,
    ) {
        let mut story = Story::of(&layered(&needs), 2, move |name, _| Deed::Run(seconds(name, seed)));
        story.keeper_dies_at = Some(dies);
        let mut progress = Progress::new(std::sync::Arc::clone(&story.workflow));
        let mut timeline = Timeline::new(&story.workflow);
        for record in story.play() {
            progress.apply(&record).expect("the engine wrote it");
            timeline.apply(&record).expect("the engine wrote it");
            let view = progress.view(record.at);
            prop_assert_eq!(view.counts, report::summary::Counts::of(&story.workflow, &timeline));
            prop_assert_eq!(view.running.len(), view.counts.running);
            prop_assert!(view.n_done <= view.counts.selected);
        }
        prop_assert_eq!(progress.state(), timeline.state());
    }
}
