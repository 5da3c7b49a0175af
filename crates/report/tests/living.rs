//! What a display of a living run is told.

mod fake;

use std::sync::Arc;

use fake::{Deed, Story, at};
use report::Progress;
use spec::Duration;

const SWEEP: &str = "
foreshard: 1
name: sweep
tasks:
  point: {foreach: {x: 1..10}, run: x, outputs: 'o/{x}'}
";

fn progress_at(story: &Story, seconds: f64) -> Progress {
    let mut progress = Progress::new(Arc::clone(&story.workflow));
    for record in story.play().iter().filter(|record| record.at <= at(seconds)) {
        progress.apply(record).expect("the engine wrote it");
    }
    progress
}

#[test]
fn a_guess_of_the_end_needs_something_to_go_by() {
    let story = Story::of(SWEEP, 2, |_, _| Deed::Run(10.0));
    let view = progress_at(&story, 5.0).view(at(5.0));
    assert_eq!((view.n_done, view.counts.running), (0, 2));
    assert_eq!(view.eta, None);
    assert_eq!(view.rate, None);
}

#[test]
fn what_is_left_is_shared_by_what_runs_at_once() {
    let story = Story::of(SWEEP, 2, |_, _| Deed::Run(10.0));
    // At 25 s, four are done and two are halfway: six times 10 s less twice 5 s, two at a time.
    let view = progress_at(&story, 25.0).view(at(25.0));
    assert_eq!((view.n_done, view.counts.running), (4, 2));
    assert_eq!(view.eta, Some(Duration::from_secs(25)));
    assert_eq!(view.rate, Some(4.0 / 25.0));
    assert_eq!(view.running[0].elapsed, Duration::from_secs(5));
}

#[test]
fn declared_estimates_serve_until_something_has_ended() {
    let text = SWEEP.replace("run: x", "run: x, estimate: 8s");
    let story = Story::of(&text, 2, |_, _| Deed::Run(10.0));
    let view = progress_at(&story, 4.0).view(at(4.0));
    // Ten times 8 s, less twice 4 s, two at a time.
    assert_eq!(view.eta, Some(Duration::from_secs(36)));
}

#[test]
fn a_run_that_is_over_has_no_end_to_guess() {
    let story = Story::of(SWEEP, 2, |_, _| Deed::Run(10.0));
    let view = progress_at(&story, 1e6).view(at(51.0));
    assert_eq!((view.n_done, view.eta), (10, None));
    assert!(view.running.is_empty());
}
