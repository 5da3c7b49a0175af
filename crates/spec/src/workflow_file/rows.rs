//! Lays tasks out in rows and fills in the paths of each: millions of them, so that nothing
//! here is allocated for one task alone.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization;

use super::family::Families;
use super::paths::{self, PathProblem};
use super::slots::{Part, Side, SlotDraft, What};
use super::task::Draft;
use crate::command::{Placeholder, Segment, TextTemplate};
use crate::csr::Csr;
use crate::diagnostic::{Code, Diagnostic, Place, Severity, nearest};
use crate::files::FileTable;
use crate::id::FileId;
use crate::template::{Template, Value, Variable};
use crate::workflow::Input;

/// How many files gathers may list in all; each costs 8 bytes.
const MAX_GATHERED: usize = 1 << 28;

/// Tasks with their files, as the graph is made of them.
#[derive(Clone, Default)]
pub(super) struct Layout {
    pub(super) first_task: Vec<u32>,
    pub(super) files: FileTable,
    pub(super) inputs: Csr<Input>,
    pub(super) outputs: Csr<FileId>,
    pub(super) needs: Csr<u32>,
}

/// `names` are those of all tasks in the file, also of those that could not be read. `files` are
/// those that were declared before, whose ids stay as they are.
pub(super) fn lay_out(
    names: &[String],
    drafts: &[Arc<Draft>],
    files: FileTable,
    diagnostics: &mut Vec<Diagnostic>,
) -> Layout {
    let mut rows = Rows {
        names,
        drafts,
        families: Families::default(),
        layout: Layout { files, ..Layout::default() },
        gathered: 0,
        prefix: 0,
        named: BTreeMap::new(),
        diagnostics,
    };
    rows.count();
    rows.families = Families::new(drafts, &rows.layout.first_task);
    rows.families.check(names, rows.diagnostics);
    for draft in drafts {
        rows.in_source_of(draft, Rows::outputs);
    }
    for draft in drafts {
        rows.in_source_of(draft, Rows::inputs);
        rows.in_source_of(draft, Rows::needs);
    }
    rows.refuse_unicode_twins();
    rows.layout
}

struct Rows<'d> {
    names: &'d [String],
    drafts: &'d [Arc<Draft>],
    families: Families<'d>,
    layout: Layout,
    gathered: usize,
    /// What names in messages are shortened by: the file says them without.
    prefix: usize,
    /// By draft: its tasks by name, made when a single one is first asked for.
    named: BTreeMap<usize, BTreeMap<String, u32>>,
    diagnostics: &'d mut Vec<Diagnostic>,
}

/// The files of one slot part, for all rows of a template.
enum Column {
    /// The same files in every row.
    Same(Vec<FileId>),
    /// One file for each row.
    Each(Vec<FileId>),
}

impl Column {
    fn row(&self, row: usize) -> &[FileId] {
        match self {
            Self::Same(files) => files,
            Self::Each(files) => &files[row..=row],
        }
    }
}

