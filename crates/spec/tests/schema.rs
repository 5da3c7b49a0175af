//! The schemas against the readers and against everything that is written by hand: they cannot
//! drift apart without a test that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use spec::diagnostic::{Code, Diagnostic, Source};
use spec::source::{self, Kind, Node};
use spec::{schema, site_file, workflow_file};

/// Checks a tree against the part of JSON Schema that the schemas use; anything else is a panic,
/// so that nothing passes unread.
struct Checker<'a> {
    root: &'a Value,
}

impl Checker<'_> {
    fn problems(&self, node: &Node<'_>, schema: &Value, at: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (keyword, rule) in schema.as_object().expect("a schema is an object") {
            match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "properties" => {}
                "$ref" => {
                    let path = rule.as_str().and_then(|r| r.strip_prefix('#')).expect("a path");
                    let target = self.root.pointer(path).expect("the reference leads somewhere");
                    found.extend(self.problems(node, target, at));
                }
                "anyOf" => {
                    let choices = rule.as_array().expect("a list").iter();
                    let tries: Vec<_> = choices.map(|c| self.problems(node, c, at)).collect();
                    if tries.iter().all(|problems| !problems.is_empty()) {
                        found.push(format!(
                            "{at} is none of {}: {:?}",
                            tries.len(),
                            tries.concat()
                        ));
                    }
                }
                "const" | "enum" => {
                    let allowed = rule.as_array().map_or(std::slice::from_ref(rule), Vec::as_slice);
                    if !allowed.iter().any(|value| text_of(value) == node.text().unwrap_or("")) {
                        found.push(format!("{at} must be {rule}"));
                    }
                }
                "type" => {
                    let allowed = rule.as_array().map_or(std::slice::from_ref(rule), Vec::as_slice);
                    if !allowed.iter().any(|kind| is_a(node, kind.as_str().unwrap_or(""))) {
                        found.push(format!("{at} is {}, not {rule}", node.what()));
                    }
                }
                "pattern" => {
                    assert_eq!(rule, r"\{params\.", "the one pattern that is read here");
                    if !node.text().is_some_and(|text| text.contains("{params.")) {
                        found.push(format!("{at} has no parameter"));
                    }
                }
                "items" => {
                    for (i, item) in node.list().unwrap_or_default().iter().enumerate() {
                        found.extend(self.problems(item, rule, &format!("{at}[{i}]")));
                    }
                }
                "additionalProperties" => found.extend(self.entries(node, schema, rule, at)),
                "required" => {
                    let names = rule.as_array().expect("a list").iter().filter_map(Value::as_str);
                    let missing = names.filter(|name| node.get(name).is_none());
                    found.extend(missing.map(|name| format!("{at} lacks {name}")));
                }
                "minimum" | "minItems" | "maxItems" => {
                    assert!(rule.is_u64(), "bounds are for the readers");
                }
                _ => panic!("`{keyword}` is not read"),
            }
        }
        found
    }

    fn entries(&self, node: &Node<'_>, schema: &Value, rest: &Value, at: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (key, value) in node.map().unwrap_or_default() {
            let name = key.text().unwrap_or_default();
            let at = format!("{at}.{name}");
            match (&schema["properties"][name], rest) {
                (Value::Null, Value::Bool(false)) => found.push(format!("{at} is unknown")),
                (Value::Null, rest) => found.extend(self.problems(value, rest, &at)),
                (known, _) => found.extend(self.problems(value, known, &at)),
            }
        }
        found
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn is_a(node: &Node<'_>, kind: &str) -> bool {
    let plain = |ok: fn(&str) -> bool| matches!(&node.kind, Kind::Plain(text) if ok(text));
    match kind {
        "object" => node.map().is_some(),
        "array" => node.list().is_some(),
        "string" => node.text().is_some(),
        "boolean" => plain(|text| matches!(text, "true" | "false")),
        "integer" => plain(|text| text.parse::<i64>().is_ok()),
        "number" => plain(|text| text.parse::<f64>().is_ok()),
        _ => panic!("`{kind}` is not a type here"),
    }
}

