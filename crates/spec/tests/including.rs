//! Workflows of several files, parameters from files, and tasks that a condition leaves out.

#![expect(clippy::unwrap_used, reason = "a test may fail by panicking")]

use std::sync::Arc;

use spec::Workflow;
use spec::diagnostic::{Code, Source};
use spec::workflow_file::{self, ParamsFile, Parsed, Request};

/// Reads `main.yaml` among files of a project.
fn read(files: &[(&str, &str)], written: &[(&str, &str)], params: Option<&ParamsFile>) -> Parsed {
    let text = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| *text);
    let open = |path: &str| {
        let text = text(path).ok_or_else(|| "there is no such file".to_owned())?;
        Ok(Source::new(path, text))
    };
    let written = written.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    workflow_file::parse_all(Request {
        main: Arc::new(Source::new("main.yaml", text("main.yaml").unwrap())),
        written: &written,
        params_file: params,
        open: &mut { open },
    })
}

fn sound(files: &[(&str, &str)]) -> Workflow {
    let parsed = read(files, &[], None);
    assert!(parsed.workflow.is_some(), "{:#?}", parsed.diagnostics);
    parsed.workflow.unwrap()
}

/// `file:line:column code message`, with the texts under the related places.
fn told(parsed: &Parsed) -> Vec<String> {
    let tell = |d: &spec::diagnostic::Diagnostic| {
        let source = parsed.sources.get(d.source);
        let at = source.position(d.span.start);
        let mut told =
            format!("{}:{}:{} {:?} {}", source.name, at.line, at.column, d.code, d.message);
        for related in &d.related {
            let source = parsed.sources.get(related.source);
            told += &format!(" ({}: {})", source.name, &source.text[related.span.clone()]);
        }
        told
    };
    parsed.diagnostics.iter().map(tell).collect()
}

fn names(workflow: &Workflow) -> Vec<String> {
    workflow.tasks().map(|task| workflow.task_name(task)).collect()
}

fn parents(workflow: &Workflow, name: &str) -> Vec<String> {
    let task = workflow.find_task(name).unwrap();
    workflow.parents(task).map(|parent| workflow.task_name(parent)).collect()
}

