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
fn what_makes_no_sense_is_refused_in_words() {
    let stage = stage();
    let told = |rest: &str| {
        let line = format!("simulate w.yaml --site site.yaml {rest}");
        stage.foreshard(&line.split(' ').collect::<Vec<_>>()).ends(2)
    };
    told("--policy lucky").says("there is no policy `lucky`").says("use reactive");
    told("--starts none.txt").says("failed to read none.txt");
    stage.write("spot.csv", "0,1\n0,2\n");
    told("--starts 1").says("spot.csv is no trace").says("line 2");
}
