//! How zones go together, in what was and in futures from many origins.

use forecast::Horizon;
use forecast::dependence::Dependence;
use forecast::paths::{Ahead, Joint};

/// Sums over moments, for the correlation of every pair.
#[derive(Clone)]
pub(crate) struct Sums {
    n: usize,
    all: f64,
    each: Vec<f64>,
    both: Vec<f64>,
}

impl Sums {
    pub(crate) fn new(n: usize) -> Self {
        Self { n, all: 0.0, each: vec![0.0; n], both: vec![0.0; n * n] }
    }

    pub(crate) fn add(&mut self, up: &[bool]) {
        self.all += 1.0;
        for a in (0..self.n).filter(|&a| up[a]) {
            self.each[a] += 1.0;
            (0..self.n).filter(|&b| up[b]).for_each(|b| self.both[a * self.n + b] += 1.0);
        }
    }

    pub(crate) fn correlation(&self, a: usize, b: usize) -> f64 {
        let mean = |z: usize| self.each[z] / self.all;
        let spread = |z: usize| mean(z) * (1.0 - mean(z));
        let both = self.both[a * self.n + b] / self.all;
        (both - mean(a) * mean(b)) / (spread(a) * spread(b)).sqrt()
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let n = self.n;
        (0..n).flat_map(|a| (0..a).map(move |b| (a, b)))
    }

    /// Adds what came after one origin, at every seventh step of five minutes, as futures are added;
    /// states are so many minutes apart.
    pub(crate) fn add_past(&mut self, states: &[Vec<bool>], origin: usize, minutes: f64) {
        for step in (1..=288).step_by(7) {
            let t = origin + (f64::from(step) * 5.0 / minutes).ceil() as usize;
            self.add(&states[t]);
        }
    }

    /// Adds futures from one origin, at every seventh step.
    pub(crate) fn add_futures(&mut self, ahead: &[Ahead], dependence: &Dependence, seed: u64) {
        let paths = Joint::new(ahead, dependence, Horizon::default()).paths(500, seed);
        for path in 0..paths.len() {
            for step in (1..=paths.steps()).step_by(7) {
                let up: Vec<bool> = (0..self.n).map(|z| paths.is_up(path, z, step)).collect();
                self.add(&up);
            }
        }
    }
}

/// What is to be said of differences: their mean, and the largest.
pub(crate) struct Off {
    pub(crate) mean: f64,
    pub(crate) worst: f64,
}

/// Futures against what was, pair by pair.
pub(crate) fn compare(title: &str, names: &[String], was: &Sums, drawn: &Sums) -> Off {
    let mut off = Off { mean: 0.0, worst: 0.0 };
    let mut n = 0.0;
    for (a, b) in was.pairs() {
        let (was, drawn) = (was.correlation(a, b), drawn.correlation(a, b));
        println!("{title}: {} {}: {was:.3} was, {drawn:.3} drawn", names[a], names[b]);
        off.mean += drawn - was;
        off.worst = off.worst.max((drawn - was).abs());
        n += 1.0;
    }
    off.mean /= n;
    println!("{title}: mean difference {:.3}, worst {:.3}", off.mean, off.worst);
    off
}
