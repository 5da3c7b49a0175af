//! `foreach` and `matrix`: the variables of a task and the rows they make.

use std::ops::{Range, RangeInclusive};

use super::{Reader, discovery, paths, values};
use crate::command::placeholder::RESERVED;
use crate::diagnostic::{Code, Diagnostic};
use crate::digest::Digest;
use crate::source::Node;
use crate::source::fields::Fields;
use crate::source::scalar::Scalar;
use crate::template::{Discovery, Domain, Value, Variable};

/// How many tasks one declaration can make.
const MAX_ROWS: usize = 1 << 24;
/// Numbers up to here are exact in every language that reads them.
const WHOLE: RangeInclusive<i64> = -(1 << 53)..=1 << 53;
/// Values name tasks, so they stay short.
const MAX_VALUE: usize = 1_000;

/// Variables in order, and how many tasks they make.
pub(super) struct Fanout {
    pub(super) variables: Vec<Variable>,
    pub(super) rows: usize,
    /// Where the values come from when they are not known yet.
    pub(super) discovers: Option<Discovery>,
}

impl Fanout {
    pub(super) fn single() -> Self {
        Self { variables: Vec::new(), rows: 1, discovers: None }
    }
}

impl Reader<'_, '_> {
    /// Reads `foreach` or `matrix`; none if it has mistakes, which were reported.
    pub(super) fn fanout(
        &self,
        fields: &Fields<'_, '_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<Fanout> {
        let result = match (fields.get("foreach"), fields.get("matrix")) {
            (Some(_), Some(matrix)) => {
                let mistake = Diagnostic::error(Code::Value, matrix.span());
                Err(mistake
                    .message("a task has either `foreach` or `matrix`")
                    .help("move the variables of `foreach` into `matrix`"))
            }
            (Some(node), None) => self.foreach(node),
            (None, Some(node)) => self.matrix(node),
            (None, None) => return Some(Fanout::single()),
        };
        match result {
            Ok(fanout) => {
                if fanout.rows == 0 && fanout.discovers.is_none() {
                    let span = fields.key_span(if fields.get("foreach").is_some() {
                        "foreach"
                    } else {
                        "matrix"
                    });
                    let doubt = Diagnostic::warning(Code::Value, span);
                    diagnostics.push(doubt.message("there are no values, so no task is made"));
                }
                Some(fanout)
            }
            Err(mistake) => {
                diagnostics.push(mistake);
                None
            }
        }
    }

    fn foreach(&self, node: &Node<'_>) -> Result<Fanout, Diagnostic> {
        if let Some(from) = discovered_from(node) {
            return self.discovered(node, from);
        }
        let variables = match (node.map(), node.list()) {
            (Some(entries), _) => self.domains(entries)?,
            (None, Some(maps)) => of_maps(maps)?,
            (None, None) => return Err(unnamed(node)),
        };
        let rows = variables.first().map_or(0, |v| v.domain.len());
        if let Some(other) = variables.iter().find(|v| v.domain.len() != rows) {
            let first = &variables[0];
            let message = format!(
                "`{}` has {rows} values and `{}` has {}; they go side by side",
                first.name,
                other.name,
                other.domain.len()
            );
            let mistake = Diagnostic::error(Code::Value, node.span()).message(message);
            return Err(mistake.help("give both as many, or use `matrix` for all combinations"));
        }
        refuse_twins(&variables, rows, node)?;
        Ok(Fanout { variables, rows, discovers: None })
    }

    /// `{x: PATTERN, from: TASK}`: variables whose values come when `TASK` has made its files.
    fn discovered(&self, node: &Node<'_>, from: &Node<'_>) -> Result<Fanout, Diagnostic> {
        let entries = node.map().unwrap_or_default();
        let others: Vec<_> = entries.iter().filter(|(key, _)| key.text() != Some("from")).collect();
        let [(key, pattern)] = others[..] else {
            let mistake = Diagnostic::error(Code::Value, node.span());
            return Err(mistake
                .message(format!("`from` goes with one pattern, and here are {}", others.len()))
                .help("write `foreach: {chunk: \"chunks/*.fq\", from: split}`"));
        };
        let from = self.scalar(from, "from")?.text.into_owned();
        let scalar = self.scalar(pattern, "foreach")?;
        let name = variable_name(key)?;
        let pattern = discovery::Pattern::parse(&scalar.text)
            .map_err(|(message, help)| scalar.wrong(&message).help(help))?;
        let names = if pattern.names.is_empty() { vec![name] } else { pattern.names.clone() };
        for name in &names {
            check_variable_name(name, pattern_span(&scalar, name))?;
        }
        let variable = |name| Variable { name, domain: Domain::List(Vec::new()), repeat: 1 };
        let variables = names.into_iter().map(variable).collect();
        let written = scalar.text.clone().into_owned();
        let discovers = Some(Discovery { from, glob: pattern.glob, pattern: written });
        Ok(Fanout { variables, rows: 0, discovers })
    }

    fn matrix(&self, node: &Node<'_>) -> Result<Fanout, Diagnostic> {
        let entries = node.map().ok_or_else(|| unnamed(node))?;
        let mut variables = self.domains(entries)?;
        let mut rows = 1_usize;
        for variable in variables.iter_mut().rev() {
            variable.repeat = u32::try_from(rows.max(1)).unwrap_or(u32::MAX);
            rows = rows.saturating_mul(variable.domain.len());
            if rows > MAX_ROWS {
                return Err(too_many(node));
            }
        }
        for variable in &variables {
            let alone = Variable { repeat: 1, ..variable.clone() };
            refuse_twins(std::slice::from_ref(&alone), alone.domain.len(), node)?;
        }
        // With a comma in a value, two combinations could still get one name.
        let holds_comma = |v: &Variable| match &v.domain {
            Domain::List(values) => values.iter().any(|value| value.to_string().contains(',')),
            Domain::Range { .. } => false,
        };
        if variables.len() > 1 && variables.iter().any(holds_comma) {
            refuse_twins(&variables, rows, node)?;
        }
        Ok(Fanout { variables, rows, discovers: None })
    }

    fn domains(&self, entries: &[(Node<'_>, Node<'_>)]) -> Result<Vec<Variable>, Diagnostic> {
        let variable = |(key, node): &(Node<'_>, Node<'_>)| {
            let name = variable_name(key)?;
            let domain = self.domain(&name, node)?;
            if let Domain::List(values) = &domain {
                check_values(values, node)?;
            }
            Ok(Variable { name, domain, repeat: 1 })
        };
        entries.iter().map(variable).collect()
    }

    fn domain(&self, name: &str, node: &Node<'_>) -> Result<Domain, Diagnostic> {
        if let Some(items) = node.list() {
            if items.len() > MAX_ROWS {
                return Err(too_many(node));
            }
            return Ok(Domain::List(items.iter().map(values::of_node).collect::<Result<_, _>>()?));
        }
        if node.map().is_some() && node.braces_without_quotes().is_none() {
            return self.stepped(node);
        }
        let scalar = Scalar::of(node, name)?;
        let param = scalar.text.strip_prefix("{params.").and_then(|t| t.strip_suffix('}'));
        if let Some(Value::List(values)) = param.and_then(|name| self.params.get(name)) {
            return Ok(Domain::List(values.clone()));
        }
        let scalar = self.scalar(node, name)?;
        let help = "write a list such as `[a, b]`, or a range such as `1..100`";
        let not_list = || scalar.wrong("is neither a list nor a range").help(help);
        let (from, to) = scalar.text.split_once("..").ok_or_else(not_list)?;
        let whole = |text: &str| {
            text.trim().parse().ok().filter(|n| WHOLE.contains(n)).ok_or_else(not_list)
        };
        range(whole(from)?, whole(to)?, 1).ok_or_else(|| too_many(node))
    }

    /// `{from: 0, to: 100, step: 10}`, both ends included.
    fn stepped(&self, node: &Node<'_>) -> Result<Domain, Diagnostic> {
        let mut mistakes = Vec::new();
        let fields = Fields::open(node, "a range", &["from", "to", "step"], &mut mistakes);
        if let Some(mistake) = mistakes.pop() {
            return Err(mistake);
        }
        let fields = fields.expect("a map without mistakes opens");
        let whole = |name: &'static str| match fields.get(name) {
            Some(node) => self.scalar(node, name)?.int(WHOLE).map(Some),
            None => Ok(None),
        };
        let (Some(from), Some(to)) = (whole("from")?, whole("to")?) else {
            let mistake = Diagnostic::error(Code::MissingField, node.span());
            return Err(mistake.message("a range needs `from` and `to`"));
        };
        let step = whole("step")?.unwrap_or(1);
        if step == 0 {
            let mistake = Diagnostic::error(Code::Value, node.span());
            return Err(mistake.message("a range with step 0 never ends"));
        }
        range(from, to, step).ok_or_else(|| too_many(node))
    }
}

