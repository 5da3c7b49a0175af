//! Zones and their room: who is admitted, who waits, who is preempted; and what an executor does
//! with allocations.

use std::collections::VecDeque;

use engine::cause::LossCause;
use engine::shard::HostInput;
use engine::{AllocationId, Observation};
use spec::{Duration, Resources, Timestamp, ZoneId};

use super::{Happening, World};
use crate::chance::{Purpose, Stream};
use crate::faults::Fault;
use crate::keeper::{Keeper, Stage};
use crate::watch::Violation;

/// The room of a zone.
#[derive(Debug)]
pub(super) struct Place {
    /// Keepers that hold room.
    held: Vec<u32>,
    /// Keepers that wait for room, first come first served.
    line: VecDeque<u32>,
    launches: Stream,
    preemptions: Stream,
    changed: Option<Timestamp>,
}

/// How long a zone that is full takes to say so.
const REFUSAL: Duration = Duration::from_secs(1);
/// How long it takes to find out that nothing came of asking.
const SUBMIT_LOST_MAX: u64 = 300_000_000;
/// How long it takes to be taken in where too many ask, in microseconds.
const RATE_LIMIT_MAX: u64 = 300_000_000;
/// Two changes of room within this time are an oscillation.
const OSCILLATION: Duration = Duration::from_secs(3);
/// How long a keeper without work waits for word before it ends.
const CONTACT: Duration = Duration::from_secs(600);

impl Place {
    pub(super) fn new(seed: u64, zone: ZoneId) -> Self {
        let id = u64::from(zone.0);
        Self {
            held: Vec::new(),
            line: VecDeque::new(),
            launches: Stream::new(seed, Purpose::Launch, id),
            preemptions: Stream::new(seed, Purpose::Preemption, id),
            changed: None,
        }
    }
}

