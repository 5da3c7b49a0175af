//! Plays a static schedule of a recorded workflow on a small network of unequal nodes, and writes
//! what happened as a schedule that an independent scorer can check.
//!
//! `schedule heft|list WORKFLOW.json NETWORK.json SCHEDULE.json`
#![expect(clippy::disallowed_methods, reason = "a programme beside the pure core, which reads")]

use std::error::Error;

use problem::{Kind, carry_out};

#[path = "../tests/schedule/problem.rs"]
mod problem;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [kind, workflow, network, out] = &args[..] else {
        return Err("schedule heft|list WORKFLOW.json NETWORK.json SCHEDULE.json".into());
    };
    let kind = if kind == "heft" { Kind::Heft } else { Kind::List };
    let text = |path: &String| std::fs::read_to_string(path);
    let carried = carry_out(kind, &text(workflow)?, &text(network)?)?;
    std::fs::write(out, serde_json::to_string(&carried.schedule)?)?;
    let (simulated, planned) = (carried.simulated, carried.planned);
    println!("{{\"simulated_s\": {simulated}, \"heft_planned_s\": {planned}}}");
    Ok(())
}
