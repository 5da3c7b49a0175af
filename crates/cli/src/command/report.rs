//! `foreshard report`: what happened in a run, as text, JSON or one HTML file.

use std::path::Path;

use engine::AttemptId;
use report::Summary;
use report::summary::Extras;
use report::text::{self, Style};

use crate::args::Report;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::{self, Told};
use crate::screen::Screen;
use crate::session::last_lines;

/// How many lines of a failed task's error output a report holds.
const ERROR_LINES: usize = 12;

/// Reports on a run.
///
/// # Errors
/// The run cannot be read, or the report cannot be written.
pub(crate) fn report(args: &Report, screen: Screen) -> Result<Code, Failure> {
    let told = past_run::tell(&args.run, screen)?;
    if let Some(path) = &args.html {
        write_html(&told, path, screen)?;
        if !args.json {
            return Ok(Code::Succeeded);
        }
    }
    let summary = summary(&told);
    if args.json {
        screen.print(&(summary.json() + "\n"))?;
    } else {
        let width = screen.width();
        let style = if screen.paints_out() { Style::coloured(width) } else { Style::plain(width) };
        screen.print(&text::render(&summary, &told.timeline, &told.workflow, style))?;
    }
    Ok(Code::Succeeded)
}

/// Writes the report as one HTML file.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn write_html(told: &Told, path: &Path, screen: Screen) -> Result<(), Failure> {
    let page = report::html::render(&summary(told), &told.timeline, &told.workflow);
    std::fs::write(path, page).map_err(|error| Failure::io("write", path, &error))?;
    screen.say(&format!("wrote {}", path.display()));
    Ok(())
}

/// A run in figures, with what its failed tasks said.
#[must_use]
pub(crate) fn summary(told: &Told) -> Summary {
    let error_lines = |attempt: AttemptId| last_lines(&told.run.dir, attempt, ERROR_LINES);
    let images = |name: &str| {
        let image = told.manifest.images.get(name)?;
        Some((image.reference.clone(), image.digest))
    };
    let extras = Extras {
        site: Some(&told.manifest.site),
        images: Some(&images),
        run: Some(&told.run.id),
        error_lines: Some(&error_lines),
    };
    Summary::of(&told.workflow, &told.timeline, extras)
}
