//! What is too long, too large, empty or endless: refused or stopped, and nothing else suffers.

use std::process::Command;

use crate::stage::{Stage, Told, can_use};

#[test]
fn what_the_system_would_not_pass_on_is_refused_with_the_limit() {
    let long = "x".repeat(10_000_000);
    let stage = Stage::with(&[]);
    let value =
        format!("foreshard: 1\nname: w\nparams: {{p: {long}}}\ntasks: {{t: {{run: ':'}}}}\n");
    stage.write("w.yaml", &value);
    stage.foreshard(&["run", "w.yaml"]).ends(2).says("at most 131072");

    // Each variable and each argument can be passed on; all together cannot.
    let part = "x".repeat(120_000);
    let env: String = (0..8).map(|i| format!("V{i}: {part}, ")).collect();
    let argv = [part.as_str(); 8].join(", ");
    let both = format!(
        "foreshard: 1\nname: w\ntasks:\n  env: {{run: ':', env: {{{env}}}}}\n  argv: {{argv: ['true', {argv}]}}\n  \
         both: {{argv: ['true', {argv}], env: {{{env}}}}}\n"
    );
    stage.write("w.yaml", &both);
    let told = stage.foreshard(&["run", "w.yaml"]).ends(1);
    told.says("failed: 2 of 3 tasks done").says("both failed").says("at most 1800000 (ARG_MAX)");
}

#[test]
fn an_empty_output_is_a_failure_where_a_task_says_so() {
    let stage = Stage::with(&[(
        "w.yaml",
        "foreshard: 1
name: empty
defaults: {empty_outputs: false}
tasks:
  file: {run: ': > {outputs}', outputs: a}
  folder: {run: 'mkdir -p {outputs}; : > {outputs}/x', outputs: b/}
  full: {run: 'echo x > {outputs}', outputs: c}
  marker: {run: 'touch {outputs}', outputs: d, empty_outputs: true}
",
    )]);
    let told = stage.foreshard(&["run", "w.yaml"]).ends(1);
    told.says("output a is empty").says("output b/ is empty");
    assert!(!stage.has("a") && !stage.has("b") && stage.has("c") && stage.has("d"));
}

#[test]
fn outputs_that_are_no_plain_files_are_refused_and_never_waited_for() {
    if !can_use("python3") {
        return;
    }
    let bind = "import socket; socket.socket(socket.AF_UNIX).bind('socket')";
    let kinds = [
        ("pipe", "mkfifo {outputs}", "is a named pipe"),
        ("socket", &*format!("python3 -c \"{bind}\""), "is a socket"),
        ("link", "ln -s /etc/passwd {outputs}", "is a symbolic link"),
        ("hard", "ln {project}/w.yaml {outputs}", "is a hard link"),
        ("setuid", "touch {outputs}; chmod u+s {outputs}", "is setuid"),
        ("sparse", "truncate -s 1T {outputs}", "is sparse: 1099511627776 bytes"),
        (
            "deep/",
            "p={outputs}; i=0; while [ $i -lt 200 ]; do p=$p/d; i=$((i+1)); done; mkdir -p $p",
            "deeper than",
        ),
        ("pipes/", "mkdir -p {outputs}; mkfifo {outputs}/p", "is a named pipe"),
        ("around/", "rmdir around; ln -s / around", "is a symbolic link"),
    ];
    let mut workflow = "foreshard: 1\nname: kinds\ntasks:\n".to_owned();
    for (output, run, _) in kinds {
        let name = output.trim_end_matches('/');
        workflow += &format!(
            "  {name}:\n    run: |\n      {run}\n    outputs: {output}\n    timeout: 60s\n"
        );
    }
    let stage = Stage::with(&[("w.yaml", &workflow)]);
    let told = stage.foreshard(&["run", "w.yaml"]).ends(1);
    for (output, _, why) in kinds {
        let line = told.err.lines().find(|line| line.contains(&format!("output {output}")));
        assert!(line.is_some_and(|line| line.contains(why)), "{output}: {why}\n{}", told.err);
        assert!(!stage.has(output.trim_end_matches('/')), "{output}");
    }
}

/// Writes one to three gigabytes, and takes them away again.
#[test]
fn a_log_without_end_is_stopped_and_others_do_not_notice() {
    let stage = Stage::with(&[(
        "w.yaml",
        "foreshard: 1
name: log
tasks:
  endless: {run: 'yes', timeout: 120s}
  other: {run: 'sleep 1; echo fine > {outputs}', outputs: other}
",
    )]);
    let disk = rustix::fs::statvfs(stage.path(".")).unwrap();
    if disk.f_bavail * disk.f_frsize < 16 << 30 {
        eprintln!("skipped: there are no 16 GiB to spare");
        return;
    }
    let told = stage.foreshard(&["run", "w.yaml", "-j", "2"]).ends(1);
    told.says("endless failed: wrote more than 1 GiB of log").says("other succeeded");
    stage.foreshard(&["logs", "endless", "--lines", "2"]).ends(0).prints("y\ny");
}

#[test]
fn a_disk_that_a_task_fills_stops_the_run_in_order_and_with_room_again_it_goes_on() {
    let workflow = "foreshard: 1
name: full
tasks:
  hog:
    run: |
      mkdir -p {outputs}; if ! test -e {project}/room; then HOG; fi
    outputs: hog/
    priority: 1
  first: {run: 'echo fine > {outputs}', outputs: first, inputs: w.yaml}
  last: {run: 'cat {inputs} > {outputs}', outputs: last, inputs: first}
";
    // Bounded by the file system: 24 MB and 400 names.
    let script = "mount -t tmpfs -o size=24m,nr_inodes=400 none disk && cp w.yaml disk/ && cd disk || exit 99
        \"$FORESHARD\" run w.yaml -j 1; echo \"ended with $?\"
        rm -rf .foreshard/runs/*/attempts/*; touch room
        # What failed on the full disk is taken in first, and then tried again.
        \"$FORESHARD\" resume; \"$FORESHARD\" resume --retry-failed; code=$?; cat last; exit $code";
    for hog in [
        "cat /dev/zero > {outputs}/bytes",
        "i=0; while [ $i -lt 5000 ]; do printf x > {outputs}/$i; i=$((i+1)); done",
        "yes > {outputs}/a | yes",
    ] {
        let stage = Stage::with(&[("w.yaml", &workflow.replace("HOG", hog))]);
        let Some(told) = in_own_mounts(&stage, script) else { return };
        let told = told.ends(0).prints("fine\n");
        let ended = told.out.lines().next().unwrap_or_default();
        assert!(["ended with 1", "ended with 7"].contains(&ended), "{hog}: {ended}\n{}", told.err);
        assert!(!told.err.contains("panicked"), "{}", told.err);
    }
}

/// Runs a script in a mount namespace of its own, if that can be had.
fn in_own_mounts(stage: &Stage, script: &str) -> Option<Told> {
    if !can_use("unshare") {
        return None;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount"]);
        command
    };
    std::fs::create_dir(stage.path("disk")).unwrap();
    let mut mount = unshare();
    mount.args(["mount", "-t", "tmpfs", "none"]).arg(stage.path("disk"));
    if !mount.output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: nothing can be mounted in a namespace of this user here");
        return None;
    }
    let mut command = unshare();
    command.args(["sh", "-c", script]).current_dir(stage.path("."));
    command.env("FORESHARD", env!("CARGO_BIN_EXE_foreshard")).env("FORESHARD_LEDGER", "none");
    Some(Told::of(command))
}
