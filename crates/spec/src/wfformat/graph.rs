//! Tables of a recording become a Workflow Graph: a template for each type, a row for each task.

use std::collections::BTreeMap;

use super::mistakes::Mistakes;
use super::names::Texts;
use super::recorded::{NONE, Recorded, Run};
use super::replay::Replay;
use super::{PROGRAM, ReplayOptions};
use crate::assemble::{GraphError, Parts, assemble_replay};
use crate::command::{CommandTemplate, Placeholder, Quoting, Segment, TextTemplate};
use crate::csr::{Csr, transpose};
use crate::diagnostic::{Code, Diagnostic};
use crate::digest::Digest;
use crate::resources::{MilliCpus, Resources};
use crate::template::{Domain, Per, Slot, Template, Value, Variable};
use crate::units::{Bytes, Duration};
use crate::workflow::{Input, Workflow};

/// More types than this are no types: all tasks then share one template.
const MAX_KINDS: usize = 5_000;
/// Recorders that count whole seconds write 0 for what took less.
const MIN_SECONDS: f64 = 0.001;
/// What the process that replays a task takes beyond the memory it is to hold. 13 MiB were
/// measured, without optimisation; each thread that burns cpu adds some.
const OWN_MEMORY: u64 = 32 << 20;

/// The workflow, and every mistake in and between its tasks.
pub(super) fn build(
    text: &str,
    mut recorded: Recorded,
    options: &ReplayOptions,
) -> (Option<Workflow>, Vec<Diagnostic>) {
    let mut mistakes = std::mem::take(&mut recorded.mistakes);
    if recorded.tasks.is_empty() {
        mistakes.error("no tasks", Code::MissingField, "the document has no tasks".to_owned());
    }
    check_runs(&recorded, &mut mistakes);
    check_sizes(&recorded, &mut mistakes);
    let needs = dependencies(&recorded, &mut mistakes);
    let order = Order::new(&mut recorded);
    let templates = templates(&recorded, &order, options);
    let (inputs, outputs, needs) = rows(&recorded, &order, &needs);
    let mut ids = Texts::default();
    order.tasks.iter().for_each(|&position| ids.push(recorded.id_at(position)));
    let scaled = |size: &Option<u64>| scale_bytes(size.unwrap_or(0), options.scale);
    let sizes = recorded.sizes.iter().map(scaled).collect();
    let scales = [options.scale, options.memory()].map(f64::to_le_bytes);
    let parts = Parts {
        name: recorded.name,
        digest: Digest::of_parts([text.as_bytes(), &scales[0], &scales[1]]),
        params: BTreeMap::new(),
        templates,
        first_task: order.first_task,
        files: recorded.files,
        inputs,
        outputs,
        needs,
    };
    // The tables are dropped before the graph is built: together they would be the peak.
    drop((recorded.names, recorded.runs, recorded.tasks, recorded.parents, recorded.children));
    let workflow = assemble_replay(parts, Replay::new(ids, sizes, recorded.folder));
    let workflow = workflow.map_err(|errors| told(&errors, &mut mistakes)).ok();
    let diagnostics = mistakes.finish();
    let clean = !diagnostics.iter().any(Diagnostic::is_error);
    (workflow.filter(|_| clean), diagnostics)
}

fn told(errors: &[GraphError], mistakes: &mut Mistakes) {
    for error in errors {
        let (kind, code) = match error {
            GraphError::TwoWriters { .. }
            | GraphError::ListedTwice { .. }
            | GraphError::Covered { .. } => ("files with two writers", Code::Collision),
            GraphError::ReadsOwnOutput { .. } => ("tasks that read what they write", Code::Cycle),
            GraphError::Cycle { .. } => ("tasks that wait for each other", Code::Cycle),
            GraphError::BadPattern { .. } => ("patterns", Code::Path),
            GraphError::TooManyEdges { .. } => ("dependencies", Code::Limit),
        };
        mistakes.error(kind, code, error.to_string());
    }
}

fn check_runs(recorded: &Recorded, mistakes: &mut Mistakes) {
    for (number, run) in recorded.runs.iter().enumerate() {
        if run.is_some() && recorded.position[number] == NONE {
            let id = recorded.names.text(number as u32);
            let message = format!("`execution` names the task `{id}`, which does not exist");
            mistakes.error("executions of no task", Code::UnknownTask, message);
        }
    }
    for task in &recorded.tasks {
        if recorded.runs[task.id as usize].is_none() {
            let id = recorded.names.text(task.id);
            let message = format!("no execution of `{id}` is recorded; it will take no time");
            mistakes.warning("tasks without an execution", Code::MissingField, message);
        }
    }
}

