//! `foreshard why`: why a task ran, did not have to, could not, or waits.

use engine::decision::Decision;
use report::account::{self, Account, Extras, fact};
use report::definition::{Change, Definition};
use report::printable::printable;
use report::text::Style;
use report::timeline::Why as Reason;
use runner::drive::clock;
use runner::images::Images;
use runner::record::Found;
use runner::start::Error as Refused;
use runner::{dry_run, reuse};
use serde::Serialize;
use spec::TaskId;
use spec::wfformat::ReplayOptions;

use super::standing;
use crate::args::{RunChoice, SiteChoice, Why};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run::{self, PastRun, Told};
use crate::recorded::Recorded;
use crate::screen::{Screen, Tone};
use crate::{refusal, site, workflow};

/// How many lines of a command are shown.
const COMMAND_LINES: usize = 24;

/// How many earlier runs are looked through for the one whose result was there.
const RUNS_BACK: usize = 20;

/// Says why.
///
/// # Errors
/// The run or the workflow cannot be read, or has no such task.
pub(crate) fn why(args: &Why, screen: Screen) -> Result<Code, Failure> {
    if let Some(file) = &args.plan {
        return foretell(args, file, screen);
    }
    let choice = RunChoice { run: args.run.clone(), project: args.project.clone() };
    let told = past_run::tell(&choice, screen).map_err(|failure| match failure.code {
        Code::Invalid if args.run.is_none() => failure
            .hint(format!("`foreshard why {} --plan FILE` says what a run would do", args.task)),
        _ => failure,
    })?;
    let tasks = workflow::tasks_named(&told.workflow, &args.task);
    match tasks[..] {
        [] => none(args, &told, screen),
        [task] => one(args, &told, task, screen),
        _ => many(args, &told, &tasks, screen),
    }
}

fn with_extras<T>(told: &Told, ask: impl FnOnce(Extras<'_>) -> T) -> T {
    let is_driven = standing::orchestrator(&told.run).is_some();
    ask(Extras {
        run: &told.run.id,
        is_driven,
        is_fresh: told.manifest.is_fresh,
        targets: &told.manifest.targets,
        site: &told.manifest.site,
        now: if is_driven { clock() } else { told.timeline.run().last_at },
        always_runs: &|task| !reuse::can_be_reused(&told.workflow, task),
    })
}

/// What became of a task, with what was run and what had changed.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    account: Account,
    /// What its command or declaration had that it had not when the earlier result was made.
    changes: Vec<Change>,
    /// Outside variables that it names and that had another value then.
    environment_changes: Vec<String>,
    /// What the latest try was told to run.
    record: Recorded,
}

/// A template without tasks has an answer, too.
fn none(args: &Why, told: &Told, screen: Screen) -> Result<Code, Failure> {
    let Some(because) = workflow::why_empty(&told.workflow, &args.task) else {
        return Err(workflow::unknown_target(&told.workflow, &args.task));
    };
    if args.json {
        let group = account::Group { state: "without_tasks", because, n: 0, tasks: Vec::new() };
        screen.print_json(&[group])?;
    } else {
        let name = screen.datum(Tone::Strong, &printable(&args.task));
        screen.print(&format!("{name} has no tasks: {}\n", printable(&because)))?;
    }
    Ok(Code::Succeeded)
}

fn one(args: &Why, told: &Told, task: TaskId, screen: Screen) -> Result<Code, Failure> {
    let account =
        with_extras(told, |extras| Account::of(&told.workflow, &told.timeline, task, extras));
    let latest = told.timeline.attempts_of(task).next();
    let latest = latest.map(|attempt| (attempt.allocation, attempt.id));
    let record = Recorded::latest(&told.run, &told.workflow, latest, task)
        .map_err(|error| Failure::io("read the orders in", told.run.dir.path(), &error))?;
    let (changes, environment_changes) = changes(told, task, screen);
    let answer = Answer { account, changes, environment_changes, record };
    if args.json {
        screen.print_json(&answer)?;
    } else {
        screen.print(&text(&answer, told, screen))?;
    }
    Ok(Code::Succeeded)
}

fn many(args: &Why, told: &Told, tasks: &[TaskId], screen: Screen) -> Result<Code, Failure> {
    let groups =
        with_extras(told, |extras| account::groups(&told.workflow, &told.timeline, tasks, extras));
    if args.json {
        screen.print_json(&groups)?;
        return Ok(Code::Succeeded);
    }
    let style = style(screen);
    screen.print(&groups.iter().map(|group| group.text(style)).collect::<String>())?;
    let example = told.workflow.task_name(tasks[0]);
    let word = crate::typed::word(&example);
    let hint = screen.word(Tone::Helpful, "hint:");
    screen.say(&format!("{hint} `foreshard why {word}` tells of one of them"));
    Ok(Code::Succeeded)
}

fn style(screen: Screen) -> Style {
    let width = screen.width();
    if screen.paints_out() { Style::coloured(width) } else { Style::plain(width) }
}

