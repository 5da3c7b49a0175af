//! Recorded executions: what is read, what is refused, and that writing gives the graph back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use spec::diagnostic::{Code, Diagnostic};
use spec::template::Value as Variable;
use spec::units::{Bytes, Duration};
use spec::wfformat::{ExportMeta, ReplayOptions, TaskExecution, export, is_wfformat, parse};
use spec::{TaskId, Workflow};

const V1_3: &str = include_str!("wfformat/1.3.json");
const V1_4: &str = include_str!("wfformat/1.4.json");
const V1_5: &str = include_str!("wfformat/1.5.json");

/// Set aside for the process that replays a task, beyond what it is to hold.
const OWN_MEMORY: u64 = 32 << 20;

fn read(text: &str) -> Workflow {
    let (workflow, diagnostics) = parse(text, &ReplayOptions::default());
    workflow.unwrap_or_else(|| panic!("{diagnostics:#?}"))
}

fn task(workflow: &Workflow, id: &str) -> TaskId {
    workflow.find_task(id).unwrap_or_else(|| panic!("no task {id}"))
}

fn variable(workflow: &Workflow, id: &str, name: &str) -> Variable {
    let task = task(workflow, id);
    workflow.variables(task).find(|(n, _)| *n == name).expect("it is there").1
}

// ---- The three shapes -------------------------------------------------------------------------

#[test]
fn version_1_3_has_files_in_tasks_links_by_name_and_kilobytes() {
    let workflow = read(V1_3);
    assert_eq!((workflow.name(), workflow.n_tasks(), workflow.n_edges()), ("cookies", 3, 2));
    let names: Vec<_> = workflow.templates().iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["knead", "bake"]);
    let knead = task(&workflow, "knead_ID01");
    assert_eq!(workflow.resources(knead).memory, Bytes(2_048_000 + OWN_MEMORY));
    assert_eq!(workflow.resources(knead).cpus.0, 2_000);
    assert_eq!(workflow.estimate(knead), Some(Duration::from_millis(12_500)));
    assert_eq!(variable(&workflow, "knead_ID01", "cpu"), Variable::Float(1.5));
    assert_eq!(workflow.estimate(task(&workflow, "bake_ID02")), Some(Duration::from_millis(1)));
    assert_eq!(variable(&workflow, "bake_ID02", "sizes"), Variable::Text("700,0".to_owned()));
    let initial: Vec<_> = workflow.replay_inputs().collect();
    assert_eq!(initial, [("replay/cookies/flour.bag", Bytes(1_000))]);
}

#[test]
fn version_1_4_needs_only_one_end_of_a_link_and_joins_names_with_ids() {
    let workflow = read(V1_4);
    assert_eq!(workflow.name(), "mosaic-run");
    let (project, add) = (task(&workflow, "project_ID1"), task(&workflow, "add_ID2"));
    assert_eq!(workflow.parents(add).collect::<Vec<_>>(), [project]);
    assert_eq!(workflow.resources(project).memory, Bytes((1 << 20) + OWN_MEMORY));
    let initial: Vec<_> = workflow.replay_inputs().collect();
    assert_eq!(initial, [("replay/mosaic-run/+sky+a.fits", Bytes(10))]);
}

#[test]
fn version_1_5_joins_specification_and_execution_in_any_order() {
    let workflow = read(V1_5);
    let names: Vec<_> = workflow.templates().iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["TRIM", "JOIN"]);
    let trim = task(&workflow, "FLOW.SUB.TRIM_2");
    assert_eq!(workflow.task_name(trim), "FLOW.SUB.TRIM_2");
    assert_eq!(workflow.resources(trim).cpus.0, 3_500);
    assert_eq!(variable(&workflow, "FLOW.SUB.TRIM_2", "cpu"), Variable::Float(3.125));
    assert_eq!(variable(&workflow, "FLOW.SUB.TRIM_2", "memory"), Variable::Int(7_000_000));
    assert_eq!(workflow.find_task("FLOW.SUB.TRIM_9"), None);
}

#[test]
fn version_1_6_is_read_like_1_5() {
    assert_eq!(read(&V1_5.replace("\"1.5\"", "\"1.6\"")).n_tasks(), 3);
}

