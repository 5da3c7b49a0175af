//! What is known ahead about zones: calendars and external series, and where they are kept.

use serde::{Deserialize, Serialize};

use crate::id::ZoneId;
use crate::units::Duration;

/// Events from an iCalendar file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// The key under `calendars:`.
    pub name: String,
    /// A file, relative to the site file, or an address.
    pub from: String,
    /// What its events are.
    pub kind: CalendarKind,
    /// The zones that it is about; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<ZoneId>,
}

/// What the events of a calendar are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CalendarKind {
    /// People stay away.
    Holiday,
    /// Capacity is taken away for a while.
    Drain,
    /// Anything else.
    Event,
}

/// An external series.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// The key under `feeds:`.
    pub name: String,
    /// A file, relative to the site file, or an address.
    pub from: String,
    /// What a Prometheus at that address is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// How long after an instant its value is known; none where it is known long before.
    pub lag: Option<Duration>,
    /// The zones that it is about; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<ZoneId>,
}

impl CalendarKind {
    /// What people write.
    pub const NAMES: [&str; 3] = ["holiday", "drain", "event"];

    /// One of [`CalendarKind::NAMES`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "holiday" => Self::Holiday,
            "drain" => Self::Drain,
            "event" => Self::Event,
            _ => return None,
        })
    }

    /// What people write.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Holiday => "holiday",
            Self::Drain => "drain",
            Self::Event => "event",
        }
    }
}
