//! Tables of cells between commas: a value for each row, or a column for each series.
//!
//! Knows headings and roles of columns. A cell in quotation marks may hold commas, not line breaks.
//! Where a reading is open, the first line tells what is between cells; is it no comma, one may stand
//! in numbers.

use forecast::recording::Measure;
use spec::Timestamp;

use super::asked::{self, Texts};
use super::{Row, Rows, time_of};

const TIMES: [&str; 8] = ["time", "timestamp", "ts", "date", "datetime", "at", "unix", "epoch"];
/// Rows by which a column is judged that may hold no numbers.
const ROWS_LOOKED_AT: usize = 20;

/// What a column holds.
#[derive(Clone, Debug, PartialEq)]
enum Role {
    Time,
    Zone,
    Measure,
    Unit,
    Value,
    /// What had been asked for, of a wait.
    Cpus,
    Memory,
    Walltime,
    /// Values of one series: the zone and the measure, where the heading says them.
    Series(Option<String>, Option<Measure>),
    /// Nothing that is asked for.
    Else,
}

pub(super) fn read(text: &str, rows: &mut Rows<'_>) {
    let is_content = |(_, line): &(usize, &str)| !line.trim().is_empty() && !line.starts_with('#');
    let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line)).filter(is_content);
    let mut lines = lines.peekable();
    let Some(&(first, heading)) = lines.peek() else { return };
    let is_open = rows.reading.is_open;
    if let Some((what, instead)) = other_form(text, heading, is_open) {
        return rows.mistake(first, what, instead);
    }
    let separator = if is_open { separator(heading) } else { ',' };
    let headings = cells(heading, separator);
    let mut roles = match bare(&headings, is_open) {
        Some(roles) => roles,
        None => {
            lines.next();
            match roles(&headings, first, rows) {
                Some(roles) => roles,
                None => return,
            }
        }
    };
    if is_open {
        let looked_at: Vec<Vec<String>> =
            lines.clone().take(ROWS_LOOKED_AT).map(|(_, line)| cells(line, separator)).collect();
        leave_out_words(&mut roles, &looked_at);
    }
    if !roles.contains(&Role::Time) && (rows.reading.start.is_none() || rows.reading.step.is_none())
    {
        rows.mistake(first, "no column of times", "say --start and --step, or name one `time`");
        return;
    }
    for (i, (line, text)) in lines.enumerate() {
        if rows.is_hopeless() {
            return;
        }
        row(&roles, line, i, &cells(text, separator), rows);
    }
}

/// What is between the cells of a table with this first line.
fn separator(heading: &str) -> char {
    let count = |wanted: char| heading.chars().filter(|c| *c == wanted).count();
    match (count(','), count(';'), count('\t')) {
        (commas, semicolons, _) if semicolons > commas => ';',
        (0, _, tabs) if tabs > 0 => '\t',
        _ => ',',
    }
}

/// What the columns hold where the first line is no heading but a row: a time and a value, or
/// numbers without times.
fn bare(headings: &[String], is_open: bool) -> Option<Vec<Role>> {
    let is_number = |cell: &String| cell.parse::<f64>().is_ok();
    if headings.len() == 2 && crate::time::parse(&headings[0]).is_ok() && is_number(&headings[1]) {
        return Some(vec![Role::Time, Role::Value]);
    }
    if !is_open || !headings.iter().all(is_number) {
        return None;
    }
    let named = |i: usize| Some(Measure::Named(format!("column_{i}")));
    let role = |i: usize| Role::Series(None, if headings.len() == 1 { None } else { named(i) });
    Some((1..=headings.len()).map(role).collect())
}

/// Leaves columns out in which nothing is a number: names of hosts, or states.
fn leave_out_words(roles: &mut [Role], rows: &[Vec<String>]) {
    for (i, role) in roles.iter_mut().enumerate() {
        let said = || rows.iter().filter_map(|row| row.get(i)).filter(|cell| !is_unknown(cell));
        let is_words = said().next().is_some()
            && said().all(|cell| cell.parse::<f64>().is_err() && truth(cell).is_none());
        if is_words && matches!(role, Role::Series(..)) {
            *role = Role::Else;
        }
    }
}

