//! Where boxes go: layers by longest path, order by barycentres, then rows near their neighbours.
//!
//! Sugiyama's method in its plainest form, near-linear in boxes and edges. Edges that cross
//! layers get way-points (dummy boxes) while there are few of them; past [`WAY_POINTS_MAX`] they
//! are drawn straight.

use super::Graph;

const SWEEPS: usize = 8;
const WAY_POINTS_MAX: usize = 20_000;

/// Layers and rows, not yet in pixels.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Layout {
    /// By box: its layer, from 0.
    pub(super) layers: Vec<u32>,
    /// By box: its row, in rows; at least one apart within a layer.
    pub(super) rows: Vec<f64>,
    /// By edge of the graph: layer and row of its way-points, in the direction of layers.
    pub(super) way_points: Vec<Vec<(u32, f64)>>,
    /// How many layers.
    pub(super) n_layers: u32,
    /// The lowest row.
    pub(super) row_max: f64,
}

pub(super) fn of(graph: &Graph) -> Layout {
    let n = graph.nodes.len();
    let forward: Vec<Option<(u32, u32)>> =
        graph.edges.iter().map(|&(a, b)| forward(graph, a, b)).collect();
    let mut layers = longest_path_layers(n, &forward);
    let n_layers = layers.iter().max().map_or(0, |&last| last + 1);
    let mut items =
        Items { layers: layers.clone(), down: vec![Vec::new(); n], up: vec![Vec::new(); n] };
    let chains = items.link(&forward);
    let mut order = items.by_layer(n_layers);
    for sweep in 0..SWEEPS {
        items.sweep(&mut order, sweep % 2 == 0);
    }
    let rows = items.rows(&order);
    let top = rows.iter().copied().fold(f64::INFINITY, f64::min);
    let place = |&item: &u32| (items.layers[item as usize], rows[item as usize] - top);
    let way_points = chains.iter().map(|chain| chain.iter().map(place).collect()).collect();
    layers.truncate(n);
    let row_max = rows.iter().copied().fold(top, f64::max) - top;
    let rows = rows[..n].iter().map(|row| row - top).collect();
    if n == 0 {
        return Layout::default();
    }
    Layout { layers, rows, way_points, n_layers, row_max }
}

/// Templates can need each other in circles, though tasks cannot: an edge that leads back is not
/// laid out, only drawn.
fn forward(graph: &Graph, a: u32, b: u32) -> Option<(u32, u32)> {
    let key = |i: u32| (graph.nodes[i as usize].depth, i);
    (key(a) < key(b)).then_some((a, b))
}

fn longest_path_layers(n: usize, edges: &[Option<(u32, u32)>]) -> Vec<u32> {
    let mut children: Vec<Vec<u32>> = vec![Vec::new(); n];
    let mut unmet = vec![0_u32; n];
    for &(a, b) in edges.iter().flatten() {
        children[a as usize].push(b);
        unmet[b as usize] += 1;
    }
    let mut layers = vec![0; n];
    let mut ready: Vec<u32> = (0..n as u32).filter(|&i| unmet[i as usize] == 0).collect();
    while let Some(i) = ready.pop() {
        for &child in &children[i as usize] {
            layers[child as usize] = layers[child as usize].max(layers[i as usize] + 1);
            unmet[child as usize] -= 1;
            if unmet[child as usize] == 0 {
                ready.push(child);
            }
        }
    }
    layers
}

/// Boxes and way-points; `up` are neighbours in the layer before, `down` in the layer after
/// (farther ones where there are too many way-points).
struct Items {
    layers: Vec<u32>,
    up: Vec<Vec<u32>>,
    down: Vec<Vec<u32>>,
}

