//! `wrap` and `images` of a zone: which words may stand there.

use super::Reader;
use crate::assemble::compile_glob;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::site::ImageRule;
use crate::source::Node;
use crate::source::fields::Fields;
use crate::wrap::{PLACEHOLDERS, placeholders};

const IMAGE_FIELDS: [&str; 2] = ["wrap", "resolve"];

impl Reader {
    /// Words around every command; there is no image at that point.
    pub(super) fn zone_wrap(&mut self, zone: &Fields<'_, '_>) -> Vec<String> {
        let words = self.words(zone, "wrap");
        let can_hold = |name: &str| name != "image";
        self.check_words(zone, "wrap", &words, &can_hold);
        words
    }

    pub(super) fn images(&mut self, zone: &Fields<'_, '_>) -> Vec<ImageRule> {
        let Some(node) = zone.get("images") else { return Vec::new() };
        let Some(entries) = node.map() else {
            let message =
                format!("`images` must be a map from pattern to rule, not {}", node.what());
            let mistake = Diagnostic::error(Code::Value, node.span()).message(message);
            let help = "write `images: {\"pattern\": {wrap: [program, \"{image}\"]}}`";
            self.diagnostics.push(mistake.help(help));
            return Vec::new();
        };
        entries.iter().filter_map(|(key, node)| self.image_rule(key, node)).collect()
    }

    fn image_rule(&mut self, key: &Node<'_>, node: &Node<'_>) -> Option<ImageRule> {
        let pattern = key.text().unwrap_or_default().to_owned();
        let sound = compile_glob(&pattern).map_err(|error| error.kind().to_string());
        if let Err(why) = sound {
            let message = format!("`{}` is not a pattern: {why}", pattern.escape_debug());
            self.diagnostics.push(Diagnostic::error(Code::Value, key.span()).message(message));
        }
        let what = format!("the images `{pattern}`");
        let fields = self.open(node, &what, &IMAGE_FIELDS)?;
        let wrap = self.words(&fields, "wrap");
        if fields.get("wrap").is_none() {
            let mistake = Diagnostic::error(Code::MissingField, key.span());
            let message = format!("{what} need `wrap`: how a command runs in them");
            let help = "write `wrap: [program, \"{image}\", \"{command}\"]`";
            self.diagnostics.push(mistake.message(message).help(help));
        }
        self.check_words(&fields, "wrap", &wrap, &|_| true);
        let resolve = self.words(&fields, "resolve");
        let can_hold = |name: &str| matches!(name, "image" | "project");
        self.check_words(&fields, "resolve", &resolve, &can_hold);
        Some(ImageRule { pattern, wrap, resolve })
    }

    fn check_words(
        &mut self,
        fields: &Fields<'_, '_>,
        field: &'static str,
        words: &[String],
        can_hold: &dyn Fn(&str) -> bool,
    ) {
        let items = fields.get(field).and_then(Node::list).unwrap_or_default();
        for (word, item) in words.iter().zip(items) {
            for (_, name) in placeholders(word) {
                let mistake = Diagnostic::error(Code::Placeholder, item.span());
                let mistake = if !PLACEHOLDERS.contains(&name) || !can_hold(name) {
                    let known = PLACEHOLDERS.iter().copied().filter(|name| can_hold(name));
                    let help = match nearest(name, known.clone()) {
                        Some(close) => format!("did you mean `{{{close}}}`?"),
                        None => format!("it can hold {}", braced(known)),
                    };
                    mistake.message(format!("`{{{name}}}` names nothing here")).help(help)
                } else if name == "command" && word != "{command}" {
                    mistake.message("`{command}` is several words and must stand alone")
                } else {
                    continue;
                };
                self.diagnostics.push(mistake);
            }
        }
        if words.iter().filter(|word| *word == "{command}").count() > 1 {
            let mistake = Diagnostic::error(Code::Placeholder, fields.key_span(field));
            self.diagnostics.push(mistake.message("`{command}` can stand here only once"));
        }
    }
}

fn braced<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{{{name}}}`")).collect::<Vec<_>>().join(", ")
}
