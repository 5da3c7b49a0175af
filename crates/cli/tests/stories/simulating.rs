//! `simulate`: policies are compared on traces, and nothing is run.

use crate::stage::Stage;

const WIDE: &str = "\
foreshard: 1
tasks:
  part: {foreach: {i: 1..40}, run: 'exit 1', outputs: 'o{i}', estimate: 300}
  sum: {run: 'exit 1', needs: [part], estimate: 60}
";

const SITE: &str = "\
foreshard: 1
zones:
  spot:
    backend: local
    pools: {main: {cpus: 4, memory: 8GiB, count: 2, price: 0.3, launch_delay: 60s}}
    trace: spot.csv
  safe:
    backend: local
    pools: {main: {cpus: 4, memory: 8GiB, count: 2, price: 1.0, launch_delay: 60s}}
";

/// Two hours there, one hour gone, for a fortnight.
fn trace() -> String {
    let hours = (0..112).flat_map(|i| [(3 * i, 1), (3 * i + 2, 0)]);
    let lines = hours.map(|(hour, count)| format!("{},{count}\n", hour * 3_600));
    format!("seconds,count\n{}", lines.collect::<String>())
}

fn stage() -> Stage {
    Stage::with(&[("w.yaml", WIDE), ("site.yaml", SITE), ("spot.csv", &trace())])
}

#[test]
fn policies_are_compared_from_the_same_starts_and_windows_are_counted() {
    let stage = stage();
    let told = stage.foreshard(&["simulate", "w.yaml", "--site", "site.yaml", "--starts", "6"]);
    told.ends(0)
        .prints("warm-pool")
        .prints("less reactive from the same starts")
        .prints("independent windows")
        .prints("missed");
    assert!(!stage.has(".foreshard"), "a simulation leaves nothing behind");
}

#[test]
fn the_same_seed_gives_the_same_figures_and_money_is_what_is_held() {
    let stage = stage();
    let line = "simulate w.yaml --site site.yaml --policy on-demand,warm-pool --starts 4 --json";
    let args: Vec<&str> = line.split(' ').collect();
    let (once, again) = (stage.foreshard(&args).ends(0).out, stage.foreshard(&args).ends(0).out);
    assert_eq!(once, again);
    let found = stage.foreshard(&args).ends(0).json();
    let on_demand = &found[0]["policies"][0];
    // Two nodes for a launch and five rounds of 300 s; then one of them for a minute more, the
    // other kept for that minute.
    let seconds = 60.0 + 5.0 * 300.0 + 60.0;
    assert_eq!(on_demand["makespan_seconds"]["median"], seconds);
    let cost = on_demand["cost"]["median"].as_f64().unwrap();
    assert!((cost - 2.0 * seconds / 3_600.0).abs() < 1e-6, "{cost}");
}

#[test]
fn starts_come_from_a_file_and_a_picture_goes_into_one() {
    let stage = stage();
    stage.write("starts.txt", "# seconds\n0\n7000\n");
    let line = "simulate w.yaml --site site.yaml --starts starts.txt --svg p.svg --deadline 3h";
    let args: Vec<&str> = line.split(' ').collect();
    stage.foreshard(&args).ends(0).prints("2 starts, deadline 3h").prints("×");
    let picture = stage.read("p.svg");
    assert!(picture.starts_with("<svg") && picture.contains("warm-pool: one run"));
}

#[test]
fn figures_do_not_depend_on_the_number_of_threads() {
    let stage = stage();
    let told = |threads| {
        let line = format!(
            "simulate w.yaml --site site.yaml --starts 7 --error 0.4 --deadline 3h --json --threads {threads}"
        );
        stage.foreshard(&line.split(' ').collect::<Vec<_>>()).ends(0).out
    };
    assert_eq!(told(1), told(3));
}

