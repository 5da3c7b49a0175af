//! In a process of its own, for the umask belongs to the process.

use std::time::Duration;

use journal::lease::{Holder, Lease};
use journal::{Epoch, Journal, Options, Setup};

#[test]
fn a_process_whose_files_anybody_may_write_makes_others_for_the_journal() {
    rustix::process::umask(rustix::fs::Mode::empty());
    let dir = tempfile::tempdir().unwrap();
    let lease =
        |floor| Lease::acquire(dir.path(), Holder::own(), Duration::from_secs(60), floor).unwrap();
    drop(lease(Epoch(0)));
    let epoch = lease(Epoch(0)).epoch();
    let mut setup = Setup::new("run", epoch);
    setup.options = Options { shared_memory: Some(false), ..Options::default() };
    Journal::create(dir.path(), "{}", setup.clone()).unwrap().close().unwrap();
    Journal::open(dir.path(), setup, |_, _| {}).unwrap().0.close().unwrap();
}