const QC: &str = "
foreshard: 1
params: {reads: {type: list}, depth: 10}
defaults: {retries: 2}
tasks:
  check:
    foreach: {read: \"{params.reads}\"}
    run: check --depth {params.depth} {inputs} > {outputs}
    inputs: reads/{read}
    outputs: qc/{read}
  gather: {run: 'cat {inputs} > {outputs}', inputs: {outputs_of: check}, outputs: qc.txt}
  note: {run: date, needs: ['check[a]', gather]}
";

#[test]
fn the_tasks_of_an_included_file_are_named_by_it_and_name_each_other_briefly() {
    let main = "
foreshard: 1
params: {samples: [a, b]}
include:
  qc: {file: qc.yaml, params: {reads: \"{params.samples}\", depth: 20}}
tasks:
  use: {run: 'cat {inputs}', inputs: qc.txt}
  after: {run: date, needs: qc.note}
  last: {run: date, needs: [qc, 'qc.check[b]']}
  all: {run: 'cat {inputs}', inputs: {outputs_of: qc.check}}
";
    let workflow = sound(&[("main.yaml", main), ("qc.yaml", QC)]);
    let expected =
        ["use", "after", "last", "all", "qc.check[a]", "qc.check[b]", "qc.gather", "qc.note"];
    assert_eq!(names(&workflow), expected);
    assert_eq!(parents(&workflow, "qc.gather"), ["qc.check[a]", "qc.check[b]"]);
    assert_eq!(parents(&workflow, "qc.note"), ["qc.check[a]", "qc.gather"]);
    assert_eq!(parents(&workflow, "use"), ["qc.gather"]);
    assert_eq!(parents(&workflow, "after"), ["qc.note"]);
    assert_eq!(parents(&workflow, "last"), ["qc.check[a]", "qc.check[b]", "qc.gather", "qc.note"]);
    assert_eq!(parents(&workflow, "all"), ["qc.check[a]", "qc.check[b]"]);
    let check = workflow.find_task("qc.check[a]").unwrap();
    assert_eq!(workflow.retries(check).count, 2, "the defaults of a file are its own");
    assert_eq!(workflow.retries(workflow.find_task("use").unwrap()).count, 0);
    assert_eq!(workflow.params_of(check)["depth"].to_string(), "20");
    assert!(!workflow.params_of(workflow.find_task("use").unwrap()).contains_key("depth"));
}

#[test]
fn a_file_can_be_included_twice_and_from_a_folder_of_its_own() {
    let one = "
foreshard: 1
params: {x: 1}
include: {deep: ../both.yaml}
tasks: {a: {run: 'echo {params.x} > {outputs}', outputs: \"one-{params.x}\"}}
";
    let both = "{foreshard: 1, tasks: {b: {run: date}}}";
    let main = "
foreshard: 1
include:
  first: {file: parts/one.yaml, params: {x: 7}}
  second: {file: parts/./one.yaml, params: {x: 8}}
";
    let files = [("main.yaml", main), ("parts/one.yaml", one), ("both.yaml", both)];
    let workflow = sound(&files);
    assert_eq!(names(&workflow), ["first.a", "first.deep.b", "second.a", "second.deep.b"]);
    let parsed = read(&files, &[], None);
    assert_eq!(parsed.sources.iter().count(), 3, "a text is read once");
    assert_eq!(parsed.included.keys().collect::<Vec<_>>(), ["both.yaml", "parts/one.yaml"]);
}

#[test]
fn the_digest_covers_every_text_and_what_is_given() {
    let main = "{foreshard: 1, include: {q: q.yaml}, tasks: {t: {run: date}}}";
    let digest = |q: &str| sound(&[("main.yaml", main), ("q.yaml", q)]).digest();
    let q = "{foreshard: 1, tasks: {t: {run: date}}}";
    assert_eq!(digest(q), digest(q));
    assert_ne!(digest(q), digest(&format!("{q} # another")));
}

#[test]
fn mistakes_are_told_where_they_stand() {
    let main = "
foreshard: 1
include:
  a: {file: gone.yaml}
  b: {file: /etc/passwd}
  c: {file: ../up.yaml}
  d: {file: circle.yaml}
  e: {file: needs.yaml}
  f: {file: needs.yaml, params: {n: many, m: 1}}
  g: {file: broken.yaml}
  h.i: broken.yaml
  j: {fiel: broken.yaml}
  t: broken.yaml
tasks:
  t: {run: date, needs: d.x}
";
    let files = [
        ("main.yaml", main),
        ("circle.yaml", "{foreshard: 1, include: {again: circle.yaml}, tasks: {x: {run: date}}}"),
        ("needs.yaml", "{foreshard: 1, params: {n: {type: int}}, tasks: {x: {run: date}}}"),
        ("broken.yaml", "{foreshard: 1, tasks: {x: {run: date, needs: y}, z: {rum: date}}}"),
    ];
    let expected = [
        "main.yaml:4:3 Include `gone.yaml` cannot be included: there is no such file",
        "main.yaml:5:13 Value `file: /etc/passwd` is absolute",
        "main.yaml:6:13 Value `file: ../up.yaml` leaves the project",
        "main.yaml:8:3 Param the included file needs the parameter `n` (needs.yaml: n)",
        "main.yaml:9:34 Param `n: many` must be a whole number (needs.yaml: n)",
        "main.yaml:9:43 Param there is no parameter `m` that could be given",
        "main.yaml:11:3 Name the name `h.i` of an include contains a dot, which stands between names",
        "main.yaml:12:3 MissingField the include `j` names no file",
        "main.yaml:12:7 UnknownField the include `j` has no field `fiel`",
        "main.yaml:13:3 Name `t` is an include and cannot also name a task (main.yaml: t)",
        "circle.yaml:1:26 Include `circle.yaml` includes itself: circle.yaml -> circle.yaml",
        "broken.yaml:1:46 UnknownTask there is no task `y`",
        "broken.yaml:1:50 MissingField task `z` has no command",
        "broken.yaml:1:54 UnknownField task `z` has no field `rum`",
    ];
    assert_eq!(told(&read(&files, &[], None)), expected);
}

#[test]
fn files_that_write_the_same_path_are_both_pointed_at() {
    let main = "{foreshard: 1, include: {q: q.yaml}, tasks: {t: {run: 'x', outputs: out}}}";
    let q = "{foreshard: 1, tasks: {u: {run: 'x', outputs: out}}}";
    let parsed = read(&[("main.yaml", main), ("q.yaml", q)], &[], None);
    assert_eq!(
        told(&parsed),
        ["q.yaml:1:24 Collision `t` and `q.u` both write `out` (main.yaml: t)"]
    );
}

#[test]
fn includes_are_bounded_in_depth_and_number() {
    let deep: Vec<(String, String)> = (0..40)
        .map(|i| {
            let next = format!("{{foreshard: 1, include: {{n: f{}.yaml}}}}", i + 1);
            (format!("f{i}.yaml"), next)
        })
        .collect();
    let mut files: Vec<(&str, &str)> = deep.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    files.push(("main.yaml", "{foreshard: 1, include: {n: f0.yaml}}"));
    let told_deep = told(&read(&files, &[], None));
    assert_eq!(told_deep.len(), 1, "{told_deep:?}");
    assert!(told_deep[0].contains("more than 16 deep"), "{told_deep:?}");

    // Each level includes the next twice: 2^15 files, were they all read.
    let wide: Vec<(String, String)> = (0..15)
        .map(|i| {
            let next = i + 1;
            let text = format!("{{foreshard: 1, include: {{a: f{next}.yaml, b: f{next}.yaml}}}}");
            (format!("f{i}.yaml"), text)
        })
        .collect();
    let mut files: Vec<(&str, &str)> = wide.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    files.push(("f15.yaml", "{foreshard: 1, tasks: {t: {run: date}}}"));
    files.push(("main.yaml", "{foreshard: 1, include: {n: f0.yaml}}"));
    let told_wide = told(&read(&files, &[], None));
    assert!(told_wide[0].contains("more than 1000 files"), "{told_wide:?}");
}

#[test]
fn a_file_of_parameters_counts_less_than_the_command_line() {
    let main = "
foreshard: 1
params: {n: 1, rate: 0.5, names: [x], about: {type: text, default: none}}
tasks: {t: {run: 'echo {params.n}'}}
";
    let yaml = "n: 2\nrate: 1.10\nnames: [a, b]\nabout: 3\n";
    let params = ParamsFile::read(Source::new("params.yaml", yaml)).unwrap();
    let again = ParamsFile::from_values("params.yaml", params.values());
    for params in [params, again] {
        let parsed = read(&[("main.yaml", main)], &[("n", "3")], Some(&params));
        let workflow = parsed.workflow.unwrap();
        let shown: Vec<String> =
            workflow.params().iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(shown, ["about=3", "n=3", "names=a b", "rate=1.10"]);
    }
    let wrong = ParamsFile::read(Source::new("params.json", "{\"n\": \"x\", \"nam\": 1}")).unwrap();
    assert_eq!(
        told(&read(&[("main.yaml", main)], &[], Some(&wrong))),
        [
            "params.json:1:2 Param `n: x` must be a whole number (main.yaml: n)",
            "params.json:1:12 Param there is no parameter `nam` that could be given",
        ]
    );
    let no_map = ParamsFile::read(Source::new("p.yaml", "- a")).unwrap_err();
    assert!(no_map[0].message.contains("a map from name to value"), "{no_map:?}");
}

const ETL: &str = "
foreshard: 1
params: {mode: full, months: [1, 2]}
tasks:
  fetch:
    when: params.mode == 'full'
    foreach: {month: \"{params.months}\"}
    run: fetch {month} > {outputs}
    outputs: raw/{month}.csv
  clean: {run: 'cat {inputs} > {outputs}', inputs: raw/*.csv, outputs: clean.csv}
  note: {run: date, needs: [fetch, 'fetch[1]']}
  copy: {run: 'cp {inputs} .', inputs: {outputs_of: fetch}}
";

#[test]
fn a_task_whose_condition_does_not_hold_is_left_out_and_says_why() {
    let parsed = read(&[("main.yaml", ETL)], &[("mode", "quick")], None);
    let workflow = parsed.workflow.unwrap();
    assert_eq!(names(&workflow), ["clean", "note", "copy"]);
    let why = workflow.templates()[0].off.as_deref().unwrap();
    assert_eq!(why, "`when: params.mode == 'full'` does not hold");
    assert!(parents(&workflow, "note").is_empty());
    let copy = workflow.find_task("copy").unwrap();
    assert!(workflow.inputs(copy).is_empty());
    for (path, is_made) in [("raw/2.csv", true), ("raw/*.csv", true), ("raw/3.csv", false)] {
        let maker = workflow.maker_left_out(path).map(|template| template.name.as_str());
        assert_eq!(maker, is_made.then_some("fetch"), "{path}");
    }
    assert_eq!(sound(&[("main.yaml", ETL)]).n_tasks(), 5);
}

#[test]
fn a_whole_include_can_be_left_out() {
    let main = "
foreshard: 1
include: {e: {file: etl.yaml, when: '1 > 2'}}
tasks: {t: {run: date, needs: e}}
";
    let workflow = sound(&[("main.yaml", main), ("etl.yaml", ETL)]);
    assert_eq!(names(&workflow), ["t"]);
    let why = workflow.templates().iter().find(|t| t.name == "e.note").unwrap().off.as_deref();
    assert_eq!(why, Some("`e` is left out: `when: 1 > 2` does not hold"));
}

#[test]
fn a_mistake_in_a_condition_has_its_place_unless_parameters_are_wrong_themselves() {
    let text = ETL.replace("params.mode == 'full'", "params.mod == 'full'");
    assert_eq!(
        told(&read(&[("main.yaml", &text)], &[], None)),
        ["main.yaml:6:11 Condition there is no parameter `mod`"]
    );
    let parsed = read(&[("main.yaml", &text)], &[("mod", "x")], None);
    assert!(parsed.diagnostics.iter().all(|d| d.code == Code::Param), "{:?}", told(&parsed));
}

#[test]
fn what_grows_in_an_include_belongs_to_it() {
    let inner = "
foreshard: 1
params: {greeting: hello}
tasks:
  split: {run: 'split', outputs: chunks/, emits: more.yaml}
  work: {foreach: {files: 'chunks/{c}', from: split}, run: 'cat {c}', outputs: 'done/{c}'}
  end: {run: date, needs: work}
";
    let main = "
foreshard: 1
include: {q: q.yaml}
tasks: {last: {run: date, needs: q}}
";
    let workflow = sound(&[("main.yaml", main), ("q.yaml", inner)]);
    let split = workflow.find_task("q.split").unwrap();
    let emitted = "{foreshard: 1, tasks: {say: {run: 'echo {params.greeting}'}}}".to_owned();
    let found =
        spec::growth::Found { template: "q.work".to_owned(), files: vec!["chunks/a".to_owned()] };
    let growth = spec::growth::Growth { found: vec![found], emitted: Some(emitted) };
    let grown = workflow.grown(split, &growth).unwrap();
    assert!(names(&grown).ends_with(&["q.work[a]".to_owned(), "q.say".to_owned()]));
    assert!(parents(&grown, "q.end").contains(&"q.work[a]".to_owned()));
    let last = parents(&grown, "last");
    for name in ["q.split", "q.work[a]", "q.say", "q.end"] {
        assert!(last.contains(&name.to_owned()), "{name} is not among {last:?}");
    }
    let say = grown.find_task("q.say").unwrap();
    assert_eq!(grown.params_of(say)["greeting"].to_string(), "hello");
}
