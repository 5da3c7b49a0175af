//! Pools of a zone: what one node has, how many there are, what they cost.

use super::{MAX_NUMBER, Reader};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::resources::Resources;
use crate::site::Pool;
use crate::source::Node;
use crate::source::fields::Fields;
use crate::source::scalar::Scalar;
use crate::units::Duration;

/// Any other name is a countable.
pub(crate) const POOL_FIELDS: [&str; 10] = [
    "cpus",
    "memory",
    "network",
    "count",
    "price",
    "price_per_core",
    "launch_delay",
    "preemption_notice",
    "max_nodes",
    "provision",
];

const MAX_NODES: i64 = 1_000_000;
const MAX_COUNTABLE: i64 = 1_000_000_000;

impl Reader {
    pub(super) fn pool(&mut self, name: String, node: &Node<'_>) -> Option<Pool> {
        let entries = node.map().unwrap_or_default();
        let keys: Vec<&str> = entries.iter().filter_map(|(key, _)| key.text()).collect();
        let fields = self.open(node, &format!("pool `{name}`"), &keys)?;
        let resources = self.node(&fields, entries);
        let count = self.nodes(&fields, "count").unwrap_or(1);
        let max_nodes = self.nodes(&fields, "max_nodes").unwrap_or(count);
        if max_nodes < count {
            let message = format!("`max_nodes: {max_nodes}` is less than the {count} there are");
            let mistake = Diagnostic::error(Code::Value, fields.key_span("max_nodes"));
            self.diagnostics.push(mistake.message(message).help("leave it out, or raise it"));
        }
        Some(Pool {
            name,
            price_per_hour: self.price(&fields, &resources),
            node: resources,
            count,
            max_nodes,
            launch_delay: self
                .value(&fields, "launch_delay", Scalar::duration)
                .unwrap_or(Duration::ZERO),
            preemption_notice: self.value(&fields, "preemption_notice", Scalar::duration),
            provision: self.words(&fields, "provision"),
        })
    }

    fn node(&mut self, fields: &Fields<'_, '_>, entries: &[(Node<'_>, Node<'_>)]) -> Resources {
        for (name, example) in [("cpus", "cpus: 8"), ("memory", "memory: 32GiB")] {
            if fields.get(name).is_none() {
                let mistake = Diagnostic::error(Code::MissingField, fields.key_span(name));
                let message = format!("a pool needs `{name}`: what one node has");
                self.diagnostics.push(mistake.message(message).help(format!("write `{example}`")));
            }
        }
        let mut resources = Resources {
            cpus: self.value(fields, "cpus", Scalar::cpus).unwrap_or_default(),
            memory: self.value(fields, "memory", Scalar::bytes).unwrap_or_default(),
            network: self.value(fields, "network", Scalar::bandwidth).unwrap_or_default(),
            ..Resources::default()
        };
        for (key, node) in entries {
            let name = key.text().unwrap_or_default();
            if POOL_FIELDS.contains(&name) {
                continue;
            }
            let count = check_countable(name, key).and_then(|()| {
                Scalar::of(node, name).and_then(|scalar| scalar.int(0..=MAX_COUNTABLE))
            });
            if let Some(count) = self.keep(count) {
                resources.countables.insert(name.to_owned(), count.unsigned_abs());
            }
        }
        resources
    }

    fn nodes(&mut self, fields: &Fields<'_, '_>, name: &'static str) -> Option<u32> {
        let count = self.value(fields, name, |scalar| scalar.int(0..=MAX_NODES))?;
        u32::try_from(count).ok()
    }

    /// Of a node and an hour.
    fn price(&mut self, fields: &Fields<'_, '_>, node: &Resources) -> f64 {
        let whole = self.value(fields, "price", |s| s.float(0.0..=MAX_NUMBER));
        let core = self.value(fields, "price_per_core", |s| s.float(0.0..=MAX_NUMBER));
        if fields.get("price").is_some() && fields.get("price_per_core").is_some() {
            let mistake = Diagnostic::error(Code::Value, fields.key_span("price_per_core"));
            let message = "`price` and `price_per_core` say the same twice";
            self.diagnostics.push(mistake.message(message).help("keep one of them"));
        }
        let cores = f64::from(node.cpus.0) / 1e3;
        whole.or(core.map(|price| price * cores)).unwrap_or(0.0)
    }
}

/// Any name can be counted, but not one that was meant for a field.
fn check_countable(name: &str, key: &Node<'_>) -> Result<(), Diagnostic> {
    const MEANT: [(&str, &str); 6] = [
        ("cpu", "cpus"),
        ("cores", "cpus"),
        ("mem", "memory"),
        ("ram", "memory"),
        ("nodes", "count"),
        ("bandwidth", "network"),
    ];
    let meant = MEANT.iter().find(|(wrong, _)| *wrong == name).map(|(_, right)| *right);
    if let Some(right) = meant.or_else(|| nearest(name, POOL_FIELDS)) {
        let message = format!("a pool has no field `{name}`");
        let mistake = Diagnostic::error(Code::UnknownField, key.span()).label("unknown field");
        return Err(mistake.message(message).help(format!("did you mean `{right}`?")));
    }
    super::check_name(name, key.span())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::source;

    #[test]
    fn common_countables_are_not_taken_for_slips() {
        let source = Source::new("site.yaml", "x: 1");
        let root = source::read(&source).expect("it is a map");
        let key = &root.map().expect("it is a map")[0].0;
        for name in ["gpu", "gpus", "tpus", "licences", "fpga", "disk"] {
            assert_eq!(check_countable(name, key), Ok(()), "{name}");
        }
        for name in ["cpu", "memroy", "max_node", "ram"] {
            assert!(check_countable(name, key).is_err(), "{name}");
        }
    }
}
