//! `foreshard forecast`: what will be free, and how good such forecasts would have been.

mod amounts;
mod backtest;
mod below;
mod counts;
mod each;
mod inputs;
mod paths;
mod scores;
mod show;
mod source;
mod table;

pub(crate) use backtest::backtest;
pub(crate) use paths::paths;
pub(crate) use show::show;
