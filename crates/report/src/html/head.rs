//! The top of the page: how it ended, and the figures that everyone asks for first.

use spec::resources::MilliCpus;

use crate::markup::Markup;
use crate::printable::clipped;
use crate::quantity::{CoreSeconds, Seconds, count, percent, plural};
use crate::summary::Summary;

pub(super) fn draw(s: &Summary, out: &mut Markup) {
    out.raw("<header>\n<h1>").text(&s.workflow);
    if let Some(run) = &s.run {
        out.raw(" <span class=\"run\">").text(run).raw("</span>");
    }
    let class = match s.outcome {
        "succeeded" => "pill good",
        "failed" | "stalled" => "pill bad",
        "cancelled" | "cancelling" | "paused" | "draining" => "pill warn",
        _ => "pill",
    };
    out.raw(" <span class=\"")
        .raw(class)
        .raw("\">")
        .raw(s.outcome)
        .raw("</span></h1>\n<p class=\"sub\">");
    out.text(&s.started_at.to_string()).raw(" to ").text(&s.ended_at.to_string());
    for resume in &s.resumes {
        out.raw(" · resumed at ").text(&resume.at.to_string()).raw(" after ");
        out.text(&resume.gap_seconds.to_string());
    }
    out.raw("</p>\n<dl class=\"tiles\">\n");
    for tile in tiles(s) {
        out.raw("<div class=\"tile\"><dt>").raw(tile.name).raw("</dt><dd>").text(&tile.value);
        out.raw("</dd><dd>").text(&tile.note).raw("</dd></div>\n");
    }
    out.raw("</dl>\n</header>\n");
}

pub(super) fn foot(s: &Summary, out: &mut Markup) {
    out.raw("<footer>Spans are wall-clock time unless they say otherwise. Work counts cpus as asked for. Made by Foreshard ");
    out.raw(env!("CARGO_PKG_VERSION")).raw(" from the journal of the run; report format ");
    out.number(u64::from(s.format)).raw(".</footer>\n");
}

struct Tile {
    name: &'static str,
    value: String,
    note: String,
}

fn tiles(s: &Summary) -> Vec<Tile> {
    let mut tiles = vec![
        Tile { name: "Tasks done", value: count(s.tasks.published), note: tasks_note(s) },
        Tile { name: "Makespan", value: s.makespan_seconds.to_string(), note: bound_note(s) },
        Tile {
            name: "Utilisation",
            value: s.work.utilisation.map_or("unknown".to_owned(), percent),
            note: format!("of {} cpus held by tasks", s.lower_bound.cpus),
        },
        Tile {
            name: "Work, core time",
            value: core_time(s.work.total_core_seconds),
            note: format!("{} cpu time used", s.work.cpu_seconds),
        },
        Tile {
            name: "Lost work, core time",
            value: core_time(s.work.lost_core_seconds),
            note: match s.work.n_lost_attempts {
                0 => "nothing had to be done again".to_owned(),
                n => format!("in {}", plural(n, "attempt", "attempts")),
            },
        },
    ];
    if let Some(peak) = s.memory_peaks.first() {
        tiles.push(Tile {
            name: "Peak memory",
            value: peak.memory_peak_bytes.to_string(),
            note: format!("of one task, {}", clipped(&peak.task.name, 30)),
        });
    }
    if let (Some(received), Some(sent)) = (s.network.received_bytes, s.network.sent_bytes) {
        tiles.push(Tile {
            name: "Network, whole machine",
            value: format!("{received} in"),
            note: format!("{sent} out"),
        });
    }
    if let Some(cost) = &s.cost {
        let zones: Vec<String> =
            cost.zones.iter().map(|zone| format!("{} {:.2}", zone.zone, zone.cost)).collect();
        tiles.push(Tile {
            name: "Cost",
            value: format!("{:.2}", cost.total),
            note: zones.join(", "),
        });
    }
    tiles
}

/// As long as one cpu would take.
fn core_time(work: CoreSeconds) -> String {
    Seconds(work.spread_over(MilliCpus::ONE)).to_string()
}

fn tasks_note(s: &Summary) -> String {
    let parts = [
        (s.tasks.reused, "reused"),
        (s.tasks.failed, "failed"),
        (s.tasks.skipped, "skipped"),
        (s.tasks.running, "running"),
    ];
    let shown: Vec<String> = parts
        .iter()
        .filter(|&&(n, _)| n > 0)
        .map(|(n, word)| format!("{} {word}", count(*n)))
        .collect();
    let of = format!("of {}", count(s.tasks.selected));
    if shown.is_empty() { of } else { format!("{of}; {}", shown.join(", ")) }
}

fn bound_note(s: &Summary) -> String {
    let bound = s.lower_bound.seconds;
    if bound.0 == spec::Duration::ZERO {
        return String::new();
    }
    let ratio = s.makespan_seconds.0.as_secs_f64() / bound.0.as_secs_f64();
    format!("{ratio:.2} times the least possible {bound}")
}
