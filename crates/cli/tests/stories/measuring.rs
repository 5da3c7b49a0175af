//! Measurements taken in, shown, given away and forgotten; and a machine that is measured.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use rustix::process::Signal;

use crate::stage::Stage;

/// A day of a zone, a value each five minutes.
fn table(heading: &str, value: impl Fn(u32) -> String) -> String {
    let mut text = format!("{heading}\n");
    for i in 0..288 {
        let (hour, minute) = (i / 12, i % 12 * 5);
        text += &format!("2026-03-01 {hour:02}:{minute:02}:00,{}\n", value(i));
    }
    text
}

fn shown(stage: &Stage) -> serde_json::Value {
    stage.foreshard(&["history", "show", "--json"]).ends(0).json()
}

#[test]
fn measurements_are_taken_in_once_shown_and_plotted() {
    let stage = Stage::with(&[("cpu.csv", &table("timestamp,value", |i| (i % 40).to_string()))]);
    let words = [
        "history",
        "import",
        "cpu.csv",
        "--zone",
        "north",
        "--measure",
        "cpu",
        "--unit",
        "percent",
    ];
    stage.foreshard(&words).ends(0).prints("north cpu: 288 new samples\n");
    stage.foreshard(&words).ends(0).prints("north cpu: 0 new samples, 288 known\n");
    let told =
        stage.foreshard(&["history", "show"]).ends(0).prints("north cpu: 288 samples in share");
    told.prints("from cpu.csv").prints("38 %").prints("2026-03-01 00:00").prints("█");
    let json = shown(&stage);
    assert_eq!(json[0]["samples"], 288);
    assert_eq!(json[0]["step_seconds"], 300.0);
    assert_eq!(json[0]["last"], "2026-03-01T23:55:00Z");
}

#[test]
fn zones_side_by_side_keep_their_gaps() {
    let value = |i| if (100..144).contains(&i) { "1,".to_owned() } else { "1,0".to_owned() };
    let stage = Stage::with(&[("up.csv", &table("time,north,south", value))]);
    stage.foreshard(&["history", "import", "up.csv", "--measure", "up"]).ends(0);
    let json = shown(&stage);
    assert_eq!((&json[0]["zone"], &json[1]["zone"]), (&"north".into(), &"south".into()));
    assert_eq!((&json[0]["gaps_percent"], &json[1]["gaps_percent"]), (&0.into(), &16.into()));
    let told = stage.foreshard(&["history", "show"]).ends(0);
    told.prints("ZONE").prints("16 %").prints("every value is the same");
    stage.foreshard(&["history", "show", "--zone", "south"]).ends(0).prints("·····");
}

#[test]
fn what_is_exported_is_imported_as_it_was() {
    let value = |i: u32| format!("{},{}", f64::from(i).sin().abs(), 1e9 / f64::from(i + 1));
    let stage = Stage::with(&[("all.csv", &table("time,a:cpu,b:memory", value))]);
    stage.foreshard(&["history", "import", "all.csv"]).ends(0);
    for format in ["csv", "jsonl"] {
        let file = format!("out.{format}");
        stage.foreshard(&["history", "export", "--format", format, "-o", &file]).ends(0);
        std::fs::create_dir_all(stage.path(format)).unwrap();
        let words = ["history", "import", &file, "--project", format];
        stage.foreshard(&words).ends(0).prints("b memory: 288 new samples");
        let again = ["history", "export", "--format", format, "--project", format];
        assert_eq!(stage.foreshard(&again).ends(0).out, stage.read(&file));
    }
    let one = [
        "history",
        "export",
        "--zone",
        "a",
        "--from",
        "2026-03-01T12:00:00Z",
        "--to",
        "2026-03-01T12:10:00Z",
    ];
    assert_eq!(stage.foreshard(&one).ends(0).out.lines().count(), 3);
}

#[test]
fn every_mistake_in_every_file_is_told_and_nothing_is_taken_in() {
    let stage = Stage::with(&[
        ("good.csv", "time,value\n2026-03-01,1\n"),
        ("bad.csv", "time,value\n2026-03-01,1\nnoon,2\n2026-03-02,much\n"),
        ("bad.jsonl", "{\"time\": 1, \"value\": 2}\n{\"time\": 1, \"valu\": 2}\n"),
    ]);
    let words =
        ["history", "import", "good.csv", "bad.csv", "bad.jsonl", "--zone", "z", "--measure", "x"];
    let told = stage.foreshard(&words).ends(2);
    let told = told.says("bad.csv:3: `noon` is no time; write 2026-01-31T08:00:00Z");
    let told = told.says("bad.csv:4: `much` is no number; write a number");
    told.says("bad.jsonl:2: unknown field `valu`").says("3 mistakes; nothing was taken in");
    let nothing = stage.foreshard(&["history", "show"]).ends(2);
    nothing.says("nothing was measured yet").says("`foreshard observe` measures this machine");
    stage.foreshard(&["history", "import", "gone.csv"]).ends(7).says("gone.csv cannot be read");
    stage.foreshard(&["history", "import", "good.csv"]).ends(2).says("say --zone");
}

