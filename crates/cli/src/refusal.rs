//! Why a run cannot begin: shown like any mistake in the file, with the task it is about.

use std::ops::Range;

use report::printable::printable;
use report::quantity::plural;
use runner::images;
use runner::initial::Missing;
use runner::load::{LoadError, Loaded};
use runner::{drive, start};
use spec::diagnostic::{Code as Kind, Diagnostic, Place};
use spec::{Template, Workflow};

use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::snippet;
use crate::workflow::{has_mistakes, unreadable};

/// Shows what can be shown of the reason, and says the rest.
#[must_use]
pub(crate) fn tell(error: start::Error, loaded: Option<&Loaded>, screen: Screen) -> Failure {
    use start::Error as E;
    match (error, loaded) {
        (E::MissingInputs(missing), Some(loaded)) => {
            snippet::say_all(screen, &loaded.sources, &missing_inputs(loaded, &missing));
            Failure::invalid(missing_said(missing.len()))
        }
        (E::Infeasible(wishes), Some(loaded)) => {
            snippet::say_all(screen, &loaded.sources, &infeasible(&loaded.workflow, &wishes));
            Failure::new(Code::NoPool, format!("no pool can hold {}", tasks_asking(&wishes)))
                .hint("`foreshard site show` shows the pools there are")
        }
        (E::Image(error), Some(loaded)) => {
            snippet::say_all(screen, &loaded.sources, &[image(&loaded.workflow, &error)]);
            Failure::new(image_code(&error), error.to_string())
        }
        (E::Load(error), _) => match *error {
            LoadError::Unreadable { path, source } => unreadable(&path, &source),
            LoadError::Invalid { sources, diagnostics } => {
                snippet::say_all(screen, &sources, &diagnostics);
                has_mistakes(&sources, &diagnostics)
            }
        },
        (error, _) => plain(error),
    }
}

/// Reasons that are about no place in a file.
fn plain(error: start::Error) -> Failure {
    use start::Error as E;
    match error {
        E::MissingInputs(_) | E::Input(_) | E::Backend { .. } | E::Load(_) => {
            Failure::of(Code::Invalid, &error)
        }
        E::IsKeeper => Failure::of(Code::Internal, &error),
        E::Infeasible(_) => Failure::of(Code::NoPool, &error),
        E::Image(image) => Failure::of(image_code(&image), &image),
        E::Lease(lease) => owned(&lease),
        E::Journal(journal) => Failure::from(journal),
        E::History(_) => Failure::of(Code::Damaged, &error)
            .hint("`foreshard journal verify` tells whether the journal itself is whole"),
        E::Manifest(manifest) => Failure::from(manifest),
        E::Drive(drive::Error::Lease(lease)) => owned(&lease),
        E::Io { .. } | E::Drive(_) => Failure::of(Code::Machine, &error),
    }
}

fn owned(error: &journal::lease::Error) -> Failure {
    use journal::lease::Error as E;
    match error {
        E::Busy(holder) => {
            let process = holder.process.pid;
            let message = format!("the run is driven by process {process} on {}", holder.host);
            Failure::new(Code::Owned, message)
                .hint("`foreshard status` shows how far it is, `foreshard cancel` stops it")
        }
        E::Lost { .. } => Failure::of(Code::Owned, error).hint(
            "another orchestrator goes on with the run; `foreshard status` shows how far it is",
        ),
        E::Unsafe(_) | E::Io { .. } => Failure::of(Code::Machine, error),
    }
}

/// One mistake for each missing input, at the task that reads it.
#[must_use]
pub(crate) fn missing_inputs(loaded: &Loaded, missing: &[Missing]) -> Vec<Diagnostic> {
    let workflow = &loaded.workflow;
    let diagnostic = |missing: &Missing| {
        let template = workflow.find_task(&missing.task).map(|task| workflow.template(task));
        let place = template.map_or_else(Place::default, |template| {
            let text = &loaded.sources.get(template.source).text;
            Place { span: place_of_path(text, template, &missing.path), ..template.place() }
        });
        let is_pattern = missing.path.contains(['*', '?', '[']);
        let what = if is_pattern { "no file matches the input" } else { "there is no input" };
        let folder = loaded.project.root().display();
        let help = match workflow.maker_left_out(&missing.path) {
            Some(Template { name, off: Some(why), .. }) => {
                let (name, why) = (printable(name), printable(why));
                format!("`{name}` would make it, but {why}; put it into {folder}")
            }
            _ => format!("put it into {folder}, or declare the task that makes it"),
        };
        Diagnostic::error(Kind::Path, place.span)
            .in_source(place.source)
            .message(format!(
                "{what} `{}`, which `{}` reads",
                printable(&missing.path),
                printable(&missing.task)
            ))
            .help(help)
    };
    missing.iter().map(diagnostic).collect()
}

