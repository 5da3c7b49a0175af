//! The site that a command is about: a file, or this machine.

use std::path::Path;

use spec::Site;
use spec::diagnostic::{Diagnostic, Source};
use spec::site_file;

use crate::args::SiteChoice;
use crate::failure::Failure;
use crate::machine;
use crate::screen::Screen;
use crate::snippet;
use crate::workflow::{has_mistakes, unreadable};

/// The places that a person chose.
///
/// # Errors
/// The file cannot be read, or there are mistakes in it; they have been shown.
pub(crate) fn choose(choice: &SiteChoice, screen: Screen) -> Result<Site, Failure> {
    match &choice.site {
        Some(path) => read(path, screen),
        None => Ok(machine::site(choice.jobs)),
    }
}

/// Reads a site file and shows what is wrong or doubtful in it.
///
/// # Errors
/// The file cannot be read, or there are mistakes in it; they have been shown.
pub(crate) fn read(path: &Path, screen: Screen) -> Result<Site, Failure> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    let name = path.display().to_string();
    let (source, site, diagnostics) = match Source::from_bytes(name, bytes) {
        Ok(source) => {
            let (site, diagnostics) = site_file::parse(&source);
            (source, site, diagnostics)
        }
        Err(failed) => {
            let (source, diagnostic) = *failed;
            (source, None, vec![diagnostic])
        }
    };
    snippet::say_all(screen, &source, &diagnostics);
    let is_sound = !diagnostics.iter().any(Diagnostic::is_error);
    site.filter(|_| is_sound).ok_or_else(|| has_mistakes(&source.name, &diagnostics))
}