fn check_sizes(recorded: &Recorded, mistakes: &mut Mistakes) {
    for (file, size) in recorded.files.ids().zip(&recorded.sizes) {
        if size.is_none() {
            let path = recorded.files.path(file);
            let message = format!("no size of the file at `{path}` is recorded; it will be empty");
            mistakes.warning("files without a size", Code::MissingField, message);
        }
    }
}

/// By position: the positions of the tasks to wait for, in order.
fn dependencies(recorded: &Recorded, mistakes: &mut Mistakes) -> Csr<u32> {
    let parents = resolve(recorded, &recorded.parents, "parent", mistakes);
    let children = resolve(recorded, &recorded.children, "child", mistakes);
    let mirrored = transpose(&children, recorded.tasks.len());
    let mut all = Csr::default();
    for position in 0..recorded.tasks.len() {
        let (here, there) = (parents.row(position), mirrored.row(position));
        if recorded.split && here != there {
            one_sided(recorded, position as u32, here, there, mistakes);
        }
        let mut row = [here, there].concat();
        row.sort_unstable();
        row.dedup();
        all.push_row(row);
    }
    all
}

fn resolve(recorded: &Recorded, links: &Csr<u32>, what: &str, mistakes: &mut Mistakes) -> Csr<u32> {
    let mut resolved = Csr::default();
    let mut row = Vec::new();
    for position in 0..recorded.tasks.len() {
        row.clear();
        for &name in links.row(position) {
            match recorded.position[name as usize] {
                NONE => {
                    let (id, other) = (recorded.id_at(position as u32), recorded.names.text(name));
                    let message = format!("`{id}` has the {what} `{other}`, which does not exist");
                    mistakes.error("links to no task", Code::UnknownTask, message);
                }
                other => row.push(other),
            }
        }
        row.sort_unstable();
        row.dedup();
        resolved.push_row(row.iter().copied());
    }
    resolved
}

fn one_sided(
    recorded: &Recorded,
    task: u32,
    parents: &[u32],
    mirrored: &[u32],
    mistakes: &mut Mistakes,
) {
    let id = |position: &u32| recorded.id_at(*position);
    let own = id(&task);
    let only_here = parents.iter().filter(|p| mirrored.binary_search(p).is_err());
    let only_there = mirrored.iter().filter(|p| parents.binary_search(p).is_err());
    let messages = only_here
        .map(|p| format!("`{own}` has the parent `{0}`, but `{0}` lacks the child `{own}`", id(p)))
        .chain(only_there.map(|p| {
            format!("`{0}` has the child `{own}`, but `{own}` lacks the parent `{0}`", id(p))
        }));
    for message in messages {
        mistakes.error("links with one end", Code::UnknownTask, message);
    }
}

/// Tasks by type, then as in the document.
struct Order {
    /// By task: its position.
    tasks: Vec<u32>,
    /// By position: its task.
    task_at: Vec<u32>,
    first_task: Vec<u32>,
    kinds: Vec<String>,
}

impl Order {
    fn new(recorded: &mut Recorded) -> Self {
        let kinds = &recorded.kinds;
        let mut names: Vec<String> =
            (0..kinds.len()).map(|kind| kinds.text(kind as u32).to_owned()).collect();
        if names.len() > MAX_KINDS {
            names = vec!["task".to_owned()];
            recorded.tasks.iter_mut().for_each(|task| task.kind = 0);
        }
        let mut by_kind = Csr::default();
        recorded.tasks.iter().for_each(|task| by_kind.push_row([task.kind]));
        let by_kind = transpose(&by_kind, names.len());
        let mut order = Self {
            tasks: Vec::with_capacity(recorded.tasks.len()),
            task_at: vec![0; recorded.tasks.len()],
            first_task: vec![0],
            kinds: names,
        };
        for kind in 0..by_kind.n_rows() {
            for &position in by_kind.row(kind) {
                order.task_at[position as usize] = order.tasks.len() as u32;
                order.tasks.push(position);
            }
            order.first_task.push(order.tasks.len() as u32);
        }
        order
    }
}

type Rows = (Csr<Input>, Csr<crate::id::FileId>, Csr<u32>);

/// Inputs, outputs and needs, by task.
fn rows(recorded: &Recorded, order: &Order, needs: &Csr<u32>) -> Rows {
    let (mut inputs, mut outputs, mut sorted) = (Csr::default(), Csr::default(), Csr::default());
    for &position in &order.tasks {
        let at = position as usize;
        inputs.push_row(recorded.inputs.row(at).iter().map(|&file| Input { slot: 0, file }));
        outputs.push_row(recorded.outputs.row(at).iter().copied());
        sorted.push_row(needs.row(at).iter().map(|&need| order.task_at[need as usize]));
    }
    (inputs, outputs, sorted)
}

