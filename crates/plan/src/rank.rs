//! Upward ranks: how much work lies on the longest path from a task to the end.

use spec::{TaskId, Workflow};

/// Tasks in an order in which every task comes after its parents; ties by id.
///
/// Kahn's algorithm, breadth first, so that no depth of graph can overflow a stack.
#[must_use]
pub fn topological_order(workflow: &Workflow) -> Vec<TaskId> {
    let mut unmet: Vec<u32> =
        workflow.tasks().map(|task| workflow.parents(task).len() as u32).collect();
    let mut order: Vec<TaskId> = workflow.tasks().filter(|task| unmet[task.index()] == 0).collect();
    let mut next = 0;
    while let Some(&task) = order.get(next) {
        next += 1;
        for child in workflow.children(task) {
            unmet[child.index()] -= 1;
            if unmet[child.index()] == 0 {
                order.push(child);
            }
        }
    }
    order
}

/// The upward rank of each task, in seconds, where data need not move: its duration plus the
/// largest rank of its children.
#[must_use]
pub fn upward(workflow: &Workflow, duration: impl Fn(TaskId) -> f64) -> Vec<f64> {
    upward_with(workflow, duration, |_, _| 0.0)
}

/// The upward rank of each task, in seconds: its duration plus the largest sum, over its children, of
/// the child's rank and the mean time `moving(task, child)` that the child's inputs take to it.
///
/// Topcuoglu, Hariri and Wu, "Performance-effective and low-complexity task scheduling for
/// heterogeneous computing", IEEE TPDS 13(3), 2002, section 4.1, equation 6.
#[must_use]
pub fn upward_with(
    workflow: &Workflow,
    duration: impl Fn(TaskId) -> f64,
    moving: impl Fn(TaskId, TaskId) -> f64,
) -> Vec<f64> {
    let mut ranks = vec![0.0_f64; workflow.n_tasks()];
    for &task in topological_order(workflow).iter().rev() {
        let children = workflow.children(task);
        let below = children.map(|child| moving(task, child) + ranks[child.index()]);
        ranks[task.index()] = duration(task) + below.fold(0.0, f64::max);
    }
    ranks
}