#[test]
fn bad_values_are_warnings_and_values_that_are_all_bad_are_a_mistake() {
    let odd = "time,value\n2026-03-01,0.5\n2026-03-01,0.5\n2026-03-03,0.25\n2026-03-02,NaN\n2026-03-02,7\n2026-03-02,1\n";
    let stage = Stage::with(&[
        ("odd.csv", odd),
        ("percent.csv", "time,value\n2026-03-01,50\n2026-03-02,60\n"),
    ]);
    let words = ["history", "import", "odd.csv", "--zone", "z", "--measure", "cpu"];
    let told = stage.foreshard(&words).ends(0).prints("z cpu: 3 new samples");
    let told = told.says("warning: z cpu: 1 value is no number; left out");
    told.says("1 sample is there twice").says("several values").says("put in order");
    let percent = ["history", "import", "percent.csv", "--zone", "z", "--measure", "cpu"];
    let told = stage.foreshard(&percent).ends(2).says("nothing of z cpu can be used");
    told.says("say --unit percent");
    let other = ["history", "import", "odd.csv", "--zone", "z", "--measure", "mood", "--unit", "a"];
    stage.foreshard(&other).ends(0);
    let again = ["history", "import", "odd.csv", "--zone", "z", "--measure", "mood", "--unit", "b"];
    stage.foreshard(&again).ends(2).says("z mood is kept in `a`, and this is in `b`");
}

#[test]
fn counters_become_rates_and_traces_begin_when_they_are_told_to() {
    let stage = Stage::with(&[
        ("bytes.csv", &table("time,value", |i| (1_000_000 + 600 * i).to_string())),
        ("us-east-1a.json", r#"{"metadata": {"gap_seconds": 300}, "data": [1, null, 0, 2]}"#),
    ]);
    let words = ["history", "import", "bytes.csv", "--zone", "z", "--measure", "network_in"];
    stage
        .foreshard(&words)
        .ends(0)
        .prints("287 new samples; a counter, kept as its change per second");
    let rates = stage.foreshard(&["history", "export"]).ends(0).out;
    assert!(rates.lines().skip(1).all(|line| line.ends_with(",z,network_in,B/s,2")), "{rates}");
    stage.foreshard(&["history", "import", "us-east-1a.json"]).ends(2).says("say --start");
    let trace = ["history", "import", "us-east-1a.json", "--start", "2026-03-01"];
    stage.foreshard(&trace).ends(0).prints("us-east-1a count: 3 new samples");
}

#[test]
fn memory_is_free_in_bytes_where_somebody_says_how_much_there_is() {
    let gib = |value: f64| format!("{:.0}", value * 1_073_741_824.0);
    let used = |i: u32| gib(2.0 + f64::from(i % 7) * 0.1);
    let stage = Stage::with(&[
        ("used.csv", &table("time,value", used)),
        (
            "both.csv",
            &table("time,memory,memory_capacity", |i| format!("{},{}", used(i), gib(32.0))),
        ),
        (
            "line.jsonl",
            "{\"time\": \"2026-03-01T23:00:00Z\", \"zone\": \"told\", \"measure\": \"memory_capacity\", \"unit\": \"GiB\", \"value\": 4}\n",
        ),
    ]);
    let import = |words: &[&str]| stage.foreshard(&[&["history", "import"], words].concat());
    for zone in ["open", "sited", "small", "told"] {
        import(&["used.csv", "--zone", zone, "--measure", "memory"]).ends(0);
    }
    let words = ["used.csv", "--zone", "typed", "--measure", "memory", "--capacity", "16GiB"];
    import(&words).ends(0).prints("typed memory_capacity: 2 new samples");
    import(&["both.csv", "--zone", "column"]).ends(0);
    import(&["line.jsonl"]).ends(0);
    import(&["used.csv", "--zone", "x", "--measure", "disk", "--capacity", "1TiB"])
        .ends(2)
        .says("--capacity is of memory and of networks");
    stage.write("mixed.csv", &table("time,memory,network_in", |i| format!("{},{i}", used(i))));
    import(&["mixed.csv", "--zone", "x", "--capacity", "1TiB"])
        .ends(2)
        .says("--capacity is of memory or of a network, and there are both");
    stage.write(
        "site.yaml",
        "foreshard: 1\nzones:\n  sited: {pools: {main: {cpus: 8, memory: 8GiB}}}\n  small: {pools: {main: {cpus: 8, memory: 1GiB}}}\n",
    );
    let told = stage.foreshard(&["forecast", "show", "--site", "site.yaml"]).ends(0);
    let told =
        told.prints("sited: memory free of 8.00 GiB").prints("typed: memory free of 16.0 GiB");
    let told =
        told.prints("column: memory free of 32.0 GiB").prints("told: memory free of 4.00 GiB");
    let told = told.prints("open: memory in use").prints("small: memory in use");
    let told = told.prints("memory is more than it has been said to have");
    // Between 2 and 2.6 GiB are in use.
    let fan = told.out.split("typed: memory free").nth(1).unwrap().lines().next().unwrap();
    assert!(fan.contains("; in 1 h: 13.") && fan.contains("GiB"), "{fan}");
    stage.foreshard(&["history", "show", "--measure", "memory_capacity"]).ends(0).prints("typed");
}

#[test]
fn what_is_pruned_is_gone() {
    let stage = Stage::with(&[("all.csv", &table("time,a:cpu,b:memory", |_| "0.5,1".to_owned()))]);
    stage.foreshard(&["history", "import", "all.csv"]).ends(0);
    stage.foreshard(&["history", "prune"]).ends(2).says("--all");
    let some = ["history", "prune", "--measure", "cpu", "--before", "2026-03-01T12:00:00Z"];
    stage.foreshard(&some).ends(0).says("144 samples forgotten");
    stage.foreshard(&["history", "prune", "--zone", "c"]).ends(2).says("there are a cpu, b memory");
    stage.foreshard(&["history", "prune", "--all"]).ends(0).says("432 samples forgotten");
    stage.foreshard(&["history", "show"]).ends(2);
}

#[test]
fn this_machine_is_measured_once_or_until_ctrl_c() {
    let stage = Stage::with(&[]);
    let told = stage.foreshard(&["observe", "--once"]).ends(0);
    told.prints("cpu").prints("memory_capacity").prints("network_in").prints("disk");
    let mut going = stage.command(&["observe", "--every", "1s", "--zone", "den"]);
    let mut going = going.stderr(std::process::Stdio::piped()).spawn().unwrap();
    // The first measurement is there when the history says so.
    let is_measured = || {
        let choice = ["history", "export", "--zone", "den", "--measure", "memory"];
        stage.foreshard(&choice).code == 0
    };
    while !is_measured() {
        assert!(going.try_wait().unwrap().is_none(), "it goes on until it is told to end");
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&going), Signal::INT).unwrap();
    assert_eq!(going.wait().unwrap().code(), Some(0));
    let unit = stage.foreshard(&["observe", "--systemd", "--every", "1m"]).ends(0);
    unit.prints("[Service]").prints("observe --every 60s --zone local --project /");
    stage.foreshard(&["observe", "--every", "0s"]).ends(2).says("from 1s to 24h");
}