fn range(start: i64, end: i64, step: i64) -> Option<Domain> {
    let steps = (end - start) / step;
    let backwards = (end - start).signum() == -step.signum();
    let len = if backwards { 0 } else { usize::try_from(steps).ok()? + 1 };
    let len = u32::try_from(len).ok().filter(|&len| len as usize <= MAX_ROWS)?;
    Some(Domain::Range { start, step, len })
}

/// `foreach: [{x: 1, y: a}, {x: 2, y: b}]`
fn of_maps(maps: &[Node<'_>]) -> Result<Vec<Variable>, Diagnostic> {
    let Some(first) = maps.first() else { return Ok(Vec::new()) };
    let names = first.map().ok_or_else(|| unnamed(first))?;
    let mut variables: Vec<(String, Vec<Value>)> = Vec::new();
    for (key, _) in names {
        variables.push((variable_name(key)?, Vec::with_capacity(maps.len())));
    }
    for node in maps {
        let entries = node.map().ok_or_else(|| unnamed(node))?;
        for (name, values) in &mut variables {
            let Some(value) = node.get(name) else {
                let message = format!("`{name}` is missing here, but the first map has it");
                return Err(Diagnostic::error(Code::MissingField, node.span()).message(message));
            };
            let read = values::of_node(value)?;
            check_values(std::slice::from_ref(&read), value)?;
            values.push(read);
        }
        if entries.len() > variables.len() {
            let is_new = |key: &&(Node<'_>, _)| {
                !variables.iter().any(|(name, _)| Some(name.as_str()) == key.0.text())
            };
            let extra = entries.iter().find(is_new).map_or(node, |(key, _)| key);
            let message = format!("`{}` is not in the first map", extra.text().unwrap_or_default());
            return Err(Diagnostic::error(Code::UnknownField, extra.span()).message(message));
        }
    }
    let variable = |(name, values)| Variable { name, domain: Domain::List(values), repeat: 1 };
    Ok(variables.into_iter().map(variable).collect())
}

fn variable_name(key: &Node<'_>) -> Result<String, Diagnostic> {
    let name = key.text().unwrap_or_default();
    check_variable_name(name, key.span())?;
    Ok(name.to_owned())
}

fn check_variable_name(name: &str, span: Range<usize>) -> Result<(), Diagnostic> {
    let mistake = Diagnostic::error(Code::Name, span);
    if !paths::is_variable_name(name) {
        let message = format!("`{}` cannot name a variable", name.escape_debug());
        return Err(mistake
            .message(message)
            .help("use letters, digits and `_`, beginning with a letter"));
    }
    if RESERVED.contains(&name) {
        let message = format!("`{{{name}}}` already means something else");
        return Err(mistake.message(message).help("choose another name"));
    }
    Ok(())
}

/// The task after `from`, where it is one: a variable may be called so too.
fn discovered_from<'n, 'a>(node: &'n Node<'a>) -> Option<&'n Node<'a>> {
    let from = node.get("from")?;
    let text = from.text()?;
    (!text.contains("..") && !text.starts_with("{params.")).then_some(from)
}

/// Where `{name}` stands in a pattern, for a caret below it.
fn pattern_span(scalar: &Scalar<'_>, name: &str) -> Range<usize> {
    let found = scalar.text.find(&format!("{{{name}}}"));
    let start = scalar.span.start;
    // Quotes before the text move it by one; a caret one off is still on the pattern.
    found.map_or(scalar.span.clone(), |at| start + at + 1..start + at + name.len() + 3)
}

/// Values become part of a task's name, which people read and type.
fn check_values(values: &[Value], node: &Node<'_>) -> Result<(), Diagnostic> {
    for (index, value) in values.iter().enumerate() {
        if let Some((problem, help)) = value_problem(value) {
            let span = node.list().and_then(|items| items.get(index)).unwrap_or(node).span();
            let mistake = Diagnostic::error(Code::Value, span).message(problem);
            return Err(if help.is_empty() { mistake } else { mistake.help(help) });
        }
    }
    Ok(())
}

/// What is wrong with a value that names a task, and what helps.
fn value_problem(value: &Value) -> Option<(String, &'static str)> {
    let text = match value {
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => return None,
        Value::Text(text) if text.len() <= MAX_VALUE => std::borrow::Cow::Borrowed(text),
        value => std::borrow::Cow::Owned(value.to_string()),
    };
    if text.len() > MAX_VALUE {
        let message = format!(
            "a value that names a task has at most {MAX_VALUE} bytes; this one has {}",
            text.len()
        );
        return Some((message, ""));
    }
    let c = text.chars().find(|&c| c.is_control() || paths::is_invisible(c))?;
    let message = format!("a value that names a task cannot contain U+{:04X}", c as u32);
    Some((message, "pass it by a parameter or a file"))
}

/// What is wrong with values that files gave.
pub(super) fn check_discovered(variables: &[Variable], rows: usize) -> Result<(), String> {
    if rows > MAX_ROWS {
        return Err(format!("one declaration makes at most {MAX_ROWS} tasks"));
    }
    for variable in variables {
        if let Domain::List(values) = &variable.domain
            && let Some((problem, _)) = values.iter().find_map(value_problem)
        {
            return Err(problem);
        }
    }
    twins(variables, rows).map_or(Ok(()), Err)
}

/// Two rows with the same values would be two tasks of one name.
fn refuse_twins(variables: &[Variable], rows: usize, node: &Node<'_>) -> Result<(), Diagnostic> {
    match twins(variables, rows) {
        Some(message) => Err(Diagnostic::error(Code::Value, node.span()).message(message)),
        None => Ok(()),
    }
}

fn twins(variables: &[Variable], rows: usize) -> Option<String> {
    if variables.iter().all(|v| matches!(v.domain, Domain::Range { .. })) {
        return None;
    }
    let mut name = String::new();
    let mut name_of = |row: usize| {
        name.clear();
        for variable in variables {
            variable.write(row, &mut name);
            name.push(',');
        }
        Digest::of(name.as_bytes())
    };
    // Digests, so that a million names need not be held.
    let mut names: Vec<(Digest, u32)> = (0..rows).map(|row| (name_of(row), row as u32)).collect();
    names.sort_unstable();
    let twins = names.windows(2).find(|pair| pair[0].0 == pair[1].0)?;
    let values: Vec<String> =
        variables.iter().map(|v| v.value(twins[1].1 as usize).to_string()).collect();
    Some(format!("`{}` occurs twice, so two tasks would have one name", values.join(",")))
}

fn too_many(node: &Node<'_>) -> Diagnostic {
    let message = format!("one declaration makes at most {MAX_ROWS} tasks");
    Diagnostic::error(Code::Limit, node.span()).message(message)
}

fn unnamed(node: &Node<'_>) -> Diagnostic {
    let mistake = Diagnostic::error(Code::Value, node.span());
    mistake
        .message(format!("values need the name of a variable, but here is {}", node.what()))
        .help("write `{sample: [a, b]}` and use `{sample}`")
}