#[test]
fn scales_multiply_time_sizes_and_memory_and_memory_may_have_its_own() {
    let scaled = |scale, scale_memory| {
        parse(V1_3, &ReplayOptions { scale, scale_memory }).0.expect("it is well-formed")
    };
    let tenth = scaled(0.1, None);
    let knead = task(&tenth, "knead_ID01");
    assert_eq!(tenth.estimate(knead), Some(Duration::from_millis(1_250)));
    assert_eq!(tenth.resources(knead).memory, Bytes(204_800 + OWN_MEMORY));
    assert_eq!(variable(&tenth, "knead_ID01", "sizes"), Variable::Int(150));
    // The floor of a millisecond stands before scaling.
    assert_eq!(tenth.estimate(task(&tenth, "bake_ID02")), Some(Duration(100)));
    let forgetful = scaled(0.1, Some(0.0));
    assert_eq!(forgetful.resources(knead).memory, Bytes(0));
    assert_ne!(tenth.digest(), forgetful.digest());
}

#[test]
fn a_document_is_known_by_its_schema_version() {
    assert!(is_wfformat(V1_3) && is_wfformat(V1_5));
    assert!(is_wfformat("{\"schemaVersion\": \"1.5\", \"broken"));
    assert!(!is_wfformat(
        "{\"foreshard\": 1, \"tasks\": {\"a\": {\"run\": \"echo '\\\"schemaVersion\\\"'\"}}}"
    ));
    assert!(!is_wfformat("foreshard: 1\n"));
}

// ---- What is refused --------------------------------------------------------------------------

fn mistakes(text: &str) -> Vec<Diagnostic> {
    let (workflow, diagnostics) = parse(text, &ReplayOptions::default());
    assert!(workflow.is_none(), "{diagnostics:#?}");
    diagnostics
}

/// Id, parents, children, inputs, outputs.
type TaskRow<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str], &'a [&'a str]);

