//! What an attempt was told to run, and where its output lies, as people and programs see it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::AttemptId;
use report::definition::Definition;
use runner::protocol::{Work, WorkCommand, WorkPlace, Wrap};
use serde::Serialize;
use spec::command::RenderedCommand;
use spec::{Resources, TaskId, Workflow};

use crate::past_run::PastRun;
use crate::typed;

/// What an attempt was told to run; or what a task would be, before its first try.
#[derive(Serialize)]
pub(crate) struct Recorded {
    /// Which try; none of a task that was not started.
    pub(crate) attempt: Option<u32>,
    /// The script for `/bin/sh -e -c`, or program and arguments.
    command: Option<Told>,
    /// Words of the site around the command, before and behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    wrap: Option<Wrap>,
    /// Variables that hold a secret; their values are nowhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<String>,
    /// Why there is no command.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// What was set for it.
    environment: BTreeMap<String, String>,
    /// What was set aside for it.
    granted: Resources,
    /// Where it started; its private folder is gone when nothing in it is needed any more.
    folder: Option<PathBuf>,
    /// The file with its standard output, if it wrote any.
    stdout_path: Option<PathBuf>,
    /// The file with its standard error, if it wrote any.
    stderr_path: Option<PathBuf>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    Shell(String),
    Argv(Vec<String>),
}

impl Told {
    /// Program and arguments, the shell included.
    fn words(&self) -> Vec<String> {
        match self {
            Self::Shell(script) => ["/bin/sh", "-e", "-c", script].map(str::to_owned).to_vec(),
            Self::Argv(argv) => argv.clone(),
        }
    }
}

impl Recorded {
    /// Of an attempt that was ordered.
    pub(crate) fn of(run: &PastRun, work: Work) -> Self {
        let attempt = work.attempt;
        let folder = match &work.place {
            WorkPlace::Project(workdir) => run.project.root().join(workdir),
            WorkPlace::Private { workdir, .. } => run.dir.attempt(attempt).join(workdir),
        };
        let command = match work.command {
            WorkCommand::Shell(script) => Told::Shell(script),
            WorkCommand::Argv(argv) => Told::Argv(argv),
        };
        Self {
            attempt: Some(attempt.number()),
            command: Some(command),
            wrap: work.wrap,
            secrets: work.secrets.into_iter().map(|secret| secret.name).collect(),
            refused: None,
            environment: work.env.into_iter().collect(),
            granted: work.granted,
            folder: Some(folder.components().collect()),
            stdout_path: Some(run.dir.stdout(attempt)).filter(|path| path.exists()),
            stderr_path: Some(run.dir.stderr(attempt)).filter(|path| path.exists()),
        }
    }

    /// Of a task that was never ordered: as its workflow declares it.
    pub(crate) fn declared(run: &PastRun, workflow: &Workflow, task: TaskId) -> Self {
        let project = run.project.root().to_string_lossy();
        let definition = Definition::of(workflow, task, &project);
        let secrets = workflow.template(task).secrets.iter();
        let (command, refused) = match definition.command {
            Ok(RenderedCommand::Shell(script)) => (Some(Told::Shell(script)), None),
            Ok(RenderedCommand::Argv(argv)) => (Some(Told::Argv(argv)), None),
            Err(why) => (None, Some(why)),
        };
        Self {
            attempt: None,
            command,
            wrap: None,
            secrets: secrets.map(|secret| secret.name.clone()).collect(),
            refused,
            environment: definition.environment,
            granted: workflow.resources(task).clone(),
            folder: None,
            stdout_path: None,
            stderr_path: None,
        }
    }

    /// Of a task's try, or of the task itself if that was never ordered.
    pub(crate) fn latest(
        run: &PastRun,
        workflow: &Workflow,
        attempt: Option<(engine::AllocationId, AttemptId)>,
        task: TaskId,
    ) -> std::io::Result<Self> {
        let found = runner::record::of_attempts(&run.dir, attempt)?.pop_first();
        Ok(found
            .map_or_else(|| Self::declared(run, workflow, task), |(_, work)| Self::of(run, work)))
    }

    /// The command as one can read it: the script, or the words as a shell would take them.
    pub(crate) fn command_text(&self) -> String {
        match &self.command {
            Some(Told::Shell(script)) => script.trim_end().to_owned(),
            Some(Told::Argv(argv)) => quoted(argv),
            None => format!("# {}", self.refused.as_deref().unwrap_or("there is no command")),
        }
    }

    /// What the site put around the command, with `…` where the command stands; none if nothing.
    pub(crate) fn wrap_text(&self) -> Option<String> {
        let wrap = self.wrap.as_ref()?;
        Some(format!("{} … {}", quoted(&wrap.before), quoted(&wrap.after)).trim_end().to_owned())
    }

    /// Variables that hold a secret.
    pub(crate) fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// What was set beyond what every task gets.
    pub(crate) fn own_environment(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.environment.iter().filter(|(name, _)| !name.starts_with("FORESHARD_"));
        own.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A script that does once more what the attempt did, where its folder is still there.
    pub(crate) fn script(&self) -> String {
        let mut text = format!("# granted: {}\n", self.granted);
        if let Some(folder) = &self.folder {
            text += &format!("cd {}\n", typed::word(&folder.to_string_lossy()));
        }
        for (name, value) in &self.environment {
            text += &format!("export {name}={}\n", typed::word(value));
        }
        for name in &self.secrets {
            text += &format!("# {name} holds a secret: set it by hand\n");
        }
        match (&self.command, &self.wrap) {
            (Some(command), Some(wrap)) => {
                let words = command.words();
                text + &quoted(&[&wrap.before, &words[..], &wrap.after].concat()) + "\n"
            }
            (Some(Told::Shell(_)), None) => text + "set -e\n" + &self.command_text() + "\n",
            (Some(Told::Argv(_)) | None, _) => text + &self.command_text() + "\n",
        }
    }

    /// The file with its standard output, if it wrote any.
    pub(crate) fn stdout(&self) -> Option<&Path> {
        self.stdout_path.as_deref()
    }

    /// The file with its standard error, if it wrote any.
    pub(crate) fn stderr(&self) -> Option<&Path> {
        self.stderr_path.as_deref()
    }

    /// What was set aside for it.
    pub(crate) fn granted(&self) -> &Resources {
        &self.granted
    }

    /// Where it started.
    pub(crate) fn folder(&self) -> Option<&PathBuf> {
        self.folder.as_ref()
    }

    /// The files with its output.
    pub(crate) fn logs(&self) -> impl Iterator<Item = &PathBuf> {
        self.stdout_path.iter().chain(&self.stderr_path)
    }
}

fn quoted(argv: &[String]) -> String {
    argv.iter().map(|word| typed::word(word)).collect::<Vec<_>>().join(" ")
}
