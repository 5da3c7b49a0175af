//! Text from a file or an address, within limits of time and size.
//!
//! Knows HTTP and files. Does not know what the text means: series, calendars and the answers of
//! Prometheus all come through here. Whoever is silent, endless or gone is a named reason, and the
//! secrets of an address are in none of them.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// How long is waited, and how much is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From asking to the last byte.
    pub timeout: Duration,
    /// The most bytes.
    pub bytes: u64,
}

impl Default for Limits {
    /// Ten seconds and 64 MiB.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(10), bytes: 64 << 20 }
    }
}

/// Why a feed said nothing that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    /// Too slow.
    #[error("{place} did not answer within {seconds} s")]
    TimedOut {
        /// Where.
        place: String,
        /// How long was waited.
        seconds: u64,
    },
    /// Too much.
    #[error("{place} says more than {bytes} bytes")]
    Endless {
        /// Where.
        place: String,
        /// The limit.
        bytes: u64,
    },
    /// An answer, but not what was asked for.
    #[error("{place} answered with {status}{}", said(.text))]
    Refused {
        /// Where.
        place: String,
        /// HTTP.
        status: u16,
        /// What the server said, as far as it is text.
        text: String,
    },
    /// Not there, or not to be reached.
    #[error("{place} {why}")]
    Unreachable {
        /// Where.
        place: String,
        /// In our words.
        why: String,
    },
    /// Not UTF-8.
    #[error("{place} is not text in UTF-8")]
    NotText {
        /// Where.
        place: String,
    },
}

fn said(text: &str) -> String {
    let line: String = text.lines().next().unwrap_or("").chars().take(300).collect();
    if line.trim().is_empty() { String::new() } else { format!(": {line}") }
}

/// Whether this is an address and no file.
#[must_use]
pub fn is_address(place: &str) -> bool {
    place.starts_with("http://") || place.starts_with("https://")
}

/// An address without what may be secret in it: the person, and what is asked.
#[must_use]
pub fn shown(address: &str) -> String {
    let path = address.split(['?', '#']).next().unwrap_or(address);
    match path.split_once("://") {
        Some((scheme, rest)) => {
            let (host, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = host.rsplit('@').next().unwrap_or(host);
            format!("{scheme}://{host}{tail}")
        }
        None => path.to_owned(),
    }
}

/// Reads a file or asks an address.
///
/// # Errors
/// Why there is no text.
pub fn fetch(place: &str, limits: Limits) -> Result<String, Unheard> {
    if is_address(place) {
        get(place, &[], &[], limits)
    } else {
        read(Path::new(place), limits.bytes)
    }
}

/// Reads a file that is not larger than a limit.
///
/// # Errors
/// Why there is no text.
pub fn read(path: &Path, most: u64) -> Result<String, Unheard> {
    let place = path.display().to_string();
    let unreachable = |error: std::io::Error| {
        let why = format!("cannot be read: {error}");
        Unheard::Unreachable { place: place.clone(), why }
    };
    let file = std::fs::File::open(path).map_err(unreachable)?;
    if file.metadata().map_err(unreachable)?.is_dir() {
        let why = "is a folder; name its files".to_owned();
        return Err(Unheard::Unreachable { place, why });
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(unreachable)?;
    text_of(bytes, place, most)
}

/// Asks an address, with parameters and headers.
///
/// # Errors
/// Why there is no text.
pub fn get(
    address: &str,
    parameters: &[(&str, String)],
    headers: &[(String, String)],
    limits: Limits,
) -> Result<String, Unheard> {
    let place = shown(address);
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(limits.timeout))
        .max_redirects(if headers.is_empty() { 5 } else { 0 })
        .http_status_as_error(false)
        .user_agent(concat!("foreshard/", env!("CARGO_PKG_VERSION")))
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let mut request = agent.get(address);
    for (name, value) in parameters {
        request = request.query(name, value);
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let unheard = |error: &ureq::Error| unheard(error, &place, limits);
    let mut response = request.call().map_err(|error| unheard(&error))?;
    let status = response.status();
    let mut bytes = Vec::new();
    let body = response.body_mut().as_reader().take(limits.bytes + 1).read_to_end(&mut bytes);
    body.map_err(|error| unheard(&error.into()))?;
    if !status.is_success() {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(2_000)]).into_owned();
        return Err(Unheard::Refused { place, status: status.as_u16(), text });
    }
    text_of(bytes, place, limits.bytes)
}

fn text_of(bytes: Vec<u8>, place: String, most: u64) -> Result<String, Unheard> {
    if bytes.len() as u64 > most {
        return Err(Unheard::Endless { place, bytes: most });
    }
    String::from_utf8(bytes).map_err(|_| Unheard::NotText { place })
}

/// In our words: those of the library may repeat the address.
fn unheard(error: &ureq::Error, place: &str, limits: Limits) -> Unheard {
    use ureq::Error as E;
    let place = place.to_owned();
    let why = match error {
        E::Timeout(_) => {
            return Unheard::TimedOut { place, seconds: limits.timeout.as_secs() };
        }
        E::Io(io) if io.kind() == std::io::ErrorKind::TimedOut => {
            return Unheard::TimedOut { place, seconds: limits.timeout.as_secs() };
        }
        E::HostNotFound => "is not known",
        E::ConnectionFailed | E::Io(_) => "cannot be reached",
        E::Tls(_) | E::Rustls(_) => "has no certificate that can be trusted",
        E::BadUri(_) | E::Http(_) => "cannot be read as an address",
        _ => "does not speak HTTP as expected",
    };
    Unheard::Unreachable { place, why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// A server that does this with the first who asks; its address.
    fn server(answer: impl FnOnce(&mut TcpStream) + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address =
            format!("http://me:secret@{}/feed?token=secret", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 4096];
            let _ = stream.read(&mut head);
            answer(&mut stream);
        });
        address
    }

    const LIMITS: Limits = Limits { timeout: Duration::from_millis(300), bytes: 1_000 };

    #[test]
    fn a_feed_is_a_file_or_an_address() {
        let address = server(|stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
        });
        assert_eq!(fetch(&address, Limits::default()), Ok("hi".to_owned()));
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("feed");
        std::fs::write(&path, "hi").unwrap();
        assert_eq!(fetch(path.to_str().unwrap(), LIMITS), Ok("hi".to_owned()));
        let error = fetch(dir.path().to_str().unwrap(), LIMITS).unwrap_err();
        assert!(error.to_string().ends_with("is a folder; name its files"), "{error}");
        std::fs::write(&path, [0xff; 5]).unwrap();
        assert!(matches!(read(&path, 9), Err(Unheard::NotText { .. })));
    }

    #[test]
    fn a_feed_that_is_silent_is_named_and_its_secrets_are_not() {
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let address = server(move |_| {
            let _ = held.recv();
        });
        let error = fetch(&address, LIMITS).unwrap_err();
        drop(hold);
        assert!(matches!(error, Unheard::TimedOut { .. }), "{error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn a_feed_without_end_is_cut_off() {
        let address = server(|stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(&[b'x'; 1_000]).is_ok() {}
        });
        let limits = Limits { timeout: Duration::from_secs(60), ..LIMITS };
        assert!(matches!(fetch(&address, limits), Err(Unheard::Endless { bytes: 1_000, .. })));
    }

    #[test]
    fn a_server_that_refuses_is_quoted() {
        let address = server(|stream| {
            let head = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 7\r\n\r\nno\nmore";
            let _ = stream.write_all(head);
        });
        let error = fetch(&address, LIMITS).unwrap_err();
        assert!(error.to_string().ends_with("/feed answered with 403: no"), "{error}");
    }
}