#[test]
fn a_run_measures_the_machine_meanwhile_unless_it_is_told_not_to() {
    // A task that ends when the machine has been measured.
    let foreshard = env!("CARGO_BIN_EXE_foreshard");
    let stage = Stage::with(&[]);
    let project = stage.path("").display().to_string();
    let export = format!("'{foreshard}' history export --measure memory --project '{project}'");
    let wait = format!("until {export} > /dev/null 2>&1; do sleep 0.1; done");
    let workflow = |run: &str| format!("foreshard: 1\ntasks:\n  wait:\n    run: {run}\n");
    stage.write("workflow.yaml", &workflow("sleep 1.2"));
    stage.foreshard(&["run", "workflow.yaml", "--observe-every", "0"]).ends(0);
    stage.foreshard(&["history", "show"]).ends(2).says("nothing was measured yet");
    stage.write("workflow.yaml", &workflow(&wait));
    stage.foreshard(&["run", "workflow.yaml", "--observe-every", "1s"]).ends(0);
    stage.foreshard(&["history", "show", "--measure", "cpu"]).ends(0).prints("local cpu: ");
}

/// Two days of this machine up to now, a value each five minutes.
fn lately() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let row = |i: u64| {
        let at = now.as_secs() / 300 * 300 - i * 300;
        format!("{at},{},{}\n", 0.2 + 0.1 * (i % 5) as f64, u8::from(i % 90 < 86))
    };
    "time,desk:cpu,desk:up\n".to_owned() + &(1..576).rev().map(row).collect::<String>()
}

/// A calendar with one event, from two hours from now on for a day.
fn works_from_soon() -> String {
    let at = |hours: u64| {
        let stamp = observe::time::now() + spec::Duration::from_secs(hours * 3600);
        let second: String = observe::time::text(stamp).chars().take(19).collect();
        second.replace(['-', ':'], "") + "Z"
    };
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260301T000000Z\r\nDTSTART:{}\r\nDTEND:{}\r\n\
         SUMMARY:Works\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        at(2),
        at(26)
    )
}

