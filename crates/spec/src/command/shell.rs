//! Finds out what quotes each placeholder of a shell line stands in.
//!
//! A lexer for the parts of the shell language that decide about quoting: quotes, `$( )`,
//! `${ }`, arithmetic, comments, here-documents and backticks. Where shells disagree, or a
//! value could not be written safely, the placeholder is refused with advice: a lexer that
//! guesses would let values become syntax.

use std::ops::Range;

use super::placeholder::{Mistake, Piece};
use super::{Quoting, Segment};

/// Sets the quoting of every placeholder.
///
/// # Errors
/// Every placeholder that stands where no value can be put safely.
pub(super) fn quote(pieces: &mut [Piece]) -> Result<(), Vec<Mistake>> {
    let mut items = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        match &piece.segment {
            Segment::Literal(text) => items.extend(text.chars().map(Item::Char)),
            Segment::Placeholder { .. } => items.push(Item::Hole(index)),
        }
    }
    let mut lexer = Lexer::new(&items);
    lexer.run();
    let mut mistakes = Vec::new();
    let mut refuse = |at: &Range<usize>, refusal: Refusal| {
        let (message, help) = refusal.words();
        let (message, help) = (message.to_owned(), help.to_owned());
        mistakes.push(Mistake { at: at.clone(), message, help });
    };
    // Past a construct that shells read differently nothing is certain: one message says so.
    if let (Some(refusal), Some((hole, _))) = (lexer.unsure, lexer.found.first()) {
        refuse(&pieces[*hole].at, refusal);
    }
    for (hole, found) in lexer.found {
        let piece = &mut pieces[hole];
        match (found, &mut piece.segment) {
            (Ok(found), Segment::Placeholder { quoting, .. }) => *quoting = found,
            (Err(refusal), _) if Some(refusal) != lexer.unsure => refuse(&piece.at, refusal),
            _ => {}
        }
    }
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes) }
}

/// Whether a text ends outside of quotes, parentheses and here-documents, and its last line does
/// not go on: what is written on the next line is then read by itself.
pub(crate) fn is_closed(text: &str) -> bool {
    let items: Vec<Item> = text.chars().map(Item::Char).collect();
    let mut lexer = Lexer::new(&items);
    lexer.run();
    !lexer.is_open && lexer.stack.len() == 1 && lexer.pending.is_empty()
}

#[derive(Clone, Copy, Debug)]
enum Item {
    Char(char),
    /// A placeholder, by the index of its piece.
    Hole(usize),
}

/// What the lexer stands in, innermost last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Context {
    /// The line itself.
    Top,
    /// `$( … )`, with the number of parentheses still open.
    Command(u32),
    /// `" … "`
    Double,
    /// `${ … }`
    Braces { in_double: bool },
}

/// Why no value can stand somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    HereDocument,
    Backticks,
    Arithmetic,
    Braces,
    Comment,
    Backslash,
    CaseInCommand,
    DollarQuote,
    QuotesInBraces,
    LateHereDocument,
    Unterminated,
}

impl Refusal {
    fn words(self) -> (&'static str, &'static str) {
        const VARIABLE: &str = "use the shell variable instead: `$PARAM_name` holds the value of a \
                                parameter or variable; for anything else set one with `env:`";
        match self {
            Self::HereDocument => ("a placeholder in a here-document cannot be quoted", VARIABLE),
            Self::Backticks => (
                "a placeholder in backticks cannot be quoted",
                "write `$( … )` instead of backticks",
            ),
            Self::Arithmetic => ("a placeholder in `$(( ))` cannot be quoted", VARIABLE),
            Self::Braces => ("a placeholder in `${ }` cannot be quoted", VARIABLE),
            Self::Comment => {
                ("a placeholder in a comment could end the comment", "take it out of the comment")
            }
            Self::Backslash => (
                "a backslash before a placeholder would be lost",
                "remove it: values are quoted where they stand",
            ),
            Self::CaseInCommand => (
                "`case` inside `$( )` is read differently by different shells, so no value is safe",
                "assign to a variable before, or move the `case` out of `$( )`",
            ),
            Self::DollarQuote => (
                "`$'…'` is read differently by different shells, so no value is safe",
                "use plain single quotes, or `printf`",
            ),
            Self::QuotesInBraces => (
                "quotes inside `\"${ }\"` are read differently by different shells, so no value is safe",
                "assign to a variable before",
            ),
            Self::LateHereDocument => (
                "a here-document must begin on the line after `<<` for values to be safe",
                "close quotes and `$( )` on the line of the `<<`",
            ),
            Self::Unterminated => ("a quote or parenthesis is not closed", "close it"),
        }
    }
}

struct HereDocument {
    delimiter: String,
    strip_tabs: bool,
    quoted: bool,
    depth: usize,
}

struct Lexer<'a> {
    items: &'a [Item],
    at: usize,
    stack: Vec<Context>,
    /// Whether a word could begin here: only there does `#` begin a comment.
    word_start: bool,
    pending: Vec<HereDocument>,
    found: Vec<(usize, Result<Quoting, Refusal>)>,
    unsure: Option<Refusal>,
    /// Whether something goes on past the end.
    is_open: bool,
}