fn templates(recorded: &Recorded, order: &Order, options: &ReplayOptions) -> Vec<Template> {
    let rows = order.first_task.windows(2).map(|ends| ends[0] as usize..ends[1] as usize);
    let kinds = order.kinds.iter().zip(rows);
    kinds.map(|(kind, rows)| template(recorded, kind, &order.tasks[rows], options)).collect()
}

fn template(
    recorded: &Recorded,
    kind: &str,
    positions: &[u32],
    options: &ReplayOptions,
) -> Template {
    let rows = positions.iter().map(|&position| {
        let task = recorded.tasks[position as usize];
        (position, recorded.runs[task.id as usize].unwrap_or_default())
    });
    let seconds = |run: Run| run.seconds.max(MIN_SECONDS) * options.scale;
    let memory = |run: Run| scale_bytes(run.memory, options.memory());
    let resources = rows.clone().map(|(_, run)| Resources {
        cpus: MilliCpus((f64::from(run.cores) * 1e3).ceil() as u32),
        memory: Bytes(room_for(memory(run))),
        ..Resources::default()
    });
    let estimate = rows.clone().map(|(_, run)| Some(Duration::from_secs_f64(seconds(run))));
    let variables = vec![
        variable("seconds", rows.clone().map(|(_, run)| number(seconds(run)))),
        variable("cpu", rows.clone().map(|(_, run)| number(f64::from(run.cpu)))),
        variable("memory", rows.clone().map(|(_, run)| whole(memory(run)))),
        variable("sizes", rows.map(|(position, _)| sizes(recorded, position, options))),
    ];
    let one_slot = || vec![Slot { name: None, path: TextTemplate::default() }];
    Template {
        name: kind.to_owned(),
        command: command(),
        variables,
        inputs: one_slot(),
        outputs: one_slot(),
        resources: per(resources.collect()),
        estimate: per(estimate.collect()),
        ..Template::default()
    }
}

/// `foreshard replay-task --seconds … --cpu … --memory … --sizes … -- OUTPUT…`
fn command() -> CommandTemplate {
    let word = |text: &str| TextTemplate(vec![Segment::Literal(text.to_owned())]);
    let filled = |what: Placeholder| {
        TextTemplate(vec![Segment::Placeholder { what, quoting: Quoting::None }])
    };
    CommandTemplate::Argv(vec![
        word(PROGRAM),
        word("replay-task"),
        word("--seconds"),
        filled(Placeholder::Variable(0)),
        word("--cpu"),
        filled(Placeholder::Variable(1)),
        word("--memory"),
        filled(Placeholder::Variable(2)),
        word("--sizes"),
        filled(Placeholder::Variable(3)),
        word("--"),
        filled(Placeholder::Outputs(None)),
    ])
}

/// The sizes of the outputs, in order, with commas between.
fn sizes(recorded: &Recorded, position: u32, options: &ReplayOptions) -> Value {
    let outputs = recorded.outputs.row(position as usize);
    let mut sizes = outputs
        .iter()
        .map(|file| scale_bytes(recorded.sizes[file.index()].unwrap_or(0), options.scale));
    match (sizes.next(), sizes.len()) {
        (None, _) => Value::Text(String::new()),
        (Some(only), 0) => whole(only),
        (Some(first), _) => {
            let rest: String = sizes.map(|size| format!(",{size}")).collect();
            Value::Text(format!("{first}{rest}"))
        }
    }
}

/// A variable by row; one value, if all rows have the same.
fn variable(name: &str, values: impl Iterator<Item = Value>) -> Variable {
    let mut values: Vec<Value> = values.collect();
    if values.windows(2).all(|pair| pair[0] == pair[1]) {
        values.truncate(1);
    }
    Variable { name: name.to_owned(), domain: Domain::List(values), repeat: 1 }
}

fn per<T: PartialEq>(mut values: Vec<T>) -> Per<T> {
    let same = !values.is_empty() && values.windows(2).all(|pair| pair[0] == pair[1]);
    if same { Per::Same(values.swap_remove(0)) } else { Per::Each(values) }
}

fn number(value: f64) -> Value {
    // To a microsecond, or a millionth of a cpu: more digits are noise of the scaling.
    Value::Float((value * 1e6).round() / 1e6)
}

fn whole(bytes: u64) -> Value {
    Value::Int(i64::try_from(bytes).unwrap_or(i64::MAX))
}

/// What must be set aside so that so much can be held; what is not known stays without a limit.
fn room_for(memory: u64) -> u64 {
    if memory == 0 { 0 } else { memory + OWN_MEMORY }
}

fn scale_bytes(bytes: u64, scale: f64) -> u64 {
    // At 1, a size must come out to the byte.
    if scale == 1.0 { bytes } else { (bytes as f64 * scale).round() as u64 }
}
