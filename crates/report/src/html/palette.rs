//! A colour for each of the templates that took longest; grey for the others.

use spec::{TaskId, Workflow};

use crate::markup::Markup;
use crate::templates;
use crate::timeline::Timeline;

const CLASSES: [&str; 10] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"];
const OTHER: &str = "cx";

pub(super) struct Palette {
    by_template: Vec<&'static str>,
    named: Vec<usize>,
    has_others: bool,
}

impl Palette {
    pub(super) fn of(workflow: &Workflow, timeline: &Timeline) -> Self {
        let order = templates::longest_first(workflow, timeline);
        let mut by_template = vec![OTHER; workflow.templates().len()];
        for (template, class) in order.iter().zip(CLASSES) {
            by_template[*template] = class;
        }
        let has_others = order.len() > CLASSES.len();
        let named = order.into_iter().take(CLASSES.len()).collect();
        Self { by_template, named, has_others }
    }

    pub(super) fn class_of(&self, workflow: &Workflow, task: TaskId) -> &'static str {
        self.by_template[workflow.template_of(task).index()]
    }

    /// All classes in use.
    pub(super) fn classes(&self) -> impl Iterator<Item = &'static str> {
        CLASSES.into_iter().take(self.named.len()).chain([OTHER])
    }

    /// What the colours mean; marks on attempts only where attempts are drawn.
    pub(super) fn legend(&self, workflow: &Workflow, has_attempts: bool, out: &mut Markup) {
        out.raw("<ul class=\"legend\">");
        for &template in &self.named {
            swatch(self.by_template[template], out);
            out.text(&workflow.templates()[template].name).raw("</li>");
        }
        if self.has_others {
            swatch(OTHER, out);
            out.raw("other templates</li>");
        }
        out.raw("<li><svg width=\"12\" height=\"12\"><rect class=\"hatch\" width=\"12\" height=\"12\" rx=\"2\"/></svg>failed or lost</li>");
        if has_attempts {
            out.raw("<li><svg width=\"12\" height=\"12\"><path class=\"again\" d=\"M1 1H9L1 9z\"/></svg>a further try</li>");
            out.raw("<li><svg width=\"12\" height=\"12\"><rect class=\"crit\" x=\"1\" y=\"1\" width=\"10\" height=\"10\" rx=\"2\"/></svg>on the critical path</li>");
        }
        out.raw("</ul>\n");
    }
}

fn swatch(class: &'static str, out: &mut Markup) {
    out.raw(
        "<li><svg width=\"12\" height=\"12\"><rect width=\"12\" height=\"12\" rx=\"2\" class=\"",
    );
    out.raw(class).raw("\"/></svg>");
}
