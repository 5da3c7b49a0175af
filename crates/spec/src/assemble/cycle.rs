//! Cycles of a directed graph: one short example for each knot, or proof that there is none.
//!
//! Keeps its own stacks: a chain of a million tasks must not end the process.

use std::collections::VecDeque;

use crate::csr::Csr;

/// How many edges the search for shorter cycles than the first may follow, over all knots.
const SEARCH_BUDGET: usize = 1_000_000;

const NONE: u32 = u32::MAX;

/// One cycle for each strongly connected component that has any: the shortest one found, starting
/// at its lowest vertex, in the direction of the edges. In order of that vertex.
pub(super) fn find(edges: &Csr<u32>) -> Vec<Vec<u32>> {
    let knots = knots(edges);
    let mut of_vertex = vec![NONE; edges.n_rows()];
    for (i, knot) in knots.iter().enumerate() {
        for &vertex in knot {
            of_vertex[vertex as usize] = i as u32;
        }
    }
    let mut search = Search {
        edges,
        of_vertex,
        came_from: vec![NONE; if knots.is_empty() { 0 } else { edges.n_rows() }],
        followed: 0,
    };
    let mut cycles: Vec<_> = knots.iter().map(|knot| search.short_cycle(knot)).collect();
    cycles.sort_unstable();
    cycles
}

/// Strongly connected components that hold a cycle (Tarjan, without recursion).
fn knots(edges: &Csr<u32>) -> Vec<Vec<u32>> {
    let n = edges.n_rows();
    let mut walk = Walk {
        edges,
        order: vec![NONE; n],
        low: vec![NONE; n],
        on_path: vec![false; n],
        path: Vec::new(),
        next: 0,
        knots: Vec::new(),
    };
    for root in 0..n as u32 {
        if walk.order[root as usize] == NONE {
            walk.from(root);
        }
    }
    walk.knots
}

struct Walk<'a> {
    edges: &'a Csr<u32>,
    /// When a vertex was first seen.
    order: Vec<u32>,
    /// The earliest vertex on the path that it reaches.
    low: Vec<u32>,
    on_path: Vec<bool>,
    path: Vec<u32>,
    next: u32,
    knots: Vec<Vec<u32>>,
}

impl Walk<'_> {
    fn from(&mut self, root: u32) {
        let mut calls = vec![(root, 0_usize)];
        self.enter(root);
        while let Some((vertex, edge)) = calls.last_mut() {
            let v = *vertex as usize;
            if let Some(&target) = self.edges.row(v).get(*edge) {
                *edge += 1;
                if self.order[target as usize] == NONE {
                    self.enter(target);
                    calls.push((target, 0));
                } else if self.on_path[target as usize] {
                    self.low[v] = self.low[v].min(self.order[target as usize]);
                }
                continue;
            }
            let vertex = *vertex;
            calls.pop();
            if let Some(&(caller, _)) = calls.last() {
                self.low[caller as usize] = self.low[caller as usize].min(self.low[v]);
            }
            if self.low[v] == self.order[v] {
                self.leave(vertex);
            }
        }
    }

    fn enter(&mut self, vertex: u32) {
        self.order[vertex as usize] = self.next;
        self.low[vertex as usize] = self.next;
        self.next += 1;
        self.path.push(vertex);
        self.on_path[vertex as usize] = true;
    }

    /// Takes the component of `vertex`, its first vertex, off the path.
    fn leave(&mut self, vertex: u32) {
        let start = self.path.iter().rposition(|&v| v == vertex).expect("it was entered");
        let component = self.path.split_off(start);
        for &member in &component {
            self.on_path[member as usize] = false;
        }
        if component.len() > 1 || self.edges.row(vertex as usize).contains(&vertex) {
            self.knots.push(component);
        }
    }
}

struct Search<'a> {
    edges: &'a Csr<u32>,
    /// The knot of each vertex.
    of_vertex: Vec<u32>,
    /// By vertex, while one search lasts.
    came_from: Vec<u32>,
    /// Edges, over all searches.
    followed: usize,
}

impl Search<'_> {
    /// Breadth first from one vertex after the other, until the budget is spent.
    fn short_cycle(&mut self, knot: &[u32]) -> Vec<u32> {
        let mut starts = knot.to_vec();
        starts.sort_unstable();
        let mut best: Option<Vec<u32>> = None;
        for start in starts {
            let bound = best.as_ref().map_or(usize::MAX, Vec::len);
            best = self.around(start, bound).or(best);
            if self.followed > SEARCH_BUDGET || best.as_ref().is_some_and(|cycle| cycle.len() == 1)
            {
                break;
            }
        }
        let mut cycle = best.expect("a knot holds a cycle through each of its vertices");
        let lowest = (0..cycle.len()).min_by_key(|&i| cycle[i]).unwrap_or(0);
        cycle.rotate_left(lowest);
        cycle
    }

    /// The shortest cycle through `start`, if it has fewer than `bound` vertices.
    fn around(&mut self, start: u32, bound: usize) -> Option<Vec<u32>> {
        let mut queue = VecDeque::from([(start, 1_usize)]);
        let mut seen = Vec::new();
        let mut last = None;
        'search: while let Some((vertex, len)) = queue.pop_front() {
            if len >= bound {
                break;
            }
            for &target in self.edges.row(vertex as usize) {
                self.followed += 1;
                if target == start {
                    last = Some(vertex);
                    break 'search;
                }
                let inside = self.of_vertex[target as usize] == self.of_vertex[start as usize];
                if inside && self.came_from[target as usize] == NONE {
                    self.came_from[target as usize] = vertex;
                    seen.push(target);
                    queue.push_back((target, len + 1));
                }
            }
        }
        let cycle = last.map(|last| self.back(last, start));
        for vertex in seen {
            self.came_from[vertex as usize] = NONE;
        }
        cycle
    }

    fn back(&self, last: u32, start: u32) -> Vec<u32> {
        let before = |&v: &u32| (v != start).then(|| self.came_from[v as usize]);
        let mut path: Vec<u32> = std::iter::successors(Some(last), before).collect();
        path.reverse();
        path
    }
}
