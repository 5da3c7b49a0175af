//! Range queries to Prometheus, and whatever speaks as it does.
//!
//! Knows `/api/v1/query_range` (prometheus.io, HTTP API): a matrix of series, each with labels and
//! pairs of seconds and text. A range is asked for in parts, since a server answers with at most
//! 11,000 points for each series.

use std::collections::BTreeMap;

use forecast::recording::Sample;
use serde::Deserialize;
use spec::Timestamp;

use crate::feed::{self, Limits, Unheard};
use crate::time;

/// Points of a series that are asked for at once.
const POINTS: i64 = 10_000;

/// The most parts that a range is asked for in: beyond, the step is too short for the range.
const PARTS: i64 = 2_000;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Of the server, with a path where it has one: `http://localhost:9090`.
    pub address: String,
    /// In PromQL.
    pub expression: String,
    /// The first moment.
    pub from: Timestamp,
    /// The last moment.
    pub to: Timestamp,
    /// In microseconds.
    pub step: i64,
    /// Such as an authorization.
    pub headers: Vec<(String, String)>,
    /// Of each part.
    pub limits: Limits,
}

/// One of the series in an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// What tells it from others.
    pub labels: BTreeMap<String, String>,
    /// In order of time; values may be no numbers.
    pub samples: Vec<Sample>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server cannot be heard.
    #[error(transparent)]
    Unheard(#[from] Unheard),
    /// The server does not understand the query.
    #[error("{place} refuses the query: {text}")]
    Query {
        /// Which server.
        place: String,
        /// In its words.
        text: String,
    },
    /// The answer is not Prometheus'.
    #[error("{place} does not answer as Prometheus does: {why}")]
    Strange {
        /// Which server.
        place: String,
        /// What is odd.
        why: String,
    },
    /// From after to, or a step that makes too many points.
    #[error("{0}")]
    Range(String),
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "resultType")]
    kind: String,
    result: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

/// Asks for a range, in as many parts as it takes.
///
/// # Errors
/// Why there is no answer; then nothing of it counts.
pub fn range(query: &Query) -> Result<Vec<Series>, Error> {
    let mut all: BTreeMap<BTreeMap<String, String>, Series> = BTreeMap::new();
    for (from, to) in parts(query)? {
        for found in part(query, from, to)? {
            let series = all.entry(found.metric.clone()).or_default();
            series.labels = found.metric;
            for (seconds, value) in found.values {
                let at = Timestamp((seconds * 1e6).round() as i64);
                // What is no number is left to whoever tidies.
                let value = value.parse().unwrap_or(f64::NAN);
                series.samples.push(Sample { at, value });
            }
        }
    }
    Ok(all.into_values().collect())
}

/// First and last moments of each part, both of which the server answers for.
fn parts(query: &Query) -> Result<Vec<(i64, i64)>, Error> {
    let (from, to, step) = (query.from.0, query.to.0, query.step);
    if to < from {
        let (from, to) = (time::text(query.from), time::text(query.to));
        return Err(Error::Range(format!(
            "from {from} to {to} is no range: it ends before it begins"
        )));
    }
    if step < 1_000 {
        return Err(Error::Range("a step is at least a millisecond".to_owned()));
    }
    if (to - from) / step > POINTS * PARTS {
        let text = format!("more than {} points; make the step longer", POINTS * PARTS);
        return Err(Error::Range(text));
    }
    let mut parts = Vec::new();
    let mut at = from;
    while at <= to {
        let last = to.min(at + (POINTS - 1) * step);
        parts.push((at, last));
        at += POINTS * step;
    }
    Ok(parts)
}

