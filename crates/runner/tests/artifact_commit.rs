//! What a command may leave behind, and what is taken of it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::fs;
use std::io::{Seek, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use engine::cause::FailureCause;
use engine::outcome::Manifest;
use runner::artifact::{Limits, Root, commit, commit_beneath};
use rustix::fs::{CWD, FileType, Mode};
use spec::Digest;

type Setup = fn(&Path);

/// A declared output, what a command leaves, the path that is named and what is said of it.
const HOSTILE: &[(&str, Setup, &str, &str)] = &[
    ("o", |r| symlink("/etc/passwd", r.join("o")).unwrap(), "o", "is a symbolic link"),
    ("o", link_inside, "o", "is a symbolic link"),
    ("o", |r| symlink("nowhere", r.join("o")).unwrap(), "o", "is a symbolic link"),
    ("o", |r| symlink("o", r.join("o")).unwrap(), "o", "is a symbolic link"),
    ("d/passwd", |r| symlink("/etc", r.join("d")).unwrap(), "d/passwd", "lies behind"),
    ("d/passwd", |r| symlink("../../../../etc", r.join("d")).unwrap(), "d/passwd", "lies behind"),
    ("d/o", |r| symlink("d", r.join("d")).unwrap(), "d/o", "lies behind"),
    ("d/o", |r| write(r, "d", "a file"), "d/o", "lies behind"),
    ("d/", |r| symlink("/etc", r.join("d")).unwrap(), "d/", "is a symbolic link"),
    ("d/", link_in_folder, "d/x/l", "is a symbolic link"),
    ("*.txt", |r| symlink("/etc/passwd", r.join("a.txt")).unwrap(), "a.txt", "is a symbolic link"),
    ("o", |r| special(r, "o", FileType::Fifo), "o", "is a named pipe"),
    ("d/", |r| special(r, "d/p", FileType::Fifo), "d/p", "is a named pipe"),
    ("*.p", |r| special(r, "x.p", FileType::Fifo), "x.p", "is a named pipe"),
    ("o", |r| special(r, "o", FileType::Socket), "o", "is a socket"),
    ("o", hard_link, "o", "is a hard link"),
    ("d/", hard_link_in_folder, "d/o", "is a hard link"),
    ("o", |r| write_mode(r, 0o4755), "o", "is setuid or setgid"),
    ("o", |r| write_mode(r, 0o2755), "o", "is setuid or setgid"),
    ("o", |r| sparse(r, "o"), "o", "is sparse: 1099511627776 bytes of which"),
    ("d/", |r| sparse(r, "d/o"), "d/o", "is sparse: 1099511627776 bytes of which"),
    ("d/", |r| nest(r, 200), "d/", "is nested deeper than 100 directories"),
    ("d/", |r| many(r, 251), "d", "has more than 250 files"),
    ("d/*", |r| many(r, 251), "d/*", "has more than 250 files"),
    ("o", |r| write(r, "o/x", ""), "o", "is a directory; declare it with a trailing `/`"),
    ("o/", |r| write(r, "o", ""), "o/", "is not a directory"),
    ("*", not_utf8, "\u{fffd}", "has a name that is not UTF-8"),
    ("../o", |_| {}, "../o", "is not a path inside"),
    ("d/../../o", |_| {}, "d/../../o", "is not a path inside"),
    ("/etc/passwd", |_| {}, "/etc/passwd", "is not a path inside"),
    ("", |_| {}, "", "is not a path inside"),
    ("../*", |_| {}, "../*", "is not a path inside"),
    ("/etc/*", |_| {}, "/etc/*", "is not a path inside"),
    ("a\0b", |_| {}, "a\0b", "is not a path inside"),
    ("[", |_| {}, "[", "is not a pattern"),
];

#[test]
fn whatever_could_reach_outside_hang_or_change_later_is_refused() {
    for &(output, setup, path, why) in HOSTILE {
        for (way, open) in WAYS {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().join("private");
            fs::create_dir(&root).unwrap();
            setup(&root);
            let taken = take(&open(&root).unwrap(), &[output]);
            let Err(FailureCause::UnfitOutput { path: named, why: said }) = taken else {
                panic!("{output:?} by {way}: {why} expected, not {taken:?}");
            };
            assert!(said.starts_with(why), "{output:?} by {way}: {said}");
            assert!(named.starts_with(path), "{output:?} by {way}: {named}");
        }
    }
}

#[test]
fn a_device_is_refused_without_being_opened() {
    let root = tempfile::tempdir().unwrap();
    // Major 1, minor 5 is /dev/zero: reading it would never end. Needs the right to make one.
    let zero = rustix::fs::makedev(1, 5);
    let made = rustix::fs::mknodat(
        CWD,
        root.path().join("o"),
        FileType::CharacterDevice,
        Mode::from_raw_mode(0o666),
        zero,
    );
    if made.is_ok() {
        let Err(FailureCause::UnfitOutput { why, .. }) = commit(root.path(), &["o".into()]) else {
            panic!("a device was taken");
        };
        assert_eq!(why, "is a device");
    }
}

#[test]
fn every_missing_output_is_named_at_once() {
    for (way, open) in WAYS {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "there", "x");
        write(root.path(), ".hidden.txt", "x");
        fs::create_dir_all(root.path().join("dir.txt")).unwrap();
        let outputs = ["there", "gone", "no/folder", "*.txt", "none/", "no/**"];
        let missing = take(&open(root.path()).unwrap(), &outputs);
        let expected = ["gone", "no/folder", "*.txt", "none/", "no/**"].map(String::from).to_vec();
        assert_eq!(missing, Err(FailureCause::MissingOutput(expected)), "by {way}");
    }
}