/// What a file is that is not one of these, where it can be told, and what to write instead.
fn other_form(text: &str, heading: &str, is_open: bool) -> Option<(&'static str, &'static str)> {
    if heading.trim_start().starts_with('[') {
        return Some(("a list in JSON", "write an object to a line, as `jq -c '.[]'` does"));
    }
    if heading.contains('\r') && !text.contains('\n') {
        return Some((
            "lines end as on old Macs",
            "end them with line feeds, as `tr '\\r' '\\n'` does",
        ));
    }
    if is_open || heading.contains(',') {
        return None;
    }
    let semicolon =
        ("cells are separated by semicolons", "separate them by commas, and write 0.5, not 0,5");
    let tab = ("cells are separated by tabs", "separate them by commas, as `tr '\\t' ,` does");
    [(';', semicolon), ('\t', tab)]
        .into_iter()
        .find(|(c, _)| heading.contains(*c))
        .map(|(_, of)| of)
}

/// What the columns hold; none where the headings do not say it.
fn roles(headings: &[String], line: usize, rows: &mut Rows<'_>) -> Option<Vec<Role>> {
    let before = rows.mistakes.len();
    let is_long = headings.iter().any(|heading| heading.eq_ignore_ascii_case("value"));
    let roles: Vec<Role> =
        headings.iter().map(|heading| role(heading, is_long, line, rows)).collect();
    let series = roles.iter().filter(|role| matches!(role, Role::Series(..))).count();
    if series > 1 && rows.reading.zone.is_some() && rows.reading.measure.is_some() {
        let what = format!("{series} columns of values for one zone and one measure");
        rows.mistake(line, what, "leave out --zone or --measure");
    } else if rows.mistakes.len() == before {
        for (i, role) in roles.iter().enumerate() {
            if *role != Role::Else && roles[..i].contains(role) {
                let what = format!("column `{}` says the same as another", headings[i]);
                rows.mistake(line, what, "leave one out, or name it otherwise");
            }
        }
    }
    (rows.mistakes.len() == before).then_some(roles)
}

/// Whether a heading is that of times, with its unit or without: `Timestamp [ms]`, `time_stamp`.
fn is_time(heading: &str) -> bool {
    let name = heading.split(['[', '(']).next().unwrap_or("").to_lowercase();
    TIMES.contains(&name.replace([' ', '_', '-'], "").as_str())
}

/// A measure named by the letters and digits of a heading; none of a heading without any.
fn open_measure(heading: &str) -> Option<Measure> {
    let letters = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' };
    let spaced: String = heading.chars().map(letters).collect();
    let mut name = spaced.split_whitespace().collect::<Vec<_>>().join("_");
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        name.insert_str(0, "column_");
    }
    name.truncate(64);
    name.parse().ok()
}

fn role(heading: &str, is_long: bool, line: usize, rows: &mut Rows<'_>) -> Role {
    let lower = heading.to_lowercase();
    match lower.as_str() {
        _ if is_time(heading) => return Role::Time,
        "zone" => return Role::Zone,
        "measure" => return Role::Measure,
        "unit" => return Role::Unit,
        "value" => return Role::Value,
        _ if is_long && rows.reading.is_open => return Role::Else,
        "cpus" if is_long => return Role::Cpus,
        "memory" if is_long => return Role::Memory,
        "walltime" if is_long => return Role::Walltime,
        _ => {}
    }
    if is_long {
        let instead = "leave it out; known are time, zone, measure, unit, value, and of waits cpus, memory and walltime";
        rows.mistake(line, format!("column `{heading}` is not known"), instead);
    }
    let measure_of = |name: &str, rows: &mut Rows<'_>| match name.parse::<Measure>() {
        Ok(measure) => Some(measure),
        Err(error) => {
            rows.mistake(line, format!("column `{heading}`"), error.to_string());
            None
        }
    };
    let (zone, measure) = (&rows.reading.zone, &rows.reading.measure);
    if rows.reading.is_open {
        if let Some((zone, Ok(name))) = heading.rsplit_once(':').map(|(z, m)| (z, m.parse())) {
            return Role::Series(Some(zone.to_owned()), Some(name));
        }
        // Without a heading: numbers of rows, as programs write them.
        return open_measure(heading).map_or(Role::Else, |name| Role::Series(None, Some(name)));
    }
    if let Some((zone, measure)) = heading.rsplit_once(':') {
        let measure = measure_of(measure, rows);
        return Role::Series(Some(zone.to_owned()), measure);
    }
    match (zone, measure) {
        (Some(_), Some(_)) => Role::Series(None, None),
        (None, Some(_)) => Role::Series(Some(heading.to_owned()), None),
        (Some(_), None) => Role::Series(None, measure_of(&lower, rows)),
        (None, None) => {
            let instead = "say --zone if columns are measures, --measure if they are zones, or \
                           name it zone:measure";
            if !is_long {
                rows.mistake(line, format!("column `{heading}` says only half"), instead);
            }
            Role::Series(None, None)
        }
    }
}

