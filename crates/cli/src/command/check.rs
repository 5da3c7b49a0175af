//! `foreshard check`: every mistake in a workflow, and what the place it would run in lacks.

use report::quantity::plural;
use runner::initial::InitialFiles;
use runner::load::{self, LoadError, Loaded};
use serde::Serialize;
use spec::Digest;
use spec::diagnostic::{Diagnostic, Severity, Sources};

use crate::args::Check;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::refusal;
use crate::screen::{Screen, Tone};
use crate::site;
use crate::snippet::{self, Plain};
use crate::workflow;

/// Checks, and prints what was found.
///
/// # Errors
/// The file cannot be read, or there are mistakes in it.
pub(crate) fn check(args: &Check, screen: Screen) -> Result<Code, Failure> {
    let checked = match load::load(&workflow::request(&args.workflow)) {
        Ok(loaded) => look_around(args, loaded, screen)?,
        Err(LoadError::Invalid { sources, diagnostics }) => {
            Checked { sources: *sources, diagnostics, loaded: None, code: Code::Invalid }
        }
        Err(LoadError::Unreadable { path, source }) => {
            return Err(workflow::unreadable(&path, &source));
        }
    };
    if args.json {
        screen.print_json(&checked.report())?;
    } else {
        checked.say(screen)?;
    }
    Ok(checked.code)
}

struct Checked {
    sources: Sources,
    diagnostics: Vec<Diagnostic>,
    loaded: Option<Loaded>,
    code: Code,
}

/// What a sound workflow lacks here. Inputs may come later, and it may be meant for another
/// place: doubts, unless that place was named.
fn look_around(args: &Check, loaded: Loaded, screen: Screen) -> Result<Checked, Failure> {
    let site = site::choose(&args.site, screen)?;
    let mut diagnostics = loaded.warnings.clone();
    let mut code = Code::Succeeded;
    if !loaded.workflow.is_replay()
        && let Err(missing) = InitialFiles::find(&loaded.project, &loaded.workflow)
    {
        diagnostics.extend(refusal::missing_inputs(&loaded, &missing).into_iter().map(doubted));
    }
    if let Err(wishes) = plan::make(&loaded.workflow, &site) {
        let found = refusal::infeasible(&loaded.workflow, &wishes).into_iter();
        if args.site.site.is_some() {
            diagnostics.extend(found);
            code = Code::NoPool;
        } else {
            diagnostics.extend(found.map(doubted));
        }
    }
    let sources = Sources::clone(&loaded.sources);
    Ok(Checked { sources, diagnostics, loaded: Some(loaded), code })
}

fn doubted(diagnostic: Diagnostic) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..diagnostic }
}

impl Checked {
    fn say(&self, screen: Screen) -> Result<(), Failure> {
        snippet::say_all(screen, &self.sources, &self.diagnostics);
        let Some(loaded) = &self.loaded else {
            screen.say_failure(&workflow::has_mistakes(&self.sources, &self.diagnostics));
            return Ok(());
        };
        let workflow = &loaded.workflow;
        let found = match self.diagnostics.len() {
            0 => screen.datum(Tone::Good, "no mistakes"),
            _ => snippet::tally(&self.diagnostics),
        };
        screen.print(&format!(
            "{}: {} in {}, {}: {found}\n",
            self.sources.main().name,
            plural(workflow.n_tasks(), "task", "tasks"),
            plural(workflow.templates().len(), "template", "templates"),
            plural(workflow.n_edges(), "dependency", "dependencies"),
        ))?;
        Ok(())
    }

    fn report(&self) -> CheckReport<'_> {
        let errors = self.diagnostics.iter().filter(|d| d.is_error()).count();
        CheckReport {
            file: &self.sources.main().name,
            is_valid: errors == 0,
            errors,
            warnings: self.diagnostics.len() - errors,
            diagnostics: self.diagnostics.iter().map(|d| Plain::of(&self.sources, d)).collect(),
            workflow: self.loaded.as_ref().map(|loaded| Figures {
                name: loaded.workflow.name(),
                digest: loaded.workflow.digest(),
                tasks: loaded.workflow.n_tasks(),
                templates: loaded.workflow.templates().len(),
                dependencies: loaded.workflow.n_edges(),
                files: loaded.workflow.files().len(),
            }),
        }
    }
}

#[derive(Serialize)]
struct CheckReport<'a> {
    file: &'a str,
    is_valid: bool,
    errors: usize,
    warnings: usize,
    diagnostics: Vec<Plain<'a>>,
    workflow: Option<Figures<'a>>,
}

#[derive(Serialize)]
struct Figures<'a> {
    name: &'a str,
    digest: Digest,
    tasks: usize,
    templates: usize,
    dependencies: usize,
    files: usize,
}
