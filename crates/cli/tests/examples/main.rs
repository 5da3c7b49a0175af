//! The examples of the project, each copied into a folder of its own and run by the real program.

#![expect(clippy::unwrap_used, reason = "an example that cannot go on has failed")]

mod copy;
mod licences;
mod ported;
mod small;
mod surroundings;
mod variants;
