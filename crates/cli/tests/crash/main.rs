//! Crash tests on the real program: it is stopped at every journal write and every rename, killed
//! at random under load, and loses its keeper; then it is resumed, and nothing may show it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod kills;
mod lab;
mod points;
