//! How much of its zone an allocation may use now, when runs share a machine.

use spec::Resources;

/// The machine's ledger, as a keeper sees it.
pub trait CapacityShare: Send {
    /// Says what is wanted and what is in use; returns what may be used from now on. Less than is
    /// in use means that nothing may be started until enough has ended.
    fn update(&mut self, wanted: &Resources, in_use: &Resources) -> Resources;
}

/// A machine of one's own: everything, always.
#[derive(Clone, Debug)]
pub struct WholeMachine(pub Resources);

impl CapacityShare for WholeMachine {
    fn update(&mut self, _wanted: &Resources, _in_use: &Resources) -> Resources {
        self.0.clone()
    }
}
