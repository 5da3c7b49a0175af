//! Digests against an independent computation, the cache, and what patterns match.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use engine::outcome::PublishedFile;
use proptest::prelude::*;
use runner::artifact::{
    DigestCache, Digests, NoCache, Publication, Publisher, Root, Stamp, Verdict, commit_beneath,
    expand,
};
use spec::Digest;

type Change = fn(&Path);

/// Path below the tree, content, whether executable.
type Files = BTreeMap<PathBuf, (Vec<u8>, bool)>;

fn files() -> impl Strategy<Value = Files> {
    let content = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..64),
        // Around the sizes of buffers.
        prop_oneof![Just(0usize), 1usize..5, 262_142usize..262_148, 600_000usize..600_004]
            .prop_map(|length| (0..length).map(|i| (i * 7 % 251) as u8).collect()),
    ];
    // Names whose order as text differs from their order as paths.
    let path = proptest::collection::vec("[a!0~é]{1,2}", 1..4).prop_map(|p| p.iter().collect());
    proptest::collection::btree_map(path, (content, any::<bool>()), 0..12).prop_map(|files| {
        // A file cannot also be a folder.
        let is_folder =
            |path: &PathBuf| files.keys().any(|p: &PathBuf| p != path && p.starts_with(path));
        files
            .iter()
            .filter(|(path, _)| !is_folder(path))
            .map(|(p, f)| (p.clone(), f.clone()))
            .collect()
    })
}

fn lay(root: &Path, files: &Files) {
    fs::create_dir_all(root).unwrap();
    for (path, (content, executable)) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let mode = if *executable { 0o755 } else { 0o644 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

fn read_back(root: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                let executable = entry.metadata().unwrap().permissions().mode() & 0o111 != 0;
                let path = entry.path().strip_prefix(root).unwrap().to_owned();
                files.insert(path, (fs::read(entry.path()).unwrap(), executable));
            }
        }
    }
    files
}

