//! `foreshard demand`: what tasks take, by what earlier ones took.

use std::path::Path;

use report::demand::{DemandRow, text};
use report::quantity::plural;
use runner::demand::known::{self, Known};
use runner::load::LoadRequest;
use spec::diagnostic::nearest;

use crate::args::{DemandImport, DemandShow};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::{Screen, Tone};
use crate::{past_run, workflow};

/// Prints what is known.
///
/// # Errors
/// The workflow or the history cannot be read, or nothing is known of a template that is named.
pub(crate) fn show(args: &DemandShow, screen: Screen) -> Result<Code, Failure> {
    let known = wanted(args, screen)?;
    let input_bytes = args.input_size.map(|size| size.0);
    let row = |known: &Known| -> Vec<DemandRow> {
        let amounts = known.amounts.iter();
        let row = |amount: &known::Amount| {
            let (quantity, calibration) = (amount.quantity, amount.calibration);
            DemandRow::of(&known.template, quantity, &amount.demand, calibration, input_bytes)
        };
        amounts.map(row).collect()
    };
    let rows: Vec<DemandRow> = known.iter().flat_map(row).collect();
    if args.json {
        screen.print_json(&rows)?;
        return Ok(Code::Succeeded);
    }
    if rows.is_empty() {
        screen.say("nothing is known yet of what tasks take");
        let hint = screen.word(Tone::Helpful, "hint:");
        screen.say(&format!(
            "{hint} `foreshard run FILE` learns it, `foreshard demand import FILE` takes it from a recording"
        ));
        return Ok(Code::Succeeded);
    }
    screen.print(&text(&rows, |head| screen.datum(Tone::Faint, head)))?;
    Ok(Code::Succeeded)
}

fn wanted(args: &DemandShow, screen: Screen) -> Result<Vec<Known>, Failure> {
    let history = |error| Failure::of(Code::Machine, &error);
    if let [file] = &args.wanted[..]
        && Path::new(file).is_file()
    {
        let request =
            LoadRequest { params: args.params.iter().cloned().collect(), ..LoadRequest::new(file) };
        let loaded = workflow::load(&request, screen)?;
        return known::of_workflow(&loaded.project, &loaded.workflow).map_err(history);
    }
    let all = known::all(&past_run::home(&args.project)?).map_err(history)?;
    let is_named = |known: &Known, name: &str| {
        known.template == name
            || known.template.rsplit_once('/').is_some_and(|(_, last)| last == name)
    };
    for name in &args.wanted {
        if !all.iter().any(|known| is_named(known, name)) {
            return Err(unknown(name, &all));
        }
    }
    let is_wanted = |known: &Known| {
        args.wanted.is_empty() || args.wanted.iter().any(|name| is_named(known, name))
    };
    Ok(all.into_iter().filter(is_wanted).collect())
}

fn unknown(name: &str, all: &[Known]) -> Failure {
    let failure = Failure::invalid(format!("nothing is known of a template `{name}`"));
    let names = all.iter().flat_map(|known| {
        let whole = known.template.as_str();
        [Some(whole), whole.rsplit_once('/').map(|(_, last)| last)].into_iter().flatten()
    });
    match nearest(name, names) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("`foreshard demand show` lists what is known"),
    }
}

/// Learns from recordings: all of them, or, if one cannot be read, none.
///
/// # Errors
/// A file is no recording, or the history cannot be written.
pub(crate) fn import(args: &DemandImport, screen: Screen) -> Result<Code, Failure> {
    let project = past_run::home(&args.project)?;
    let mut recordings = Vec::new();
    for file in &args.files {
        let loaded = workflow::load(&LoadRequest::new(file), screen)?;
        if !loaded.workflow.is_replay() {
            return Err(Failure::invalid(format!("{} is not a recording", file.display()))
                .hint("`foreshard export` writes one of a run, in WfFormat"));
        }
        recordings.push(loaded.workflow);
    }
    std::fs::create_dir_all(project.state())
        .map_err(|error| Failure::io("make", &project.state(), &error))?;
    let mut n_attempts = 0;
    for recording in &recordings {
        n_attempts += known::import(&project, recording)
            .map_err(|error| Failure::of(Code::Machine, &error))?;
    }
    let attempts = plural(n_attempts, "attempt", "attempts");
    screen.say(&format!("learned from {attempts}; `foreshard demand show` tells what"));
    Ok(Code::Succeeded)
}
