//! Commands to a running orchestrator: atomically renamed files, acknowledged in the journal.
//!
//! Works over shared file systems and needs no open port. A file is taken away only after the
//! record that answers it is safe.

use std::path::{Path, PathBuf};

use engine::Command;

/// Leaves a command for the orchestrator of a run.
///
/// # Errors
/// The file cannot be written.
pub fn send(inbox: &Path, command: Command) -> std::io::Result<()> {
    use std::io::Write;
    std::fs::create_dir_all(inbox)?;
    let stamp = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    let name = format!("{stamp:020}-{}.json", std::process::id());
    let draft = inbox.join(format!(".{name}"));
    let mut file = std::fs::File::create(&draft)?;
    let text = serde_json::to_string(&command).expect("plain values serialize");
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(draft, inbox.join(name))
}

/// Commands that have arrived, oldest first, with the files that hold them. What is not a command
/// is taken away at once.
#[must_use]
pub fn receive(inbox: &Path) -> Vec<(PathBuf, Command)> {
    let Ok(entries) = std::fs::read_dir(inbox) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.retain(|path| {
        path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.'))
    });
    paths.sort();
    let mut commands = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if let Ok(command) = serde_json::from_str(&text) {
            commands.push((path, command));
        } else {
            let _ = std::fs::remove_file(&path);
        }
    }
    commands
}
