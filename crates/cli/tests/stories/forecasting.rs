//! Forecasts tested on recorded availability.

use crate::stage::Stage;

/// Two weeks of a zone sampled every half hour: up but for some hours of each day, and now and then
/// for no reason.
fn trace(seed: u64) -> String {
    let mut dice = seed;
    let samples: Vec<&str> = (0..14 * 48)
        .map(|t| {
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let is_odd = dice >> 60 == 0;
            let is_day = (18..40).contains(&(t % 48));
            if t == 100 {
                "null"
            } else if is_day != is_odd {
                "1"
            } else {
                "0"
            }
        })
        .collect();
    format!("{{\"metadata\": {{\"gap_seconds\": 1800}}, \"data\": [{}]}}", samples.join(", "))
}

#[test]
fn recorded_availability_is_replayed_scored_and_every_forecast_written_the_same_twice() {
    let stage = Stage::with(&[]);
    stage.write("traces/spot/north-1a.json", &trace(1));
    stage.write("traces/spot/north-1b.json", &trace(2));
    let words = ["forecast", "backtest", "traces", "--emit", "f.jsonl"];
    let told = stage.foreshard(&words).ends(0).prints("spot: up at the end of the horizon");
    told.prints("persistence").prints("north-1b").prints("came true");
    let first = stage.read("f.jsonl");
    // Of 672 steps the last 269 are origins; an hour ahead is two steps.
    let of_an_hour = first.lines().filter(|line| {
        line.contains("\"horizon_min\":60,\"p_available\"") && line.contains("north-1a")
    });
    assert_eq!(of_an_hour.count(), 672 - 403 - 2);
    assert!(first.starts_with("{\"folder\":\"spot\",\"zone\":\"north-1a\",\"origin\":403,"));
    let json = stage.foreshard(&[&words[..], &["--json"]].concat()).ends(0).json();
    assert_eq!(json[0]["forecaster"], "foreshard");
    assert!(json[0]["skill"].as_f64().is_some_and(|skill| skill > 0.5), "{}", json[0]);
    assert_eq!(stage.read("f.jsonl"), first);
}

#[test]
fn a_zone_of_several_instances_is_forecast_with_how_many_there_will_be() {
    let stage = Stage::with(&[]);
    stage.write("traces/pool/north-1a.json", &trace(1).replace("1,", "3,"));
    let words = ["forecast", "backtest", "traces", "--emit-counts", "f.jsonl"];
    let told = stage.foreshard(&words).ends(0).prints("pool: instances at the end of the horizon");
    told.prints("last count").prints("last day");
    let said = stage.read("f.jsonl");
    let said = said.lines().filter(|line| line.contains("\"horizon_min\":60,\"quantiles\":["));
    assert_eq!(said.clone().count(), 672 - 403 - 2);
    let quantiles = |line: &str| -> Vec<f64> {
        let line: serde_json::Value = serde_json::from_str(line).expect("it is JSON");
        serde_json::from_value(line["quantiles"].clone()).expect("it is a list of numbers")
    };
    let said: Vec<Vec<f64>> = said.map(quantiles).collect();
    assert!(said.iter().all(|said| said.len() == 19 && said.is_sorted()));
    assert!(said.iter().flatten().all(|count| [0.0, 1.0, 3.0].contains(count)));
    let json = stage.foreshard(&["forecast", "backtest", "traces", "--json"]).ends(0).json();
    let counts = json.as_array().expect("a list").iter().filter(|entry| entry["kind"] == "count");
    let at_an_hour = counts.filter(|entry| entry["horizon_min"] == 60);
    let crps: Vec<f64> =
        at_an_hour.map(|entry| entry["crps"].as_f64().expect("a number")).collect();
    assert!(crps.len() == 4 && crps[1..].iter().all(|baseline| crps[0] < *baseline), "{crps:?}");
    let told = stage.foreshard(&["forecast", "show", "traces"]).ends(0);
    told.prints("north-1a: instances; in 1 h: ");
}

