//! The `foreshard` command: words, streams and exit codes.
//!
//! Knows what can be typed, what is printed where, and how the program ends. Everything else is
//! called: reading and checking in `spec`, running in `runner`, pictures of runs in `report`.
//!
//! Reading order: [`args`] (what can be typed), [`command`] (one module per command),
//! [`screen`] and [`snippet`] (what people see), [`session`] and [`progress`] (while a run is
//! driven), [`exit_code`] and [`failure`] (how it ends).

mod args;
mod command;
mod exit_code;
mod failure;
mod machine;
mod ordered;
mod past_run;
mod progress;
mod recorded;
mod refusal;
mod screen;
mod session;
mod signals;
mod site;
mod snippet;
mod typed;
mod workflow;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::CommandLine;
use crate::exit_code::Code;
use crate::screen::Screen;

fn main() -> ExitCode {
    report_panics();
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => {
            // Help that was asked for is an answer; a closed pipe is nobody's mistake.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Code::Succeeded.into(),
                _ => Code::Invalid.into(),
            };
        }
    };
    let screen = Screen::new(line.color);
    match command::run(line.command, screen) {
        Ok(code) => code.into(),
        Err(failure) if failure.is_closed_pipe() => Code::Succeeded.into(),
        Err(failure) => {
            screen.say_failure(&failure);
            failure.code.into()
        }
    }
}

/// A panic is a defect of ours, and says so in the words and the exit code of one.
fn report_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        default(panic);
        eprintln!("error: this is a defect of foreshard {}", env!("CARGO_PKG_VERSION"));
        eprintln!("hint: report the lines above; a run that was going on can be resumed");
        // A thread that is gone can leave the others waiting for ever.
        std::process::exit(i32::from(Code::Internal as u8));
    }));
}
