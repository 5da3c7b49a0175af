//! The fields of a map: known ones are handed out, unknown ones reported with the nearest name.

use std::ops::Range;

use super::Node;
use crate::diagnostic::{Code, Diagnostic, nearest};

/// A map whose keys are all among the known fields; those that are not were reported.
#[derive(Clone, Debug)]
pub struct Fields<'n, 'a> {
    span: Range<usize>,
    entries: &'n [(Node<'a>, Node<'a>)],
}

impl<'n, 'a> Fields<'n, 'a> {
    /// Opens a map. `what` names it in messages, such as ``task `count` ``.
    pub fn open(
        node: &'n Node<'a>,
        what: &str,
        known: &[&str],
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let Some(entries) = node.map() else {
            let message = format!("{what} must be a map of fields, not {}", node.what());
            let help = format!("fields are {}", known.join(", "));
            diagnostics
                .push(Diagnostic::error(Code::Value, node.span()).message(message).help(help));
            return None;
        };
        for (key, _) in entries {
            let name = key.text().unwrap_or_default();
            if !known.contains(&name) {
                diagnostics.push(unknown(key.span(), name, what, known));
            }
        }
        Some(Self { span: node.span(), entries })
    }

    /// The value of a field, if it is there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'n Node<'a>> {
        self.entries.iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
    }

    /// Where the name of a field stands, or the whole map if it is not there.
    #[must_use]
    pub fn key_span(&self, name: &str) -> Range<usize> {
        let key = self.entries.iter().find(|(key, _)| key.text() == Some(name));
        key.map_or_else(|| self.span.clone(), |(key, _)| key.span())
    }
}

/// What other tools call the same thing.
const FAMILIAR: [(&str, &str); 20] = [
    ("command", "run"),
    ("cmd", "run"),
    ("shell", "run"),
    ("script", "run"),
    ("depends_on", "needs"),
    ("dependencies", "needs"),
    ("after", "needs"),
    ("environment", "env"),
    ("retry", "retries"),
    ("cwd", "workdir"),
    ("walltime", "timeout"),
    ("parameters", "params"),
    ("container", "image"),
    ("docker", "image"),
    ("singularity", "image"),
    ("apptainer", "image"),
    ("module", "setup"),
    ("modules", "setup"),
    ("conda", "setup"),
    ("before_script", "setup"),
];

/// What no workflow decides: how commands run, as whom, and with which rights.
const OF_THE_SITE: [&str; 25] = [
    "wrap",
    "images",
    "privileged",
    "user",
    "run_as",
    "binds",
    "bind",
    "mounts",
    "volumes",
    "devices",
    "host_path",
    "hostPath",
    "runtime",
    "capabilities",
    "container_options",
    "account",
    "partition",
    "queue",
    "qos",
    "nodelist",
    "cluster_options",
    "sbatch",
    "zone",
    "domains",
    "backend",
];

/// Names that stand one level deeper.
const RESOURCES: [&str; 5] = ["cpus", "cpu", "memory", "network", "gpu"];

fn unknown(span: Range<usize>, name: &str, what: &str, known: &[&str]) -> Diagnostic {
    let mistake = Diagnostic::error(Code::UnknownField, span)
        .message(format!("{what} has no field `{name}`"))
        .label("unknown field");
    if known.contains(&"resources") && RESOURCES.contains(&name) {
        return mistake.help(format!("write `resources: {{{name}: …}}`"));
    }
    if known.contains(&"image") && OF_THE_SITE.contains(&name) {
        return mistake
            .help("the site file decides this (`foreshard site show`), no workflow does");
    }
    let familiar = FAMILIAR.iter().find(|(word, field)| *word == name && known.contains(field));
    let close = familiar.map(|&(_, field)| field);
    match close.or_else(|| nearest(name, known.iter().copied())) {
        Some(close) => mistake.help(format!("did you mean `{close}`?")),
        None if name == "<<" => {
            mistake.help("merge keys are not read; common fields go to `defaults:`")
        }
        None => mistake.help(format!("fields are {}", known.join(", "))),
    }
}
