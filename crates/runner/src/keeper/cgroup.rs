//! Control groups: the kernel's own limit on the memory of one attempt.
//!
//! Where this process may make groups (version 2 with the memory controller, where its own group
//! is delegated to it; version 1 with a writable memory hierarchy), every attempt with a memory
//! limit runs in one of its own. The kernel then kills the offender alone, says so, and
//! remembers the peak. Where it may not, there are no groups, and the sampler stands in. Does
//! not know what a task is.

mod place;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engine::AttemptId;
use spec::Bytes;

use crate::process::start_ticks;
pub(super) use place::Place;

/// `no` in this variable leaves all limits to the sampler.
pub(super) const SWITCH: &str = "FORESHARD_CGROUPS";

/// All groups of ours begin with this.
const PREFIX: &str = "foreshard-";

/// A group whose last process was killed is busy for a moment.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(1);

/// How often a busy group is tried again.
const PAUSE: Duration = Duration::from_millis(1);

/// Which generation of control groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    One,
    Two,
}

/// Makes a group for each attempt with a memory limit, where that is possible.
#[derive(Debug)]
pub(super) struct Groups {
    place: Option<Place>,
    prefix: String,
}

impl Groups {
    /// Looks where groups can be made, and removes those of keepers that are gone.
    pub(super) fn find() -> Self {
        let is_wanted = std::env::var_os(SWITCH).is_none_or(|value| value != "no");
        Self::at(if is_wanted { Place::find() } else { None })
    }

    fn at(place: Option<Place>) -> Self {
        if let Some(place) = &place {
            sweep(&place.path);
        }
        let pid = std::process::id();
        let prefix = format!("{PREFIX}{pid}-{}-", start_ticks(pid).unwrap_or(0));
        Self { place, prefix }
    }

    /// A group for an attempt. None if there is no limit, or no group can be made: the sampler
    /// watches the attempt then.
    pub(super) fn make(&self, attempt: AttemptId, limit: Bytes) -> Option<Group> {
        let place = self.place.as_ref().filter(|_| limit.0 > 0)?;
        let path = place.path.join(format!("{}{attempt}", self.prefix));
        fs::create_dir(&path).ok()?;
        let group = Group { path, version: place.version };
        if let Err(error) = group.limit(limit) {
            eprintln!("no memory limit by a control group for {attempt}: {error}");
            group.remove();
            return None;
        }
        Some(group)
    }
}

