//! Stories of a person at a terminal: the real program in a folder of its own, what it printed
//! and how it ended.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod asking;
mod checking;
mod cleaning;
mod comparing;
mod composing;
mod demand;
mod finishing;
mod forecasting;
mod growing;
mod interrupting;
mod limits;
mod measuring;
mod memory;
mod running;
mod scraping;
mod secrets;
mod simulating;
mod stage;
mod words;
mod wrapping;
