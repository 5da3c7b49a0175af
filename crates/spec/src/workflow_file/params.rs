//! The section `params`, with what the command line, a file of parameters or an including
//! workflow says instead.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::paths;
use super::values::{self, Type};
use crate::command::render::MAX_STRING;
use crate::diagnostic::{Code, Diagnostic, Place, Source, SourceId, nearest};
use crate::source::fields::Fields;
use crate::source::scalar::Scalar;
use crate::source::{self, Node};
use crate::template::Value;

const FIELDS: [&str; 3] = ["type", "default", "about"];

struct Declared {
    kind: Type,
    default: Option<Value>,
}

/// What is given to the parameters of a file from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) values: BTreeMap<String, GivenValue>,
    /// Where the file is included; none for the workflow's own file.
    pub(super) asker: Option<Place>,
}

/// A value that is given.
#[derive(Clone, Debug)]
pub(super) enum GivenValue {
    /// On the command line, read by the type of the parameter.
    Written(String),
    /// In a file, at this place.
    Value(Value, Place),
}

/// The values in force. A parameter with a mistake gets an empty one, so that what uses it is
/// not reported as well. Mistakes in other files than this one, `source`, go to `elsewhere`.
pub(super) fn read(
    section: Option<&Node<'_>>,
    given: &Given,
    source: SourceId,
    diagnostics: &mut Vec<Diagnostic>,
    elsewhere: &mut Vec<Diagnostic>,
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
            Ok(declared) => {
                let here = Place { source, span: key.span() };
                value(name, &here, declared, given).map_err(|mistake| elsewhere.push(*mistake)).ok()
            }
            Err(mistake) => {
                diagnostics.push(mistake);
                None
            }
        };
        let value = value.filter(|value| fits(name, key, value, diagnostics));
        params.insert(name.to_owned(), value.unwrap_or_else(|| Value::Text(String::new())));
    }
    for (name, value) in given.values.iter().filter(|(name, _)| !params.contains_key(*name)) {
        elsewhere.push(unknown(name, value, &params));
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
    here: &Place,
    declared: Declared,
    given: &Given,
) -> Result<Value, Box<Diagnostic>> {
    let at =
        |place: &Place| Diagnostic::error(Code::Param, place.span.clone()).in_source(place.source);
    match given.values.get(name) {
        None => declared.default.ok_or_else(|| {
            Box::new(match &given.asker {
                None => at(here)
                    .message(format!("the parameter `{name}` must be given"))
                    .help(format!("add `--param {name}=…`")),
                Some(asker) => at(asker)
                    .message(format!("the included file needs the parameter `{name}`"))
                    .related_at(here.clone(), "declared here")
                    .help(format!("add `params: {{{name}: …}}`")),
            })
        }),
        Some(GivenValue::Written(text)) if text.contains('\0') => {
            let what = format!("`--param {name}` contains a NUL character");
            Err(Box::new(at(here).message(what + ", which no program can be given")))
        }
        Some(GivenValue::Written(text)) => declared.kind.parse(text).ok_or_else(|| {
            let shown: String = text.chars().take(60).collect();
            let article = declared.kind.article();
            let message = format!("`--param {name}={}` must be {article}", shown.escape_debug());
            Box::new(at(here).message(message).label("declared here"))
        }),
        Some(GivenValue::Value(value, place)) => {
            declared.kind.accept(value.clone()).map_err(|value| {
                let shown: String = value.to_string().chars().take(60).collect();
                let article = declared.kind.article();
                let message = format!("`{name}: {}` must be {article}", shown.escape_debug());
                Box::new(at(place).message(message).related_at(here.clone(), "declared here"))
            })
        }
    }
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

fn unknown(name: &str, given: &GivenValue, params: &BTreeMap<String, Value>) -> Diagnostic {
    let shown: String = name.chars().take(60).collect();
    let shown = shown.escape_debug();
    let mistake = match given {
        GivenValue::Written(_) => Diagnostic::error(Code::Param, 0..0)
            .message(format!("`--param {shown}`: the workflow has no such parameter")),
        GivenValue::Value(_, Place { source, span }) => {
            let mistake = Diagnostic::error(Code::Param, span.clone()).in_source(*source);
            mistake.message(format!("there is no parameter `{shown}` that could be given"))
        }
    };
    match nearest(name, params.keys().map(String::as_str)) {
        Some(close) => mistake.help(format!("did you mean `{close}`?")),
        None if params.is_empty() => mistake.help("it declares none; see `params:`"),
        None => {
            let names: Vec<&str> = params.keys().map(String::as_str).collect();
            mistake.help(format!("parameters are {}", names.join(", ")))
        }
    }
}

/// Values for parameters from a file of their own: a map from name to value.
#[derive(Clone, Debug)]
pub struct ParamsFile {
    source: Arc<Source>,
    /// With the places of their names.
    values: BTreeMap<String, (Value, Range<usize>)>,
}

impl ParamsFile {
    /// Reads YAML or JSON.
    ///
    /// # Errors
    /// Every mistake in the text.
    pub fn read(source: impl Into<Arc<Source>>) -> Result<Self, Vec<Diagnostic>> {
        let source = source.into();
        let mut diagnostics = Vec::new();
        let mut values = BTreeMap::new();
        let root = source::read(&source)?;
        let entries = root.map().unwrap_or_default();
        if root.map().is_none() && !root.is_null() {
            let message =
                format!("parameters must be a map from name to value, not {}", root.what());
            diagnostics.push(Diagnostic::error(Code::Value, root.span()).message(message));
        }
        for (key, node) in entries {
            match values::of_node(node) {
                Ok(value) => {
                    values.insert(key.text().unwrap_or_default().to_owned(), (value, key.span()));
                }
                Err(mistake) => diagnostics.push(mistake),
            }
        }
        if diagnostics.is_empty() {
            drop(root);
            Ok(Self { source, values })
        } else {
            Err(diagnostics)
        }
    }

    /// The same values again, when the file may be another one by now.
    #[must_use]
    pub fn from_values(name: &str, values: BTreeMap<String, Value>) -> Self {
        let values = values.into_iter().map(|(name, value)| (name, (value, 0..0))).collect();
        Self { source: Arc::new(Source::new(name, "")), values }
    }

    /// The text they were read from.
    #[must_use]
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The values by name.
    #[must_use]
    pub fn values(&self) -> BTreeMap<String, Value> {
        self.values.iter().map(|(name, (value, _))| (name.clone(), value.clone())).collect()
    }

    /// As values that are given, where `source` is the text they were read from.
    pub(super) fn given(&self, source: SourceId) -> BTreeMap<String, GivenValue> {
        let given = |(name, (value, span)): (&String, &(Value, Range<usize>))| {
            let place = Place { source, span: span.clone() };
            (name.clone(), GivenValue::Value(value.clone(), place))
        };
        self.values.iter().map(given).collect()
    }
}