/// Removes groups of keepers that are gone. Those that still hold a process stay.
fn sweep(place: &Path) {
    let Ok(entries) = fs::read_dir(place) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(owner);
        if let Some((pid, ticks)) = owner
            && start_ticks(pid) != Some(ticks)
        {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// The keeper of a group, from what follows the prefix of its name.
fn owner(name: &str) -> Option<(u32, u64)> {
    let mut parts = name.splitn(3, '-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// The group of one attempt.
#[derive(Debug)]
pub(super) struct Group {
    path: PathBuf,
    version: Version,
}

impl Group {
    /// Where a process writes its number to join.
    pub(super) fn door(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    fn limit(&self, limit: Bytes) -> std::io::Result<()> {
        let set = |file: &str, value: &str| fs::write(self.path.join(file), value);
        let bytes = limit.0.to_string();
        match self.version {
            Version::One => {
                set("memory.limit_in_bytes", &bytes)?;
                // Memory and swap together: what does not fit must not be swapped out instead.
                // Kernels without swap accounting have no such file; they are told not to swap.
                if set("memory.memsw.limit_in_bytes", &bytes).is_err() {
                    let _ = set("memory.swappiness", "0");
                }
            }
            Version::Two => {
                set("memory.max", &bytes)?;
                // The task is killed as a whole, not the process that happens to be largest.
                let _ = set("memory.oom.group", "1");
                let _ = set("memory.swap.max", "0");
            }
        }
        Ok(())
    }

    /// Whether a process is in it, or was: it has been charged for memory. Kernels that keep no
    /// peak tell only while it is there.
    pub(super) fn was_entered(&self) -> bool {
        self.peak().or_else(|| self.number("memory.current")).is_some_and(|bytes| bytes.0 > 0)
    }

    /// Whether the kernel has killed a process of the group because memory ran out.
    pub(super) fn was_out_of_memory(&self) -> bool {
        let file = match self.version {
            Version::One => "memory.oom_control",
            Version::Two => "memory.events",
        };
        self.keyed(file, "oom_kill").is_some_and(|n| n > 0)
    }

    /// The most memory that its processes held together, as far as it could not have been taken
    /// from them: the kernel counts cached files too, and lets them fill whatever is free.
    ///
    /// Asked when all have ended, what is still charged to the group is mostly such a cache;
    /// without it the rest is what was needed. If cached files were let go before that, they
    /// count as needed.
    pub(super) fn peak_needed(&self) -> Option<Bytes> {
        let cached = match self.version {
            Version::One => ("total_cache", "total_shmem"),
            Version::Two => ("file", "shmem"),
        };
        let stat = |key| self.keyed("memory.stat", key).unwrap_or(0);
        let cache = stat(cached.0).saturating_sub(stat(cached.1));
        Some(Bytes(self.peak()?.0.saturating_sub(cache)))
    }

    fn peak(&self) -> Option<Bytes> {
        let file = match self.version {
            Version::One => "memory.max_usage_in_bytes",
            // Linux 5.19 and later.
            Version::Two => "memory.peak",
        };
        self.number(file)
    }

    fn number(&self, file: &str) -> Option<Bytes> {
        fs::read_to_string(self.path.join(file)).ok()?.trim().parse().ok().map(Bytes)
    }

    fn keyed(&self, file: &str, key: &str) -> Option<u64> {
        let text = fs::read_to_string(self.path.join(file)).ok()?;
        let value = |line: &str| line.strip_prefix(key)?.strip_prefix(' ')?.trim().parse().ok();
        text.lines().find_map(value)
    }

    /// Removes it; its processes are dead. One that cannot be removed is swept by a later keeper.
    pub(super) fn remove(&self) {
        let started = Instant::now();
        while let Err(error) = fs::remove_dir(&self.path) {
            let is_busy = error.kind() == std::io::ErrorKind::ResourceBusy;
            if !is_busy || started.elapsed() > REMOVAL_PATIENCE {
                return;
            }
            std::thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use spec::TaskId;

    use super::*;

    const ATTEMPT: AttemptId = AttemptId(TaskId(12), 2);

    fn pretended(version: Version) -> (tempfile::TempDir, Groups) {
        let dir = tempfile::tempdir().unwrap();
        let place = Place { path: dir.path().to_owned(), version };
        (dir, Groups::at(Some(place)))
    }

    fn read(group: &Group, file: &str) -> String {
        fs::read_to_string(group.path.join(file)).unwrap()
    }

    #[test]
    fn version_two_kills_the_task_as_a_whole_and_leaves_it_no_swap() {
        let (_dir, groups) = pretended(Version::Two);
        let group = groups.make(ATTEMPT, Bytes(1 << 20)).unwrap();
        let files = ["memory.max", "memory.oom.group", "memory.swap.max"];
        assert_eq!(files.map(|file| read(&group, file)), ["1048576", "1", "0"]);
        assert!(!group.was_out_of_memory());
        fs::write(group.path.join("memory.events"), "low 0\noom 3\noom_kill 1\n").unwrap();
        fs::write(group.path.join("memory.peak"), "1000\n").unwrap();
        fs::write(group.path.join("memory.stat"), "anon 0\nfile 300\nshmem 100\n").unwrap();
        assert!(group.was_out_of_memory() && group.was_entered());
        assert_eq!(group.peak_needed(), Some(Bytes(800)));
    }

    #[test]
    fn a_kernel_that_keeps_no_peak_still_tells_who_is_in_a_group() {
        let (_dir, groups) = pretended(Version::Two);
        let group = groups.make(ATTEMPT, Bytes(1 << 20)).unwrap();
        assert!(!group.was_entered());
        fs::write(group.path.join("memory.current"), "4096\n").unwrap();
        assert!(group.was_entered());
        assert_eq!(group.peak_needed(), None);
    }

    #[test]
    fn version_one_limits_memory_and_swap_together() {
        let (_dir, groups) = pretended(Version::One);
        let group = groups.make(ATTEMPT, Bytes(1 << 20)).unwrap();
        let files = ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"];
        assert_eq!(files.map(|file| read(&group, file)), ["1048576", "1048576"]);
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n";
        fs::write(group.path.join("memory.oom_control"), control).unwrap();
        assert!(!group.was_out_of_memory());
        fs::write(group.path.join("memory.oom_control"), "oom_kill 2\n").unwrap();
        assert!(group.was_out_of_memory());
    }

    #[test]
    fn without_a_limit_or_a_place_there_is_no_group() {
        let (_dir, groups) = pretended(Version::Two);
        assert!(groups.make(ATTEMPT, Bytes(0)).is_none());
        assert!(Groups::at(None).make(ATTEMPT, Bytes(1)).is_none());
    }

    #[test]
    fn groups_of_keepers_that_are_gone_are_swept_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let own = std::process::id();
        let ticks = start_ticks(own).unwrap();
        let mine = format!("foreshard-{own}-{ticks}-t1.1");
        let gone = format!("foreshard-{own}-{}-t1.1", ticks + 1);
        for name in [&mine, &gone, "foreshard-rest", "other"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        sweep(dir.path());
        let left = |name: &str| dir.path().join(name).exists();
        assert!(left(&mine) && left("foreshard-rest") && left("other") && !left(&gone));
    }

    #[test]
    fn a_real_group_kills_who_outgrows_it_and_tells_the_peak() {
        let groups = Groups::find();
        let Some(group) = groups.make(ATTEMPT, Bytes(32 << 20)) else {
            eprintln!("skipped: no memory control group can be made here");
            return;
        };
        let hog = "x=$(head -c 20000000 /dev/zero | tr '\\0' x); y=$x$x$x$x; echo ${#y}";
        let mut command = Command::new("/bin/sh");
        let join = "echo $$ > \"$0\"; exec \"$@\"";
        command.args(["-c", join]).arg(group.door()).args(["/bin/sh", "-c", hog]);
        let output = command.output().unwrap();
        assert!(!output.status.success() && group.was_out_of_memory(), "{output:?}");
        assert!(group.was_entered());
        assert!(group.peak_needed().unwrap() > Bytes(16 << 20));
        group.remove();
        assert!(!group.path.exists());
    }
}
