//! The `foreshard` command.
fn main() {}
