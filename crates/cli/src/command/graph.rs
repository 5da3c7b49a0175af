//! `foreshard graph`: the graph of a workflow as a picture.

use report::graph::{Detail, Graph as Picture};

use crate::args::{Graph, GraphFormat, GraphNodes};
use crate::exit_code::Code;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::workflow;

/// Draws a graph.
///
/// # Errors
/// The workflow cannot be read, or there are mistakes in it.
pub(crate) fn graph(args: &Graph, screen: Screen) -> Result<Code, Failure> {
    let loaded = workflow::load(&workflow::request(&args.workflow), screen)?;
    let detail = match args.by {
        None => Detail::Auto,
        Some(GraphNodes::Task) => Detail::Tasks,
        Some(GraphNodes::Template) => Detail::Templates,
    };
    let picture = Picture::of(&loaded.workflow, detail, None);
    let text = match args.format {
        GraphFormat::Mermaid => picture.mermaid(),
        GraphFormat::Dot => picture.dot(),
        GraphFormat::Svg => picture.svg(),
    };
    screen.print(&text)?;
    Ok(Code::Succeeded)
}
