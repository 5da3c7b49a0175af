//! `resources.memory` as `{start, grow, max}`, and `oom_retries`.

use super::task::TaskFields;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Node;
use crate::source::fields::Fields;
use crate::source::scalar::Scalar;
use crate::template::MemoryGrowth;
use crate::units::Bytes;

/// What memory can grow by each time; less than a hundredth would never get anywhere.
const FACTORS: std::ops::RangeInclusive<f64> = 1.01..=100.0;

/// Whether memory is given as how it grows, and not as one size.
pub(super) fn is_growing(node: &Node<'_>) -> bool {
    node.map().is_some() && node.braces_without_quotes().is_none()
}

impl<'r> TaskFields<'r, '_> {
    /// The growth of a plain size, with the task's own `oom_retries`.
    pub(super) fn oom_retries(&self, diagnostics: &mut Vec<Diagnostic>) -> MemoryGrowth {
        let mut growth = MemoryGrowth::default();
        let count = |s: &Scalar<'_>| s.int(0..=100).map(|n| n as u16);
        if let Some(retries) = self.value("oom_retries", count, diagnostics) {
            growth.retries = retries;
        }
        growth
    }

    /// Reads `{start, grow, max}` into `growth`; returns the start.
    pub(super) fn growing_memory(
        &self,
        node: &'r Node<'r>,
        growth: &mut MemoryGrowth,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Bytes {
        let known = ["start", "grow", "max"];
        let Some(own) = Fields::open(node, "`memory`", &known, diagnostics) else {
            return Bytes::default();
        };
        growth.is_open = true;
        let inner = TaskFields { reader: &self.reader.without_defaults(), own };
        if inner.own.get("start").is_none() {
            let mistake = Diagnostic::error(Code::MissingField, node.span());
            let mistake = mistake.message("`memory` as a map needs a `start`");
            diagnostics.push(mistake.help("write `memory: {start: 1GiB}`, or one size"));
        }
        let start = inner.value("start", size, diagnostics).unwrap_or_default();
        if let Some(factor) = inner.value("grow", |s| s.float(FACTORS), diagnostics) {
            growth.factor = factor;
        }
        let most = |s: &Scalar<'_>| match size(s)? {
            max if max < start => Err(s.wrong(&format!("is less than its start of {start}"))),
            max => Ok(max),
        };
        growth.max = inner.value("max", most, diagnostics);
        start
    }
}

fn size(scalar: &Scalar<'_>) -> Result<Bytes, Diagnostic> {
    match scalar.bytes()? {
        Bytes(0) => Err(scalar.wrong("must be more than nothing")),
        bytes => Ok(bytes),
    }
}
