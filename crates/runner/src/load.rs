//! From a path to a checked workflow: native files with all they include, and WfFormat documents.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use spec::Workflow;
use spec::diagnostic::{Diagnostic, Source, SourceId, Sources};
use spec::source::MAX_BYTES;
use spec::wfformat::{self, ReplayOptions};
use spec::workflow_file::{self, ParamsFile, Parsed, Request};

use crate::artifact;
use crate::run_dir::Project;

/// The path that stands for standard input.
pub const STDIN: &str = "-";

/// What to read, and with which choices.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    /// The file, or [`STDIN`]: then the project is the current folder.
    pub path: PathBuf,
    /// `--param` by name.
    pub params: BTreeMap<String, String>,
    /// `--params-file`: a file with more parameters.
    pub params_file: Option<PathBuf>,
    /// For recorded workflows.
    pub replay: ReplayOptions,
}

impl LoadRequest {
    /// A file without choices.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            params: BTreeMap::new(),
            params_file: None,
            replay: ReplayOptions::default(),
        }
    }
}

/// A workflow that was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The folder that its paths are relative to.
    pub project: Project,
    /// Its text, and those of all files that belong to it.
    pub sources: Arc<Sources>,
    /// Of included files: their paths in the project, and which text.
    pub included: BTreeMap<String, SourceId>,
    /// Parameters from a file.
    pub params_file: Option<ParamsFile>,
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
/// A file cannot be read, or there are mistakes in one.
pub fn load(request: &LoadRequest) -> Result<Loaded, LoadError> {
    let Main { bytes, name, root } = Main::read(&request.path)?;
    let params_file = request.params_file.as_deref().map(read_params).transpose()?;
    // Included files are called as the main one is: from where the user is.
    let folder = request.path.parent().unwrap_or(Path::new(""));
    let mut open = |path: &str| {
        let bytes = artifact::read_beneath(&root, path, MAX_BYTES)?;
        decode(folder.join(path).display().to_string(), bytes)
    };
    let params = Params { written: &request.params, file: params_file };
    check(Text { bytes, name }, params, &request.replay, &mut open)
        .map(|checked| checked.in_project(Project::new(root)))
}

/// Checks a workflow that lies in no file.
///
/// # Errors
/// A file that it includes cannot be read, or there are mistakes.
pub fn load_source(
    source: Source,
    project: Project,
    request: &LoadRequest,
) -> Result<Loaded, LoadError> {
    let root = project.root().to_path_buf();
    let file = request.params_file.as_deref().map(read_params).transpose()?;
    let mut open = |path: &str| {
        let bytes = artifact::read_beneath(&root, path, MAX_BYTES)?;
        decode(path.to_owned(), bytes)
    };
    let text = Text { bytes: source.text.into_bytes(), name: source.name };
    let params = Params { written: &request.params, file };
    check(text, params, &request.replay, &mut open).map(|checked| checked.in_project(project))
}

/// The workflow file itself.
struct Main {
    bytes: Vec<u8>,
    name: String,
    root: PathBuf,
}

impl Main {
    fn read(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |source| LoadError::Unreadable { path: path.to_path_buf(), source };
        if path == Path::new(STDIN) {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).map_err(unreadable)?;
            let root = std::env::current_dir().and_then(|folder| folder.canonicalize());
            return Ok(Self { bytes, name: shown(path), root: root.map_err(unreadable)? });
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let absolute = std::path::absolute(path).map_err(unreadable)?;
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        let root = folder.canonicalize().map_err(unreadable)?;
        Ok(Self { bytes, name: shown(path), root })
    }
}

/// What a workflow file is called in messages.
pub(crate) fn shown(path: &Path) -> String {
    if path == Path::new(STDIN) { "<stdin>".to_owned() } else { path.display().to_string() }
}

fn read_params(path: &Path) -> Result<ParamsFile, LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: path.to_path_buf(), source };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let source = Source::from_bytes(path.display().to_string(), bytes).map_err(|failed| {
        let (source, diagnostic) = *failed;
        invalid(source, vec![diagnostic])
    })?;
    let source = Arc::new(source);
    ParamsFile::read(source.clone()).map_err(|diagnostics| invalid(source, diagnostics))
}

/// A text that belongs to a workflow, or why it is none.
pub(crate) fn decode(name: String, bytes: Vec<u8>) -> Result<Source, String> {
    Source::from_bytes(name, bytes).map_err(|failed| failed.1.message)
}

fn invalid(source: impl Into<Arc<Source>>, diagnostics: Vec<Diagnostic>) -> LoadError {
    LoadError::Invalid { sources: Box::new(Sources::new(source)), diagnostics }
}

/// The text of a workflow file, as it was read.
pub(crate) struct Text {
    pub(crate) bytes: Vec<u8>,
    pub(crate) name: String,
}

/// What is given to its parameters.
pub(crate) struct Params<'p> {
    pub(crate) written: &'p BTreeMap<String, String>,
    pub(crate) file: Option<ParamsFile>,
}

/// A workflow that belongs to no folder yet.
pub(crate) struct Checked {
    parsed: Parsed,
    workflow: Workflow,
    params_file: Option<ParamsFile>,
}

impl Checked {
    pub(crate) fn in_project(self, project: Project) -> Loaded {
        Loaded {
            project,
            sources: Arc::new(self.parsed.sources),
            included: self.parsed.included,
            params_file: self.params_file,
            workflow: Arc::new(self.workflow),
            warnings: self.parsed.diagnostics,
        }
    }
}

/// Checks a workflow. `open` reads an included file by its path in the project.
///
/// # Errors
/// There are mistakes in it.
pub(crate) fn check(
    Text { bytes, name }: Text,
    params: Params<'_>,
    replay: &ReplayOptions,
    open: &mut dyn FnMut(&str) -> Result<Source, String>,
) -> Result<Checked, LoadError> {
    let source = Source::from_bytes(name, bytes).map_err(|failed| {
        let (source, diagnostic) = *failed;
        invalid(source, vec![diagnostic])
    })?;
    let mut parsed = if wfformat::is_wfformat(&source.text) {
        let (workflow, diagnostics) = wfformat::parse(&source.text, replay);
        Parsed { workflow, diagnostics, sources: source.into(), included: BTreeMap::new() }
    } else {
        let (main, params_file) = (Arc::new(source), params.file.as_ref());
        workflow_file::parse_all(Request { main, written: params.written, params_file, open })
    };
    let has_errors = parsed.diagnostics.iter().any(Diagnostic::is_error);
    match parsed.workflow.take() {
        Some(workflow) if !has_errors => Ok(Checked { parsed, workflow, params_file: params.file }),
        _ => Err(LoadError::Invalid {
            sources: Box::new(parsed.sources),
            diagnostics: parsed.diagnostics,
        }),
    }
}
