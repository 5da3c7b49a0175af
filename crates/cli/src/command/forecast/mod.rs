//! `foreshard forecast`: what will be free, and how good such forecasts would have been.

mod backtest;
mod scores;

pub(crate) use backtest::backtest;
