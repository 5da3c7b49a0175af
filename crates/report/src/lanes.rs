//! Attempts by the slot they ran in: the rows of a Gantt chart.

use engine::AllocationId;

use crate::timeline::Timeline;

/// One slot of one allocation, and what ran in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Whose slot.
    pub allocation: AllocationId,
    /// Which slot, from 0; none for attempts whose start was not reported.
    pub slot: Option<u32>,
    /// Positions in [`Timeline::attempts`], by start.
    pub attempts: Vec<u32>,
}

impl Lane {
    /// What people call it: `a1.0`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.slot {
            Some(slot) => format!("{}.{slot}", self.allocation),
            None => format!("{}.?", self.allocation),
        }
    }
}

/// All lanes, by allocation and slot. Attempts that never started are in none.
#[must_use]
pub fn lanes(timeline: &Timeline) -> Vec<Lane> {
    let attempts = timeline.attempts();
    let key = |i: u32| {
        let attempt = &attempts[i as usize];
        (attempt.allocation, attempt.slot.is_none(), attempt.slot, attempt.started_at, i)
    };
    let started = |&i: &u32| attempts[i as usize].started_at.is_some();
    let mut order: Vec<u32> = (0..attempts.len() as u32).filter(started).collect();
    order.sort_unstable_by_key(|&i| key(i));
    let mut lanes: Vec<Lane> = Vec::new();
    for i in order {
        let attempt = &attempts[i as usize];
        let (allocation, slot) = (attempt.allocation, attempt.slot);
        match lanes.last_mut() {
            Some(lane) if lane.allocation == allocation && lane.slot == slot => {
                lane.attempts.push(i);
            }
            _ => lanes.push(Lane { allocation, slot, attempts: vec![i] }),
        }
    }
    lanes
}
