//! What will be free, where, with what probability and for how long.
//!
//! Knows series, models, distributions and backtests. Does not know DAGs, files, sockets or
//! backends; time is a count of steps, given by whoever observes, and an
//! instant only where calendars are looked at.
//!
//! Reading order: [`resource_predictor`] (all of it), [`availability`] (what comes out), [`predictor`] (samples in, forecasts out), [`forecast`](crate::forecast),
//! [`target`], [`series`]; then what it is made of: [`track`], [`table`], [`hazard`], [`feature`],
//! [`learned`], [`blend`]; [`logistic`] and [`boost`] are the learners. [`backtest`] replays a past
//! and [`score`] says how good it was. What is known besides a zone's past is in [`covariates`]:
//! [`local_clock`], [`calendar`], [`regressor`], [`recurrence`], [`drain`], [`residue`]. [`free`] forecasts amounts,
//! [`count`] how many instances there will be. [`paths`] draws joint futures, from [`dependence`] and [`association`].
//! [`recording`] and [`grid`] turn what was measured,
//! with all its flaws, into steps.

pub mod ahead;
pub mod association;
pub mod availability;
pub mod backtest;
pub mod blend;
pub mod boost;
pub mod calendar;
pub mod card;
pub mod count;
pub mod counter;
pub mod covariates;
pub mod demand;
pub mod dependence;
pub mod drain;
pub mod feature;
pub mod forecast;
pub mod free;
pub mod grid;
pub mod hazard;
pub mod horizon;
pub mod isotonic;
pub mod learned;
pub mod learning;
pub mod local_clock;
pub mod logistic;
mod matrix;
pub mod odds;
pub mod paths;
pub mod predictor;
pub mod recording;
pub mod recurrence;
pub mod regressor;
pub mod residue;
pub mod resource_predictor;
pub mod rows;
pub mod score;
pub mod seed;
pub mod series;
pub mod table;
pub mod target;
pub mod tidy;
pub mod trace;
pub mod track;
pub mod unit_change;
pub mod wait;
pub mod worth;

pub use availability::Availability;
pub use covariates::Covariates;
pub use forecast::{Forecast, Warning};
pub use horizon::Horizon;
pub use learning::Learning;
pub use predictor::{Predictor, Zone};
pub use resource_predictor::{Material, ResourcePredictor};
