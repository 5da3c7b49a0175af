//! What events about allocations do to the state of a run.

use super::{Allocation, RunState};
use crate::allocation_state::{AllocationState, AllocationStep};
use crate::event::Event;
use crate::id::{AllocationId, Epoch};
use crate::phase::PhaseStep;
use spec::Resources;

impl RunState {
    pub(super) fn fold_allocation_event(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::AllocationRequested { allocation, zone } => {
                let new = Allocation {
                    zone: *zone,
                    state: AllocationState::Requested,
                    capacity: Resources::default(),
                    n_live: 0,
                    measured: None,
                };
                if self.allocations.insert(*allocation, new).is_some() {
                    return Err(format!("{allocation} is requested twice"));
                }
                self.live_allocations.entry(*zone).or_default().insert(*allocation);
            }
            Event::AllocationUp { allocation, capacity } => {
                self.advance_allocation(*allocation, AllocationStep::Up)?;
                self.allocation_mut(*allocation)?.capacity = capacity.clone();
            }
            Event::CapacityChanged { allocation, capacity } => {
                self.allocation_mut(*allocation)?.capacity = capacity.clone();
            }
            Event::AllocationLost { allocation, .. } => {
                self.advance_allocation(*allocation, AllocationStep::Lost)?;
            }
            Event::AllocationEnded { allocation } => {
                self.advance_allocation(*allocation, AllocationStep::Ended)?;
            }
            Event::MachineMeasured { allocation, usage } => {
                self.allocation_mut(*allocation)?.measured = Some(*usage);
            }
            _ => unreachable!("only events about allocations are handed here"),
        }
        Ok(())
    }

    pub(super) fn on_resumed(&mut self, epoch: Epoch) {
        self.epoch = epoch;
        let finishing = self.finals;
        if let Some(phase) = self.phase.next(PhaseStep::Resumed { finishing }) {
            self.phase = phase;
        }
        for allocation in self.allocations.values_mut() {
            if let Some(state) = allocation.state.next(AllocationStep::Resumed) {
                allocation.state = state;
            }
        }
    }

    fn advance_allocation(
        &mut self,
        allocation: AllocationId,
        step: AllocationStep,
    ) -> Result<(), String> {
        let row = self.allocation_mut(allocation)?;
        let next = row.state.next(step);
        row.state =
            next.ok_or_else(|| format!("{step:?} while {allocation} is {:?}", row.state))?;
        let (zone, is_live) = (row.zone, row.state.is_live());
        if !is_live {
            self.forget_live(zone, allocation);
        }
        Ok(())
    }

    pub(super) fn allocation_mut(&mut self, id: AllocationId) -> Result<&mut Allocation, String> {
        self.allocations.get_mut(&id).ok_or_else(|| format!("there is no {id}"))
    }
}
