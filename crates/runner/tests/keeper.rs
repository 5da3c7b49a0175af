//! A keeper in a process of its own, real tasks, and the two files between them.

mod kept;

use std::process::Command;

use engine::cause::FailureCause;
use engine::input::Report;
use kept::{Kept, Limits};
use runner::process;
use runner::protocol::{Errand, Progress, WorkCommand, WorkPlace};
use rustix::process::Signal;
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

/// Containers start their first process this way: its session and group are numbers of another
/// pid namespace, and 0 in this one.
#[test]
fn a_keeper_in_a_pid_namespace_whose_session_is_outside_keeps_its_tasks() {
    let namespace = ["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"];
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(namespace);
        command
    };
    if !unshare().arg("true").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no pid namespaces for this user here");
        return;
    }
    let story = ["--exact", "a_task_is_reported_with_how_it_ended"];
    let output = unshare().arg(std::env::current_exe().unwrap()).args(story).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
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
    let (run, project) = (kept.run(), kept.project().display().to_string());
    let memory = 1_u64 << 30;
    let expected = format!("{run} task3 t3.1 1 {memory} {run}/a1 red\n{project}\n{project}\n");
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
    let mut work =
        kept.shell(1, "grep -c starting .foreshard/runs/$FORESHARD_RUN/allocations/a1/progress");
    work.is_idempotent = false;
    kept.lease([work]);
    assert!(matches!(kept.end_of(1), Report::Committed { .. }));
    assert_eq!(kept.stdout(1).unwrap(), "1\n");
    kept.close();
}

#[test]
fn a_daemon_is_dead_before_its_task_is_reported() {
    let mut kept = Kept::start(1);
    // Two forks and a session of its own; the task ends only when the daemon is there.
    let script = "(setsid sh -c 'echo $$ > daemon; exec sleep 600' &) ; \
                  while [ ! -s daemon ]; do sleep 0.01; done";
    let work = kept.shell(1, script);
    kept.lease([work]);
    assert!(matches!(kept.end_of(1), Report::Committed { .. }));
    kept.assert_nothing_is_left();
    kept.close();
}

#[test]
fn a_daemon_that_hides_where_it_comes_from_is_dead_too() {
    let mut kept = Kept::start(1);
    let script = "(env -i setsid /bin/sh -c 'echo $$ > daemon; exec sleep 600' &) ; \
                  while [ ! -s daemon ]; do sleep 0.01; done";
    let work = kept.shell(1, script);
    kept.lease([work]);
    kept.end_of(1);
    assert!(!kept.is_alive("daemon"));
    kept.close();
}

#[test]
fn the_daemon_of_one_task_dies_with_it_and_that_of_another_lives_on() {
    let mut kept = Kept::start(2);
    let daemon = |name: &str| {
        format!(
            "(setsid sh -c 'echo $$ > {name}; exec sleep 600' &) ; \
             while [ ! -s {name} ]; do sleep 0.01; done; "
        )
    };
    let first = kept.shell(1, &daemon("first"));
    let second = kept.shell(2, &(daemon("second") + "while [ ! -e go ]; do sleep 0.01; done"));
    kept.lease([first, second]);
    kept.end_of(1);
    kept.until(|kept| kept.project().join("second").exists());
    assert!(!kept.is_alive("first") && kept.is_alive("second"));
    std::fs::write(kept.project().join("go"), "").unwrap();
    kept.end_of(2);
    assert!(!kept.is_alive("second"));
    kept.close();
}

#[test]
fn what_a_surviving_child_writes_after_the_end_is_not_committed() {
    let mut kept = Kept::start(1);
    // The child rewrites the output for as long as it lives, and never with what the task wrote.
    let script = "(setsid sh -c 'echo $$ > writing; while :; do echo late >> out.txt; done' &) ; \
                  while [ ! -s writing ]; do sleep 0.01; done; echo done >> out.txt";
    let mut work = kept.shell(1, script);
    work.place = kept::private(&["out.txt"]);
    kept.lease([work]);
    let Report::Committed { outputs, .. } = kept.end_of(1) else { panic!() };
    kept.assert_nothing_is_left();
    let now = std::fs::read(kept.attempt_dir(1).join("out.txt")).unwrap();
    assert_eq!(outputs[0].digest, spec::Digest::of(&now));
    kept.close();
}

#[test]
fn a_task_that_multiplies_dies_with_all_its_descendants() {
    let mut kept = Kept::start(1);
    // 127 in all, bounded by their depth: each waits for its children, and the task for nobody.
    let script = "fork() { [ $1 -eq 0 ] && exec sleep 600; fork $(($1 - 1)) & fork $(($1 - 1)) & \
                  wait; }; (fork 6) & sleep 0.2; exit 0";
    let work = kept.shell(1, script);
    kept.lease([work]);
    kept.end_of(1);
    kept.assert_nothing_is_left();
    kept.close();
}

