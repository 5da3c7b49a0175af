//! What is shown while a run is driven: bars on a terminal, lines in a pipe, JSON for programs.
//!
//! Each display is an [`Observer`] of the drive loop and must not slow it down: on a terminal and
//! in large runs, nothing is drawn more often than people can read.

mod bars;
mod events;
mod lines;
mod story;

pub(crate) use bars::Bars;
pub(crate) use events::Events;
pub(crate) use lines::Lines;

use engine::{Record, RunState};
use runner::drive::Observer;
use spec::Timestamp;

/// Says nothing.
pub(crate) struct Silence;

impl Observer for Silence {
    fn recorded(&mut self, _: &Record, _: &RunState) {}
    fn tick(&mut self, _: &RunState, _: Timestamp) {}
}
