//! Twenty secrets that tasks show in every way they can: nothing that is kept or said holds one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::stage::{Stage, Told};

const N: usize = 20;

/// Shorter forms are in any text.
const BEGINNING: usize = 5;

/// What people and machines make up, with every character that some encoding treats differently.
fn secrets() -> [String; N] {
    [
        "4f2k".to_owned(),
        "hunter2-and-more".to_owned(),
        "-leading-dash".to_owned(),
        "two words and\ta tab".to_owned(),
        "quotes ' and \" and `".to_owned(),
        r"back\slash\n\\end".to_owned(),
        "p@ss:w/rd?a=b&c=d+e%20#f".to_owned(),
        "<script>alert('&amp;')</script>".to_owned(),
        "$HOME $(id) ${x} %s {params.x}".to_owned(),
        "žluťoučký kůň úpěl".to_owned(),
        "🔑 schlüssel \u{7f}".to_owned(),
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P".to_owned(),
        "ghp_".to_owned() + &"aB3dE5gH7".repeat(5),
        "AKIA/wJalrXUtnFEMI+K7MDENG==".to_owned(),
        format!("-----BEGIN KEY-----\n{}\n-----END KEY-----", "MIIEpAIBAAKCAQEA7\n".repeat(9)),
        r#"{"user": "me", "password": "in json"}"#.to_owned(),
        "aaaaaaaaaaaaaaaa".to_owned(),
        "abababababababab".to_owned(),
        "0123456789abcdef".repeat(16),
        "***masked***?".to_owned(),
    ]
}

