//! `/proc/<pid>/stat`, as far as a keeper needs it.

/// What the kernel says about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its number.
    pub pid: u32,
    /// `R`, `S`, `D`, `T`, `Z` and so on.
    pub state: u8,
    /// Its parent's number.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Its session.
    pub session: u32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
    /// Resident memory, in pages.
    pub resident_pages: u64,
}

impl Stat {
    /// Of one process; none if there is no such process.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Whether it has ended and only waits to be reaped.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x')
    }

    /// Resident memory in bytes.
    #[must_use]
    pub fn resident(&self) -> u64 {
        self.resident_pages * rustix::param::page_size() as u64
    }

    fn parse(line: &[u8]) -> Option<Self> {
        // The name may hold spaces and parentheses; nothing after its last one does.
        let name_end = line.iter().rposition(|&byte| byte == b')')?;
        let pid_end = line.iter().position(|&byte| byte == b' ')?;
        let number = |text: &str| text.parse().ok();
        let pid = number(std::str::from_utf8(&line[..pid_end]).ok()?)?;
        let mut fields = std::str::from_utf8(&line[name_end + 1..]).ok()?.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let parent = number(fields.next()?)?;
        let group = number(fields.next()?)?;
        let session = number(fields.next()?)?;
        // `man 5 proc`: the state is field 3, the start time 22, resident memory 24.
        let start_ticks = fields.nth(15)?.parse().ok()?;
        let resident_pages = fields.nth(1)?.parse().ok()?;
        Some(Self { pid, state, parent, group, session, start_ticks, resident_pages })
    }
}

/// Every process that can be seen, by number.
#[must_use]
pub fn all() -> Vec<Stat> {
    let mut stats: Vec<Stat> = pids().filter_map(Stat::of).collect();
    stats.sort_unstable_by_key(|stat| stat.pid);
    stats
}

/// The number of every process that can be seen.
pub(super) fn pids() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Resident memory of a process in bytes, where pages shared by n processes count one nth for
/// each. The kernel walks its page tables for it: dearer than [`Stat::resident`].
#[must_use]
pub fn proportional_memory(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let line = b"42 (a) b (c) S 7 42 40 0 -1 4194304 100 0 0 0 1 2 0 0 20 0 1 0 987654 3000000 321 1844";
        let stat = Stat::parse(line).unwrap();
        let expected = Stat {
            pid: 42,
            state: b'S',
            parent: 7,
            group: 42,
            session: 40,
            start_ticks: 987_654,
            resident_pages: 321,
        };
        assert_eq!(stat, expected);
    }

    #[test]
    fn this_process_is_among_all_and_uses_memory() {
        let own = std::process::id();
        let stat = all().into_iter().find(|stat| stat.pid == own).unwrap();
        assert!(stat.resident() > 0 && !stat.is_dead());
        assert!(proportional_memory(own).unwrap() > 0);
    }
}
