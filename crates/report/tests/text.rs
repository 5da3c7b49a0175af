//! The text report as people see it.

mod fake;

use engine::cause::FailureCause;
use fake::{Deed, Story};
use report::summary::Extras;
use report::text::{Style, render};
use report::{Summary, Timeline};

const STORY: &str = "
foreshard: 1
name: letters
tasks:
  split: {run: s, outputs: parts/}
  count:
    foreach: {part: [a, b, c, d]}
    run: c
    inputs: parts/
    outputs: 'counts/{part}'
    retries: {count: 1, backoff: 2s}
  merge: {run: m, inputs: counts/*, outputs: all.txt}
  plot: {run: p, inputs: all.txt, outputs: plot.png}
  print: {run: p, inputs: plot.png, outputs: page.pdf}
";

fn text(style: Style) -> String {
    let mut story = Story::of(STORY, 2, |name, attempt| match (name, attempt) {
        ("count[b]", 1) => Deed::Fail(3.0, FailureCause::Exit(1)),
        ("plot", _) => Deed::Fail(1.5, FailureCause::Signal(9)),
        ("split", _) => Deed::Run(4.0),
        ("count[d]", _) => Deed::Run(12.0),
        _ => Deed::Run(6.0),
    });
    story.measured_every = Some(5.0);
    let timeline = Timeline::of(&story.workflow, story.play()).expect("the engine wrote them");
    let lines = |_| vec!["cannot open \x1b[1mdisplay".to_owned()];
    let extras = Extras { run: Some("calm-heron"), error_lines: Some(&lines), ..Extras::default() };
    render(&Summary::of(&story.workflow, &timeline, extras), &timeline, &story.workflow, style)
}

#[test]
fn a_run_with_a_retry_and_a_failure() {
    assert_eq!(text(Style::plain(80)), include_str!("text/letters.txt"));
}

#[test]
fn colours_change_nothing_but_colours() {
    let coloured = text(Style::coloured(80));
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some(start) = rest.find('\x1b') {
        plain.push_str(&rest[..start]);
        let end = rest[start..].find('m').expect("colours end in m") + start;
        rest = &rest[end + 1..];
    }
    plain.push_str(rest);
    assert!(coloured.len() > plain.len());
    assert_eq!(plain, text(Style::plain(80)));
}

#[test]
fn no_line_is_wider_than_asked() {
    for width in [60, 80, 132] {
        let wide = text(Style::plain(width));
        let table =
            wide.lines().filter(|line| line.starts_with("  ") && line.chars().count() > width);
        assert_eq!(table.collect::<Vec<_>>(), Vec::<&str>::new());
    }
}
