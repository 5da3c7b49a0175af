//! Tells people that a run has ended, by programs and over the web.
//!
//! Knows how to send and when to give up. What is sent holds names and figures, never a secret;
//! of an address only its site is shown. A run does not fail because nobody could be told, and
//! nobody is told twice: who resumes a run that has ended sends nothing.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use engine::task_state::TaskState;
use engine::{Event, Outcome, Record, RunState};
use serde::Serialize;
use spec::notify::{Address, Channel, Notification, Occasion, site_of};
use spec::{Timestamp, Workflow};

use crate::ask::{Limits, hand};
use crate::drive::Observer;
use crate::keeper;
use crate::waits::Waits;

/// The version of the message.
const FORMAT: u32 = 1;

/// How many failed tasks a message names.
const NAMES_MAX: usize = 20;

/// For a program that tells somebody.
const PROGRAM: Limits = Limits { time: Duration::from_secs(60), length: 1 << 20 };

/// How often and how long to try, before nobody is told.
#[derive(Clone, Copy, Debug)]
struct Patience {
    tries: u32,
    /// Before the second try; it doubles before each further one.
    pause: Duration,
    /// For each try.
    timeout: Duration,
}

const PATIENCE: Patience =
    Patience { tries: 3, pause: Duration::from_secs(1), timeout: Duration::from_secs(10) };

/// What is said about a run in a message.
#[derive(Clone, Debug)]
pub(crate) struct Teller {
    pub(crate) project: PathBuf,
    pub(crate) run: String,
    pub(crate) started_at: Timestamp,
}

/// Passes on what a run says, and keeps how it ended.
pub(crate) struct Listener<'o> {
    pub(crate) observer: &'o mut dyn Observer,
    pub(crate) ended: Option<(Timestamp, Outcome, Figures)>,
    /// Where the machine is measured: how long capacity was waited for.
    pub(crate) waits: Option<Waits>,
}

/// Tasks by how they ended.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figures {
    /// All that were wanted.
    total: usize,
    done: usize,
    failed: usize,
    /// Something they need failed.
    skipped: usize,
    /// Not begun, or not ended.
    left: usize,
    /// The first of those that failed.
    #[serde(skip)]
    failed_names: Vec<String>,
}

impl Observer for Listener<'_> {
    fn recorded(&mut self, record: &Record, state: &RunState) {
        if let Event::RunFinished { outcome } = record.event {
            self.ended = Some((record.at, outcome, Figures::of(state)));
        }
        if let Some(waits) = &mut self.waits {
            waits.note(record);
        }
        self.observer.recorded(record, state);
    }

    fn tick(&mut self, state: &RunState, now: Timestamp) {
        self.observer.tick(state, now);
    }

    fn notice(&mut self, text: &str) {
        self.observer.notice(text);
    }
}

impl Figures {
    fn of(state: &RunState) -> Self {
        let workflow = state.workflow();
        let failed = state.failures().keys().take(NAMES_MAX);
        Self {
            total: state.n_selected(),
            done: state.count(TaskState::Published),
            failed: state.count(TaskState::Failed),
            skipped: state.count(TaskState::Skipped),
            left: state.n_unfinished(),
            failed_names: failed.map(|&task| workflow.task_name(task)).collect(),
        }
    }
}

/// The message, as programs and services read it.
#[derive(Debug, Serialize)]
struct Message<'m> {
    format: u32,
    event: &'static str,
    /// One sentence for people, where chat services look for it.
    text: String,
    workflow: &'m str,
    run: &'m str,
    project: String,
    outcome: &'static str,
    started_at: String,
    ended_at: String,
    duration_seconds: f64,
    tasks: &'m Figures,
    failed_tasks: &'m [String],
}

impl Teller {
    /// Tells everybody who wants to know of this end. What could not be sent is said, one line each.
    pub(crate) fn tell(
        &self,
        workflow: &Workflow,
        (ended_at, outcome, figures): &(Timestamp, Outcome, Figures),
    ) -> Vec<String> {
        let wanted = workflow.notifications().iter().filter(|wish| is_wanted(wish.on, *outcome));
        let wanted: Vec<&Notification> = wanted.collect();
        if wanted.is_empty() {
            return Vec::new();
        }
        let took = ended_at.since(self.started_at);
        let (name, run, word) = (workflow.name(), self.run.as_str(), outcome.word());
        let (done, total) = (figures.done, figures.total);
        let message = Message {
            format: FORMAT,
            event: "run_finished",
            text: format!("{name} (run {run}) {word}: {done} of {total} tasks done in {took}"),
            workflow: name,
            run,
            project: self.project.to_string_lossy().into_owned(),
            outcome: word,
            started_at: moment(self.started_at),
            ended_at: moment(*ended_at),
            duration_seconds: took.as_secs_f64(),
            tasks: figures,
            failed_tasks: &figures.failed_names,
        };
        let body = serde_json::to_vec(&message).expect("names and figures serialize");
        let send = |wish: &&Notification| self.send(&wish.to, &body, *outcome).err();
        wanted.iter().filter_map(send).collect()
    }

    fn send(&self, to: &Channel, body: &[u8], outcome: Outcome) -> Result<(), String> {
        match to {
            Channel::Command(words) => {
                self.run(words, body, outcome).map_err(|why| format!("nobody was told: {why}"))
            }
            Channel::Webhook(Address::Plain(url)) => post(url, body, PATIENCE),
            Channel::Webhook(Address::Secret(secret)) => {
                let name = &secret.name;
                let url = keeper::look_up(&secret.source, &self.project);
                let url = url.map_err(|why| format!("nobody was told: the secret {name} {why}"))?;
                post(&url, body, PATIENCE)
            }
        }
    }

