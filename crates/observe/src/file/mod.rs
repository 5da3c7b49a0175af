//! Measurements in files: CSV, JSON lines and traces, told apart by what is in them.
//!
//! Knows the three forms and how mistakes in them are named: all at once, each with its line and
//! what to write instead. Does not know who wrote a file; what it leaves open (the zone, the
//! measure, when it begins) the reader says.

mod asked;
mod csv;
mod json_lines;
mod recorded;
mod write;

use std::collections::BTreeMap;

use forecast::recording::{Measure, Recording, Sample};
use forecast::wait::Asked;
use spec::{Duration, Timestamp};

pub use recorded::is_trace_of_changes;
pub use write::{csv, csv_heading, csv_rows, json_lines};

use crate::{time, unit};

/// The most mistakes that are collected: a file with more is not of this kind at all.
const MISTAKES_MAX: usize = 200;

/// What a file may leave open.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Where it was measured.
    pub zone: Option<String>,
    /// What was measured.
    pub measure: Option<Measure>,
    /// In what unit.
    pub unit: Option<String>,
    /// When a file begins that has no times, or counts from 0.
    pub start: Option<Timestamp>,
    /// How far its samples are apart, where it has no times.
    pub step: Option<Duration>,
    /// Whether a table may be anybody's: cells may lie between semicolons or tabs, and columns be called
    /// anything and values nothing. Measures are then named by the letters and digits of headings, or
    /// [`UNNAMED`], and columns without numbers are left out.
    pub is_open: bool,
}

/// The measure of values that nothing names, where that is open.
pub const UNNAMED: &str = "amount";

/// A recording in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The samples, in the unit of the measure.
    pub recording: Recording,
    /// The unit as it is named, for series with a unit of their own.
    pub unit: String,
}

/// Something in a file that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where, counted from 1; none where it concerns the file as a whole.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

impl Mistake {
    /// With the place that it is in.
    #[must_use]
    pub fn of(&self, place: &str) -> String {
        let space = if self.line.is_some() { "" } else { " " };
        format!("{place}:{space}{self}")
    }
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(line) = self.line {
            write!(f, "{line}: ")?;
        }
        write!(f, "{}; {}", self.what, self.instead)
    }
}

/// Reads a file; `name` stands for the zone of a trace of which nothing else says it.
///
/// # Errors
/// Every mistake in it.
pub fn read(text: &str, name: &str, reading: &Reading) -> Result<Vec<Found>, Vec<Mistake>> {
    let text = text.trim_start_matches('\u{feff}');
    let mut rows = Rows::new(reading);
    if text.trim_start().starts_with('{') {
        if recorded::is_trace(text) {
            recorded::read(text, name, &mut rows);
        } else {
            json_lines::read(text, &mut rows);
        }
    } else if is_trace_of_changes(text) {
        recorded::read(text, name, &mut rows);
    } else {
        csv::read(text, &mut rows);
    }
    rows.found()
}

/// Samples by series, and the mistakes so far.
struct Rows<'a> {
    reading: &'a Reading,
    series: BTreeMap<(String, Measure, [u64; 3]), Gathered>,
    mistakes: Vec<Mistake>,
}

/// One series so far.
struct Gathered {
    unit: String,
    factor: f64,
    asked: Asked,
    samples: Vec<Sample>,
}

/// A sample as a row tells it.
#[derive(Clone, Copy, Debug, Default)]
struct Row<'a> {
    line: usize,
    at: Option<Timestamp>,
    zone: Option<&'a str>,
    measure: Option<&'a Measure>,
    unit: Option<&'a str>,
    asked: Asked,
    value: f64,
}

impl<'a> Rows<'a> {
    fn new(reading: &'a Reading) -> Self {
        Self { reading, series: BTreeMap::new(), mistakes: Vec::new() }
    }

    fn is_hopeless(&self) -> bool {
        self.mistakes.len() >= MISTAKES_MAX
    }

    fn mistake(
        &mut self,
        line: impl Into<Option<usize>>,
        what: impl Into<String>,
        instead: impl Into<String>,
    ) {
        if !self.is_hopeless() {
            let (line, what, instead) = (line.into(), what.into(), instead.into());
            self.mistakes.push(Mistake { line, what, instead });
        }
    }