#[test]
fn a_file_that_is_no_trace_is_refused_by_name() {
    let stage = Stage::with(&[]);
    stage.foreshard(&["forecast", "backtest", "."]).ends(2).says("there are no traces in .");
    stage.write("traces/zone.json", "{\"data\": [1]}");
    let told = stage.foreshard(&["forecast", "backtest", "traces"]).ends(2);
    told.says("traces/zone.json is not a trace").says("metadata").says("there are no traces");
    let file = stage.foreshard(&["forecast", "show", "traces/zone.json"]).ends(2);
    file.says("is a file").says("name the folder");
}

/// A trace in which only changes are recorded: `up` of every three hours for two weeks.
fn changes(up: u32) -> String {
    let row = |i: u32| format!("{},1\n{},0\n", i * 10_800, i * 10_800 + up * 3600);
    "seconds,count\n".to_owned() + &(0..112).map(row).collect::<String>()
}

#[test]
fn what_cannot_be_replayed_is_named_and_the_rest_is_replayed() {
    let stage = Stage::with(&[]);
    stage.write("data/spot/a.csv", &changes(1));
    stage.write("data/spot/b.csv", &changes(2));
    // Things that lie about are named where they might have been meant, and are no mistake.
    stage.write("data/README.md", "read me");
    stage.write("data/package.json", "{\"name\": \"package\"}");
    stage.write("data/notes.csv", "who,what\nme,this\n");
    stage.write("data/.foreshard/forecast.json", "{}");
    (0..20).for_each(|i| stage.write(&format!("data/zz/{i}.json"), "{}"));
    let told = stage.foreshard(&["forecast", "backtest", "data", "--emit", "f.jsonl"]).ends(0);
    let told = told.prints("spot: up at the end of the horizon");
    let told = told.says("package.json is not a trace, and left out");
    let told = told.says("notes.csv is no table of amounts, and left out: no measurements");
    let told = told.says("warning: 12 more are neither traces nor tables");
    assert!(!told.err.contains("README") && !told.err.contains("forecast.json"), "{}", told.err);
    let whole = stage.read("f.jsonl");
    assert!(whole.contains("\"zone\":\"a\"") && whole.contains("\"zone\":\"b\""));

    // What was meant and is broken makes the command end so; all else is as it was.
    stage.write("data/spot/c.json", "{\"metadata\": {\"gap_seconds\": 300}, \"data\": [1, 0");
    stage.write("data/spot/d.json", "{\"metadata\": {\"gap_seconds\": 60}, \"data\": [1, 0, 1]}");
    stage.write("data/odd/e.json", "{\"metadata\": {\"gap_seconds\": 300}, \"data\": [null, -1]}");
    let told = stage.foreshard(&["forecast", "backtest", "data", "--emit", "g.jsonl"]).ends(2);
    told.says("c.json is not a trace").says("d is left out, for it is not sampled at the steps");
    assert_eq!(stage.read("g.jsonl"), whole);
    let told = stage.foreshard(&["forecast", "show", "data", "--horizon", "10m"]).ends(2);
    told.prints("spot: 2 zones").prints("10 min").prints("e ").prints("unknown");
    let told = stage.foreshard(&["forecast", "backtest", "data/odd"]).ends(0);
    told.prints("nothing is known of what follows");
}

#[test]
fn a_zone_that_nobody_hears_of_is_not_said_to_be_up() {
    let stage = Stage::with(&[]);
    stage.write("spot/heard.json", &trace(1));
    let data: Vec<&str> = (0..14 * 48).map(|t| if t < 400 { "1" } else { "null" }).collect();
    let text =
        format!("{{\"metadata\": {{\"gap_seconds\": 1800}}, \"data\": [{}]}}", data.join(","));
    stage.write("spot/silent.json", &text);
    let told = stage.foreshard(&["forecast", "show", "spot", "--svg", "out.svg"]).ends(0);
    let line = told.out.lines().find(|line| line.starts_with("silent")).expect("it is there");
    assert!(line.contains("was up  ") && !line.contains("up,"), "{line}");
    assert!(stage.read("out.svg").contains("was up ·"), "{line}");
}

