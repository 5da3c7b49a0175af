//! What can be typed, and the help that teaches it.

use crate::stage::{Stage, Told};

#[test]
fn an_unknown_command_is_wrong_usage_and_the_nearest_is_named() {
    let stage = Stage::with(&[]);
    stage.foreshard(&["statsu"]).ends(2).says("status");
    stage.foreshard(&["run"]).ends(2).says("FILE");
    stage.foreshard(&["run", "w.yaml", "--param", "x"]).ends(2).says("NAME=VALUE");
}

#[test]
fn help_is_an_answer_and_not_a_mistake() {
    let stage = Stage::with(&[]);
    stage.foreshard(&["--help"]).ends(0).prints("Examples:").prints("resume");
    stage.foreshard(&["help", "run"]).ends(0).prints("--fail-fast");
    stage.foreshard(&["--version"]).ends(0).prints(env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_hidden_commands_stay_hidden() {
    let help = Stage::with(&[]).foreshard(&["--help"]).ends(0).out;
    assert!(!help.contains("shard-exec") && !help.contains("replay-task"), "{help}");
}

#[test]
fn the_proving_ground_plays_seeds_and_says_what_struck() {
    let stage = Stage::with(&[]);
    let words = ["sim", "faults", "--seeds", "20", "--tasks", "20", "--without", "clock"];
    let told = stage.foreshard(&words).ends(0).prints("20 seeds, 0 violations");
    let told = told.prints("orchestrator crash").prints(" 0  clock jump");
    assert_eq!(stage.foreshard(&words).ends(0).out, told.out, "the same seeds, the same words");
    stage.foreshard(&["sim", "faults", "--without", "weather"]).ends(2).says("orchestrator");
}

#[test]
fn exit_codes_can_be_looked_up() {
    let stage = Stage::with(&[]);
    let helped = stage.foreshard(&["help", "exit-codes"]).ends(0).out;
    let printed = stage.foreshard(&["exit-codes"]).ends(0).out;
    assert_eq!(helped.trim_end(), printed.trim_end());
    assert!(printed.contains("  5  interrupted"), "{printed}");
}

#[test]
fn each_shell_gets_completions_that_know_the_commands() {
    let stage = Stage::with(&[]);
    for shell in ["bash", "zsh", "fish"] {
        stage.foreshard(&["completions", shell]).ends(0).prints("resume").prints("retry-failed");
    }
}

#[test]
fn each_command_gets_a_manual_page() {
    let stage = Stage::with(&[]);
    stage.foreshard(&["man", "--dir", "man"]).ends(0);
    for page in ["foreshard.1", "foreshard-run.1", "foreshard-site-show.1"] {
        assert!(stage.read(&format!("man/{page}")).contains(".TH"), "{page}");
    }
    assert!(!stage.has("man/foreshard-shard-exec.1"));
    stage.foreshard(&["man"]).ends(0).prints(".TH");
}

#[test]
fn colours_are_for_those_who_ask_or_look() {
    let stage = Stage::with(&[("w.yaml", "foreshard: 1\ntasks: 3\n")]);
    let escape = "\u{1b}[";
    let piped = stage.foreshard(&["check", "w.yaml"]).ends(2);
    assert!(!piped.err.contains(escape), "{}", piped.err);
    let asked = stage.foreshard(&["check", "w.yaml", "--color", "always"]).ends(2);
    assert!(asked.err.contains(escape), "{}", asked.err);
    let mut command = stage.command(&["check", "w.yaml"]);
    command.env("NO_COLOR", "1");
    let refused = Told::of(command).ends(2);
    assert_eq!(refused.err, piped.err);
}

#[test]
fn without_a_run_there_is_a_hint_how_to_start_one() {
    let stage = Stage::with(&[]);
    for command in ["status", "report", "resume", "cancel", "logs", "export"] {
        stage.foreshard(&[command]).ends(2).says("no runs yet").says("hint: `foreshard run FILE`");
    }
    let told = stage.foreshard(&["runs"]).ends(0).says("no runs yet");
    assert_eq!(told.out, "");
    assert_eq!(stage.foreshard(&["runs", "--json"]).ends(0).json(), serde_json::json!([]));
}

#[test]
fn a_reader_that_goes_away_is_nobodys_mistake() {
    use std::process::{Command, Stdio};
    let stage = Stage::with(&[]);
    let mut schema = stage.command(&["schema", "workflow"]);
    let mut child = schema.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // `true` reads nothing; its end of the pipe closes with it.
    let reader = child.stdout.take().unwrap();
    Command::new("true").stdin(reader).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
}
