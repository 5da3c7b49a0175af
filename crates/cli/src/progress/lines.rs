//! Plain lines, for pipes, logs and terminals that cannot be drawn over.

use engine::task_state::TaskState;
use engine::{Record, RunState};
use report::quantity::{count, plural};
use runner::drive::Observer;
use spec::{Duration, Timestamp};

use super::story::{self, Detail};
use crate::screen::{Screen, Tone};

/// In a larger run, only every so often a line says how far it is.
const EACH_TASK_MAX: usize = 1_000;

/// How often.
const INTERVAL: Duration = Duration::from_secs(5);

/// A line for each start and end, or a summary now and then.
pub(crate) struct Lines {
    screen: Screen,
    /// The first record of this session.
    began_at: Option<Timestamp>,
    said_at: Timestamp,
}

impl Lines {
    /// Of a run from here on.
    #[must_use]
    pub(crate) fn new(screen: Screen) -> Self {
        Self { screen, began_at: None, said_at: Timestamp(0) }
    }

    fn say(&self, at: Timestamp, text: &str) {
        let since = at.since(self.began_at.unwrap_or(at)).as_secs_f64();
        let clock = self.screen.word(Tone::Faint, &format!("[{since:>8.2}s]"));
        self.screen.say(&format!("{clock} {text}"));
    }
}

impl Observer for Lines {
    fn recorded(&mut self, record: &Record, state: &RunState) {
        self.began_at.get_or_insert(record.at);
        let is_large = state.n_selected() > EACH_TASK_MAX;
        let detail = if is_large { Detail::Notable } else { Detail::Everything };
        if let Some(sentence) = story::of(record, state.workflow(), detail) {
            self.say(record.at, &sentence);
        }
    }

    fn tick(&mut self, state: &RunState, now: Timestamp) {
        let since = now.since(self.said_at.max(self.began_at.unwrap_or(now)));
        if state.n_selected() <= EACH_TASK_MAX || since < INTERVAL {
            return;
        }
        self.said_at = now;
        self.say(now, &so_far(state));
    }
}

fn so_far(state: &RunState) -> String {
    let (selected, unfinished) = (state.n_selected(), state.n_unfinished());
    let running = state.live().values().filter(|live| live.started.is_some()).count();
    let failed = state.count(TaskState::Failed);
    let mut text =
        format!("{} of {} done", count(selected - unfinished), plural(selected, "task", "tasks"));
    text += &format!(", {} running", count(running));
    if failed > 0 {
        text += &format!(", {} failed", count(failed));
    }
    text
}