fn problems(text: &str, schema: &Value) -> Vec<String> {
    let source = Source::new("test.yaml", text);
    let root = source::read(&source).unwrap_or_else(|errors| panic!("{errors:#?}"));
    Checker { root: schema }.problems(&root, schema, "")
}

// ---- The readers know the fields that the schemas know -----------------------------------------

/// What a reader says are the fields of the map in which `zzzzzzzz` stands.
fn fields_of(diagnostics: &[Diagnostic]) -> BTreeSet<String> {
    let unknown = |d: &&Diagnostic| d.code == Code::UnknownField && d.message.contains("zzzzzzzz");
    let diagnostic = diagnostics.iter().find(unknown).unwrap_or_else(|| panic!("{diagnostics:?}"));
    let help = diagnostic.help.as_deref().unwrap_or_default();
    let names = help.strip_prefix("fields are ").unwrap_or_else(|| panic!("{help}"));
    names.split(", ").map(str::to_owned).collect()
}

fn properties(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().expect("an object").keys().cloned().collect()
}

fn of_workflow(text: &str) -> BTreeSet<String> {
    fields_of(&workflow_file::parse(&Source::new("w.yaml", text), &BTreeMap::new()).1)
}

#[test]
fn a_workflow_has_the_fields_that_its_reader_knows() {
    let schema = schema::workflow();
    let defs = &schema["$defs"];
    let retries = &defs["common"]["properties"]["retries"]["anyOf"][1];
    let memory = &defs["common"]["properties"]["resources"]["properties"]["memory"]["anyOf"][1];
    let long_param = &schema["properties"]["params"]["additionalProperties"]["anyOf"][1];
    let long_include = &schema["properties"]["include"]["additionalProperties"]["anyOf"][1];
    let range = &defs["values"]["anyOf"][2];
    let cases = [
        ("zzzzzzzz: 1\ntasks: {a: {run: x}}", &schema),
        ("defaults: {zzzzzzzz: 1}\ntasks: {a: {run: x}}", &defs["common"]),
        ("tasks: {a: {run: x, zzzzzzzz: 1}}", &defs["task"]),
        ("tasks: {a: {run: x, retries: {zzzzzzzz: 1}}}", retries),
        ("tasks: {a: {run: x, resources: {memory: {start: 1, zzzzzzzz: 1}}}}", memory),
        ("tasks: {a: {run: x, foreach: {i: {from: 1, to: 2, zzzzzzzz: 1}}}}", range),
        ("params: {p: {type: int, default: 1, zzzzzzzz: 1}}\ntasks: {a: {run: x}}", long_param),
        ("include: {q: {file: q.yaml, zzzzzzzz: 1}}", long_include),
    ];
    for (text, part) in cases {
        assert_eq!(of_workflow(&format!("foreshard: 1\n{text}\n")), properties(part), "{text}");
    }
}

#[test]
fn a_site_has_the_fields_that_its_reader_knows() {
    let schema = schema::site();
    let zone = &schema["properties"]["zones"]["additionalProperties"];
    let link = &schema["properties"]["links"]["items"];
    let policy = &schema["properties"]["policy"]["anyOf"][1];
    let pools = "pools: {p: {cpus: 1, memory: 1GiB}}";
    let cases = [
        (format!("zzzzzzzz: 1\nzones: {{a: {{{pools}}}}}"), &schema),
        (format!("zones: {{a: {{{pools}, zzzzzzzz: 1}}}}"), zone),
        (
            format!("zones: {{a: {{{pools}, location: {{zzzzzzzz: 1}}}}}}"),
            &zone["properties"]["location"],
        ),
        (
            format!("zones: {{a: {{{pools}, domains: {{zzzzzzzz: 1}}}}}}"),
            &zone["properties"]["domains"],
        ),
        (format!("zones: {{a: {{{pools}}}}}\nlinks: [{{zzzzzzzz: 1}}]"), link),
        (format!("zones: {{a: {{{pools}}}}}\npolicy: {{zzzzzzzz: 1}}"), policy),
        (
            format!("zones: {{a: {{{pools}}}}}\npolicy: {{weights: {{zzzzzzzz: 1}}}}"),
            &policy["properties"]["weights"],
        ),
    ];
    let inputs = |field: &str| &schema["properties"][field]["additionalProperties"];
    let more = ["calendars", "feeds"].map(|field| {
        (format!("zones: {{a: {{{pools}}}}}\n{field}: {{f: {{zzzzzzzz: 1}}}}"), inputs(field))
    });
    for (text, part) in cases.into_iter().chain(more) {
        let source = Source::new("s.yaml", format!("foreshard: 1\n{text}\n"));
        assert_eq!(fields_of(&site_file::parse(&source).1), properties(part), "{text}");
    }
}

