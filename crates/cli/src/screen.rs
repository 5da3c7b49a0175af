//! Where words go: data to standard output, talk to standard error, colour only where it is seen.
//!
//! Knows what the two streams are and what the person wants. Everything that is printed goes
//! through here, so that a closed pipe is noticed and never a panic.

use std::io::{IsTerminal, Write};

use clap::ValueEnum;
use clap::builder::styling::{AnsiColor, Style};

use crate::failure::Failure;

/// `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Also into pipes and files.
    Always,
    /// Nowhere.
    Never,
}

/// What a word means, for those who see colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It went well.
    Good,
    /// It did not.
    Bad,
    /// It may not have been meant.
    Doubtful,
    /// The next step.
    Helpful,
    /// What the eye should find.
    Strong,
    /// What it may skip.
    Faint,
}

/// The two streams of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    paints_out: bool,
    paints_err: bool,
    is_live: bool,
}

/// The width that is assumed where none can be asked.
const WIDTH_UNKNOWN: usize = 100;

impl Screen {
    /// The streams as they are, and what the person wants.
    #[must_use]
    pub(crate) fn new(color: ColorChoice) -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let is_plain = is_set("NO_COLOR") || is_dumb;
        let paints = |is_terminal: bool| match color {
            ColorChoice::Auto => is_terminal && !is_plain,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        let err_is_terminal = std::io::stderr().is_terminal();
        Self {
            paints_out: paints(std::io::stdout().is_terminal()),
            paints_err: paints(err_is_terminal),
            is_live: err_is_terminal && !is_plain && color != ColorChoice::Never,
        }
    }

    /// Whether lines on standard error can be drawn over.
    #[must_use]
    pub(crate) fn is_live(self) -> bool {
        self.is_live
    }

    /// Whether standard output takes colours.
    #[must_use]
    pub(crate) fn paints_out(self) -> bool {
        self.paints_out
    }

    /// Whether standard error takes colours.
    #[must_use]
    pub(crate) fn paints_err(self) -> bool {
        self.paints_err
    }

    /// Columns to fill.
    #[must_use]
    pub(crate) fn width(self) -> usize {
        let size = |stream: &dyn std::os::fd::AsFd| rustix::termios::tcgetwinsize(stream).ok();
        let size = size(&std::io::stdout()).or_else(|| size(&std::io::stderr()));
        size.map(|size| usize::from(size.ws_col))
            .filter(|&columns| columns > 0)
            .unwrap_or(WIDTH_UNKNOWN)
    }

    /// A word for standard error.
    #[must_use]
    pub(crate) fn word(self, tone: Tone, text: &str) -> String {
        painted(self.paints_err, tone, text)
    }

    /// A word for standard output.
    #[must_use]
    pub(crate) fn datum(self, tone: Tone, text: &str) -> String {
        painted(self.paints_out, tone, text)
    }

    /// Talks: a line on standard error. If nobody listens, there is nobody to tell.
    pub(crate) fn say(self, line: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }

    /// Prints data as it is.
    ///
    /// # Errors
    /// Standard output is closed or full.
    pub(crate) fn print(self, data: &str) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(data.as_bytes())?;
        out.flush()
    }

    /// Prints a value as JSON, for programs.
    ///
    /// # Errors
    /// Standard output is closed or full.
    pub(crate) fn print_json(self, value: &impl serde::Serialize) -> std::io::Result<()> {
        let text = serde_json::to_string_pretty(value).expect("plain values serialize");
        self.print(&(text + "\n"))
    }

    /// Says why nothing came of it.
    pub(crate) fn say_failure(self, failure: &Failure) {
        self.say(&format!("{} {}", self.word(Tone::Bad, "error:"), failure.message));
        for cause in &failure.causes {
            self.say(&format!("{} {cause}", self.word(Tone::Strong, "caused by:")));
        }
        for hint in &failure.hints {
            self.say(&format!("{} {hint}", self.word(Tone::Helpful, "hint:")));
        }
    }
}

fn painted(paints: bool, tone: Tone, text: &str) -> String {
    if !paints {
        return text.to_owned();
    }
    let style = match tone {
        Tone::Good => Style::new().fg_color(Some(AnsiColor::Green.into())).bold(),
        Tone::Bad => Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
        Tone::Doubtful => Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold(),
        Tone::Helpful => Style::new().fg_color(Some(AnsiColor::Cyan.into())).bold(),
        Tone::Strong => Style::new().bold(),
        Tone::Faint => Style::new().dimmed(),
    };
    format!("{style}{text}{style:#}")
}