#[test]
fn a_family_that_goes_on_in_ever_new_sessions_is_killed() {
    let mut kept = Kept::start(1);
    // Each member starts one successor in a session of its own and ends: there is never more than
    // a handful, none is where it was seen, and after 2,000 the family dies out by itself.
    let successor = "[ $1 -gt 0 ] && setsid sh spread.sh $(($1 - 1)) & sleep 0.02";
    std::fs::write(kept.project().join("spread.sh"), successor).unwrap();
    let work = kept.shell(1, "for i in 1 2 3; do sh spread.sh 2000 & done; sleep 0.3; exit 0");
    kept.lease([work]);
    kept.end_of(1);
    kept.assert_nothing_is_left();
    kept.close();
}

/// Holds so many bytes: `tail` keeps what it may have to print, and then nobody reads it.
fn hog(bytes: u64) -> String {
    format!("head -c {bytes} /dev/zero | tail -c {bytes} | sleep 600")
}

/// The task as a whole dies, also where one of its processes would have gone on; its neighbour
/// does not notice.
fn the_offender_is_killed_alone(limits: Limits) {
    let mut kept = Kept::start_limiting(2, limits);
    let script = format!("({}) || true; sleep 600", hog(400_000_000));
    let mut offender = kept.shell(1, &script);
    offender.granted.memory = Bytes(100_000_000);
    let mut neighbour = kept.shell(2, "while [ ! -e enough ]; do sleep 0.05; done; echo untouched");
    neighbour.granted.memory = Bytes(100_000_000);
    kept.lease([offender, neighbour]);
    let FailureCause::OutOfMemory { granted, used, .. } = kept.cause_of(1) else { panic!() };
    assert!(granted == Bytes(100_000_000) && used >= granted);
    std::fs::write(kept.project().join("enough"), "").expect("a folder of our own");
    assert!(matches!(kept.end_of(2), Report::Committed { .. }));
    assert_eq!(kept.stdout(2).as_deref(), Some("untouched\n"));
    kept.assert_nothing_is_left();
    kept.close();
}

#[test]
fn by_the_kernel_if_it_lets_us_a_task_that_outgrows_its_memory_is_killed_alone() {
    the_offender_is_killed_alone(Limits::ByKernel);
}

#[test]
fn by_sampling_a_task_that_outgrows_its_memory_is_killed_alone() {
    the_offender_is_killed_alone(Limits::BySampling);
}

#[test]
fn within_its_memory_a_task_is_what_it_would_be_without_a_limit_and_its_peak_is_known() {
    for limits in [Limits::ByKernel, Limits::BySampling] {
        let mut kept = Kept::start_limiting(1, limits);
        let limited = |mut work: runner::protocol::Work| {
            work.granted.memory = Bytes(1 << 30);
            work
        };
        let n = "60000000";
        let holds = limited(kept.shell(1, &format!("head -c {n} /dev/zero | tail -c {n} | wc -c")));
        let argv = ["sh", "-c", "echo \"$0\" \"$1\"; exit 3", "a b", "'$x\""].map(str::to_owned);
        let argv = limited(kept.work(2, WorkCommand::Argv(argv.into())));
        let nowhere = limited(kept.work(3, WorkCommand::Argv(vec!["no-such-program".into()])));
        let fails = limited(kept.shell(4, "# a comment\nno-such-program\necho goes on"));
        kept.lease([holds, argv, nowhere, fails]);
        let Report::Committed { usage, .. } = kept.end_of(1) else { panic!() };
        let peak = usage.memory_peak.0;
        assert!((60_000_000..400_000_000).contains(&peak), "{peak} {limits:?}");
        assert_eq!(kept.cause_of(2), FailureCause::Exit(3));
        assert_eq!(kept.stdout(2).as_deref(), Some("a b '$x\"\n"));
        let why = "no program `no-such-program`".to_owned();
        assert_eq!(kept.cause_of(3), FailureCause::CannotStart(why));
        assert_eq!(kept.cause_of(4), FailureCause::Exit(127));
        let (said, printed) = (kept.stderr(4).unwrap(), kept.stdout(4));
        assert!(said.contains(" 2: no-such") && printed.is_none(), "{said} {printed:?}");
        kept.close();
    }
}