fn part(query: &Query, from: i64, to: i64) -> Result<Vec<Found>, Error> {
    let address = format!("{}/api/v1/query_range", query.address.trim_end_matches('/'));
    let place = feed::shown(&query.address);
    let seconds = |micros: i64| {
        format!("{}.{:06}", micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000))
    };
    let parameters = [
        ("query", query.expression.clone()),
        ("start", seconds(from)),
        ("end", seconds(to)),
        ("step", seconds(query.step)),
    ];
    let text = match feed::get(&address, &parameters, &query.headers, query.limits) {
        // A query that is not understood is answered with 400 or 422 and an explanation.
        Err(Unheard::Refused { text, status, place: at }) => {
            return Err(match serde_json::from_str::<Answer>(&text) {
                Ok(answer) if !answer.error.is_empty() => {
                    Error::Query { place, text: answer.error }
                }
                _ => Unheard::Refused { text, status, place: at }.into(),
            });
        }
        other => other?,
    };
    let strange = |why: String| Error::Strange { place: place.clone(), why };
    let answer: Answer = serde_json::from_str(&text).map_err(|error| strange(error.to_string()))?;
    let data = answer.data.filter(|_| answer.status == "success");
    let Some(data) = data else { return Err(strange(format!("status {}", answer.status))) };
    if data.kind != "matrix" {
        return Err(strange(format!("a {} instead of a matrix", data.kind)));
    }
    Ok(data.result)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;

    /// A server that gives these answers in turn; its address, and what it was asked.
    fn server(answers: Vec<(u16, String)>) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/prometheus/", listener.local_addr().unwrap());
        let serve = move || {
            let mut asked = Vec::new();
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<String> = lines
                    .by_ref()
                    .map(Result::unwrap)
                    .take_while(|line| !line.is_empty())
                    .collect();
                asked.push(head.join("\n"));
                let length = body.len();
                write!(stream, "HTTP/1.1 {status} x\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                    .unwrap();
            }
            asked
        };
        (address, std::thread::spawn(serve))
    }

    fn query(address: String, to: i64) -> Query {
        Query {
            address,
            expression: "sum(rate(x[5m]))".into(),
            from: Timestamp(1_700_000_000_000_000),
            to: Timestamp(1_700_000_000_000_000 + to * 1_000_000),
            step: 1_000_000,
            headers: vec![("authorization".into(), "Bearer token".into())],
            limits: Limits { timeout: Duration::from_secs(10), bytes: 1 << 20 },
        }
    }

    fn matrix(values: &str) -> (u16, String) {
        let result = format!(r#"[{{"metric": {{"instance": "a"}}, "values": [{values}]}}]"#);
        let data = format!(r#"{{"resultType": "matrix", "result": {result}}}"#);
        (200, format!(r#"{{"status": "success", "data": {data}}}"#))
    }

    #[test]
    fn a_long_range_is_asked_for_in_parts_and_put_together() {
        let answers = vec![
            matrix(r#"[1700000000, "1"], [1700000001.5, "NaN"]"#),
            matrix(r#"[1700010000, "+Inf"]"#),
        ];
        let (address, asked) = server(answers);
        let all = range(&query(address, 15_000)).unwrap();
        let asked = asked.join().unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].labels["instance"], "a");
        let times: Vec<i64> = all[0].samples.iter().map(|sample| sample.at.0).collect();
        assert_eq!(times, [1_700_000_000_000_000, 1_700_000_001_500_000, 1_700_010_000_000_000]);
        assert!(all[0].samples[1].value.is_nan() && all[0].samples[2].value.is_infinite());
        assert!(
            asked[0].starts_with("GET /prometheus/api/v1/query_range?query=sum(rate(x%5B5m%5D))&"),
            "{}",
            asked[0]
        );
        assert!(asked[0].contains("start=1700000000.000000&end=1700009999.000000&step=1.000000"));
        assert!(asked[1].contains("start=1700010000.000000&end=1700015000.000000"));
        assert!(asked[0].to_lowercase().contains("authorization: bearer token"));
    }

    #[test]
    fn a_query_that_is_not_understood_is_refused_in_the_words_of_the_server() {
        let body =
            r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}"#;
        let (address, _) = server(vec![(400, body.to_owned())]);
        let error = range(&query(address, 10)).unwrap_err();
        assert!(
            error.to_string().ends_with("refuses the query: parse error: unexpected end"),
            "{error}"
        );
    }

    #[test]
    fn an_answer_that_is_not_prometheus_is_named() {
        for body in
            ["<html>", "{}", r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#]
        {
            let (address, _) = server(vec![(200, body.to_owned())]);
            let error = range(&query(address, 10)).unwrap_err();
            assert!(matches!(error, Error::Strange { .. }), "{body}: {error}");
        }
    }

    #[test]
    fn a_range_that_is_none_is_not_asked_for() {
        assert!(matches!(range(&query(String::new(), -1)), Err(Error::Range(_))));
        let fine = Query { step: 1, ..query(String::new(), 10) };
        assert!(matches!(range(&fine), Err(Error::Range(_))));
        let long = Query { step: 1_000, ..query(String::new(), 1_000_000) };
        assert!(matches!(range(&long), Err(Error::Range(_))));
    }
}
