//! The section `params`, with what the command line says instead.

use std::collections::BTreeMap;

use super::paths;
use super::values::{self, Type};
use crate::command::render::MAX_STRING;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Node;
use crate::source::fields::Fields;
use crate::source::scalar::Scalar;
use crate::template::Value;

const FIELDS: [&str; 3] = ["type", "default", "about"];

struct Declared {
    kind: Type,
    default: Option<Value>,
}

/// The values in force. A parameter with a mistake gets an empty one, so that what uses it is
/// not reported as well.
pub(super) fn read(
    section: Option<&Node<'_>>,
    overrides: &BTreeMap<String, String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Value> {
    let mut params = BTreeMap::new();
    let entries = section.and_then(Node::map).unwrap_or_default();
    if let Some(node) = section.filter(|n| n.map().is_none() && !n.is_null()) {
        let message = format!("`params` must be a map from name to value, not {}", node.what());
        diagnostics.push(Diagnostic::error(Code::Value, node.span()).message(message));
    }
    for (key, node) in entries {
        let name = key.text().unwrap_or_default();
        if !paths::is_variable_name(name) {
            let message = format!("`{}` cannot name a parameter", name.escape_debug());
            let mistake = Diagnostic::error(Code::Name, key.span()).message(message);
            diagnostics.push(mistake.help("use letters, digits and `_`, beginning with a letter"));
        }
        let value = match declared(name, node, diagnostics) {
            Ok(declared) => value(name, key, declared, overrides.get(name), diagnostics),
            Err(mistake) => {
                diagnostics.push(mistake);
                None
            }
        };
        let value = value.filter(|value| fits(name, key, value, diagnostics));
        params.insert(name.to_owned(), value.unwrap_or_else(|| Value::Text(String::new())));
    }
    for name in overrides.keys().filter(|name| !params.contains_key(*name)) {
        diagnostics.push(unknown(name, &params));
    }
    params
}

fn declared(
    name: &str,
    node: &Node<'_>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Result<Declared, Diagnostic> {
    if node.map().is_none() {
        if node.is_null() {
            let message = format!("the parameter `{name}` has neither value nor type");
            let mistake = Diagnostic::error(Code::Param, node.span()).message(message);
            return Err(mistake.help(format!("write `{name}: {{type: text}}`")));
        }
        let value = values::of_node(node)?;
        return Ok(Declared { kind: Type::of(&value), default: Some(value) });
    }
    let what = format!("the parameter `{name}`");
    let fields = Fields::open(node, &what, &FIELDS, diagnostics).expect("it is a map");
    let default = fields.get("default").map(values::of_node).transpose()?;
    let kind = match fields.get("type") {
        Some(node) => kind(node)?,
        None => match &default {
            Some(value) => Type::of(value),
            None => {
                let mistake = Diagnostic::error(Code::MissingField, node.span());
                let message = format!("{what} has neither type nor default");
                return Err(mistake.message(message).help("add `type: text`"));
            }
        },
    };
    let default = default.map(|value| kind.accept(value)).transpose().map_err(|value| {
        let node = fields.get("default").unwrap_or(node);
        let message = format!("the default of `{name}` must be {}, not `{value}`", kind.article());
        Diagnostic::error(Code::Param, node.span()).message(message)
    })?;
    Ok(Declared { kind, default })
}

fn kind(node: &Node<'_>) -> Result<Type, Diagnostic> {
    let scalar = Scalar::of(node, "type")?;
    Type::named(&scalar.text).ok_or_else(|| {
        let mistake = scalar.wrong("is no type of parameter");
        match nearest(&scalar.text, Type::NAMES) {
            Some(close) => mistake.help(format!("did you mean `{close}`?")),
            None => mistake.help(format!("types are {}", Type::NAMES.join(", "))),
        }
    })
}

fn value(
    name: &str,
    key: &Node<'_>,
    declared: Declared,
    given: Option<&String>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Value> {
    let mistake = Diagnostic::error(Code::Param, key.span());
    let Some(given) = given else {
        if declared.default.is_none() {
            let message = format!("the parameter `{name}` must be given");
            diagnostics.push(mistake.message(message).help(format!("add `--param {name}=…`")));
        }
        return declared.default;
    };
    if given.contains('\0') {
        let message =
            format!("`--param {name}` contains a NUL character, which no program can be given");
        diagnostics.push(mistake.message(message));
        return None;
    }
    let value = declared.kind.parse(given);
    if value.is_none() {
        let shown: String = given.chars().take(60).collect();
        let article = declared.kind.article();
        let message = format!("`--param {name}={}` must be {article}", shown.escape_debug());
        diagnostics.push(mistake.message(message).label("declared here"));
    }
    value
}

/// Every program gets the parameters in its environment, so none may be longer than one variable.
fn fits(name: &str, key: &Node<'_>, value: &Value, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let Value::Text(text) = value else { return true };
    let fits = "PARAM_=".len() + name.len() + text.len() < MAX_STRING;
    if !fits {
        let bytes = text.len();
        let message = format!(
            "the parameter `{name}` has {bytes} bytes; the system passes at most {MAX_STRING} in one piece"
        );
        let mistake = Diagnostic::error(Code::Param, key.span()).message(message);
        diagnostics.push(mistake.help("put it in a file and declare that as an input"));
    }
    fits
}

fn unknown(name: &str, params: &BTreeMap<String, Value>) -> Diagnostic {
    let shown: String = name.chars().take(60).collect();
    let message = format!("`--param {}`: the workflow has no such parameter", shown.escape_debug());
    let mistake = Diagnostic::error(Code::Param, 0..0).message(message);
    match nearest(name, params.keys().map(String::as_str)) {
        Some(close) => mistake.help(format!("did you mean `{close}`?")),
        None if params.is_empty() => mistake.help("it declares none; see `params:`"),
        None => {
            let names: Vec<&str> = params.keys().map(String::as_str).collect();
            mistake.help(format!("parameters are {}", names.join(", ")))
        }
    }
}
