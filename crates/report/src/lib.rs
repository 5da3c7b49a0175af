//! What happened, as values and as pictures: the read side of a run.
//!
//! Knows events and what they mean to people. Does not know files, terminals, the clock or
//! executors: whoever calls hands in records in order, and prints what comes back.
//!
//! Reading order: [`timeline`], the one fold over records; [`work`], [`critical_path`],
//! [`lower_bound`] and [`templates`], which measure it; [`summary`], which says it all in one
//! value; then the renderers: [`text`], [`html`], [`graph`]. While a run lives, [`progress`],
//! [`status`] and [`words`] answer; before it, [`dry_run`]. [`outlook`] shows forecasts. [`account`] tells of one task, [`diff`]
//! of two runs.

pub mod account;
pub mod critical_path;
pub mod definition;
pub mod demand;
pub mod diff;
pub mod dry_run;
pub mod graph;
pub mod html;
pub mod lanes;
pub mod lower_bound;
mod markup;
pub mod outlook;
pub mod printable;
pub mod progress;
pub mod quantity;
pub mod start_memory;
pub mod status;
pub mod summary;
pub mod surroundings;
pub mod templates;
pub mod text;
pub mod timeline;
pub mod words;
pub mod work;

pub use progress::Progress;
pub use summary::Summary;
pub use timeline::Timeline;
