//! `foreshard journal verify` and `repair`: whether what a run remembers is whole.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use journal::{RepairReport, Seq};
use report::quantity::{count, plural};
use serde::Serialize;

use crate::args::JournalRun;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run;
use crate::screen::{Screen, Tone};

#[derive(Serialize)]
struct Verified<'a> {
    run: &'a str,
    is_sound: bool,
    records: u64,
}

/// Checks every byte of a journal.
///
/// # Errors
/// It is damaged, and where; or it cannot be read.
pub(crate) fn verify(args: &JournalRun, screen: Screen) -> Result<Code, Failure> {
    let run = past_run::find(&args.run)?;
    let verified = journal::verify(run.dir.path()).map_err(|error| run.unreadable(error))?;
    let records = verified.last.0;
    if args.json {
        screen.print_json(&Verified { run: &run.id, is_sound: true, records })?;
    } else {
        let sound = screen.datum(Tone::Good, "sound");
        let n = plural(usize::try_from(records).unwrap_or(usize::MAX), "record", "records");
        screen.print(&format!("the journal of run {} is {sound}: {n}\n", run.id))?;
    }
    Ok(Code::Succeeded)
}

#[derive(Serialize)]
struct Repaired<'a> {
    run: &'a str,
    was_damaged: bool,
    damage: Option<String>,
    kept: u64,
    salvaged: Vec<(u64, u64)>,
    lost: Vec<(u64, u64)>,
    side_file: Option<PathBuf>,
    aside: Vec<PathBuf>,
}

/// Salvages what is whole.
///
/// # Errors
/// Nothing can be salvaged, or files cannot be written.
pub(crate) fn repair(args: &JournalRun, screen: Screen) -> Result<Code, Failure> {
    let run = past_run::find(&args.run)?;
    let report = journal::repair(run.dir.path()).map_err(Failure::from)?;
    if args.json {
        screen.print_json(&repaired(&run.id, &report))?;
        return Ok(Code::Succeeded);
    }
    let Some(damage) = &report.damage else {
        screen.print(&format!("the journal of run {} is sound; nothing was changed\n", run.id))?;
        return Ok(Code::Succeeded);
    };
    let mut text = format!("the journal of run {} was damaged: {damage}\n", run.id);
    text += &format!("kept      records 1 to {}\n", report.kept);
    for range in &report.salvaged {
        text += &format!("set aside {}, which do not follow from those kept\n", records(range));
    }
    for range in &report.lost {
        text += &format!("lost      {}\n", records(range));
    }
    let files = report.side_file.iter().chain(&report.aside);
    text.extend(files.map(|path| format!("see       {}\n", path.display())));
    screen.print(&text)?;
    screen.say(&format!(
        "{} `foreshard resume {}` goes on from the last record that was kept",
        screen.word(Tone::Helpful, "hint:"),
        run.words()
    ));
    Ok(Code::Succeeded)
}

fn repaired<'a>(run: &'a str, report: &RepairReport) -> Repaired<'a> {
    let pairs = |ranges: &[RangeInclusive<Seq>]| {
        ranges.iter().map(|range| (range.start().0, range.end().0)).collect()
    };
    Repaired {
        run,
        was_damaged: report.damage.is_some(),
        damage: report.damage.as_ref().map(ToString::to_string),
        kept: report.kept.0,
        salvaged: pairs(&report.salvaged),
        lost: pairs(&report.lost),
        side_file: report.side_file.clone(),
        aside: report.aside.clone(),
    }
}

fn records(range: &RangeInclusive<Seq>) -> String {
    let shown = |seq: &Seq| count(usize::try_from(seq.0).unwrap_or(usize::MAX));
    format!("records {} to {}", shown(range.start()), shown(range.end()))
}
