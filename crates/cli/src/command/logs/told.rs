//! What attempts were told to run, as a script or, with what they printed, as JSON.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use engine::AttemptId;
use report::printable::printable;
use report::summary::TaskRef;
use report::timeline::{Attempt, Timeline};
use runner::record;
use serde::Serialize;
use spec::{TaskId, Workflow};

use super::{last_lines, lines_wanted};
use crate::args::Logs;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::PastRun;
use crate::recorded::Recorded;
use crate::screen::{Screen, Tone};

/// One try, with what it printed.
#[derive(Serialize)]
struct Printed {
    task: TaskRef,
    /// How the try ended, or that it has not; none if there was none.
    end: Option<String>,
    #[serde(flatten)]
    record: Recorded,
    stdout: String,
    stderr: String,
}

/// Tells of the latest try of each task, or of the one that was asked for.
///
/// # Errors
/// The run cannot be read.
pub(super) fn tell(
    args: &Logs,
    run: &PastRun,
    begun_with: &Arc<Workflow>,
    tasks: &[TaskId],
    screen: Screen,
) -> Result<Code, Failure> {
    let timeline = run.timeline(begun_with)?;
    let workflow = timeline.state().workflow();
    let chosen = chosen(args, &timeline, tasks);
    let wanted = chosen.values().map(|attempt| (attempt.allocation, attempt.id));
    let mut orders = record::of_attempts(&run.dir, wanted)
        .map_err(|error| Failure::io("read the orders in", run.dir.path(), &error))?;
    let mut told = Vec::new();
    for &task in tasks {
        let attempt = chosen.get(&task);
        let order = attempt.and_then(|attempt| orders.remove(&attempt.id));
        let record = match order {
            Some(work) => Recorded::of(run, work),
            None => Recorded::declared(run, workflow, task),
        };
        if args.command {
            print_script(workflow, task, &record, tasks.len() > 1, screen)?;
            continue;
        }
        let read = |path: Option<&Path>| read(path, lines_wanted(args));
        told.push(Printed {
            task: TaskRef::of(workflow, task),
            end: attempt.map(|attempt| attempt.end.to_string()),
            stdout: read(record.stdout())?,
            stderr: read(record.stderr())?,
            record,
        });
    }
    if args.json {
        screen.print_json(&told)?;
    }
    Ok(Code::Succeeded)
}

/// By task: the try that is meant, if it was ever begun.
fn chosen<'a>(
    args: &Logs,
    timeline: &'a Timeline,
    tasks: &[TaskId],
) -> BTreeMap<TaskId, &'a Attempt> {
    let is_meant = |id: AttemptId| args.attempt.is_none_or(|number| id.number() == number);
    let find = |&task: &TaskId| {
        Some((task, timeline.attempts_of(task).find(|attempt| is_meant(attempt.id))?))
    };
    tasks.iter().filter_map(find).collect()
}

fn print_script(
    workflow: &Workflow,
    task: TaskId,
    record: &Recorded,
    is_named: bool,
    screen: Screen,
) -> Result<(), Failure> {
    let name = workflow.task_name(task);
    let what = match record.attempt {
        Some(number) => format!("# {name}, try {number}"),
        None => format!("# {name}, as declared: it was not started"),
    };
    let what = screen.datum(Tone::Faint, &printable(&what));
    let gap = if is_named { "\n" } else { "" };
    screen.print(&format!("{what}\n{}{gap}", record.script()))?;
    Ok(())
}

fn read(path: Option<&Path>, lines: Option<usize>) -> Result<String, Failure> {
    let Some(path) = path else { return Ok(String::new()) };
    let bytes = std::fs::read(path).map_err(|error| Failure::io("read", path, &error))?;
    let bytes = lines.map_or(&bytes[..], |n| last_lines(&bytes, n));
    Ok(String::from_utf8_lossy(bytes).into_owned())
}
