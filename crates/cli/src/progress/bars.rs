//! A display that is drawn over: how far the run is, what runs, and when it will be done.

use std::time::{Duration as StdDuration, Instant};

use engine::{Record, RunState};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use report::Progress;
use report::printable::clipped;
use report::progress::{Running, View};
use report::quantity::count;
use runner::drive::Observer;
use spec::Timestamp;

use super::story::{self, Detail};
use crate::screen::{Screen, Tone};

/// How many running tasks are named.
const NAMED_MAX: usize = 8;

/// How often it is drawn.
const INTERVAL: StdDuration = StdDuration::from_millis(100);

/// The display.
pub(crate) struct Bars {
    screen: Screen,
    progress: Progress,
    lines: MultiProgress,
    running: Vec<ProgressBar>,
    bar: ProgressBar,
    drawn_at: Instant,
}

impl Bars {
    /// Of a run that has come as far as `progress` says.
    #[must_use]
    pub(crate) fn new(progress: Progress, screen: Screen) -> Self {
        let hz = u8::try_from(1_000 / INTERVAL.as_millis()).unwrap_or(u8::MAX);
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(hz));
        let bar = lines.add(ProgressBar::new(0));
        let template =
            if screen.paints_err() { "{bar:30.green/white.dim} {msg}" } else { "{bar:30} {msg}" };
        let style = ProgressStyle::with_template(template).expect("the template is ours");
        bar.set_style(style.progress_chars("━━─"));
        Self { screen, progress, lines, running: Vec::new(), bar, drawn_at: Instant::now() }
    }

    fn draw(&mut self, now: Timestamp) {
        self.drawn_at = Instant::now();
        let view = self.progress.view(now);
        self.bar.set_length(view.counts.selected as u64);
        self.bar.set_position(view.n_done as u64);
        self.bar.set_message(self.headline(&view));
        let n = view.running.len().min(NAMED_MAX);
        let n_lines = n + usize::from(view.running.len() > n);
        self.fit(n_lines);
        for (line, running) in self.running.iter().zip(&view.running[..n]) {
            line.set_message(self.line_of(running));
        }
        if let Some(line) = self.running.get(n) {
            line.set_message(format!("  … and {} more", count(view.running.len() - n)));
        }
    }

    fn headline(&self, view: &View) -> String {
        let done = format!("{}/{}", count(view.n_done), count(view.counts.selected));
        let mut parts = vec![self.screen.word(Tone::Strong, &done)];
        if view.counts.reused > 0 {
            parts.push(format!("{} unchanged", count(view.counts.reused)));
        }
        if view.counts.failed > 0 {
            let failed = format!("{} failed", count(view.counts.failed));
            parts.push(self.screen.word(Tone::Bad, &failed));
        }
        if !view.running.is_empty() {
            parts.push(format!("{} running", count(view.running.len())));
        }
        parts.push(view.elapsed.to_string());
        if let Some(eta) = view.eta {
            parts.push(format!("about {eta} left"));
        }
        parts.join(", ")
    }

    fn line_of(&self, running: &Running) -> String {
        let elapsed = self.screen.word(Tone::Faint, &format!("{:>7}", running.elapsed.to_string()));
        let width = self.screen.width().saturating_sub(14);
        let name = self.progress.state().workflow().task_name(running.attempt.task());
        let again = match running.attempt.number() {
            1 => String::new(),
            n => format!(" (try {n})"),
        };
        format!("  {elapsed} {}{again}", clipped(&name, width))
    }

    /// As many lines above the bar as there is something to say.
    fn fit(&mut self, n: usize) {
        while self.running.len() > n {
            if let Some(line) = self.running.pop() {
                self.lines.remove(&line);
            }
        }
        while self.running.len() < n {
            let line = self.lines.insert_before(&self.bar, ProgressBar::new_spinner());
            line.set_style(ProgressStyle::with_template("{msg}").expect("the template is ours"));
            self.running.push(line);
        }
    }

    fn clear(&mut self) {
        self.fit(0);
        self.bar.finish_and_clear();
    }
}

impl Observer for Bars {
    fn recorded(&mut self, record: &Record, state: &RunState) {
        // What cannot be shown is no reason to stop a run.
        if self.progress.state().seq() < record.seq {
            let _ = self.progress.apply(record);
        }
        if let Some(sentence) = story::of(record, state.workflow(), Detail::Notable) {
            self.lines.suspend(|| self.screen.say(&sentence));
        }
        match record.event {
            engine::Event::RunFinished { .. } | engine::Event::RunPaused => self.clear(),
            _ if self.drawn_at.elapsed() >= INTERVAL => self.draw(record.at),
            _ => {}
        }
    }

    fn tick(&mut self, state: &RunState, now: Timestamp) {
        let is_over = matches!(
            state.phase(),
            engine::phase::Phase::Finished(_) | engine::phase::Phase::Paused
        );
        if !is_over {
            self.draw(now);
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.clear();
    }
}
