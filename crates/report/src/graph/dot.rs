//! DOT: left to right, filled by state.

use std::fmt::Write;

use super::{Graph, Shade};
use crate::printable::clipped;

pub(super) fn render(graph: &Graph) -> String {
    let mut text = "digraph workflow {\n  rankdir=LR;\n".to_owned();
    text.push_str(
        "  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\"];\n",
    );
    for (i, node) in graph.nodes.iter().enumerate() {
        let colours = match node.shade {
            Shade::Failed => ", fillcolor=\"#fbdcd9\", color=\"#c0392b\"",
            Shade::Skipped => {
                ", fillcolor=\"#eceef1\", color=\"#8d96a3\", style=\"rounded,filled,dashed\""
            }
            Shade::Running => ", fillcolor=\"#dbe9fb\", color=\"#2f6fbd\"",
            Shade::Done => ", fillcolor=\"#d9f2e2\", color=\"#2c8a57\"",
            Shade::Waiting | Shade::Plain => "",
        };
        let _ = writeln!(text, "  n{i} [label=\"{}\"{colours}];", escaped(&node.label()));
    }
    for (from, to) in &graph.edges {
        let _ = writeln!(text, "  n{from} -> n{to};");
    }
    text.push_str("}\n");
    text
}

fn escaped(text: &str) -> String {
    clipped(text, 100).replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let table = [
            ("a\"]; evil [label=\"", "a\\\"]; evil [label=\\\""),
            ("back\\\" slash", "back\\\\\\\" slash"),
            ("line\nbreak \\N \\l", "line␊break \\\\N \\\\l"),
        ];
        for (given, shown) in table {
            assert_eq!(escaped(given), shown);
        }
    }
}
