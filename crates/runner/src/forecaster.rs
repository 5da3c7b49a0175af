//! Forecasts of a run's zones while it is driven, from what the project measured.
//!
//! Knows the history, the site and a thread. It reads on as more is measured, and tells the loop when
//! what it would say has changed. It never slows nor fails a run: it has the lowest priority, works on
//! its own, gives up at once when the run is over, and what it cannot read it does not forecast.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use crossbeam_channel::Sender;
use engine::forecast::{ForecastSummary, ZoneForecast};
use forecast::availability::{Availability, ZoneAvailability};
use forecast::{Horizon, Learning, ResourcePredictor};
use journal::history::History;
use observe::{past, time};
use spec::{Timestamp, ZoneId};

use crate::drive::Message;

/// How often it looks whether more was measured.
const EVERY: Duration = Duration::from_secs(600);
/// Hours of a zone's past without which nothing is said of it.
const HOURS_LEAST: f64 = 24.0;
/// How far ahead the loop is told of, in minutes.
const MINUTES: [u32; 6] = [15, 60, 180, 360, 720, 1440];
/// Thousandths by which a chance must have changed to be news.
const NEWS: u16 = 50;

/// A thread that forecasts until this is dropped.
#[derive(Debug)]
pub(crate) struct Forecaster {
    /// Closing it ends the thread, which is not waited for: it may be in the middle of learning.
    _running: SyncSender<()>,
}

impl Forecaster {
    /// Starts it for the zones of a site, in its order; none where there is no history.
    pub(crate) fn start(
        history: PathBuf,
        zones: Vec<String>,
        loop_: Sender<Message>,
    ) -> Option<Self> {
        if !history.exists() {
            return None;
        }
        let (running, ended) = sync_channel::<()>(0);
        let builder = std::thread::Builder::new().name("forecaster".into());
        let spawned = builder.spawn(move || work(&history, &zones, &loop_, &ended));
        spawned.ok().map(|_| Self { _running: running })
    }
}

fn work(history: &Path, zones: &[String], loop_: &Sender<Message>, ended: &Receiver<()>) {
    // Of this thread alone; where it is refused, the thread is no more than a busy one.
    let _ = rustix::process::setpriority_process(None, 19);
    let mut learned = None;
    let mut told = ForecastSummary::default();
    loop {
        if let Some(made) = look(history, zones, &mut learned, ended) {
            let summary = summary(&made, zones);
            if !summary.zones.is_empty() && told.differs(&summary, NEWS) {
                told = summary.clone();
                if loop_.send(Message::Forecast(summary)).is_err() {
                    return;
                }
            }
        }
        if ended.recv_timeout(EVERY) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// Learns what was measured since, or all of it the first time, and forecasts.
fn look(
    history: &Path,
    zones: &[String],
    learned: &mut Option<ResourcePredictor>,
    ended: &Receiver<()>,
) -> Option<Availability> {
    let step = i64::from(past::STEP_SECONDS) * 1_000_000;
    let until = Timestamp(time::now().0 / step * step);
    let since = learned.as_ref().and_then(|learned| learned.material().start);
    let mut history = History::open(history).ok()?;
    let material = past::material(&mut history, Some(zones), since, until).ok()??;
    drop(history);
    let goes_on = || ended.try_recv() != Err(TryRecvError::Disconnected);
    let follows = learned.as_mut().is_some_and(|learned| learned.follow(&material));
    if !follows {
        *learned = None;
        let learning = Learning::default().in_haste();
        *learned = ResourcePredictor::learn_while(material, learning, goes_on);
    }
    learned.as_ref()?.predict_availability(Horizon::default())
}

fn summary(made: &Availability, zones: &[String]) -> ForecastSummary {
    let thousandths = |p: f64| (p.clamp(0.0, 1.0) * 1000.0).round() as u16;
    let forecast = |(number, zone): (usize, &ZoneAvailability)| ZoneForecast {
        zone: ZoneId(number as u32),
        is_up: zone.is_up,
        up: MINUTES.map(|m| thousandths(zone.up_at(m, made.horizon))).to_vec(),
        survival: MINUTES.map(|m| thousandths(zone.survival_at(m, made.horizon))).to_vec(),
    };
    let known = zones.iter().enumerate().filter_map(|(number, name)| {
        let of = |zone: &&ZoneAvailability| zone.zone == *name && zone.hours_known >= HOURS_LEAST;
        Some((number, made.zones.iter().find(of)?))
    });
    ForecastSummary {
        origin: made.at.unwrap_or_default(),
        model: made.model.model.clone(),
        minutes: MINUTES.to_vec(),
        zones: known.map(forecast).collect(),
    }
}
