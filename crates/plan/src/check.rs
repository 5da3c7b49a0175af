//! The plan checker: what must hold of any plan, whoever made it.

use spec::{Site, TaskId, Workflow, ZoneId};

use crate::plan::{Order, Placements, Plan, ShardId};
use crate::rank;

/// Something wrong with a plan.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Note {
    /// Not in exactly one shard.
    #[error("{task} is in {shards} shards")]
    NotInOneShard {
        /// The task.
        task: TaskId,
        /// How many shards list it.
        shards: usize,
    },
    /// Not a task of the workflow.
    #[error("{shard} lists {task}, which the workflow does not have")]
    NoSuchTask {
        /// What is listed.
        task: TaskId,
        /// Where.
        shard: ShardId,
    },
    /// Placed in no zone of the site.
    #[error("{shard} is placed in no zone of the site")]
    NotPlaced {
        /// The shard.
        shard: ShardId,
    },
    /// Not exactly once in the order.
    #[error("{shard} is {times} times in the order")]
    NotOrderedOnce {
        /// The shard.
        shard: ShardId,
        /// How often the order lists it.
        times: usize,
    },
    /// Comes before one of its parents in its shard.
    #[error("{task} comes before its parent in {shard}")]
    OutOfOrder {
        /// The task.
        task: TaskId,
        /// The shard.
        shard: ShardId,
    },
    /// Holds final tasks and others, though all others must have ended before those start.
    #[error("{shard} holds final tasks and others")]
    MixesFinal {
        /// The shard.
        shard: ShardId,
    },
    /// Shards wait for each other.
    #[error("the graph of shards has a cycle")]
    ShardCycle,
    /// Fits no node of the zone it is placed in.
    #[error("{task} does not fit any node of {zone}")]
    DoesNotFit {
        /// The task.
        task: TaskId,
        /// Where it was placed.
        zone: ZoneId,
    },
}

/// Everything wrong with `plan`; empty for a sound one.
#[must_use]
pub fn check(plan: &Plan, workflow: &Workflow, site: &Site) -> Vec<Note> {
    let mut notes = each_task_in_one_shard(plan, workflow);
    notes.extend(each_shard_placed(plan, site));
    notes.extend(each_shard_in_order_once(plan));
    if notes.is_empty() {
        notes.extend(shards_in_order(plan, workflow));
        notes.extend(finals_apart(plan, workflow));
        notes.extend(shard_graph_acyclic(plan, workflow));
        notes.extend(tasks_fit(plan, workflow, site));
    }
    notes
}

fn shards(plan: &Plan) -> impl Iterator<Item = ShardId> + use<> {
    (0..plan.n_shards() as u32).map(ShardId)
}

fn each_task_in_one_shard(plan: &Plan, workflow: &Workflow) -> Vec<Note> {
    let mut seen = vec![0_usize; workflow.n_tasks()];
    let mut notes = Vec::new();
    for shard in shards(plan) {
        for task in plan.tasks_of(shard) {
            match seen.get_mut(task.index()) {
                Some(times) => *times += 1,
                None => notes.push(Note::NoSuchTask { task, shard }),
            }
        }
    }
    let wrong = workflow.tasks().filter(|task| seen[task.index()] != 1);
    notes.extend(wrong.map(|task| Note::NotInOneShard { task, shards: seen[task.index()] }));
    notes
}

fn each_shard_placed(plan: &Plan, site: &Site) -> Vec<Note> {
    let is_there = |zone: &ZoneId| zone.index() < site.zones.len();
    let is_placed = |shard: &ShardId| match &plan.placements {
        Placements::AllIn(zone) => is_there(zone),
        Placements::Each(zones) => zones.get(shard.0 as usize).is_some_and(is_there),
        Placements::Partly(zones) => {
            zones.get(shard.0 as usize).is_some_and(|zone| zone.as_ref().is_none_or(is_there))
        }
    };
    let lost = shards(plan).filter(|shard| !is_placed(shard));
    lost.map(|shard| Note::NotPlaced { shard }).collect()
}

fn finals_apart(plan: &Plan, workflow: &Workflow) -> Vec<Note> {
    if workflow.final_tasks().next().is_none() {
        return Vec::new();
    }
    let is_mixed = |shard: &ShardId| {
        let tasks = plan.tasks_of(*shard);
        let n_final = tasks.iter().filter(|&&task| workflow.is_final(task)).count();
        n_final > 0 && n_final < tasks.len()
    };
    shards(plan).filter(is_mixed).map(|shard| Note::MixesFinal { shard }).collect()
}

fn each_shard_in_order_once(plan: &Plan) -> Vec<Note> {
    let Order::Listed(order) = &plan.order else { return Vec::new() };
    let mut times = std::collections::BTreeMap::<ShardId, usize>::new();
    times.extend(shards(plan).map(|shard| (shard, 0)));
    for shard in order {
        *times.entry(*shard).or_default() += 1;
    }
    let is_known = |shard: ShardId| (shard.0 as usize) < plan.n_shards();
    let wrong = times.into_iter().filter(|&(shard, times)| times != 1 || !is_known(shard));
    wrong.map(|(shard, times)| Note::NotOrderedOnce { shard, times }).collect()
}

fn shards_in_order(plan: &Plan, workflow: &Workflow) -> Vec<Note> {
    let shard_of = plan.shard_of_tasks(workflow.n_tasks());
    let mut done = vec![false; workflow.n_tasks()];
    let mut notes = Vec::new();
    for shard in shards(plan) {
        for task in plan.tasks_of(shard) {
            let inside = |parent: &TaskId| shard_of[parent.index()] == shard;
            if workflow.parents(task).filter(inside).any(|parent| !done[parent.index()]) {
                notes.push(Note::OutOfOrder { task, shard });
            }
            done[task.index()] = true;
        }
    }
    notes
}

fn shard_graph_acyclic(plan: &Plan, workflow: &Workflow) -> Option<Note> {
    let shard_of = plan.shard_of_tasks(workflow.n_tasks());
    let mut children: Vec<Vec<u32>> = vec![Vec::new(); plan.n_shards()];
    let mut unmet = vec![0_u32; plan.n_shards()];
    for task in rank::topological_order(workflow) {
        let from = shard_of[task.index()];
        for child in workflow.children(task) {
            let to = shard_of[child.index()];
            if from != to {
                children[from.0 as usize].push(to.0);
                unmet[to.0 as usize] += 1;
            }
        }
    }
    let mut ready: Vec<usize> = (0..unmet.len()).filter(|&shard| unmet[shard] == 0).collect();
    let mut n_done = 0;
    while let Some(shard) = ready.pop() {
        n_done += 1;
        for &child in &children[shard] {
            unmet[child as usize] -= 1;
            if unmet[child as usize] == 0 {
                ready.push(child as usize);
            }
        }
    }
    (n_done < plan.n_shards()).then_some(Note::ShardCycle)
}

fn tasks_fit(plan: &Plan, workflow: &Workflow, site: &Site) -> Vec<Note> {
    let mut notes = Vec::new();
    for shard in shards(plan) {
        let Some(zone) = plan.zone_of(shard) else { continue };
        let nodes = &site.zone(zone).pools;
        for task in plan.tasks_of(shard) {
            let needs = workflow.resources(task);
            if !nodes.iter().any(|pool| needs.fits(&pool.node)) {
                notes.push(Note::DoesNotFit { task, zone });
            }
        }
    }
    notes
}
