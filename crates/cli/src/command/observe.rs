//! `foreshard observe`: this machine, measured until somebody says stop.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use observe::sampler::{self, Place};
use observe::{file, sampler::Error};
use runner::run_dir::Project;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::args::Observe;
use crate::command::history;
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::past_run;
use crate::screen::{Screen, Tone};

/// How long it takes at most to notice Ctrl-C.
const NAP: Duration = Duration::from_millis(200);

/// How long `--once` measures.
const ONCE: Duration = Duration::from_secs(1);

/// Measures this machine again and again.
///
/// # Errors
/// It cannot be measured, or the history not be written.
pub(crate) fn observe(args: &Observe, screen: Screen) -> Result<Code, Failure> {
    if let Some(what) = file::wrong_zone(&args.zone) {
        return Err(Failure::invalid(what).hint("name it as the site file does"));
    }
    let project = past_run::home(&args.project)?;
    if args.systemd {
        screen.print(&unit(args, &project)?)?;
        return Ok(Code::Succeeded);
    }
    let mut history = history::open(&project, screen)?;
    let zones = vec![args.zone.clone()];
    if args.once {
        let measured = sampler::sample_once(&mut history, &zones, project.root(), ONCE);
        for (measure, sample) in measured.map_err(|error| Failure::of(Code::Machine, &error))? {
            let value = history::value(sample.value, measure.unit());
            screen.print(&format!("{:<17} {value:>12}\n", measure.to_string()))?;
        }
        return Ok(Code::Succeeded);
    }
    drop(history);
    until_told(args, &project, zones, screen)
}

fn until_told(
    args: &Observe,
    project: &Project,
    zones: Vec<String>,
    screen: Screen,
) -> Result<Code, Failure> {
    let is_over = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, is_over.clone())
            .map_err(|error| Failure::io("listen to signals for", project.root(), &error))?;
    }
    let place = Place { history: project.history(), folder: project.root().to_path_buf(), zones };
    let every = args.every.to_std();
    screen.say(&format!(
        "measuring this machine every {} into {}; Ctrl-C ends it",
        args.every,
        place.history.display()
    ));
    let goes_on = || {
        let end = Instant::now() + every;
        while Instant::now() < end && !is_over.load(Ordering::Relaxed) {
            std::thread::sleep(NAP.min(end.saturating_duration_since(Instant::now())));
        }
        !is_over.load(Ordering::Relaxed)
    };
    let mut last = String::new();
    let tell = |result: Result<(), Error>| {
        let text = result.err().map_or_else(String::new, |error| error.to_string());
        // What goes wrong every time is said once.
        if text != last && !text.is_empty() {
            screen.say(&format!("{} {text}", screen.word(Tone::Doubtful, "warning:")));
        }
        last = text;
    };
    sampler::sample_while(&place, goes_on, tell);
    Ok(Code::Succeeded)
}

/// The text of a unit for systemd.
fn unit(args: &Observe, project: &Project) -> Result<String, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::io("find", Path::new("foreshard"), &error))?;
    let words = [
        program.to_string_lossy().into_owned(),
        "observe".to_owned(),
        "--every".to_owned(),
        format!("{}s", args.every.as_secs_f64()),
        "--zone".to_owned(),
        args.zone.clone(),
        "--project".to_owned(),
        project.root().to_string_lossy().into_owned(),
    ];
    let command = words.map(|word| quoted(&word)).join(" ");
    Ok(format!(
        "# Save as ~/.config/systemd/user/foreshard-observe.service, then\n\
         #   systemctl --user enable --now foreshard-observe\n\
         #   loginctl enable-linger      to go on when nobody is logged in\n\
         [Unit]\n\
         Description=Foreshard measures this machine\n\
         \n\
         [Service]\n\
         ExecStart={command}\n\
         Restart=on-failure\n\
         RestartSec=30\n\
         Nice=10\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n"
    ))
}

/// A word as systemd reads it (systemd.service(5), command lines; systemd.unit(5), specifiers).
fn quoted(word: &str) -> String {
    let escaped =
        word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-:=".contains(c));
    if is_plain { escaped } else { format!("\"{escaped}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_through_systemd_as_they_are() {
        assert_eq!(quoted("/usr/bin/foreshard"), "/usr/bin/foreshard");
        assert_eq!(quoted("/home/a b/50%$x"), "\"/home/a b/50%%$$x\"");
    }
}
