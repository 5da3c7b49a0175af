//! Finds many words at once in one pass over a text.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

/// The state before any byte.
const ROOT: u32 = 0;

/// A trie of words with, for each node, where the longest suffix that begins a word is.
pub(super) struct Automaton {
    /// The first byte decides most steps: no search for it.
    first: [u32; 256],
    next: HashMap<(u32, u8), u32, BuildHasherDefault<Mix>>,
    nodes: Vec<Node>,
}

#[derive(Clone, Copy, Default)]
struct Node {
    depth: u32,
    /// The node of the longest proper suffix that is in the trie.
    shorter: u32,
    /// The longest word that ends here.
    word: u32,
}

impl Automaton {
    pub(super) fn of(words: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut automaton =
            Self { first: [ROOT; 256], next: HashMap::default(), nodes: vec![Node::default()] };
        for word in words {
            automaton.add(&word);
        }
        automaton.link();
        automaton
    }

    /// The state after a byte, and the length of the longest word that ends with it; 0 is none.
    pub(super) fn step(&self, mut state: u32, byte: u8) -> (u32, usize) {
        let state = loop {
            match self.child(state, byte) {
                Some(child) => break child,
                None if state == ROOT => break ROOT,
                None => state = self.nodes[state as usize].shorter,
            }
        };
        (state, self.nodes[state as usize].word as usize)
    }

    /// How many bytes at the end of what was read begin a word.
    pub(super) fn depth(&self, state: u32) -> usize {
        self.nodes[state as usize].depth as usize
    }

    /// Whether no word begins with this byte.
    pub(super) fn begins_nothing(&self, byte: u8) -> bool {
        self.first[usize::from(byte)] == ROOT
    }

    /// Whether nothing has begun.
    pub(super) fn is_root(state: u32) -> bool {
        state == ROOT
    }

    fn child(&self, state: u32, byte: u8) -> Option<u32> {
        if state == ROOT {
            Some(self.first[usize::from(byte)]).filter(|&child| child != ROOT)
        } else {
            self.next.get(&(state, byte)).copied()
        }
    }

    fn add(&mut self, word: &[u8]) {
        let mut state = ROOT;
        for (i, &byte) in word.iter().enumerate() {
            state = self.child(state, byte).unwrap_or_else(|| {
                let new = self.nodes.len() as u32;
                self.nodes.push(Node { depth: i as u32 + 1, ..Node::default() });
                if state == ROOT {
                    self.first[usize::from(byte)] = new;
                } else {
                    self.next.insert((state, byte), new);
                }
                new
            });
        }
        self.nodes[state as usize].word = word.len() as u32;
    }

    /// Sets `shorter` level by level: that of a child is found from that of its parent.
    fn link(&mut self) {
        let mut children: HashMap<u32, Vec<(u8, u32)>> = HashMap::new();
        for (&(parent, byte), &child) in &self.next {
            children.entry(parent).or_default().push((byte, child));
        }
        let mut queue: VecDeque<u32> =
            self.first.iter().copied().filter(|&child| child != ROOT).collect();
        while let Some(parent) = queue.pop_front() {
            for &(byte, child) in children.get(&parent).into_iter().flatten() {
                let (shorter, word) = self.step(self.nodes[parent as usize].shorter, byte);
                let node = &mut self.nodes[child as usize];
                node.shorter = shorter;
                node.word = node.word.max(word as u32);
                queue.push_back(child);
            }
        }
    }
}

/// Mixes states and bytes, which are small numbers of our own making: no stranger chooses them to
/// collide, and each byte of a log is looked up.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u8(byte));
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u32(u32::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        // 2^64 over the golden ratio (Knuth, TAOCP 3, 6.4).
        self.0 = (self.0.rotate_left(23) ^ u64::from(n)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
