//! How fast small outputs become safe and visible, beside the least that any way must do.
//!
//! `cargo run --release -p runner --example publish_rate [FOLDER] [COUNT]`; the folder must lie on
//! the disk that is to be measured. The floor writes, hashes, syncs and renames a file on 8
//! threads, without checks, folders of its own, or a rename that outlasts a power loss.

#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use engine::Manifest;
use runner::artifact::{Publication, Publisher, commit};

const THREADS: usize = 8;
const BATCH: usize = 200;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().unwrap_or_else(|| ".".to_owned());
    let count = arguments.next().map_or(2000, |count| count.parse().unwrap());
    let base = tempfile::tempdir_in(folder).unwrap();
    let project = base.path().join("project");
    fs::create_dir_all(project.join("out")).unwrap();
    let publisher = Publisher::new(&project).unwrap();

    let floor = floor(base.path(), count);
    println!("floor: write, hash, sync, rename on {THREADS} threads   {floor:8.0} /s");

    let roots = prepare(base.path(), 0..count);
    let (manifests, rate) = commit_all(&roots);
    println!("commit on {THREADS} threads                             {rate:8.0} /s");
    let publications = publications(&roots, &manifests);

    let (singly, together) = publications.split_at(BATCH.min(count / 2));
    let start = Instant::now();
    singly.iter().for_each(|&one| publisher.publish(one).unwrap());
    let rate = per_second(singly.len(), start);
    println!("publish one by one                              {rate:8.0} /s");

    let start = Instant::now();
    for batch in together.chunks(BATCH) {
        publisher.publish_many(batch).into_iter().for_each(|result| result.unwrap());
    }
    let rate = per_second(together.len(), start);
    println!("publish {BATCH} at a time                          {rate:8.0} /s");

    drop(publisher);
    let publisher = Publisher::new(&project).unwrap();
    let roots = prepare(base.path(), count..2 * count);
    let start = Instant::now();
    for roots in roots.chunks(BATCH) {
        let (manifests, _) = commit_all(roots);
        let publications = self::publications(roots, &manifests);
        publisher.publish_many(&publications).into_iter().for_each(|result| result.unwrap());
    }
    let visible = per_second(count, start);
    drop(publisher);
    let swept = per_second(count, start);
    println!("commit and publish, {BATCH} at a time               {visible:8.0} /s");
    println!("the same, and private folders are removed       {swept:8.0} /s");
    println!("of the floor                                    {:8.2}", swept / floor);
}

/// A private folder with one small output for each attempt.
fn prepare(base: &Path, numbers: std::ops::Range<usize>) -> Vec<PathBuf> {
    let roots = numbers.map(|number| {
        let root = base.join("attempts").join(number.to_string());
        fs::create_dir_all(root.join("out")).unwrap();
        fs::write(root.join(output(&root)), number.to_string()).unwrap();
        root
    });
    roots.collect()
}

fn output(root: &Path) -> String {
    format!("out/{}.txt", root.file_name().unwrap().display())
}

fn floor(base: &Path, count: usize) -> f64 {
    let (from, to) = (base.join("from"), base.join("to"));
    fs::create_dir_all(&from).unwrap();
    fs::create_dir_all(&to).unwrap();
    let start = Instant::now();
    on_threads(count, |number| {
        let name = number.to_string();
        let mut file = File::create(from.join(&name)).unwrap();
        file.write_all(name.as_bytes()).unwrap();
        std::hint::black_box(spec::Digest::of(&fs::read(from.join(&name)).unwrap()));
        file.sync_all().unwrap();
        fs::rename(from.join(&name), to.join(&name)).unwrap();
    });
    per_second(count, start)
}

fn commit_all(roots: &[PathBuf]) -> (Vec<Manifest>, f64) {
    let start = Instant::now();
    let manifests = on_threads(roots.len(), |number| {
        commit(&roots[number], &[output(&roots[number])]).unwrap()
    });
    (manifests, per_second(roots.len(), start))
}

fn publications<'a>(roots: &'a [PathBuf], manifests: &'a [Manifest]) -> Vec<Publication<'a>> {
    let pairs = roots.iter().zip(manifests);
    pairs
        .map(|(root, manifest)| Publication { attempt_root: root, manifest, verify: false })
        .collect()
}

/// The numbers below `count`, dealt out to the threads in equal runs; answers in their order.
fn on_threads<R: Send>(count: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
    let run = count.div_ceil(THREADS);
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let numbers = (thread * run).min(count)..((thread + 1) * run).min(count);
                scope.spawn(move || numbers.map(work).collect::<Vec<_>>())
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn per_second(count: usize, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}
