//! `foreshard status`: how far a run is, and who drives it.

use journal::lease::Seen;
use report::Progress;
use report::progress::View;
use report::quantity::Seconds;
use report::status::Status as Standing;
use runner::drive::clock;
use serde::Serialize;

use super::standing;
use crate::args::Status;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::{self, PastRun};
use crate::screen::{Screen, Tone};

/// Says how far a run is.
///
/// # Errors
/// The run cannot be read.
pub(crate) fn status(args: &Status, screen: Screen) -> Result<Code, Failure> {
    let run = past_run::find(&args.run)?;
    let manifest = run.manifest()?;
    let workflow = run.load(&manifest, screen)?.workflow;
    let mut progress = Progress::new(workflow);
    let records = run.records()?;
    for record in &records {
        progress.apply(record).map_err(|error| Failure::of(Code::Damaged, &error))?;
    }
    let last = records.last();
    let orchestrator = standing::orchestrator(&run);
    // Of a run that nobody drives, time stands still.
    let last_at = last.map_or(manifest.created_at, |record| record.at);
    let now = if orchestrator.is_some() { clock() } else { last_at };
    let view = progress.view(now);
    let told = Told {
        run: &run.id,
        project: run.project.root(),
        status: standing::word(view.phase, orchestrator.is_some()),
        n_done: view.n_done,
        elapsed_seconds: Seconds(view.elapsed),
        eta_seconds: view.eta.filter(|_| orchestrator.is_some()).map(Seconds),
        orchestrator: orchestrator.as_ref().map(Driver::of),
        standing: Standing {
            tasks: view.counts,
            ..Standing::of(progress.state().workflow(), progress.state(), last, now)
        },
    };
    if args.json {
        screen.print_json(&told)?;
    } else {
        screen.print(&told.text())?;
        hint(&told, &view, &run, screen);
    }
    Ok(Code::Succeeded)
}

#[derive(Serialize)]
struct Told<'a> {
    run: &'a str,
    project: &'a std::path::Path,
    status: &'static str,
    n_done: usize,
    elapsed_seconds: Seconds,
    eta_seconds: Option<Seconds>,
    orchestrator: Option<Driver<'a>>,
    #[serde(flatten)]
    standing: Standing,
}

#[derive(Serialize)]
struct Driver<'a> {
    pid: u32,
    host: &'a str,
    epoch: u64,
}

impl<'a> Driver<'a> {
    fn of(seen: &'a Seen) -> Self {
        Self { pid: seen.holder.process.pid, host: &seen.holder.host, epoch: seen.epoch.0 }
    }
}

impl Told<'_> {
    fn text(&self) -> String {
        let mut text =
            format!("run {}: {}, {} since its start", self.run, self.status, self.elapsed_seconds);
        if let Some(driver) = &self.orchestrator {
            text += &format!(", driven by process {} on {}", driver.pid, driver.host);
        }
        if let Some(eta) = self.eta_seconds {
            text += &format!(", about {eta} left");
        }
        text + "\n" + &self.standing.text()
    }
}

fn hint(told: &Told<'_>, view: &View, run: &PastRun, screen: Screen) {
    let words = run.words();
    let next = match told.status {
        "interrupted" => format!("`foreshard resume {words}` goes on with it"),
        _ if told.orchestrator.is_none() && view.counts.failed > 0 => {
            format!("`foreshard resume --retry-failed {words}` tries again what failed")
        }
        _ => return,
    };
    screen.say(&format!("{} {next}", screen.word(Tone::Helpful, "hint:")));
}
