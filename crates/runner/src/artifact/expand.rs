//! Lists the files that a pattern matches.
//!
//! As in a shell, `*` and `**` pass over names that begin with a dot unless the pattern writes the
//! dot, and `**` does not follow links. `.foreshard` is never looked into unless it is named.

use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use globset::GlobMatcher;
use rustix::fs::{Dir, FileType, OFlags};
use rustix::io::Errno;
use spec::assemble::compile_glob;

use super::beneath::{Follow, Root, look};
use super::content::type_of;
use super::unfit::{Refusal, Unfit};

/// A folder of a project that is ours.
const STATE: &str = ".foreshard";

/// Deeper than any path the kernel takes.
const DEPTH_MAX: usize = 4096;

/// Regular files of the project that match, relative to it, sorted.
///
/// # Errors
/// The pattern is none, a folder cannot be read, or a name that matches is not UTF-8.
pub fn expand(project_root: &Path, pattern: &str) -> Result<Vec<String>, Refusal> {
    let root = Root::open(project_root).map_err(|error| Unfit::read(error).of("."))?;
    matches(&root, pattern, Follow::Beneath, u64::MAX)
}

/// What matches beneath a root, sorted. Never following links, everything but directories counts,
/// so that nothing is passed over in silence; else only regular files.
pub(super) fn matches(
    root: &Root,
    pattern: &str,
    follow: Follow,
    limit: u64,
) -> Result<Vec<String>, Refusal> {
    let pattern = Pattern::new(pattern).map_err(|why| why.of(pattern))?;
    let mut search = Search { root, pattern: &pattern, follow, limit, found: Vec::new() };
    search.enter(pattern.literal_prefix(), pattern.literal_depth)?;
    search.found.sort_unstable();
    Ok(search.found)
}

struct Pattern<'a> {
    parts: Vec<&'a str>,
    /// How many parts in front have no pattern in them.
    literal_depth: usize,
    /// Which part is the first `**`, if any.
    any_depth: Option<usize>,
    whole: GlobMatcher,
    /// `beginnings[i]` matches what the parts up to and with `i` match.
    beginnings: Vec<GlobMatcher>,
    text: &'a str,
}

impl<'a> Pattern<'a> {
    fn new(text: &'a str) -> Result<Self, Unfit> {
        let compile = |text: &str| {
            let glob = compile_glob(text).map_err(|error| Unfit::BadPattern(error.to_string()));
            glob.map(|glob| glob.compile_matcher())
        };
        let parts: Vec<_> = text.split('/').collect();
        if parts.iter().any(|part| matches!(*part, "" | "." | "..")) || text.contains('\0') {
            return Err(Unfit::Outside);
        }
        let any_depth = parts.iter().position(|&part| part == "**");
        let is_literal = |part: &&str| !part.contains(['*', '?', '[', '{', '\\']);
        let literal_depth = parts[..parts.len() - 1].iter().take_while(|p| is_literal(p)).count();
        let mut beginnings = Vec::new();
        let mut end = 0;
        for part in &parts[..any_depth.unwrap_or(parts.len())] {
            end += part.len();
            // A class or an alternative may span a slash: then folders are not told apart.
            let Ok(beginning) = compile(&text[..end]) else { break };
            beginnings.push(beginning);
            end += 1;
        }
        Ok(Self { parts, literal_depth, any_depth, whole: compile(text)?, beginnings, text })
    }

    fn literal_prefix(&self) -> &'a str {
        let parts = &self.parts[..self.literal_depth];
        let length: usize = parts.iter().map(|part| part.len() + 1).sum();
        &self.text[..length.saturating_sub(1)]
    }

    /// Whether a folder at this depth (0 for those of the root) can hold a match.
    fn can_hold(&self, path: &Path, depth: usize) -> bool {
        match self.any_depth {
            Some(any) if depth >= any => depth < DEPTH_MAX,
            _ => {
                depth + 1 < self.parts.len()
                    && self.beginnings.get(depth).is_none_or(|glob| glob.is_match(path))
            }
        }
    }

    /// Whether a name at this depth may be looked at.
    fn names(&self, name: &[u8], depth: usize) -> bool {
        if depth == 0 && name == STATE.as_bytes() {
            return self.parts[0] == STATE;
        }
        let has_dot = |part: &&str| part.starts_with('.');
        name[0] != b'.'
            || match self.any_depth {
                Some(any) if depth >= any => self.parts[any..].iter().any(has_dot),
                _ => self.parts.get(depth).is_some_and(has_dot),
            }
    }
}

struct Search<'a> {
    root: &'a Root,
    pattern: &'a Pattern<'a>,
    follow: Follow,
    limit: u64,
    found: Vec<String>,
}

impl Search<'_> {
    /// Looks through a folder whose entries are `depth` levels below the root.
    fn enter(&mut self, path: &str, depth: usize) -> Result<(), Refusal> {
        let folder = match self.root.folder(Path::new(path), self.follow) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => return Ok(()),
            Err(errno) => return Err(Unfit::read(errno).of(path)),
        };
        let cannot_read = |errno: Errno| Unfit::read(errno).of(path);
        let mut folders = Vec::new();
        for entry in Dir::read_from(&folder).map_err(cannot_read)? {
            let entry = entry.map_err(cannot_read)?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") || !self.pattern.names(name, depth) {
                continue;
            }
            let name = OsStr::from_bytes(name);
            let below = Path::new(path).join(name);
            let mut kind = entry.file_type();
            if kind == FileType::Unknown {
                kind = kind_of(folder.as_fd(), name).map_err(cannot_read)?;
            }
            let can_follow = self.pattern.any_depth.is_none_or(|any| depth < any);
            if kind == FileType::Symlink && self.follow == Follow::Beneath {
                kind = self.target_of(&below, kind);
                if kind == FileType::Directory && !can_follow {
                    continue;
                }
            }
            if kind == FileType::Directory {
                if self.pattern.can_hold(&below, depth) {
                    folders.push(text_of(&below)?);
                }
            } else if self.pattern.whole.is_match(&below)
                && (self.follow == Follow::Never || kind == FileType::RegularFile)
            {
                self.add(text_of(&below)?)?;
            }
        }
        drop(folder);
        folders.iter().try_for_each(|folder| self.enter(folder, depth + 1))
    }

    /// What a link leads to; a link that leaves the root stays a link.
    fn target_of(&self, path: &Path, otherwise: FileType) -> FileType {
        let target = self.root.entry(path, OFlags::PATH, Follow::Beneath);
        let stat = target.and_then(rustix::fs::fstat);
        stat.map_or(otherwise, |stat| type_of(&stat))
    }

    fn add(&mut self, path: String) -> Result<(), Refusal> {
        if self.found.len() as u64 >= self.limit {
            return Err(Unfit::TooMany(self.limit).of(self.pattern.text));
        }
        self.found.push(path);
        Ok(())
    }
}

fn kind_of(folder: BorrowedFd<'_>, name: &OsStr) -> Result<FileType, Errno> {
    Ok(look(folder, name)?.map_or(FileType::Unknown, |stat| type_of(&stat)))
}

fn text_of(path: &Path) -> Result<String, Refusal> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Unfit::NotUtf8.of(path.to_string_lossy()))
}