#[test]
fn what_will_be_free_is_shown_from_traces_as_a_table_a_picture_and_json_that_its_schema_describes()
{
    let stage = Stage::with(&[]);
    stage.write("traces/spot/north-1a.json", &trace(1));
    stage.write("traces/spot/north-1b.json", &trace(2));
    let words = ["forecast", "show", "traces", "--svg", "out.svg"];
    let told = stage.foreshard(&words).ends(0).prints("spot: 2 zones, 14 days of their past");
    told.prints("stays up for").prints("zones up at once").prints("12 h before").prints("model:");
    let drawn = stage.read("out.svg");
    assert!(drawn.starts_with("<svg") && drawn.contains("north-1b") && !drawn.contains("NaN"));
    let words = ["forecast", "show", "traces", "--zone", "north-1a", "--horizon", "6h", "--json"];
    let json = stage.foreshard(&words).ends(0).json();
    let zones = json[0]["zones"].as_array().expect("zones");
    assert_eq!((zones.len(), &zones[0]["zone"]), (1, &"north-1a".into()));
    assert_eq!(zones[0]["up"].as_array().map(Vec::len), Some(72));
    let schema = stage.foreshard(&["schema", "forecast"]).ends(0).json();
    for (field, _) in json[0].as_object().expect("an object") {
        assert!(schema["properties"][field].is_object(), "{field} is not in the schema");
    }
}

#[test]
fn what_came_later_is_not_looked_at() {
    let stage = Stage::with(&[]);
    let whole = trace(1);
    stage.write("whole/zone.json", &whole);
    let day = whole.match_indices(", ").nth(10 * 48 + 1).expect("ten days").0;
    stage.write("cut/zone.json", &format!("{}]}}", &whole[..day]));
    let zones = |root| {
        let words = ["forecast", "show", root, "--at", "10d", "--json"];
        stage.foreshard(&words).ends(0).json()[0]["zones"].clone()
    };
    assert_eq!(zones("whole"), zones("cut"));
}

#[test]
fn a_forecast_of_nothing_and_a_horizon_beyond_a_day_are_refused() {
    let stage = Stage::with(&[]);
    stage.foreshard(&["forecast", "show"]).ends(2).says("nothing was measured yet");
    stage.write("traces/zone.json", &trace(1));
    let show = |more: &[&str]| stage.foreshard(&[&["forecast", "show", "traces"], more].concat());
    show(&["--horizon", "3d"]).ends(2).says("from 5min to 24h");
    show(&["--zone", "nowhere"]).ends(2).says("there is no zone nowhere");
    show(&["--at", "soon"]).ends(2).says("`soon` is no time");
    show(&["--at", "30d"]).ends(0).says("traces ends after 336h00m, and is forecast from there");
    show(&["--without", "clock"]).ends(2).says("cannot be used with");
}

/// Ten days of a use by the hour: a wave, and one column that hardly moves.
fn table() -> String {
    let row = |t: u32| {
        let wave = 50.0 + 30.0 * (f64::from(t % 24) / 24.0 * std::f64::consts::TAU).sin();
        let cell = if t == 30 { String::new() } else { format!("{wave:.1}") };
        let day = format!("2026-03-{:02} {:02}:00:00", 1 + t / 24, t % 24);
        format!("{day},{cell},{}\n", 5 + t % 2)
    };
    "timestamp,load,idle\n".to_owned() + &(0..240).map(row).collect::<String>()
}

