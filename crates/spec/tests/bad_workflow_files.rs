//! Mistakes in workflow files: each is found, at its line, and says what to write instead.

use std::collections::BTreeMap;

use spec::diagnostic::{Code, Diagnostic, Severity, Source};
use spec::workflow_file;

/// Text, line and column of the mistake, and words of its message or help.
type Case<'a> = (&'a str, (usize, usize), &'a [&'a str]);

fn diagnostics(source: &Source, params: &[(&str, &str)]) -> Vec<Diagnostic> {
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    let params: BTreeMap<String, String> = params.iter().map(owned).collect();
    workflow_file::parse(source, &params).1
}

fn shown(source: &Source, diagnostics: &[Diagnostic]) -> Vec<String> {
    let line = |d: &Diagnostic| {
        let at = source.position(d.span.start);
        let help = d.help.as_deref().unwrap_or("-");
        format!("{}:{}: {} [{help}]", at.line, at.column, d.message)
    };
    diagnostics.iter().map(line).collect()
}

/// Checks that a text has exactly one mistake, and where.
fn check(text: &str, (line, column): (usize, usize), words: &[&str]) {
    let source = Source::new("w.yaml", text);
    let found = shown(&source, &diagnostics(&source, &[]));
    assert_eq!(found.len(), 1, "{text}\n{found:#?}");
    assert!(found[0].starts_with(&format!("{line}:{column}: ")), "{text}\n{found:#?}");
    for word in words {
        assert!(found[0].contains(word), "no {word:?}\n{text}\n{found:#?}");
    }
}

fn check_all(cases: &[Case<'_>]) {
    for (text, place, words) in cases {
        check(text, *place, words);
    }
}

/// Cases that differ in the fields of one task, which begin at line 4, column 5.
fn check_tasks(cases: &[Case<'_>]) {
    for (fields, place, words) in cases {
        let fields = fields.replace('\n', "\n    ");
        check(&format!("foreshard: 1\ntasks:\n  t:\n    {fields}\n"), *place, words);
    }
}

#[test]
fn a_file_that_is_no_workflow_says_why() {
    check_all(&[
        ("", (1, 1), &["empty", "foreshard: 1"]),
        ("# nothing\n", (1, 1), &["empty"]),
        ("- a\n", (1, 1), &["must be a map", "a list"]),
        ("tasks: {t: {run: a}}", (1, 1), &["version", "missing", "foreshard: 1"]),
        ("foreshard: 2\nnew: {}\n", (1, 12), &["version 2", "reads version 1"]),
        ("foreshard: one\ntasks: {t: {run: a}}", (1, 12), &["whole number"]),
        ("foreshard: 1\n", (1, 1), &["needs tasks"]),
        ("foreshard: 1\ntasks: {}\n", (2, 1), &["needs tasks"]),
        (
            "foreshard: 1\ntask: {t: {run: a}}\ntasks: {t: {run: a}}",
            (2, 1),
            &["`task`", "`tasks`?"],
        ),
        ("foreshard: 1\nname: ../x\ntasks: {t: {run: a}}", (2, 7), &["`../x`", "letters"]),
    ]);
}

#[test]
fn syntax_is_pointed_at() {
    check_all(&[
        ("foreshard: 1\ntasks:\n  t: {run: a\n", (4, 1), &[]),
        ("foreshard: 1\ntasks:\n  t:\n    run: a: b\n", (4, 11), &["mapping values", "quotes"]),
        ("foreshard: 1\nforeshard: 1\ntasks: {t: {run: a}}", (2, 1), &["`foreshard` stands twice"]),
        ("foreshard: 1\ntasks: {t: {run: a}}\n---\na: 1\n", (3, 1), &["second document"]),
        ("foreshard: 1\ntasks: {t: {run: a}, t: {run: b}}", (2, 22), &["`t` stands twice"]),
        ("é: &a [*a]\n", (1, 8), &["alias"]),
        ("foreshard: 1\n? [a]\n: b\n", (2, 3), &["a list cannot be a key"]),
    ]);
}

#[test]
fn hostile_documents_are_refused_within_bounds() {
    let deep = format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    let deep_lists = format!("a: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_block: String = (0..200).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..20 {
        let alias = format!("*a{}, ", i - 1).repeat(10);
        bomb.push_str(&format!("a{i}: &a{i} [{alias}]\n"));
    }
    let long_values = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(10_000));
    let long_list = format!("- [{}]\n", "x,\n ".repeat(260_000));
    let many_values = format!("[{}1]", "1,".repeat(2_000_000));
    let many_anchors: String = (0..11_000).map(|i| format!("- &a{i} x\n")).collect();
    let texts =
        [deep, deep_lists, deep_block, bomb, long_values, long_list, many_values, many_anchors];
    for text in texts {
        let source = Source::new("w.yaml", text);
        let found = diagnostics(&source, &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].code, Code::Limit, "{found:?}");
    }
    let large = Source::new("w.yaml", "#".repeat(65 << 20));
    assert_eq!(diagnostics(&large, &[])[0].code, Code::Limit);
}