impl<'a> Lexer<'a> {
    fn new(items: &'a [Item]) -> Self {
        Self {
            items,
            at: 0,
            stack: vec![Context::Top],
            word_start: true,
            pending: Vec::new(),
            found: Vec::new(),
            unsure: None,
            is_open: false,
        }
    }

    fn run(&mut self) {
        while self.at < self.items.len() {
            match self.context() {
                Context::Top | Context::Command(_) => self.bare(),
                Context::Double => self.double(),
                Context::Braces { in_double } => self.braces(in_double),
            }
        }
        if self.stack.len() > 1 {
            self.doubt(Refusal::Unterminated);
        }
    }

    fn context(&self) -> Context {
        self.stack.last().copied().unwrap_or(Context::Top)
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        match self.items.get(self.at + ahead) {
            Some(Item::Char(c)) => Some(*c),
            _ => None,
        }
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(ahead, c)| self.peek(ahead) == Some(c))
    }

    fn doubt(&mut self, refusal: Refusal) {
        self.is_open |= refusal == Refusal::Unterminated;
        self.unsure.get_or_insert(refusal);
    }

    fn hole(&mut self, index: usize, quoting: Quoting) {
        let in_braces = self.stack.iter().any(|c| matches!(c, Context::Braces { .. }));
        let verdict = if in_braces { Err(Refusal::Braces) } else { Ok(quoting) };
        self.found.push((index, verdict));
        self.at += 1;
    }

    fn bare(&mut self) {
        let c = match self.items[self.at] {
            Item::Hole(index) => {
                self.word_start = false;
                return self.hole(index, Quoting::Bare);
            }
            Item::Char(c) => c,
        };
        if self.word_start && self.context() != Context::Top && self.starts_with("case") {
            self.doubt(Refusal::CaseInCommand);
        }
        let word_start = std::mem::replace(&mut self.word_start, is_separator(c));
        match c {
            '\\' => self.backslash(word_start),
            '\'' => self.single(),
            '"' => self.push(Context::Double),
            '`' => self.backticks(),
            '$' => self.dollar(),
            '#' if word_start => self.skip_to('\n', Refusal::Comment),
            '<' if self.starts_with("<<<") => self.at += 3,
            '<' if self.starts_with("<<") => self.here_document(),
            '(' => self.parenthesis(1),
            ')' => self.parenthesis(-1),
            '\n' => self.newline(),
            _ => self.at += 1,
        }
    }

    fn double(&mut self) {
        match self.items[self.at] {
            Item::Hole(index) => self.hole(index, Quoting::Double),
            Item::Char('\\') => self.backslash(false),
            Item::Char('"') => self.pop(),
            Item::Char('`') => self.backticks(),
            Item::Char('$') => self.dollar(),
            Item::Char(c) => {
                if c == '\n' && !self.pending.is_empty() {
                    self.doubt(Refusal::LateHereDocument);
                }
                self.at += 1;
            }
        }
    }

    fn braces(&mut self, in_double: bool) {
        match self.items[self.at] {
            Item::Hole(index) => self.hole(index, Quoting::Bare),
            Item::Char('\\') => self.backslash(false),
            Item::Char('}') => self.pop(),
            Item::Char('\'' | '"') if in_double => {
                self.doubt(Refusal::QuotesInBraces);
                self.at += 1;
            }
            Item::Char('\'') => self.single(),
            Item::Char('"') => self.push(Context::Double),
            Item::Char('`') => self.backticks(),
            Item::Char('$') => self.dollar(),
            Item::Char(_) => self.at += 1,
        }
    }

    fn push(&mut self, context: Context) {
        self.stack.push(context);
        self.at += 1;
    }

    fn pop(&mut self) {
        self.stack.pop();
        self.word_start = false;
        self.at += 1;
    }

    /// A backslash and what it protects. Before a line's end it joins two lines.
    fn backslash(&mut self, word_start: bool) {
        if let Some(Item::Hole(index)) = self.items.get(self.at + 1) {
            self.found.push((*index, Err(Refusal::Backslash)));
        }
        self.word_start = word_start && self.peek(1) == Some('\n');
        self.is_open |= self.at + 1 == self.items.len();
        self.at += 2;
    }

    fn single(&mut self) {
        self.at += 1;
        while let Some(&item) = self.items.get(self.at) {
            match item {
                Item::Hole(index) => self.hole(index, Quoting::Single),
                Item::Char(c) => {
                    self.at += 1;
                    if c == '\'' {
                        return;
                    }
                }
            }
        }
        self.doubt(Refusal::Unterminated);
    }

    fn backticks(&mut self) {
        self.at += 1;
        loop {
            match self.items.get(self.at) {
                Some(Item::Hole(index)) => self.found.push((*index, Err(Refusal::Backticks))),
                Some(Item::Char('\\')) => {
                    if let Some(Item::Hole(index)) = self.items.get(self.at + 1) {
                        self.found.push((*index, Err(Refusal::Backticks)));
                    }
                    self.at += 1;
                }
                Some(Item::Char('`')) => {
                    self.at += 1;
                    return;
                }
                Some(Item::Char(_)) => {}
                None => return self.doubt(Refusal::Unterminated),
            }
            self.at += 1;
        }
    }

    fn dollar(&mut self) {
        let in_double = self.context() == Context::Double;
        if self.starts_with("$((") {
            self.arithmetic();
        } else if self.starts_with("$(") {
            self.at += 1;
            self.word_start = true;
            self.push(Context::Command(1));
        } else if self.starts_with("${") {
            // Quotes are read by the outer rules as long as any double quotes are open.
            let nested = matches!(self.context(), Context::Braces { in_double: true });
            self.at += 1;
            self.push(Context::Braces { in_double: in_double || nested });
        } else {
            if self.starts_with("$'") && !in_double {
                self.doubt(Refusal::DollarQuote);
            }
            self.at += 1;
            // `$#` and `$$` are names, not the beginning of a comment.
            self.word_start = false;
        }
    }

    /// `$(( … ))`, where quotes could mean that it is no arithmetic at all.
    fn arithmetic(&mut self) {
        let mut open = 0_u32;
        self.at += 1;
        while let Some(&item) = self.items.get(self.at) {
            match item {
                Item::Hole(index) => self.found.push((index, Err(Refusal::Arithmetic))),
                Item::Char('(') => open += 1,
                Item::Char(')') => open -= 1,
                Item::Char('\'' | '"' | '`' | '\\' | '\n' | ';') => {
                    self.doubt(Refusal::Arithmetic);
                }
                Item::Char(_) => {}
            }
            self.at += 1;
            if open == 0 {
                return;
            }
        }
        self.doubt(Refusal::Unterminated);
    }

    fn parenthesis(&mut self, change: i32) {
        if let Some(Context::Command(open)) = self.stack.last_mut() {
            *open = open.saturating_add_signed(change);
            if *open == 0 {
                return self.pop();
            }
        }
        self.at += 1;
    }

    fn skip_to(&mut self, end: char, refusal: Refusal) {
        while let Some(&item) = self.items.get(self.at) {
            match item {
                Item::Hole(index) => self.found.push((index, Err(refusal))),
                Item::Char(c) if c == end => return,
                Item::Char(_) => {}
            }
            self.at += 1;
        }
    }

    /// `<<WORD` or `<<-WORD`: its text follows after the end of the line.
    fn here_document(&mut self) {
        self.at += 2;
        let strip_tabs = self.peek(0) == Some('-');
        self.at += usize::from(strip_tabs);
        while matches!(self.peek(0), Some(' ' | '\t')) {
            self.at += 1;
        }
        let (mut delimiter, mut quoted) = (String::new(), false);
        let mut quote = None;
        while let Some(&item) = self.items.get(self.at) {
            match item {
                Item::Hole(index) => self.found.push((index, Err(Refusal::HereDocument))),
                Item::Char(c) if quote == Some(c) => quote = None,
                Item::Char(c) if quote.is_some() => delimiter.push(c),
                Item::Char(c @ ('\'' | '"')) => (quote, quoted) = (Some(c), true),
                Item::Char('\\') => quoted = true,
                Item::Char('$' | '`' | '\n') if delimiter.is_empty() => {
                    self.doubt(Refusal::LateHereDocument);
                    break;
                }
                Item::Char(c) if is_separator(c) => break,
                Item::Char(c) => delimiter.push(c),
            }
            self.at += 1;
        }
        let depth = self.stack.len();
        self.pending.push(HereDocument { delimiter, strip_tabs, quoted, depth });
    }

    fn newline(&mut self) {
        self.at += 1;
        for document in std::mem::take(&mut self.pending) {
            if document.depth != self.stack.len() {
                self.doubt(Refusal::LateHereDocument);
            }
            self.skip_document(&document);
        }
    }

    /// Passes over the lines of a here-document, the one that ends it included.
    fn skip_document(&mut self, document: &HereDocument) {
        while self.at < self.items.len() {
            let (mut line, mut holes) = (String::new(), false);
            while let Some(&item) = self.items.get(self.at) {
                self.at += 1;
                match item {
                    Item::Hole(index) => {
                        holes = true;
                        self.found.push((index, Err(Refusal::HereDocument)));
                    }
                    Item::Char('\n') => break,
                    Item::Char(c) => line.push(c),
                }
            }
            if line.ends_with('\\') && !document.quoted {
                // The next line may belong to this one, and then could not be the last.
                self.doubt(Refusal::LateHereDocument);
            }
            let text = if document.strip_tabs { line.trim_start_matches('\t') } else { &line };
            if !holes && text == document.delimiter {
                return;
            }
        }
        self.is_open = true;
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | ';' | '&' | '|' | '(' | ')' | '<' | '>')
}