#[test]
fn a_table_of_amounts_is_replayed_column_by_column_against_three_baselines() {
    let stage = Stage::with(&[]);
    stage.write("usage/host.csv", &table());
    let told = stage.foreshard(&["forecast", "backtest", "usage"]).ends(0);
    told.prints("host:load").prints("seasonal naive").prints("within the 80 % interval");
    let json = stage.foreshard(&["forecast", "backtest", "usage", "--json"]).ends(0).json();
    let entries = json.as_array().expect("it prints a list");
    // Two columns, five horizons, four forecasters.
    assert_eq!(entries.len(), 40);
    let of = |forecaster: &str| {
        let is_it = |entry: &&serde_json::Value| {
            entry["series"] == "host:load"
                && entry["horizon_min"] == 360
                && entry["forecaster"] == forecaster
        };
        entries.iter().find(is_it).expect("it is there").clone()
    };
    // Of 240 hours the last 96 are origins; six hours ahead there is an outcome for 90.
    assert_eq!(of("foreshard")["rows"], 90);
    let wql = |forecaster| of(forecaster)["wql"].as_f64().expect("it is a number");
    assert!(wql("foreshard") < 0.3 * wql("last value"));
    stage.write("usage/broken.csv", "timestamp,value\nyesterday,1\n");
    let told = stage.foreshard(&["forecast", "backtest", "usage"]).ends(2);
    told.says("usage/broken.csv").prints("host:load");
}

#[test]
fn tables_of_others_are_replayed_whatever_their_columns_are_called_and_flaws_are_told() {
    let stage = Stage::with(&[]);
    let wave = |t: u32| 50.0 + 30.0 * (f64::from(t % 24) / 24.0 * std::f64::consts::TAU).sin();
    let rows = |row: &dyn Fn(u32) -> String| (0..240).map(row).collect::<String>();
    let semicolons = rows(&|t| {
        format!("{};\t{:.1};\tweb\n", 1_376_314_800 + t * 3600, wave(t)).replace('.', ",")
    });
    stage.write("u/vm.csv", &format!("Timestamp [ms];\tCPU usage [%];\thost\n{semicolons}"));
    stage.write("u/bare.csv", &rows(&|t| format!("{:.0}\n", wave(t))));
    let unit = rows(&|t| format!("{}\t{}\n", t, wave(t) * if t < 200 { 1.0 } else { 100.0 }));
    stage.write("u/unit.tsv", &format!("\tload\n{unit}"));
    stage.write("u/idle.csv", &format!("value\n{}", rows(&|_| "0\n".to_owned())));
    let twice =
        rows(&|t| format!("{0},n,cpu,{1}\n{0},s,cpu,{1}\n", 1_376_314_800 + t * 3600, wave(t)));
    stage.write("u/two.csv", &format!("time,zone,measure,value\n{twice}"));
    let told = stage.foreshard(&["forecast", "backtest", "u", "--step", "1h"]).ends(0);
    let told = told.prints("vm:cpu_usage").prints("bare ").prints("unit:load").prints("two:n:cpu");
    let told = told.says("unit:load: values changed by a factor of 100, as if the unit did");
    let told = told.says("idle: every value is the same");
    assert!(!told.out.contains("inf") && !told.out.contains("NaN"), "{}", told.out);
}

/// Ten days of cpu and of being up every five minutes, down for an hour now and then.
fn measured() -> String {
    let mut text = String::from("time,north:cpu,north:up\n");
    for i in 0..10 * 288 {
        let (day, minutes) = (1 + i / 288, (i % 288) * 5);
        let is_up = i % 397 >= 12;
        let cpu = if (8 * 60..18 * 60).contains(&minutes) { 0.8 } else { 0.1 };
        let time = format!("2026-03-{day:02}T{:02}:{:02}:00Z", minutes / 60, minutes % 60);
        text += &format!("{time},{},{}\n", cpu + f64::from(i % 5) * 0.01, u8::from(is_up));
    }
    text
}

const WORKS: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\n\
    DTSTAMP:20260301T000000Z\r\nDTSTART:20260311T060000Z\r\nDTEND:20260311T090000Z\r\n\
    SUMMARY:cooling\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

