//! Bugs that are put in on purpose: the suite catches every one of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use engine::planted::Bug;
use sim::suite::planted::{catch, line};

const SEEDS_MAX: u64 = 1_000;

#[test]
fn every_planted_bug_is_caught() {
    std::panic::set_hook(Box::new(|_| {}));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut lines = Vec::new();
        while let Some(&bug) = Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
            let caught = catch(bug, SEEDS_MAX);
            lines.push((bug, caught.is_some(), line(bug, caught.as_ref())));
        }
        lines
    };
    let mut lines = std::thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    lines.sort_by_key(|(bug, ..)| *bug);
    for (.., text) in &lines {
        println!("{text}");
    }
    let missed: Vec<&str> =
        lines.iter().filter(|(_, is_caught, _)| !is_caught).map(|(bug, ..)| bug.name()).collect();
    drop(std::panic::take_hook());
    assert_eq!(missed, Vec::<&str>::new(), "bugs that nothing has caught");
    assert!(lines.len() >= 20);
}
