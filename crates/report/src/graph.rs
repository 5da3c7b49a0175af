//! The DAG as a picture: Mermaid, DOT or SVG; by task, or by template when there are many tasks.
//!
//! Knows names, dependencies and, where a run is given, states. Does not know files: whoever
//! calls writes the text somewhere. Names are escaped for each format.

use engine::run_state::RunState;
use engine::task_state::TaskState;
use spec::{TaskId, TemplateId, Workflow};

mod dot;
mod layout;
mod mermaid;
pub(crate) mod svg;

/// More tasks than this are drawn by template, unless asked otherwise: nobody reads more boxes.
pub const TASKS_MAX: usize = 200;

/// How much to draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Every task up to [`TASKS_MAX`] of them, else every template.
    #[default]
    Auto,
    /// Every task.
    Tasks,
    /// Every template.
    Templates,
}

/// What to draw, before it has a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// Boxes.
    pub nodes: Vec<Node>,
    /// Arrows between boxes, from what is needed to what needs it, sorted.
    pub edges: Vec<(u32, u32)>,
    /// Whether boxes are templates.
    pub is_collapsed: bool,
    /// Whether boxes have states.
    pub has_states: bool,
}

/// A box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// What it is called.
    pub name: String,
    /// How many tasks it stands for.
    pub n_tasks: usize,
    /// How they stand.
    pub shade: Shade,
    /// For layout: the least number of tasks that must come before.
    depth: u32,
}

/// How the tasks of a box stand, the worst first: that is what a box shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shade {
    /// One has failed for good.
    Failed,
    /// One cannot run.
    Skipped,
    /// One runs or is about to.
    Running,
    /// One waits.
    Waiting,
    /// All wanted ones are done.
    Done,
    /// None is wanted in this run, or there is no run.
    Plain,
}

impl Graph {
    /// Of a workflow, with the states of a run if there is one.
    #[must_use]
    pub fn of(workflow: &Workflow, detail: Detail, state: Option<&RunState>) -> Self {
        let is_collapsed = match detail {
            // Tasks that are not there yet can only be shown by what declares them.
            Detail::Auto => workflow.n_tasks() > TASKS_MAX || to_come(workflow).next().is_some(),
            Detail::Tasks => false,
            Detail::Templates => true,
        };
        let depths = depths(workflow);
        let shade = |task| state.map_or(Shade::Plain, |state| Shade::of(state.task(task).state));
        let (nodes, edges) = if is_collapsed {
            by_template(workflow, &depths, shade)
        } else {
            by_task(workflow, &depths, shade)
        };
        Self { nodes, edges, is_collapsed, has_states: state.is_some() }
    }

    /// As a Mermaid flowchart.
    #[must_use]
    pub fn mermaid(&self) -> String {
        mermaid::render(self)
    }

    /// As DOT, for Graphviz.
    #[must_use]
    pub fn dot(&self) -> String {
        dot::render(self)
    }

    /// As an SVG file of its own, laid out here.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::file(self)
    }
}

impl Node {
    /// `align`, `align ×36` of a template with many tasks, `align ×?` where they are yet to come.
    #[must_use]
    pub fn label(&self) -> String {
        match self.n_tasks {
            0 => format!("{} ×?", self.name),
            1 => self.name.clone(),
            n => format!("{} ×{}", self.name, crate::quantity::count(n)),
        }
    }
}

impl Shade {
    fn of(state: TaskState) -> Self {
        match state {
            TaskState::Excluded => Self::Plain,
            TaskState::Waiting | TaskState::Checking | TaskState::Ready => Self::Waiting,
            TaskState::Held | TaskState::Leased => Self::Running,
            TaskState::Committed | TaskState::Publishing => Self::Running,
            TaskState::Published => Self::Done,
            TaskState::Failed => Self::Failed,
            TaskState::Skipped => Self::Skipped,
        }
    }

    /// One word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Done => "done",
            Self::Plain => "plain",
        }
    }
}