#[test]
fn what_a_project_measured_is_forecast_with_its_calendar_and_the_forecast_is_kept() {
    let stage = Stage::with(&[("measured.csv", &measured()), ("works.ics", WORKS)]);
    stage.write(
        "site.yaml",
        "foreshard: 1\nzones:\n  north: {backend: local, pools: {main: {cpus: 8, memory: 8GiB}}}\n\
         calendars:\n  works: {from: works.ics, kind: drain}\n",
    );
    stage.foreshard(&["history", "import", "measured.csv"]).ends(0);
    let words = ["forecast", "show", "--site", "site.yaml", "--svg", "out.svg"];
    stage.foreshard(&words).ends(0).prints("north: cpu free").prints("━");
    let drawn = stage.read("out.svg");
    assert!(drawn.contains("works") && drawn.contains("north: cpu free"));
    let kept: serde_json::Value =
        serde_json::from_str(&stage.read(".foreshard/forecast.json")).unwrap();
    assert_eq!(kept["at"], 1_773_187_200_000_000_i64);
    let up = |step: usize| kept["zones"][0]["up"][step].as_f64().unwrap();
    assert!(up(90) < 0.2 && up(150) > 0.6, "down at 7:30 and up at 12:30: {} {}", up(90), up(150));
    let free = &kept["zones"][0]["free"][0];
    assert_eq!(
        (&free["measure"], free["quantiles"].as_array().map(Vec::len)),
        (&"cpu".into(), Some(288))
    );
}

/// The hour of each day of March from which a zone is down for three hours: no rhythm, but announced.
fn hour_of_works(day: u32) -> u32 {
    day * day * 7 % 20
}

/// Eight days of a zone every five minutes; it is down during works.
fn measured_with_works() -> String {
    let mut text = String::from("time,value\n");
    for i in 0..8 * 288 {
        let (day, minute) = (1 + i / 288, i % 288 * 5);
        let works = hour_of_works(day) * 60;
        let is_up = u8::from(!(works..works + 180).contains(&minute));
        let (hour, minute) = (minute / 60, minute % 60);
        text += &format!("2026-03-{day:02}T{hour:02}:{minute:02}:00Z,{is_up}\n");
    }
    text
}

fn works() -> String {
    let event = |day: u32| {
        let (from, to) = (hour_of_works(day), hour_of_works(day) + 3);
        format!(
            "BEGIN:VEVENT\r\nUID:{day}\r\nDTSTAMP:20260301T000000Z\r\n\
             DTSTART:202603{day:02}T{from:02}0000Z\r\nDTEND:202603{day:02}T{to:02}0000Z\r\nEND:VEVENT\r\n"
        )
    };
    let events: String = (1..=9).map(event).collect();
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n")
}

const SITE_WITH_WORKS: &str = "foreshard: 1\nzones:\n  \
    north: {backend: local, pools: {main: {cpus: 8, memory: 8GiB}}}\n\
    calendars:\n  works: {from: works.ics, kind: drain}\n";

