//! A keeper in a process of its own, real tasks, and the two files between them.

mod kept;

use engine::cause::FailureCause;
use engine::input::Report;
use kept::Kept;
use runner::protocol::{Errand, Progress, WorkCommand, WorkPlace};
use spec::{Bytes, Duration};

/// Not a test: the body of the keeper's process, which this program starts itself as.
#[test]
fn keeper_process() {
    kept::keep_if_asked();
}

#[test]
fn a_task_is_reported_with_how_it_ended() {
    let mut kept = Kept::start(2);
    let well = kept.shell(1, "exit 0");
    let badly = kept.shell(2, "exit 7");
    let by_signal = kept.shell(3, "kill -SEGV $$");
    let nowhere = kept.work(4, WorkCommand::Argv(vec!["no-such-program".into()]));
    kept.lease([well, badly, by_signal, nowhere]);
    assert!(matches!(kept.end_of(1), Report::Committed { .. }));
    assert_eq!(kept.cause_of(2), FailureCause::Exit(7));
    assert_eq!(kept.cause_of(3), FailureCause::Signal(11));
    assert_eq!(kept.cause_of(4), FailureCause::CannotStart("no program `no-such-program`".into()));
    kept.close();
}

#[test]
fn every_report_follows_the_start_it_belongs_to_and_bye_is_last() {
    let mut kept = Kept::start(2);
    let tasks: Vec<_> = (0..200).map(|task| kept.shell(task, "true")).collect();
    kept.lease(tasks);
    let lines = kept.close();
    assert!(matches!(lines.first(), Some(Progress::Hello(_))));
    assert_eq!(lines.last(), Some(&Progress::Bye));
    let mut started = std::collections::BTreeSet::new();
    let mut ended = std::collections::BTreeSet::new();
    for line in &lines {
        match line {
            Progress::Report(Report::Started { attempt, .. }) => {
                assert!(started.insert(*attempt));
            }
            Progress::Report(Report::Committed { attempt, usage, .. }) => {
                assert!(started.contains(attempt) && ended.insert(*attempt));
                assert!(usage.ended_at >= usage.started_at && usage.memory_peak > Bytes(0));
            }
            Progress::Report(Report::Measured { .. } | Report::Capacity { .. }) => {}
            Progress::Hello(_) | Progress::Bye | Progress::Heartbeat { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((started.len(), ended.len()), (200, 200));
}

#[test]
fn a_task_finds_itself_in_its_environment() {
    let mut kept = Kept::start(1);
    let script = "echo $FORESHARD_RUN $FORESHARD_TASK $FORESHARD_ATTEMPT $FORESHARD_CPUS \
                  $FORESHARD_MEMORY $FORESHARD_ALLOCATION $COLOUR; pwd; echo $FORESHARD_PROJECT";
    let mut work = kept.shell(3, script);
    work.env = vec![("COLOUR".into(), "red".into()), ("FORESHARD_ATTEMPT".into(), "t9.9".into())];
    work.granted.memory = Bytes(1 << 30);
    kept.lease([work]);
    kept.end_of(3);
    let project = kept.project().display().to_string();
    let expected = format!("r1 task3 t3.1 1 {} r1/a1 red\n{project}\n{project}\n", 1_u64 << 30);
    assert_eq!(kept.stdout(3).unwrap(), expected);
    kept.close();
}

#[test]
fn what_a_task_wrote_is_its_own_and_silence_leaves_no_file() {
    let mut kept = Kept::start(1);
    let loud = kept.shell(1, "echo one; echo two >&2");
    let silent = kept.shell(2, "true");
    let again = kept.shell(3, "echo three");
    kept.lease([loud, silent, again]);
    kept.end_of(3);
    assert_eq!((kept.stdout(1), kept.stderr(1)), (Some("one\n".into()), Some("two\n".into())));
    assert_eq!((kept.stdout(2), kept.stderr(2)), (None, None));
    assert_eq!((kept.stdout(3), kept.stderr(3)), (Some("three\n".into()), None));
    kept.close();
}

#[test]
fn a_private_place_has_links_and_folders_and_its_outputs_are_committed() {
    let mut kept = Kept::start(1);
    std::fs::write(kept.project().join("input.txt"), "in").unwrap();
    let input = kept.project().join("input.txt").display().to_string();
    let mut work = kept.shell(1, "cat ../data/input.txt > ../out/deep/result.txt");
    work.place = WorkPlace::Private {
        workdir: "work".into(),
        links: vec![("data/input.txt".into(), input)],
        outputs: vec!["out/deep/result.txt".into()],
    };
    let mut missing = kept.shell(2, "true");
    missing.place = kept::private(&["never.txt"]);
    kept.lease([work, missing]);
    let Report::Committed { outputs, .. } = kept.end_of(1) else { panic!() };
    assert_eq!(outputs[0].path, "out/deep/result.txt");
    assert_eq!(outputs[0].size, Bytes(2));
    assert_eq!(kept.cause_of(2), FailureCause::MissingOutput(vec!["never.txt".into()]));
    assert!(kept.attempt_dir(1).exists() && kept.attempt_dir(2).exists());
    kept.close();
}

#[test]
fn a_private_place_without_outputs_goes_with_its_success_and_stays_with_its_failure() {
    let mut kept = Kept::start(1);
    let (mut well, mut badly) = (kept.shell(1, "touch x"), kept.shell(2, "touch x; exit 1"));
    well.place = kept::private(&[]);
    badly.place = kept::private(&[]);
    kept.lease([well, badly]);
    kept.end_of(2);
    assert!(!kept.attempt_dir(1).exists());
    assert!(kept.attempt_dir(2).join("x").exists());
    kept.close();
}

#[test]
fn a_task_that_ignores_the_request_to_end_is_killed_after_its_timeout() {
    let mut kept = Kept::start(1);
    let mut work = kept.shell(1, "trap '' TERM; while :; do sleep 1; done");
    work.timeout = Some(Duration::from_millis(200));
    kept.lease([work]);
    assert_eq!(kept.cause_of(1), FailureCause::Timeout(Duration::from_millis(200)));
    kept.assert_nothing_is_left();
    kept.close();
}

#[test]
fn a_task_may_clean_up_when_it_is_asked_to_end() {
    let mut kept = Kept::start(1);
    let work =
        kept.shell(1, "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done");
    kept.lease([work]);
    kept.started(1);
    kept.until(|kept| kept.slot_stdout(0).contains("ready"));
    kept.kill(1);
    assert!(matches!(kept.end_of(1), Report::Killed { .. }));
    assert_eq!(kept.stdout(1).unwrap(), "ready\nbye\n");
    kept.close();
}

#[test]
fn what_has_not_started_is_given_back_and_what_has_is_not() {
    let mut kept = Kept::start(1);
    let works = [kept.shell(1, "while [ ! -e go ]; do sleep 0.01; done"), kept.shell(2, "true")];
    kept.lease(works);
    kept.started(1);
    kept.order(Errand::Revoke(vec![kept::attempt(1), kept::attempt(2)]));
    assert!(matches!(kept.end_of(2), Report::Returned { .. }));
    std::fs::write(kept.project().join("go"), "").unwrap();
    assert!(matches!(kept.end_of(1), Report::Committed { .. }));
    kept.close();
}

#[test]
fn orders_of_an_older_orchestrator_are_refused() {
    let mut kept = Kept::start(1);
    kept.epoch(2);
    let new = kept.shell(1, "true");
    kept.lease([new]);
    kept.end_of(1);
    kept.epoch(1);
    let old = kept.shell(2, "true");
    kept.lease([old]);
    kept.epoch(2);
    let last = kept.shell(3, "true");
    kept.lease([last]);
    kept.end_of(3);
    assert!(!kept.close().iter().any(|line| {
        matches!(line, Progress::Report(Report::Started { attempt, .. }) if *attempt == kept::attempt(2))
    }));
}

#[test]
fn what_must_not_be_repeated_is_announced_before_it_starts() {
    let mut kept = Kept::start(1);
    // The task itself looks whether the line was there before it ran.
    let mut work = kept.shell(
        1,
        "grep -c starting \"$FORESHARD_PROJECT\"/.foreshard/runs/r1/allocations/a1/progress",
    );
    work.is_idempotent = false;
    kept.lease([work]);
    assert!(matches!(kept.end_of(1), Report::Committed { .. }));
    assert_eq!(kept.stdout(1).unwrap(), "1\n");
    kept.close();
}
