//! Ctrl-C while a run is driven: once drains, twice stops, a third time leaves at once.
//!
//! `SIGTERM` counts like Ctrl-C. Whatever happens, the run can be resumed: what it started is
//! owned by keepers, which are not children of the terminal.

use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::Sender;
use engine::Command;
use runner::drive::Message;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::exit_code::Code;
use crate::failure::Failure;

/// Turns signals into commands for as long as it lives.
pub(crate) struct Interrupts {
    handle: Handle,
}

/// How often this process was interrupted.
static TIMES: AtomicUsize = AtomicUsize::new(0);

impl Interrupts {
    /// Begins to listen.
    ///
    /// # Errors
    /// The system refuses the handlers.
    pub(crate) fn listen(messages: Sender<Message>) -> Result<Self, Failure> {
        let refused = |error: std::io::Error| {
            Failure::new(Code::Machine, "failed to listen to signals").cause(error.to_string())
        };
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(refused)?;
        let handle = signals.handle();
        let listen = move || {
            for _ in signals.forever() {
                match meaning(TIMES.fetch_add(1, Ordering::Relaxed)) {
                    // A loop that has ended has nobody to stop any more.
                    Some(command) => drop(messages.send(Message::Command(command))),
                    None => std::process::exit(i32::from(Code::Interrupted as u8)),
                }
            }
        };
        std::thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(refused)?;
        Ok(Self { handle })
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// What an interrupt means after so many others; none: leave at once.
fn meaning(before: usize) -> Option<Command> {
    match before {
        0 => Some(Command::Drain),
        1 => Some(Command::Stop),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends_with_the_third_interrupt() {
        let meanings: Vec<_> = (0..3).map(meaning).collect();
        assert_eq!(meanings, [Some(Command::Drain), Some(Command::Stop), None]);
    }
}
