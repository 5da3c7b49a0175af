//! Prints reports of a run that never was, to look at.
//!
//! `cargo run -p report --example made_up -- text|html|json|mermaid|dot|svg`

#[path = "../tests/fake/mod.rs"]
mod fake;

use engine::cause::FailureCause;
use fake::{Deed, Story};
use report::graph::{Detail, Graph};
use report::summary::Extras;
use report::text::Style;
use report::{Summary, Timeline};

const WORKFLOW: &str = "
foreshard: 1
name: variant-calling
tasks:
  index: {run: i, outputs: index/}
  split: {run: s, outputs: chunks/}
  align:
    foreach: {chunk: 1..36}
    run: a
    inputs: [index/, chunks/]
    outputs: aligned/{chunk}.bam
    retries: {count: 2, backoff: 2s}
  sort:
    foreach: {chunk: 1..36}
    run: s
    inputs: aligned/{chunk}.bam
    outputs: sorted/{chunk}.bam
    retries: 1
  merge: {run: m, inputs: sorted/*, outputs: merged.bam, resources: {cpus: 4}}
  call:
    foreach: {region: [chr1, chr2, chr3, chr4, chr5, chrX]}
    run: c
    inputs: merged.bam
    outputs: calls/{region}.vcf
    retries: 1
  gather: {run: g, inputs: calls/*, outputs: calls.vcf}
  plot: {run: p, inputs: merged.bam, outputs: coverage.png}
  publish: {run: p, inputs: coverage.png, outputs: report.pdf}
";

fn deed(name: &str, attempt: u32) -> Deed {
    let template = name.split('[').next().unwrap_or(name);
    let mixed = name.bytes().fold(7_u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b)));
    let spread = f64::from(mixed % 100) / 100.0;
    match (template, attempt) {
        ("plot", _) => Deed::Fail(1.5, FailureCause::Exit(2)),
        ("align", 1) if mixed.is_multiple_of(13) => Deed::Fail(3.0, FailureCause::Exit(137)),
        ("index", _) => Deed::Run(9.0),
        ("split", _) => Deed::Run(4.0),
        ("align", _) => Deed::Run(4.0 + 6.0 * spread),
        ("sort", _) => Deed::Run(1.0 + 1.5 * spread),
        ("merge", _) => Deed::Run(8.0),
        ("call", _) => Deed::Run(6.0 + 8.0 * spread),
        _ => Deed::Run(2.0),
    }
}

fn main() {
    let mut story = Story::of(WORKFLOW, 6, deed);
    story.measured_every = Some(1.0);
    story.keeper_dies_at = Some(31.0);
    let records = story.play();
    let timeline = Timeline::of(&story.workflow, &records).expect("the engine wrote them");
    let lines = |_| {
        vec![
            "\x1b[31mTraceback\x1b[0m (most recent call last):".to_owned(),
            "  <script>alert(1)</script>".to_owned(),
        ]
    };
    let extras =
        Extras { run: Some("brave-otter"), error_lines: Some(&lines), ..Extras::default() };
    let summary = Summary::of(&story.workflow, &timeline, extras);
    let graph =
        |timeline: &Timeline| Graph::of(&story.workflow, Detail::Auto, Some(timeline.state()));
    let form = std::env::args().nth(1).unwrap_or_default();
    let printed = match form.as_str() {
        "html" => report::html::render(&summary, &timeline, &story.workflow),
        "json" => summary.json(),
        "mermaid" => graph(&timeline).mermaid(),
        "dot" => graph(&timeline).dot(),
        "svg" => graph(&timeline).svg(),
        _ => report::text::render(&summary, &timeline, &story.workflow, Style::plain(100)),
    };
    println!("{printed}");
}