fn row(roles: &[Role], line: usize, i: usize, cells: &[String], rows: &mut Rows<'_>) {
    if cells.len() != roles.len() {
        let s = if cells.len() == 1 { "" } else { "s" };
        let what = format!("{} cell{s} below {} headings", cells.len(), roles.len());
        rows.mistake(line, what, "write a cell for each heading");
        return;
    }
    let cell = |role: &Role| {
        let found = roles.iter().position(|other| other == role)?;
        Some(cells[found].as_str()).filter(|text| !text.is_empty())
    };
    let at = if roles.contains(&Role::Time) {
        match time_of(rows, line, cell(&Role::Time).unwrap_or("")) {
            Some(at) => at,
            None => return,
        }
    } else {
        let (start, step) = (rows.reading.start.unwrap_or_default(), rows.reading.step);
        let micros = step.unwrap_or_default().0.saturating_mul(i as u64);
        Timestamp(start.0.saturating_add(i64::try_from(micros).unwrap_or(i64::MAX)))
    };
    let measure = match cell(&Role::Measure).map(str::parse::<Measure>) {
        Some(Err(error)) => {
            let what = format!("`{}` is no measure", cell(&Role::Measure).unwrap_or(""));
            rows.mistake(line, what, error.to_string());
            return;
        }
        other => other.and_then(Result::ok),
    };
    let size = |role: &Role| cell(role).unwrap_or("");
    let texts = Texts {
        cpus: size(&Role::Cpus),
        memory: size(&Role::Memory),
        walltime: size(&Role::Walltime),
    };
    let asked = match asked::read(texts) {
        Ok(asked) => asked,
        Err((what, instead)) => return rows.mistake(line, what, instead),
    };
    let whole = Row {
        line,
        at: Some(at),
        zone: cell(&Role::Zone),
        measure: measure.as_ref(),
        unit: cell(&Role::Unit),
        asked,
        value: 0.0,
    };
    for (role, text) in roles.iter().zip(cells) {
        let (zone, measure) = match role {
            Role::Value => (None, None),
            Role::Series(zone, measure) => (zone.as_deref(), measure.as_ref()),
            _ => continue,
        };
        if let Some(value) = value_of(text, line, rows) {
            let (zone, measure) = (zone.or(whole.zone), measure.or(whole.measure));
            rows.add(Row { zone, measure, value, ..whole });
        }
    }
}

/// Whether a cell says that nothing is known.
fn is_unknown(cell: &str) -> bool {
    ["", "-", "null", "NA", "N/A", "None"].iter().any(|word| cell.eq_ignore_ascii_case(word))
}

/// The value of a cell; none where it is not known, or a mistake.
fn value_of(text: &str, line: usize, rows: &mut Rows<'_>) -> Option<f64> {
    // Most cells are numbers, and are looked at no further.
    let value = text.parse().ok().or_else(|| truth(text));
    if value.is_none() && is_unknown(text) {
        return None;
    }
    if value.is_none() {
        let shown: String = text.chars().take(40).collect();
        let instead = "write a number, or nothing where it is not known";
        rows.mistake(line, format!("`{shown}` is no number"), instead);
    }
    value
}

/// Of what is up, some write `true` and `false`.
fn truth(text: &str) -> Option<f64> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") { Some(1.0) } else { is("false").then_some(0.0) }
}

/// The cells of a line.
fn cells(line: &str, separator: char) -> Vec<String> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        let (cell, after) = match rest.trim_start_matches(' ').strip_prefix('"') {
            Some(quoted) => quoted_cell(quoted, separator),
            None => {
                let end = rest.find(separator).unwrap_or(rest.len());
                (rest[..end].trim().to_owned(), &rest[end..])
            }
        };
        cells.push(if separator == ',' { cell } else { with_point(cell) });
        match after.strip_prefix(separator) {
            Some(more) => rest = more,
            None => return cells,
        }
    }
}

/// A number as it is written where a comma stands for the point.
fn with_point(cell: String) -> String {
    let is_number = cell.matches(',').count() == 1 && cell.replace(',', ".").parse::<f64>().is_ok();
    if is_number { cell.replace(',', ".") } else { cell }
}

/// What is between quotation marks, of which two stand for one; and the rest from the separator on.
fn quoted_cell(mut rest: &str, separator: char) -> (String, &str) {
    let mut cell = String::new();
    while let Some(end) = rest.find('"') {
        cell.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                cell.push('"');
                rest = more;
            }
            None => return (cell, &rest[rest.find(separator).unwrap_or(rest.len())..]),
        }
    }
    (cell + rest, "")
}
