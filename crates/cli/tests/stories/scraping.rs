//! A real Prometheus that scrapes a real node_exporter of a machine under load: what it measured is
//! taken in, given away again, and is what Prometheus itself answers.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::stage::{Stage, can_use};

/// Scrapes that are waited for: more than a counter is recognised by.
const SCRAPES: f64 = 30.0;

/// How long is waited for them at most; it takes half a second each.
const PATIENCE: u32 = 600;

/// A process that ends with the story, also when that is killed.
struct Process(Child);

impl Process {
    fn start(stage: &Stage, words: &[&str]) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).args(words).current_dir(stage.path(""));
        Self(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        )
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of Prometheus with data of its own, and what it scrapes.
struct Scraping {
    stage: Stage,
    address: String,
    _processes: Vec<Process>,
}

impl Scraping {
    fn begin() -> Self {
        let stage = Stage::with(&[]);
        let (exporter, server) = (free_port(), free_port());
        stage.write(
            "prometheus.yml",
            &format!(
                "global: {{scrape_interval: 500ms, scrape_timeout: 500ms}}\nscrape_configs:\n\
                 - job_name: node\n  static_configs: [{{targets: ['{exporter}']}}]\n"
            ),
        );
        backfill(&stage);
        let exporter = format!("--web.listen-address={exporter}");
        let exporter = Process::start(
            &stage,
            &[
                "prometheus-node-exporter",
                &exporter,
                "--collector.disable-defaults",
                "--collector.cpu",
                "--collector.meminfo",
            ],
        );
        let listen = format!("--web.listen-address={server}");
        let words = [
            "prometheus",
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--storage.tsdb.retention.time=100y",
            &listen,
        ];
        let prometheus = Process::start(&stage, &words);
        // The load: one cpu is never idle.
        let load = Process::start(&stage, &["sh", "-c", "while :; do :; done"]);
        Self { stage, address: server, _processes: vec![exporter, prometheus, load] }
    }

    /// Prometheus' own answer; nothing where it does not answer yet.
    fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Option<Value> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        let pairs: Vec<String> =
            parameters.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let asked = format!("GET /api/v1/{path}?{} HTTP/1.0\r\n\r\n", pairs.join("&"));
        stream.write_all(asked.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str(body).ok()
    }

    fn wait_for_scrapes(&self) {
        for _ in 0..PATIENCE {
            let query = "count_over_time(node_memory_MemTotal_bytes[1h])";
            let answer = self.ask("query", &[("query", query)]);
            let n = answer.and_then(|answer| {
                answer["data"]["result"][0]["value"][1].as_str()?.parse::<f64>().ok()
            });
            if n.is_some_and(|n| n >= SCRAPES) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("Prometheus has not scraped in time");
    }

    /// Times and values of the only series of a range, as Prometheus tells them.
    fn range(&self, query: &str, from: &str, to: &str, step: &str) -> Vec<(f64, f64)> {
        let parameters = [("query", query), ("start", from), ("end", to), ("step", step)];
        let answer = self.ask("query_range", &parameters).unwrap();
        let values = answer["data"]["result"][0]["values"].as_array().unwrap();
        let pair = |pair: &Value| {
            (pair[0].as_f64().unwrap(), pair[1].as_str().unwrap().parse::<f64>().unwrap())
        };
        values.iter().map(pair).collect()
    }

    /// Takes in a range, and gives the same as it comes out of the history again.
    fn import(&self, series: [&str; 2], query: &str, range: [&str; 3]) -> Vec<(f64, f64)> {
        let ([zone, measure], [from, to, step]) = (series, range);
        let series = ["--zone", zone, "--measure", measure];
        let address = format!("http://{}", self.address);
        let words = ["history", "import", "--prometheus", &address, "--query", query];
        let range = ["--from", from, "--to", to, "--step", step];
        self.stage.foreshard(&[&words[..], &series, &range].concat()).ends(0);
        let words = ["history", "export", "--format", "jsonl"];
        let out = self.stage.foreshard(&[&words[..], &series].concat()).ends(0).out;
        let sample = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let at = observed_at(line["time"].as_str().unwrap());
            (at, line["value"].as_f64().unwrap())
        };
        out.lines().map(sample).collect()
    }
}

