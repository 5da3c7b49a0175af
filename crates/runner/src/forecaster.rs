//! Forecasts of a run's zones while it is driven, from what the project measured.
//!
//! Knows the history, the site and a thread. It reads on as more is measured, and tells the loop when
//! what it would say has changed. It never slows nor fails a run: it has the lowest priority, works on
//! its own, gives up when the run is over (reading a feed may take some seconds), and what it cannot
//! read it does not forecast.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use crossbeam_channel::Sender;
use engine::forecast::{ForecastSummary, ZoneForecast};
use forecast::availability::{Availability, ZoneAvailability};
use forecast::calendar::Axis;
use forecast::{Covariates, Horizon, Learning, Material, ResourcePredictor};
use journal::history::History;
use observe::feed::Limits;
use observe::{ahead, past, time};
use spec::{Site, Timestamp, ZoneId};

use crate::drive::Message;
use crate::run_dir::Project;

/// How often it looks whether more was measured.
const EVERY: Duration = Duration::from_secs(600);
/// Hours of a zone's past without which nothing is said of it.
const HOURS_LEAST: f64 = 24.0;
/// How far ahead the loop is told of, in minutes.
const MINUTES: [u32; 6] = [15, 60, 180, 360, 720, 1440];
/// What is known ahead is read again, and all is learned again with it, after so long.
const KNOWN_FOR: spec::Duration = spec::Duration::from_secs(6 * 3600);
/// How many past runs are looked at for such that recur.
const RUNS: usize = 500;
/// Thousandths by which a chance must have changed to be news.
const NEWS: u16 = 50;

/// What a run was told of its zones.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// The zones, and what is known ahead of them.
    pub(crate) site: Site,
    /// Where its calendars and feeds lie; without it they are not looked at.
    pub(crate) folder: Option<PathBuf>,
    /// Whose history it is, and whose past runs may recur.
    pub(crate) project: Project,
    /// The run itself, which is not past.
    pub(crate) run: String,
}

/// What was learned, and when what is known ahead was read for it.
struct Learned {
    predictor: ResourcePredictor,
    at: Timestamp,
}

/// A thread that forecasts until this is dropped.
#[derive(Debug)]
pub(crate) struct Forecaster {
    /// Closing it ends the thread, which is not waited for: it may be in the middle of learning.
    _running: SyncSender<()>,
}

impl Forecaster {
    /// Starts it for the zones of a site, in its order; none where there is no history.
    pub(crate) fn start(told: Told, loop_: Sender<Message>) -> Option<Self> {
        if !told.project.history().exists() {
            return None;
        }
        let (running, ended) = sync_channel::<()>(0);
        let builder = std::thread::Builder::new().name("forecaster".into());
        let spawned = builder.spawn(move || work(&told, &loop_, &ended));
        spawned.ok().map(|_| Self { _running: running })
    }
}

fn work(about: &Told, loop_: &Sender<Message>, ended: &Receiver<()>) {
    // Of this thread alone; where it is refused, the thread is no more than a busy one.
    let _ = rustix::process::setpriority_process(None, 19);
    let zones: Vec<String> = about.site.zones.iter().map(|zone| zone.name.clone()).collect();
    let mut learned = None;
    let mut told = ForecastSummary::default();
    loop {
        if let Some(made) = look(about, &zones, &mut learned, ended) {
            let summary = summary(&made, &zones);
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

/// Learns what was measured since, or all of it the first time and where what was known ahead is old,
/// and forecasts.
fn look(
    about: &Told,
    zones: &[String],
    learned: &mut Option<Learned>,
    ended: &Receiver<()>,
) -> Option<Availability> {
    let step = i64::from(past::STEP_SECONDS) * 1_000_000;
    let now = Timestamp(time::now().0 / step * step);
    learned.take_if(|learned| learned.at + KNOWN_FOR <= now);
    let since = learned.as_ref().and_then(|learned| learned.predictor.material().start);
    let mut history = History::open(&about.project.history()).ok()?;
    let mut material = past::material(&mut history, Some(zones), since, now).ok()??;
    drop(history);
    let goes_on = || ended.try_recv() != Err(TryRecvError::Disconnected);
    let follows = learned.as_mut().is_some_and(|learned| learned.predictor.follow(&material));
    if !follows {
        *learned = None;
        material.ahead = about.ahead(&material, now);
        let learning = Learning::default().in_haste();
        let predictor = ResourcePredictor::learn_while(material, learning, goes_on)?;
        *learned = Some(Learned { predictor, at: now });
    }
    learned.as_ref()?.predictor.predict_availability(Horizon::default())
}

impl Told {
    /// What is known ahead of zones, as long as it is used and a forecast reaches beyond that; what
    /// cannot be read is not known.
    fn ahead(&self, material: &Material, now: Timestamp) -> Vec<Covariates> {
        let (Some(folder), Some(start)) = (&self.folder, material.start) else { return Vec::new() };
        let reach = spec::Duration::from_secs(u64::from(Horizon::default().minutes) * 60);
        let axis = Axis { start, step_seconds: material.step_seconds };
        let runs = crate::past::runs(&self.project, RUNS, Some(&self.run));
        let until = now + KNOWN_FOR + reach;
        let loaded = ahead::load(&self.site, folder, axis, until, &runs, Limits::default());
        loaded.of_zones(&self.site, material.zones.iter().map(|zone| zone.name.as_str())).zones
    }
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