    fn add(&mut self, row: Row<'_>) {
        let reading = self.reading;
        let Some(at) = row.at else {
            self.mistake(row.line, "no time", "write one, as in 2026-01-31T08:00:00Z");
            return;
        };
        let Some(zone) = row.zone.or(reading.zone.as_deref()) else {
            self.mistake(row.line, "no zone", "say --zone, or add a column `zone`");
            return;
        };
        let unnamed = reading.is_open.then(|| Measure::Named(UNNAMED.to_owned()));
        let Some(measure) = row.measure.or(reading.measure.as_ref()).or(unnamed.as_ref()) else {
            self.mistake(row.line, "no measure", "say --measure, or add a column `measure`");
            return;
        };
        if row.asked != Asked::default() && *measure != Measure::Wait {
            let what = format!("{measure} with what was asked for");
            self.mistake(row.line, what, "leave cpus, memory and walltime to `wait`");
            return;
        }
        let key = (zone.to_owned(), measure.clone(), row.asked.key());
        if !self.series.contains_key(&key) {
            match self.gathered(row, zone, measure) {
                Some(gathered) => self.series.insert(key.clone(), gathered),
                None => return,
            };
        }
        let Some(series) = self.series.get_mut(&key) else { return };
        if row.unit.is_some_and(|unit| unit != series.unit) {
            let what = format!("another unit than `{}` for {measure} in {zone}", series.unit);
            self.mistake(row.line, what, "use one unit for a series");
            return;
        }
        series.samples.push(Sample { at, value: row.value * series.factor });
    }

    /// The beginning of a series; none where it cannot be one.
    fn gathered(&mut self, row: Row<'_>, zone: &str, measure: &Measure) -> Option<Gathered> {
        if let Some(what) = wrong_zone(zone) {
            self.mistake(row.line, what, "name zones as the site file does");
            return None;
        }
        let unit = row.unit.or(self.reading.unit.as_deref()).unwrap_or(measure.unit());
        match unit::factor(measure, unit) {
            Ok(factor) => Some(Gathered {
                unit: unit.to_owned(),
                factor,
                asked: row.asked,
                samples: Vec::new(),
            }),
            Err(error) => {
                let unit::NotAUnit { measure, unit, known } = error;
                let what = format!("{measure} is not measured in `{unit}`");
                self.mistake(row.line, what, format!("use one of {known}"));
                None
            }
        }
    }

    fn found(mut self) -> Result<Vec<Found>, Vec<Mistake>> {
        if self.series.is_empty() && self.mistakes.is_empty() {
            self.mistake(None, "no measurements", "give lines below a heading `time,value`");
        }
        if !self.mistakes.is_empty() {
            return Err(self.mistakes);
        }
        let found = self.series.into_iter().map(|((zone, measure, _), gathered)| {
            let Gathered { unit, asked, samples, .. } = gathered;
            Found { recording: Recording { zone, measure, asked, samples }, unit }
        });
        Ok(found.collect())
    }
}

/// Why this cannot be the name of a zone.
#[must_use]
pub fn wrong_zone(zone: &str) -> Option<String> {
    let is_odd = zone.is_empty() || zone.len() > 200 || zone.chars().any(char::is_control);
    is_odd.then(|| format!("`{}` is no name of a zone", zone.escape_debug()))
}