#[test]
fn workflows_that_run_together_share_the_places() {
    let stage = stage();
    let found = |rest: &str| {
        let line = format!(
            "simulate w.yaml w.yaml --site site.yaml --starts 1 --policy on-demand --json {rest}"
        );
        stage.foreshard(&line.split_whitespace().collect::<Vec<_>>()).ends(0).json()
    };
    let (apart, both) = (found(""), found("--together"));
    assert_eq!((apart.as_array().unwrap().len(), both.as_array().unwrap().len()), (2, 1));
    assert_eq!((&both[0]["workflow"], &both[0]["n_tasks"]), (&"w x 2".into(), &82.into()));
    // Eighty parts of 300 s on eight cores; the two last ones run side by side.
    let seconds = 60.0 + 10.0 * 300.0 + 60.0;
    assert_eq!(both[0]["policies"][0]["makespan_seconds"]["median"], seconds);
    let four = found("--together --copies 2 --factor 0.5");
    assert_eq!(four[0]["n_tasks"], 164);
    assert_eq!(four[0]["core_seconds"], both[0]["core_seconds"]);
}

#[test]
fn one_job_with_a_deadline_is_played_by_its_rules_too() {
    let stage = stage();
    stage.write(
        "job.yaml",
        "foreshard: 1\ntasks:\n  job: {run: j, estimate: 1h, resources: {cpus: 4}}\n",
    );
    let line = "simulate job.yaml --site site.yaml --deadline 2h --starts 5 --json";
    let found = stage.foreshard(&line.split(' ').collect::<Vec<_>>()).ends(0).json();
    let policies = found[0]["policies"].as_array().unwrap();
    let cost = |name: &str| {
        let policy = policies.iter().find(|policy| policy["policy"] == name).unwrap();
        assert_eq!(policy["n_missed"], 0, "{name}");
        policy["cost"]["median"].as_f64().unwrap()
    };
    assert_eq!(policies.len(), 8);
    // A step is as long as a launch, 60 s: 60 of work and one of launch on demand at 1 an hour.
    assert_eq!(found[0]["step_seconds"], 60.0);
    assert!((cost("on-demand") - 61.0 / 60.0).abs() < 1e-6);
    assert!(cost("omniscient") <= cost("greedy") && cost("greedy") <= cost("on-demand"));
    let line = "simulate w.yaml --site site.yaml --deadline 6h --policy greedy";
    let told = stage.foreshard(&line.split(' ').collect::<Vec<_>>()).ends(2);
    told.says("greedy cannot be played").says("the workflow has 41 tasks, and must have one");
}

#[test]
fn traces_that_are_not_beside_the_site_are_found_where_data_is() {
    let stage = stage();
    stage.write("data/far.csv", &trace());
    stage.write("site.yaml", &SITE.replace("spot.csv", "far.csv"));
    let told = |rest: &str| {
        let line = format!("simulate w.yaml --site site.yaml --starts 1 {rest}");
        stage.foreshard(line.trim_end().split(' ').collect::<Vec<_>>().as_slice())
    };
    told("").ends(2).says("failed to read far.csv").says("--data DIR");
    told("--data data").ends(0);
}

#[test]
fn availability_is_made_from_a_seed_and_outages_take_whole_regions() {
    let stage = stage();
    let made = "{kind: runs, up: 4h, down: 1h, seed: 3}";
    stage.write("site.yaml", &SITE.replace("spot.csv", made));
    let line = "simulate w.yaml --site site.yaml --policy warm-pool --starts 4 --json";
    let args: Vec<&str> = line.split(' ').collect();
    let once = stage.foreshard(&args).ends(0).out;
    assert_eq!(once, stage.foreshard(&args).ends(0).out);
    let region = SITE.replace(
        "    trace: spot.csv",
        &format!("    location: {{region: east}}\n    trace: {made}"),
    );
    let outages = "outages: [{region: east, every: 1m, lasts: 3000h, tail: 9}]\n";
    stage.write("site.yaml", &format!("{region}{outages}"));
    // Nothing but on demand is left: two nodes for a launch, five rounds of 300 s and one of 60 s, after
    // ten minutes of waiting.
    let found = stage.foreshard(&args).ends(0).json();
    assert_eq!(found[0]["policies"][0]["makespan_seconds"]["median"], 600.0 + 60.0 + 1_560.0);
    stage.write("site.yaml", &SITE.replace("spot.csv", "{kind: runs}"));
    stage.foreshard(&args).ends(2).says("`up` is missing").says("site.yaml:6");
}

