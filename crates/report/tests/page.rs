//! The HTML report: it needs nothing, trusts nothing, and stays small.

mod fake;

use base64::Engine as _;
use engine::cause::FailureCause;
use fake::{Deed, Story};
use report::summary::Extras;
use report::{Summary, Timeline};
use sha2::Digest as _;

fn page(story: &Story, error: &str) -> String {
    let timeline = Timeline::of(&story.workflow, story.play()).expect("the engine wrote them");
    let lines = |_| vec![error.to_owned()];
    let extras = Extras { run: Some(error), error_lines: Some(&lines), ..Extras::default() };
    let summary = Summary::of(&story.workflow, &timeline, extras);
    report::html::render(&summary, &timeline, &story.workflow)
}

fn sweep(n: usize) -> String {
    format!(
        "foreshard: 1\nname: sweep\ntasks:\n  point: {{foreach: {{x: 1..{n}}}, run: x}}\n  \
         last: {{needs: point, run: y}}\n"
    )
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let from = text.find(start).expect("the start is there") + start.len();
    &text[from..from + text[from..].find(end).expect("the end is there")]
}

#[test]
fn the_policy_allows_exactly_the_style_and_the_script_that_are_there() {
    let page = page(&Story::of(&sweep(3), 2, |_, _| Deed::Run(1.0)), "");
    let hash = |text: &str| {
        base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(text.as_bytes()))
    };
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
    let style = hash(between(&page, "<style>", "</style>"));
    let script = hash(between(&page, "<script>", "</script>"));
    let expected = format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; \
         style-src 'sha256-{style}'; script-src 'sha256-{script}'"
    );
    assert_eq!(policy, expected);
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("<style").count(), 1);
}

#[test]
fn the_page_fetches_nothing_and_styles_nothing_in_place() {
    let page = page(&Story::of(&sweep(40), 2, |_, _| Deed::Run(1.0)), "");
    for forbidden in [" src=", " href=", "@import", " style=", " onclick=", "url(http"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let urls = page.match_indices("http").map(|(at, _)| &page[at..page.len().min(at + 30)]);
    let foreign: Vec<&str> = urls
        .filter(|url| {
            !url.starts_with("http://www.w3.org/2000/svg") && !url.starts_with("http-equiv")
        })
        .collect();
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn hostile_names_and_errors_stay_text() {
    let text = "
foreshard: 1
name: hostile
tasks:
  t:
    foreach:
      x: ['<script>alert(1)</script>', '\" onload=\"alert(2)', '</title><img src=x>', '&amp;']
    run: x
";
    let story = Story::of(text, 2, |_, _| {
        Deed::Fail(1.0, FailureCause::CannotStart("</pre><b>\x1b[2J".to_owned()))
    });
    let page = page(&story, "</pre><script>alert(3)</script>\x1b]0;title\x07");
    assert!(page.contains("t[&lt;script&gt;alert(1)&lt;/script&gt;]"));
    assert!(page.contains("t[&quot; onload=&quot;alert(2)]"));
    assert!(page.contains("t[&amp;amp;]"));
    assert!(page.contains("&lt;/pre&gt;&lt;script&gt;alert(3)&lt;/script&gt;␛]0;title␇"));
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!page.contains("<img"));
    let is_control = |c: char| c.is_control() && c != '\n';
    assert!(!page.contains(is_control));
}

#[test]
fn every_element_that_opens_closes() {
    let page = page(&Story::of(&sweep(30), 3, |_, _| Deed::Run(1.0)), "an error");
    for element in
        ["svg", "g", "table", "tr", "td", "th", "section", "div", "ul", "li", "dl", "text", "title"]
    {
        let opened = page.matches(&format!("<{element}>")).count()
            + page.matches(&format!("<{element} ")).count();
        let closed = page.matches(&format!("</{element}>")).count();
        assert_eq!(opened, closed, "{element}");
    }
}

#[test]
fn a_large_run_makes_no_large_page() {
    let story = Story::of(&sweep(20_000), 64, |name, _| Deed::Run(1.0 + name.len() as f64));
    let page = page(&story, "");
    assert!(page.len() < 3_000_000, "{}", page.len());
    assert!(!page.contains("point[7]:"), "attempts are not drawn one by one");
}

#[test]
fn a_run_in_which_nothing_ran_still_has_a_page() {
    let text = "foreshard: 1\nname: empty\ntasks: {t: {foreach: {x: []}, run: x}}\n";
    let story = Story::of(text, 2, |_, _| Deed::Run(1.0));
    assert!(page(&story, "").contains("of 0"));
}
