//! Mermaid: `flowchart LR` with one class per state.

use std::fmt::Write;

use super::{Graph, Shade};
use crate::printable::clipped;

const CLASSES: [(Shade, &str); 5] = [
    (Shade::Failed, "fill:#fbdcd9,stroke:#c0392b,color:#5b1810"),
    (Shade::Skipped, "fill:#eceef1,stroke:#8d96a3,color:#4b5563,stroke-dasharray:4 3"),
    (Shade::Running, "fill:#dbe9fb,stroke:#2f6fbd,color:#12345c"),
    (Shade::Waiting, "fill:#ffffff,stroke:#8d96a3,color:#333333"),
    (Shade::Done, "fill:#d9f2e2,stroke:#2c8a57,color:#0f3d25"),
];

pub(super) fn render(graph: &Graph) -> String {
    let mut text = "flowchart LR\n".to_owned();
    for (i, node) in graph.nodes.iter().enumerate() {
        let _ = writeln!(text, "  n{i}[\"{}\"]", escaped(&node.label()));
    }
    for (from, to) in &graph.edges {
        let _ = writeln!(text, "  n{from} --> n{to}");
    }
    for (shade, style) in CLASSES {
        let members: Vec<String> = (0..graph.nodes.len())
            .filter(|&i| graph.nodes[i].shade == shade)
            .map(|i| format!("n{i}"))
            .collect();
        if !members.is_empty() {
            let word = shade.word();
            let _ =
                writeln!(text, "  classDef {word} {style}\n  class {} {word}", members.join(","));
        }
    }
    text
}

/// Everything that Mermaid could read as syntax, Markdown or HTML becomes a character code.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in clipped(text, 100).chars() {
        let is_plain = c.is_ascii_alphanumeric() || " -_.,:/=+()[]".contains(c) || !c.is_ascii();
        if is_plain {
            out.push(c);
        } else {
            let _ = write!(out, "#{};", c as u32);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let table = [
            ("align[a,b]", "align[a,b]"),
            ("a\"]; click n0 href \"x", "a#34;]#59; click n0 href #34;x"),
            ("`md` *b* #35;", "#96;md#96; #42;b#42; #35;35#59;"),
            ("<img src=x>", "#60;img src=x#62;"),
            ("new\nline", "new␊line"),
            ("größe ×3", "größe ×3"),
        ];
        for (given, shown) in table {
            assert_eq!(escaped(given), shown);
        }
    }
}
