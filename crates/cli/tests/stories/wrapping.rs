//! Commands as a site has them run: wrapped, in images, after lines of their own.

use crate::stage::{Stage, times_run};

/// A site whose images are folders with a program in them, and whose wrap says what it wraps.
const SITE: &str = r#"
foreshard: 1
zones:
  z:
    pools: {p: {cpus: 2, memory: 2GiB}}
    wrap: [env, "WRAPPED={task} {attempt} {memory.mib}"]
    images:
      tools/*: {wrap: [env, "PATH={image}:/usr/bin:/bin", "{command}"]}
      named/*: {wrap: [env, "IMAGE={image}"], resolve: [./look-up, "{image}"]}
"#;

const WORKFLOW: &str = "\
foreshard: 1
name: wrapped
tasks:
  a: {image: tools/one, run: 'tool > {outputs}; echo $WRAPPED >> {outputs}', outputs: a}
  b: {argv: [tee, '{outputs}'], outputs: b}
";

fn stage(workflow: &str) -> Stage {
    let stage = Stage::with(&[("site.yaml", SITE), ("w.yaml", workflow)]);
    stage.write("tools/one/tool", "#!/bin/sh\necho one\n");
    stage.write("look-up", "#!/bin/sh\necho x >> looked-up\necho \"$1@sha256:1\"\n");
    for program in ["tools/one/tool", "look-up"] {
        stage.allow_to_run(program);
    }
    stage
}

const RUN: [&str; 4] = ["run", "w.yaml", "--site", "site.yaml"];

#[test]
fn a_command_runs_inside_its_image_inside_the_wrap_of_its_zone() {
    let stage = stage(WORKFLOW);
    stage.foreshard(&RUN).ends(0);
    assert_eq!(stage.read("a"), "one\na 1 0\n");
    assert_eq!(stage.read("b"), "");
    let plan = stage.foreshard(&["plan", "w.yaml", "--site", "site.yaml"]).ends(0);
    plan.prints("a: image tools/one (").prints("b: through env");
    let report = stage.foreshard(&["report", "--json"]).ends(0).json();
    let image = &report["surroundings"][0]["image"];
    assert_eq!(
        (&image["name"], image["digest"].as_str().unwrap().len()),
        (&"tools/one".into(), 64)
    );
    assert!(report["surroundings"][1]["wraps"][0]["words"].to_string().contains("WRAPPED"));
    stage.foreshard(&["report"]).ends(0).prints("a: image tools/one (");
}

#[test]
fn another_image_or_another_wrap_runs_what_it_is_about_again_and_says_why() {
    let stage = stage(WORKFLOW);
    stage.foreshard(&RUN).ends(0);
    stage.foreshard(&RUN).ends(0).says("all unchanged");
    stage.write("tools/one/more", "");
    let plan = ["plan", "w.yaml", "--site", "site.yaml"];
    let told = stage.foreshard(&plan).ends(0).prints("its image tools/one changed");
    assert!(told.out.contains("1 to run, 1 to reuse"), "{}", told.out);
    stage.foreshard(&RUN).ends(0).says("a started").says("b reused");
    stage.write("site.yaml", &SITE.replace("{attempt}", "try {attempt}"));
    stage.foreshard(&plan).ends(0).prints("2 to run").prints("its wrap of the site changed");
    stage.foreshard(&["plan", "w.yaml"]).ends(3);
}

#[test]
fn an_image_that_the_site_does_not_allow_is_refused_before_anything_runs() {
    let stage = stage(&WORKFLOW.replace("tools/one", "other/one"));
    let told = stage.foreshard(&RUN).ends(3);
    let told = told.says("zone z does not allow the image other/one");
    told.says("z allows tools/*, named/*").says("w.yaml:4");
    stage.foreshard(&["run", "w.yaml"]).ends(3).says("say in the site file");
    assert!(!stage.has(".foreshard/runs") || stage.list(".foreshard/runs").is_empty());
}

#[test]
fn a_name_that_can_change_its_meaning_needs_somebody_who_looks_it_up() {
    let stage = stage(&WORKFLOW.replace("tools/one", "tools/two"));
    stage.foreshard(&RUN).ends(3).says("neither a path nor pinned").says("`resolve`");
}

#[test]
fn a_name_is_looked_up_once_for_each_run_and_for_all_its_tasks() {
    let stage = stage(
        "foreshard: 1
name: named
tasks:
  t:
    foreach: {i: 1..5}
    image: named/x
    run: 'echo $IMAGE > {outputs}; test -e {project}/go'
    outputs: out/{i}
",
    );
    stage.foreshard(&RUN).ends(1);
    assert_eq!(times_run(&stage.path("looked-up")), 1);
    stage.write("go", "");
    stage.foreshard(&["resume", "--retry-failed"]).ends(0);
    assert_eq!(times_run(&stage.path("looked-up")), 1);
    assert_eq!(stage.read("out/5"), "named/x@sha256:1\n");
    let run = &stage.list(".foreshard/runs")[0];
    let manifest = stage.read(&format!(".foreshard/runs/{run}/run.json"));
    assert!(manifest.contains("named/x@sha256:1"), "{manifest}");
}

#[test]
fn tasks_of_one_run_do_not_run_in_two_images() {
    let stage = stage(&WORKFLOW.replace("run: '", "run: 'test -e {project}/go; "));
    stage.foreshard(&RUN).ends(1);
    stage.write("go", "");
    stage.write("tools/one/more", "");
    let told = stage.foreshard(&["resume", "--retry-failed"]).ends(2);
    told.says("the image tools/one has changed since the run began");
}

#[test]
fn the_program_of_the_site_is_not_looked_for_where_a_task_says() {
    let stage = stage(
        "foreshard: 1\nname: path\ntasks:\n  t: {run: 'echo $PATH > t', env: {PATH: /nowhere}, outputs: t}\n",
    );
    stage.foreshard(&RUN).ends(0);
    assert_eq!(stage.read("t"), "/nowhere\n");
}

#[test]
fn setup_lines_hold_for_the_command_and_their_failure_is_its_own() {
    let stage = Stage::with(&[(
        "w.yaml",
        "foreshard: 1
name: setup
defaults: {setup: [. ./env.sh, 'greet {i}'], inputs: env.sh}
tasks:
  a:
    foreach: {i: [1]}
    run: echo \"$GREETING\" > {outputs}
    outputs: a
  b:
    foreach: {i: [2]}
    argv: [tee, b]
    setup: ['. ./env.sh', 'greet \"{i} * $(pwd | wc -l)\"', 'exec < env.sh']
    outputs: b
  c: {setup: exit 3, run: touch c, foreach: {i: [3]}, outputs: c}
",
    )]);
    stage.write("env.sh", "greet() { GREETING=\"hello $1\"; export GREETING; }\n");
    let workflow = stage.read("w.yaml");
    // `inputs` is no default: each task says it.
    stage.write(
        "w.yaml",
        &workflow
            .replace(", inputs: env.sh}", "}")
            .replace("    outputs", "    inputs: env.sh\n    outputs"),
    );
    stage.foreshard(&["run", "w.yaml"]).ends(1).says("exit code 3");
    assert_eq!(stage.read("a"), "hello 1\n");
    assert_eq!(stage.read("b"), stage.read("env.sh"));
    assert!(!stage.has("c"));
}

/// Each task sees the machine but not what is kept of the run, and writes in its own folder only.
const BWRAP: &str = r#"
foreshard: 1
zones:
  z:
    pools: {p: {cpus: 4, memory: 2GiB}}
    wrap: [bwrap, --ro-bind, /, /, --dev, /dev, --proc, /proc, PIDS --tmpfs, "{project}/.foreshard",
           --bind, "{folder}", "{folder}", --chdir, "{workdir}", "{command}"]
"#;

const WRAPPED: &str = "\
foreshard: 1
name: inside
tasks:
  in: {run: 'echo given > {outputs}', outputs: in}
  fine:
    run: |
      echo \"$FORESHARD_TASK $MINE\" >&2
      test ! -e {project}/.foreshard/history.db
      if touch {project}/outside; then exit 9; fi
      (setsid sleep SECONDS &)
      cat {inputs} > {outputs}
    env: {MINE: 'a b'}
    inputs: in
    outputs: sub/fine
  slow: {run: 'setsid sleep SECONDS & sleep SECONDS', timeout: 1s, outputs: never}
  stubborn: {run: \"trap '' TERM; setsid -f sleep SECONDS; while :; do sleep 0.1; done\", timeout: 1s, outputs: no}
";

#[test]
fn in_bubblewrap_a_task_has_its_folder_environment_log_and_limits_and_leaves_nothing_running() {
    let isolates =
        std::process::Command::new("bwrap").args(["--ro-bind", "/", "/", "true"]).output();
    if !crate::stage::can_use("bwrap") || !isolates.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: bwrap can make no namespaces here");
        return;
    }
    for (pids, seconds) in [("", 98_701), ("--unshare-pid,", 98_702)] {
        let seconds = format!("{seconds}.{}", std::process::id());
        let workflow = WRAPPED.replace("SECONDS", &seconds);
        let stage = Stage::with(&[("w.yaml", &workflow)]);
        stage.write("site.yaml", &BWRAP.replace("PIDS", pids));
        let told = stage.foreshard(&RUN).ends(1);
        told.says("fine succeeded").says("slow failed").says("ran longer than its timeout");
        assert_eq!(stage.read("sub/fine"), "given\n");
        let log = stage.foreshard(&["logs", "fine", "--stderr"]).ends(0).out;
        assert!(log.contains("fine a b"), "{log}");
        assert!(!stage.has("outside"));
        assert_eq!(running_with(&seconds), [""; 0], "{pids}");
    }
}

/// Command lines of processes that hold these words.
fn running_with(words: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.filter(|line| line.contains(words)).collect()
}
