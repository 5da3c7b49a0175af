//! Follows the order file.
//!
//! An orchestrator can die in the middle of a line, and the next one goes on behind it. Such a line
//! was never acknowledged, and what it said is said again: it is skipped.

use std::fs::File;
use std::io::{ErrorKind, Read, Result};
use std::path::Path;
use std::time::Duration;

use super::hub::Hub;
use crate::follow::Follower;
use crate::protocol::{Order, read_line};

/// A file system that does not tell of changes made elsewhere is looked at this often.
const INTERVAL: Duration = Duration::from_millis(250);

/// Carries orders to the hub, for as long as the keeper lives.
pub(super) fn follow(hub: &Hub, path: &Path, file: File) {
    // Watched before it is read: nothing is written unnoticed in between.
    let mut follower = Follower::new(path);
    let mut lines = Lines { file, pending: Vec::new() };
    loop {
        match lines.read() {
            Ok(orders) => orders.into_iter().for_each(|order| hub.obey(order)),
            Err(error) => eprintln!("failed to read {}: {error}", path.display()),
        }
        follower.wait(INTERVAL);
    }
}

struct Lines {
    file: File,
    pending: Vec<u8>,
}

impl Lines {
    /// The orders that were added.
    fn read(&mut self) -> Result<Vec<Order>> {
        match self.file.read_to_end(&mut self.pending) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            Ok(_) | Err(_) => {}
        }
        let mut orders = Vec::new();
        let whole = self.pending.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        for line in self.pending[..whole].split(|&byte| byte == b'\n') {
            match read_line(line) {
                Ok(order) => orders.push(order),
                Err(_) if line.is_empty() => {}
                Err(why) => eprintln!("skipped an order of {} bytes: {why}", line.len()),
            }
        }
        self.pending.drain(..whole);
        Ok(orders)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use engine::Epoch;

    use super::*;
    use crate::protocol::{Errand, write_line};

    #[test]
    fn a_torn_line_is_skipped_and_the_next_one_is_obeyed() {
        let mut writer = tempfile::NamedTempFile::new().unwrap();
        let mut lines = Lines { file: writer.reopen().unwrap(), pending: Vec::new() };
        let order = |epoch| Order { epoch: Epoch(epoch), what: Errand::Close };
        let mut bytes = Vec::new();
        write_line(&mut bytes, &order(1));
        writer.write_all(&bytes).unwrap();
        writer.write_all(&bytes[..12]).unwrap();
        assert_eq!(lines.read().unwrap(), [order(1)]);
        let mut bytes = b"\n".to_vec();
        write_line(&mut bytes, &order(2));
        writer.write_all(&bytes).unwrap();
        assert_eq!(lines.read().unwrap(), [order(2)]);
    }
}
