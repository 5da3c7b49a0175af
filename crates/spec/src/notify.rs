//! Who is told when a run ends, and how: the section `notify` of a workflow file.
//!
//! Knows wishes only. Sending is for whoever drives a run.

use crate::template::Secret;

/// A wish to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// At which ends.
    pub on: Occasion,
    /// How.
    pub to: Channel,
}

/// Which ends of a run are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Occasion {
    /// Every one.
    #[default]
    End,
    /// The run succeeded.
    Succeeded,
    /// Tasks failed, or the run got stuck.
    Failed,
    /// A person cancelled it.
    Cancelled,
}

impl Occasion {
    /// As written in a file.
    pub const NAMES: [&'static str; 4] = ["end", "succeeded", "failed", "cancelled"];

    /// The occasion of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "end" => Some(Self::End),
            "succeeded" => Some(Self::Succeeded),
            "failed" => Some(Self::Failed),
            "cancelled" => Some(Self::Cancelled),
            _ => None,
        }
    }
}

/// How somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channel {
    /// A program and its arguments; it reads the message.
    Command(Vec<String>),
    /// An address that the message is posted to.
    Webhook(Address),
}

/// An address of the web, which often is a secret by itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// As it stands in the file.
    Plain(String),
    /// Kept elsewhere.
    Secret(Secret),
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plain(url) => f.write_str(site_of(url)),
            Self::Secret(secret) => write!(f, "{{secret: {}}}", secret.name),
        }
    }
}

/// The part of an address that may be shown: who knows the rest can write there.
#[must_use]
pub fn site_of(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    let site = &url[..end];
    // A password before the host is not shown either.
    site.rfind('@').map_or(site, |at| &site[at + 1..])
}

/// What keeps a text from being an address, if anything.
#[must_use]
pub fn address_problem(url: &str) -> Option<&'static str> {
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    if !is_web {
        Some("must begin with `https://` or `http://`")
    } else if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some("holds blanks or control characters")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_site_of_an_address_is_shown() {
        assert_eq!(site_of("https://hooks.example.org/T1/secret?x"), "https://hooks.example.org");
        assert_eq!(site_of("http://me:pw@host:80"), "host:80");
        assert_eq!(site_of("nothing"), "nothing");
        let address = Address::Plain("https://a.org/token".to_owned());
        assert_eq!(format!("{address:?}"), "https://a.org");
    }
}
