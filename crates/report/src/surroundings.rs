//! What commands run in: images, words of the site, lines before them, and the names of secrets.
//!
//! Knows what was declared; what an image was found to be is for the caller to say.

use serde::Serialize;
use spec::{Digest, Site, Template, Workflow};

use crate::printable::printable;

/// Says where an image was found, and its digest.
pub type FindImage<'a> = &'a dyn Fn(&str) -> Option<(String, Digest)>;

/// Of the tasks of one template, if there is anything to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Surroundings {
    /// Its name.
    pub template: String,
    /// What its commands run in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageUse>,
    /// Words of the site around its commands, by zone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wraps: Vec<ZoneWrap>,
    /// Whether lines are run before its commands.
    pub has_setup: bool,
    /// Names of the secrets that it is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
}

/// An image that a template names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImageUse {
    /// As the workflow names it.
    pub name: String,
    /// What it was found to be; none if nobody looked.
    pub reference: Option<String>,
    /// What results depend on.
    pub digest: Option<Digest>,
}

/// Words of a zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ZoneWrap {
    /// Its name.
    pub zone: String,
    /// As the site file has them, those of the image behind those of the zone.
    pub words: Vec<String>,
}

impl Surroundings {
    /// Of every template about which there is something to tell.
    #[must_use]
    pub fn of(workflow: &Workflow, site: Option<&Site>, find: Option<FindImage<'_>>) -> Vec<Self> {
        let of = |template: &Template| {
            let found = |name: &str| find.and_then(|find| find(name));
            let image = template.image.as_ref().map(|name| {
                let (reference, digest) = found(name).unzip();
                ImageUse { name: name.clone(), reference, digest }
            });
            Self {
                template: template.name.clone(),
                image,
                wraps: site.map_or_else(Vec::new, |site| wraps(template, site)),
                has_setup: template.setup.is_some(),
                secrets: template.secrets.iter().map(|secret| secret.name.clone()).collect(),
            }
        };
        let templates = workflow.templates().iter().filter(|template| template.off.is_none());
        templates.map(of).filter(|of| !of.is_empty()).collect()
    }

    fn is_empty(&self) -> bool {
        self.image.is_none() && self.wraps.is_empty() && !self.has_setup && self.secrets.is_empty()
    }

    /// For people: `image roots/a (7d8f…), through bwrap, after its setup lines, with TOKEN`.
    #[must_use]
    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        if let Some(image) = &self.image {
            let digest = image.digest.map_or_else(String::new, |d| format!(" ({})", d.short()));
            parts.push(format!("image {}{digest}", printable(&image.name)));
        }
        let mut programs: Vec<&str> =
            self.wraps.iter().filter_map(|wrap| wrap.words.first()).map(String::as_str).collect();
        programs.sort_unstable();
        programs.dedup();
        if !programs.is_empty() {
            parts.push(format!("through {}", printable(&programs.join(" or "))));
        }
        if self.has_setup {
            parts.push("after its setup lines".to_owned());
        }
        if !self.secrets.is_empty() {
            parts.push(format!("with {}", printable(&self.secrets.join(", "))));
        }
        parts.join(", ")
    }
}

fn wraps(template: &Template, site: &Site) -> Vec<ZoneWrap> {
    let of = |zone: &spec::site::Zone| {
        let rule = template.image.as_ref().and_then(|image| zone.image_rule(image));
        let inner = rule.map_or(&[][..], |rule| &rule.wrap);
        ZoneWrap { zone: zone.name.clone(), words: [&zone.wrap, inner].concat() }
    };
    site.zones.iter().map(of).filter(|wrap| !wrap.words.is_empty()).collect()
}
