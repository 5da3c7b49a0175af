//! Which tasks a name stands for when the graph grows, and which growth a task has to wait for.
//!
//! A name stands for the tasks declared under it, for those that the files of another task brought
//! under it, and, where these emit tasks, for what they emitted. What still has to grow is waited
//! for through the task that it will grow from.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::rows::Layout;
use super::slots::{SlotDraft, What};
use super::task::Draft;
use crate::command::{Placeholder, Segment, TextTemplate};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::files::FileKind;
use crate::id::FileId;

/// Declarations by name, and what grew from what.
#[derive(Default)]
pub(super) struct Families<'d> {
    drafts: &'d [Arc<Draft>],
    first_task: Vec<u32>,
    by_name: BTreeMap<&'d str, Vec<usize>>,
    /// By task: the drafts that it emitted.
    emitted: BTreeMap<u32, Vec<usize>>,
    promises: Vec<Promise>,
}

/// An output of tasks that are still to be discovered: every path of this form.
struct Promise {
    draft: usize,
    prefix: String,
    suffix: String,
}

impl<'d> Families<'d> {
    pub(super) fn new(drafts: &'d [Arc<Draft>], first_task: &[u32]) -> Self {
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut emitted: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (index, draft) in drafts.iter().enumerate() {
            by_name.entry(&draft.template.name).or_default().push(index);
            // The name of an include stands for all that is in it, until the end.
            if draft.template.is_final {
                continue;
            }
            let prefix = &draft.template.name[..draft.prefix];
            for (dot, _) in prefix.match_indices('.') {
                by_name.entry(&prefix[..dot]).or_default().push(index);
            }
            if let Some(task) = draft.template.grown_by.filter(|_| draft.is_emitted) {
                emitted.entry(task.0).or_default().push(index);
            }
        }
        let waiting = drafts.iter().enumerate().filter(|(_, d)| d.template.discovers.is_some());
        let promises = waiting.flat_map(|(index, draft)| promises(index, draft)).collect();
        Self { drafts, first_task: first_task.to_vec(), by_name, emitted, promises }
    }

