//! What a command is surrounded by: lines before it, the image it runs in, secrets it is given.

use super::TaskFields;
use crate::command::placeholder::{self, Scope};
use crate::command::{Segment, TextTemplate, shell};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Node;
use crate::source::scalar::Scalar;
use crate::template::{Secret, SecretSource};

/// Longer than any path or name of an image.
const IMAGE_MAX: usize = 4_096;

impl TaskFields<'_, '_> {
    /// The lines of `setup` as one text; none if there are none.
    pub(super) fn setup(
        &self,
        scope: &Scope<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<TextTemplate> {
        let node = self.get("setup").filter(|node| !node.is_null())?;
        let items = node.list().unwrap_or(std::slice::from_ref(node));
        let mut segments = Vec::new();
        for item in items {
            let lines = self.setup_lines(item, scope, diagnostics);
            if !segments.is_empty() {
                segments.push(Segment::Literal("\n".to_owned()));
            }
            segments.extend(lines.unwrap_or_default().0);
        }
        (!items.is_empty()).then_some(TextTemplate(segments))
    }

    fn setup_lines(
        &self,
        node: &Node<'_>,
        scope: &Scope<'_>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Option<TextTemplate> {
        let scalar = Scalar::of(node, "setup").and_then(|scalar| {
            if scalar.text.contains('\0') {
                return Err(scalar.wrong("contains a NUL character"));
            }
            if !shell::is_closed(&scalar.text) {
                let open = scalar.wrong("ends inside a quote, parenthesis or here-document");
                return Err(open.help("close it: the command follows on the next line"));
            }
            Ok(scalar)
        });
        let scalar = scalar.map_err(|mistake| diagnostics.push(mistake)).ok()?;
        let parse = |text: &str| placeholder::parse_shell(text, scope);
        self.reader.template(&scalar, parse, diagnostics)
    }

    pub(super) fn image(&self, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
        self.get("image").filter(|node| !node.is_null())?;
        let read = |scalar: &Scalar<'_>| {
            check_image(&scalar.text).map_err(|why| scalar.wrong(why))?;
            Ok(scalar.text.to_string())
        };
        self.value("image", read, diagnostics)
    }

    pub(super) fn secrets(&self, diagnostics: &mut Vec<Diagnostic>) -> Vec<Secret> {
        self.check_env_from(diagnostics);
        let Some(node) = self.get("secrets").filter(|node| !node.is_null()) else {
            return Vec::new();
        };
        let mut secrets: Vec<Secret> = Vec::new();
        for (name, span) in super::texts(node, "secrets", diagnostics) {
            let Some(source) = self.reader.secrets.get(&name) else {
                let message = format!("there is no secret `{}`", name.escape_debug());
                let mistake = Diagnostic::error(Code::Value, span).message(message);
                diagnostics.push(mistake.help(self.help_with_secret(&name)));
                continue;
            };
            if secrets.iter().all(|secret| secret.name != name) {
                secrets.push(Secret { name, source: source.clone() });
            }
        }
        self.check_env(&secrets, diagnostics);
        secrets
    }

    fn help_with_secret(&self, name: &str) -> String {
        match nearest(name, self.reader.secrets.keys().map(String::as_str)) {
            Some(close) => format!("did you mean `{close}`?"),
            None => "say at the top of the file where it is kept: \
                     `secrets: {NAME: {env: VARIABLE}}`"
                .to_owned(),
        }
    }

    /// A variable has one value.
    fn check_env(&self, secrets: &[Secret], diagnostics: &mut Vec<Diagnostic>) {
        for (key, _) in self.merged("env", &mut Vec::new()) {
            let name = key.text().unwrap_or_default();
            if secrets.iter().any(|secret| secret.name == name) {
                let message = format!("`{name}` is a secret of this task and set by `env` as well");
                let mistake = Diagnostic::error(Code::Value, key.span()).message(message);
                diagnostics.push(mistake.help("remove one of them"));
            }
        }
    }

    /// What results depend on is remembered, if only as a digest; secrets are not.
    fn check_env_from(&self, diagnostics: &mut Vec<Diagnostic>) {
        let Some(node) = self.get("env_from") else { return };
        for (name, span) in super::texts(node, "env_from", &mut Vec::new()) {
            let holds = |source: &SecretSource| *source == SecretSource::Env(name.clone());
            if self.reader.secrets.values().any(holds) {
                let message = format!("`{name}` holds a secret, which no result can depend on");
                let mistake = Diagnostic::error(Code::Value, span).message(message);
                diagnostics.push(mistake.help("remove it from `env_from`"));
            }
        }
    }
}

/// An image is named by the workflow and given to a program of the site: it must not be an option
/// of that program, nor lead out of what the site allows.
fn check_image(image: &str) -> Result<(), &'static str> {
    if image.is_empty() {
        return Err("is empty");
    }
    if image.len() > IMAGE_MAX {
        return Err("is longer than any name of an image");
    }
    if image.starts_with('-') {
        return Err("begins with a dash, like an option");
    }
    if image.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("contains a blank or control character");
    }
    if image.split('/').any(|part| part == "..") {
        return Err("contains `..`");
    }
    Ok(())
}