#[test]
fn an_input_that_helped_is_named_by_a_backtest_and_can_be_left_out_of_a_forecast() {
    let stage = Stage::with(&[("measured.csv", &measured_with_works()), ("works.ics", &works())]);
    stage.write("site.yaml", SITE_WITH_WORKS);
    let import = |zone: &str| {
        let words = ["history", "import", "measured.csv", "--measure", "up", "--zone", zone];
        stage.foreshard(&words).ends(0);
    };
    import("north");
    let words = ["forecast", "backtest", "--site", "site.yaml"];
    let told = stage.foreshard(&words).ends(0).prints("up throughout the horizon");
    let is_told = |line: &&str| line.starts_with("calendar works: Brier 0.");
    let lines: Vec<&str> = told.out.lines().filter(is_told).collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.ends_with(": helped")), "{lines:?}");
    let json = stage.foreshard(&[&words[..], &["--json"]].concat()).ends(0).json();
    let entries = json.as_array().expect("it prints a list");
    let of_a_day = |input: &str| {
        let is_it = |entry: &&serde_json::Value| {
            entry["kind"] == "input" && entry["input"] == input && entry["horizon_min"] == 1440
        };
        entries.iter().find(is_it).expect("it is there")
    };
    let brier = |input, which| of_a_day(input)[which].as_f64().expect("it is a number");
    assert!(brier("works", "brier_with") < 0.7 * brier("works", "brier_without"));
    assert_eq!(brier("works", "brier_with"), brier("clock", "brier_with"));
    assert_eq!(of_a_day("works")["verdict"], "helped");

    // A zone that the site does not know keeps none of the others from knowing.
    import("south");
    let up = |more: &[&str]| {
        let words = ["forecast", "show", "--site", "site.yaml", "--json"];
        let told = stage.foreshard(&[&words[..], more].concat()).ends(0);
        let json = told.says("nothing is known ahead: `south`").json();
        // Half past eight on the ninth, amid works.
        [0, 1].map(|zone| json[0]["zones"][zone]["up"][101].as_f64().expect("it is a number"))
    };
    let ([north, south], [blind, _]) = (up(&[]), up(&["--without", "works", "--without", "clock"]));
    assert!(north < 0.3 && south > 0.5 && blind > 0.5, "{north} {south} {blind}");
    let words = ["forecast", "show", "--site", "site.yaml", "--without", "weather"];
    stage.foreshard(&words).ends(2).says("there is no input `weather`").says("clock, runs, works");
}

/// A level for each three hours, in no rhythm.
fn level(seed: u32, hour: u32) -> f64 {
    let x = (hour / 3 + 1).wrapping_mul(2_654_435_761).wrapping_add(seed.wrapping_mul(40_503));
    f64::from((x ^ (x >> 15)).wrapping_mul(2_246_822_519) >> 8 & 0xff) / 255.0
}

fn at_hour(hour: u32) -> String {
    format!("2026-03-{:02}T{:02}:00:00Z", 1 + hour / 24, hour % 24)
}