impl Rows<'_> {
    /// What is found meanwhile lies in the text of the draft.
    fn in_source_of(&mut self, draft: &Draft, lay_out: fn(&mut Self, &Draft)) {
        let before = self.diagnostics.len();
        self.prefix = draft.prefix;
        lay_out(self, draft);
        for mistake in &mut self.diagnostics[before..] {
            *mistake = std::mem::replace(mistake, Diagnostic::error(mistake.code, 0..0))
                .in_source(draft.template.source);
        }
    }

    fn count(&mut self) {
        let mut next = 0_u32;
        self.layout.first_task.push(0);
        for draft in self.drafts {
            let sum = u32::try_from(draft.rows).ok().and_then(|rows| next.checked_add(rows));
            if sum.is_none() {
                let Place { source, span } = draft.template.place();
                let mistake = Diagnostic::error(Code::Limit, span).in_source(source);
                self.diagnostics.push(mistake.message("the workflow has more than 2^32 tasks"));
            }
            next = sum.unwrap_or(next);
            self.layout.first_task.push(next);
        }
    }

    fn outputs(&mut self, draft: &Draft) {
        let columns = self.columns(draft, Side::Outputs, &draft.outputs);
        for row in 0..draft.rows {
            let files = columns.iter().flat_map(|(_, column)| column.row(row));
            self.layout.outputs.push_row(files.copied());
        }
    }

    fn inputs(&mut self, draft: &Draft) {
        let columns = self.columns(draft, Side::Inputs, &draft.inputs);
        for row in 0..draft.rows {
            let files = columns.iter().flat_map(|(slot, column)| {
                column.row(row).iter().map(|&file| Input { slot: *slot, file })
            });
            self.layout.inputs.push_row(files);
        }
    }

    fn columns(&mut self, draft: &Draft, side: Side, slots: &[SlotDraft]) -> Vec<(u16, Column)> {
        let mut columns = Vec::new();
        for (slot, part) in
            (0_u16..).zip(slots).flat_map(|(i, s)| s.parts.iter().map(move |p| (i, p)))
        {
            let column = match &part.what {
                What::Path(path) => self.paths(draft, side, path, part),
                What::OutputsOf(task) => {
                    Column::Same(self.gather(task, &part.span, draft.rows).unwrap_or_default())
                }
            };
            columns.push((slot, column));
        }
        columns
    }

    fn paths(&mut self, draft: &Draft, side: Side, path: &TextTemplate, part: &Part) -> Column {
        if let [Segment::Placeholder { what: Placeholder::Param(Value::List(values)), .. }] =
            &path.0[..]
            && side == Side::Inputs
        {
            let mut check = PathCheck::new(side, "", &part.span);
            let paths: Vec<String> = values.iter().map(ToString::to_string).collect();
            let files = paths.iter().filter(|path| check.pass(path, self.diagnostics));
            return Column::Same(files.map(|path| self.layout.files.intern(path)).collect());
        }
        if let Some(mistake) = list_inside(path, &draft.template, part) {
            self.diagnostics.push(mistake);
            return Column::Same(Vec::new());
        }
        let varies = path
            .0
            .iter()
            .any(|s| matches!(s, Segment::Placeholder { what: Placeholder::Variable(_), .. }));
        let fixed = fixed_text(path, side);
        let mut check = PathCheck::new(side, &fixed, &part.span);
        let mut files = Vec::with_capacity(if varies { draft.rows } else { 1 });
        let mut text = String::new();
        for row in 0..if varies { draft.rows } else { draft.rows.min(1) } {
            text.clear();
            fill(path, &draft.template.variables, row, &mut text);
            if !check.pass(&text, self.diagnostics) {
                return Column::Same(Vec::new());
            }
            files.push(self.layout.files.intern(&text));
        }
        if varies { Column::Each(files) } else { Column::Same(files) }
    }

    /// All outputs of a task.
    fn gather(&mut self, task: &str, span: &Range<usize>, rows: usize) -> Option<Vec<FileId>> {
        let tasks = self.find(task, span)?;
        let files = self.gathered_files(&tasks);
        if files.is_empty() && !self.families.declares_outputs(task) {
            let message = format!("task `{task}` declares no outputs");
            self.diagnostics.push(Diagnostic::error(Code::Value, span.clone()).message(message));
        }
        self.count_gathered(files.len(), rows, span)?;
        Some(files)
    }

    /// What tasks write, but for what only declares more of them.
    fn gathered_files(&self, tasks: &[Range<u32>]) -> Vec<FileId> {
        let mut files = Vec::new();
        for task in tasks.iter().cloned().flatten() {
            let emits = self.families.emits(task);
            let outputs = self.layout.outputs.row(task as usize).iter().enumerate();
            files.extend(outputs.filter(|(slot, _)| Some(*slot) != emits).map(|(_, &file)| file));
        }
        files
    }

    fn needs(&mut self, draft: &Draft) {
        let mut needs: Vec<u32> = Vec::new();
        for (name, span) in &draft.needs {
            if let Some(tasks) = self.find(name, span)
                && self.count_gathered(n_tasks(&tasks), draft.rows, span).is_some()
            {
                needs.extend(tasks.into_iter().flatten());
            }
        }
        needs.extend(draft.template.grown_by.map(|task| task.0));
        needs.extend(self.families.awaited(draft));
        needs.sort_unstable();
        needs.dedup();
        let first = self.layout.needs.n_rows();
        for task in first..first + draft.rows {
            let more = self.families.awaited_for(&self.layout, task);
            self.layout.needs.push_row(needs.iter().copied().chain(more));
        }
    }

    fn count_gathered(&mut self, each: usize, rows: usize, span: &Range<usize>) -> Option<()> {
        self.gathered = self.gathered.saturating_add(each.saturating_mul(rows));
        if self.gathered <= MAX_GATHERED {
            return Some(());
        }
        let message = format!("{rows} tasks that each wait for {each} are too many dependencies");
        let mistake = Diagnostic::error(Code::Limit, span.clone()).message(message);
        self.diagnostics.push(mistake.help("put one task between that gathers them"));
        None
    }

    /// The tasks that a name stands for: all of a declaration, or `name[value]`; and what they
    /// grew.
    fn find(&mut self, name: &str, span: &Range<usize>) -> Option<Vec<Range<u32>>> {
        let drafts = self.drafts;
        if let Some(family) = self.families.of(name) {
            return Some(family);
        }
        let base = name.split('[').next().unwrap_or(name);
        let declared = self.families.named(base).to_vec();
        if let Some(&first_draft) = declared.first() {
            if drafts[first_draft].template.off.is_some() {
                return Some(Vec::new());
            }
            let first_task = &self.layout.first_task;
            let named = self.named.entry(first_draft).or_insert_with(|| {
                let all = declared.iter().map(|&d| names_of(&drafts[d], first_task[d]));
                all.flatten().collect()
            });
            if let Some(&task) = named.get(name) {
                return Some(self.families.of_task(task));
            }
            if self.families.is_awaited(base) {
                // It may come yet; whoever names it waits for all that come.
                return Some(Vec::new());
            }
            let close = nearest(name, named.keys().map(String::as_str)).map(str::to_owned);
            self.diagnostics.push(self.unknown_task(name, span, close.as_deref()));
        } else if !self.names.iter().any(|known| known == base) {
            let close = nearest(base, self.names.iter().map(String::as_str));
            self.diagnostics.push(self.unknown_task(name, span, close));
        }
        // What is left is the name of a task whose own mistakes were reported.
        None
    }

    fn unknown_task(&self, name: &str, span: &Range<usize>, close: Option<&str>) -> Diagnostic {
        let message = format!("there is no task `{}`", name[self.prefix..].escape_debug());
        let mistake = Diagnostic::error(Code::UnknownTask, span.clone()).message(message);
        // What lies outside of an include cannot be named from inside.
        match close.filter(|close| close.get(..self.prefix) == Some(&name[..self.prefix])) {
            Some(close) => mistake.help(format!("did you mean `{}`?", &close[self.prefix..])),
            None => mistake,
        }
    }

    /// Two spellings of one name (é as one character or two) are one file on some systems.
    fn refuse_unicode_twins(&mut self) {
        let mut seen: BTreeMap<String, FileId> = BTreeMap::new();
        let mut twins = Vec::new();
        for id in self.layout.files.ids() {
            let path = self.layout.files.path(id);
            if path.is_ascii() {
                continue;
            }
            if let Some(first) = seen.insert(path.nfc().collect(), id) {
                twins.push((first, id));
            }
        }
        for (first, second) in twins {
            let path = self.layout.files.path(second);
            let message =
                format!("`{path}` is written in two ways that look the same (Unicode NFC and NFD)");
            let Place { source, span } = self.place_of(second);
            let mistake = Diagnostic::error(Code::Collision, span).in_source(source);
            let mistake = mistake.message(message);
            let mistake = mistake.related_at(self.place_of(first), "written the other way here");
            self.diagnostics.push(mistake.help("write it the same way everywhere"));
        }
    }

    /// The declaration that first names a file.
    fn place_of(&self, file: FileId) -> Place {
        let Layout { first_task, inputs, outputs, .. } = &self.layout;
        let declares = |task: &u32| {
            let task = *task as usize;
            outputs.row(task).contains(&file) || inputs.row(task).iter().any(|i| i.file == file)
        };
        let of_draft =
            |draft: &usize| (first_task[*draft]..first_task[*draft + 1]).any(|t| declares(&t));
        let draft = (0..self.drafts.len()).find(of_draft);
        draft.map_or_else(Place::default, |draft| self.drafts[draft].template.place())
    }
}

