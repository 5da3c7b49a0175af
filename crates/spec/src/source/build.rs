//! The builder: what a reader finds becomes a tree, with a stack instead of recursion.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;

use super::{Kind, MAX_DEPTH, MAX_NODES, MAX_REPEATED, Node};
use crate::diagnostic::{Code, Diagnostic};

/// Each costs an entry here and one in the parser.
const MAX_ANCHORS: usize = 10_000;
/// More of the same kind help nobody.
const MAX_MISTAKES: usize = 100;

/// A list or map that is not closed yet.
struct Open<'a> {
    start: u32,
    anchor: usize,
    /// Nodes below it with aliases written out, see [`MAX_REPEATED`].
    weight: usize,
    content: Content<'a>,
}

enum Content<'a> {
    List(Vec<Node<'a>>),
    Map { entries: Vec<(Node<'a>, Node<'a>)>, key: Option<Node<'a>> },
}

/// Nodes as far as they are known.
#[derive(Default)]
pub(super) struct Builder<'a> {
    stack: Vec<Open<'a>>,
    anchors: HashMap<usize, (Node<'a>, usize)>,
    root: Option<Node<'a>>,
    n_nodes: usize,
    n_repeated: usize,
    mistakes: Vec<Diagnostic>,
}

impl<'a> Builder<'a> {
    /// The tree, or the mistakes that did not end the reading.
    pub(super) fn finish(self) -> Result<Node<'a>, Vec<Diagnostic>> {
        if !self.mistakes.is_empty() {
            return Err(self.mistakes);
        }
        self.root.ok_or_else(|| {
            let empty = Diagnostic::error(Code::Syntax, 0..0).message("the file is empty");
            vec![empty.help("begin with `foreshard: 1`")]
        })
    }

    /// A text. An `anchor` other than 0 can be repeated later.
    pub(super) fn scalar(
        &mut self,
        span: Range<usize>,
        kind: Kind<'a>,
        anchor: usize,
    ) -> Result<(), Diagnostic> {
        let len = match &kind {
            Kind::Plain(text) | Kind::Quoted(text) => text.len(),
            Kind::List(_) | Kind::Map(_) => 0,
        };
        self.add(node(span, kind), 1 + len / 16, anchor)
    }

    /// The beginning of a list or map.
    pub(super) fn open(
        &mut self,
        span: Range<usize>,
        anchor: usize,
        is_map: bool,
    ) -> Result<(), Diagnostic> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(too_deep(span));
        }
        let content = if is_map {
            Content::Map { entries: Vec::new(), key: None }
        } else {
            Content::List(Vec::new())
        };
        self.stack.push(Open { start: to_u32(span.start), anchor, weight: 1, content });
        Ok(())
    }

    /// The end of the innermost list or map: that of its last item where none is written.
    pub(super) fn close(&mut self, end: Option<usize>) -> Result<(), Diagnostic> {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let (last, kind) = match open.content {
            Content::List(items) => (items.last().map(|n| n.end), Kind::List(Rc::new(items))),
            Content::Map { entries, .. } => {
                self.find_duplicates(&entries);
                (entries.last().map(|(_, v)| v.end), Kind::Map(Rc::new(entries)))
            }
        };
        let end = end.map(to_u32).or(last).unwrap_or(open.start);
        let closed = Node { start: open.start, end: end.max(open.start), kind };
        self.add(closed, open.weight, open.anchor)
    }

    /// An alias: what was read under an anchor, once more.
    pub(super) fn repeat(&mut self, id: usize, span: Range<usize>) -> Result<(), Diagnostic> {
        let Some((target, weight)) = self.anchors.get(&id).cloned() else {
            let mistake = Diagnostic::error(Code::Syntax, span);
            return Err(mistake.message("an alias cannot stand inside what it repeats"));
        };
        self.n_repeated = self.n_repeated.saturating_add(weight);
        if self.n_repeated > MAX_REPEATED {
            let message = format!("aliases repeat more than {MAX_REPEATED} values");
            return Err(Diagnostic::error(Code::Limit, span).message(message));
        }
        self.add(node(span, target.kind), weight, 0)
    }

    fn add(&mut self, node: Node<'a>, weight: usize, anchor: usize) -> Result<(), Diagnostic> {
        self.n_nodes += 1;
        if self.n_nodes > MAX_NODES {
            let message = format!("the file has more than {MAX_NODES} values");
            return Err(Diagnostic::error(Code::Limit, node.span()).message(message));
        }
        if anchor > 0 {
            if self.anchors.len() >= MAX_ANCHORS {
                let message = format!("the file has more than {MAX_ANCHORS} anchors");
                return Err(Diagnostic::error(Code::Limit, node.span()).message(message));
            }
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        open.weight = open.weight.saturating_add(weight);
        match &mut open.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, key } => match key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    if !matches!(node.kind, Kind::Plain(_) | Kind::Quoted(_)) {
                        return Err(complex_key(&node));
                    }
                    *key = Some(node);
                }
            },
        }
        Ok(())
    }

    pub(super) fn is_complete(&self) -> bool {
        self.root.is_some()
    }

    pub(super) fn report(&mut self, mistake: Diagnostic) {
        self.mistakes.push(mistake);
    }

    fn find_duplicates(&mut self, entries: &[(Node<'a>, Node<'a>)]) {
        let mut seen: BTreeMap<&str, Range<usize>> = BTreeMap::new();
        for (key, _) in entries {
            let text = key.text().unwrap_or_default();
            if self.mistakes.len() >= MAX_MISTAKES {
                return;
            }
            if let Some(first) = seen.get(text) {
                let mistake = Diagnostic::error(Code::DuplicateKey, key.span())
                    .message(format!("`{text}` stands twice in this map"))
                    .related(first.clone(), "first here")
                    .help("rename or remove one of them");
                self.mistakes.push(mistake);
            } else {
                seen.insert(text, key.span());
            }
        }
    }
}

pub(super) fn too_deep(span: Range<usize>) -> Diagnostic {
    let message = format!("lists and maps lie more than {MAX_DEPTH} deep in each other");
    Diagnostic::error(Code::Limit, span).message(message)
}

fn complex_key(node: &Node<'_>) -> Diagnostic {
    let mistake = Diagnostic::error(Code::Syntax, node.span());
    mistake
        .message(format!("{} cannot be a key", node.what()))
        .help("put a value that begins with `{` or `[` in quotes")
}

fn node(span: Range<usize>, kind: Kind<'_>) -> Node<'_> {
    Node { start: to_u32(span.start), end: to_u32(span.end), kind }
}

fn to_u32(offset: usize) -> u32 {
    u32::try_from(offset).expect("texts are bounded by MAX_BYTES")
}
