//! What commands are surrounded by: setup lines, images, secrets, and the wraps of a site.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;

use spec::command::{Bindings, RenderedCommand};
use spec::diagnostic::{Diagnostic, Source};
use spec::template::{Secret, SecretSource};
use spec::{Resources, Workflow, site_file, workflow_file};

fn parse(text: &str) -> (Option<Workflow>, Vec<Diagnostic>) {
    workflow_file::parse(&Source::new("w.yaml", text), &BTreeMap::new())
}

fn good(text: &str) -> Workflow {
    let (workflow, diagnostics) = parse(text);
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    workflow.unwrap()
}

/// A file with these lines of a task, which begin on line 5.
fn task(fields: &str) -> String {
    let fields = fields.replace('\n', "\n    ");
    format!(
        "foreshard: 1\nsecrets: {{TOKEN: {{env: MY_TOKEN}}}}\ntasks:\n  t:\n    {fields}\n    env: {{A: b}}\n"
    )
}

/// The only mistake, with its help.
fn mistake(text: &str) -> String {
    let (workflow, diagnostics) = parse(text);
    assert!(workflow.is_none(), "{text}");
    let [only] = &diagnostics[..] else { panic!("{diagnostics:#?}") };
    format!("{} [{}]", only.message, only.help.as_deref().unwrap_or_default())
}

fn command(fields: &str) -> RenderedCommand {
    let workflow = good(&task(fields));
    let granted = Resources::default();
    let bindings = Bindings {
        inputs: &[],
        outputs: &["o'o".to_owned()],
        granted: &granted,
        attempt: 1,
        project: "/p",
        run: "r",
    };
    workflow.command(workflow.tasks().next().unwrap(), &bindings).unwrap()
}

fn shell(script: &str) -> RenderedCommand {
    RenderedCommand::Shell(script.to_owned())
}

#[test]
fn setup_lines_come_before_the_command_in_the_same_shell() {
    assert_eq!(command("run: a\nsetup: module load b"), shell("module load b\na"));
    assert_eq!(command("run: a\nsetup: [b, 'c # d']"), shell("b\nc # d\na"));
    assert_eq!(command("run: a\nsetup: []"), shell("a"));
    let quoted = "run: a\nsetup: |\n  f() { b; }\n  f \"{outputs}\"\noutputs: \"o'o\"";
    assert_eq!(command(quoted), shell("f() { b; }\nf \"\"'o'\\''o'\"\"\n\na"));
}

#[test]
fn with_argv_a_shell_runs_the_setup_and_becomes_the_program() {
    let argv = "argv: [printf, '%s', \"it's\", '{outputs}', $HOME]\nsetup: b\noutputs: \"o'o\"";
    assert_eq!(
        command(argv),
        shell(
            r"b
exec 'printf' '%s' 'it'\''s' 'o'\''o' '$HOME'"
        )
    );
}