/// Some are kept in the environment, some in files, some are printed by a program.
fn stage() -> Stage {
    let stage = Stage::with(&[("leak.py", include_str!("leak.py"))]);
    let mut places = String::new();
    for (i, secret) in secrets().iter().enumerate() {
        places += &match i % 3 {
            0 => format!("  S{i}: {{env: KEPT_{i}}}\n"),
            1 => format!("  S{i}: {{file: kept/{i}}}\n"),
            _ => format!("  S{i}: {{command: [cat, kept/{i}]}}\n"),
        };
        stage.write(&format!("kept/{i}"), &format!("{secret}\n"));
        stage.allow(&format!("kept/{i}"), 0o600);
    }
    let names: Vec<String> = (0..N).map(|i| format!("S{i}")).collect();
    let names = names.join(", ");
    let shown = stage.path("shown");
    stage.write(
        "w.yaml",
        &format!(
            "foreshard: 1
name: secrets
secrets:
{places}
defaults: {{env: {{SHOWN: {shown:?}}}}}
tasks:
  show:
    run: 'python3 leak.py show; touch {{outputs}}'
    secrets: [{names}]
    inputs: leak.py
    outputs: show.txt
  split: {{argv: [python3, leak.py, split], secrets: [{names}]}}
  around: {{argv: [python3, leak.py, look_around], secrets: [{names}]}}
  other: {{run: 'env; ! env | grep -q ^S1=', needs: show}}
  cut: {{foreach: {{i: 0..19}}, argv: [python3, leak.py, cut, '{{i}}'], secrets: [{names}]}}
  throw:
    foreach: {{i: 0..19}}
    run: python3 leak.py throw {{i}}
    secrets: [{names}]
    inputs: leak.py
    outputs: never/{{i}}
  name:
    foreach: {{i: 0..19}}
    run: mkdir -p made/{{i}}; python3 leak.py name {{i}} made/{{i}}
    secrets: [{names}]
    inputs: leak.py
    outputs: made/{{i}}/*
"
        ),
    );
    stage
}

fn with_environment(stage: &Stage, words: &[&str]) -> Told {
    let mut command = stage.command(words);
    for (i, secret) in secrets().iter().enumerate().filter(|(i, _)| i % 3 == 0) {
        command.env(format!("KEPT_{i}"), secret);
    }
    Told::of(command)
}

#[test]
fn twenty_secrets_shown_in_every_way_are_found_nowhere() {
    if !crate::stage::can_use("python3") {
        return;
    }
    let stage = stage();
    let run = with_environment(&stage, &["run", "w.yaml", "--json"]).ends(1);
    let run_id = stage.list(".foreshard/runs").remove(0);
    let export = stage.path("export.json").display().to_string();
    let page = stage.path("page.html").display().to_string();
    let mut said = vec![run];
    for words in [
        &["plan", "w.yaml"][..],
        &["check", "w.yaml"],
        &["status"],
        &["runs"],
        &["report"],
        &["report", "--json"],
        &["report", "--html", &page],
        &["logs"],
        &["logs", "show"],
        &["logs", "split"],
        &["logs", "--command", "show"],
        &["logs", "--failed"],
        &["why", "show"],
        &["why", "throw"],
        &["diff", &run_id, &run_id],
        &["export", "-o", &export],
        &["graph", "w.yaml"],
        &["journal", "verify"],
    ] {
        said.push(with_environment(&stage, words));
    }
    // They ran as they were meant to: each form was shown, and stands masked in the log.
    let log = stage.foreshard(&["logs", "show", "--stdout", "--run", &run_id]).ends(0).out;
    assert!(log.lines().filter(|line| line.contains("***")).count() > 300, "{log}");
    let state = stage.foreshard(&["report", "--json", &run_id]).ends(0).out;
    assert!(
        state.contains("has a secret in its name") && !state.contains("exit code 9"),
        "{state}"
    );

    let forms = forms(&stage);
    assert!(forms.len() > 200, "{}", forms.len());
    for told in &said {
        check(&forms, "what was printed", told.out.as_bytes());
        check(&forms, "what was said", told.err.as_bytes());
    }
    check_files(&forms, &stage.path(".foreshard"));
    for file in [export, page].iter().filter(|file| Path::new(file).exists()) {
        check(&forms, file, &std::fs::read(file).unwrap());
    }
}

/// The values, and everything that tasks say they have shown.
fn forms(stage: &Stage) -> BTreeSet<Vec<u8>> {
    let digits = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let shown = stage.read("shown");
    let shown = shown.lines().map(|line| line.as_bytes().chunks(2).map(digits).collect());
    let values = secrets().map(String::into_bytes);
    values.into_iter().chain(shown).filter(|form: &Vec<u8>| form.len() >= BEGINNING).collect()
}

fn check(forms: &BTreeSet<Vec<u8>>, place: &str, text: &[u8]) {
    let mut by_beginning: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
    for form in forms {
        by_beginning.entry(&form[..BEGINNING]).or_default().push(form);
    }
    for at in 0..text.len().saturating_sub(BEGINNING) {
        let mut candidates = by_beginning.get(&text[at..at + BEGINNING]).into_iter().flatten();
        if let Some(form) = candidates.find(|form| text[at..].starts_with(form)) {
            let around = &text[at.saturating_sub(60)..(at + form.len() + 20).min(text.len())];
            panic!(
                "{:?} is in {place}: {:?}",
                String::from_utf8_lossy(form),
                String::from_utf8_lossy(around)
            );
        }
    }
}

fn check_files(forms: &BTreeSet<Vec<u8>>, folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        }
        check(forms, "a name of a file", path.as_os_str().as_encoded_bytes());
        if path.is_dir() {
            check_files(forms, &path);
        } else {
            check(forms, &path.display().to_string(), &std::fs::read(&path).unwrap());
        }
    }
}

#[test]
fn a_secret_that_cannot_be_had_is_told_without_its_value() {
    let stage = Stage::with(&[(
        "w.yaml",
        "foreshard: 1
name: none
secrets:
  UNSET: {env: NO_SUCH_VARIABLE}
  OPEN: {file: open}
  GONE: {file: gone}
  PIPE: {file: pipe}
  SHORT: {file: short}
  FAILS: {command: [sh, -c, 'cat kept; exit 3']}
  LONG: {command: [sh, -c, 'yes hunter2']}
  MISSING: {command: [no-such-program]}
tasks:
  t1: {run: ':', secrets: UNSET}
  t2: {run: ':', secrets: OPEN}
  t3: {run: ':', secrets: GONE}
  t4: {run: ':', secrets: PIPE}
  t5: {run: ':', secrets: SHORT}
  t6: {run: ':', secrets: FAILS}
  t7: {run: ':', secrets: LONG}
  t8: {run: ':', secrets: MISSING}
",
    )]);
    stage.write("open", "hunter2-is-it");
    stage.allow("open", 0o644);
    stage.write("kept", "hunter2-is-it");
    stage.write("short", "hun\n");
    stage.allow("short", 0o600);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        stage.path("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let mut told = stage.foreshard(&["run", "w.yaml"]).ends(1);
    told.err += &stage.foreshard(&["report"]).ends(0).out;
    for words in [
        "its secret UNSET cannot be read: the variable NO_SUCH_VARIABLE is not set",
        "its secret OPEN cannot be read from open: everybody may read",
        "its secret GONE cannot be read from gone: No such file",
        "its secret PIPE cannot be read from pipe: it is not a file",
        "its secret SHORT has less than 4 bytes",
        "its secret FAILS cannot be had: `sh` ended with exit status: 3",
        "its secret LONG cannot be had: `sh` printed more than",
        "its secret MISSING cannot be had: `no-such-program` cannot be run",
    ] {
        assert!(told.err.contains(words), "no `{words}` in\n{}", told.err);
    }
    assert!(!told.err.contains("hunter2"), "{}", told.err);
    check_files(&BTreeSet::from([b"hunter2-is-it".to_vec()]), &stage.path(".foreshard/runs"));
}

#[test]
fn a_program_that_prints_a_secret_is_asked_once_for_many_tasks() {
    let stage = Stage::with(&[(
        "w.yaml",
        "foreshard: 1
name: asked
secrets: {TOKEN: {command: [sh, -c, 'echo x >> asked; echo token-$(wc -l < asked)']}}
tasks:
  t: {foreach: {i: 1..9}, run: 'test \"$TOKEN\" = token-1; echo \"$TOKEN\"', secrets: TOKEN}
",
    )]);
    stage.foreshard(&["run", "w.yaml"]).ends(0);
    assert_eq!(crate::stage::times_run(&stage.path("asked")), 1);
    stage.foreshard(&["logs", "t[1]"]).ends(0).prints("***\n");
}