#[test]
fn a_plain_run_is_told_how_its_zones_are_forecast_and_is_taken_up_again_from_that_record() {
    let stage = Stage::with(&[("lately.csv", &lately()), ("places/works.ics", &works_from_soon())]);
    stage.foreshard(&["history", "import", "lately.csv"]).ends(0);
    stage.write(
        "places/site.yaml",
        "foreshard: 1\ncalendars:\n  works: {from: works.ics, kind: drain}\n\
         zones:\n  desk: {backend: local, pools: {main: {cpus: 2, memory: 1GiB}}}\n",
    );
    // The first task ends when the journal holds a forecast, the second only the second time.
    let project = stage.path("").display().to_string();
    let told = format!("grep -rqs '\"forecast_[c]hanged\":' '{project}.foreshard/runs'");
    let wait =
        format!("for i in $(seq 900); do if {told}; then exit 0; fi; sleep 0.1; done; exit 1");
    stage.write(
        "workflow.yaml",
        &format!(
            "foreshard: 1\ntasks:\n  wait:\n    outputs: [told]\n    run: |\n      touch told\n      {wait}\n  \
             gate:\n    inputs: [told]\n    run: test -e '{project}open'\n"
        ),
    );
    let words = ["run", "workflow.yaml", "--site", "places/site.yaml", "--json"];
    let events = stage.foreshard(&words).ends(1).out;
    let lines: Vec<serde_json::Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is_forecast = |line: &&serde_json::Value| line["event"]["forecast_changed"].is_object();
    let forecast =
        &lines.iter().find(is_forecast).expect("it is told")["event"]["forecast_changed"];
    let zone = &forecast["forecast"]["zones"][0];
    assert_eq!((&zone["zone"], &zone["is_up"]), (&0.into(), &true.into()), "{forecast}");
    let up: Vec<u64> = serde_json::from_value(zone["up"].clone()).unwrap();
    assert!(up.len() == 6 && up[1] > up[2] + 200, "in three hours works have begun: {up:?}");

    // What was told is what the journal holds, and going on from it tells nothing otherwise.
    let run = lines[0]["run"].as_str().unwrap().to_owned();
    let journal = || journal::read(&stage.path(&format!(".foreshard/runs/{run}"))).unwrap();
    let before = journal();
    assert_eq!(events.lines().skip(1).collect::<Vec<_>>(), before);
    stage.write("open", "");
    stage.foreshard(&["resume", "--retry-failed"]).ends(0);
    let after = journal();
    assert_eq!(after[..before.len()], before);
    assert!(after.last().unwrap().contains("succeeded"));
    stage.foreshard(&["journal", "verify"]).ends(0).prints("is sound");
}

/// A server that gives this answer, once; its address.
fn server(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines();
        lines.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
        if answer.is_empty() {
            // Silence, until the other side gives up.
            let _ = stream.read(&mut [0; 1]);
        }
        let _ =
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len());
    });
    address
}

#[test]
fn a_server_that_is_silent_or_answers_oddly_is_named_and_nothing_is_taken_in() {
    let stage = Stage::with(&[]);
    let ask = |address: &str, more: &[&str]| {
        let words = [
            "history",
            "import",
            "--prometheus",
            address,
            "--query",
            "x",
            "--measure",
            "cpu",
            "--from",
            "1d", // what is asked for at once
            "--timeout",
            "1s",
        ];
        stage.foreshard(&[&words[..], more].concat())
    };
    let zone = ["--zone", "z"];
    ask(&server(""), &zone).ends(7).says("did not answer within 1 s").says("nothing was taken in");
    ask("http://127.0.0.1:1", &zone).ends(7).says("cannot be reached");
    ask(&server("<html>"), &zone).ends(2).says("does not answer as Prometheus does");
    let two = r#"{"status":"success","data":{"resultType":"matrix","result":[
        {"metric":{"instance":"a"},"values":[[1700000000,"0.5"]]},
        {"metric":{"instance":"b"},"values":[[1700000000,"0.25"]]}]}}"#;
    let told =
        ask(&server(two), &zone).ends(2).says("2 series: {instance=\"a\"}, {instance=\"b\"}");
    told.says("--zone-label LABEL");
    ask(&server(two), &["--zone-label", "job"]).ends(2).says("`job` does not tell the series");
    let told = ask(&server(two), &["--zone-label", "instance"]).ends(0);
    told.prints("a cpu: 1 new sample").prints("b cpu: 1 new sample");
    ask(&server(r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#), &zone)
        .ends(2)
        .says("the query has no answer");
}
