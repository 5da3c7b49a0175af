//! `run.json`: what a run was started with, so that it can be resumed as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::event::Options;
use serde::{Deserialize, Serialize};
use spec::template::Value;
use spec::wfformat::ReplayOptions;
use spec::workflow_file::ParamsFile;
use spec::{Site, TaskId, Timestamp, Workflow};

use crate::images::Images;
use crate::load::{self, LoadError, Loaded, Params, Text};
use crate::run_dir::{Project, RunDir};
use crate::start::NewRun;

/// The version of this file's format.
const FORMAT: u32 = 1;

/// The name of the copy of the workflow's text in the run's folder.
const SOURCE_COPY: &str = "workflow.source";

/// The folder of the copies of what it includes, numbered in the order of the manifest.
const INCLUDED_COPIES: &str = "workflow.included";

/// Parameters that were read from a file, by value: the file may change while the run goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileParams {
    /// The file.
    pub path: String,
    /// What it said.
    pub values: BTreeMap<String, Value>,
}

/// What a run was started with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunManifest {
    /// The version of this format.
    pub format: u32,
    /// The run's name.
    pub id: String,
    /// The workflow file, as the user named it.
    pub workflow_path: PathBuf,
    /// The name in the workflow.
    pub workflow_name: String,
    /// `--param` by name.
    pub params: BTreeMap<String, String>,
    /// `--params-file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params_file: Option<FileParams>,
    /// Included files, by their paths in the project.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub included: Vec<String>,
    /// For recorded workflows.
    pub scale: f64,
    /// For recorded workflows.
    pub scale_memory: Option<f64>,
    /// The places in force.
    pub site: Site,
    /// Where calendars and feeds that the site names lie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_folder: Option<PathBuf>,
    /// What images were found to be when the run began.
    #[serde(default, skip_serializing_if = "Images::is_empty")]
    pub images: Images,
    /// For the engine.
    pub options: Options,
    /// Names of wanted tasks; all of them if empty.
    pub targets: Vec<String>,
    /// Whether earlier results count for nothing.
    pub is_fresh: bool,
    /// When it was started.
    pub created_at: Timestamp,
    /// The version of Foreshard that started it.
    pub foreshard: String,
}

/// Why a run's folder does not say what it was started with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such run, or its file cannot be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what was written.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl RunManifest {
    /// For a run that is about to be started.
    #[must_use]
    pub fn new(id: String, new: &NewRun, images: Images, at: Timestamp) -> Self {
        let NewRun {
            request,
            loaded,
            site,
            site_folder,
            options,
            targets,
            wanted,
            is_fresh,
            ledger: _,
        } = new;
        let tasks = targets.iter().map(|&task| loaded.workflow.task_name(task));
        Self {
            format: FORMAT,
            id,
            workflow_path: request.path.clone(),
            workflow_name: loaded.workflow.name().to_owned(),
            params: request.params.clone(),
            params_file: loaded.params_file.as_ref().map(FileParams::of),
            included: loaded.included.keys().cloned().collect(),
            scale: request.replay.scale,
            scale_memory: request.replay.scale_memory,
            site: site.clone(),
            site_folder: site_folder.clone(),
            images,
            options: options.clone(),
            targets: tasks.chain(wanted.iter().cloned()).collect(),
            is_fresh: *is_fresh,
            created_at: at,
            foreshard: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Writes it, with a copy of the workflow's text.
    ///
    /// # Errors
    /// The disk fails.
    pub fn write(&self, dir: &RunDir, loaded: &Loaded) -> std::io::Result<()> {
        write_synced(&dir.path().join(SOURCE_COPY), loaded.sources.main().text.as_bytes())?;
        if !loaded.included.is_empty() {
            let copies = dir.path().join(INCLUDED_COPIES);
            std::fs::create_dir_all(&copies)?;
            for (number, &source) in loaded.included.values().enumerate() {
                let text = &loaded.sources.get(source).text;
                write_synced(&copies.join(number.to_string()), text.as_bytes())?;
            }
        }
        let json = serde_json::to_vec_pretty(self).expect("plain values serialize");
        write_synced(&dir.manifest(), &json)
    }

    /// Reads it.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn read(dir: &RunDir) -> Result<Self, Error> {
        let path = dir.manifest();
        let bytes =
            std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
        let damaged = |why: String| Error::Damaged { path: path.clone(), why };
        let manifest: Self =
            serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if manifest.format > FORMAT {
            return Err(damaged(format!("its format {} is of a newer Foreshard", manifest.format)));
        }
        Ok(manifest)
    }

    /// The wanted tasks, as the workflow numbers them.
    #[must_use]
    pub fn target_tasks(&self, workflow: &Workflow) -> Vec<TaskId> {
        self.targets.iter().filter_map(|name| workflow.find_task(name)).collect()
    }

    /// Wanted fan-outs whose tasks are still to come.
    #[must_use]
    pub fn wanted(&self, workflow: &Workflow) -> Vec<String> {
        self.targets.iter().filter(|name| workflow.is_awaited(name)).cloned().collect()
    }

    /// Reads the workflow as it was when the run was started.
    ///
    /// # Errors
    /// The copy cannot be read or was changed.
    pub fn load(&self, project: Project, dir: &RunDir) -> Result<Loaded, LoadError> {
        let path = dir.path().join(SOURCE_COPY);
        let bytes = std::fs::read(&path)
            .map_err(|source| LoadError::Unreadable { path: path.clone(), source })?;
        let replay = ReplayOptions { scale: self.scale, scale_memory: self.scale_memory };
        let file = self.params_file.as_ref().map(FileParams::file);
        let params = Params { written: &self.params, file };
        let main = load::shown(&self.workflow_path);
        let folder = self.workflow_path.parent().unwrap_or(Path::new(""));
        let mut open = |path: &str| {
            let number = self.included.iter().position(|included| included == path);
            let number = number.ok_or_else(|| "the run has no copy of it".to_owned())?;
            let copy = dir.path().join(INCLUDED_COPIES).join(number.to_string());
            let bytes = std::fs::read(copy).map_err(|error| error.to_string())?;
            load::decode(folder.join(path).display().to_string(), bytes)
        };
        let checked = load::check(Text { bytes, name: main }, params, &replay, &mut open)?;
        Ok(checked.in_project(project))
    }
}

impl FileParams {
    fn of(file: &ParamsFile) -> Self {
        Self { path: file.source().name.clone(), values: file.values() }
    }

    fn file(&self) -> ParamsFile {
        ParamsFile::from_values(&self.path, self.values.clone())
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
