//! `foreshard diff`: what differs between two runs.

use std::collections::BTreeMap;

use report::diff::{self, Side};
use report::text::Style;
use runner::record::{Found, Reader};
use spec::{Digest, TaskId};

use crate::args::{Diff, RunChoice};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::{self, PastRun, Told};
use crate::screen::Screen;

/// Compares; ends with the code that says whether there is a difference.
///
/// # Errors
/// A run cannot be found or read.
pub(crate) fn diff(args: &Diff, screen: Screen) -> Result<Code, Failure> {
    let (before, after) = chosen(args)?;
    let before = Read::of(before, screen)?;
    let after = Read::of(after, screen)?;
    let told = diff::Diff::of(before.side(&before.inputs()), after.side(&after.inputs()));
    if args.json {
        screen.print_json(&told)?;
    } else {
        let width = screen.width();
        let style = if screen.paints_out() { Style::coloured(width) } else { Style::plain(width) };
        screen.print(&told.text(style))?;
    }
    Ok(if told.is_same { Code::Succeeded } else { Code::TasksFailed })
}

/// The two runs that are meant: the last two, the one that is named and the last, or both named.
fn chosen(args: &Diff) -> Result<(PastRun, PastRun), Failure> {
    let find = |name: Option<&String>| {
        let choice = RunChoice { run: name.cloned(), project: args.project.clone() };
        past_run::find(&choice)
    };
    let after = find(args.runs.get(1))?;
    if let Some(name) = args.runs.first() {
        return Ok((find(Some(name))?, after));
    }
    let all = past_run::of_project(&after.project);
    let before = all.into_iter().rev().skip_while(|run| run.id != after.id).nth(1);
    let alone = || {
        Failure::invalid(format!("run {} is the only one", after.id))
            .hint("`foreshard diff RUN RUN` compares two")
    };
    Ok((before.ok_or_else(alone)?, after))
}

/// A run with all that is compared of it.
struct Read {
    told: Told,
    source: String,
    project: String,
    found: Found,
    reader: Reader,
}

impl Read {
    fn of(run: PastRun, screen: Screen) -> Result<Self, Failure> {
        let manifest = run.manifest()?;
        let sources = run.load(&manifest, screen)?.sources;
        let source: String = sources.iter().map(|source| source.text.as_str()).collect();
        let told = past_run::tell_of(run, manifest, screen)?;
        let found = Found::read(&told.run.dir);
        let reader = Reader::new(&told.run.project, &told.run.dir, &told.workflow, &found);
        let project = told.run.project.root().to_string_lossy().into_owned();
        Ok(Self { told, source, project, found, reader })
    }

    fn inputs(&self) -> impl Fn(TaskId) -> Option<BTreeMap<String, Digest>> {
        |task| self.reader.inputs(self.told.timeline.state(), task)
    }

    fn side<'a>(
        &'a self,
        inputs: &'a dyn Fn(TaskId) -> Option<BTreeMap<String, Digest>>,
    ) -> Side<'a> {
        Side {
            run: &self.told.run.id,
            timeline: &self.told.timeline,
            site: &self.told.manifest.site,
            source: &self.source,
            project: &self.project,
            environment: &self.found.environment,
            inputs,
        }
    }
}
