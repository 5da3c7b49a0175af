//! `foreshard export`: a run as a WfFormat 1.5 document.

use std::collections::BTreeMap;

use engine::phase::Phase;
use report::quantity::Moment;
use report::timeline::{Attempt, End};
use spec::wfformat::{Cpu, ExportMeta, Machine, TaskExecution, export as write};
use spec::{TaskId, ZoneId};

use crate::args::Export;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::{self, Told};
use crate::screen::{Screen, Tone};

/// Writes a run as WfFormat.
///
/// # Errors
/// The run cannot be read, or the document cannot be written.
pub(crate) fn export(args: &Export, screen: Screen) -> Result<Code, Failure> {
    let told = past_run::tell(&args.run, screen)?;
    if !matches!(told.timeline.state().phase(), Phase::Finished(_)) {
        let warning = screen.word(Tone::Doubtful, "warning:");
        screen.say(&format!(
            "{warning} run {} is not over; what has not run is left out",
            told.run.id
        ));
    }
    let document = write(&told.workflow, &executions(&told), &meta(&told)) + "\n";
    match &args.output {
        None => screen.print(&document)?,
        Some(path) => {
            std::fs::write(path, document).map_err(|error| Failure::io("write", path, &error))?;
        }
    }
    Ok(Code::Succeeded)
}

/// The attempts that succeeded, by task.
fn executions(told: &Told) -> Vec<TaskExecution> {
    let succeeded = |attempt: &&Attempt| attempt.end == End::Succeeded;
    let attempts: BTreeMap<TaskId, &Attempt> = told
        .timeline
        .attempts()
        .iter()
        .filter(succeeded)
        .map(|attempt| (attempt.id.task(), attempt))
        .collect();
    attempts.into_values().map(|attempt| execution(told, attempt)).collect()
}

fn execution(told: &Told, attempt: &Attempt) -> TaskExecution {
    let task = attempt.id.task();
    let seconds = told.timeline.elapsed(attempt).as_secs_f64();
    let busy = attempt.cpu.filter(|_| seconds > 0.0);
    let zone = told.timeline.allocations().get(&attempt.allocation).map(|span| span.zone);
    TaskExecution {
        cores: Some(f64::from(told.workflow.resources(task).cpus.0) / 1e3),
        cpu_percent: busy.map(|cpu| cpu.as_secs_f64() / seconds * 100.0),
        memory: attempt.memory_peak.map(|bytes| bytes.0),
        written: Some(told.timeline.state().outputs(task).iter().map(|file| file.size.0).sum()),
        machines: zone.map(|zone| machine_name(told, zone)).into_iter().collect(),
        ..TaskExecution::new(task, seconds)
    }
}

fn meta(told: &Told) -> ExportMeta {
    let run = told.timeline.run();
    ExportMeta {
        created_at: rfc3339(Moment(runner::drive::clock())),
        executed_at: rfc3339(Moment(run.started_at)),
        makespan_seconds: told.timeline.ended_at().since(run.started_at).as_secs_f64(),
        version: told.manifest.foreshard.clone(),
        machines: machines(told),
        sizes: sizes(told),
    }
}

/// The text that reports have in JSON.
fn rfc3339(moment: Moment) -> String {
    serde_json::to_value(moment)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

/// A zone of this machine is a machine; its host's name, where the site has one.
fn machine_name(told: &Told, zone: ZoneId) -> String {
    let zone = told.manifest.site.zone(zone);
    let host = &zone.domains.host;
    if host.is_empty() { zone.name.clone() } else { host.clone() }
}

fn machines(told: &Told) -> Vec<Machine> {
    let machine = |zone| {
        let capacity = told.manifest.site.zone(zone).capacity();
        Machine {
            node_name: machine_name(told, zone),
            system: Some("linux".to_owned()),
            architecture: Some(std::env::consts::ARCH.to_owned()),
            memory_in_bytes: (capacity.memory.0 > 0).then_some(capacity.memory.0),
            cpu: Some(Cpu { core_count: capacity.cpus.0.div_ceil(1_000) }),
        }
    };
    told.manifest.site.zone_ids().map(machine).collect()
}

/// By file: what was published of it, or what lies there as an input.
fn sizes(told: &Told) -> Vec<Option<u64>> {
    let files = told.workflow.files();
    let mut sizes = vec![None; files.len()];
    for task in told.workflow.tasks() {
        for output in told.timeline.state().outputs(task) {
            let folder = format!("{}/", output.path.trim_end_matches('/'));
            let file = files.find(&output.path).or_else(|| files.find(&folder));
            if let Some(file) = file {
                sizes[file.index()] = Some(output.size.0);
            }
        }
    }
    for file in told.workflow.initial_inputs() {
        let path = told.run.project.root().join(files.path(file));
        sizes[file.index()] = std::fs::metadata(path).ok().map(|meta| meta.len());
    }
    sizes
}