#[test]
fn setup_that_would_swallow_the_command_is_refused() {
    for open in ["echo 'a", "echo \"a", "x=$(b", "cat <<END", "cat <<END\n      a", r"a \", "`a"] {
        let text = task(&format!("run: a\nsetup: |-\n  {open}"));
        assert!(mistake(&text).contains("ends inside"), "{open}");
    }
    let whole = "run: a\nsetup: |\n  cat <<END\n  it's\n  END\n  case a in (a) b ;; esac";
    good(&task(whole));
}

#[test]
fn setup_of_the_defaults_holds_unless_a_task_says_otherwise() {
    let workflow = good(
        "foreshard: 1\ndefaults: {setup: 'use {x}', image: base}\ntasks:\n  a: {run: b, foreach: {x: [1]}}\n  \
         b: {run: c, setup: [], image: ~, foreach: {x: [1]}}\n",
    );
    let [a, b] = workflow.templates() else { panic!("two") };
    assert!(a.setup.is_some() && b.setup.is_none());
    assert_eq!((a.image.as_deref(), b.image.as_deref()), (Some("base"), None));
}

#[test]
fn an_image_is_no_option_and_leads_nowhere_else() {
    for (image, why) in [
        ("--privileged", "begins with a dash"),
        ("''", "is empty"),
        ("a b", "blank"),
        ("roots/../../etc", "`..`"),
        ("\"a\\nb\"", "blank or control"),
    ] {
        assert!(mistake(&task(&format!("run: a\nimage: {image}"))).contains(why), "{image}");
    }
    assert!(mistake(&task(&format!("run: a\nimage: {}", "x".repeat(5_000)))).contains("longer"));
}

#[test]
fn what_the_site_decides_no_workflow_overrides() {
    for field in ["wrap", "privileged", "user", "volumes", "account", "hostPath", "sbatch"] {
        let said = mistake(&task(&format!("run: a\n{field}: x")));
        assert!(said.contains(field) && said.contains("the site file decides"), "{said}");
    }
    let said = mistake(&task("run: a\ncontainer: x"));
    assert!(said.contains("did you mean `image`?"), "{said}");
}

#[test]
fn secrets_are_references() {
    let workflow = good(
        "foreshard: 1
secrets:
  A: {env: MY_A}
  B: {file: ~/b}
  C: {command: [vault, read, c]}
defaults: {secrets: [A]}
tasks:
  one: {run: x}
  two: {run: x, secrets: [C, B, C]}
",
    );
    let [one, two] = workflow.templates() else { panic!("two") };
    let secret = |name: &str, source| Secret { name: name.to_owned(), source };
    assert_eq!(one.secrets, [secret("A", SecretSource::Env("MY_A".to_owned()))]);
    let command = ["vault", "read", "c"].map(str::to_owned).to_vec();
    let file = SecretSource::File("~/b".to_owned());
    assert_eq!(two.secrets, [secret("C", SecretSource::Command(command)), secret("B", file)]);
}

#[test]
fn a_secret_that_is_none_or_would_be_seen_is_a_mistake_that_says_what_to_do() {
    for (fields, words) in [
        ("run: a\nsecrets: [TOKE]", "did you mean `TOKEN`?"),
        ("run: a\nsecrets: [OTHER]", "say at the top of the file"),
        ("run: a {secrets.TOKEN}", "let the command read `$TOKEN`"),
        ("argv: [a, '{secrets.TOKEN}']", "everybody who lists processes"),
        ("run: a\noutputs: 'o/{secrets.TOKEN}'", "everybody who lists processes"),
        ("run: a\nsetup: 'b {secrets.TOKEN}'", "let the command read `$TOKEN`"),
        ("run: a\nenv_from: MY_TOKEN", "no result can depend on"),
    ] {
        let said = mistake(&task(fields));
        assert!(said.contains(words), "{fields}: {said}");
    }
    let both = task("run: a\nsecrets: TOKEN").replace("A: b", "TOKEN: b");
    assert!(mistake(&both).contains("set by `env` as well"));
}

#[test]
fn a_value_where_a_place_belongs_is_refused_and_not_repeated() {
    for (place, words) in [
        ("hunter2", "must say where it is kept, not what it is"),
        ("{env: hunter-2}", "must name a variable"),
        ("{file: a, env: B}", "one place"),
        ("{}", "one place"),
        ("{command: hunter2}", "list of a program"),
        ("{value: hunter2}", "has no field `value`"),
    ] {
        let text = format!("foreshard: 1\nsecrets: {{S: {place}}}\ntasks: {{t: {{run: a}}}}\n");
        let (_, diagnostics) = parse(&text);
        let said = format!("{diagnostics:?}");
        assert!(said.contains(words), "{said}");
        assert!(!said.contains("hunter"), "{said}");
    }
    let reserved = "foreshard: 1\nsecrets: {FORESHARD_RUN: {env: A}}\ntasks: {t: {run: a}}\n";
    assert!(mistake(reserved).contains("set by foreshard itself"));
}

#[test]
fn the_digest_of_a_command_knows_where_secrets_are_kept() {
    let digest = |fields: &str| {
        let workflow = good(&task(fields));
        workflow.command_digest(workflow.tasks().next().unwrap())
    };
    assert_ne!(digest("run: a\nsecrets: [TOKEN]"), digest("run: a"));
    assert_ne!(digest("run: a\nsetup: b"), digest("run: a"));
    assert_eq!(digest("run: a\nsetup: []"), digest("run: a"));
}

#[test]
fn a_site_says_how_commands_run_and_in_which_images() {
    let (site, diagnostics) = site_file::parse(&Source::new(
        "s.yaml",
        "foreshard: 1
zones:
  z:
    pools: {p: {cpus: 1, memory: 1GiB}}
    wrap: [nice, '{command}']
    images:
      roots/*: {wrap: [bwrap, '{image}', '{command}']}
      'registry/**': {wrap: [podman, run, '--env={env}', '{image}'], resolve: [podman, x, '{image}']}
",
    ));
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    let zone = &site.unwrap().zones[0];
    assert_eq!(zone.image_rule("roots/a").unwrap().wrap[0], "bwrap");
    assert_eq!(zone.image_rule("registry/a/b:1").unwrap().resolve[0], "podman");
    assert_eq!(zone.image_rule("roots/a/b"), None);
    assert_eq!(zone.image_rule("other"), None);
}

#[test]
fn words_of_a_wrap_that_mean_nothing_are_mistakes() {
    let told = |zone: &str| {
        let text = format!(
            "foreshard: 1\nzones: {{z: {{pools: {{p: {{cpus: 1, memory: 1GiB}}}}, {zone}}}}}\n"
        );
        let (site, diagnostics) = site_file::parse(&Source::new("s.yaml", text));
        assert!(site.is_none());
        let told: Vec<String> =
            diagnostics.iter().map(|d| format!("{} {:?}", d.message, d.help)).collect();
        told.join("\n")
    };
    assert!(told("wrap: [a, '{comand}']").contains("did you mean `{command}`"));
    assert!(told("wrap: [a, '{image}']").contains("names nothing here"));
    assert!(told("wrap: [a, 'x{command}']").contains("must stand alone"));
    assert!(told("wrap: [a, '{command}', '{command}']").contains("only once"));
    assert!(told("images: {a: {}}").contains("need `wrap`"));
    assert!(told("images: {a: {wrap: [b], resolve: ['{folder}']}}").contains("names nothing"));
    assert!(told("images: {'a[': {wrap: [b]}}").contains("is not a pattern"));
    assert!(told("images: [a]").contains("must be a map"));
}
