//! Executors: what carries out the engine's orders in one kind of place.

pub mod local;

use engine::{AllocationId, AttemptId, Observation};
use spec::Resources;

use crate::protocol::Work;

/// Where an executor's observations go.
pub type Observe = std::sync::Arc<dyn Fn(Vec<Observation>) + Send + Sync>;

/// Where it says that it cannot go on.
pub type GiveUp = std::sync::Arc<dyn Fn(Error) + Send + Sync>;

/// An order could not be carried out: the machine failed us, not a task.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A keeper could not be started.
    #[error("failed to start the keeper of {allocation}")]
    Spawn {
        /// Of which allocation.
        allocation: AllocationId,
        /// Why.
        source: std::io::Error,
    },
    /// A keeper ended before it said anything. Asking again would only start the next one.
    #[error("the keeper of {allocation} ended before it began: {said}")]
    StillBorn {
        /// Of which allocation.
        allocation: AllocationId,
        /// The end of its log.
        said: String,
    },
    /// Orders could not be handed over.
    #[error("failed to write orders to {allocation}")]
    Orders {
        /// To which allocation.
        allocation: AllocationId,
        /// Why.
        source: std::io::Error,
    },
}

/// One kind of place. All orders are idempotent; what is seen is told to [`Observe`] later.
pub trait Executor {
    /// Gets capacity.
    ///
    /// # Errors
    /// The place cannot even be asked.
    fn allocate(&mut self, allocation: AllocationId, capacity: &Resources) -> Result<(), Error>;

    /// Finds out what became of an allocation of an earlier orchestrator.
    ///
    /// # Errors
    /// The place cannot even be asked.
    fn probe(&mut self, allocation: AllocationId) -> Result<(), Error>;

    /// Hands over work.
    ///
    /// # Errors
    /// The place cannot be reached.
    fn submit(&mut self, allocation: AllocationId, work: Vec<Work>) -> Result<(), Error>;

    /// Takes back what has not started.
    ///
    /// # Errors
    /// The place cannot be reached.
    fn revoke(&mut self, allocation: AllocationId, attempts: Vec<AttemptId>) -> Result<(), Error>;

    /// Kills attempts, started or not.
    ///
    /// # Errors
    /// The place cannot be reached.
    fn cancel(&mut self, allocation: AllocationId, attempts: Vec<AttemptId>) -> Result<(), Error>;

    /// Lets an allocation finish what it has and end.
    ///
    /// # Errors
    /// The place cannot be reached.
    fn close(&mut self, allocation: AllocationId) -> Result<(), Error>;
}
