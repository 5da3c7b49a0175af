//! A virtual site: the same engine and the same keepers through years of faults in seconds.
//!
//! A [`World`] drives the very [`engine::Engine`] that runs in production, and the very
//! [`engine::shard::ShardHost`] inside virtual keepers, over zones whose room and price change with
//! time. It is the laboratory (what would this workflow have cost under this policy on this trace)
//! and the proving ground (does every invariant hold whatever fails). Knows no journal, no process,
//! no file and no real clock: the same setup and seed give the same run, byte for byte.
//!
//! Reading order: [`site`], [`truth`], [`world`], [`outcome`]; then [`faults`], [`watch`] and
//! [`suite`], which plays random cases by the thousand; [`trace`],
//! [`deadline`] and [`lab`], the laboratory.

mod agenda;
mod arithmetic;
pub mod chance;
pub mod deadline;
pub mod faults;
pub mod growing;
mod keeper;
pub mod lab;
pub mod outcome;
pub mod site;
pub mod steps;
pub mod suite;
pub mod trace;
pub mod truth;
pub mod watch;
pub mod world;

pub use outcome::{Ending, Outcome};
pub use site::{Delay, Link, Links, Paces, VirtualSite, VirtualZone};
pub use steps::Steps;
pub use truth::Truth;
pub use world::{Options, Setup, World};
