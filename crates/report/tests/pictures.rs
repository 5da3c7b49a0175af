//! The DAG in its three formats.

mod fake;

use fake::{Deed, Story};
use report::Timeline;
use report::graph::{Detail, Graph};

const FAN: &str = "
foreshard: 1
name: fan
tasks:
  split: {run: s}
  work: {foreach: {x: [a, b]}, needs: split, run: w}
  join: {needs: work, run: j}
";

#[test]
fn a_graph_by_task_and_by_template() {
    let workflow = fake::workflow(FAN);
    let graph = Graph::of(&workflow, Detail::Auto, None);
    let names: Vec<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["split", "work[a]", "work[b]", "join"]);
    assert_eq!(graph.edges, [(0, 1), (0, 2), (1, 3), (2, 3)]);
    let graph = Graph::of(&workflow, Detail::Templates, None);
    let labels: Vec<String> = graph.nodes.iter().map(report::graph::Node::label).collect();
    assert_eq!(labels, ["split", "work ×2", "join"]);
    assert_eq!(graph.edges, [(0, 1), (1, 2)]);
}

#[test]
fn mermaid_and_dot_have_a_line_for_each_box_and_arrow() {
    let story = Story::of(FAN, 2, |_, _| Deed::Run(1.0));
    let timeline = Timeline::of(&story.workflow, story.play()).unwrap();
    let graph = Graph::of(&story.workflow, Detail::Templates, Some(timeline.state()));
    assert_eq!(
        graph.mermaid(),
        "flowchart LR
  n0[\"split\"]
  n1[\"work ×2\"]
  n2[\"join\"]
  n0 --> n1
  n1 --> n2
  classDef done fill:#d9f2e2,stroke:#2c8a57,color:#0f3d25
  class n0,n1,n2 done
"
    );
    let dot = graph.dot();
    assert!(dot.contains("  n1 [label=\"work ×2\", fillcolor=\"#d9f2e2\", color=\"#2c8a57\"];\n"));
    assert!(dot.contains("  n0 -> n1;\n  n1 -> n2;\n}\n"));
}

#[test]
fn boxes_of_a_drawing_do_not_overlap() {
    let text = "
foreshard: 1
name: wide
tasks:
  a: {foreach: {x: 1..30}, run: a}
  b: {foreach: {x: 1..30}, needs: a, run: b}
  c: {foreach: {x: 1..7}, needs: [a, b], run: c}
  d: {needs: [a, c], run: d}
";
    let svg = Graph::of(&fake::workflow(text), Detail::Tasks, None).svg();
    let number = |element: &str, name: &str| -> f64 {
        let from = element.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
        element[from..from + element[from..].find('"').unwrap()].parse().unwrap()
    };
    let boxes: Vec<[f64; 4]> = svg
        .split("<rect ")
        .skip(1)
        .map(|element| {
            let element = format!(" {element}");
            ["x", "y", "width", "height"].map(|name| number(&element, name))
        })
        .collect();
    assert_eq!(boxes.len(), 68);
    for (i, a) in boxes.iter().enumerate() {
        for b in &boxes[..i] {
            let apart = a[0] + a[2] <= b[0]
                || b[0] + b[2] <= a[0]
                || a[1] + a[3] <= b[1]
                || b[1] + b[3] <= a[1];
            assert!(apart, "{a:?} {b:?}");
        }
    }
}

#[test]
fn templates_that_need_each_other_in_a_circle_can_be_drawn() {
    let text = "
foreshard: 1
name: ladder
tasks:
  left: {foreach: {x: 1..3}, run: l, inputs: 'r/{x}', outputs: 'l/{x}'}
  right: {foreach: [{x: 1, y: 2}, {x: 2, y: 3}], run: r, inputs: 'l/{x}', outputs: 'r/{y}'}
";
    let graph = Graph::of(&fake::workflow(text), Detail::Templates, None);
    assert_eq!(graph.edges, [(0, 1), (1, 0)]);
    assert_eq!(graph.svg().matches("<path marker-end").count(), 2);
}

#[test]
fn hostile_names_stay_text_in_a_drawing() {
    let text = "
foreshard: 1
name: hostile
tasks:
  t: {foreach: {x: ['</text><script>alert(1)</script>']}, run: x}
";
    let svg = Graph::of(&fake::workflow(text), Detail::Tasks, None).svg();
    assert!(!svg.contains("<script"));
    assert!(svg.contains("t[&lt;/text&gt;&lt;script&gt;alert(1)&lt;/script&gt;]"));
}
