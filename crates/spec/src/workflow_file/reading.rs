//! One reading of a workflow: its own file, and all that it includes.
//!
//! Knows in which text each mistake lies and how the tasks of several files become those of one
//! workflow. What a task says is read by [`super::task`], which knows one file only.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::growing::Drafts;
use super::params::{Given, GivenValue};
use super::task::{self, Draft};
use super::{
    FIELDS, Head, Parsed, Reader, Request, build, check_version, include, name, params, secrets,
};
use crate::diagnostic::{Code, Diagnostic, Source, SourceId, Sources};
use crate::digest::Digest;
use crate::files::FileTable;
use crate::notify::Notification;
use crate::source::fields::Fields;
use crate::source::{self, Node};
use crate::template::{SecretSource, Value};
use crate::workflow::Workflow;

/// Reads a workflow with all that it includes.
pub(super) fn read(request: Request<'_>) -> Parsed {
    let Request { main, written, params_file, open } = request;
    let mut reading = Reading {
        open,
        sources: Sources::new(main.clone()),
        by_path: BTreeMap::new(),
        n_includes: 0,
        found: Vec::new(),
        names: Vec::new(),
        drafts: Vec::new(),
        secrets: BTreeMap::new(),
        notifications: Vec::new(),
    };
    let mut given = Given::default();
    if let Some(file) = params_file {
        let source = reading.sources.push(file.source().clone());
        given.values = file.given(source);
    }
    let written = written.iter();
    given.values.extend(written.map(|(k, v)| (k.clone(), GivenValue::Written(v.clone()))));
    let path = main.name.rsplit('/').next().unwrap_or_default().to_owned();
    let file = File { source: main, id: SourceId::MAIN, path, given, ..File::default() };
    let head = reading.file(&file);
    let workflow = head.and_then(|(name, params)| reading.build(name, params));
    let Reading { mut found, sources, by_path, .. } = reading;
    // Mistakes in `defaults` were found once for each task, those of a file once for each include.
    let key = |d: &Diagnostic| (d.source, d.span.start);
    found.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message)));
    found.dedup();
    let sound = !found.iter().any(Diagnostic::is_error);
    let workflow = workflow.filter(|_| sound);
    Parsed { workflow, diagnostics: found, sources, included: by_path }
}

/// One reading of a workflow file and of all that it includes.
pub(super) struct Reading<'r> {
    pub(super) open: &'r mut dyn FnMut(&str) -> Result<Source, String>,
    pub(super) sources: Sources,
    pub(super) by_path: BTreeMap<String, SourceId>,
    pub(super) n_includes: usize,
    /// Mistakes, each with its text.
    found: Vec<Diagnostic>,
    /// Of all tasks, also of those that could not be read.
    pub(super) names: Vec<String>,
    drafts: Vec<Arc<Draft>>,
    /// By what the names of the tasks begin with that may name them.
    secrets: BTreeMap<String, BTreeMap<String, SecretSource>>,
    notifications: Vec<Notification>,
}

/// A file to be read, perhaps for the second time with other parameters.
#[derive(Default)]
pub(super) struct File {
    pub(super) source: Arc<Source>,
    pub(super) id: SourceId,
    /// In the project.
    pub(super) path: String,
    /// What the names of its tasks begin with; empty for the workflow's own file.
    pub(super) prefix: String,
    pub(super) given: Given,
    /// Why no tasks are made of it, if so.
    pub(super) off: Option<String>,
    /// The files that include it, the outermost first.
    pub(super) trail: Vec<String>,
}

impl Reading<'_> {
    /// Reads a file and what it includes; tells the name in it, and its parameters.
    pub(super) fn file(&mut self, file: &File) -> Option<(String, BTreeMap<String, Value>)> {
        let mut own = Vec::new();
        let head = match source::read(&file.source) {
            Ok(root) => self.root(file, &root, &mut own),
            Err(diagnostics) => {
                own = diagnostics;
                None
            }
        };
        self.found.extend(own.into_iter().map(|mistake| mistake.in_source(file.id)));
        head
    }

    fn root(
        &mut self,
        file: &File,
        root: &Node<'_>,
        own: &mut Vec<Diagnostic>,
    ) -> Option<(String, BTreeMap<String, Value>)> {
        if let Err(mistake) = check_version(root) {
            own.push(mistake);
            return None;
        }
        let fields = Fields::open(root, "a workflow", &FIELDS, own)?;
        let name = name(&file.source, &fields, own);
        let before = own.len() + self.found.len();
        let section = fields.get("params");
        let params = params::read(section, &file.given, file.id, own, &mut self.found);
        let known = task::DEFAULT_FIELDS;
        let defaults =
            fields.get("defaults").and_then(|n| Fields::open(n, "`defaults`", &known, own));
        let secrets = secrets::read(fields.get("secrets"), own);
        let reader = Reader {
            text: &file.source.text,
            params: &params,
            secrets: &secrets,
            are_params_sound: before == own.len() + self.found.len(),
            defaults,
        };
        let (names, drafts) = reader.tasks(&fields, own);
        self.names.extend(names.into_iter().map(|name| format!("{}{name}", file.prefix)));
        self.notify(&fields, &reader, file, own);
        self.take(drafts, file, &params);
        self.includes(&fields, &reader, file, own);
        self.secrets.insert(file.prefix.clone(), secrets);
        Some((name, params))
    }

    /// A run has one end, and the workflow's own file says who hears of it.
    fn notify(
        &mut self,
        fields: &Fields<'_, '_>,
        reader: &Reader<'_, '_>,
        file: &File,
        own: &mut Vec<Diagnostic>,
    ) {
        let notifications = reader.notifications(fields, own);
        if file.id == SourceId::MAIN {
            self.notifications = notifications;
        } else if !notifications.is_empty() {
            let doubt = Diagnostic::warning(Code::Value, fields.key_span("notify"));
            let doubt = doubt.message("`notify` of an included file has no effect");
            own.push(doubt.help("move it to the file that is run"));
        }
    }

    /// Makes the tasks of a file part of the workflow.
    fn take(&mut self, drafts: Vec<Draft>, file: &File, params: &BTreeMap<String, Value>) {
        let params = (file.id != SourceId::MAIN).then(|| Arc::new(params.clone()));
        for mut draft in drafts {
            draft.template.source = file.id;
            draft.template.params.clone_from(&params);
            include::qualify(&mut draft, &file.prefix);
            draft.template.off = draft.template.off.or_else(|| file.off.clone());
            if draft.template.off.is_some() {
                draft.rows = 0;
                draft.template.discovers = None;
            }
            self.drafts.push(Arc::new(draft));
        }
    }

    fn build(&mut self, name: String, params: BTreeMap<String, Value>) -> Option<Workflow> {
        let digest = self.digest(&params);
        let drafts = Drafts {
            names: std::mem::take(&mut self.names),
            drafts: std::mem::take(&mut self.drafts),
            secrets: std::mem::take(&mut self.secrets),
        };
        let notifications = std::mem::take(&mut self.notifications);
        build(
            Head { name, digest, params, notifications },
            drafts,
            FileTable::default(),
            &mut self.found,
        )
    }

    /// Of all texts and of the parameters that came from outside.
    fn digest(&self, params: &BTreeMap<String, Value>) -> Digest {
        let params = serde_json::to_vec(params).expect("values are plain data");
        let main = [self.sources.main().text.as_bytes(), &params];
        let included = self
            .by_path
            .iter()
            .flat_map(|(path, &id)| [path.as_bytes(), self.sources.get(id).text.as_bytes()]);
        Digest::of_parts(main.into_iter().chain(included))
    }
}
