//! Where control groups can be made: below this process's own group, if the kernel and whoever
//! manages the machine let us.
//!
//! Version 2 lets a group either hold processes or divide memory among groups below it. So if
//! our own group holds nobody but Foreshard's processes, as in a delegated scope or a service,
//! they move one level down first; if it holds anybody else, it is left alone.

use std::fs;
use std::path::{Path, PathBuf};

use super::Version;

/// The group below a delegated one to which Foreshard's own processes move.
const REST: &str = "foreshard-rest";

/// A group below which groups with memory limits can be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    pub(crate) version: Version,
}

impl Place {
    /// None where this process may make no groups that limit memory.
    pub(crate) fn find() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let two = own_group(&mounts, &own, Version::Two).and_then(|path| divided(&path));
        let one = || own_group(&mounts, &own, Version::One);
        let place = match two {
            Some(path) => Self { path, version: Version::Two },
            None => Self { path: one()?, version: Version::One },
        };
        place.works().then_some(place)
    }

    /// Tries it: permissions say little, for hierarchies can be mounted read-only.
    fn works(&self) -> bool {
        let trial = self.path.join(format!("foreshard-trial-{}", std::process::id()));
        if fs::create_dir(&trial).is_err() {
            return false;
        }
        let limit = match self.version {
            Version::One => "memory.limit_in_bytes",
            Version::Two => "memory.max",
        };
        let can_limit = fs::write(trial.join(limit), (1_u64 << 40).to_string()).is_ok();
        let _ = fs::remove_dir(&trial);
        can_limit
    }
}

/// The folder of this process's group, in the hierarchy that may govern memory.
fn own_group(mounts: &str, own: &str, version: Version) -> Option<PathBuf> {
    let path = own.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let is_it = match version {
            Version::One => controllers.split(',').any(|name| name == "memory"),
            Version::Two => number == "0" && controllers.is_empty(),
        };
        is_it.then_some(path)
    })?;
    let (root, mount_point) = mounts.lines().find_map(|line| mount_of(line, version))?;
    // Inside a container the mount shows only what lies below its root.
    let below = path.strip_prefix(root.trim_end_matches('/'))?;
    let is_below = below.is_empty() || below.starts_with('/');
    (is_below && !below.split('/').any(|part| part == ".."))
        .then(|| Path::new(mount_point).join(below.trim_start_matches('/')))
}

/// Root and place of a mount, if it is of the hierarchy that may govern memory
/// (`/proc/<pid>/mountinfo`, proc(5): root and mount point are fields 4 and 5; type, source and
/// options follow a lone dash).
fn mount_of(line: &str, version: Version) -> Option<(&str, &str)> {
    let (mount, kind) = line.split_once(" - ")?;
    let mut fields = mount.split(' ').skip(3);
    let found = (fields.next()?, fields.next()?);
    let mut kind = kind.split(' ');
    let (name, options) = (kind.next()?, kind.nth(1)?);
    let is_it = match version {
        Version::One => name == "cgroup" && options.split(',').any(|option| option == "memory"),
        Version::Two => name == "cgroup2",
    };
    is_it.then_some(found)
}

/// The group that divides memory among those below it: the own one, made to do so if it holds
/// nobody but Foreshard, or the one above, if a keeper has done so before.
fn divided(own: &Path) -> Option<PathBuf> {
    if own.ends_with(REST) {
        return own.parent().filter(|parent| divides(parent)).map(Path::to_owned);
    }
    if !divides(own) {
        if !names(&own.join("cgroup.controllers"), "memory") || !is_ours_alone(own) {
            return None;
        }
        let rest = own.join(REST);
        let _ = fs::create_dir(&rest);
        for pid in members(own) {
            fs::write(rest.join("cgroup.procs"), pid.to_string()).ok()?;
        }
        fs::write(own.join("cgroup.subtree_control"), "+memory").ok()?;
    }
    Some(own.to_owned())
}

fn divides(group: &Path) -> bool {
    names(&group.join("cgroup.subtree_control"), "memory")
}

fn names(file: &Path, word: &str) -> bool {
    fs::read_to_string(file).is_ok_and(|text| text.split_whitespace().any(|name| name == word))
}

fn members(group: &Path) -> Vec<u32> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.trim().parse().ok()).collect()
}

/// Whether all processes of a group run this program: it was made for Foreshard.
fn is_ours_alone(group: &Path) -> bool {
    let program = |pid: u32| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let own = program(std::process::id());
    own.is_some() && members(group).into_iter().all(|pid| program(pid) == own)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime shared:9 - cgroup2 cgroup2 rw
";
    const CONTAINER: &str = "\
700 699 0:27 /docker/abc /sys/fs/cgroup/memory ro,nosuid - cgroup cgroup rw,memory
";

    #[test]
    fn the_own_group_is_found_in_either_hierarchy() {
        let own = "4:cpu:/\n3:memory,x:/a/b\n0::/scope\n";
        let path = |version| own_group(HYBRID, own, version);
        assert_eq!(path(Version::One), Some("/sys/fs/cgroup/memory/a/b".into()));
        assert_eq!(path(Version::Two), Some("/sys/fs/cgroup/unified/scope".into()));
        assert_eq!(own_group(HYBRID, "4:cpu:/\n", Version::One), None);
    }

    #[test]
    fn in_a_container_the_path_is_that_below_the_mount() {
        let path = |own| own_group(CONTAINER, own, Version::One);
        assert_eq!(path("3:memory:/docker/abc"), Some("/sys/fs/cgroup/memory/".into()));
        assert_eq!(path("3:memory:/docker/abc/x"), Some("/sys/fs/cgroup/memory/x".into()));
        assert_eq!(path("3:memory:/docker/abcd"), None);
        assert_eq!(path("3:memory:/../outside"), None);
        assert_eq!(path("0::/"), None);
    }

    fn group(dir: &Path, controllers: &str, divided: &str, members: &str) {
        fs::write(dir.join("cgroup.controllers"), controllers).unwrap();
        fs::write(dir.join("cgroup.subtree_control"), divided).unwrap();
        fs::write(dir.join("cgroup.procs"), members).unwrap();
    }

    #[test]
    fn a_group_of_our_own_is_made_to_divide_memory_and_one_with_strangers_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let own = std::process::id();
        group(dir.path(), "cpu memory", "", &format!("{own}\n1\n"));
        assert_eq!(divided(dir.path()), None);
        assert!(!dir.path().join(REST).exists());
        group(dir.path(), "cpu", "", &format!("{own}\n"));
        assert_eq!(divided(dir.path()), None);
        group(dir.path(), "cpu memory", "", &format!("{own}\n"));
        assert_eq!(divided(dir.path()).as_deref(), Some(dir.path()));
        let moved = fs::read_to_string(dir.path().join(REST).join("cgroup.procs")).unwrap();
        assert_eq!(moved, own.to_string());
        let told = fs::read_to_string(dir.path().join("cgroup.subtree_control")).unwrap();
        assert_eq!(told, "+memory");
        // Whoever starts among the moved ones finds the same place.
        group(dir.path(), "cpu memory", "memory", "");
        assert_eq!(divided(&dir.path().join(REST)).as_deref(), Some(dir.path()));
    }
}