#[test]
fn no_field_of_a_pool_is_taken_for_a_countable() {
    let schema = schema::site();
    let zones = &schema["properties"]["zones"]["additionalProperties"];
    let pool = &zones["properties"]["pools"]["additionalProperties"];
    for name in properties(pool) {
        let text = format!("foreshard: 1\nzones: {{z: {{pools: {{p: {{{name}: nonsense}}}}}}}}\n");
        let (site, diagnostics) = site_file::parse(&Source::new("s.yaml", text));
        let told = diagnostics
            .iter()
            .any(|d| d.message.contains("whole number") && name != "count" && name != "max_nodes");
        assert!(site.is_none() && !told, "{name}: {diagnostics:#?}");
    }
}

// ---- What is written by hand follows the schemas -----------------------------------------------

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[expect(clippy::disallowed_methods, reason = "a test may look at the examples")]
fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn examples() -> Vec<PathBuf> {
    let mut folders = vec![project().join("examples")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yaml")
                && !path.to_string_lossy().ends_with(".params.yaml")
            {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn every_example_follows_its_schema_and_is_read() {
    let found = examples();
    assert!(found.len() >= 5, "{found:?}");
    for path in found {
        let text = read(&path);
        let is_site = path.file_name().is_some_and(|name| name.to_string_lossy().contains("site"));
        let schema = if is_site { schema::site() } else { schema::workflow() };
        assert_eq!(problems(&text, &schema), [""; 0], "{}", path.display());
        let source = Source::new(path.display().to_string(), text);
        let diagnostics = match is_site {
            true => site_file::parse(&source).1,
            false => workflow_file::parse(&source, &BTreeMap::new()).1,
        };
        assert!(!diagnostics.iter().any(Diagnostic::is_error), "{diagnostics:#?}");
    }
}

#[test]
fn the_formats_are_documented_as_they_are() {
    for (name, schema) in [("workflow", schema::workflow()), ("site", schema::site())] {
        let document = read(&project().join(format!("docs/formats/{name}.md")));
        let mut blocks = document.split("```yaml\n").skip(1);
        let block = blocks.next().and_then(|rest| rest.split("```").next()).expect("an example");
        assert_eq!(problems(block, &schema), [""; 0], "{name}");
        let known: Vec<&Value> = match name {
            "workflow" => vec![&schema, &schema["$defs"]["task"]],
            _ => {
                let zone = &schema["properties"]["zones"]["additionalProperties"];
                vec![&schema, zone, &zone["properties"]["pools"]["additionalProperties"]]
            }
        };
        for field in known.into_iter().flat_map(properties) {
            assert!(document.contains(&field), "{name}.md does not tell of `{field}`");
        }
    }
}

#[test]
fn a_schema_refuses_what_is_no_such_file() {
    let workflow = schema::workflow();
    for text in [
        "foreshard: 1",
        "foreshard: 2\ntasks: {}",
        "foreshard: 1\ninclude: {q: {params: {a: 1}}}",
        "foreshard: 1\ntasks: {a: {rum: x}}",
        "foreshard: 1\ntasks: {a: {argv: x}}",
    ] {
        assert_ne!(problems(text, &workflow), [""; 0], "{text}");
    }
    for text in [
        "foreshard: 1\nzones: {a: {pools: {p: {cpus: 1}}}}",
        "foreshard: 1\nzones: {}\npolicy: slow",
    ] {
        assert_ne!(problems(text, &schema::site()), [""; 0], "{text}");
    }
}