const REGIMES: &str = r#"{
  "foreshard_regimes": 1,
  "starts": 4,
  "policies": ["reactive", "warm-pool", "on-demand", "greedy"],
  "regimes": [
    {"name": "wide", "workflows": ["w.yaml"], "site": "site.yaml", "factors": [1, 4], "launches": ["30s", "10m"], "error": 0.2},
    {"name": "job", "workflows": ["job.yaml"], "site": "site.yaml", "launches": ["5m"], "core_hours": 1}
  ]
}"#;

#[test]
fn regimes_give_a_table_each_and_a_map_of_what_is_won_where() {
    let stage = stage();
    stage.write(
        "job.yaml",
        "foreshard: 1\ntasks:\n  job: {run: j, estimate: 4h, resources: {cpus: 4}}\n",
    );
    stage.write("regimes.json", REGIMES);
    let told = stage.foreshard(&["simulate", "--regimes", "regimes.json", "--out", "found"]);
    told.ends(0)
        .prints("wide, times 4, launch 10m00s: w, 41 tasks, 13 core-hours")
        .prints("warm-pool for 1.25")
        .prints("late at 1.5")
        .prints("at least")
        .prints("cost saved: strongest spot policy over reactive")
        .prints("greedy for 2");
    for name in ["map.svg", "wide-x1-launch-30.0s.svg", "job-x1-launch-5m00s.svg"] {
        assert!(stage.read(&format!("found/{name}")).starts_with("<svg"), "{name}");
    }
    let found: serde_json::Value = serde_json::from_str(&stage.read("found/regimes.json")).unwrap();
    let (cells, maps) = (found["cells"].as_array().unwrap(), found["maps"].as_array().unwrap());
    assert_eq!((cells.len(), maps[0]["cells"].as_array().unwrap().len()), (5, 5));
    // Two hours there, one gone.
    assert_eq!(
        (&cells[0]["up_run_seconds"], &cells[0]["launch_over_up_run"]),
        (&7200.0.into(), &(30.0 / 7200.0).into())
    );
    // A launch, five rounds of 300 s on eight cores, and 60 s.
    assert_eq!(cells[0]["fault_free_seconds"], 30.0 + 1_560.0);
    let json = |rest: &str| {
        let line = format!("simulate --regimes regimes.json --only wide --starts 3 --json {rest}");
        stage.foreshard(&line.split_whitespace().collect::<Vec<_>>()).ends(0).json()
    };
    let one = json("--contender warm-pool --reference on-demand --threads 1");
    assert_eq!(one, json("--contender warm-pool --reference on-demand --threads 3"));
    assert_eq!(
        (one["cells"].as_array().unwrap().len(), one["maps"].as_array().unwrap().len()),
        (4, 2)
    );
    assert_eq!(one["maps"][0]["title"], "cost saved: warm-pool over on-demand");
}

#[test]
fn a_file_of_regimes_is_refused_with_what_is_wrong_in_it() {
    let stage = stage();
    let told = |from: &str, to: &str| {
        stage.write("regimes.json", &REGIMES.replace(from, to));
        stage.foreshard(&["simulate", "--regimes", "regimes.json"]).ends(2)
    };
    told("\"30s\"", "\"30 parsecs\"")
        .says("regimes.json is no file of regimes")
        .says("30 parsecs")
        .says("line 6");
    told("\"error\"", "\"eror\"").says("unknown field `eror`");
    told("[1, 4]", "[]").says("`wide`: `factors` must be above 0");
    told("w.yaml", "far.yaml").says("failed to read far.yaml").says("--data DIR");
    stage.write("regimes.json", REGIMES);
    let line = "simulate --regimes regimes.json --only narrow";
    stage.foreshard(&line.split(' ').collect::<Vec<_>>()).ends(2).says("no regime has such a name");
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let stage = stage();
    let told = |rest: &str| {
        let line = format!("simulate w.yaml --site site.yaml {rest}");
        stage.foreshard(&line.split(' ').collect::<Vec<_>>()).ends(2)
    };
    told("--policy lucky").says("there is no policy `lucky`").says("use reactive");
    told("--copies 0").says("--copies must be from 1");
    told("--starts none.txt").says("failed to read none.txt");
    stage.write("spot.csv", "0,1\n0,2\n");
    told("--starts 1").says("spot.csv is no trace").says("line 2");
}
