//! How long the tasks of each template took, and how much memory.

use serde::Serialize;
use spec::{Bytes, Duration, Workflow};

use crate::quantity::Seconds;
use crate::timeline::{End, Timeline};
use crate::work::quantile;

/// Figures of one template, over its attempts that succeeded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TemplateFigures {
    /// Its name in the file.
    pub name: String,
    /// How many attempts succeeded.
    pub n: usize,
    /// How long they took in all.
    pub total_seconds: Seconds,
    /// Half of them took no longer.
    pub median_seconds: Seconds,
    /// 95 % of them took no longer.
    pub p95_seconds: Seconds,
    /// The longest took this.
    pub max_seconds: Seconds,
    /// The most memory that any attempt was seen to hold, also one that failed.
    pub memory_peak_bytes: Option<Bytes>,
}

/// All templates of which an attempt succeeded, the one that took longest in all first.
#[must_use]
pub fn slowest(workflow: &Workflow, timeline: &Timeline) -> Vec<TemplateFigures> {
    let mut durations: Vec<Vec<u64>> = vec![Vec::new(); workflow.templates().len()];
    let mut memory: Vec<Option<Bytes>> = vec![None; durations.len()];
    for attempt in timeline.attempts() {
        let template = workflow.template_of(attempt.id.task()).index();
        if attempt.end == End::Succeeded {
            durations[template].push(timeline.elapsed(attempt).0);
        }
        memory[template] = memory[template].max(attempt.memory_peak);
    }
    let rows = workflow.templates().iter().zip(durations).zip(memory);
    let mut figures: Vec<TemplateFigures> = rows
        .filter(|((_, durations), _)| !durations.is_empty())
        .map(|((template, mut durations), memory)| figures(&template.name, &mut durations, memory))
        .collect();
    figures.sort_by(|a, b| b.total_seconds.cmp(&a.total_seconds).then(a.name.cmp(&b.name)));
    figures
}

/// Positions of the templates that ran at all, the one that took longest in all first.
#[must_use]
pub fn longest_first(workflow: &Workflow, timeline: &Timeline) -> Vec<usize> {
    let mut totals = vec![0_u64; workflow.templates().len()];
    for attempt in timeline.attempts() {
        let template = workflow.template_of(attempt.id.task()).index();
        totals[template] = totals[template].saturating_add(timeline.elapsed(attempt).0);
    }
    let mut order: Vec<usize> = (0..totals.len()).filter(|&i| totals[i] > 0).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(totals[i]), i));
    order
}

fn figures(name: &str, durations: &mut [u64], memory: Option<Bytes>) -> TemplateFigures {
    let total = durations.iter().fold(0_u64, |sum, &d| sum.saturating_add(d));
    TemplateFigures {
        name: name.to_owned(),
        n: durations.len(),
        total_seconds: Seconds(Duration(total)),
        median_seconds: Seconds(quantile(durations, 0.5)),
        p95_seconds: Seconds(quantile(durations, 0.95)),
        max_seconds: Seconds(quantile(durations, 1.0)),
        memory_peak_bytes: memory,
    }
}
