//! `include`: other workflow files whose tasks become part of this one.
//!
//! Knows how files name each other, and that their names, parameters and defaults are their own.
//! Does not read files: whoever calls hands in a way to do that.

use std::sync::Arc;

use super::params::{Given, GivenValue};
use super::reading::{File, Reading};
use super::slots::What;
use super::task::Draft;
use super::{Reader, paths, values};
use crate::diagnostic::{Code, Diagnostic, Place, Source, SourceId};
use crate::source::fields::Fields;
use crate::source::scalar::Scalar;
use crate::source::{Kind, Node};
use crate::template::Value;

/// How deep files may include each other.
const MAX_DEPTH: usize = 16;
/// How many files may be included in all, each counted as often as it is.
const MAX_INCLUDES: usize = 1_000;
/// How long the names of an include and of all that it lies in may be together.
const MAX_PREFIX: usize = 200;

const FIELDS: [&str; 3] = ["file", "params", "when"];

/// One entry of `include`, read and found to be sound.
struct Entry {
    /// The full name with a dot at its end.
    prefix: String,
    /// Relative to the project.
    path: String,
    given: Given,
    off: Option<String>,
}

impl Reading<'_> {
    /// Reads all files that this one includes.
    pub(super) fn includes(
        &mut self,
        fields: &Fields<'_, '_>,
        reader: &Reader<'_, '_>,
        file: &File,
        own: &mut Vec<Diagnostic>,
    ) {
        let Some(section) = fields.get("include").filter(|node| !node.is_null()) else { return };
        let Some(entries) = section.map() else {
            let message =
                format!("`include` must be a map from name to file, not {}", section.what());
            let mistake = Diagnostic::error(Code::Value, section.span()).message(message);
            own.push(mistake.help("write `include: {qc: {file: qc.yaml}}`"));
            return;
        };
        let tasks = |section| fields.get(section).and_then(Node::map).unwrap_or_default();
        let tasks: Vec<_> = tasks("tasks").iter().chain(tasks("final")).cloned().collect();
        for (key, node) in entries {
            let name = key.text().unwrap_or_default();
            if let Some(mistake) = name_mistake(name, key, &tasks, file) {
                own.push(mistake);
                continue;
            }
            let Some(entry) = reader.include(name, node, key, file, own) else { continue };
            let place = Place { source: file.id, span: key.span() };
            match self.open(&entry, file) {
                Ok((source, id)) => self.include(entry, source, id, file),
                Err((message, help)) => {
                    let mistake = Diagnostic::error(Code::Include, place.span).message(message);
                    own.push(match help {
                        Some(help) => mistake.help(help),
                        None => mistake,
                    });
                }
            }
        }
    }

    fn include(&mut self, entry: Entry, source: Arc<Source>, id: SourceId, outer: &File) {
        let mut trail = outer.trail.clone();
        trail.push(outer.path.clone());
        // So that the include can be named also if it holds nothing.
        self.names.push(entry.prefix.trim_end_matches('.').to_owned());
        let Entry { prefix, path, given, off } = entry;
        self.file(&File { source, id, path, prefix, given, off, trail });
    }

    /// The text of an included file, read once however often it is included.
    fn open(
        &mut self,
        entry: &Entry,
        outer: &File,
    ) -> Result<(Arc<Source>, SourceId), (String, Option<String>)> {
        let path = &entry.path;
        let above = || outer.trail.iter().chain([&outer.path]);
        if above().any(|file| file == path) {
            let circle: Vec<&str> =
                above().skip_while(|file| *file != path).map(String::as_str).collect();
            let message = format!("`{path}` includes itself: {} -> {path}", circle.join(" -> "));
            return Err((message, Some("remove one of these includes".to_owned())));
        }
        if outer.trail.len() >= MAX_DEPTH {
            return Err((format!("files include each other more than {MAX_DEPTH} deep"), None));
        }
        self.n_includes += 1;
        if self.n_includes > MAX_INCLUDES {
            return Err((format!("more than {MAX_INCLUDES} files are included"), None));
        }
        if let Some(&id) = self.by_path.get(path) {
            return Ok((self.sources.shared(id), id));
        }
        let unreadable = |why| (format!("`{path}` cannot be included: {why}"), None);
        let source = Arc::new((self.open)(path).map_err(unreadable)?);
        let id = self.sources.push(source.clone());
        self.by_path.insert(path.clone(), id);
        Ok((source, id))
    }
}

fn name_mistake(
    name: &str,
    key: &Node<'_>,
    tasks: &[(Node<'_>, Node<'_>)],
    file: &File,
) -> Option<Diagnostic> {
    let mistake = |code| Diagnostic::error(code, key.span());
    let dot = name.contains('.').then_some("contains a dot, which stands between names");
    if let Some(problem) = paths::name_problem(name).or(dot) {
        let message = format!("the name `{}` of an include {problem}", name.escape_debug());
        return Some(mistake(Code::Name).message(message).help("use letters, digits, `-` and `_`"));
    }
    if file.prefix.len() + name.len() > MAX_PREFIX {
        let message = format!("`{}{name}` is longer than {MAX_PREFIX} characters", file.prefix);
        return Some(mistake(Code::Name).message(message).help("use shorter names"));
    }
    let inside = format!("{name}.");
    let is_taken = |task: &str| task == name || task.starts_with(&inside);
    let (task, _) = tasks.iter().find(|(task, _)| task.text().is_some_and(is_taken))?;
    let message = format!("`{name}` is an include and cannot also name a task");
    Some(mistake(Code::Name).message(message).related(task.span(), "this task").help("rename one"))
}

