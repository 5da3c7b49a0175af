//! Task ids as they are met: each once, numbered in order of first mention.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

/// Text that lies end to end in one string.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Texts {
    text: String,
    ends: Vec<u32>,
}

impl Texts {
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.ends.push(u32::try_from(self.text.len()).expect("ids of less than 4 GiB in all"));
    }

    pub(super) fn get(&self, index: usize) -> &str {
        let start = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start as usize..self.ends[index] as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// Texts that can be found again.
#[derive(Default)]
pub(super) struct Names {
    texts: Texts,
    /// By hash; of texts with the same hash, the later ones go by the next free number.
    index: HashMap<u64, u32>,
}

impl Names {
    /// The number of `name`, given out if it is new.
    pub(super) fn intern(&mut self, name: &str) -> u32 {
        let mut key = hash(name);
        while let Some(&number) = self.index.get(&key) {
            if self.texts.get(number as usize) == name {
                return number;
            }
            key = key.wrapping_add(1);
        }
        let number = u32::try_from(self.texts.len()).expect("fewer than 2^32 names");
        self.texts.push(name);
        self.index.insert(key, number);
        number
    }

    pub(super) fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize)
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }
}

fn hash(name: &str) -> u64 {
    // Not keyed at random: the same document is always read the same way.
    let mut hasher = DefaultHasher::new();
    hasher.write(name.as_bytes());
    hasher.finish()
}
