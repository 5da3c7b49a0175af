//! A policy that decides at random until a time, and sensibly from then on.

use plan::policy::{Decision, View};
use plan::{Policy, ShardId};
use spec::{Duration, Timestamp, ZoneId};

use crate::chance::{Purpose, Stream};

/// Moves anything anywhere, and wants any capacity.
pub(super) struct Chaos {
    stream: Stream,
    until: Timestamp,
    /// How likely a moment is to bring a decision.
    eagerness: f64,
}

/// How often it looks whether anything waits for nothing.
const ROUND: Duration = Duration::from_secs(60);

impl Chaos {
    pub(super) fn new(seed: u64, until: Timestamp) -> Self {
        let mut stream = Stream::new(seed, Purpose::Chaos, 0);
        let eagerness = stream.pick(&[0.02, 0.2, 0.6]);
        Self { stream, until, eagerness }
    }

    fn anywhere(&mut self, view: &View<'_>) -> Option<ZoneId> {
        let n = view.zones.len();
        let zone = self.stream.below(n + 1);
        (zone < n).then(|| ZoneId::from_index(zone))
    }

    fn mess(&mut self, view: &View<'_>) -> Decision {
        let mut decision =
            Decision { wake: Some(self.until.min(view.now + ROUND)), ..Decision::default() };
        if !self.stream.chance(self.eagerness) {
            return decision;
        }
        let n_shards = view.plan.n_shards();
        for _ in 0..self.stream.below(n_shards.min(20)) + 1 {
            let shard = ShardId(self.stream.below(n_shards) as u32);
            let zone = self.anywhere(view);
            decision.moves.push((shard, zone));
        }
        if self.stream.chance(0.5) {
            let zone = ZoneId::from_index(self.stream.below(view.zones.len()));
            decision.allocations.push((zone, self.stream.below(4) as u32));
        }
        decision
    }
}

impl Policy for Chaos {
    fn name(&self) -> &str {
        "chaos"
    }

    fn decide(&mut self, view: &View<'_>) -> Decision {
        if view.now < self.until {
            return self.mess(view);
        }
        let zones = (0..view.zones.len()).map(ZoneId::from_index);
        let bare = |zone: &ZoneId| view.zones[zone.index()].allocations.is_empty();
        Decision {
            moves: (view.unplaced.iter())
                .map(|&shard| (shard, Some(ZoneId(shard.0 % view.zones.len() as u32))))
                .collect(),
            allocations: zones.filter(bare).map(|zone| (zone, 1)).collect(),
            wake: Some(view.now + ROUND),
        }
    }
}
