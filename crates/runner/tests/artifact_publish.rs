//! Committed outputs arrive whole, once, at their place and nowhere else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Seek, Write};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use engine::outcome::{Manifest, PublishedFile};
use runner::artifact::{Publication, PublishError, Publisher, commit, discard};
use rustix::fs::{CWD, RenameFlags};
use spec::{Bytes, Digest};

type Setup = fn(&Path);

/// A project and private folders, on one file system.
struct Stage {
    base: tempfile::TempDir,
    publisher: Publisher,
}

impl Stage {
    fn new() -> Self {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("project")).unwrap();
        let publisher = Publisher::new(&base.path().join("project")).unwrap();
        Self { base, publisher }
    }

    fn project(&self) -> PathBuf {
        self.base.path().join("project")
    }

    /// Commits these files, as `outputs` declares them.
    fn commit(&self, attempt: &str, outputs: &[&str], files: &[(&str, &str)]) -> Attempt {
        let root = self.base.path().join(attempt);
        files.iter().for_each(|(path, content)| write(&root, path, content));
        let outputs: Vec<_> = outputs.iter().map(|&output| output.to_owned()).collect();
        let manifest = commit(&root, &outputs).unwrap();
        Attempt { root, manifest }
    }

    fn publish(&self, attempt: &Attempt) -> Result<(), PublishError> {
        self.publisher.publish(attempt.publication(false))
    }

    fn publish_again(&self, attempt: &Attempt) -> Result<(), PublishError> {
        self.publisher.publish(attempt.publication(true))
    }

    /// Waits until private folders are removed.
    fn sweep(&mut self) {
        self.publisher = Publisher::new(&self.project()).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.project().join(path)).unwrap()
    }
}

struct Attempt {
    root: PathBuf,
    manifest: Manifest,
}

impl Attempt {
    fn publication(&self, verify: bool) -> Publication<'_> {
        Publication { attempt_root: &self.root, manifest: &self.manifest, verify }
    }
}

#[test]
fn files_arrive_under_their_final_names_and_the_private_folder_goes() {
    let mut stage = Stage::new();
    let files = [("a/b/c", "deep"), ("top", "x"), ("junk", "y"), ("d/x/y", "z")];
    let attempt = stage.commit("1", &["a/b/c", "top", "d/"], &files);
    stage.publish(&attempt).unwrap();
    let expected = [("a/b/c", "deep"), ("d/x/y", "z"), ("top", "x")];
    assert_eq!(tree(&stage.project()), owned(&expected));
    stage.sweep();
    assert!(!attempt.root.exists());
}

#[test]
fn publishing_again_changes_nothing() {
    let stage = Stage::new();
    let attempt = stage.commit("1", &["a/f", "d/"], &[("a/f", "x"), ("d/g", "y")]);
    stage.publish(&attempt).unwrap();
    let inode = fs::metadata(stage.project().join("a/f")).unwrap().ino();
    stage.publish(&attempt).unwrap();
    stage.publish_again(&attempt).unwrap();
    assert_eq!(fs::metadata(stage.project().join("a/f")).unwrap().ino(), inode);
}

#[test]
fn new_content_replaces_old_files_and_whole_directories() {
    let stage = Stage::new();
    write(&stage.project(), "f", "old");
    write(&stage.project(), "d/old", "old");
    let attempt = stage.commit("1", &["f", "d/"], &[("f", "new"), ("d/new", "new")]);
    stage.publish(&attempt).unwrap();
    assert_eq!(tree(&stage.project()), owned(&[("d/new", "new"), ("f", "new")]));
}

#[test]
fn a_crash_between_any_two_renames_rolls_forward() {
    let files = [("a", "1"), ("b/c", "2"), ("d/e", "3"), ("f", "4")];
    for arrived in 0..=files.len() {
        let mut stage = Stage::new();
        write(&stage.project(), "a", "old");
        write(&stage.project(), "d/old", "old");
        let attempt = stage.commit("1", &["a", "b/c", "d/", "f"], &files);
        for file in &attempt.manifest[..arrived] {
            let path = file.path.trim_end_matches('/');
            let (from, to) = (attempt.root.join(path), stage.project().join(path));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            if file.is_directory {
                // Exchanged, and the old one not yet set aside.
                exchange(&from, &to);
            } else {
                fs::rename(from, to).unwrap();
            }
        }
        stage.publish_again(&attempt).unwrap();
        assert_eq!(tree(&stage.project()), owned(&files), "{arrived} had arrived");
        stage.sweep();
        assert!(!attempt.root.exists());
    }
}

