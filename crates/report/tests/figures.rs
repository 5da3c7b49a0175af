//! Figures of small runs, each worked out by hand.

mod fake;

use engine::Record;
use engine::cause::FailureCause;
use fake::{Deed, Story, at};
use report::summary::Extras;
use report::{Summary, Timeline};
use spec::Duration;

fn summary(story: &Story) -> Summary {
    let records: Vec<Record> = story.play();
    let timeline = Timeline::of(&story.workflow, &records).expect("the engine wrote them");
    Summary::of(&story.workflow, &timeline, Extras::default())
}

const DIAMOND: &str = "
foreshard: 1
name: diamond
tasks:
  top: {run: t, outputs: top.txt}
  left: {run: l, inputs: top.txt, outputs: left.txt}
  right: {run: r, inputs: top.txt, outputs: right.txt}
  bottom: {run: b, inputs: [left.txt, right.txt], outputs: bottom.txt}
";

fn diamond_deed(name: &str, _: u32) -> Deed {
    Deed::Run(match name {
        "top" => 10.0,
        "left" => 20.0,
        "right" => 5.0,
        _ => 3.0,
    })
}

#[test]
fn a_diamond_on_two_cpus_has_the_figures_of_its_longest_path() {
    let s = summary(&Story::of(DIAMOND, 2, diamond_deed));
    assert_eq!(s.outcome, "succeeded");
    // top 0-10, published 10.1; left 10.1-30.1, published 30.2; bottom 30.2-33.2.
    assert_eq!(s.makespan_seconds.0, Duration::from_millis(33_200));
    assert_eq!(s.lower_bound.longest_path_seconds.0, Duration::from_secs(33));
    assert_eq!(s.lower_bound.work_seconds.0, Duration::from_secs(19));
    assert_eq!(s.lower_bound.seconds.0, Duration::from_secs(33));
    assert_eq!(s.work.total_core_seconds.as_f64(), 38.0);
    assert_eq!(s.work.useful_core_seconds.as_f64(), 38.0);
    assert_eq!(s.work.utilisation, Some(38.0 / 66.4));
    let steps: Vec<(&str, &str)> =
        s.critical_path.steps.iter().map(|p| (p.task.name.as_str(), p.released_by)).collect();
    assert_eq!(steps, [("top", "run_start"), ("left", "dependency"), ("bottom", "dependency")]);
    assert_eq!(s.critical_path.waits.publish_seconds.0, Duration::from_millis(200));
    assert_eq!(s.critical_path.waits.overhead_seconds.0, Duration::ZERO);
}

#[test]
fn on_one_cpu_the_critical_path_goes_through_the_slot() {
    let s = summary(&Story::of(DIAMOND, 1, diamond_deed));
    // left first (longest path by ids: equal ranks), then right in the same slot.
    let steps: Vec<(&str, &str)> =
        s.critical_path.steps.iter().map(|p| (p.task.name.as_str(), p.released_by)).collect();
    let expected =
        [("top", "run_start"), ("left", "dependency"), ("right", "slot"), ("bottom", "dependency")];
    assert_eq!(steps, expected);
    assert_eq!(s.makespan_seconds.0, Duration::from_millis(38_200));
    assert_eq!(s.lower_bound.seconds.0, Duration::from_secs(38));
}

