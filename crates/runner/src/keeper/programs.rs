//! Where programs are: the search along `PATH`, once for each program.
//!
//! Left to the system, every start tries folder after folder anew, and a task that sets its own
//! `PATH` would be started by fork instead of posix_spawn.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Programs that were found, by name and search path.
#[derive(Debug, Default)]
pub(super) struct Programs(Mutex<HashMap<(String, String), PathBuf>>);

impl Programs {
    /// The program to start for a name: as it is if it is a path, or if it cannot be found along
    /// `PATH`, or if where it is depends on the current folder. The system has the last word then.
    pub(super) fn find(&self, name: &str, path: Option<&str>) -> PathBuf {
        let inherited = || std::env::var("PATH").unwrap_or_default();
        let path = path.map_or_else(inherited, str::to_owned);
        if name.contains('/') || path.split(':').any(|folder| !folder.starts_with('/')) {
            return PathBuf::from(name);
        }
        let key = (name.to_owned(), path);
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = found.get(&key)
            && is_program(program)
        {
            return program.clone();
        }
        let candidates = key.1.split(':').map(|folder| Path::new(folder).join(name));
        let Some(program) = candidates.into_iter().find(|candidate| is_program(candidate)) else {
            return PathBuf::from(name);
        };
        found.insert(key, program.clone());
        program
    }
}

/// Whether there is a file that can be executed.
pub(super) fn is_program(path: &Path) -> bool {
    let is_executable =
        |meta: std::fs::Metadata| meta.is_file() && meta.permissions().mode() & 0o111 != 0;
    path.metadata().is_ok_and(is_executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_executable_along_the_path_is_found_again_when_it_moves() {
        let dir = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let place = |folder: &Path, mode: u32| {
            let program = folder.join("tool");
            std::fs::write(&program, "").unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(mode)).unwrap();
            program
        };
        let (a, b, c) = (folder("a"), folder("b"), folder("c"));
        let path = [&a, &b, &c].map(|folder| folder.display().to_string()).join(":");
        let programs = Programs::default();
        assert_eq!(programs.find("tool", Some(&path)), Path::new("tool"));
        place(&a, 0o644);
        let (in_b, in_c) = (place(&b, 0o755), place(&c, 0o755));
        assert_eq!(programs.find("tool", Some(&path)), in_b);
        std::fs::remove_file(in_b).unwrap();
        assert_eq!(programs.find("tool", Some(&path)), in_c);
        assert_eq!(programs.find("./tool", Some(&path)), Path::new("./tool"));
        assert_eq!(programs.find("tool", Some("bin:/usr/bin")), Path::new("tool"));
    }
}
