//! JSON schemas of the file formats, for editors: completion, help and a first check.
//!
//! They say which fields there are and of what shape; what values mean is for the readers,
//! [`crate::workflow_file`] and [`crate::site_file`], whose word is final.

use serde_json::{Map, Value, json};

use crate::notify::Occasion;
use crate::site::{CalendarKind, Policy, Weights};
use crate::site_file::BACKENDS;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Of workflow files.
#[must_use]
pub fn workflow() -> Value {
    let mut task = task_fields();
    task.extend(common_fields());
    let root = json!({
        "foreshard": version(),
        "name": about("name of the workflow; default: the file's name", text()),
        "params": about("name: default, or name: {type, default, about}", map_of(one_of([
            any_value(),
            object(fields(json!({
                "type": {"enum": ["int", "float", "bool", "text", "list"]},
                "default": any_value(),
                "about": about("what it is for", text()),
            })), &[]),
        ]))),
        "secrets": about("name: where the value is kept", map_of(secret())),
        "include": about("name: another workflow file, whose tasks are then called name.task", map_of(one_of([
            text(),
            object(fields(json!({
                "file": about("relative to this file", text()),
                "params": about("values for its parameters", map_of(any_value())),
                "when": about("a condition on parameters", scalar()),
            })), &["file"]),
        ]))),
        "defaults": about("fields for all tasks that do not say otherwise", reference("common")),
        "tasks": about("name: task; the order does not matter", map_of(reference("task"))),
        "notify": about("who is told when a run ends", one_of([
            notification(),
            list_of(notification()),
        ])),
        "final": about("tasks that run when all others have ended, however that was", map_of(reference("task"))),
    });
    let mut schema = object(fields(root), &["foreshard"]);
    schema["anyOf"] = json!([{"required": ["tasks"]}, {"required": ["include"]}]);
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!("Foreshard workflow file");
    schema["$defs"] = json!({
        "common": object(common_fields(), &[]),
        "task": object(task, &[]),
        "slots": slots(),
        "slot": slot(),
        "values": values(),
    });
    schema
}

/// Of site files.
#[must_use]
pub fn site() -> Value {
    let root = json!({
        "foreshard": version(),
        "zones": about("name: zone; a zone is a place with one price and one fate", map_of(zone())),
        "links": about("what moving data between zones takes", list_of(object(fields(json!({
            "between": {"type": "array", "items": text(), "minItems": 2, "maxItems": 2},
            "latency": duration("one way"),
            "bandwidth": bytes("bytes a second"),
            "price_per_gb": about("money for 10^9 bytes", amount()),
        })), &["between"]))),
        "outages": about("when whole regions are gone, for simulation", list_of(object(fields(json!({
            "region": about("as in the location of zones", text()),
            "every": duration("from the end of one to the begin of the next, on average"),
            "lasts": duration("on average"),
            "tail": about("exponent of the tail of its length, default 1.5", amount()),
            "seed": about("where chance comes from", json!({"type": "integer", "minimum": 0})),
        })), &["region", "every", "lasts"]))),
        "calendars": about("name: events that are known ahead", map_of(object(fields(json!({
            "from": about("an .ics file, relative to this file, or its address", text()),
            "kind": about("holiday, drain (capacity goes away) or event; default: event", json!({"enum": CalendarKind::NAMES})),
            "zones": about("the zones that it is about; default: all", list_of(text())),
        })), &["from"]))),
        "feeds": about("name: an external series that may say something about capacity", map_of(object(fields(json!({
            "from": about("a file of values (CSV, JSON lines), relative to this file, its address, or that of a Prometheus", text()),
            "query": about("what the Prometheus is asked", text()),
            "known_ahead": about("whether values are known long before; default: false", json!({"type": "boolean"})),
            "lag": duration("how long after an instant its value is known; default: 0s"),
            "zones": about("the zones that it is about; default: all", list_of(text())),
        })), &["from"]))),
        "policy": about("what the dispatcher prefers", one_of([
            json!({"enum": Policy::NAMES}),
            object(fields(json!({
                "name": about("a policy to start from, or a name of your own", text()),
                "weights": object(Weights::NAMES.map(|name| (name.to_owned(), amount())).into(), &[]),
            })), &[]),
        ])),
    });
    let mut schema = object(fields(root), &["foreshard", "zones"]);
    schema["$schema"] = json!(DIALECT);
    schema["title"] = json!("Foreshard site file");
    schema
}

fn secret() -> Value {
    let place = |field: &str, schema: Value| object(vec![(field.to_owned(), schema)], &[field]);
    one_of([
        place("env", about("a variable that foreshard is started with", text())),
        place("file", about("a file: absolute, ~/…, or relative to the project", text())),
        place("command", about("a program that prints it, and its arguments", list_of(scalar()))),
    ])
}

