//! What a run starts of its own program: keepers, and tasks of a recorded workflow.

use engine::{AllocationId, Epoch};
use runner::keeper::{self, KeeperOptions};
use runner::replay;

use crate::args::{ReplayTask, ShardExec};
use crate::exit_code::Code;
use crate::failure::Failure;

/// Keeps an allocation until it is closed.
///
/// # Errors
/// It cannot begin, or was asked to end.
pub(crate) fn shard_exec(args: ShardExec) -> Result<Code, Failure> {
    let capacity = serde_json::from_str(&args.capacity).map_err(|error| {
        Failure::invalid("`--capacity` is not what a run writes").cause(error.to_string())
    })?;
    keeper::run(KeeperOptions {
        run_dir: args.run_dir,
        project: args.project,
        allocation: AllocationId(args.allocation),
        epoch: Epoch(args.epoch),
        capacity,
        ledger: args.ledger,
    })
    .map_err(|error| Failure::of(Code::Machine, &error))?;
    Ok(Code::Succeeded)
}

/// Does what a recorded task did.
///
/// # Errors
/// There is not enough memory, or its files cannot be written.
pub(crate) fn replay_task(args: &ReplayTask) -> Result<Code, Failure> {
    replay::replay_task(&args.words).map_err(|error| {
        let code = match &error {
            replay::ReplayError::Arguments(_) => Code::Invalid,
            replay::ReplayError::Memory { .. } | replay::ReplayError::Output { .. } => {
                Code::Machine
            }
        };
        Failure::of(code, &error)
    })?;
    Ok(Code::Succeeded)
}
