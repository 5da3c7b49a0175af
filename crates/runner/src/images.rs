//! What images are found to be: looked up once for each run, and the same for all its tasks.
//!
//! Knows the site's rules, files, folders and the site's own programs that look names up. Does
//! not know how a command gets into an image: that is [`spec::wrap`].

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use spec::site::{ImageRule, Zone};
use spec::wrap::{WrapValues, around};
use spec::{Digest, Resources, Site, Workflow};

use crate::ask::{Limits, ask};
use crate::run_dir::Project;

/// For the site's program that looks a name up.
const LIMITS: Limits = Limits { time: Duration::from_secs(60), length: 64 << 10 };

/// A root with more files than this is looked up by a program of the site, or not at all.
const FILES_MAX: usize = 2_000_000;

/// What each image of a workflow was found to be, by its name in the workflow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Images(BTreeMap<String, Image>);

/// What an image was found to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// What `{image}` stands for.
    pub reference: String,
    /// What results depend on.
    pub digest: Digest,
    /// How it was found.
    pub found: Found,
}

/// How an image was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// A file: the digest is that of its content.
    File,
    /// A folder: the digest is that of a listing.
    Folder,
    /// A name that holds a digest already.
    Pinned,
    /// By the site's program: the digest is that of the line it printed.
    Resolved,
}

/// Why an image cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A zone does not allow it.
    #[error("zone {zone} does not allow the image {image}")]
    NotAllowed {
        /// As the workflow names it.
        image: String,
        /// The zone.
        zone: String,
        /// Patterns of what it does allow.
        allowed: Vec<String>,
    },
    /// Nobody says what the name means.
    #[error(
        "the image {image} is neither a path nor pinned by a digest, and zone {zone} has no `resolve` for it"
    )]
    Mutable {
        /// As the workflow names it.
        image: String,
        /// The zone whose rule it falls under.
        zone: String,
    },
    /// It cannot be looked up.
    #[error("failed to look up the image {image}: {why}")]
    Unresolved {
        /// As the workflow names it.
        image: String,
        /// Why.
        why: String,
    },
    /// It is not what it was when the run began.
    #[error("the image {image} has changed since the run began")]
    Changed {
        /// As the workflow names it.
        image: String,
    },
}

impl Images {
    /// Looks up every image that tasks of the workflow name.
    ///
    /// # Errors
    /// The first that cannot be used.
    pub fn find(project: &Project, workflow: &Workflow, site: &Site) -> Result<Self, Error> {
        let templates = workflow.templates().iter().filter(|template| template.off.is_none());
        let named = templates.filter_map(|template| template.image.as_ref());
        let mut images = BTreeMap::new();
        for image in named {
            if !images.contains_key(image) {
                images.insert(image.clone(), look_up(project, image, site)?);
            }
        }
        Ok(Self(images))
    }

    /// What an image was found to be.
    #[must_use]
    pub fn get(&self, image: &str) -> Option<&Image> {
        self.0.get(image)
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Image)> {
        self.0.iter().map(|(name, image)| (name.as_str(), image))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Makes sure that files and folders are still what they were: tasks of one run must not be
    /// run in different images.
    ///
    /// # Errors
    /// The first that is not.
    pub fn verify(&self) -> Result<(), Error> {
        for (name, image) in &self.0 {
            let now = match image.found {
                Found::Pinned | Found::Resolved => continue,
                Found::File | Found::Folder => at_path(name, Path::new(&image.reference))?,
            };
            if now.as_ref() != Some(image) {
                return Err(Error::Changed { image: name.clone() });
            }
        }
        Ok(())
    }
}

fn look_up(project: &Project, image: &str, site: &Site) -> Result<Image, Error> {
    let mut rules = Vec::new();
    for zone in &site.zones {
        rules.push((zone, rule(zone, image)?));
    }
    // The zone that comes first in the file says what a name means, in all zones.
    if let Some((_, rule)) = rules.iter().find(|(_, rule)| !rule.resolve.is_empty()) {
        return resolve(project, image, rule);
    }
    if let Some(found) = at_path(image, &project.root().join(image))? {
        return Ok(found);
    }
    if is_pinned(image) {
        let digest = Digest::of(image.as_bytes());
        return Ok(Image { reference: image.to_owned(), digest, found: Found::Pinned });
    }
    let zone = rules.first().map_or_else(String::new, |(zone, _)| zone.name.clone());
    Err(Error::Mutable { image: image.to_owned(), zone })
}

fn rule<'s>(zone: &'s Zone, image: &str) -> Result<&'s ImageRule, Error> {
    zone.image_rule(image).ok_or_else(|| Error::NotAllowed {
        image: image.to_owned(),
        zone: zone.name.clone(),
        allowed: zone.images.iter().map(|rule| rule.pattern.clone()).collect(),
    })
}