fn notification() -> Value {
    object(
        fields(json!({
            "on": about("at which ends; default: end, which is all of them", json!({"enum": Occasion::NAMES})),
            "command": about("a program and its arguments; it reads the message as JSON", list_of(scalar())),
            "webhook": about("an address that the message is posted to", one_of([
                text(),
                object(fields(json!({
                    "secret": about("a name below secrets", text()),
                })), &["secret"]),
            ])),
        })),
        &[],
    )
}

/// What only a task has.
fn task_fields() -> Vec<(String, Value)> {
    fields(json!({
        "run": about("one line or script for /bin/sh", text()),
        "argv": about("a program and its arguments, without a shell", list_of(scalar())),
        "inputs": about("files the command reads", reference("slots")),
        "outputs": about("files the command writes; `dir/` is a folder, `*` a pattern", reference("slots")),
        "needs": about("tasks that must be done before", texts()),
        "foreach": about("one task for each value", one_of([
            map_of(reference("values")),
            list_of(map_of(any_value())),
        ])),
        "matrix": about("one task for each combination", map_of(reference("values"))),
        "emits": about("an output that declares more tasks, in this same format", text()),
        "when": about("a condition on parameters; no task is made where it does not hold", scalar()),
    }))
}

/// What a task has and `defaults` can have.
fn common_fields() -> Vec<(String, Value)> {
    let resources = json!({
        "type": "object",
        "properties": {
            "cpus": about("cpus, also parts of one; default 1", number()),
            "memory": one_of([bytes("such as 4GiB"), growing_memory()]),
            "network": bytes("bytes a second, such as 10MB/s"),
        },
        "additionalProperties": about("whole number of anything else, such as gpu", filled("integer")),
    });
    fields(json!({
        "resources": about("what is set aside while the task runs", resources),
        "estimate": duration("how long it is expected to take"),
        "priority": about("among equally urgent tasks, higher goes first", filled("integer")),
        "critical": about("its result must be checked by a second execution", filled("boolean")),
        "idempotent": about("false: never started twice unless you say so", filled("boolean")),
        "retries": about("tries after a failure of its own", one_of([
            filled("integer"),
            object(fields(json!({
                "count": filled("integer"),
                "backoff": duration("the pause before the first retry; default 1s"),
                "factor": about("what the pause grows by; default 2", number()),
                "max": duration("the longest pause; default 5m"),
            })), &[]),
        ])),
        "oom_retries": about("tries with more memory after running out of it; default 3", filled("integer")),
        "timeout": duration("killed after this long, which is a failure of its own"),
        "env": about("variables of the command", map_of(scalar())),
        "env_from": about("outside variables that, when they change, make it run again", texts()),
        "empty_outputs": about("false: an output that is empty is a failure", filled("boolean")),
        "workdir": about("where the command starts", text()),
        "setup": about("lines for the same shell, before the command", texts()),
        "image": about("what the command runs in; the site says how", text()),
        "secrets": about("names of secrets that it is given as variables", texts()),
    }))
}

fn growing_memory() -> Value {
    object(
        fields(json!({
            "start": bytes("at first, until past runs say better"),
            "grow": about("what it grows by after running out; default 2", number()),
            "max": bytes("never more than this"),
        })),
        &["start"],
    )
}

fn zone() -> Value {
    let location = json!({
        "region": about("such as us-east-1", scalar()),
        "zone": about("such as us-east-1b", scalar()),
    });
    let domains = json!({
        "host": about("one physical machine", scalar()),
        "rack": about("one rack or power feed", scalar()),
        "region": about("default: the location's", scalar()),
        "image": about("one image or software build", scalar()),
    });
    let zone = json!({
        "backend": about("local: a slice of this machine; slurm: a cluster", json!({"enum": BACKENDS})),
        "location": object(fields(location), &[]),
        "domains": about("what its machines may be lost or wrong together by", object(fields(domains), &[])),
        "time_zone": about("name of the time zone of the clock on its wall, as in Europe/Berlin; default: UTC", text()),
        "pools": about("name: pool; like resources inside the zone", map_of(pool())),
        "wrap": about("every command of the zone is run through this", list_of(scalar())),
        "images": about("pattern of images: how commands run in them; others are refused", map_of(object(fields(json!({
            "wrap": about("words around the command, with {image}, {folder}, {project}", list_of(scalar())),
            "resolve": about("prints what {image} stands for, such as its digest", list_of(scalar())),
        })), &["wrap"]))),
        "trace": about("recorded or made availability, for simulation", one_of([text(), runs(), daily()])),
    });
    object(fields(zone), &["pools"])
}