#[test]
fn files_that_the_kernel_keeps_in_memory_are_not_what_a_task_needs() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let stat = rustix::fs::statfs(dir.path()).unwrap();
    if stat.f_type == libc::TMPFS_MAGIC {
        eprintln!("skipped: files are nowhere but in memory here");
        return;
    }
    for limits in [Limits::ByKernel, Limits::BySampling] {
        let mut kept = Kept::start_limiting(1, limits);
        let file = dir.path().join("file").display().to_string();
        let mut work =
            kept.shell(1, &format!("head -c 100000000 /dev/zero > {file}; cat {file} | wc -c"));
        work.granted.memory = Bytes(64 << 20);
        kept.lease([work]);
        let Report::Committed { usage, .. } = kept.end_of(1) else { panic!("{limits:?}") };
        assert!(usage.memory_peak < Bytes(48 << 20), "{} {limits:?}", usage.memory_peak);
        kept.close();
    }
}

#[test]
fn a_task_with_a_limit_that_somebody_kills_has_not_run_out_of_memory() {
    let mut kept = Kept::start_limiting(1, Limits::ByKernel);
    let mut dies = kept.shell(1, "kill -KILL $$");
    dies.granted.memory = Bytes(1 << 30);
    kept.lease([dies]);
    assert_eq!(kept.cause_of(1), FailureCause::Signal(9));
    kept.close();
}

#[test]
fn an_interrupt_from_the_terminal_reaches_neither_keeper_nor_task_and_tasks_can_still_be_interrupted()
 {
    let mut kept = Kept::start(1);
    let work =
        kept.shell(1, "trap 'echo caught; exit 0' INT; echo ready; while :; do sleep 0.01; done");
    kept.lease([work]);
    let pid = kept.started(1);
    kept.until(|kept| kept.slot_stdout(0).contains("ready"));
    kept::send(kept.pid(), Signal::INT);
    kept::send(kept.pid(), Signal::HUP);
    let stat = process::Stat::of(kept.pid()).unwrap();
    assert_eq!((stat.session, stat.group), (kept.pid(), kept.pid()));
    assert!(process::Stat::of(pid).is_some_and(|stat| !stat.is_dead()));
    kept::send(pid, Signal::INT);
    assert!(matches!(kept.end_of(1), Report::Committed { .. }));
    assert_eq!(kept.stdout(1).unwrap(), "ready\ncaught\n");
    kept.close();
}

#[test]
fn tasks_die_with_their_keeper() {
    let mut kept = Kept::start(2);
    let plain = kept.shell(1, "sleep 600 & sleep 600");
    let daemon = kept.shell(2, "(setsid sleep 600 &); sleep 600");
    kept.lease([plain, daemon]);
    kept.started(1);
    kept.started(2);
    kept.kill_keeper();
    kept.kill_allocation();
    kept.assert_nothing_is_left();
}

#[test]
fn a_keeper_that_is_asked_to_end_takes_its_tasks_along_and_says_no_bye() {
    let mut kept = Kept::start(1);
    let work = kept.shell(1, "(setsid sleep 600 &); trap '' TERM; sleep 600");
    kept.lease([work]);
    kept.started(1);
    kept::send(kept.pid(), Signal::TERM);
    let lines = kept.wait();
    kept.assert_nothing_is_left();
    // Nor is it the task's failure.
    let last =
        lines.iter().rfind(|line| !matches!(line, Progress::Report(Report::Measured { .. })));
    assert!(matches!(last, Some(Progress::Report(Report::Started { .. }))), "{lines:?}");
}

#[test]
fn a_shutdown_that_reaches_a_task_before_its_keeper_is_not_the_task_s_failure() {
    let mut kept = Kept::start(1);
    let work = kept.shell(1, "exec sleep 600");
    kept.lease([work]);
    let pid = kept.started(1);
    // The keeper sees both at the same moment.
    kept::send(kept.pid(), Signal::STOP);
    kept::send(pid, Signal::TERM);
    kept::send(kept.pid(), Signal::TERM);
    kept::send(kept.pid(), Signal::CONT);
    let lines = kept.wait();
    let is_failed = |line: &Progress| matches!(line, Progress::Report(Report::Failed { .. }));
    assert!(!lines.iter().any(is_failed));
}

#[test]
fn an_allocation_is_kept_once() {
    let mut kept = Kept::start(1);
    let mut second = kept.start_again();
    assert!(!second.wait().unwrap().success());
    kept.close();
}

#[test]
fn a_keeper_lets_go_of_what_it_does_not_need_and_gets_it_back_when_it_does() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = dir.path().join("ledger.db").display().to_string();
    let mut first = Kept::start_sharing(2, &ledger);
    let mut second = Kept::start_sharing(2, &ledger);
    first.may_use(0);
    for kept in [&mut first, &mut second] {
        let works = [kept.shell(1, "true"), kept.shell(2, "true"), kept.shell(3, "true")];
        kept.lease(works);
        for task in 1..=3 {
            assert!(matches!(kept.end_of(task), Report::Committed { .. }));
        }
    }
    first.close();
    second.close();
}