#[test]
fn a_feed_that_drives_cpu_is_found_to_help_by_a_backtest_of_a_project_and_one_of_noise_is_not() {
    let stage = Stage::with(&[]);
    let feed = |seed: u32| {
        let line = |hour: u32| format!("{},{:.3}\n", at_hour(hour), level(seed, hour));
        "time,value\n".to_owned() + &(0..264).map(line).collect::<String>()
    };
    stage.write("jobs.csv", &feed(1));
    stage.write("wind.csv", &feed(2));
    let cpu: String = (0..240 * 12)
        .map(|i| {
            let (hour, minute) = (i / 12, i % 12 * 5);
            let time = at_hour(hour).replace(":00:00Z", &format!(":{minute:02}:00Z"));
            format!("{time},{:.3}\n", 0.1 + 0.7 * level(1, hour) + 0.01 * f64::from(i * 7 % 5))
        })
        .collect();
    stage.write("measured.csv", &format!("time,north:cpu\n{cpu}"));
    stage.foreshard(&["history", "import", "measured.csv"]).ends(0);
    stage.write(
        "site.yaml",
        "foreshard: 1\nzones:\n  north: {backend: local, pools: {main: {cpus: 8, memory: 8GiB}}}\n\
         feeds:\n  jobs: {from: jobs.csv, known_ahead: true}\n  wind: {from: wind.csv, known_ahead: true}\n",
    );
    let words = ["forecast", "backtest", "--site", "site.yaml"];
    let told =
        stage.foreshard(&words).ends(0).prints("north:cpu").prints("what inputs were worth, cpu");
    let line = |input: &str| {
        let is_it = |line: &&str| line.starts_with(&format!("{input}: WQL "));
        told.out.lines().find(is_it).unwrap_or_else(|| panic!("{}", told.out))
    };
    assert!(line("feed jobs").ends_with(": helped"), "{}", told.out);
    assert!(!line("feed wind").ends_with(": helped"), "{}", told.out);
    assert!(!line("clock").ends_with(": helped"), "{}", told.out);
    // With the clock as the only input and for half as long, for programs.
    let rows: String = cpu.lines().take(96 * 12).map(|line| format!("{line}\n")).collect();
    stage.write("short.csv", &format!("time,south:cpu\n{rows}"));
    std::fs::create_dir_all(stage.path("other")).expect("a folder can be made");
    stage.foreshard(&["history", "import", "short.csv", "--project", "other"]).ends(0);
    stage.write(
        "other/site.yaml",
        "foreshard: 1\nzones:\n  south: {backend: local, pools: {main: {cpus: 8, memory: 8GiB}}}\n",
    );
    let words =
        ["forecast", "backtest", "--project", "other", "--site", "other/site.yaml", "--json"];
    let json = stage.foreshard(&words).ends(0).json();
    let entries = json.as_array().expect("it prints a list");
    let found = |is_it: &dyn Fn(&serde_json::Value) -> bool| {
        let is_of_cpu = |entry: &&serde_json::Value| {
            entry["measure"] == "cpu" && entry["horizon_min"] == 180 && is_it(entry)
        };
        entries.iter().find(is_of_cpu).expect("it is there").clone()
    };
    let worth = found(&|entry| entry["kind"] == "input" && entry["input"] == "clock");
    assert_eq!(worth["verdict"], "unclear", "{worth}");
    let score = found(&|entry| entry["zone"] == "south" && entry["forecaster"] == "foreshard");
    let number = |value: &serde_json::Value| value.as_f64().expect("it is a number");
    assert!((number(&score["wql"]) - number(&worth["wql_with"])).abs() < 1e-9, "{score} {worth}");
    assert!((0.0..=1.0).contains(&number(&score["coverage"])), "{score}");
}

/// Ten days of a queue: one cpu for an hour is there within a minute, 64 for a day after an hour or two.
fn queue() -> String {
    let row = |i: u32| {
        let time = format!("2026-03-{:02}T{:02}:{:02}:00Z", 1 + i / 24, i % 24, i * 7 % 60);
        match i % 2 {
            0 => format!("{time},{},1,2G,01:00:00\n", 10 + i % 40),
            _ => format!("{time},{},64,256G,1-00:00:00\n", 3600 + i * 13 % 3600),
        }
    };
    "time,value,cpus,memory,walltime\n".to_owned() + &(0..240).map(row).collect::<String>()
}

#[test]
fn larger_requests_wait_longer_where_the_history_of_a_queue_says_so() {
    let stage = Stage::with(&[("queue.csv", &queue())]);
    let words = ["history", "import", "queue.csv", "--zone", "cluster", "--measure", "wait"];
    for new in ["cluster wait: 240 new samples", "cluster wait: 0 new samples, 240 known"] {
        stage.foreshard(&words).ends(0).prints(new);
    }
    let median = |more: &[&str]| {
        let words = [&["forecast", "show", "--json"], more].concat();
        let json = stage.foreshard(&words).ends(0).json();
        let wait = json[0]["zones"][0]["wait"].clone();
        let second = wait["seconds"][2].as_f64().expect("it is a number");
        (second, wait["asked"]["cpus"].as_f64(), wait["waits"].as_f64().unwrap_or(0.0))
    };
    let small = median(&["--cpus", "1", "--memory", "2GiB", "--walltime", "1h"]);
    let large = median(&["--cpus", "64", "--memory", "256GiB", "--walltime", "24h"]);
    assert!(small.0 < 60.0 && large.0 > 3600.0, "{small:?} {large:?}");
    assert_eq!((small.1, large.1), (Some(1.0), Some(64.0)));
    let any = median(&[]);
    assert!((small.0..large.0).contains(&any.0) && any.2 > small.2, "{any:?}");
    let told = stage.foreshard(&["forecast", "show", "--cpus", "64", "--walltime", "1d"]).ends(0);
    told.prints("cluster: from asking to running for 64 cpus, 24 h: 1.");
    stage.foreshard(&["forecast", "show", "--cpus", "none"]).ends(2).says("as in 4 or 0.5");

    // What was asked for comes along when it is given away.
    stage.foreshard(&["history", "export", "-o", "out.csv"]).ends(0);
    assert!(
        stage.read("out.csv").starts_with("time,zone,measure,unit,value,cpus,memory,walltime\n")
    );
    std::fs::create_dir_all(stage.path("other")).unwrap();
    stage.foreshard(&["history", "import", "out.csv", "--project", "other"]).ends(0);
    let words = ["history", "export", "--project", "other"];
    assert_eq!(stage.foreshard(&words).ends(0).out, stage.read("out.csv"));
    stage.write("odd.csv", "time,value,cpus\n2026-03-01,5,many\n2026-03-02,5,-1\n");
    let words = ["history", "import", "odd.csv", "--zone", "cluster", "--measure", "wait"];
    let told = stage.foreshard(&words).ends(2);
    told.says("odd.csv:2: `many` is no number of cpus")
        .says("odd.csv:3: `-1` is no number of cpus");
}