    /// A program in the project that reads the message.
    fn run(&self, words: &[String], body: &[u8], outcome: Outcome) -> Result<(), String> {
        let Some((program, arguments)) = words.split_first() else { return Ok(()) };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(&self.project)
            .env("FORESHARD_PROJECT", &self.project)
            .env("FORESHARD_RUN", &self.run)
            .env("FORESHARD_OUTCOME", outcome.word());
        let input = input(body).map_err(|error| format!("`{program}`: {error}"))?;
        hand(command, input, PROGRAM).map(|_| ()).map_err(|error| error.to_string())
    }
}

/// The message as an open file: a program that does not read it hinders nobody.
fn input(body: &[u8]) -> std::io::Result<Stdio> {
    use std::io::{Seek, Write};
    let flags = rustix::fs::MemfdFlags::CLOEXEC;
    let mut file = std::fs::File::from(rustix::fs::memfd_create("notification", flags)?);
    file.write_all(body)?;
    file.rewind()?;
    Ok(file.into())
}

fn is_wanted(on: Occasion, outcome: Outcome) -> bool {
    match on {
        Occasion::End => true,
        Occasion::Succeeded => outcome == Outcome::Succeeded,
        Occasion::Failed => matches!(outcome, Outcome::Failed | Outcome::Stalled),
        Occasion::Cancelled => outcome == Outcome::Cancelled,
    }
}

fn moment(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// Why a try failed, and whether another may help.
struct Refused {
    why: String,
    is_lasting: bool,
}

/// Posts JSON; a server that is down or busy is asked again.
fn post(url: &str, body: &[u8], patience: Patience) -> Result<(), String> {
    let mut pause = patience.pause;
    let mut last = None;
    for attempt in 0..patience.tries {
        if attempt > 0 {
            std::thread::sleep(pause);
            pause *= 2;
        }
        match post_once(url, body, patience.timeout) {
            Ok(()) => return Ok(()),
            Err(refused) => {
                let is_lasting = refused.is_lasting;
                last = Some(refused.why);
                if is_lasting {
                    break;
                }
            }
        }
    }
    let why = last.unwrap_or_default();
    Err(format!("nobody was told: {} {why}", site_of(url)))
}

fn post_once(url: &str, body: &[u8], timeout: Duration) -> Result<(), Refused> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        // Whoever is redirected would be sent the message without having been named.
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("foreshard/", env!("CARGO_PKG_VERSION")))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let request = agent.post(url).header("content-type", "application/json");
    let status = match request.send(body) {
        Ok(response) => response.status(),
        Err(error) => return Err(unsent(&error)),
    };
    if status.is_success() {
        return Ok(());
    }
    let is_lasting = !(status.is_server_error() || status.as_u16() == 429);
    Err(Refused { why: format!("answered with {}", status.as_u16()), is_lasting })
}

/// In our words: those of the library may repeat the address.
fn unsent(error: &ureq::Error) -> Refused {
    use ureq::Error as E;
    let (why, is_lasting) = match error {
        E::Timeout(_) => ("did not answer in time", false),
        E::HostNotFound => ("is not known", false),
        E::ConnectionFailed | E::Io(_) => ("cannot be reached", false),
        E::Tls(_) | E::Rustls(_) => ("has no certificate that can be trusted", true),
        E::BadUri(_) | E::Http(_) => ("cannot be read as an address", true),
        _ => ("does not speak HTTP as expected", false),
    };
    Refused { why: why.to_owned(), is_lasting }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    use super::*;

    const QUICK: Patience =
        Patience { tries: 3, pause: Duration::from_millis(1), timeout: Duration::from_secs(10) };

    /// A server that gives these answers, one to each request; its address, and what it was sent.
    fn server(answers: &'static [u16]) -> (String, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook/token", listener.local_addr().unwrap());
        let serve = move || answers.iter().map(|status| answer(&listener, *status)).collect();
        (url, std::thread::spawn(serve))
    }

    fn answer(listener: &TcpListener, status: u16) -> String {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
            head += &line;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let location = if status == 302 { "location: http://127.0.0.1:1/\r\n" } else { "" };
        let reply = format!(
            "HTTP/1.1 {status} x\r\n{location}content-length: 0\r\nconnection: close\r\n\r\n"
        );
        reader.get_mut().write_all(reply.as_bytes()).unwrap();
        head + &String::from_utf8(body).unwrap()
    }

    #[test]
    fn a_busy_server_is_asked_again_until_it_takes_the_message() {
        let (url, sent) = server(&[503, 429, 204]);
        post(&url, b"{\"a\": 1}", QUICK).unwrap();
        let sent = sent.join().unwrap();
        assert!(sent[2].starts_with("POST /hook/token"), "{}", sent[2]);
        assert!(sent.iter().all(|request| request.ends_with("{\"a\": 1}")), "{sent:?}");
        assert!(sent[0].to_lowercase().contains("content-type: application/json"), "{}", sent[0]);
    }

    #[test]
    fn a_refusal_and_a_redirect_are_final_and_the_address_is_not_shown() {
        for status in [&[404][..], &[302]] {
            let (url, sent) = server(if status == [404] { &[404] } else { &[302] });
            let why = post(&url, b"{}", QUICK).unwrap_err();
            assert!(why.contains(&status[0].to_string()) && !why.contains("token"), "{why}");
            assert_eq!(sent.join().unwrap().len(), 1);
        }
    }

    #[test]
    fn a_server_that_stays_down_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        drop(listener);
        let why = post(&url, b"{}", QUICK).unwrap_err();
        assert!(why.contains("cannot be reached") && !why.contains("token"), "{why}");
    }
}
