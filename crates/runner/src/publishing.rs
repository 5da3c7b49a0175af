//! Gives committed outputs their final names, in batches, beside the drive loop.

use std::path::PathBuf;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, unbounded};
use engine::{AttemptId, Manifest, Observation};

use crate::artifact::{Publication, PublishError, Publisher};
use crate::executor::Observe;
use crate::run_dir::Project;

/// One commit to publish.
#[derive(Clone, Debug)]
pub struct PublishJob {
    /// Whose.
    pub attempt: AttemptId,
    /// Its private folder.
    pub root: PathBuf,
    /// What is in it.
    pub outputs: Manifest,
}

/// The publisher's thread.
#[derive(Debug)]
pub struct Publishing {
    jobs: Option<Sender<Vec<PublishJob>>>,
    thread: Option<JoinHandle<()>>,
}

impl Publishing {
    /// Starts the thread. With `verify`, digests are taken again before anything becomes visible:
    /// after a crash, what was synced is the only thing to believe.
    #[must_use]
    pub fn start(project: Project, verify: bool, observe: Observe) -> Self {
        let (sender, receiver) = unbounded();
        let thread = std::thread::Builder::new()
            .name("publish".to_owned())
            .spawn(move || publish_all(&project, verify, &receiver, &observe))
            .expect("the system has room for one more thread");
        Self { jobs: Some(sender), thread: Some(thread) }
    }

    /// Publishes these; the answers are observed.
    pub fn submit(&self, jobs: Vec<PublishJob>) {
        if let Some(sender) = &self.jobs {
            // A thread that is gone has panicked, and the run ends with its message.
            let _ = sender.send(jobs);
        }
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn publish_all(
    project: &Project,
    verify: bool,
    jobs: &Receiver<Vec<PublishJob>>,
    observe: &Observe,
) {
    // One for all batches: it removes private folders while the next outputs are published.
    let publisher = Publisher::new(project.root());
    while let Ok(mut batch) = jobs.recv() {
        // What has queued up meanwhile shares its syncs of folders with this.
        batch.extend(jobs.try_iter().flatten());
        let publications: Vec<Publication<'_>> = batch
            .iter()
            .map(|job| Publication { attempt_root: &job.root, manifest: &job.outputs, verify })
            .collect();
        let answers = match &publisher {
            Ok(publisher) => publisher.publish_many(&publications),
            Err(error) => batch.iter().map(|_| Err(stuck(error))).collect(),
        };
        let told = batch.iter().zip(answers).map(|(job, answer)| match answer {
            Ok(()) => Observation::Published { attempt: job.attempt },
            Err(error) => Observation::PublishFailed {
                attempt: job.attempt,
                is_lost: error.is_lost,
                why: error.why,
            },
        });
        observe(told.collect());
    }
}

fn stuck(error: &std::io::Error) -> PublishError {
    PublishError { is_lost: false, why: format!("the project cannot be opened: {error}") }
}
