//! The latest forecast in the state of a run: kept, and only kept. Plans that follow it are proposed
//! by others.

use super::RunState;
use crate::forecast::{ForecastSummary, ZoneForecast};
use crate::phase::Phase;

impl RunState {
    pub(super) fn on_forecast(&mut self, forecast: &ForecastSummary) -> Result<(), String> {
        if matches!(self.phase, Phase::Paused | Phase::Finished(_)) {
            return Err("nothing can follow from a forecast".to_owned());
        }
        if !forecast.is_sound() {
            return Err("the forecast is not sound".to_owned());
        }
        self.forecast = Some(forecast.clone());
        Ok(())
    }
}

impl ForecastSummary {
    /// Whether minutes and zones ascend, and each chance is one.
    pub(crate) fn is_sound(&self) -> bool {
        let is_sound = |zone: &ZoneForecast| {
            let mut chances = zone.up.iter().chain(&zone.survival);
            zone.up.len() == self.minutes.len()
                && zone.survival.len() == self.minutes.len()
                && chances.all(|&chance| chance <= 1000)
        };
        self.minutes.is_sorted_by(|a, b| a < b)
            && self.zones.is_sorted_by(|a, b| a.zone < b.zone)
            && self.zones.iter().all(is_sound)
    }
}