#[test]
fn an_output_that_is_gone_is_lost_and_nothing_else_of_the_attempt_moves() {
    let stage = Stage::new();
    let attempt = stage.commit("1", &["a", "b"], &[("a", "1"), ("b", "2")]);
    fs::remove_file(attempt.root.join("b")).unwrap();
    write(&stage.project(), "b", "3");
    let error = stage.publish(&attempt).unwrap_err();
    assert_eq!(error.why, "b is no longer in the private folder");
    assert!(error.is_lost);
    assert_eq!(tree(&stage.project()), owned(&[("b", "3")]));
}

#[test]
fn a_private_folder_that_is_gone_is_lost() {
    let stage = Stage::new();
    let attempt = stage.commit("1", &["a"], &[("a", "1")]);
    discard(&attempt.root).unwrap();
    assert!(stage.publish(&attempt).unwrap_err().is_lost);
}

#[test]
fn a_late_write_of_a_surviving_child_is_not_published() {
    let stage = Stage::new();
    let root = stage.base.path().join("1");
    write(&root, "o", "good");
    let mut child = fs::OpenOptions::new().write(true).open(root.join("o")).unwrap();
    let attempt = stage.commit("1", &["o"], &[]);
    // Of the same size; only its stamp can betray it.
    child.rewind().unwrap();
    child.write_all(b"evil").unwrap();
    let error = stage.publish(&attempt).unwrap_err();
    assert!(error.is_lost);
    assert_eq!(error.why, "o changed after it was committed");
    assert!(tree(&stage.project()).is_empty());
}

#[test]
fn what_was_swapped_after_the_commit_is_not_published() {
    let swaps: [Setup; 5] = [
        |o| write(o.parent().unwrap(), "o", "longer"),
        |o| symlink("/etc/passwd", o).unwrap(),
        |o| fs::create_dir(o).unwrap(),
        |o| rustix::fs::mkfifoat(CWD, o, 0o666.into()).unwrap(),
        |o| {
            fs::write(o.with_extension("other"), "good").unwrap();
            fs::hard_link(o.with_extension("other"), o).unwrap();
        },
    ];
    for (number, swap) in swaps.into_iter().enumerate() {
        for verify in [false, true] {
            let stage = Stage::new();
            let attempt = stage.commit("1", &["o"], &[("o", "good")]);
            fs::remove_file(attempt.root.join("o")).unwrap();
            swap(&attempt.root.join("o"));
            let error = stage.publisher.publish(attempt.publication(verify)).unwrap_err();
            assert!(error.is_lost, "swap {number}: {error}");
            assert!(tree(&stage.project()).is_empty(), "swap {number}");
        }
    }
}

#[test]
fn what_stands_in_the_way_is_named_and_stays() {
    let obstacles: [(&str, Setup, &str); 6] = [
        ("o", |p| write(p, "o/x", "mine"), "o is a directory in the project"),
        ("o/", |p| write(p, "o", "mine"), "o/ is a file in the project"),
        ("o", |p| symlink("x", p.join("o")).unwrap(), "o is no plain file in the project"),
        ("a/o", |p| symlink("/tmp", p.join("a")).unwrap(), "a lies behind a symbolic link"),
        ("a/o", |p| symlink(".", p.join("a")).unwrap(), "a lies behind a symbolic link"),
        ("a/o", |p| write(p, "a", "mine"), "a lies behind a symbolic link or a file"),
    ];
    for (output, obstacle, why) in obstacles {
        let stage = Stage::new();
        let file = if output.ends_with('/') { "o/f" } else { output };
        let attempt = stage.commit("1", &["0", output], &[("0", "first"), (file, "new")]);
        obstacle(&stage.project());
        let before = tree(&stage.project());
        let error = stage.publish(&attempt).unwrap_err();
        assert!(error.why.starts_with(why), "{error}");
        assert!(!error.is_lost);
        assert_eq!(tree(&stage.project()), before, "{why}");
        assert!(attempt.root.join(file).exists(), "the output is kept");
    }
}

