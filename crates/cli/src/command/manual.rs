//! `foreshard completions` and `foreshard man`: what is made from the command line's own words.

use clap::CommandFactory;
use clap_mangen::Man;

use crate::args::{self, CommandLine};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::Screen;

const NAME: &str = "foreshard";

/// Prints what a shell reads.
///
/// # Errors
/// The output is closed.
pub(crate) fn completions(args: &args::Completions, screen: Screen) -> Result<Code, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut CommandLine::command(), NAME, &mut script);
    screen.print(&String::from_utf8_lossy(&script))?;
    Ok(Code::Succeeded)
}

/// Prints the main page, or writes all pages into a folder.
///
/// # Errors
/// The output is closed, or the folder cannot be written.
pub(crate) fn pages(args: &args::Man, screen: Screen) -> Result<Code, Failure> {
    let command = CommandLine::command();
    let Some(dir) = &args.dir else {
        screen.print(&String::from_utf8_lossy(&page(command)?))?;
        return Ok(Code::Succeeded);
    };
    std::fs::create_dir_all(dir).map_err(|error| Failure::io("make", dir, &error))?;
    // A page for each command, named like `foreshard-site-show.1`.
    clap_mangen::generate_to(command, dir).map_err(|error| Failure::io("write", dir, &error))?;
    Ok(Code::Succeeded)
}

fn page(command: clap::Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}