    /// The declarations under a name.
    pub(super) fn named(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// All tasks of a name, with what they emitted.
    pub(super) fn of(&self, name: &str) -> Option<Vec<Range<u32>>> {
        let drafts = self.by_name.get(name)?;
        Some(self.with_emitted(drafts).into_iter().map(|draft| self.tasks(draft)).collect())
    }

    /// One task, with what it emitted.
    pub(super) fn of_task(&self, task: u32) -> Vec<Range<u32>> {
        let emitted = self.emitted.get(&task).map_or(&[][..], Vec::as_slice);
        let emitted = self.with_emitted(emitted).into_iter().map(|draft| self.tasks(draft));
        std::iter::once(task..task + 1).chain(emitted).collect()
    }

    /// Whether tasks of this name may still come.
    pub(super) fn is_awaited(&self, name: &str) -> bool {
        self.named(name).iter().any(|&draft| self.drafts[draft].template.discovers.is_some())
    }

    /// Whether a gather over this name can hold anything, now or later. What is not known here has
    /// been reported.
    pub(super) fn declares_outputs(&self, name: &str) -> bool {
        let drafts = self.named(name.split('[').next().unwrap_or(name));
        let declares = |&draft: &usize| {
            let draft = &self.drafts[draft];
            !draft.outputs.is_empty() || draft.rows == 0
        };
        drafts.is_empty() || drafts.iter().any(declares)
    }

    /// Which of its outputs declares more tasks.
    pub(super) fn emits(&self, task: u32) -> Option<usize> {
        self.drafts[self.draft_of(task)].template.emits
    }

    fn draft_of(&self, task: u32) -> usize {
        self.first_task.partition_point(|&first| first <= task) - 1
    }

    /// Tasks that must be done before all that `draft` names has come into the graph.
    pub(super) fn awaited(&self, draft: &Draft) -> Vec<u32> {
        let gathered = draft.inputs.iter().flat_map(|slot| &slot.parts);
        let gathered = gathered.filter_map(|part| match &part.what {
            What::OutputsOf(name) => Some(name),
            What::Path(_) => None,
        });
        let names = draft.needs.iter().map(|(name, _)| name).chain(gathered);
        let named = names
            .flat_map(|name| self.named(name.split('[').next().unwrap_or(name)).iter().copied());
        self.sources(&named.collect::<Vec<_>>())
    }

    /// The same for the files that a task reads, whose makers may be still to come.
    pub(super) fn awaited_for(&self, layout: &Layout, task: usize) -> Vec<u32> {
        if self.promises.is_empty() {
            return Vec::new();
        }
        let inputs = layout.inputs.row(task).iter();
        let promised = inputs.flat_map(|input| self.promised_by(layout.files.path(input.file)));
        let own = self.tasks(self.draft_of(task as u32));
        let mut sources = self.sources(&promised.collect::<Vec<_>>());
        // Tasks that are discovered from do not wait for each other: the cycle would be of our making.
        if sources.iter().any(|source| own.contains(source)) {
            sources.clear();
        }
        sources
    }

    /// Whether the makers of a declared input may be still to come.
    pub(super) fn is_promised(&self, path: &str) -> bool {
        self.promised_by(path).next().is_some()
    }

    fn promised_by<'s>(&'s self, path: &'s str) -> impl Iterator<Item = usize> + 's {
        self.promises.iter().filter(|promise| promise.may_meet(path)).map(|promise| promise.draft)
    }

    /// From which tasks what is awaited under `drafts` grows.
    fn sources(&self, drafts: &[usize]) -> Vec<u32> {
        let mut tasks = Vec::new();
        let mut seen = BTreeSet::new();
        let mut stack: Vec<usize> = self.with_emitted(drafts);
        while let Some(draft) = stack.pop() {
            let Some(discovery) = &self.drafts[draft].template.discovers else { continue };
            if seen.insert(draft) {
                let from = self.with_emitted(self.named(&discovery.from));
                tasks.extend(from.iter().flat_map(|&draft| self.tasks(draft)));
                stack.extend(from);
            }
        }
        tasks
    }

    /// These declarations and, over and over, what their tasks emitted and what was discovered for
    /// these.
    fn with_emitted(&self, drafts: &[usize]) -> Vec<usize> {
        let mut seen: BTreeSet<usize> = drafts.iter().copied().collect();
        let mut all: Vec<usize> = seen.iter().copied().collect();
        let mut next = 0;
        while let Some(&draft) = all.get(next) {
            next += 1;
            let emitted = self.emitted.range(self.tasks(draft)).flat_map(|(_, drafts)| drafts);
            let template = &self.drafts[draft].template;
            let discovered =
                if template.discovers.is_some() { self.named(&template.name) } else { &[] };
            all.extend(emitted.chain(discovered).filter(|&&more| seen.insert(more)));
        }
        all
    }

    fn tasks(&self, draft: usize) -> Range<u32> {
        self.first_task[draft]..self.first_task[draft + 1]
    }

    /// Whether what is to be discovered can be: from a task that is there and makes such files.
    pub(super) fn check(&self, names: &[String], diagnostics: &mut Vec<Diagnostic>) {
        for draft in self.drafts {
            let Some(discovery) = &draft.template.discovers else { continue };
            let mistake = |code| {
                let place = draft.template.place();
                Diagnostic::error(code, place.span).in_source(place.source)
            };
            let from = self.named(&discovery.from);
            if from.is_empty() && !names.contains(&discovery.from) {
                let from = &discovery.from[draft.prefix..];
                let message = format!("there is no task `{from}` to discover files of");
                let mistake = mistake(Code::UnknownTask).message(message);
                let close = nearest(&discovery.from, names.iter().map(String::as_str));
                diagnostics.push(match close {
                    Some(close) => mistake.help(format!("did you mean `{close}`?")),
                    None => mistake,
                });
            } else if self.discovers_itself(&draft.template.name) {
                let message = format!("`{}` would be discovered from itself", draft.template.name);
                let help = "discover it from a task that comes before";
                diagnostics.push(mistake(Code::Cycle).message(message).help(help));
            } else if !from.iter().any(|&draft| self.may_make(draft, &discovery.glob)) {
                let message = format!(
                    "`{}` declares no output that `{}` could match",
                    discovery.from, discovery.glob
                );
                let help =
                    format!("add the folder or the pattern to `outputs` of `{}`", discovery.from);
                diagnostics.push(mistake(Code::Value).message(message).help(help));
            }
        }
    }

    fn discovers_itself(&self, name: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut stack = vec![name];
        while let Some(at) = stack.pop() {
            let discoveries =
                self.named(at).iter().filter_map(|&d| self.drafts[d].template.discovers.as_ref());
            for discovery in discoveries {
                if discovery.from == name {
                    return true;
                }
                if seen.insert(discovery.from.as_str()) {
                    stack.push(&discovery.from);
                }
            }
        }
        false
    }

    fn may_make(&self, draft: usize, glob: &str) -> bool {
        promises(draft, &self.drafts[draft]).any(|promise| promise.may_meet(glob))
    }
}

/// The form of every path that tasks of a draft will write.
fn promises(index: usize, draft: &Draft) -> impl Iterator<Item = Promise> {
    let paths = draft.outputs.iter().flat_map(SlotDraft::paths);
    paths.map(move |path| {
        let (prefix, suffix) = fixed_ends(path);
        Promise { draft: index, prefix, suffix }
    })
}

/// What every path that a template makes begins and ends with.
fn fixed_ends(path: &TextTemplate) -> (String, String) {
    let mut text = String::new();
    for segment in &path.0 {
        match segment {
            Segment::Literal(literal) => text.push_str(literal),
            Segment::Placeholder { what: Placeholder::Param(value), .. } => {
                text.push_str(&value.to_string());
            }
            Segment::Placeholder { .. } => text.push('*'),
        }
    }
    let ends = ends(&text);
    (ends.0.to_owned(), ends.1.to_owned())
}

/// What a declared path begins and ends with, before and after whatever is open in it.
fn ends(path: &str) -> (&str, &str) {
    const OPEN: [char; 4] = ['*', '?', '[', ']'];
    match FileKind::of(path) {
        FileKind::Directory => (path, ""),
        FileKind::File => (path, path),
        FileKind::Glob => {
            let first = path.find(OPEN).unwrap_or(path.len());
            let after_last = path.rfind(OPEN).map_or(0, |last| last + 1);
            let suffix = if path.ends_with('/') { "" } else { &path[after_last..] };
            (&path[..first], suffix)
        }
    }
}

impl Promise {
    /// Whether a declared path and one that will be written may be one, or lie in one another.
    /// Says yes in doubt: the worst is that somebody waits.
    fn may_meet(&self, path: &str) -> bool {
        let (prefix, suffix) = ends(path);
        let meets = |a: &str, b: &str, touch: fn(&str, &str) -> bool| touch(a, b) || touch(b, a);
        let is_file = FileKind::of(path) == FileKind::File;
        if is_file && self.suffix.is_empty() {
            return path.starts_with(&self.prefix);
        }
        meets(prefix, &self.prefix, |a, b| a.starts_with(b))
            && meets(suffix, &self.suffix, |a, b| a.ends_with(b))
    }
}

/// Inputs that nothing makes yet, though something that is to come may: by a promise, or because
/// all that read them wait for a task that emits tasks.
pub(super) fn may_come(
    families: &Families<'_>,
    layout: &Layout,
    is_below_emitter: &[bool],
) -> BTreeSet<FileId> {
    let mut may_come = BTreeSet::new();
    let mut cannot = BTreeSet::new();
    for (task, &is_below) in is_below_emitter.iter().enumerate() {
        for input in layout.inputs.row(task) {
            let comes = is_below || families.is_promised(layout.files.path(input.file));
            if comes { &mut may_come } else { &mut cannot }.insert(input.file);
        }
    }
    may_come.difference(&cannot).copied().collect()
}