#[test]
fn outputs_are_sorted_and_undeclared_files_are_left() {
    for (way, open) in WAYS {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "z", "last");
        write(root.path(), "counts/b.txt", "b");
        write(root.path(), "counts/a.txt", "");
        write(root.path(), "counts/a.log", "not declared");
        write(root.path(), "tree/x/y", "deep");
        write(root.path(), "tree/.hidden", "counts");
        let manifest =
            take(&open(root.path()).unwrap(), &["z", "counts/*.txt", "tree/", "z"]).unwrap();
        let seen: Vec<_> =
            manifest.iter().map(|f| (f.path.as_str(), f.size.0, f.is_directory)).collect();
        let expected = [
            ("counts/a.txt", 0, false),
            ("counts/b.txt", 1, false),
            ("tree/", 10, true),
            ("z", 4, false),
        ];
        assert_eq!(seen, expected, "by {way}");
        assert_eq!(manifest[1].digest, Digest::of(b"b"));
        assert_eq!(manifest[3].digest, Digest::of(b"last"));
    }
}

#[test]
fn an_empty_file_and_an_empty_directory_are_outputs() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "stamp", "");
    fs::create_dir(root.path().join("plots")).unwrap();
    let manifest = commit(root.path(), &["stamp".into(), "plots/".into()]).unwrap();
    assert_eq!(manifest.iter().map(|f| f.size.0).collect::<Vec<_>>(), [0, 0]);
}

#[test]
fn a_directory_may_be_setgid_as_a_group_shares_it() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "d/o", "x");
    let mode = fs::Permissions::from_mode(0o2775);
    fs::set_permissions(root.path().join("d"), mode).unwrap();
    assert!(commit(root.path(), &["d/".into()]).is_ok());
}

#[test]
fn the_digest_of_a_directory_tells_names_kinds_and_contents_apart() {
    let trees: [Setup; 8] = [
        |r| write(r, "d/ab/c", "x"),
        |r| write(r, "d/a/bc", "x"),
        |r| write(r, "d/ab/c", "y"),
        |r| write(r, "d/ab/d", "x"),
        |r| fs::create_dir_all(r.join("d/ab/c")).unwrap(),
        |r| fs::create_dir_all(r.join("d/ab")).unwrap(),
        |r| fs::create_dir_all(r.join("d")).unwrap(),
        |r| {
            write(r, "d/ab/c", "x");
            fs::set_permissions(r.join("d/ab/c"), fs::Permissions::from_mode(0o755)).unwrap();
        },
    ];
    let mut digests = std::collections::BTreeSet::new();
    for tree in trees {
        let root = tempfile::tempdir().unwrap();
        tree(root.path());
        digests.insert(commit(root.path(), &["d/".into()]).unwrap()[0].digest);
    }
    assert_eq!(digests.len(), trees.len());
}

#[test]
fn a_file_that_a_surviving_child_still_writes_to_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("o");
    fs::write(&path, vec![7; 8 << 20]).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut child = fs::OpenOptions::new().write(true).open(&path).unwrap();
            while !is_over.load(Ordering::Relaxed) {
                child.rewind().unwrap();
                child.write_all(b"late").unwrap();
            }
        });
        // A commit during which the writer did not get to run may succeed.
        let refused = (0..10_000).find_map(|_| commit(root.path(), &["o".into()]).err());
        is_over.store(true, Ordering::Relaxed);
        let why = "changed while it was read: something still writes to it".to_owned();
        assert_eq!(refused, Some(FailureCause::UnfitOutput { path: "o".into(), why }));
    });
}

type Open = fn(&Path) -> std::io::Result<Root>;

const WAYS: [(&str, Open); 2] = [("openat2", Root::open), ("steps", Root::open_stepwise)];

fn take(root: &Root, outputs: &[&str]) -> Result<Manifest, FailureCause> {
    let outputs: Vec<_> = outputs.iter().map(|&output| output.to_owned()).collect();
    commit_beneath(root, &outputs, &[], Limits { files: 250, ..Limits::default() })
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn link_inside(root: &Path) {
    write(root, "real", "x");
    symlink("real", root.join("o")).unwrap();
}

fn link_in_folder(root: &Path) {
    write(root, "d/x/real", "x");
    symlink("real", root.join("d/x/l")).unwrap();
}

fn special(root: &Path, path: &str, kind: FileType) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(0o666), 0).unwrap();
}

fn hard_link(root: &Path) {
    let foreign = root.parent().unwrap().join("foreign");
    fs::write(&foreign, "not yours").unwrap();
    fs::hard_link(foreign, root.join("o")).unwrap();
}

fn hard_link_in_folder(root: &Path) {
    hard_link(root);
    fs::create_dir(root.join("d")).unwrap();
    fs::rename(root.join("o"), root.join("d/o")).unwrap();
}

fn write_mode(root: &Path, mode: u32) {
    write(root, "o", "x");
    fs::set_permissions(root.join("o"), fs::Permissions::from_mode(mode)).unwrap();
}

fn sparse(root: &Path, path: &str) {
    write(root, path, "a little");
    fs::File::options().write(true).open(root.join(path)).unwrap().set_len(1 << 40).unwrap();
}

fn nest(root: &Path, levels: usize) {
    fs::create_dir_all(root.join("d").join("x/".repeat(levels))).unwrap();
}

fn many(root: &Path, files: usize) {
    (0..files).for_each(|number| write(root, &format!("d/{number}"), ""));
}

fn not_utf8(root: &Path) {
    fs::write(root.join(std::ffi::OsStr::from_bytes(b"\xff")), "x").unwrap();
}