impl Items {
    /// Adds way-points along edges, and all links; gives the way-points of each edge.
    fn link(&mut self, edges: &[Option<(u32, u32)>]) -> Vec<Vec<u32>> {
        let span = |a: u32, b: u32| (self.layers[b as usize] - self.layers[a as usize]) as usize;
        let needed: usize = edges.iter().flatten().map(|&(a, b)| span(a, b) - 1).sum();
        let has_way_points = needed <= WAY_POINTS_MAX;
        let mut chains = Vec::with_capacity(edges.len());
        for edge in edges {
            let mut chain = Vec::new();
            if let &Some((a, b)) = edge {
                let (from, to) = (self.layers[a as usize], self.layers[b as usize]);
                if has_way_points {
                    chain = (from + 1..to).map(|layer| self.way_point(layer)).collect();
                }
                let path: Vec<u32> =
                    [a].into_iter().chain(chain.iter().copied()).chain([b]).collect();
                for pair in path.windows(2) {
                    self.down[pair[0] as usize].push(pair[1]);
                    self.up[pair[1] as usize].push(pair[0]);
                }
            }
            chains.push(chain);
        }
        chains
    }

    fn way_point(&mut self, layer: u32) -> u32 {
        self.layers.push(layer);
        self.up.push(Vec::new());
        self.down.push(Vec::new());
        self.layers.len() as u32 - 1
    }

    fn by_layer(&self, n_layers: u32) -> Vec<Vec<u32>> {
        let mut order = vec![Vec::new(); n_layers as usize];
        for (item, &layer) in (0_u32..).zip(&self.layers) {
            order[layer as usize].push(item);
        }
        order
    }

    /// Sorts each layer by the mean position of its neighbours in the layer done before.
    fn sweep(&self, order: &mut [Vec<u32>], is_downward: bool) {
        let mut positions = vec![0.0_f64; self.layers.len()];
        for layer in order.iter() {
            note(layer, &mut positions);
        }
        let n = order.len();
        for step in 1..n {
            let layer = if is_downward { step } else { n - 1 - step };
            let neighbours = if is_downward { &self.up } else { &self.down };
            let mut keyed: Vec<(f64, u32)> = order[layer]
                .iter()
                .map(|&item| (mean(&neighbours[item as usize], &positions, item), item))
                .collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            order[layer] = keyed.into_iter().map(|(_, item)| item).collect();
            note(&order[layer], &mut positions);
        }
    }

    /// Rows: first one after the other, centred; then each as near to its neighbours as the order
    /// and a distance of one row allow.
    fn rows(&self, order: &[Vec<u32>]) -> Vec<f64> {
        let mut rows = vec![0.0_f64; self.layers.len()];
        let widest = order.iter().map(Vec::len).max().unwrap_or(0) as f64;
        for layer in order {
            let indent = (widest - layer.len() as f64) / 2.0;
            for (position, &item) in layer.iter().enumerate() {
                rows[item as usize] = indent + position as f64;
            }
        }
        for pass in 0..4 {
            let layers: Box<dyn Iterator<Item = &Vec<u32>>> =
                if pass % 2 == 0 { Box::new(order.iter()) } else { Box::new(order.iter().rev()) };
            let neighbours = if pass % 2 == 0 { &self.up } else { &self.down };
            for layer in layers {
                settle(layer, neighbours, &mut rows);
            }
        }
        rows
    }
}

fn note(layer: &[u32], positions: &mut [f64]) {
    // Relative positions, so that layers of different lengths can be compared.
    let scale = 1.0 / layer.len().max(1) as f64;
    for (position, &item) in layer.iter().enumerate() {
        positions[item as usize] = (position as f64 + 0.5) * scale;
    }
}

fn mean(neighbours: &[u32], values: &[f64], own: u32) -> f64 {
    if neighbours.is_empty() {
        return values[own as usize];
    }
    let sum: f64 = neighbours.iter().map(|&other| values[other as usize]).sum();
    sum / neighbours.len() as f64
}

/// Moves the items of a layer to where they want to be, at least a row apart, and as a whole to
/// where they want to be on average.
fn settle(layer: &[u32], neighbours: &[Vec<u32>], rows: &mut [f64]) {
    let wanted: Vec<f64> =
        layer.iter().map(|&item| mean(&neighbours[item as usize], rows, item)).collect();
    let mut placed = Vec::with_capacity(layer.len());
    let mut least = f64::NEG_INFINITY;
    for &row in &wanted {
        let row = if row < least { least } else { row };
        placed.push(row);
        least = row + 1.0;
    }
    let off: f64 = wanted.iter().zip(&placed).map(|(w, p)| w - p).sum();
    let shift = off / layer.len().max(1) as f64;
    for (&item, row) in layer.iter().zip(placed) {
        rows[item as usize] = row + shift;
    }
}
