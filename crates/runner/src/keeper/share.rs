//! How much of its zone an allocation may use now, when runs share a machine.

use std::collections::BTreeMap;
use std::path::Path;

use engine::AllocationId;
use journal::ProcessStamp;
use journal::ledger::{Amounts, Claim, Claimant, Error, Ledger};
use spec::resources::MilliCpus;
use spec::{Bytes, Resources};

/// The machine's ledger, as a keeper sees it.
pub trait CapacityShare: Send {
    /// Says what is wanted and what is in use; returns what may be used from now on. Less than is
    /// in use means that nothing may be started until enough has ended.
    fn update(&mut self, wanted: &Resources, in_use: &Resources) -> Resources;
}

/// A machine of one's own: everything, always.
#[derive(Clone, Debug)]
pub struct WholeMachine(pub Resources);

impl CapacityShare for WholeMachine {
    fn update(&mut self, _wanted: &Resources, _in_use: &Resources) -> Resources {
        self.0.clone()
    }
}

/// A machine with a ledger, where other runs have their shares.
pub struct LedgerShare {
    claim: Claim,
    /// What the ledger answered last.
    held: Resources,
}

impl LedgerShare {
    /// Enters a claim for the calling process.
    ///
    /// `machine` is all that runs on it may use together.
    ///
    /// # Errors
    /// The ledger cannot be used.
    pub fn open(
        path: &Path,
        machine: &Resources,
        run: &str,
        allocation: AllocationId,
    ) -> Result<Self, Error> {
        let claimant = Claimant {
            run: run.to_owned(),
            allocation: allocation.to_string(),
            process: ProcessStamp::own(),
        };
        let claim = Ledger::open(path, amounts(machine))?.claim(claimant)?;
        Ok(Self { claim, held: Resources::default() })
    }
}

impl CapacityShare for LedgerShare {
    fn update(&mut self, wanted: &Resources, in_use: &Resources) -> Resources {
        match self.claim.update(&amounts(wanted), &amounts(in_use)) {
            Ok(held) => self.held = resources(&held),
            // What was held is still ours: nobody else can have been given it.
            Err(error) => eprintln!("failed to update the claim on this machine: {error}"),
        }
        self.held.clone()
    }
}

/// What this machine has, or what `declared` says if that is more: who declares more cpus than
/// there are wants them shared.
pub(super) fn machine(declared: &Resources) -> Resources {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let cpus = MilliCpus::whole(u32::try_from(cpus).unwrap_or(u32::MAX / 1_000));
    let memory = Bytes(observe::machine::memory_total().unwrap_or(0));
    at_least(declared, &Resources { cpus, memory, ..Resources::default() })
}

/// The larger of each kind.
pub(super) fn at_least(a: &Resources, b: &Resources) -> Resources {
    let mut larger = a.clone();
    larger.cpus = a.cpus.max(b.cpus);
    larger.memory = a.memory.max(b.memory);
    larger.network = a.network.max(b.network);
    for (name, &n) in &b.countables {
        let there = larger.countables.entry(name.clone()).or_default();
        *there = n.max(*there);
    }
    larger
}

/// The smaller of each kind that `b` has.
pub(super) fn at_most(a: &Resources, b: &Resources) -> Resources {
    let of = |name: &String| a.countables.get(name).copied().unwrap_or(0);
    Resources {
        cpus: a.cpus.min(b.cpus),
        memory: a.memory.min(b.memory),
        network: a.network.min(b.network),
        countables: b.countables.iter().map(|(name, &n)| (name.clone(), n.min(of(name)))).collect(),
    }
}

fn amounts(resources: &Resources) -> Amounts {
    Amounts {
        cpus_milli: u64::from(resources.cpus.0),
        memory: resources.memory.0,
        network: resources.network.0,
        countables: resources.countables.clone(),
    }
}

fn resources(amounts: &Amounts) -> Resources {
    let countables: BTreeMap<String, u64> = amounts.countables.clone();
    Resources {
        cpus: MilliCpus(u32::try_from(amounts.cpus_milli).unwrap_or(u32::MAX)),
        memory: Bytes(amounts.memory),
        network: Bytes(amounts.network),
        countables,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(cpus: u32) -> Resources {
        Resources { cpus: MilliCpus::whole(cpus), ..Resources::default() }
    }

    #[test]
    fn two_allocations_share_a_machine_by_its_ledger() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        let open = |run| LedgerShare::open(&path, &cpus(4), run, AllocationId(1)).unwrap();
        let (mut first, mut second) = (open("r1"), open("r2"));
        assert_eq!(first.update(&cpus(4), &cpus(0)), cpus(4));
        assert_eq!(second.update(&cpus(4), &cpus(0)), cpus(0));
        assert_eq!(first.update(&cpus(4), &cpus(1)), cpus(2));
        assert_eq!(second.update(&cpus(4), &cpus(0)), cpus(2));
    }

    #[test]
    fn larger_and_smaller_are_taken_kind_by_kind() {
        let mut a = cpus(1);
        a.countables.insert("gpu".into(), 2);
        let b = Resources { memory: Bytes(5), ..cpus(3) };
        let larger = Resources { memory: Bytes(5), ..a.clone() };
        assert_eq!(at_least(&a, &b), Resources { cpus: MilliCpus::whole(3), ..larger });
        assert_eq!(at_most(&a, &b), cpus(1));
        assert_eq!(at_most(&b, &a).countables["gpu"], 0);
    }
}