#[test]
fn unknown_fields_name_the_nearest_known_one() {
    check_tasks(&[
        ("run: a\nretires: 1", (5, 5), &["task `t` has no field `retires`", "`retries`?"]),
        ("run: a\noutput: x", (5, 5), &["`outputs`?"]),
        ("run: a\ndepends_on: x", (5, 5), &["`depends_on`", "`needs`?"]),
        ("run: a\ncpus: 2", (5, 5), &["`cpus`", "resources"]),
        ("run: a\nretries: {cuont: 1}", (5, 15), &["`cuont`", "`count`?"]),
        ("run: a\nresources: {cpu: 1}", (5, 17), &["`cpus`?"]),
        ("run: a\nresources: {memroy: 1}", (5, 17), &["`memory`?"]),
    ]);
    check(
        "foreshard: 1\ndefaults: {run: a}\ntasks: {t: {run: b}}",
        (2, 12),
        &["`run`", "fields are"],
    );
    check(
        "foreshard: 1\ntasks:\n  a: {run: x}\n  b: {run: x, needs: [aa]}",
        (4, 23),
        &["no task `aa`", "`a`?"],
    );
}

#[test]
fn quantities_out_of_bounds_are_refused() {
    check_tasks(&[
        ("run: a\nresources: {cpus: -1}", (5, 23), &["cpus: -1", "between"]),
        ("run: a\nresources: {cpus: NaN}", (5, 23), &["must be a number"]),
        ("run: a\nresources: {cpus: .nan}", (5, 23), &["must be a number"]),
        ("run: a\nresources: {cpus: 1e400}", (5, 23), &["between"]),
        ("run: a\nresources: {cpus: 0}", (5, 23), &["between"]),
        ("run: a\nresources: {cpus: two}", (5, 23), &["must be a number"]),
        ("run: a\nresources: {memory: 9223372036854775808}", (5, 25), &["too large"]),
        ("run: a\nresources: {memory: 1.5.2 GB}", (5, 25), &["no size"]),
        ("run: a\nresources: {memory: 4 gigs}", (5, 25), &["gigs", "GiB"]),
        ("run: a\nresources: {gpu: 1.5}", (5, 22), &["whole number"]),
        ("run: a\nresources: {memory: {grow: 3}}", (5, 25), &["`start`", "start: 1GiB"]),
        ("run: a\nresources: {memory: {start: 0}}", (5, 33), &["more than nothing"]),
        ("run: a\nresources: {memory: {start: 1G, grow: 1}}", (5, 43), &["grow: 1", "between"]),
        ("run: a\nresources: {memory: {start: 2G, max: 1G}}", (5, 42), &["less than its start"]),
        ("run: a\nresources: {memory: {start: 2G, maxx: 1G}}", (5, 37), &["`maxx`", "`max`?"]),
        ("run: a\noom_retries: -1", (5, 18), &["between 0 and"]),
        ("run: a\nretries: -1", (5, 14), &["between 0 and"]),
        ("run: a\nretries: {factor: 0.5}", (5, 23), &["between 1 and"]),
        ("run: a\ntimeout: 0s", (5, 14), &["longer than nothing"]),
        ("run: a\nestimate: soon", (5, 15), &["no duration", "90s"]),
        ("run: a\npriority: 99999999999999999999", (5, 15), &["between"]),
        ("run: a\ncritical: yes", (5, 15), &["`true` or `false`"]),
    ]);
}