/// A time in a row; a mistake where it is none.
fn time_of(rows: &mut Rows<'_>, line: usize, text: &str) -> Option<Timestamp> {
    match time::parse(text) {
        Ok(at) => Some(at),
        Err(error) => {
            let text = error.to_string();
            let (what, instead) = text.split_once("; ").unwrap_or((&text, ""));
            rows.mistake(line, what, instead);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reading(zone: &str, measure: &str) -> Reading {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let measure = some(measure).map(|name| name.parse().unwrap());
        Reading { zone: some(zone), measure, ..Reading::default() }
    }

    fn names(found: &[Found]) -> Vec<String> {
        let name = |one: &Found| format!("{} {}", one.recording.zone, one.recording.measure);
        found.iter().map(name).collect()
    }

    fn told(text: &str, reading: &Reading) -> Vec<String> {
        read(text, "file", reading).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_value_for_each_time() {
        let text = "timestamp,value\n2014-02-14 14:30:00,17\n2014-02-14 14:35:00,\n1392388800,20\n";
        let percent = Reading { unit: Some("percent".into()), ..reading("north", "cpu") };
        let found = read(text, "f", &percent).unwrap();
        assert_eq!(names(&found), ["north cpu"]);
        let samples = &found[0].recording.samples;
        assert_eq!(samples.len(), 2, "an empty cell is a gap");
        assert_eq!(samples[0].at, Timestamp(1_392_388_200_000_000));
        assert!((samples[1].value - 0.2).abs() < 1e-12);
    }

    #[test]
    fn columns_are_measures_or_zones_or_both() {
        let text = "time,a,b\n2026-01-01,1,2\n2026-01-02,3,4\n";
        assert_eq!(names(&read(text, "f", &reading("z", "")).unwrap()), ["z a", "z b"]);
        assert_eq!(names(&read(text, "f", &reading("", "cpu")).unwrap()), ["a cpu", "b cpu"]);
        let both = "time,north:cpu,south:memory\n2026-01-01,0.5,7\n";
        let found = read(both, "f", &reading("", "")).unwrap();
        assert_eq!(names(&found), ["north cpu", "south memory"]);
        assert!(told(text, &reading("", ""))[0].starts_with("1: column `a`"));
    }

    #[test]
    fn rows_without_times_have_a_start_and_a_step() {
        let text = "avg_cpu,avg_mem\n0.4,0.3\n0.5,0.2\n";
        let open = reading("cell_a", "");
        assert!(told(text, &open)[0].contains("no column of times; say --start and --step"));
        let start = Some(Timestamp(1_556_668_800_000_000));
        let whole = Reading { start, step: Some(Duration::from_secs(300)), ..open };
        let found = read(text, "f", &whole).unwrap();
        assert_eq!(names(&found), ["cell_a avg_cpu", "cell_a avg_mem"]);
        assert_eq!(found[0].recording.samples[1].at, Timestamp(1_556_669_100_000_000));
    }

    #[test]
    fn json_lines_and_traces_are_known_by_their_looks() {
        let lines = "{\"time\": \"2026-01-01\", \"value\": 1}\n\n{\"time\": 1767312000, \"zone\": \"b\", \"measure\": \"wait\", \"unit\": \"min\", \"value\": 2}\n";
        let found = read(lines, "f", &reading("a", "count")).unwrap();
        assert_eq!(names(&found), ["a count", "b wait"]);
        assert!((found[1].recording.samples[0].value - 120.0).abs() < 1e-12);
        let trace = r#"{"metadata": {"gap_seconds": 300}, "data": [1, null, 0]}"#;
        assert!(told(trace, &reading("", ""))[0].contains("say --start"));
        let start = Some(Timestamp(600_000_000));
        let found = read(trace, "us-east-1a", &Reading { start, ..Reading::default() }).unwrap();
        assert_eq!(names(&found), ["us-east-1a count"]);
        let times: Vec<i64> = found[0].recording.samples.iter().map(|s| s.at.0).collect();
        assert_eq!(times, [600_000_000, 1_200_000_000]);
    }

    #[test]
    fn a_trace_says_at_every_step_what_was_there_also_where_nothing_changed() {
        let start = Some(Timestamp(0));
        let minutes = |text: &str| -> Vec<(i64, f64)> {
            let found = read(text, "z", &Reading { start, ..Reading::default() }).unwrap();
            let samples = &found[0].recording.samples;
            samples.iter().map(|sample| (sample.at.0 / 60_000_000, sample.value)).collect()
        };
        let json = r#"{"metadata": {"gap_seconds": 120}, "data": [1, 1, 1, null, 0]}"#;
        assert_eq!(minutes(json), [(0, 1.0), (2, 1.0), (4, 1.0), (8, 0.0)]);
        let changes = "seconds,count\n0,2\n720,\n1260,1\n1320,0\n";
        let held = [(0, 2.0), (5, 2.0), (10, 2.0), (21, 1.0), (22, 0.0)];
        assert_eq!(minutes(changes), held);
        assert!(minutes("seconds,count\n0,1\n1e12,0\n").len() < 1_100_000, "it ends");
    }

    #[test]
    fn every_mistake_is_told_with_its_line_and_what_to_write_instead() {
        let text = "time,value\nyesterday,1\n2026-01-01,much\n2026-01-02,3\n2026-01-03\n";
        let told = told(text, &reading("z", "cpu"));
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("2: `yesterday` is no time; write 2026-01-31T08:00:00Z"));
        assert_eq!(
            told[1],
            "3: `much` is no number; write a number, or nothing where it is not known"
        );
        assert_eq!(told[2], "5: 1 cell below 2 headings; write a cell for each heading");
    }

    #[test]
    fn lines_that_are_not_json_and_fields_that_are_not_known_are_told() {
        let text = "{\"time\": 1, \"value\": 1}\n{\"time\": 1, \"valve\": 1}\n{\"time\"\n";
        let told = told(text, &reading("z", "cpu"));
        assert!(told[0].starts_with("2: unknown field `valve`"), "{told:?}");
        assert!(told[1].starts_with("3: "), "{told:?}");
    }

    #[test]
    fn a_unit_must_fit_and_stay() {
        let text = "time,measure,unit,value\n2026-01-01,memory,MiB,1\n2026-01-02,memory,GiB,1\n2026-01-02,cpu,B,1\n";
        let told = told(text, &reading("z", ""));
        assert_eq!(
            told[0],
            "3: another unit than `MiB` for memory in z; use one unit for a series"
        );
        assert_eq!(told[1], "4: cpu is not measured in `B`; use one of share, percent, %");
    }

    #[test]
    fn waits_say_what_had_been_asked_for() {
        let table = "time,value,cpus,memory,walltime\n2026-01-01,5,1,1GiB,1h\n2026-01-02,900,64,,\n\
                     2026-01-03,7,1,1073741824,01:00:00\n";
        let found = read(table, "f", &reading("z", "wait")).unwrap();
        let sizes = |found: &[Found]| -> Vec<_> {
            found.iter().map(|one| (one.recording.asked, one.recording.samples.len())).collect()
        };
        let small =
            Asked { cpus: Some(1.0), memory: Some(1_073_741_824.0), walltime: Some(3600.0) };
        let large = Asked { cpus: Some(64.0), ..Asked::default() };
        assert_eq!(sizes(&found), [(small, 2), (large, 1)]);
        let lines = "{\"time\": 1, \"cpus\": 64, \"value\": 900}\n\
                     {\"time\": 2, \"cpus\": 1, \"memory\": \"1GiB\", \"walltime\": 3600, \"value\": 5}\n";
        let found = read(lines, "f", &reading("z", "wait")).unwrap();
        assert_eq!(sizes(&found), [(small, 1), (large, 1)]);
        for text in [csv(&found), json_lines(&found)] {
            assert_eq!(read(&text, "f", &Reading::default()).unwrap(), found);
        }
        let told = told(table, &reading("z", "cpu"));
        assert_eq!(
            told[0],
            "2: cpu with what was asked for; leave cpus, memory and walltime to `wait`"
        );
        let odd = "time,value,cpus\n2026-01-01,5,many\n";
        let told = self::told(odd, &reading("z", "wait"));
        assert_eq!(told[0], "2: `many` is no number of cpus; write a number, as in 4 or 0.5");
    }

    #[test]
    fn other_forms_are_named_and_other_words_for_what_is_not_known_are_read() {
        let north = reading("z", "up");
        for (text, what) in [
            ("time;value\n2026-01-01;0,5\n", "1: cells are separated by semicolons; separate"),
            ("time\tvalue\n2026-01-01\t0.5\n", "1: cells are separated by tabs; separate"),
            ("time,value\r2026-01-01,1\r", "1: lines end as on old Macs; end them"),
            ("[{\"time\": 1, \"value\": 2}]", "1: a list in JSON; write an object to a line"),
        ] {
            let told = told(text, &north);
            assert!(told.len() == 1 && told[0].starts_with(what), "{told:?}");
        }
        let words =
            "time,value\n2026-01-01,true\n2026-01-02,N/A\n2026-01-03,None\n2026-01-04,False\n";
        let found = read(words, "f", &north).unwrap();
        let values: Vec<f64> = found[0].recording.samples.iter().map(|s| s.value).collect();
        assert_eq!(values, [1.0, 0.0]);
    }

    #[test]
    fn where_it_is_open_cells_lie_between_commas_semicolons_or_tabs() {
        let open = Reading { is_open: true, ..reading("z", "") };
        let texts = [
            "time,cpu\n2026-01-01,0.5\n2026-01-02,none\n",
            "Time Stamp (UTC);cpu\n2026-01-01;0,5\n2026-01-02;N/A\n",
            "time\tcpu\n2026-01-01\t\"0,5\"\n2026-01-02\t\n",
        ];
        for text in texts {
            let found = read(text, "f", &open).unwrap();
            assert_eq!(names(&found), ["z cpu"]);
            let samples = &found[0].recording.samples;
            assert!(samples.len() == 1 && (samples[0].value - 0.5).abs() < 1e-12, "{text}");
        }
    }

    #[test]
    fn two_columns_that_say_the_same_are_a_mistake() {
        let twice = told("time,cpu,CPU\n2026-01-01,1,2\n", &reading("z", ""));
        assert_eq!(
            twice,
            ["1: column `CPU` says the same as another; leave one out, or name it otherwise"]
        );
        let times = told("date,time,cpu\n2026-01-01,08:00,1\n", &reading("z", ""));
        assert!(times[0].contains("column `time` says the same"), "{times:?}");
    }

    #[test]
    fn where_it_is_open_columns_may_be_called_anything() {
        let step = Some(Duration::from_secs(300));
        let open = Reading { is_open: true, start: Some(Timestamp(0)), step, ..reading("vm", "") };
        let named = |text: &str| names(&read(text, "f", &open).unwrap());
        assert_eq!(named("time,CPU usage [%],host\n1,2,web\n"), ["vm cpu_usage"]);
        assert_eq!(named(",north:cpu,2nd\n0,1,2\n"), ["north cpu", "vm column_2nd"]);
        assert_eq!(named("41\n42\n"), ["vm amount"]);
        assert_eq!(named("1;2;3\n3;4;5\n"), ["vm column_1", "vm column_2", "vm column_3"]);
        assert_eq!(named("timestamp,value,is_odd\n1,2,3\n"), ["vm amount"]);
        assert_eq!(read("41\n42\n", "f", &open).unwrap()[0].recording.samples.len(), 2);
        let told = read("who,what\nme,this\n", "f", &open).unwrap_err();
        assert!(told[0].line.is_none() && told[0].what == "no measurements", "{told:?}");
    }

    #[test]
    fn nothing_at_all_is_a_mistake() {
        assert_eq!(told("", &reading("z", "cpu")).len(), 1);
        assert_eq!(told("time,value\n", &reading("z", "cpu")).len(), 1);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            values in prop::collection::vec((0_i64..4_000_000_000_000_000, -1e12..1e12_f64), 1..40),
            zone in "[a-z \",;\u{e4}-]{1,12}",
            is_csv in any::<bool>(),
        ) {
            let sample = |&(at, value): &(i64, f64)| Sample { at: Timestamp(at), value };
            let recording = Recording {
                zone: zone.clone(),
                measure: Measure::Named("x".into()),
                asked: Asked::default(),
                samples: values.iter().map(sample).collect(),
            };
            let found = vec![Found { recording, unit: "a,b".into() }];
            let text = if is_csv { csv(&found) } else { json_lines(&found) };
            prop_assert_eq!(read(&text, "f", &Reading::default()), Ok(found));
        }

        #[test]
        fn whatever_a_file_holds_reading_it_ends(text in "[ -~\n\u{feff}]{0,200}") {
            let _ = read(&text, "f", &reading("z", "cpu"));
        }
    }
}