/// The listing as the format says, from the files that were meant to be there.
fn listing(files: &Files) -> Digest {
    let folders = files.keys().flat_map(|path| path.ancestors().skip(1));
    let mut paths: BTreeSet<&Path> = folders.filter(|p| !p.as_os_str().is_empty()).collect();
    paths.extend(files.keys().map(PathBuf::as_path));
    let mut text = Vec::new();
    for path in paths {
        let name = path.to_str().unwrap().as_bytes();
        text.push(match files.get(path) {
            None => b'd',
            Some((_, true)) => b'x',
            Some((_, false)) => b'f',
        });
        text.extend((name.len() as u64).to_le_bytes());
        text.extend(name);
        if let Some((content, _)) = files.get(path) {
            text.extend(Digest::of(content).0);
        }
    }
    Digest::of(&text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_tree_arrives_as_it_was_written_and_its_digests_are_those_of_its_bytes(
        files in files(), is_stepwise in any::<bool>(),
    ) {
        let base = tempfile::tempdir().unwrap();
        let (private, project) = (base.path().join("private"), base.path().join("project"));
        lay(&private.join("whole"), &files);
        lay(&private.join("each"), &files);
        fs::create_dir(&project).unwrap();
        let open = if is_stepwise { Root::open_stepwise } else { Root::open };
        let outputs: Vec<_> = if files.is_empty() { vec!["whole/".into()] }
            else { vec!["whole/".into(), "each/**".into()] };
        let manifest =
            commit_beneath(&open(&private).unwrap(), &outputs, &[], Default::default()).unwrap();

        let size: usize = files.values().map(|(content, _)| content.len()).sum();
        let whole = manifest.last().unwrap();
        prop_assert_eq!((whole.digest, whole.size.0), (listing(&files), size as u64));
        let each: BTreeMap<_, _> = manifest[..manifest.len() - 1]
            .iter()
            .map(|file| (PathBuf::from(file.path.strip_prefix("each/").unwrap()), file.digest))
            .collect();
        let expected = files.iter().map(|(path, (content, _))| (path.clone(), Digest::of(content)));
        prop_assert_eq!(each, expected.collect());

        let digests = Digests::new(&project, &NoCache, 3).unwrap();
        prop_assert_eq!(digests.verify(whole).unwrap(), Verdict::Missing);
        let publication =
            Publication { attempt_root: &private, manifest: &manifest, verify: is_stepwise };
        Publisher::new(&project).unwrap().publish(publication).unwrap();
        prop_assert_eq!(&read_back(&project.join("whole")), &files);
        if !files.is_empty() {
            prop_assert_eq!(&read_back(&project.join("each")), &files);
        }
        for verdict in digests.verify_many(&manifest.iter().collect::<Vec<_>>()) {
            prop_assert_eq!(verdict.unwrap(), Verdict::Fresh);
        }
    }
}

#[test]
fn a_published_file_that_was_touched_is_told_from_one_that_is_gone() {
    let changes: [(Change, Verdict); 8] = [
        (|_| {}, Verdict::Fresh),
        (|o| fs::write(o, "same").unwrap(), Verdict::Fresh),
        (|o| fs::write(o, "diff").unwrap(), Verdict::Modified),
        (|o| fs::write(o, "longer").unwrap(), Verdict::Modified),
        (|o| fs::remove_file(o).unwrap(), Verdict::Missing),
        (|o| fs::remove_dir_all(o.parent().unwrap()).unwrap(), Verdict::Missing),
        (become_folder, Verdict::Modified),
        (become_link, Verdict::Modified),
    ];
    for (number, (change, expected)) in changes.into_iter().enumerate() {
        let project = tempfile::tempdir().unwrap();
        write(project.path(), "d/o", "same");
        change(&project.path().join("d/o"));
        let digests = Digests::new(project.path(), &NoCache, 1).unwrap();
        assert_eq!(digests.verify(&published("d/o", "same")).unwrap(), expected, "{number}");
    }
}

#[test]
fn inputs_are_followed_inside_the_project_and_refused_outside() {
    let base = tempfile::tempdir().unwrap();
    let project = base.path().join("project");
    write(&project, "data/real", "x");
    write(base.path(), "outside", "secret");
    symlink("data/real", project.join("inside")).unwrap();
    symlink("data", project.join("folder")).unwrap();
    symlink("../outside", project.join("up")).unwrap();
    symlink(base.path().join("outside"), project.join("absolute")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, project.join("pipe"), 0o666.into()).unwrap();
    let digests = Digests::new(&project, &NoCache, 4).unwrap();
    let paths = ["inside", "folder/real", "up", "absolute", "pipe", "none", "../outside"];
    let answers: Vec<_> = digests
        .digest_many(&paths)
        .into_iter()
        .map(|answer| answer.map(|d| d.digest).map_err(|refusal| refusal.why.to_string()))
        .collect();
    let behind = "lies behind a symbolic link or a file; its folders must be plain folders";
    let expected = [
        Ok(Digest::of(b"x")),
        Ok(Digest::of(b"x")),
        Err(behind.to_owned()),
        Err(behind.to_owned()),
        Err("is a named pipe".to_owned()),
        Err("is missing".to_owned()),
        Err("is not a path inside the folder".to_owned()),
    ];
    assert_eq!(answers, expected);
}

#[test]
fn a_settled_file_is_read_once_and_a_fresh_one_is_not_trusted() {
    let project = tempfile::tempdir().unwrap();
    write(project.path(), "d/f", "true");
    let cache = Kept::default();
    let digests = Digests::new(project.path(), &cache, 1).unwrap();
    let honest = digests.digest("d/f").unwrap().digest;
    // Just written: it could change again under the same stamp.
    assert!(cache.0.lock().unwrap().is_empty());

    let stamp = Stamp::of_path(&project.path().join("d/f")).unwrap();
    let kept = Digest::of(b"from the cache");
    cache.0.lock().unwrap().insert(("d/f".to_owned(), stamp), kept);
    assert_eq!(digests.digest("d/f").unwrap().digest, kept);
    assert_ne!(digests.digest("d/").unwrap().digest, {
        cache.0.lock().unwrap().clear();
        digests.digest("d/").unwrap().digest
    });
    assert_eq!(digests.digest("d/f").unwrap().digest, honest);
}

#[test]
fn patterns_match_as_in_a_shell() {
    let project = tempfile::tempdir().unwrap();
    let root = project.path();
    for path in [
        "a.txt",
        "b.txt",
        "b.log",
        ".c.txt",
        "[x].txt",
        "d/a.txt",
        "d/e/a.txt",
        "d/.h/a.txt",
        "d/e/f/g.txt",
        ".foreshard/runs/1/a.txt",
        "ü.txt",
    ] {
        write(root, path, "");
    }
    fs::create_dir(root.join("dir.txt")).unwrap();
    symlink("a.txt", root.join("link.txt")).unwrap();
    symlink("/etc/passwd", root.join("out.txt")).unwrap();
    symlink("gone", root.join("gone.txt")).unwrap();
    symlink("d", root.join("l")).unwrap();
    symlink("..", root.join("d/up")).unwrap();
    symlink("/etc", root.join("etc")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, root.join("pipe.txt"), 0o666.into()).unwrap();
    let cases: &[(&str, &[&str])] = &[
        ("*.txt", &["[x].txt", "a.txt", "b.txt", "link.txt", "ü.txt"]),
        ("?.txt", &["a.txt", "b.txt"]),
        ("[ab].*", &["a.txt", "b.log", "b.txt"]),
        ("[!a].txt", &["b.txt"]),
        ("[[]x].txt", &["[x].txt"]),
        (".*.txt", &[".c.txt"]),
        ("d/*.txt", &["d/a.txt"]),
        ("*/a.txt", &["d/a.txt", "l/a.txt"]),
        ("d/*/a.txt", &["d/e/a.txt", "d/up/a.txt"]),
        ("d/.*/*", &["d/.h/a.txt"]),
        ("d/**", &["d/a.txt", "d/e/a.txt", "d/e/f/g.txt"]),
        ("**/g.txt", &["d/e/f/g.txt"]),
        ("**/.h/*", &["d/.h/a.txt"]),
        ("d/**/a.txt", &["d/a.txt", "d/e/a.txt"]),
        (".foreshard/runs/*/a.txt", &[".foreshard/runs/1/a.txt"]),
        (".*/runs/*/a.txt", &[]),
        ("etc/*", &[]),
        ("none/*", &[]),
        ("a.txt/*", &[]),
    ];
    for (pattern, expected) in cases {
        assert_eq!(&expand(root, pattern).unwrap(), expected, "{pattern}");
    }
}

#[derive(Default)]
struct Kept(Mutex<BTreeMap<(String, Stamp), Digest>>);

impl DigestCache for Kept {
    fn lookup(&self, path: &str, stamp: &Stamp) -> Option<Digest> {
        self.0.lock().unwrap().get(&(path.to_owned(), *stamp)).copied()
    }
    fn store(&self, path: &str, stamp: &Stamp, digest: &Digest) {
        self.0.lock().unwrap().insert((path.to_owned(), *stamp), *digest);
    }
}

fn published(path: &str, content: &str) -> PublishedFile {
    PublishedFile {
        path: path.to_owned(),
        size: spec::Bytes(content.len() as u64),
        digest: Digest::of(content.as_bytes()),
        is_directory: false,
    }
}

fn become_folder(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
}

fn become_link(path: &Path) {
    fs::rename(path, path.with_extension("moved")).unwrap();
    symlink("o.moved", path).unwrap();
}

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}
