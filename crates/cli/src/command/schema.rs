//! `foreshard schema`: the JSON schema of a file format, for editors.

use crate::args::{Format, Schema};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::Screen;

/// Prints a schema.
///
/// # Errors
/// The output is closed.
pub(crate) fn schema(args: &Schema, screen: Screen) -> Result<Code, Failure> {
    let schema = match args.format {
        Format::Workflow => spec::schema::workflow(),
        Format::Site => spec::schema::site(),
        Format::Forecast => ::forecast::availability::schema(),
    };
    screen.print_json(&schema)?;
    Ok(Code::Succeeded)
}