fn text(answer: &Answer, told: &Told, screen: Screen) -> String {
    let style = style(screen);
    let mut text = answer.account.text(style);
    for change in &answer.changes {
        text += &fact(style, "changed", &change.to_string());
    }
    if !answer.environment_changes.is_empty() {
        text += &fact(style, "changed", &answer.environment_changes.join(", "));
    }
    let record = &answer.record;
    text += &fact(style, "granted", &record.granted().to_string());
    if let Some(folder) = record.folder().filter(|folder| folder.exists()) {
        text += &fact(style, "in", &crate::typed::path(folder).to_string_lossy());
    }
    for log in record.logs() {
        text += &fact(style, "log", &crate::typed::path(log).to_string_lossy());
    }
    let set: Vec<String> = record
        .own_environment()
        .map(|(name, value)| format!("{name}={}", crate::typed::word(value)))
        .collect();
    if !set.is_empty() {
        text += &fact(style, "set", &set.join(" "));
    }
    if !record.secrets().is_empty() {
        text += &fact(style, "secrets", &record.secrets().join(" "));
    }
    if let Some(wrap) = record.wrap_text() {
        text += &fact(style, "wrapped in", &wrap);
    }
    let command = record.command_text();
    let lines: Vec<&str> = command.lines().collect();
    for (i, line) in lines.iter().take(COMMAND_LINES).enumerate() {
        text += &fact(style, if i == 0 { "command" } else { "" }, line);
    }
    if lines.len() > COMMAND_LINES {
        text += &fact(style, "", &format!("… {} more lines", lines.len() - COMMAND_LINES));
    }
    text + &fact(style, "run", &told.run.id)
}

/// What had been otherwise when the earlier result was made, where the run that made it is still
/// there to be asked: declarations, and names of outside variables.
fn changes(told: &Told, task: TaskId, screen: Screen) -> (Vec<Change>, Vec<String>) {
    let nothing = (Vec::new(), Vec::new());
    let Reason::Changed(why) = told.timeline.why(task) else { return nothing };
    let (is_command, is_env) = (why.contains("command changed"), why.contains("environment"));
    let Some((run, before)) = maker(told, task, screen).filter(|_| is_command || is_env) else {
        return nothing;
    };
    let project = told.run.project.root().to_string_lossy();
    let now = Definition::of(&told.workflow, task, &project);
    let (found, now_found) = (Found::read(&run.dir), Found::read(&told.run.dir));
    let names = &told.workflow.template(task).env_from;
    let differs = |name: &&String| found.environment.get(*name) != now_found.environment.get(*name);
    (now.changes_since(&before), names.iter().filter(differs).cloned().collect())
}

/// The latest run before that made a result of a task, and what the task was there.
fn maker(told: &Told, task: TaskId, screen: Screen) -> Option<(PastRun, Definition)> {
    let name = told.workflow.task_name(task);
    let project = told.run.project.root().to_string_lossy();
    let runs = past_run::of_project(&told.run.project);
    let before = runs.into_iter().rev().skip_while(|run| run.id != told.run.id).skip(1);
    for run in before.take(RUNS_BACK) {
        let Ok(workflow) = run.manifest().and_then(|m| Ok(run.load(&m, screen)?.workflow)) else {
            continue;
        };
        let Ok(timeline) = run.timeline(&workflow) else { continue };
        let workflow = timeline.state().workflow();
        let Some(then) = workflow.find_task(&name) else { continue };
        let has_run = timeline.state().task(then).attempts > 0;
        if has_run && timeline.published_at(then).is_some() {
            let definition = Definition::of(workflow, then, &project);
            return Some((run, definition));
        }
    }
    None
}

/// What would become of a task if a workflow were run now.
#[derive(Serialize)]
struct Foretold {
    format: u32,
    workflow: String,
    task: report::summary::TaskRef,
    decision: &'static str,
    because: String,
    reuse_of: Option<String>,
}

fn foretell(args: &Why, file: &std::path::Path, screen: Screen) -> Result<Code, Failure> {
    let choice = crate::args::WorkflowChoice {
        file: file.to_path_buf(),
        params: args.params.clone(),
        params_file: None,
        scale: ReplayOptions::default().scale,
        scale_memory: None,
    };
    let loaded = workflow::load(&workflow::request(&choice), screen)?;
    let tasks = workflow::tasks_named(&loaded.workflow, &args.task);
    if tasks.is_empty() {
        return Err(workflow::unknown_target(&loaded.workflow, &args.task));
    }
    let site = site::choose(&SiteChoice { site: args.site.clone(), jobs: None }, screen)?;
    let decided = Images::find(&loaded.project, &loaded.workflow, &site)
        .map_err(Refused::Image)
        .and_then(|images| dry_run::of(&loaded, &site, &images, &tasks, false))
        .map_err(|error| refusal::tell(error, Some(&loaded), screen))?;
    let rows: Vec<Foretold> = decided
        .into_iter()
        .filter(|decision| tasks.binary_search(&decision.task).is_ok())
        .map(|decision| {
            let (word, reuse_of) = match decision.decision {
                Decision::Run => ("run", None),
                Decision::Perhaps => ("perhaps", None),
                Decision::Reuse { run } => ("reuse", Some(run)),
            };
            Foretold {
                format: account::FORMAT,
                workflow: loaded.workflow.name().to_owned(),
                task: report::summary::TaskRef::of(&loaded.workflow, decision.task),
                decision: word,
                because: decision.why,
                reuse_of,
            }
        })
        .collect();
    match (&rows[..], args.json) {
        ([row], true) => screen.print_json(row)?,
        (rows, true) => screen.print_json(&rows)?,
        (rows, false) => {
            screen.print(&rows.iter().map(|row| row.text(screen)).collect::<String>())?;
        }
    }
    Ok(Code::Succeeded)
}

impl Foretold {
    fn text(&self, screen: Screen) -> String {
        let name = screen.datum(Tone::Strong, &printable(&self.task.name));
        let because = printable(&self.because);
        match (self.decision, &self.reuse_of) {
            (_, Some(run)) => format!("{name} would not run: {because} since run {run}\n"),
            ("perhaps", _) => {
                format!("{name} would run if what it reads comes out different: {because}\n")
            }
            _ => format!("{name} would run: {because}\n"),
        }
    }
}