/// Version 1.5 with these tasks and no execution.
fn document(tasks: &[TaskRow<'_>]) -> Value {
    let files: BTreeSet<&str> = tasks.iter().flat_map(|t| t.3.iter().chain(t.4)).copied().collect();
    let tasks: Vec<Value> = tasks
        .iter()
        .map(|(id, parents, children, inputs, outputs)| {
            json!({"name": id, "id": id, "parents": parents, "children": children,
                   "inputFiles": inputs, "outputFiles": outputs})
        })
        .collect();
    let files: Vec<Value> = files.iter().map(|id| json!({"id": id, "sizeInBytes": 1})).collect();
    json!({"name": "w", "schemaVersion": "1.5",
           "workflow": {"specification": {"tasks": tasks, "files": files}}})
}

#[test]
fn every_mistake_between_tasks_is_told_at_once() {
    let text = document(&[
        ("a", &["gone"], &["b"], &[], &["x"]),
        ("b", &[], &[], &["own"], &["own"]),
        ("c", &["d"], &["d"], &[], &["x"]),
        ("d", &["c"], &["c"], &["../up", "nul\0"], &[]),
        ("d", &[], &[], &[], &[]),
        ("", &[], &[], &[], &[]),
    ])
    .to_string();
    let errors = mistakes(&text).into_iter().filter(Diagnostic::is_error);
    let told: Vec<_> = errors.map(|d| (d.code, d.message)).collect();
    let expected = [
        (Code::Path, "the file id `../up` contains `..`"),
        (Code::Path, "the file id `nul\\0` contains a control character"),
        (Code::DuplicateKey, "two tasks have the id `d`"),
        (Code::Name, "the task id `` is missing or empty"),
        (Code::UnknownTask, "`a` has the parent `gone`, which does not exist"),
        (Code::UnknownTask, "`a` has the child `b`, but `b` lacks the parent `a`"),
        (Code::Collision, "`a` and `c` both write `replay/w/x`"),
        (Code::Cycle, "`b` reads `replay/w/own`, which its own output `replay/w/own` makes"),
        (Code::Cycle, "2 tasks wait for each other: c -> d -> c"),
    ];
    let expected: Vec<_> = expected.map(|(code, text)| (code, text.to_owned())).into();
    assert_eq!(told, expected);
}

#[test]
fn numbers_that_cannot_be_are_refused_with_the_task_they_belong_to() {
    let text = V1_5
        .replace("\"runtimeInSeconds\": 1.5", "\"runtimeInSeconds\": -1.5")
        .replace("\"coreCount\": 3.5", "\"coreCount\": -1")
        .replace("\"sizeInBytes\": 200", "\"sizeInBytes\": 9223372036854775808");
    let told: Vec<_> = mistakes(&text).into_iter().map(|d| d.message).collect();
    assert_eq!(told.len(), 3, "{told:#?}");
    assert!(told[0].contains("runtime of the task `FLOW.SUB.TRIM_1` is -1.5"), "{}", told[0]);
    assert!(told[1].contains("core count of the task `FLOW.SUB.TRIM_2` is -1"), "{}", told[1]);
    assert!(told[2].contains("size of the file `/in/y.fq`"), "{}", told[2]);
}

#[test]
fn text_that_is_no_json_is_refused_at_its_place() {
    for (from, to) in [
        ("\"sizeInBytes\": 200", "\"sizeInBytes\": NaN"),
        ("\"sizeInBytes\": 200", "\"sizeInBytes\": 1e400"),
        ("\"sizeInBytes\": 200", "\"sizeInBytes\": \"200\""),
        ("\"id\": \"/in/y.fq\"", "\"id\": 1"),
    ] {
        let text = V1_5.replace(from, to);
        let diagnostics = mistakes(&text);
        let line_of = |at: usize| text[..at].matches('\n').count();
        let expected = line_of(text.find(to).expect("it was put there"));
        assert_eq!(diagnostics.len(), 1);
        assert_eq!(line_of(diagnostics[0].span.start), expected, "{diagnostics:?}");
    }
}

#[test]
fn depth_repetition_and_other_versions_are_refused() {
    let deep = format!("{{\"schemaVersion\": \"1.5\", \"x\": {}", "[".repeat(10_000));
    assert_eq!(mistakes(&deep)[0].code, Code::Syntax);
    let twice = V1_5.replace("\"files\": [", "\"files\": [], \"files\": [");
    assert!(mistakes(&twice)[0].message.contains("twice"));
    let other = V1_5.replace("\"1.5\"", "\"2.0\"");
    assert_eq!(mistakes(&other)[0].code, Code::Version);
    assert_eq!(mistakes(&V1_4.replace("\"tasks\"", "\"tusks\""))[0].code, Code::MissingField);
}

#[test]
fn what_is_wrong_with_all_tasks_is_told_of_some_and_counted() {
    let ids: Vec<String> = (0..1_000).map(|i| format!("t{i}")).collect();
    let tasks: Vec<_> =
        ids.iter().map(|id| (id.as_str(), &["gone"][..], &[][..], &[][..], &[][..])).collect();
    let errors: Vec<_> =
        mistakes(&document(&tasks).to_string()).into_iter().filter(Diagnostic::is_error).collect();
    assert_eq!(errors.len(), 21);
    assert_eq!(errors[20].message, "980 more times: links to no task");
}

#[test]
fn scales_that_are_no_scales_are_refused() {
    for scale in [f64::NAN, -1.0, f64::INFINITY] {
        assert!(parse(V1_5, &ReplayOptions { scale, scale_memory: None }).0.is_none());
        assert!(parse(V1_5, &ReplayOptions { scale: 1.0, scale_memory: Some(scale) }).0.is_none());
    }
}

// ---- There and back ---------------------------------------------------------------------------

/// What a document says, read without the reader: edges, files with sizes, and runtimes.
#[derive(Debug, Default, PartialEq)]
struct Facts {
    tasks: BTreeSet<String>,
    edges: BTreeSet<(String, String)>,
    reads: BTreeSet<(String, String)>,
    writes: BTreeSet<(String, String)>,
    sizes: BTreeMap<String, u64>,
    runtimes: BTreeMap<String, u64>,
}

impl Facts {
    fn of(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).expect("it is JSON");
        let body = &document["workflow"];
        let mut facts = Self::default();
        if body["specification"].is_object() {
            facts.split(body);
        } else {
            facts.joined(body);
        }
        facts
    }

    fn split(&mut self, body: &Value) {
        for task in list(&body["specification"]["tasks"]) {
            let id = text(&task["id"]);
            for (field, pairs) in
                [("inputFiles", &mut self.reads), ("outputFiles", &mut self.writes)]
            {
                pairs.extend(list(&task[field]).iter().map(|file| (id.clone(), text(file))));
            }
            self.edges.extend(list(&task["parents"]).iter().map(|p| (text(p), id.clone())));
            self.edges.extend(list(&task["children"]).iter().map(|c| (id.clone(), text(c))));
            self.tasks.insert(id);
        }
        for file in list(&body["specification"]["files"]) {
            self.sizes.insert(text(&file["id"]), file["sizeInBytes"].as_u64().expect("whole"));
        }
        for task in list(&body["execution"]["tasks"]) {
            self.runtimes.insert(text(&task["id"]), micros(&task["runtimeInSeconds"]));
        }
    }

    fn joined(&mut self, body: &Value) {
        let id = |task: &Value| {
            let (name, id) = (text(&task["name"]), text(&task["id"]));
            if name.contains(&id) { name } else { format!("{name}_{id}") }
        };
        for task in list(&body["tasks"]) {
            let me = id(task);
            self.edges.extend(list(&task["parents"]).iter().map(|p| (text(p), me.clone())));
            self.edges.extend(list(&task["children"]).iter().map(|c| (me.clone(), text(c))));
            for file in list(&task["files"]) {
                let path = text(&file["path"]) + &text(&file["name"]);
                let size = file["size"].as_u64().or(file["sizeInBytes"].as_u64());
                self.sizes.insert(path.clone(), size.expect("whole"));
                let reads = file["link"] == "input";
                if reads { &mut self.reads } else { &mut self.writes }.insert((me.clone(), path));
            }
            let runtime = if task["runtime"].is_null() {
                &task["runtimeInSeconds"]
            } else {
                &task["runtime"]
            };
            self.runtimes.insert(me.clone(), micros(runtime));
            self.tasks.insert(me);
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// With the floor of a millisecond.
fn micros(seconds: &Value) -> u64 {
    (seconds.as_f64().expect("a number").max(0.001) * 1e6).round() as u64
}

fn exported(workflow: &Workflow) -> String {
    let executions: Vec<_> = workflow
        .tasks()
        .map(|task| {
            TaskExecution::new(task, workflow.estimate(task).expect("recorded").as_secs_f64())
        })
        .collect();
    let now = "2026-01-01T00:00:00Z".to_owned();
    let meta = ExportMeta {
        created_at: now.clone(),
        executed_at: now,
        makespan_seconds: 1.0,
        ..ExportMeta::default()
    };
    export(workflow, &executions, &meta)
}

fn there_and_back(name: &str, text: &str) {
    let (workflow, diagnostics) = parse(text, &ReplayOptions::default());
    let workflow = workflow.unwrap_or_else(|| panic!("{name}: {diagnostics:#?}"));
    let written = exported(&workflow);
    assert!(Facts::of(text) == Facts::of(&written), "{name} comes back changed");
    assert_eq!(Facts::of(&exported(&read(&written))), Facts::of(&written), "{name}, again");
}

#[test]
fn written_again_a_document_has_the_same_tasks_edges_files_sizes_and_runtimes() {
    for (name, text) in [("1.3", V1_3), ("1.4", V1_4), ("1.5", V1_5)] {
        there_and_back(name, text);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tests may look at the disk and at what they are told"
)]
fn recorded_workflows() -> Vec<(PathBuf, String)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var("FORESHARD_DATA").map_or(beside, PathBuf::from);
    let mut folders = vec![data.join("workflows")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "json") {
                found.push((path.clone(), std::fs::read_to_string(&path).expect("readable")));
            }
        }
    }
    found
}

#[test]
fn so_has_every_recorded_workflow_at_hand() {
    let found = recorded_workflows();
    if found.is_empty() {
        eprintln!("skipped: no recorded workflows; FORESHARD_DATA names the folder they are below");
    }
    for (path, text) in found {
        there_and_back(&path.display().to_string(), &text);
    }
}

#[test]
fn ids_are_written_in_the_letters_of_the_format() {
    let source = r#"{"name": "w", "schemaVersion": "1.5", "workflow": {"specification": {"tasks": [
        {"name": "a", "id": "a b[1]", "parents": [], "children": [], "outputFiles": ["ü.txt"]}]}}}"#;
    let written: Value = serde_json::from_str(&exported(&read(source))).unwrap();
    let specification = &written["workflow"]["specification"];
    assert_eq!(specification["tasks"][0]["id"], "a#20b#5B1#5D");
    assert_eq!(specification["tasks"][0]["outputFiles"][0], "#C3#BC.txt");
    assert_eq!(specification["files"][0]["sizeInBytes"], 0);
}
