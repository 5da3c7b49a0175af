//! From a path to a checked workflow: native files and WfFormat documents alike.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spec::Workflow;
use spec::diagnostic::{Diagnostic, Severity, Source, Sources};
use spec::wfformat::{self, ReplayOptions};
use spec::workflow_file;

use crate::run_dir::Project;

/// What to read, and with which choices.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    /// The file.
    pub path: PathBuf,
    /// `--param` by name.
    pub params: BTreeMap<String, String>,
    /// For recorded workflows.
    pub replay: ReplayOptions,
}

/// A workflow that was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The folder that its paths are relative to.
    pub project: Project,
    /// Its text, and those of all files that belong to it.
    pub sources: Arc<Sources>,
    /// The checked graph.
    pub workflow: Arc<Workflow>,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

/// Why a workflow was not read.
#[derive(Debug)]
pub enum LoadError {
    /// The file cannot be read at all.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There are mistakes in it, all of which are here.
    Invalid {
        /// The texts they are in.
        sources: Box<Sources>,
        /// The mistakes, and warnings beside them.
        diagnostics: Vec<Diagnostic>,
    },
}

/// Reads and checks a workflow.
///
/// # Errors
/// The file cannot be read, or there are mistakes in it.
pub fn load(request: &LoadRequest) -> Result<Loaded, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: request.path.clone(), source };
    let bytes = std::fs::read(&request.path).map_err(unreadable)?;
    let path = std::path::absolute(&request.path).map_err(unreadable)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let root = folder.canonicalize().map_err(unreadable)?;
    load_text(bytes, &request.path.display().to_string(), Project::new(root), request)
}

/// Checks a workflow that was read before, in the project it belongs to.
///
/// # Errors
/// There are mistakes in it.
pub fn load_text(
    bytes: Vec<u8>,
    name: &str,
    project: Project,
    request: &LoadRequest,
) -> Result<Loaded, LoadError> {
    let invalid = |source: Source, diagnostics| LoadError::Invalid {
        sources: Box::new(source.into()),
        diagnostics,
    };
    let source = match Source::from_bytes(name, bytes) {
        Ok(source) => source,
        Err(failed) => {
            let (source, diagnostic) = *failed;
            return Err(invalid(source, vec![diagnostic]));
        }
    };
    let (workflow, diagnostics) = if wfformat::is_wfformat(&source.text) {
        wfformat::parse(&source.text, &request.replay)
    } else {
        workflow_file::parse(&source, &request.params)
    };
    let has_errors = diagnostics.iter().any(|d| d.severity == Severity::Error);
    match workflow {
        Some(workflow) if !has_errors => Ok(Loaded {
            project,
            sources: Arc::new(source.into()),
            workflow: Arc::new(workflow),
            warnings: diagnostics,
        }),
        _ => Err(invalid(source, diagnostics)),
    }
}