#[test]
fn a_failed_try_is_lost_work_and_its_pause_lies_on_the_path() {
    let text = "
foreshard: 1
name: flaky
tasks:
  only: {run: x, outputs: x.txt, retries: {count: 2, backoff: 4s, factor: 1}}
";
    let story = Story::of(text, 1, |_, attempt| match attempt {
        1 => Deed::Fail(6.0, FailureCause::Exit(3)),
        _ => Deed::Run(5.0),
    });
    let s = summary(&story);
    assert_eq!(s.makespan_seconds.0, Duration::from_secs(15));
    assert_eq!(s.work.lost_core_seconds.as_f64(), 6.0);
    assert_eq!(s.work.useful_core_seconds.as_f64(), 5.0);
    assert_eq!(s.n_retries, 1);
    assert_eq!((s.retries[0].kind, s.retries[0].cause.as_str()), ("failed", "exit code 3"));
    let steps = &s.critical_path.steps;
    assert_eq!(steps.iter().map(|step| step.attempt).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert_eq!(steps[1].released_by, "retry");
    assert_eq!(steps[1].waits.retry_pause_seconds.0, Duration::from_secs(4));
}

#[test]
fn a_failure_for_good_names_what_it_held_up() {
    let story = Story::of(DIAMOND, 2, |name, attempt| match name {
        "left" => Deed::Fail(2.0, FailureCause::MissingOutput(vec!["left.txt".to_owned()])),
        _ => diamond_deed(name, attempt),
    });
    let records = story.play();
    let timeline = Timeline::of(&story.workflow, records).unwrap();
    let lines = |_| vec!["no such file".to_owned()];
    let extras = Extras { error_lines: Some(&lines), ..Extras::default() };
    let s = Summary::of(&story.workflow, &timeline, extras);
    assert_eq!(s.outcome, "failed");
    assert_eq!((s.tasks.published, s.tasks.failed, s.tasks.skipped), (2, 1, 1));
    assert_eq!(s.failures[0].cause, "declared outputs are missing: left.txt");
    assert_eq!(s.failures[0].n_skipped, 1);
    assert_eq!(s.failures[0].error_lines, ["no such file"]);
    assert_eq!(s.skipped[0].because.name, "left");
}

#[test]
fn a_dead_keeper_costs_what_ran_and_not_what_waited() {
    let mut story = Story::of(DIAMOND, 2, diamond_deed);
    story.keeper_dies_at = Some(12.1);
    let s = summary(&story);
    // left and right had run for two seconds each; both start again at once.
    assert_eq!(s.work.lost_core_seconds.as_f64(), 4.0);
    assert_eq!(s.work.useful_core_seconds.as_f64(), 38.0);
    assert_eq!(s.work.n_lost_attempts, 2);
    assert_eq!(s.retries.iter().map(|r| r.kind).collect::<Vec<_>>(), ["lost", "lost"]);
    assert_eq!(s.makespan_seconds.0, Duration::from_millis(35_200));
    assert_eq!(s.critical_path.steps[2].released_by, "retry");
}

#[test]
fn time_without_an_orchestrator_is_told_apart_from_overhead() {
    let mut story = Story::of(DIAMOND, 2, diamond_deed);
    story.away = Some((5.0, 60.0));
    let s = summary(&story);
    // top ends at 10 unseen; its end is taken in at 60, published at 60.1.
    assert_eq!(s.resumes.len(), 1);
    assert_eq!(s.makespan_seconds.0, Duration::from_millis(83_200));
    assert_eq!(s.work.total_core_seconds.as_f64(), 38.0);
    assert_eq!(s.critical_path.waits.interrupted_seconds.0, Duration::from_secs(50));
    assert_eq!(s.critical_path.waits.publish_seconds.0, Duration::from_millis(200));
}

#[test]
fn reused_results_take_no_time_and_say_where_they_come_from() {
    let mut story = Story::of(DIAMOND, 2, diamond_deed);
    story.reuse = Box::new(|name| match name {
        "top" => Some(engine::input::ReuseVerdict::Unchanged {
            run: "run-7".to_owned(),
            outputs: Vec::new(),
        }),
        "left" => Some(engine::input::ReuseVerdict::Changed { why: "command changed".to_owned() }),
        _ => None,
    });
    let s = summary(&story);
    assert_eq!((s.reuse.reused, s.reuse.changed, s.reuse.new), (1, 1, 2));
    assert_eq!(s.reuse.by_run["run-7"], 1);
    assert_eq!(s.reuse.by_change["command changed"], 1);
    assert_eq!(s.tasks.reused, 1);
    assert_eq!(s.makespan_seconds.0, Duration::from_millis(23_100));
    assert_eq!(s.critical_path.steps[0].attempt, None);
}

#[test]
fn prices_are_paid_for_the_time_that_capacity_is_held() {
    let story = Story::of(DIAMOND, 2, diamond_deed);
    let timeline = Timeline::of(&story.workflow, story.play()).unwrap();
    let node = spec::Resources {
        cpus: spec::resources::MilliCpus::whole(4),
        ..spec::Resources::default()
    };
    let mut site = spec::Site::this_machine(node, "host");
    assert_eq!(report::summary::Cost::of(&site, &timeline), None);
    site.zones[0].pools[0].price_per_hour = 7.2;
    let cost = report::summary::Cost::of(&site, &timeline).unwrap();
    // Half of the zone's cpus, from the beginning to the last publish at 33.3.
    assert_eq!(cost.zones[0].held_seconds.0, Duration::from_millis(33_300));
    assert!((cost.total - 33.3 / 3_600.0 * 3.6).abs() < 1e-12);
}

#[test]
fn a_history_that_breaks_off_is_a_run_that_is_not_over() {
    let story = Story::of(DIAMOND, 2, diamond_deed);
    let records: Vec<Record> =
        story.play().into_iter().take_while(|record| record.at <= at(15.1)).collect();
    let timeline = Timeline::of(&story.workflow, &records).unwrap();
    let s = Summary::of(&story.workflow, &timeline, Extras::default());
    assert_eq!(s.outcome, "running");
    assert_eq!((s.tasks.published, s.tasks.running, s.tasks.waiting), (1, 1, 1));
    assert_eq!(s.tasks.publishing, 1);
    assert_eq!(s.work.running_core_seconds.as_f64(), 5.0);
    assert_eq!(s.makespan_seconds.0, Duration::from_millis(15_100));
}

#[test]
fn a_history_with_a_hole_is_refused_at_the_hole() {
    let story = Story::of(DIAMOND, 2, diamond_deed);
    let mut records = story.play();
    records.remove(4);
    let refused = Timeline::of(&story.workflow, &records).unwrap_err();
    assert_eq!(refused.seq, 6);
}