/// Checks the paths of one column, and reports the first that is wrong.
struct PathCheck<'p> {
    side: Side,
    /// What the path is without its variables, and so what kind it was meant to be.
    fixed: &'p str,
    span: &'p Range<usize>,
    doubted: bool,
}

impl<'p> PathCheck<'p> {
    fn new(side: Side, fixed: &'p str, span: &'p Range<usize>) -> Self {
        Self { side, fixed, span, doubted: false }
    }

    fn pass(&mut self, path: &str, diagnostics: &mut Vec<Diagnostic>) -> bool {
        let shown = || path.chars().take(80).collect::<String>();
        let is_list = self.fixed.is_empty();
        if !is_list && paths::became_glob(self.fixed, path) {
            let message = format!("`{}` becomes a pattern by a value in it", shown());
            let mistake = Diagnostic::error(Code::Path, self.span.clone()).message(message);
            diagnostics.push(mistake.help("use values without `*`, `?` and `[`"));
            return false;
        }
        let Err(problem) = paths::check(path) else { return true };
        if problem.is_error() || !self.doubted {
            let mut mistake = Diagnostic::error(Code::Path, self.span.clone());
            if !problem.is_error() {
                mistake.severity = Severity::Warning;
            }
            let field = self.side.field();
            let shown = shown().escape_debug().to_string();
            let message = format!("the path `{shown}` in `{field}` {problem}");
            mistake = mistake.message(message);
            diagnostics.push(match advice(&problem, path) {
                Some(help) => mistake.help(help),
                None => mistake,
            });
        }
        self.doubted = true;
        !problem.is_error()
    }
}