impl World<'_> {
    pub(super) fn open_places(&mut self) {
        for zone in (0..self.places.len()).map(ZoneId::from_index) {
            self.await_change(zone);
        }
    }

    /// How many allocations a zone can hold now.
    pub(super) fn available(&self, zone: ZoneId) -> u32 {
        self.site.zone(zone).available.at(self.now)
    }

    fn await_change(&mut self, zone: ZoneId) {
        let row = self.site.zone(zone);
        let now_there = row.available.at(self.now);
        let room = row.available.next_after(self.now);
        let price = row.price.next_after(self.now).map(|(at, _)| at);
        let next = room.map(|(at, _)| at).into_iter().chain(price).min();
        let notice = row.notice;
        if let Some((at, count)) = room
            && let Some(notice) = notice
            && count < now_there
        {
            let warned = Timestamp(at.0 - notice.0 as i64).max(self.now);
            self.put(warned, Happening::ZoneWarns(zone));
        }
        if let Some(at) = next {
            self.put(at, Happening::ZoneChanges(zone));
        }
    }

    pub(super) fn zone_changes(&mut self, zone: ZoneId) {
        let count = self.available(zone) as usize;
        self.count_change(zone, count);
        while self.places[zone.index()].held.len() > count {
            let victim = self.choose_victim(zone);
            self.hits.count(Fault::Preemption);
            self.keepers[victim as usize].is_preempted = true;
            self.kill_keeper(victim);
        }
        self.spare_the_others(zone);
        self.admit(zone);
        self.await_change(zone);
        self.decide_soon();
    }

    fn count_change(&mut self, zone: ZoneId, count: usize) {
        let now = self.now;
        let place = &mut self.places[zone.index()];
        let is_outage = count == 0 && !place.held.is_empty();
        let last = place.changed.replace(now);
        let oscillates = last.is_some_and(|last| now > last && now.since(last) <= OSCILLATION);
        let faults = [(is_outage, Fault::Outage), (oscillates, Fault::Oscillation)];
        for (_, fault) in faults.into_iter().filter(|&(is, _)| is) {
            self.hits.count(fault);
        }
    }

    /// Who was told to go and did not have to, because others went, is as before.
    fn spare_the_others(&mut self, zone: ZoneId) {
        for keeper in self.places[zone.index()].held.clone() {
            if std::mem::take(&mut self.keepers[keeper as usize].is_doomed) {
                self.change_capacity(keeper, self.site.zone(zone).node.clone());
            }
        }
    }

    /// Those that have been told go first; the others by chance.
    fn choose_victim(&mut self, zone: ZoneId) -> u32 {
        let place = &mut self.places[zone.index()];
        let doomed = place.held.iter().find(|&&keeper| self.keepers[keeper as usize].is_doomed);
        doomed.copied().unwrap_or_else(|| {
            let chosen = place.preemptions.below(place.held.len());
            place.held[chosen]
        })
    }

    /// The room will be less: those that will have to go are told.
    pub(super) fn zone_warns(&mut self, zone: ZoneId) {
        let Some((_, count)) = self.site.zone(zone).available.next_after(self.now) else { return };
        let place = &mut self.places[zone.index()];
        let is_doomed = |keeper: &u32| self.keepers[*keeper as usize].is_doomed;
        let mut safe: Vec<u32> = place.held.iter().copied().filter(|k| !is_doomed(k)).collect();
        let mut told = Vec::new();
        while safe.len() > count as usize {
            told.push(safe.swap_remove(place.preemptions.below(safe.len())));
        }
        for keeper in told {
            self.keepers[keeper as usize].is_doomed = true;
            self.change_capacity(keeper, Resources::default());
        }
    }

    pub(super) fn allocate(&mut self, allocation: AllocationId, zone: ZoneId) {
        let has_one = self.keeper_of.get(&allocation);
        if has_one.is_some_and(|&keeper| self.keepers[keeper as usize].is_alive()) {
            return;
        }
        self.accounts.requests += 1;
        if self.strikes(Fault::SubmitLost) {
            let after = Duration(self.how_much(Fault::SubmitLost, 1, SUBMIT_LOST_MAX));
            return self.say_lost_after(allocation, after);
        }
        let node = self.site.zone(zone).node.clone();
        let mut row = Keeper::new(allocation, zone, self.orchestrator.epoch, node, self.now);
        if self.strikes(Fault::SlowNode) {
            row.slowness = self.how_much(Fault::SlowNode, 2, 50) as f64;
        }
        if self.strikes(Fault::ClockSkew) {
            row.skew = self.how_much(Fault::ClockSkew, 0, 7_200_000_000) as i64 - 3_600_000_000;
        }
        if self.strikes(Fault::MercurialNode) {
            row.corruption = self.how_much(Fault::MercurialNode, 1, 100) as f64 / 100.0;
        }
        let keeper = self.keepers.len() as u32;
        self.keepers.push(row);
        self.keeper_of.insert(allocation, keeper);
        if self.strikes(Fault::LaunchFailure) {
            return self.kill_keeper(keeper);
        }
        if self.strikes(Fault::SubmitFailedThoughAccepted) {
            self.disown(keeper);
        }
        let mut wait = self.site.zone(zone).wait.draw(&mut self.places[zone.index()].launches);
        if self.strikes(Fault::RateLimit) {
            wait = wait + Duration(self.how_much(Fault::RateLimit, 1, RATE_LIMIT_MAX));
        }
        self.after(wait, Happening::Admitted(keeper));
    }

    /// It is said to be lost, and is not: nobody may rely on what it does from here on.
    pub(super) fn disown(&mut self, keeper: u32) {
        let row = &mut self.keepers[keeper as usize];
        row.is_disowned = true;
        let (allocation, cause, not_started) = (row.allocation, LossCause::KeeperDied, Vec::new());
        self.observe(vec![Observation::AllocationLost { allocation, cause, not_started }]);
        self.after(CONTACT, Happening::Abandoned(keeper));
    }

    fn say_lost_after(&mut self, allocation: AllocationId, after: Duration) {
        let (cause, not_started) = (LossCause::KeeperDied, Vec::new());
        let told = Observation::AllocationLost { allocation, cause, not_started };
        let life = self.orchestrator.life;
        self.after(after, Happening::Told(life, Box::new([told])));
    }

    /// A keeper that has nothing to do and hears of nobody ends by itself.
    pub(super) fn end_if_abandoned(&mut self, keeper: u32) {
        let row = &self.keepers[keeper as usize];
        if !row.is_alive() {
            return;
        }
        let is_idle = row.stage == Stage::Waiting || row.host.is_idle() && row.processes.is_empty();
        if is_idle && self.now.since(row.heard) >= CONTACT {
            return self.end_keeper(keeper);
        }
        self.after(CONTACT, Happening::Abandoned(keeper));
    }

    pub(super) fn ask_for_room(&mut self, keeper: u32) {
        let row = &self.keepers[keeper as usize];
        if row.stage != Stage::Waiting {
            return;
        }
        let zone = row.zone;
        self.places[zone.index()].line.push_back(keeper);
        self.admit(zone);
        let refuses = self.site.zone(zone).refuses;
        if refuses && self.keepers[keeper as usize].stage == Stage::Waiting {
            self.places[zone.index()].line.retain(|&waiting| waiting != keeper);
            self.after(REFUSAL, Happening::RefusalTold(keeper));
        }
    }

    pub(super) fn refuse(&mut self, keeper: u32) {
        if self.keepers[keeper as usize].stage == Stage::Waiting {
            self.kill_keeper(keeper);
        }
    }

    fn admit(&mut self, zone: ZoneId) {
        let count = self.available(zone) as usize;
        loop {
            let place = &mut self.places[zone.index()];
            if place.held.len() >= count {
                return;
            }
            let Some(keeper) = place.line.pop_front() else { return };
            if self.keepers[keeper as usize].stage != Stage::Waiting {
                continue;
            }
            place.held.push(keeper);
            let launch = self.site.zone(zone).launch.draw(&mut place.launches);
            let row = &mut self.keepers[keeper as usize];
            row.stage = Stage::Launching;
            row.launched = Some(self.now);
            self.after(launch, Happening::Up(keeper));
        }
    }

    pub(super) fn check_room(&self, zone: ZoneId) -> Result<(), Violation> {
        let (held, there) = (self.places[zone.index()].held.len(), self.available(zone) as usize);
        if held <= there {
            return Ok(());
        }
        Err(Violation::of(
            "S9",
            format!("{held} allocations in {zone}, which has room for {there}"),
        ))
    }

    pub(super) fn time_up(&mut self, keeper: u32) {
        if self.keepers[keeper as usize].is_alive() {
            self.hits.count(Fault::WalltimeOver);
            self.kill_keeper(keeper);
        }
    }

    /// After a resume: what became of an allocation?
    pub(super) fn probe(&mut self, allocation: AllocationId) {
        let Some(&keeper) = self.keeper_of.get(&allocation) else {
            let (cause, not_started) = (LossCause::MachineRestarted, Vec::new());
            let lost = Observation::AllocationLost { allocation, cause, not_started };
            return self.observe(vec![lost]);
        };
        let cut_off_until = self.keepers[keeper as usize].cut_off_until;
        if self.now < cut_off_until {
            return self.put(cut_off_until, Happening::Probing(self.orchestrator.life, allocation));
        }
        // The first that a keeper hears of a new orchestrator is its epoch: what an older one still
        // says is refused from here on.
        self.order(allocation, HostInput::Lease(self.orchestrator.epoch, Vec::new()));
        match self.keepers[keeper as usize].stage {
            Stage::Waiting | Stage::Launching => {}
            Stage::Up => {
                let up = self.up_observation(keeper);
                let progress = self.all_progress(keeper);
                if self.pace.chance(0.5) {
                    self.observe(vec![up]);
                    self.observe(progress);
                } else {
                    self.observe([vec![up], progress].concat());
                }
            }
            Stage::Ended => self.report_end(keeper),
            Stage::Dead => self.report_death(keeper),
        }
    }

    /// A keeper is gone, with everything on it that was not committed.
    pub(super) fn kill_keeper(&mut self, keeper: u32) {
        self.clear_keeper(keeper, Stage::Dead);
        self.report_death(keeper);
    }

    /// A keeper ends in order.
    pub(super) fn end_keeper(&mut self, keeper: u32) {
        self.clear_keeper(keeper, Stage::Ended);
        self.report_end(keeper);
    }

    fn clear_keeper(&mut self, keeper: u32, stage: Stage) {
        let row = &mut self.keepers[keeper as usize];
        let zone = row.zone;
        row.stage = stage;
        row.orders.clear();
        row.inbox.clear();
        let processes = std::mem::take(&mut row.processes);
        for (attempt, process) in &processes {
            self.book_process(keeper, *attempt, process, false);
        }
        self.book_keeper(keeper);
        let place = &mut self.places[zone.index()];
        let held_before = place.held.len();
        place.held.retain(|&held| held != keeper);
        if place.held.len() < held_before {
            self.admit(zone);
        }
    }

    /// The machine of the orchestrator goes, and with it all that is near.
    pub(super) fn machine_goes(&mut self) {
        for keeper in 0..self.keepers.len() as u32 {
            if self.keepers[keeper as usize].is_alive() {
                self.clear_keeper(keeper, Stage::Dead);
            }
        }
    }
}
