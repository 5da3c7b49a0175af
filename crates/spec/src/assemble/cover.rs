//! How declared paths cover one another: directories, globs and what lies in them.
//!
//! Knows path text only. Paths are sorted once, so that a directory or a glob is compared with
//! the run of paths that begin like it and with nothing else.

use std::cell::OnceCell;

use globset::{Glob, GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

use crate::files::{FileKind, FileTable};
use crate::id::FileId;

/// A pattern as every declared path means it: `*` and `?` stop at `/`, `**` does not.
///
/// # Errors
/// A pattern with an unclosed bracket or brace.
pub fn compile_glob(pattern: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(pattern).literal_separator(true).build()
}

/// Calls `found(cover, path)` for each pair of declared paths, of which `matters` says that they
/// do, where the directory or glob `cover` takes in (part of) `path`. Two globs never cover each
/// other. Returns the globs that cannot be compiled.
pub(super) fn pairs(
    files: &FileTable,
    matters: &dyn Fn(FileId, FileId) -> bool,
    found: &mut dyn FnMut(FileId, FileId),
) -> Vec<(FileId, String)> {
    let mut bad = Vec::new();
    if files.ids().all(|file| files.kind(file) == FileKind::File) {
        return bad;
    }
    let sorted = Sorted::new(files);
    for &cover in &sorted.ids {
        let path = files.path(cover);
        match files.kind(cover) {
            FileKind::File => {}
            FileKind::Directory => {
                let same_name = files.find(path.trim_end_matches('/'));
                let below = sorted.starting_with(path).iter().copied();
                for other in below.chain(same_name).filter(|&other| other != cover) {
                    if matters(cover, other) {
                        found(cover, other);
                    }
                }
            }
            FileKind::Glob => match Pattern::new(path) {
                Ok(pattern) => {
                    for &other in sorted.starting_with(pattern.prefix) {
                        // A directory above the pattern has found the pair already.
                        let other_path = files.path(other);
                        let told = other_path.ends_with('/') && path.starts_with(other_path);
                        if !told && matters(cover, other) && pattern.touches(other_path) {
                            found(cover, other);
                        }
                    }
                }
                Err(error) => bad.push((cover, error.kind().to_string())),
            },
        }
    }
    bad
}

/// Whether two declared paths share, or may share, a file.
pub(crate) fn touch(a: &str, b: &str) -> bool {
    let covers = |cover: &str, path: &str| match FileKind::of(cover) {
        FileKind::File => false,
        FileKind::Directory => path.starts_with(cover) || path == cover.trim_end_matches('/'),
        FileKind::Glob => Pattern::new(cover).is_ok_and(|pattern| pattern.touches(path)),
    };
    a == b || covers(a, b) || covers(b, a)
}

/// All declared paths in the order of their bytes.
struct Sorted<'a> {
    files: &'a FileTable,
    ids: Vec<FileId>,
}

impl<'a> Sorted<'a> {
    fn new(files: &'a FileTable) -> Self {
        let mut ids: Vec<FileId> = files.ids().collect();
        ids.sort_unstable_by_key(|&file| files.path(file));
        Self { files, ids }
    }

    /// The run of paths that begin with `prefix`.
    fn starting_with(&self, prefix: &str) -> &[FileId] {
        let start = self.ids.partition_point(|&file| self.files.path(file) < prefix);
        let tail = &self.ids[start..];
        let len = tail.partition_point(|&file| self.files.path(file).starts_with(prefix));
        &tail[..len]
    }
}

/// A glob with what can be told without running it. Compiling one takes longer than comparing
/// thousands of paths, so it waits until a path that begins and ends like it comes along.
struct Pattern<'a> {
    text: &'a str,
    /// What every match begins with.
    prefix: &'a str,
    /// What every match ends with.
    suffix: &'a str,
    /// Whether there is one `*` between the two and nothing else.
    one_star: bool,
    glob: Glob,
    whole: OnceCell<GlobMatcher>,
    /// The pattern and its beginnings, component by component: what matches one of these as a
    /// directory may hold a match.
    beginnings: OnceCell<GlobSet>,
}

impl<'a> Pattern<'a> {
    fn new(text: &'a str) -> Result<Self, globset::Error> {
        const SPECIAL: [char; 8] = ['*', '?', '[', ']', '{', '}', '\\', ','];
        let glob = compile_glob(text)?;
        let first = text.find(SPECIAL).unwrap_or(text.len());
        let after_last = text.rfind(SPECIAL).map_or(0, |last| last + 1);
        let one_star = first + 1 == after_last && text[first..].starts_with('*');
        // `**/b` also matches `b`: the slash before the last component may be optional.
        let suffix =
            if one_star { &text[after_last..] } else { text[after_last..].trim_start_matches('/') };
        let (whole, beginnings) = (OnceCell::new(), OnceCell::new());
        Ok(Self { text, prefix: &text[..first], suffix, one_star, glob, whole, beginnings })
    }

    /// Whether `path` is matched or, being a directory, may hold a match.
    fn touches(&self, path: &str) -> bool {
        match FileKind::of(path) {
            FileKind::File => self.matches(path),
            FileKind::Directory => self.beginnings().is_match(path.trim_end_matches('/')),
            FileKind::Glob => false,
        }
    }

    fn matches(&self, path: &str) -> bool {
        let middle = path.strip_prefix(self.prefix).and_then(|rest| rest.strip_suffix(self.suffix));
        match middle {
            Some(middle) if self.one_star => !middle.contains('/'),
            None if self.one_star => false,
            _ => {
                path.ends_with(self.suffix)
                    && self.whole.get_or_init(|| self.glob.compile_matcher()).is_match(path)
            }
        }
    }

    fn beginnings(&self) -> &GlobSet {
        self.beginnings.get_or_init(|| {
            let mut set = GlobSetBuilder::new();
            for (end, _) in self.text.match_indices('/') {
                // A slash inside braces cuts the pattern where it means nothing.
                if let Ok(beginning) = compile_glob(&self.text[..end]) {
                    set.add(beginning);
                }
            }
            set.add(self.glob.clone());
            set.build().expect("each of the globs was compiled")
        })
    }
}
