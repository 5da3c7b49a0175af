//! The section `secrets`: names, and where each value is kept. Values never stand in a file.

use std::collections::BTreeMap;

use super::paths;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Node;
use crate::source::fields::Fields;
use crate::source::scalar::Scalar;
use crate::template::SecretSource;

pub(crate) const FIELDS: [&str; 3] = ["env", "file", "command"];

/// Where secrets are kept, by name. One with a mistake stays known, so that what uses it is not
/// reported as well.
pub(super) fn read(
    section: Option<&Node<'_>>,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, SecretSource> {
    let entries = section.and_then(Node::map).unwrap_or_default();
    if let Some(node) = section.filter(|node| node.map().is_none() && !node.is_null()) {
        let message = format!("`secrets` must be a map from name to place, not {}", node.what());
        let mistake = Diagnostic::error(Code::Value, node.span()).message(message);
        diagnostics.push(mistake.help("write `secrets: {TOKEN: {env: TOKEN}}`"));
    }
    let mut secrets = BTreeMap::new();
    for (key, node) in entries {
        let name = key.text().unwrap_or_default();
        let read = check_name(name, key).and_then(|()| source(name, key, node, diagnostics));
        let source = read.map_err(|mistake| diagnostics.push(mistake));
        secrets.insert(name.to_owned(), source.unwrap_or(SecretSource::Env(name.to_owned())));
    }
    secrets
}

fn check_name(name: &str, key: &Node<'_>) -> Result<(), Diagnostic> {
    let mistake = Diagnostic::error(Code::Name, key.span());
    if !paths::is_variable_name(name) {
        let message = format!("`{}` cannot name a variable", name.escape_debug());
        return Err(mistake.message(message).help("use letters, digits and `_`"));
    }
    if name.starts_with("FORESHARD_") || name.starts_with("PARAM_") {
        let message = format!("`{name}` is set by foreshard itself");
        return Err(mistake.message(message).help("choose another name"));
    }
    Ok(())
}

/// Messages here never repeat what was written: it may be the secret.
fn source(
    name: &str,
    key: &Node<'_>,
    node: &Node<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<SecretSource, Diagnostic> {
    let example = format!(
        "write `{name}: {{env: VARIABLE}}`, `{{file: path}}` or `{{command: [program, argument]}}`"
    );
    if node.map().is_none() {
        let message = format!("the secret `{name}` must say where it is kept, not what it is");
        return Err(Diagnostic::error(Code::Value, key.span()).message(message).help(example));
    }
    let what = format!("the secret `{name}`");
    let fields = Fields::open(node, &what, &FIELDS, diagnostics).expect("it is a map");
    let places = FIELDS.iter().filter_map(|field| Some((*field, fields.get(field)?)));
    let [(field, value)] = places.collect::<Vec<_>>()[..] else {
        let message = format!("the secret `{name}` must be kept in one place");
        return Err(Diagnostic::error(Code::Value, key.span()).message(message).help(example));
    };
    match field {
        "env" => {
            let variable = plain(value, field)?;
            if paths::is_variable_name(&variable) {
                return Ok(SecretSource::Env(variable));
            }
            let mistake = Diagnostic::error(Code::Name, value.span());
            Err(mistake.message("`env` must name a variable").help("use letters, digits and `_`"))
        }
        "file" => Ok(SecretSource::File(plain(value, field)?)),
        _ => {
            let words = value.list().unwrap_or_default();
            if words.is_empty() {
                let mistake = Diagnostic::error(Code::Value, value.span());
                let message = "`command` must be a list of a program and its arguments";
                return Err(mistake.message(message).help("write `command: [program, argument]`"));
            }
            let words = words.iter().map(|word| plain(word, "command"));
            Ok(SecretSource::Command(words.collect::<Result<_, _>>()?))
        }
    }
}

fn plain(node: &Node<'_>, field: &'static str) -> Result<String, Diagnostic> {
    let scalar = Scalar::of(node, field)?;
    if scalar.text.is_empty() || scalar.text.chars().any(char::is_control) {
        let message = format!("`{field}` is empty or contains a control character");
        return Err(Diagnostic::error(Code::Value, scalar.span).message(message));
    }
    Ok(scalar.text.into_owned())
}
