//! The builder: parser events in, nodes out, with a stack instead of recursion.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::offsets::Offsets;
use super::surrogates::{self, Moved};
use super::{Kind, MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_REPEATED, Node};
use crate::diagnostic::{Code, Diagnostic};

/// Each costs an entry here and one in the parser.
const MAX_ANCHORS: usize = 10_000;

pub(super) fn tree(text: &str) -> Result<Node<'_>, Vec<Diagnostic>> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        return Err(vec![Diagnostic::error(Code::Limit, 0..0).message(message)]);
    }
    let result = Builder::new(text, text, Moved::default()).run();
    let is_json = text.trim_start_matches('\u{feff}').trim_start().starts_with('{');
    match result {
        Err(mistakes) if is_json && mistakes.iter().any(|m| m.code == Code::Syntax) => {
            let (joined, moved) = surrogates::join(text);
            if joined.len() == text.len() {
                return Err(mistakes);
            }
            Builder::new(text, &joined, moved).run()
        }
        result => result,
    }
}

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

struct Builder<'a, 'p> {
    /// What spans point into; `parsed` differs from it only in joined surrogates.
    text: &'a str,
    parsed: &'p str,
    offsets: Offsets<'p>,
    moved: Moved,
    stack: Vec<Open<'a>>,
    anchors: HashMap<usize, (Node<'a>, usize)>,
    root: Option<Node<'a>>,
    n_nodes: usize,
    n_repeated: usize,
    mistakes: Vec<Diagnostic>,
}

impl<'a, 'p> Builder<'a, 'p> {
    fn new(text: &'a str, parsed: &'p str, moved: Moved) -> Self {
        Self {
            text,
            parsed,
            offsets: Offsets::new(parsed),
            moved,
            stack: Vec::new(),
            anchors: HashMap::new(),
            root: None,
            n_nodes: 0,
            n_repeated: 0,
            mistakes: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Node<'a>, Vec<Diagnostic>> {
        let parsed = self.parsed;
        for event in Parser::new_from_str(parsed) {
            let outcome = match event {
                Ok((event, span)) => self.take(event, span),
                Err(error) => Err(self.syntax(&error)),
            };
            if let Err(fatal) = outcome {
                self.mistakes.push(fatal);
                return Err(self.mistakes);
            }
        }
        if !self.mistakes.is_empty() {
            return Err(self.mistakes);
        }
        self.root.ok_or_else(|| {
            let empty = Diagnostic::error(Code::Syntax, 0..0).message("the file is empty");
            vec![empty.help("begin with `foreshard: 1`")]
        })
    }

    fn take(&mut self, event: Event<'p>, at: Span) -> Result<(), Diagnostic> {
        let span = self.span(at);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let quoted = style != ScalarStyle::Plain
                    || tag.is_some_and(|t| t.is_yaml_core_schema() && t.suffix == "str");
                let text = self.borrow(text, &span);
                let weight = 1 + text.len() / 16;
                let kind = if quoted { Kind::Quoted(text) } else { Kind::Plain(text) };
                self.add(node(span, kind), weight, anchor)
            }
            Event::SequenceStart(anchor, _) => self.open(&span, anchor, Content::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                self.open(&span, anchor, Content::Map { entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(&span),
            Event::Alias(id) => self.repeat(id, span),
            Event::DocumentStart(_) if self.root.is_some() => {
                let mistake = Diagnostic::error(Code::Syntax, span);
                Err(mistake
                    .message("a second document begins here")
                    .help("put each workflow into a file of its own and remove the `---`"))
            }
            _ => Ok(()),
        }
    }

    fn open(
        &mut self,
        span: &Range<usize>,
        anchor: usize,
        content: Content<'a>,
    ) -> Result<(), Diagnostic> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("lists and maps lie more than {MAX_DEPTH} deep in each other");
            return Err(Diagnostic::error(Code::Limit, span.clone()).message(message));
        }
        self.stack.push(Open { start: to_u32(span.start), anchor, weight: 1, content });
        Ok(())
    }

    fn close(&mut self, span: &Range<usize>) -> Result<(), Diagnostic> {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let (last, kind) = match open.content {
            Content::List(items) => (items.last().map(|n| n.end), Kind::List(Rc::new(items))),
            Content::Map { entries, .. } => {
                self.find_duplicates(&entries);
                (entries.last().map(|(_, v)| v.end), Kind::Map(Rc::new(entries)))
            }
        };
        // A block ends where the next thing begins; its last item is the better end.
        let flow_end = self.text[..span.end].ends_with([']', '}']);
        let end = if flow_end { to_u32(span.end) } else { last.unwrap_or(to_u32(span.end)) };
        let closed = Node { start: open.start, end: end.max(open.start), kind };
        self.add(closed, open.weight, open.anchor)
    }

    fn repeat(&mut self, id: usize, span: Range<usize>) -> Result<(), Diagnostic> {
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

    fn find_duplicates(&mut self, entries: &[(Node<'a>, Node<'a>)]) {
        let mut seen: BTreeMap<&str, Range<usize>> = BTreeMap::new();
        for (key, _) in entries {
            let text = key.text().unwrap_or_default();
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

    /// Text that stands in the file as it is needs no copy.
    fn borrow(&self, text: Cow<'p, str>, span: &Range<usize>) -> Cow<'a, str> {
        match self.text.get(span.clone()) {
            Some(written) if written == text => Cow::Borrowed(written),
            _ => Cow::Owned(text.into_owned()),
        }
    }

    fn span(&self, span: Span) -> Range<usize> {
        let byte = |index| self.moved.origin(self.offsets.byte(index)).min(self.text.len());
        let start = byte(span.start.index());
        start..byte(span.end.index()).max(start)
    }

    fn syntax(&self, error: &ScanError) -> Diagnostic {
        let at = self.span(Span::empty(*error.marker())).start;
        let end = self.text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
        if error.info() == "recursion limit exceeded" {
            let message = format!("lists and maps lie more than {MAX_DEPTH} deep in each other");
            return Diagnostic::error(Code::Limit, at..end).message(message);
        }
        let mistake = Diagnostic::error(Code::Syntax, at..end).message(error.info());
        match error.info() {
            info if info.contains("mapping values are not allowed") => {
                mistake.help("put text that holds `: ` in quotes, or write it below `|`")
            }
            info if info.contains("tab") => mistake.help("indent with spaces"),
            _ => mistake,
        }
    }
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