fn by_task(
    workflow: &Workflow,
    depths: &[u32],
    shade: impl Fn(TaskId) -> Shade,
) -> (Vec<Node>, Vec<(u32, u32)>) {
    let node = |task: TaskId| Node {
        name: workflow.task_name(task),
        n_tasks: 1,
        shade: shade(task),
        depth: depths[task.index()],
    };
    let edges = workflow.tasks().flat_map(|task| {
        let children = workflow.children(task);
        children.map(move |child| (task.0, child.0)).collect::<Vec<_>>()
    });
    (workflow.tasks().map(node).collect(), edges.collect())
}

fn by_template(
    workflow: &Workflow,
    depths: &[u32],
    shade: impl Fn(TaskId) -> Shade,
) -> (Vec<Node>, Vec<(u32, u32)>) {
    // What a condition leaves out has no tasks and no neighbours; what was to come has come.
    let to_come: Vec<(TemplateId, TemplateId)> = to_come(workflow).collect();
    let comes = |id: &TemplateId| to_come.iter().any(|(_, to)| to == id);
    let is_drawn = |id: &TemplateId| workflow.tasks_of(*id).len() > 0 || comes(id);
    let all = (0..workflow.templates().len()).map(TemplateId::from_index);
    let ids: Vec<TemplateId> = all.filter(is_drawn).collect();
    let box_of = |id: TemplateId| ids.partition_point(|&drawn| drawn < id) as u32;
    let node = |id: TemplateId| Node {
        name: workflow.templates()[id.index()].name.clone(),
        n_tasks: workflow.tasks_of(id).len(),
        shade: workflow.tasks_of(id).map(&shade).min().unwrap_or(Shade::Plain),
        depth: workflow.tasks_of(id).map(|task| depths[task.index()]).min().unwrap_or(1),
    };
    let mut edges: Vec<(u32, u32)> = Vec::new();
    for &id in &ids {
        let start = edges.len();
        for task in workflow.tasks_of(id) {
            let children = workflow.children(task);
            edges.extend(children.map(|child| (box_of(id), box_of(workflow.template_of(child)))));
            // A template of a million tasks has few neighbours: do not keep them all.
            if edges.len() - start > 4_096 {
                dedup_from(&mut edges, start);
            }
        }
        dedup_from(&mut edges, start);
    }
    edges.extend(to_come.iter().map(|&(from, to)| (box_of(from), box_of(to))));
    (ids.iter().copied().map(node).collect(), edges)
}

/// Templates whose tasks another one has yet to make files for: that one, and they.
fn to_come(workflow: &Workflow) -> impl Iterator<Item = (TemplateId, TemplateId)> {
    let templates = workflow.templates();
    let with_tasks = |name: &str| {
        let all = templates.iter().enumerate().filter(move |(_, other)| other.name == name);
        let mut ids = all.map(|(i, _)| TemplateId::from_index(i));
        ids.find(|&id| workflow.tasks_of(id).len() > 0)
    };
    templates.iter().enumerate().filter_map(move |(i, template)| {
        let discovery = template.discovers.as_ref().filter(|_| template.off.is_none())?;
        let has_come = with_tasks(&template.name).is_some();
        let from = with_tasks(&discovery.from).filter(|_| !has_come)?;
        Some((from, TemplateId::from_index(i)))
    })
}

fn dedup_from(edges: &mut Vec<(u32, u32)>, start: usize) {
    let mut tail = edges.split_off(start);
    tail.sort_unstable();
    tail.dedup();
    edges.append(&mut tail);
}

/// By task: the length of the longest chain of tasks before it.
fn depths(workflow: &Workflow) -> Vec<u32> {
    let mut depths = vec![0; workflow.n_tasks()];
    let mut unmet: Vec<u32> =
        workflow.tasks().map(|task| workflow.parents(task).len() as u32).collect();
    let mut ready: Vec<TaskId> = workflow.tasks().filter(|task| unmet[task.index()] == 0).collect();
    while let Some(task) = ready.pop() {
        for child in workflow.children(task) {
            depths[child.index()] = depths[child.index()].max(depths[task.index()] + 1);
            unmet[child.index()] -= 1;
            if unmet[child.index()] == 0 {
                ready.push(child);
            }
        }
    }
    depths
}