impl Reader<'_, '_> {
    /// Reads one entry; none if it has mistakes that keep it from being followed.
    fn include(
        &self,
        name: &str,
        node: &Node<'_>,
        key: &Node<'_>,
        file: &File,
        own: &mut Vec<Diagnostic>,
    ) -> Option<Entry> {
        let asker = Place { source: file.id, span: key.span() };
        let prefix = format!("{}{name}.", file.prefix);
        if node.text().is_some() {
            // The short form: `qc: qc.yaml`.
            let path = self.included_path(node, file).map_err(|mistake| own.push(mistake)).ok()?;
            let given = Given { values: Default::default(), asker: Some(asker) };
            return Some(Entry { prefix, path, given, off: file.off.clone() });
        }
        let fields = Fields::open(node, &format!("the include `{name}`"), &FIELDS, own)?;
        let Some(path) = fields.get("file") else {
            let mistake = Diagnostic::error(Code::MissingField, key.span());
            let mistake = mistake.message(format!("the include `{name}` names no file"));
            own.push(mistake.help("add `file: …`"));
            return None;
        };
        let given = self.given(&fields, asker, own);
        let off = self.when(&fields, own);
        let off = off.map(|why| format!("`{}{name}` is left out: {why}", file.prefix));
        let path = self.included_path(path, file).map_err(|mistake| own.push(mistake)).ok()?;
        Some(Entry { prefix, path, given: given?, off: file.off.clone().or(off) })
    }

    /// The values for the included file's parameters; none if one of them has a mistake.
    fn given(
        &self,
        fields: &Fields<'_, '_>,
        asker: Place,
        own: &mut Vec<Diagnostic>,
    ) -> Option<Given> {
        let source = asker.source;
        let mut given = Given { values: Default::default(), asker: Some(asker) };
        let Some(section) = fields.get("params").filter(|node| !node.is_null()) else {
            return Some(given);
        };
        let Some(entries) = section.map() else {
            let message =
                format!("`params` must be a map from name to value, not {}", section.what());
            own.push(Diagnostic::error(Code::Value, section.span()).message(message));
            return None;
        };
        let before = own.len();
        for (key, node) in entries {
            match self.value(node) {
                Ok(value) => {
                    let place = Place { source, span: key.span() };
                    let name = key.text().unwrap_or_default().to_owned();
                    given.values.insert(name, GivenValue::Value(value, place));
                }
                Err(mistake) => own.push(mistake),
            }
        }
        (own.len() == before).then_some(given)
    }

    /// A value in which parameters of this file are filled in: alone with their type, or as text.
    fn value(&self, node: &Node<'_>) -> Result<Value, Diagnostic> {
        match &node.kind {
            Kind::List(items) => Ok(Value::List(
                items.iter().map(|item| self.value(item)).collect::<Result<_, _>>()?,
            )),
            Kind::Plain(text) | Kind::Quoted(text) if text.contains("{params.") => {
                let alone = text.strip_prefix("{params.").and_then(|rest| rest.strip_suffix('}'));
                if let Some(value) = alone.and_then(|name| self.params.get(name)) {
                    return Ok(value.clone());
                }
                Ok(values::plain(&self.scalar(node, "params")?.text))
            }
            _ if node.braces_without_quotes().is_some() => {
                Err(Scalar::of(node, "params").err().unwrap_or_else(|| unreachable!("a map")))
            }
            _ => values::of_node(node),
        }
    }

    /// Where the file lies in the project: `file` is relative to the file that includes it.
    fn included_path(&self, node: &Node<'_>, file: &File) -> Result<String, Diagnostic> {
        let scalar = self.scalar(node, "file")?;
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let help = "it must lie in the project, the folder of the workflow file";
        if scalar.text.starts_with('/') {
            return Err(scalar.wrong("is absolute").help(help));
        }
        let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
        for part in scalar.text.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.pop().is_none() => {
                    return Err(scalar.wrong("leaves the project").help(help));
                }
                ".." => {}
                part => parts.push(part),
            }
        }
        let path = parts.join("/");
        match paths::check(&path) {
            Err(problem) if problem.is_error() => Err(scalar.wrong(&problem.to_string())),
            _ => Ok(path),
        }
    }
}

/// Gives the tasks of an included file their full names, and what they name as well.
pub(super) fn qualify(draft: &mut Draft, prefix: &str) {
    if prefix.is_empty() {
        return;
    }
    draft.prefix = prefix.len();
    draft.template.name.insert_str(0, prefix);
    for (name, _) in &mut draft.needs {
        name.insert_str(0, prefix);
    }
    for part in draft.inputs.iter_mut().flat_map(|slot| &mut slot.parts) {
        if let What::OutputsOf(task) = &mut part.what {
            task.insert_str(0, prefix);
        }
    }
    if let Some(discovery) = &mut draft.template.discovers {
        discovery.from.insert_str(0, prefix);
    }
}