/// `name@sha256:` and 64 hexadecimal digits.
fn is_pinned(image: &str) -> bool {
    let digits = image.rsplit_once("@sha256:").map_or("", |(_, digits)| digits);
    digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn resolve(project: &Project, image: &str, rule: &ImageRule) -> Result<Image, Error> {
    let failed = |why: String| Error::Unresolved { image: image.to_owned(), why };
    let root = project.root().to_string_lossy();
    let values = WrapValues {
        image,
        project: &root,
        folder: &root,
        workdir: &root,
        env: &[],
        task: "",
        run: "",
        attempt: 1,
        granted: &Resources::default(),
    };
    let (words, _) = around(&rule.resolve, &values);
    let Some((program, arguments)) = words.split_first() else {
        return Err(failed("`resolve` is empty".to_owned()));
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(project.root());
    let answer = ask(command, LIMITS).map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8_lossy(&answer);
    let line = text.lines().next().unwrap_or_default().trim();
    // What it prints becomes a word of a command, as the image itself was to be one.
    if line.is_empty() || line.starts_with('-') || line.chars().any(char::is_control) {
        return Err(failed(format!("`{program}` printed no reference on its first line")));
    }
    let digest = Digest::of(line.as_bytes());
    Ok(Image { reference: line.to_owned(), digest, found: Found::Resolved })
}

/// What lies at a path; none if nothing does.
fn at_path(image: &str, path: &Path) -> Result<Option<Image>, Error> {
    let failed = |why: String| Error::Unresolved { image: image.to_owned(), why };
    let path = match path.canonicalize() {
        Ok(path) => path,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    let text = path.to_str().ok_or_else(|| failed("its path is not UTF-8".to_owned()))?;
    let (digest, found) = if path.is_dir() {
        (listing(&path).map_err(failed)?, Found::Folder)
    } else if path.is_file() {
        (content(&path).map_err(|error| failed(error.to_string()))?, Found::File)
    } else {
        return Err(failed("it is neither a file nor a folder".to_owned()));
    };
    Ok(Some(Image { reference: text.to_owned(), digest, found }))
}

fn content(path: &Path) -> std::io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(path)?)?;
    Ok(Digest(*hasher.finalize().as_bytes()))
}

/// The digest of what a folder holds, without reading any file: kind, permissions, path, and of
/// files size and time of last writing, of links the target. Other file systems that are mounted
/// inside are passed over.
fn listing(root: &Path) -> Result<Digest, String> {
    let mut hasher = blake3::Hasher::new();
    let told = |path: &Path, error: &std::io::Error| format!("{}: {error}", path.display());
    let device = root.symlink_metadata().map_err(|error| told(root, &error))?.dev();
    let (mut folders, mut files) = (vec![root.to_path_buf()], 0);
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| told(&folder, &error))?;
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(|error| told(&folder, &error))?;
        paths.sort();
        files += paths.len();
        if files > FILES_MAX {
            return Err(format!("it has more than {FILES_MAX} files; give its rule a `resolve`"));
        }
        for path in paths {
            let metadata = path.symlink_metadata().map_err(|error| told(&path, &error))?;
            let below = path.strip_prefix(root).unwrap_or(&path).as_os_str().as_encoded_bytes();
            hasher.update(&(below.len() as u64).to_le_bytes()).update(below);
            hasher.update(&metadata.mode().to_le_bytes());
            if metadata.is_dir() {
                if metadata.dev() == device {
                    folders.push(path);
                }
            } else if metadata.is_symlink() {
                let target = std::fs::read_link(&path).map_err(|error| told(&path, &error))?;
                let target = target.as_os_str().as_encoded_bytes();
                hasher.update(&(target.len() as u64).to_le_bytes()).update(target);
            } else {
                hasher.update(&metadata.len().to_le_bytes());
                hasher.update(&metadata.mtime().to_le_bytes());
                hasher.update(&metadata.mtime_nsec().to_le_bytes());
            }
        }
    }
    Ok(Digest(*hasher.finalize().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_known_by_what_can_be_seen_without_reading_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::write(root.join("bin/tool"), "one").unwrap();
        std::os::unix::fs::symlink("tool", root.join("bin/link")).unwrap();
        let first = listing(&root).unwrap();
        assert_eq!(listing(&root).unwrap(), first);
        std::fs::write(root.join("bin/tool"), "three").unwrap();
        let second = listing(&root).unwrap();
        assert_ne!(second, first);
        std::fs::remove_file(root.join("bin/link")).unwrap();
        std::os::unix::fs::symlink("other", root.join("bin/link")).unwrap();
        assert_ne!(listing(&root).unwrap(), second);
    }

    #[test]
    fn only_a_whole_digest_pins() {
        let digits = "0123456789abcdef".repeat(4);
        assert!(is_pinned(&format!("docker.io/a/b@sha256:{digits}")));
        assert!(!is_pinned(&format!("a@sha256:{}", &digits[1..])));
        assert!(!is_pinned("a:latest"));
    }
}