#[test]
fn many_attempts_are_answered_one_by_one() {
    let mut stage = Stage::new();
    // More folders than are held open at once.
    let mut attempts: Vec<_> = (0..300)
        .map(|number| by_hand(&stage, number, &format!("d{number}/deep/f"), "content"))
        .collect();
    fs::remove_file(attempts[7].root.join("d7/deep/f")).unwrap();
    write(&stage.project(), "d8/deep", "in the way");
    attempts[9].manifest[0].path = "../escaped".into();
    let publications: Vec<_> = attempts.iter().map(|a| a.publication(false)).collect();
    let results = stage.publisher.publish_many(&publications);
    let failed: Vec<_> =
        (0..).zip(&results).filter_map(|(n, r)| Some((n, r.as_ref().err()?.is_lost))).collect();
    assert_eq!(failed, [(7, true), (8, false), (9, false)]);
    assert_eq!(tree(&stage.project()).len(), 298);
    assert!(!stage.base.path().join("escaped").exists());
    stage.sweep();
    assert!(attempts[8].root.exists() && !attempts[10].root.exists());
}

#[test]
fn a_parent_swapped_for_a_link_meanwhile_leads_no_write_outside() {
    let stage = Stage::new();
    let (inside, link) = (stage.project().join("a"), stage.project().join("link"));
    let outside = stage.base.path().join("outside");
    fs::create_dir(&inside).unwrap();
    write(&outside, "f", "untouched");
    write(&outside, "d/f", "untouched");
    symlink(&outside, &link).unwrap();
    let is_over = AtomicBool::new(false);
    let arrived = std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..10_000).for_each(|_| exchange(&inside, &link));
            is_over.store(true, Ordering::Release);
        });
        let mut arrived = 0;
        for number in 0.. {
            let path = ["a/f", "a/d/f", "a/new/f"][number % 3];
            let attempt = by_hand(&stage, number, path, "published");
            match stage.publish(&attempt) {
                Ok(()) => arrived += 1,
                Err(_) => discard(&attempt.root).unwrap(),
            }
            if is_over.load(Ordering::Acquire) && arrived > 0 {
                break;
            }
        }
        arrived
    });
    assert!(arrived > 0);
    assert_eq!(tree(&outside), owned(&[("d/f", "untouched"), ("f", "untouched")]));
}

#[test]
fn discarding_removes_links_not_targets_and_any_depth() {
    let stage = Stage::new();
    let root = stage.base.path().join("1");
    write(&stage.project(), "d/f", "kept");
    write(&root, ".foreshard-deep-1/in the way", "x");
    symlink(stage.project(), root.join("link")).unwrap();
    // Longer than a path may be; made by going down step by step.
    let mut folder = fs::File::open(&root).unwrap();
    for _ in 0..3000 {
        rustix::fs::mkdirat(&folder, "deep", 0o777.into()).unwrap();
        let flags = rustix::fs::OFlags::DIRECTORY;
        folder = rustix::fs::openat(&folder, "deep", flags, 0.into()).unwrap().into();
    }
    rustix::fs::symlinkat("/", &folder, "root").unwrap();
    discard(&root).unwrap();
    assert!(!root.exists());
    assert_eq!(tree(&stage.project()), owned(&[("d/f", "kept")]));
    discard(&root).unwrap();
}

#[test]
fn discarding_a_link_does_not_discard_its_target() {
    let stage = Stage::new();
    write(&stage.project(), "f", "kept");
    let link = stage.base.path().join("1");
    symlink(stage.project(), &link).unwrap();
    assert!(discard(&link).is_err());
    assert_eq!(stage.read("f"), "kept");
}

/// One file, as if it had been committed, without waiting for the disk.
fn by_hand(stage: &Stage, number: usize, path: &str, content: &str) -> Attempt {
    let root = stage.base.path().join(format!("attempt{number}"));
    write(&root, path, content);
    let manifest = vec![PublishedFile {
        path: path.to_owned(),
        size: Bytes(content.len() as u64),
        digest: Digest::of(content.as_bytes()),
        is_directory: false,
    }];
    Attempt { root, manifest }
}

fn exchange(one: &Path, other: &Path) {
    rustix::fs::renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Every plain file below a folder and what it holds.
fn tree(root: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(path, fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    files
}

fn owned(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    files.iter().map(|&(path, content)| (path.to_owned(), content.to_owned())).collect()
}