#[test]
fn a_task_needs_one_command() {
    check_tasks(&[
        ("inputs: a", (3, 3), &["no command", "run"]),
        ("run: a\nargv: [a]", (5, 5), &["either `run` or `argv`"]),
        ("run: ''", (4, 10), &["empty"]),
        ("run: [a, b]", (4, 10), &["single value", "run: |"]),
        ("argv: []", (4, 11), &["list of a program"]),
        ("argv: a b", (4, 11), &["list of a program"]),
        ("argv: [a, {x}]", (4, 15), &["quotes"]),
        ("run: \"a \\0 b\"", (4, 10), &["NUL"]),
        ("run: a\nenv: {PARAM_x: 1}", (5, 11), &["set by foreshard"]),
        ("run: a\nenv: {a-b: 1}", (5, 11), &["cannot name a variable"]),
        ("run: a\nenv: {a: ~}", (5, 14), &["single value"]),
    ]);
}

#[test]
fn paths_stay_inside_the_project() {
    check_tasks(&[
        ("run: a\noutputs: ../x", (5, 14), &["leaves the project"]),
        ("run: a\noutputs: /etc/x", (5, 14), &["absolute"]),
        ("run: a\noutputs: .", (5, 14), &["component `.`"]),
        ("run: a\noutputs: ''", (5, 14), &["empty"]),
        ("run: a\noutputs: a/../../b", (5, 14), &["leaves the project"]),
        ("run: a\ninputs: ./a", (5, 13), &["write `a`"]),
        ("run: a\noutputs: \"a\\u202Eb\"", (5, 14), &["U+202E"]),
        ("run: a\noutputs: \"a\\nb\"", (5, 14), &["U+000A"]),
        ("run: a\noutputs: $HOME/x", (5, 14), &["not expanded"]),
        ("run: a\nworkdir: /tmp", (5, 14), &["absolute"]),
        ("run: a\nforeach: {x: [a, ../b]}\noutputs: o/{x}", (6, 14), &["o/../b"]),
        ("run: a\nforeach: {x: [a, 'b*']}\noutputs: o/{x}", (6, 14), &["becomes a pattern"]),
        ("run: a\noutputs: {a: {b: c}}", (5, 18), &["must be a path"]),
        ("run: a\ninputs: {x}", (5, 13), &["single value", "`\"{x}\"`"]),
        ("run: a\noutputs: {x}", (5, 14), &["`\"{x}\"`"]),
        ("run: a\noutputs: out/{inputs}", (5, 18), &["only parameters and variables"]),
    ]);
    check(
        &format!("foreshard: 1\ntasks: {{t: {{run: a, outputs: {}}}}}", "x".repeat(300)),
        (2, 30),
        &["300 bytes"],
    );
}

#[test]
fn names_that_look_alike_or_cannot_be_files_are_reported() {
    let text =
        "foreshard: 1\ntasks:\n  a: {run: x, outputs: \"e\\u0301\"}\n  b: {run: x, outputs: é}\n";
    check(text, (4, 3), &["look the same", "NFC"]);
    check("foreshard: 1\ntasks:\n  ../x: {run: a}", (3, 3), &["`../x`"]);
    check("foreshard: 1\ntasks:\n  CON: {run: a}", (3, 3), &["reserved"]);
    check("foreshard: 1\ntasks:\n  \"a\\u202Eb\": {run: a}", (3, 3), &["letters"]);
    for path in ["CON", "out/x."] {
        let text = format!("foreshard: 1\ntasks: {{t: {{run: a, outputs: {path}}}}}");
        let source = Source::new("w.yaml", text);
        let (workflow, found) = workflow_file::parse(&source, &BTreeMap::new());
        assert!(workflow.is_some() && found[0].severity == Severity::Warning, "{found:?}");
    }
}