#[test]
fn joint_futures_are_drawn_from_traces_in_short_and_line_by_line_the_same_twice() {
    let stage = Stage::with(&[]);
    stage.write("traces/spot/north-1a.json", &trace(1));
    stage.write("traces/spot/north-1b.json", &trace(2));
    let words = ["forecast", "paths", "traces", "-n", "300"];
    let told = stage.foreshard(&words).ends(0).prints("spot: 300 joint futures of 2 zones");
    told.prints("up and down together").prints("1 of 2").prints("any of them up");
    let words = [&words[..], &["--horizon", "6h", "--json"]].concat();
    let told = stage.foreshard(&words).ends(0).out;
    let lines: Vec<serde_json::Value> =
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["paths"]), (1 + 300 * 2, &300.into()));
    for line in &lines[1..] {
        let runs = line["runs"].as_array().unwrap();
        // Steps from now to the end of the horizon, without a gap.
        assert_eq!((&runs[0]["from"], &runs[runs.len() - 1]["to"]), (&0.into(), &73.into()));
        assert!(runs.windows(2).all(|two| two[0]["to"] == two[1]["from"]));
    }
    assert_eq!(stage.foreshard(&words).ends(0).out, told);
    let other = stage.foreshard(&[&words[..], &["--seed", "2"]].concat()).ends(0).out;
    assert_ne!(other, told);
    stage.foreshard(&["forecast", "paths", "traces", "-n", "0"]).ends(2).says("1..=100000");
    stage.foreshard(&["forecast", "paths"]).ends(2).says("nothing was measured yet");
}

#[test]
fn joint_futures_of_what_was_measured_have_amounts_as_long_as_a_zone_is_up() {
    let stage = Stage::with(&[("measured.csv", &measured())]);
    stage.foreshard(&["history", "import", "measured.csv"]).ends(0);
    stage.foreshard(&["forecast", "paths"]).ends(0).prints("cpu free in all zones that are up");
    let told = stage.foreshard(&["forecast", "paths", "-n", "50", "--json"]).ends(0).out;
    let lines: Vec<serde_json::Value> =
        told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0]["zones"][0]["amounts"][0]["measure"], "cpu");
    let runs = lines[1..].iter().flat_map(|line| line["runs"].as_array().unwrap());
    let mut seen = [0; 2];
    for run in runs {
        let is_up = run["is_up"].as_bool().unwrap();
        seen[usize::from(is_up)] += 1;
        assert_eq!(run["amounts"].is_array(), is_up, "{run}");
        assert!(!is_up || (0.0..=1.0).contains(&run["amounts"][0].as_f64().unwrap()), "{run}");
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}
