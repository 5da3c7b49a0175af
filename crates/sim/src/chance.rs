//! Chance from a seed: named streams of numbers, each a pure function of seed, purpose and id.
//!
//! A stream does not feel what others draw: two policies that are compared meet the same runtimes,
//! and a fault that is switched off changes no other fault. Counter based: the n-th number is a
//! hash of the stream's key and n (Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators", OOPSLA 2014: the finaliser of splitmix64).

use spec::Duration;

use crate::arithmetic;

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The making of a random case.
    Case,
    /// How long a task runs; by task.
    Runtime,
    /// How long a place takes to launch or to admit; by allocation.
    Launch,
    /// Who is preempted; by zone.
    Preemption,
    /// Small delays of messages and disks.
    Pace,
    /// One kind of fault; by kind.
    Fault,
    /// What a policy made for tests does.
    Chaos,
    /// Whether a task's outputs are silently wrong; by task.
    Corruption,
    /// A generated trace; by zone.
    Trace,
}

/// One stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: u64,
    n: u64,
}

impl Stream {
    /// The stream of a seed for a purpose and an id.
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, id: u64) -> Self {
        let key = mix(seed ^ mix((purpose as u64 + 1).wrapping_mul(GOLDEN)));
        Self { key: mix(key ^ mix(id.wrapping_mul(GOLDEN) ^ 0x5851_F42D_4C95_7F2D)), n: 0 }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.n += 1;
        mix(self.key.wrapping_add(self.n.wrapping_mul(GOLDEN)))
    }

    /// From 0 up to, not including, 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 to `n - 1`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.bits()) * n as u128) >> 64) as usize
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        let width = u128::from(high - low) + 1;
        low + ((u128::from(self.bits()) * width) >> 64) as u64
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// In any order.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for i in (1..values.len()).rev() {
            values.swap(i, self.below(i + 1));
        }
    }

    /// From the normal distribution with mean 0 and deviation 1, cut off at 6: the sum of twelve
    /// uniform numbers, which has no logarithm that could differ between machines.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// A factor whose logarithm is normal with this deviation; its median is 1.
    pub fn lognormal(&mut self, sigma: f64) -> f64 {
        if sigma == 0.0 { 1.0 } else { arithmetic::exp(sigma * self.normal()) }
    }

    /// From the exponential distribution with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -arithmetic::ln(1.0 - self.unit())
    }

    /// From the Pareto distribution: at least 1, heavier tailed the smaller `alpha`.
    pub fn pareto(&mut self, alpha: f64) -> f64 {
        arithmetic::exp(self.exponential() / alpha)
    }

    /// A span up to `most`, at least one microsecond; no time at all if `most` is none.
    pub fn span(&mut self, most: Duration) -> Duration {
        if most == Duration::ZERO { most } else { Duration(self.between(1, most.0)) }
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_a_function_of_seed_purpose_and_id_alone() {
        let draw = |seed, purpose, id| Stream::new(seed, purpose, id).bits();
        let base = draw(1, Purpose::Runtime, 7);
        assert_eq!(base, draw(1, Purpose::Runtime, 7));
        for other in [(2, Purpose::Runtime, 7), (1, Purpose::Launch, 7), (1, Purpose::Runtime, 8)] {
            assert_ne!(base, draw(other.0, other.1, other.2));
        }
    }

    #[test]
    fn distributions_have_the_moments_that_they_should() {
        let mut stream = Stream::new(3, Purpose::Case, 0);
        let n = 20_000;
        let mut mean = |draw: &dyn Fn(&mut Stream) -> f64| {
            (0..n).map(|_| draw(&mut stream)).sum::<f64>() / f64::from(n)
        };
        assert!((mean(&|s| s.unit()) - 0.5).abs() < 0.01);
        assert!(mean(&|s| s.normal()).abs() < 0.03);
        assert!((mean(&|s| s.normal().powi(2)) - 1.0).abs() < 0.04);
        assert!((mean(&|s| s.exponential()) - 1.0).abs() < 0.04);
        assert!((mean(&|s| s.pareto(3.0)) - 1.5).abs() < 0.05);
        assert!((mean(&|s| s.lognormal(0.5)) - 0.125_f64.exp()).abs() < 0.03);
    }
}
