//! No value becomes shell syntax: real shells see exactly the bytes that were given.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use spec::command::{Bindings, RenderError, RenderedCommand};
use spec::diagnostic::Source;
use spec::{Resources, TaskId, Workflow, workflow_file};

/// Words of a command around a value `@`, and what the program must see.
const CONTEXTS: [(&str, &str); 16] = [
    ("@", "@"),
    ("pre@post", "pre@post"),
    ("--flag=@", "--flag=@"),
    ("$a@", "A@"),
    ("@@", "@@"),
    (r#""@""#, "@"),
    (r#""pre @ post""#, "pre @ post"),
    (r#""$a@""#, "A@"),
    (r#""${a}@$a""#, "A@A"),
    (r#""\"@\"""#, "\"@\""),
    (r#""$( (:); printf '%s.' @)""#, "@."),
    ("'pre @ post'", "pre @ post"),
    (r"'it'\''s @'", "it's @"),
    (r#""$(printf '%s.' "@")""#, "@."),
    (
        r#""$(printf '%s.' @ # it's a "comment" )
        )""#,
        "@.",
    ),
    (r#""$(printf '%s.' "$(printf '%s.' '@')")""#, "@.."),
];

/// Lines that a lexer could stumble over, so that it would take what follows for something else.
const PREAMBLE: &str = r#"a=A # it's a comment with "quotes and a ` tick
: ${a#"it"} "${a%%.*}" a#b 'c' \' \" `: "it's"` $(( (1 + 2) * 3 )) $# ${#a}
cat > /dev/null <<'END' 2> /dev/null
it's "here" $(
END
cat > /dev/null <<-END; cat > /dev/null <<\OTHER
	it's
	END
"other" text's
OTHER
case $a in (B) : "'" ;; A) : ;; esac
"#;

fn workflow(run: &str, params: &[(String, String)]) -> Workflow {
    let mut text = "foreshard: 1\nparams:\n  list: {type: list, default: []}\n".to_owned();
    for (name, _) in params.iter().filter(|(name, _)| name != "list") {
        text.push_str(&format!("  {name}: {{type: text}}\n"));
    }
    text.push_str("tasks:\n  t:\n    run: |2\n");
    for line in run.lines() {
        text.push_str(&format!("      {line}\n"));
    }
    let overrides: BTreeMap<String, String> = params.iter().cloned().collect();
    let (workflow, diagnostics) = workflow_file::parse(&Source::new("w.yaml", text), &overrides);
    assert_eq!(diagnostics, []);
    workflow.unwrap()
}

fn render(workflow: &Workflow) -> Result<RenderedCommand, RenderError> {
    let granted = Resources::default();
    let bindings = Bindings {
        inputs: &[],
        outputs: &[],
        granted: &granted,
        attempt: 1,
        project: "/project",
        run: "r1",
    };
    workflow.command(TaskId(0), &bindings)
}

/// What `printf '%s\0'` was given, by every shell that is here.
fn words_seen(workflow: &Workflow) -> Vec<Vec<String>> {
    let argv = render(workflow).unwrap().into_argv();
    let shells = ["/bin/sh", "/bin/bash"].into_iter().filter(|shell| Path::new(shell).exists());
    let seen = |shell| {
        let output = Command::new(shell).args(&argv[1..]).current_dir("/").output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{shell}: {errors}\n{}", argv[2]);
        let text = String::from_utf8(output.stdout).unwrap();
        text.split_terminator('\0').map(str::to_owned).collect()
    };
    shells.map(seen).collect()
}

fn check(values: &[String]) {
    let name = |index: usize| format!("p{index}");
    let params: Vec<(String, String)> =
        values.iter().enumerate().map(|(index, value)| (name(index), value.clone())).collect();
    let (mut script, mut expected) = (PREAMBLE.to_owned(), Vec::new());
    for (index, value) in values.iter().enumerate() {
        let placeholder = format!("{{params.{}}}", name(index));
        script.push_str("printf '%s\\0'");
        for (word, seen) in CONTEXTS {
            script.push_str(&format!(" {}", word.replace('@', &placeholder)));
            expected.push(seen.replace('@', value));
        }
        // A number before `>` would be taken for a file descriptor.
        script.push_str(&format!("\nprintf '%s\\0' {placeholder}>&1\n"));
        expected.push(value.clone());
    }
    for seen in words_seen(&workflow(&script, &params)) {
        assert_eq!(seen, expected);
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "'",
        "\"",
        "`",
        "$(id)",
        "`id`",
        "$HOME",
        "${a}",
        "\\",
        "\n",
        " ",
        "\t",
        "\r",
        "*",
        "?",
        "[a]",
        "-rf",
        ";",
        "|",
        "&",
        "#",
        "~",
        "!",
        "{",
        "}",
        "(",
        ")",
        "<<EOF",
        ">x",
        "=",
        "é",
        "\u{202e}",
        "\u{1}",
        "a",
        "1",
        "2",
        "in",
        "done",
        "/etc",
        "{params.p0}",
        "%s",
        "EOF\n",
    ]);
    prop::collection::vec(parts, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_shell_sees_exactly_the_bytes_of_any_value(values in prop::collection::vec(hostile(), 12)) {
        check(&values);
    }
}

#[test]
fn known_attacks_arrive_as_one_literal_argument() {
    let attacks = [
        "; touch PWN",
        "$(id)",
        "`id`",
        "| sh",
        "a\nb",
        "'\"",
        "*",
        "-rf",
        "",
        "'",
        "\\",
        "!",
        "2",
        "if",
        "a=b",
        "~",
        "#",
        "$",
        "'; id; '",
        "\"; id; \"",
        "\n",
        "a\n\n",
        "é\u{202e}",
        "x'$(id)'y",
    ];
    check(&attacks.map(str::to_owned));
}

#[test]
fn a_list_is_several_words_and_in_quotes_one() {
    let given = vec![("list".to_owned(), "a b,$(id),'".to_owned())];
    let script = r#"printf '%s\0' {params.list} "{params.list}" '{params.list}' x{params.list}y"#;
    let expected = ["a b", "$(id)", "'", "a b $(id) '", "a b $(id) '", "xa b", "$(id)", "'y"];
    for seen in words_seen(&workflow(script, &given)) {
        assert_eq!(seen, expected);
    }
}

#[test]
fn an_empty_list_is_no_word_and_joins_nothing() {
    let script = "printf '%s\\0' a {params.list} b x{params.list}y \"{params.list}\" \
                  $({params.list}printf c)\nfor f in {params.list}; do printf no; done\n\
                  printf '%s\\0' d {params.list}#e";
    for seen in words_seen(&workflow(script, &[])) {
        assert_eq!(seen, ["a", "b", "xy", "", "c", "d", "#e"]);
    }
}

#[test]
fn what_no_program_can_be_given_is_refused_before_anything_starts() {
    // Each alone could be given; the values come together only in the command.
    let half = [("p".to_owned(), "x".repeat(100_000))];
    let script = render(&workflow("echo {params.p} {params.p}", &half)).unwrap_err();
    assert!(matches!(script, RenderError::ScriptTooLong { bytes: 200_000.. }), "{script}");
    assert!(render(&workflow("echo {params.p}", &half)).is_ok());

    let text = format!(
        "foreshard: 1\nparams: {{p: {}}}\ntasks:\n  t:\n    argv: [echo, '{{params.p}}{{params.p}}']\n    \
         env: {{V: '{{params.p}}{{params.p}}'}}\n",
        half[0].1
    );
    let source = Source::new("w.yaml", text);
    let workflow = workflow_file::parse(&source, &BTreeMap::new()).0.unwrap();
    let argument = render(&workflow).unwrap_err();
    assert!(matches!(argument, RenderError::TooLong { bytes: 200_000, .. }), "{argument}");
    let granted = Resources::default();
    let bindings = Bindings {
        inputs: &[],
        outputs: &[],
        granted: &granted,
        attempt: 1,
        project: "/",
        run: "r1",
    };
    let variable = workflow.environment(TaskId(0), &bindings).unwrap_err();
    assert!(matches!(variable, RenderError::TooLong { bytes: 200_002, .. }), "{variable}");
}