#[test]
fn graphs_that_cannot_be_run_are_refused() {
    check_all(&[
        (
            "foreshard: 1\ntasks:\n  a: {run: x, outputs: o}\n  b: {run: x, outputs: o}\n",
            (4, 3),
            &["`a` and `b` both write `o`"],
        ),
        (
            "foreshard: 1\ntasks:\n  a:\n    foreach: {x: [1, 2]}\n    run: x\n    outputs: o\n",
            (3, 3),
            &["a[1]", "a[2]", "variable into the path"],
        ),
        ("foreshard: 1\ntasks:\n  a: {run: x, inputs: o, outputs: o}\n", (3, 3), &["own output"]),
        ("foreshard: 1\ntasks:\n  a: {run: x, needs: a}\n", (3, 3), &["wait for", "a -> a"]),
        (
            "foreshard: 1\ntasks:\n  a: {run: x, needs: b}\n  b: {run: x, needs: a}\n",
            (3, 3),
            &["wait for each other", "a -> b -> a"],
        ),
        (
            "foreshard: 1\ntasks:\n  a: {run: x, outputs: o/}\n  b: {run: x, outputs: o/y}\n",
            (4, 3),
            &["takes in"],
        ),
        (
            "foreshard: 1\ntasks:\n  a: {run: x, inputs: {outputs_of: b}}\n  b: {run: x}\n",
            (3, 23),
            &["declares no outputs"],
        ),
    ]);
}

#[test]
fn fan_outs_say_what_they_lack() {
    check_tasks(&[
        ("run: a\nforeach: [a, b]", (5, 15), &["name of a variable", "sample"]),
        ("run: a\nforeach: {x: {params.y}}", (5, 18), &["`\"{params.y}\"`"]),
        ("run: a\nforeach: {x: 1}", (5, 18), &["neither a list nor a range"]),
        ("run: a\nforeach: {x: [a, a]}", (5, 14), &["`a` occurs twice"]),
        ("run: a\nforeach: {x: [a], y: [1, 2]}", (5, 14), &["side by side", "matrix"]),
        ("run: a\nforeach: {cpus: [a]}", (5, 15), &["`{cpus}` already means"]),
        ("run: a\nforeach: {a-b: [a]}", (5, 15), &["cannot name a variable"]),
        ("run: a\nforeach: {x: {from: 1}}", (5, 18), &["`from` and `to`"]),
        ("run: a\nforeach: {x: {from: 1, to: 2, step: 0}}", (5, 18), &["never ends"]),
        ("run: a\nforeach: {x: 1..99999999999}", (5, 18), &["at most"]),
        ("run: a\nforeach: [{x: 1}, {y: 1}]", (5, 23), &["`x` is missing"]),
        ("run: a\nmatrix: {x: 1..10000, y: 1..10000}", (5, 13), &["at most"]),
        ("run: a\nmatrix: {x: [a, 'a,b'], y: [c, 'b,c']}", (5, 13), &["occurs twice"]),
        ("run: a\nforeach: {x: [a]}\nmatrix: {y: [a]}", (6, 13), &["either"]),
        ("run: a\nforeach: {x: [\"a\\nb\"]}", (5, 19), &["U+000A"]),
    ]);
}

