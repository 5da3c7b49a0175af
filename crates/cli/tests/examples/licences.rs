//! `licences`, of a few short ones: all fourteen take a quarter of a minute.

use std::collections::BTreeSet;

use crate::copy::{Copy, can_use};

const LICENCES: [&str; 4] = ["Artistic", "BSD", "CC0-1.0", "LGPL-3"];
const RUN: [&str; 4] = ["run", "workflow.yaml", "--param", "licences=Artistic,BSD,CC0-1.0,LGPL-3"];

#[test]
fn a_family_tree_is_drawn_of_all_licences_and_only_what_changed_is_made_again() {
    if !can_use(&["awk", "/usr/share/common-licenses/CC0-1.0"]) {
        return;
    }
    let licences = Copy::of("licences");
    let ended = licences.foreshard(&RUN).with(0);
    assert_eq!(ended.tasks_that("started").len(), 17);
    check_words(&licences);
    check_page(&licences.read("out/licences.txt"));

    let again = licences.foreshard(&RUN).with(0);
    assert_eq!(again.tasks_that("started"), BTreeSet::new());
    assert_eq!(again.tasks_that("reused").len(), 17);

    // A comment changes the script and nothing that it makes.
    let script = licences.read("marks.awk") + "# The end.\n";
    std::fs::write(licences.path("marks.awk"), script).unwrap();
    let edited = licences.foreshard(&RUN).with(0);
    let marks = LICENCES.map(|licence| format!("marks[{licence}]"));
    assert_eq!(edited.tasks_that("started"), marks.iter().map(String::as_str).collect());
    assert!(edited.tasks_that("reused").contains("page"));
}

/// The words of each licence, against its text read here.
fn check_words(licences: &Copy) {
    for licence in LICENCES {
        let text = std::fs::read(format!("/usr/share/common-licenses/{licence}")).unwrap();
        let words = text.split(|byte| !byte.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        let expected: Vec<String> = words
            .map(|word| String::from_utf8(word.to_ascii_lowercase()).unwrap() + "\n")
            .collect();
        assert!(licences.read(&format!("out/words/{licence}")) == expected.concat(), "{licence}");
    }
}

/// Each of its three parts is about every licence.
fn check_page(page: &str) {
    let parts: Vec<&str> = ["Text in common", "Family tree", "Words that mark"]
        .iter()
        .map(|heading| {
            page.split_once(heading).unwrap_or_else(|| panic!("no {heading}:\n{page}")).1
        })
        .map(|part| part.split("\n\n").nth(1).unwrap_or_default())
        .collect();
    for (part, licence) in parts.iter().flat_map(|part| LICENCES.map(|licence| (part, licence))) {
        let named = part.lines().filter(|line| line.split_whitespace().any(|word| word == licence));
        assert_eq!(named.count(), 1, "{licence} in\n{page}");
    }
}
