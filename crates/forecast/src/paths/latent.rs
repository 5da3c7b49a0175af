//! Latent pressures: what makes zones go down and stay down together.
//!
//! Knows correlations and an hourly grid. Each pressure is autoregressive over hours; between them
//! it is read off a line.

use crate::matrix::Loadings;
use crate::seed::Stream;

/// Steps of five minutes are many for what changes over hours.
const KNOT_MINUTES: u32 = 60;
/// What of a pressure is left an hour later: it is forgotten in about five.
const MEMORY: f32 = 0.8;
/// Paths that are drawn together: their independent variables stay in the cache.
const BLOCK: usize = 128;

/// How pressures go together.
#[derive(Clone, Debug)]
pub(super) struct Coupling {
    pub(super) loadings: Loadings,
    /// At each knot, the share of a pressure's variance that zones have in common.
    pub(super) common: Vec<f32>,
    pub(super) zones: usize,
    pub(super) step_minutes: u32,
}

/// Pressures of all zones at all knots, for all paths.
#[derive(Debug)]
pub(super) struct Latents {
    values: Vec<f32>,
    paths: usize,
    knots: usize,
    step_minutes: u32,
}

/// A zone's pressures at a step: on the line between two knots.
#[derive(Debug)]
pub(super) struct Pressure<'a> {
    pub(super) from: &'a [f32],
    pub(super) to: &'a [f32],
    pub(super) share: f32,
}

/// How many knots a horizon has.
pub(super) fn knots(steps: usize, step_minutes: u32) -> usize {
    (steps as u32 * step_minutes).div_ceil(KNOT_MINUTES) as usize + 1
}

/// Minutes ahead of a knot.
pub(super) fn minutes(knot: usize) -> u32 {
    knot as u32 * KNOT_MINUTES
}

/// Near enough to a standard normal variable: the sum of four uniform ones (Irwin and Hall), with
/// nothing in it that differs between machines. Only ranks of weighted sums of it are used.
pub(super) fn draw(stream: &mut Stream) -> f32 {
    let bits = stream.bits();
    let sum: u32 = (0..4).map(|i| (bits >> (16 * i)) as u32 & 0xFFFF).sum();
    (sum as f32 / 65_536.0 - 2.0) * 1.732_050_8
}

impl Latents {
    /// For so many paths over so many steps.
    pub(super) fn draw(coupling: &Coupling, paths: usize, steps: usize, seed: u64) -> Self {
        let knots = knots(steps, coupling.step_minutes);
        let mut latents = Self {
            values: vec![0.0; coupling.zones * knots * paths],
            paths,
            knots,
            step_minutes: coupling.step_minutes,
        };
        for block in 0..paths.div_ceil(BLOCK) {
            let mut stream =
                Stream::new(seed ^ (block as u64 + 1).wrapping_mul(0xD1B5_4A32_D192_ED03));
            latents.draw_block(coupling, block * BLOCK, &mut stream);
        }
        latents
    }

    /// A block of paths, from the first knot to the last.
    fn draw_block(&mut self, coupling: &Coupling, first: usize, stream: &mut Stream) {
        let width = coupling.loadings.width();
        let n = BLOCK.min(self.paths - first);
        let fresh = (1.0 - MEMORY * MEMORY).sqrt();
        let mut factors = vec![0.0_f32; width * BLOCK];
        factors.iter_mut().for_each(|x| *x = draw(stream));
        for knot in 0..self.knots {
            if knot > 0 {
                factors.iter_mut().for_each(|x| *x = MEMORY * *x + fresh * draw(stream));
            }
            let common = coupling.common[knot.min(coupling.common.len() - 1)];
            for zone in 0..coupling.zones {
                let at = (zone * self.knots + knot) * self.paths + first;
                let out = &mut self.values[at..at + n];
                coupling.loadings.mix(zone, &factors, out);
                if common < 1.0 {
                    let (both, own) = (common.sqrt(), (1.0 - common).sqrt());
                    out.iter_mut().for_each(|x| *x = both * *x + own * draw(stream));
                }
            }
        }
    }

    /// A zone's pressures at a step.
    pub(super) fn between(&self, zone: usize, step: usize) -> Pressure<'_> {
        let minutes = step as u32 * self.step_minutes;
        let knot = ((minutes / KNOT_MINUTES) as usize).min(self.knots - 1);
        let row = |knot: usize| {
            let at = (zone * self.knots + knot) * self.paths;
            &self.values[at..at + self.paths]
        };
        let share = (minutes % KNOT_MINUTES) as f32 / KNOT_MINUTES as f32;
        Pressure { from: row(knot), to: row((knot + 1).min(self.knots - 1)), share }
    }
}
