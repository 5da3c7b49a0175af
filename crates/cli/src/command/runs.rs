//! `foreshard runs`: the runs of a project, latest first.

use report::Progress;
use report::printable::clipped;
use report::quantity::{Moment, Seconds, count, plural};
use runner::drive::clock;
use runner::manifest::RunManifest;
use serde::Serialize;

use super::standing;
use crate::args::Runs;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::{self, PastRun};
use crate::screen::{Screen, Tone};

#[derive(Serialize)]
struct Row {
    run: String,
    workflow: String,
    project: std::path::PathBuf,
    status: &'static str,
    tasks: usize,
    done: usize,
    failed: usize,
    started_at: Moment,
    elapsed_seconds: Seconds,
}

/// Lists runs.
///
/// # Errors
/// The project is not there.
pub(crate) fn runs(args: &Runs, screen: Screen) -> Result<Code, Failure> {
    let all = past_run::all(&args.project)?;
    let limit = if args.limit == 0 { all.len() } else { args.limit };
    let rows: Vec<Row> = all.iter().rev().take(limit).filter_map(|run| row(run, screen)).collect();
    if args.json {
        screen.print_json(&rows)?;
        return Ok(Code::Succeeded);
    }
    if rows.is_empty() {
        screen.say("there are no runs yet");
        let hint = screen.word(Tone::Helpful, "hint:");
        screen.say(&format!("{hint} `foreshard run FILE` starts one"));
        return Ok(Code::Succeeded);
    }
    screen.print(&table(&rows, screen))?;
    if all.len() > limit {
        let more = plural(all.len() - limit, "more run", "more runs");
        screen.say(&format!("… and {more}; `--limit 0` lists all"));
    }
    Ok(Code::Succeeded)
}

/// None for a folder that never became a run.
fn row(run: &PastRun, screen: Screen) -> Option<Row> {
    let manifest = run.manifest().ok()?;
    let is_driven = standing::orchestrator(run).is_some();
    let row = Row {
        run: run.id.clone(),
        workflow: manifest.workflow_name.clone(),
        project: run.project.root().to_path_buf(),
        status: "damaged",
        tasks: 0,
        done: 0,
        failed: 0,
        started_at: Moment(manifest.created_at),
        elapsed_seconds: Seconds::default(),
    };
    Some(match progress(run, &manifest, is_driven, screen) {
        None => row,
        Some((progress, at)) => {
            let view = progress.view(at);
            Row {
                status: standing::word(view.phase, is_driven),
                tasks: view.counts.selected,
                done: view.n_done,
                failed: view.counts.failed,
                elapsed_seconds: Seconds(view.elapsed),
                ..row
            }
        }
    })
}

/// None for a run whose journal cannot be read: the list goes on with the others.
fn progress(
    run: &PastRun,
    manifest: &RunManifest,
    is_driven: bool,
    screen: Screen,
) -> Option<(Progress, spec::Timestamp)> {
    let workflow = run.load(manifest, screen).ok()?.workflow;
    let mut progress = Progress::new(workflow);
    let mut at = manifest.created_at;
    for record in run.records().ok()? {
        at = record.at;
        progress.apply(&record).ok()?;
    }
    Some((progress, if is_driven { clock() } else { at }))
}

fn table(rows: &[Row], screen: Screen) -> String {
    let width = rows.iter().map(|row| row.workflow.chars().count()).max().unwrap_or(0).clamp(8, 32);
    let head = format!(
        "{:<20}  {:<width$}  {:<11}  {:>17}  {:<23}  {}",
        "RUN", "WORKFLOW", "STATUS", "DONE", "STARTED", "TOOK"
    );
    let mut text = screen.datum(Tone::Faint, &head) + "\n";
    for row in rows {
        let done = format!("{} of {}", count(row.done), count(row.tasks));
        let tone = match row.status {
            "succeeded" => Tone::Good,
            "failed" | "stalled" | "damaged" => Tone::Bad,
            _ => Tone::Strong,
        };
        let status = screen.datum(tone, &format!("{:<11}", row.status));
        text += &format!(
            "{:<20}  {:<width$}  {status}  {done:>17}  {:<23}  {}\n",
            row.run,
            clipped(&row.workflow, width),
            row.started_at.to_string(),
            row.elapsed_seconds,
        );
    }
    text
}