fn advice(problem: &PathProblem, path: &str) -> Option<String> {
    match problem {
        PathProblem::Dot if path.starts_with("./") => Some(format!("write `{}`", &path[2..])),
        PathProblem::EmptyComponent => Some(format!("write `{}`", path.replace("//", "/"))),
        PathProblem::Dollar => Some("use a parameter: `{params.name}`".to_owned()),
        PathProblem::Absolute | PathProblem::Parent => {
            Some("link or copy it into the project, or name it in `run` only".to_owned())
        }
        _ => None,
    }
}

/// The text of a path without variables; of outputs also without parameters, which may not
/// make a pattern of them either.
fn fixed_text(path: &TextTemplate, side: Side) -> String {
    let mut text = String::from("/");
    for segment in &path.0 {
        match segment {
            Segment::Literal(literal) => text.push_str(literal),
            Segment::Placeholder { what: Placeholder::Param(value), .. }
                if side == Side::Inputs =>
            {
                text.push_str(&value.to_string());
            }
            Segment::Placeholder { .. } => {}
        }
    }
    text
}

fn list_inside(path: &TextTemplate, template: &Template, part: &Part) -> Option<Diagnostic> {
    let is_list = |segment: &Segment| match segment {
        Segment::Placeholder { what: Placeholder::Param(value), .. } => {
            matches!(value, Value::List(_))
        }
        Segment::Placeholder { what: Placeholder::Variable(position), .. } => {
            match &template.variables[*position as usize].domain {
                crate::template::Domain::List(values) => {
                    values.iter().any(|value| matches!(value, Value::List(_)))
                }
                crate::template::Domain::Range { .. } => false,
            }
        }
        _ => false,
    };
    path.0.iter().any(is_list).then(|| {
        let mistake = Diagnostic::error(Code::Path, part.span.clone());
        mistake
            .message("a list cannot be part of a path")
            .help("use `foreach` to make one task for each, or let an input be the list alone")
    })
}

fn fill(path: &TextTemplate, variables: &[Variable], row: usize, out: &mut String) {
    for segment in &path.0 {
        match segment {
            Segment::Literal(literal) => out.push_str(literal),
            Segment::Placeholder { what: Placeholder::Variable(position), .. } => {
                variables[*position as usize].write(row, out);
            }
            Segment::Placeholder { what: Placeholder::Param(value), .. } => {
                out.push_str(&value.to_string());
            }
            Segment::Placeholder { .. } => unreachable!("paths hold parameters and variables"),
        }
    }
}

fn n_tasks(ranges: &[Range<u32>]) -> usize {
    ranges.iter().map(ExactSizeIterator::len).sum()
}

fn names_of(draft: &Draft, first: u32) -> BTreeMap<String, u32> {
    let name = |row: usize| {
        let mut name = format!("{}[", draft.template.name);
        for (index, variable) in draft.template.variables.iter().enumerate() {
            if index > 0 {
                name.push(',');
            }
            variable.write(row, &mut name);
        }
        name.push(']');
        name
    };
    (0..draft.rows).map(|row| (name(row), first + row as u32)).collect()
}