fn runs() -> Value {
    let known = json!({
        "kind": json!({"enum": ["runs"]}),
        "up": duration("how long it is there, on average"),
        "down": duration("how long it is gone, on average"),
        "tail": about("exponent of the tail of both, default 1.5", amount()),
        "seed": about("where chance comes from", json!({"type": "integer", "minimum": 0})),
        "length": duration("before it begins again; default 720h"),
    });
    object(fields(known), &["kind", "up", "down"])
}

fn daily() -> Value {
    let count = |words| about(words, json!({"type": "integer", "minimum": 0}));
    let known = json!({
        "kind": json!({"enum": ["daily"]}),
        "most": count("that can be held, default 1"),
        "least": count("that can be held, default 0"),
        "busiest": duration("when the least is reached, from midnight; default 14h"),
        "noise": count("what is added or taken at random, at most; default 0"),
        "seed": count("where chance comes from"),
        "length": duration("before it begins again; default 720h"),
    });
    object(fields(known), &["kind"])
}

fn pool() -> Value {
    let known = json!({
        "cpus": about("of one node", amount()),
        "memory": bytes("of one node"),
        "network": bytes("of one node, bytes a second"),
        "count": about("nodes; default 1", json!({"type": "integer", "minimum": 0})),
        "price": about("money for an hour of a node", amount()),
        "price_per_core": about("money for an hour of a core", amount()),
        "launch_delay": duration("from asking for capacity to having it"),
        "preemption_notice": duration("how long before a preemption it says so"),
        "max_nodes": about("provision may grow the pool up to this", json!({"type": "integer", "minimum": 0})),
        "provision": about("a command that adds nodes; {count} is how many", list_of(scalar())),
    });
    json!({
        "type": "object",
        "properties": known,
        "required": ["cpus", "memory"],
        "additionalProperties": about("whole number of anything else, such as gpu", json!({"type": "integer", "minimum": 0})),
    })
}

fn slots() -> Value {
    one_of([
        text(),
        list_of(reference("slot")),
        map_of(one_of([reference("slot"), list_of(reference("slot"))])),
    ])
}

fn slot() -> Value {
    let gather = json!({"outputs_of": about("gathers all outputs of this task", text())});
    one_of([text(), object(fields(gather), &["outputs_of"])])
}

fn values() -> Value {
    let range = json!({
        "from": filled("integer"),
        "to": filled("integer"),
        "step": filled("integer"),
    });
    one_of([
        about("a range such as 1..100, or {params.NAME}", text()),
        list_of(any_value()),
        object(fields(range), &["from", "to"]),
    ])
}

// ---- Parts of schemas -------------------------------------------------------------------------

fn fields(properties: Value) -> Vec<(String, Value)> {
    match properties {
        Value::Object(map) => map.into_iter().collect(),
        _ => Vec::new(),
    }
}

fn object(properties: Vec<(String, Value)>, required: &[&str]) -> Value {
    let properties: Map<String, Value> = properties.into_iter().collect();
    let mut schema =
        json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

fn about(words: &str, mut schema: Value) -> Value {
    schema["description"] = json!(words);
    schema
}

fn map_of(values: Value) -> Value {
    let mut schema = json!({"type": "object"});
    schema["additionalProperties"] = values;
    schema
}

fn list_of(items: Value) -> Value {
    let mut schema = json!({"type": "array"});
    schema["items"] = items;
    schema
}

fn one_of<const N: usize>(choices: [Value; N]) -> Value {
    json!({"anyOf": Value::from(Vec::from(choices))})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

fn version() -> Value {
    about("version of the format", json!({"const": 1}))
}

fn text() -> Value {
    json!({"type": "string"})
}

fn scalar() -> Value {
    json!({"type": ["string", "number", "boolean"]})
}

fn any_value() -> Value {
    json!({"type": ["string", "number", "boolean", "array"]})
}

fn texts() -> Value {
    one_of([text(), list_of(text())])
}

/// A value, or a text with a parameter to be filled in.
fn filled(kind: &str) -> Value {
    one_of([json!({"type": kind}), json!({"type": "string", "pattern": r"\{params\."})])
}

/// A number in a file without parameters.
fn amount() -> Value {
    json!({"type": "number", "minimum": 0})
}

fn number() -> Value {
    filled("number")
}

fn duration(words: &str) -> Value {
    about(&format!("{words}; 90s, 1h30m"), json!({"type": ["string", "number"]}))
}

fn bytes(words: &str) -> Value {
    about(
        &format!("{words}; KiB, MiB, GiB, TiB or kB, MB, GB, TB"),
        json!({"type": ["string", "number"]}),
    )
}
