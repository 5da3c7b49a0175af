//! The report as one HTML file that needs nothing else: no fonts, no images, no network.
//!
//! Knows how figures look. Computes none: they come from the summary and the timeline. Everything
//! can be read without JavaScript; the one script makes tables sortable. A strict content
//! security policy allows that script and the one style by their hashes, and nothing besides.

use spec::Workflow;

use crate::graph::{self, Detail, Graph};
use crate::markup::Markup;
use crate::quantity::count;
use crate::summary::Summary;
use crate::timeline::Timeline;

mod charts;
mod frame;
mod gantt;
mod head;
mod palette;
mod table;
mod tables;

use frame::Frame;
use palette::Palette;

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/sort.js");

/// The policy names the style and the script by the SHA-256 of their text; a test keeps it true.
const POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; \
style-src 'sha256-A7vRLxBl/lfPuaW4JjBU9mpnWDSQXRMRAlEpCV5wzhw='; \
script-src 'sha256-nOwC6MNngxrUGzkX7VVnSvNXBsIyow6W+98dkto7Y5o='";

/// The whole file.
#[must_use]
pub fn render(summary: &Summary, timeline: &Timeline, workflow: &Workflow) -> String {
    let mut out = Markup::new();
    out.raw("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    out.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"").raw(POLICY);
    out.raw("\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.raw("<meta name=\"referrer\" content=\"no-referrer\">\n<title>").text(&summary.workflow);
    out.raw(" ").raw(summary.outcome).raw("</title>\n");
    out.raw("<style>").raw(STYLE).raw("</style>\n</head>\n<body>\n<main>\n");
    head::draw(summary, &mut out);
    tables::failures(summary, &mut out);
    tables::left_out(summary, &mut out);
    tables::surroundings(summary, &mut out);
    over_time(summary, timeline, workflow, &mut out);
    tables::critical_path(summary, workflow, &mut out);
    tables::retries(summary, &mut out);
    tables::templates(summary, &mut out);
    tables::memory(summary, &mut out);
    picture(timeline, workflow, &mut out);
    tables::tasks(summary, timeline, workflow, &mut out);
    head::foot(summary, &mut out);
    out.raw("</main>\n<script>").raw(SCRIPT).raw("</script>\n</body>\n</html>\n");
    out.into_string()
}

fn over_time(summary: &Summary, timeline: &Timeline, workflow: &Workflow, out: &mut Markup) {
    let Some(frame) = Frame::of(timeline) else { return };
    let palette = Palette::of(workflow, timeline);
    out.raw("<section>\n<h2>Slots</h2>\n<p class=\"sub\">What ran in each slot of each allocation");
    out.raw("; the first row is the critical path.</p>\n<div class=\"scroll\">\n");
    gantt::draw(&frame, &palette, summary, timeline, workflow, out);
    out.raw("<h3>Cpus</h3>\n<div class=\"scroll\">\n");
    charts::cpus(&frame, timeline, workflow, out);
    out.raw("</div>\n");
    charts::machine(&frame, timeline, out);
    out.raw("</section>\n");
}

fn picture(timeline: &Timeline, workflow: &Workflow, out: &mut Markup) {
    const BOXES_MAX: usize = 300;
    let graph = Graph::of(workflow, Detail::Auto, Some(timeline.state()));
    if graph.nodes.is_empty() || graph.nodes.len() > BOXES_MAX {
        return;
    }
    out.raw("<section>\n<h2>Graph</h2>\n<p class=\"sub\">");
    if graph.is_collapsed {
        out.text(&count(workflow.n_tasks()))
            .raw(" tasks by template; a box shows the worst state of its tasks.");
    } else {
        out.raw("Every task, after what it needs.");
    }
    out.raw("</p>\n<div class=\"scroll tall\">\n");
    graph::svg::draw(&graph, None, out);
    out.raw("\n</div>\n</section>\n");
}
