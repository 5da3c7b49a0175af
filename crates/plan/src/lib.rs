//! Where and when: which tasks travel together, in which zone, in what order.
//!
//! Knows the DAG, the site and expected durations. Does not know executors, disk or the clock;
//! a [`Plan`] is an immutable value that the engine carries out.
//!
//! Reading order: [`rank`], [`plan`](crate::plan), [`planner`], [`check`]; [`revision`],
//! [`policy`], [`baseline`].

pub mod baseline;
pub mod check;
pub mod plan;
pub mod planner;
pub mod policy;
pub mod rank;
pub mod revision;

pub use plan::{Order, Placements, Plan, PlanId, ShardId, Shards};
pub use planner::{Infeasible, make, place};
pub use policy::{Decision, Policy};
pub use revision::Revision;
