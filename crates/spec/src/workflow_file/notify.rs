//! The section `notify`: who is told when a run ends.

use super::Reader;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::notify::{Address, Channel, Notification, Occasion, address_problem};
use crate::source::Node;
use crate::source::fields::Fields;
use crate::template::Secret;

const FIELDS: [&str; 3] = ["on", "command", "webhook"];

impl Reader<'_, '_> {
    /// All that is wished for; one wish needs no list.
    pub(super) fn notifications(
        &self,
        fields: &Fields<'_, '_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Vec<Notification> {
        let Some(section) = fields.get("notify").filter(|node| !node.is_null()) else {
            return Vec::new();
        };
        let items = section.list().unwrap_or(std::slice::from_ref(section));
        items.iter().filter_map(|item| self.notification(item, diagnostics)).collect()
    }

    fn notification(
        &self,
        node: &Node<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Notification> {
        let fields = Fields::open(node, "a notification", &FIELDS, diagnostics)?;
        let on = match fields.get("on") {
            None => Ok(Occasion::default()),
            Some(node) => self.occasion(node),
        };
        let to = match (fields.get("command"), fields.get("webhook")) {
            (Some(command), None) => self.words(command).map(Channel::Command),
            (None, Some(webhook)) => self.address(webhook, diagnostics).map(Channel::Webhook),
            _ => {
                let mistake = Diagnostic::error(Code::Value, node.span());
                let mistake = mistake.message("a notification has either `command` or `webhook`");
                Err(mistake.help("write `{on: failed, command: [program, argument]}`"))
            }
        };
        let on = on.map_err(|mistake| diagnostics.push(mistake)).ok();
        let to = to.map_err(|mistake| diagnostics.push(mistake)).ok();
        Some(Notification { on: on?, to: to? })
    }

    fn occasion(&self, node: &Node<'_>) -> Result<Occasion, Diagnostic> {
        let scalar = self.scalar(node, "on")?;
        Occasion::named(&scalar.text).ok_or_else(|| {
            let mistake = scalar.wrong("is no end of a run");
            match nearest(&scalar.text, Occasion::NAMES) {
                Some(close) => mistake.help(format!("did you mean `{close}`?")),
                None => mistake.help(format!("ends are {}", Occasion::NAMES.join(", "))),
            }
        })
    }

    fn words(&self, node: &Node<'_>) -> Result<Vec<String>, Diagnostic> {
        let Some(items) = node.list().filter(|items| !items.is_empty()) else {
            let mistake = Diagnostic::error(Code::Value, node.span());
            let mistake =
                mistake.message("`command` must be a list of a program and its arguments");
            return Err(mistake.help("write `command: [program, argument]`"));
        };
        let word = |item: &Node<'_>| {
            let scalar = self.scalar(item, "command")?;
            if scalar.text.contains('\0') {
                return Err(scalar.wrong("contains a NUL character"));
            }
            Ok(scalar.text.into_owned())
        };
        items.iter().map(word).collect()
    }

    /// An address, or `{secret: NAME}`.
    fn address(
        &self,
        node: &Node<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Result<Address, Diagnostic> {
        if node.map().is_none() {
            let scalar = self.scalar(node, "webhook")?;
            return match address_problem(&scalar.text) {
                Some(problem) => Err(scalar.wrong(problem)),
                None => Ok(Address::Plain(scalar.text.into_owned())),
            };
        }
        let fields = Fields::open(node, "`webhook`", &["secret"], diagnostics);
        let Some(node) = fields.as_ref().and_then(|fields| fields.get("secret")) else {
            let mistake = Diagnostic::error(Code::MissingField, node.span());
            let mistake = mistake.message("`webhook` must be an address");
            return Err(mistake.help("write `webhook: https://…`, or `webhook: {secret: NAME}`"));
        };
        let scalar = self.scalar(node, "secret")?;
        match self.secrets.get(&*scalar.text) {
            Some(source) => {
                let name = scalar.text.into_owned();
                Ok(Address::Secret(Secret { name, source: source.clone() }))
            }
            None => {
                let mistake = scalar.wrong("is no secret of this file");
                Err(match nearest(&scalar.text, self.secrets.keys().map(String::as_str)) {
                    Some(close) => mistake.help(format!("did you mean `{close}`?")),
                    None => mistake.help("declare it below `secrets:`"),
                })
            }
        }
    }
}