/// Seconds since 1970.
fn observed_at(time: &str) -> f64 {
    observe::time::parse(time).unwrap().0 as f64 / 1e6
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// An address that nobody listens at.
fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Ten days of a daily cycle, a sample a minute, as if Prometheus had scraped it: more points than
/// it answers with at once.
const BACKFILLED: u32 = 10 * 1_440;

fn backfill(stage: &Stage) {
    let from = backfilled_from();
    let at = |i: u32| from + u64::from(i) * 60;
    let mut text = "# TYPE farm_busy gauge\n".to_owned();
    for i in 0..BACKFILLED {
        let busy = 0.5 + 0.4 * (f64::from(i) / 1_440.0 * std::f64::consts::TAU).sin();
        text += &format!("farm_busy {busy} {}\n", at(i));
    }
    // Away for four hours of each day.
    text += "# TYPE farm_up gauge\n";
    for i in 0..BACKFILLED {
        text += &format!("farm_up {} {}\n", u8::from(i % 1_440 >= 240), at(i));
    }
    stage.write("past.txt", &(text + "# EOF\n"));
    let words = ["tsdb", "create-blocks-from", "openmetrics", "past.txt", "data"];
    let made = Command::new("promtool").args(words).current_dir(stage.path("")).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

/// At a whole hour, and so that the last of it is three hours ago: before what is scraped now.
fn backfilled_from() -> u64 {
    (now() as u64 - 10 * 86_400 - 3 * 3_600) / 3_600 * 3_600
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

#[test]
fn what_prometheus_scraped_is_kept_as_it_answers_itself_and_is_forecast() {
    let needed = ["prometheus", "prometheus-node-exporter", "promtool", "setpriv"];
    if !needed.into_iter().all(can_use) {
        return;
    }
    let began = now().floor();
    let scraping = Scraping::begin();
    scraping.wait_for_scrapes();
    // What lies in the past does not change any more.
    let (from, to) = (began.to_string(), (now().floor() - 1.0).to_string());
    live(&scraping, &from, &to);
    long_past(&scraping);
    let stage = &scraping.stage;
    let told = stage.foreshard(&["forecast", "show", "--svg", "out.svg"]).ends(0);
    told.prints("farm: cpu free").prints("chance to be up over 24 h").prints("here");
    assert!(stage.read("out.svg").starts_with("<svg"));
    let json = stage.foreshard(&["forecast", "show", "--json"]).ends(0).json();
    let zones = json[0]["zones"].as_array().unwrap();
    let names: Vec<&str> = zones.iter().map(|zone| zone["zone"].as_str().unwrap()).collect();
    assert_eq!(names, ["farm", "here"]);
    // Half a minute of measurements is no ground for a confident number.
    assert_ne!(zones[1]["warnings"], serde_json::json!([]));
}

/// What is scraped while the story plays.
fn live(scraping: &Scraping, from: &str, to: &str) {
    let live = [from, to, "500ms"];
    let memory = "node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes";
    let kept = scraping.import(["here", "memory"], memory, live);
    assert!(kept.len() as f64 > SCRAPES / 2.0, "{} samples", kept.len());
    assert_eq!(kept, scraping.range(memory, from, to, "0.5"));

    let all = scraping.import(["here", "memory_capacity"], "node_memory_MemTotal_bytes", live);
    assert!(all.len() > 1 && all.windows(2).all(|pair| pair[0].1.eq(&pair[1].1)));

    let busy = "1 - avg(rate(node_cpu_seconds_total{mode=\"idle\"}[2s]))";
    let kept = scraping.import(["here", "cpu"], busy, live);
    let cpus = std::thread::available_parallelism().unwrap().get() as f64;
    let most = kept.iter().map(|(_, share)| *share).fold(0.0, f64::max);
    assert!(most > 0.5 / cpus, "the load shows: {most} of {cpus} cpus");

    let seconds = "sum(node_cpu_seconds_total)";
    let kept = scraping.import(["here", "cpu_seconds_total"], seconds, live);
    let totals = scraping.range(seconds, from, to, "0.5");
    // A counter is kept as its change, but not over scrapes that failed.
    let mut kept = kept.iter();
    for pair in totals.windows(2).filter(|pair| pair[1].0 - pair[0].0 < 1.75) {
        let (at, rate) = kept.next().unwrap();
        let expected = (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0);
        assert!(is_close(*at, pair[0].0) && is_close(*rate, expected), "{rate} for {expected}");
    }
    assert_eq!(kept.next(), None);
}

/// What is asked for in parts, and complete all the same.
fn long_past(scraping: &Scraping) {
    let from = backfilled_from();
    let last = from + u64::from(BACKFILLED - 1) * 60;
    let (from, to) = (from.to_string(), last.to_string());
    // Prometheus refuses to answer this at once.
    let parameters = [("query", "farm_busy"), ("start", &from), ("end", &to), ("step", "60")];
    let refused = scraping.ask("query_range", &parameters).unwrap();
    assert!(refused["error"].as_str().unwrap().contains("11,000 points"), "{refused}");
    let kept = scraping.import(["farm", "cpu"], "farm_busy", [&from, &to, "1m"]);
    // The last seven days are kept as they are.
    let begin = (last - 7 * 86_400) / 300 * 300;
    let own = scraping.range("farm_busy", &begin.to_string(), &to, "60");
    assert_eq!(own.len() as u64, (last - begin) / 60 + 1, "all of it is there");
    let (older, young) = kept.split_at(kept.len() - own.len());
    assert_eq!(young, own);
    assert_eq!(older.len(), (BACKFILLED as usize - own.len()) / 5, "a sample for each 5 minutes");
    scraping.import(["farm", "up"], "farm_up", [&from, &to, "1m"]);
}