#[test]
fn placeholders_are_refused_where_no_value_is_safe() {
    check_tasks(&[
        ("run: echo {imputs}\ninputs: a", (4, 15), &["`{imputs}`", "`{inputs}`?"]),
        ("run: awk '{print}'", (4, 15), &["{{print}}"]),
        ("run: echo {outputs}", (4, 15), &["declares no outputs"]),
        ("run: echo `echo {task}`", (4, 21), &["backticks", "$( … )"]),
        ("run: echo \"${a:-{task}}\"", (4, 21), &["`${ }`", "$PARAM_name"]),
        ("run: echo $((1 + {cpus}))", (4, 22), &["`$(( ))`"]),
        ("run: echo \\{task}", (4, 16), &["backslash"]),
        ("run: |\n  cat <<EOF\n  {task}\n  EOF\n  echo '{task}'", (6, 7), &["here-document"]),
        ("run: |\n  # {task}\n  echo {task}", (5, 9), &["comment"]),
        ("run: echo 'a {task}", (4, 18), &["not closed"]),
        ("run: echo \"$(case a in a) echo {task};; esac)\"", (4, 36), &["`case`"]),
        ("run: echo $'a\\'' {task}", (4, 22), &["`$'…'`"]),
        ("run: |\n  cat <<EOF\n  a\\\n  EOF\n  EOF\n  echo {task}", (9, 12), &["here-document"]),
        ("run: |\n  cat <<EOF \"\n  $(id) {task}\n  EOF\n  \"", (6, 13), &["here-document"]),
    ]);
}

#[test]
fn parameters_are_checked_by_type() {
    let text = "foreshard: 1\nparams:\n  n: 1\n  f: {type: float}\ntasks: {t: {run: a}}\n";
    let source = Source::new("w.yaml", text);
    let messages = |params: &[(&str, &str)]| shown(&source, &diagnostics(&source, params));
    assert_eq!(messages(&[("f", "0.5"), ("n", "7")]), [""; 0]);
    for (params, place, words) in [
        (&[][..], "4:3", "`f` must be given [add `--param f=…`]"),
        (&[("f", "NaN")], "4:3", "must be a number"),
        (&[("f", "1"), ("n", "1.5")], "3:3", "must be a whole number"),
        (&[("f", "1"), ("m", "1")], "1:1", "no such parameter [parameters are f, n]"),
        (&[("f", "1\0")], "4:3", "NUL"),
    ] {
        let found = messages(params);
        assert!(found.len() == 1 && found[0].starts_with(place), "{found:?}");
        assert!(found[0].contains(words), "{found:?}");
    }
    check_all(&[
        ("foreshard: 1\nparams: {a: }\ntasks: {t: {run: a}}", (2, 11), &["neither value nor type"]),
        ("foreshard: 1\nparams: {a-b: 1}\ntasks: {t: {run: a}}", (2, 10), &["cannot name"]),
        (
            "foreshard: 1\nparams: {a: {type: integer}}\ntasks: {t: {run: a}}",
            (2, 20),
            &["types are"],
        ),
        (
            "foreshard: 1\nparams: {a: {type: int, default: x}}\ntasks: {t: {run: a}}",
            (2, 34),
            &["whole number"],
        ),
        (
            "foreshard: 1\nparams: {a: {typ: int, default: 1}}\ntasks: {t: {run: a}}",
            (2, 14),
            &["`type`?"],
        ),
    ]);
}

#[test]
fn every_mistake_is_reported_at_once_and_mistakes_in_defaults_once() {
    let text = "foreshard: 1\ndefaults: {retries: many}\ntasks:\n  a: {run: '{x}', needs: c}\n  \
                b: {rum: x, outputs: /o}\n  d: {run: x, needs: b}\n";
    let source = Source::new("w.yaml", text);
    let found = shown(&source, &diagnostics(&source, &[]));
    let lines: Vec<&str> = found.iter().map(|d| d.split(':').next().unwrap()).collect();
    assert_eq!(lines, ["2", "4", "4", "5", "5", "5"], "{found:#?}");
}

#[test]
fn bytes_that_are_no_text_have_line_and_column() {
    let bytes = b"foreshard: 1\nname: \xfe\n".to_vec();
    let (source, diagnostic) = *Source::from_bytes("w.yaml", bytes).unwrap_err();
    assert_eq!(
        shown(&source, &[diagnostic])[0],
        "2:7: the file is not UTF-8: byte 0xfe begins no \
                                                   character [save it as UTF-8]"
    );
}
