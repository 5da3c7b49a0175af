//! Outputs become safe, then visible.
//!
//! [`commit`] checks, hashes and syncs the declared outputs in an attempt's private folder;
//! [`Publisher`] moves them to their final names, each in one step; [`Digests`] tells whether files
//! are still what they were; [`expand`] lists what a pattern matches. A command may leave anything
//! in its folder: nothing here follows a link, opens a pipe, or reaches outside of the given root.
//!
//! Knows files. Does not know attempts, tasks, runs or the journal.

mod beneath;
mod commit;
mod content;
mod digests;
mod discard;
mod expand;
mod publish;
mod sweeper;
mod tree;
mod unfit;

pub use beneath::{Root, read_beneath};
pub use commit::{Limits, commit, commit_beneath, commit_some};
pub use content::Stamp;
pub use digests::{DigestCache, Digested, Digests, NoCache, Verdict};
pub use discard::discard;
pub use expand::expand;
pub use publish::{Publication, PublishError, Publisher};
pub use unfit::{Refusal, Unfit};
