//! `--json`: every record as a line, for programs.

use std::io::{BufWriter, Stdout, Write};

use engine::{Record, RunState};
use runner::drive::Observer;
use serde::Serialize;
use spec::{Timestamp, Workflow};

/// Writes records to standard output as the journal holds them, after one line that names the run.
pub(crate) struct Events {
    out: Option<BufWriter<Stdout>>,
}

#[derive(Serialize)]
struct Head<'a> {
    run: &'a str,
    workflow: &'a str,
    tasks: usize,
    folder: &'a std::path::Path,
    foreshard: &'static str,
}

impl Events {
    /// Writes the line that names the run.
    #[must_use]
    pub(crate) fn new(run: &str, folder: &std::path::Path, workflow: &Workflow) -> Self {
        let mut events = Self { out: Some(BufWriter::new(std::io::stdout())) };
        events.line(&Head {
            run,
            workflow: workflow.name(),
            tasks: workflow.n_tasks(),
            folder,
            foreshard: env!("CARGO_PKG_VERSION"),
        });
        events.flush();
        events
    }

    fn line(&mut self, value: &impl Serialize) {
        let text = serde_json::to_string(value).expect("plain values serialize");
        self.write(|out| writeln!(out, "{text}"));
    }

    fn flush(&mut self) {
        self.write(Write::flush);
    }

    /// A reader that went away does not stop the run.
    fn write(&mut self, write: impl FnOnce(&mut BufWriter<Stdout>) -> std::io::Result<()>) {
        if self.out.as_mut().is_some_and(|out| write(out).is_err()) {
            self.out = None;
        }
    }
}

impl Observer for Events {
    fn recorded(&mut self, record: &Record, _: &RunState) {
        self.line(record);
        let is_last =
            matches!(record.event, engine::Event::RunFinished { .. } | engine::Event::RunPaused);
        if is_last {
            self.flush();
        }
    }

    fn tick(&mut self, _: &RunState, _: Timestamp) {
        self.flush();
    }
}
