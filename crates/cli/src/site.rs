//! The site that a command is about: a file, or this machine.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use spec::Site;
use spec::diagnostic::{Diagnostic, Source, Sources};
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

/// The folder of the file that a person chose, from the root: it is kept with a run.
pub(crate) fn folder(choice: &SiteChoice) -> Option<PathBuf> {
    let file = std::fs::canonicalize(choice.site.as_ref()?).ok()?;
    // Names that are no text cannot be kept.
    file.parent().filter(|folder| folder.to_str().is_some()).map(Path::to_path_buf)
}

/// Reads a site file and shows what is wrong or doubtful in it.
///
/// # Errors
/// The file cannot be read, or there are mistakes in it; they have been shown.
pub(crate) fn read(path: &Path, screen: Screen) -> Result<Site, Failure> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    refuse_foreign_hands(path)?;
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
    let sources = Sources::new(source);
    snippet::say_all(screen, &sources, &diagnostics);
    let is_sound = !diagnostics.iter().any(Diagnostic::is_error);
    site.filter(|_| is_sound).ok_or_else(|| has_mistakes(&sources, &diagnostics))
}

/// A site file names programs that are run as the caller (`wrap`, `provision`): like ssh, we do not
/// take it from a file that anybody may write.
fn refuse_foreign_hands(path: &Path) -> Result<(), Failure> {
    let mode = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?.mode();
    if mode & 0o002 == 0 {
        return Ok(());
    }
    let shown = path.display();
    let failure =
        Failure::invalid(format!("everybody may write {shown}, which names programs to run"));
    Err(failure.hint(format!("`chmod o-w {shown}` after a look at what is in it")))
}