/// A site that lacks something is like one that is too small.
fn image_code(error: &images::Error) -> Code {
    use images::Error as E;
    match error {
        E::NotAllowed { .. } | E::Mutable { .. } => Code::NoPool,
        E::Unresolved { .. } => Code::Machine,
        E::Changed { .. } => Code::Invalid,
    }
}

/// The mistake at the first task that names the image, and what to write in the site file.
fn image(workflow: &Workflow, error: &images::Error) -> Diagnostic {
    use images::Error as E;
    let (name, help) = match error {
        E::NotAllowed { image, allowed, .. } if allowed.is_empty() => {
            let rule = format!("images: {{\"{image}\": {{wrap: [program, \"{{image}}\"]}}}}");
            (image, format!("say in the site file (`--site`) how commands run in it: `{rule}`"))
        }
        E::NotAllowed { image, zone, allowed } => {
            (image, format!("{zone} allows {}; the site file says so", allowed.join(", ")))
        }
        E::Mutable { image, .. } => {
            let help = "put `@sha256:` and its digest behind the name, or give its rule in the site \
                        file a `resolve` command that prints the digest";
            (image, help.to_owned())
        }
        E::Unresolved { image, .. } => (image, "the site file says how it is looked up".to_owned()),
        E::Changed { image } => {
            let help = "put back what was there, or begin a new run: tasks of one run must not \
                        differ in what they run in";
            (image, help.to_owned())
        }
    };
    let names_it = |template: &&Template| template.image.as_ref() == Some(name);
    let template = workflow.templates().iter().find(names_it);
    let place = template.map(Template::place).unwrap_or_default();
    Diagnostic::error(Kind::Value, place.span)
        .in_source(place.source)
        .message(error.to_string())
        .help(help)
}

/// One mistake for each template with tasks that fit nowhere.
#[must_use]
pub(crate) fn infeasible(workflow: &Workflow, wishes: &[plan::Infeasible]) -> Vec<Diagnostic> {
    let diagnostic = |wish: &plan::Infeasible| {
        let Place { source, span } = workflow.template(wish.task).place();
        Diagnostic::error(Kind::Value, span)
            .in_source(source)
            .message(format!("no pool can hold `{}`", printable(&wish.task_name)))
            .label(format!("asks for {}", wish.needs))
            .help(format!(
                "the largest node has {}; lower its `resources`, or name larger pools with `--site`",
                wish.largest
            ))
    };
    wishes.iter().map(diagnostic).collect()
}

/// Where a template names a path; its own place, if the path is made of parts.
fn place_of_path(text: &str, template: &Template, path: &str) -> Range<usize> {
    let own = template.span.clone();
    let after = text.get(own.end..).unwrap_or_default();
    // A block that is indented no deeper than the key is another task.
    let indent = own.start - text[..own.start].rfind('\n').map_or(0, |at| at + 1);
    let is_inside = |line: &str| {
        let depth = line.len() - line.trim_start().len();
        line.trim().is_empty() || depth > indent
    };
    let mut end = 0;
    for (i, line) in after.split_inclusive('\n').enumerate() {
        if i > 0 && !is_inside(line) {
            break;
        }
        end += line.len();
    }
    match after[..end].find(path) {
        Some(at) => own.end + at..own.end + at + path.len(),
        None => own,
    }
}

fn missing_said(n: usize) -> String {
    format!("{} missing", plural(n, "input is", "inputs are"))
}

fn tasks_asking(wishes: &[plan::Infeasible]) -> String {
    match wishes {
        [only] => format!("`{}`", only.task_name),
        _ => {
            format!("tasks of {}", plural(wishes.len(), "template", "templates"))
        }
    }
}
