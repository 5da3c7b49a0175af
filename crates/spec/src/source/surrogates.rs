//! The one escape that JSON has and YAML lacks: a pair of `\u` for one character.

/// Rewrites `\ud83d\ude00` as `\U0001f600`, and tells for a byte of the result where it was.
///
/// Only right for JSON, where a backslash means an escape wherever it stands.
pub(super) fn join(json: &str) -> (String, Moved) {
    let mut joined = String::with_capacity(json.len());
    let mut moved = Moved::default();
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        joined.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(c) = pair(rest) {
            joined.push_str(&format!("\\U{:08x}", c as u32));
            rest = &rest[12..];
            moved.ends.push(joined.len());
        } else {
            // The escaped character goes along, so that `\\ud83d` stays what it is.
            let width = rest[1..].chars().next().map_or(1, |c| 1 + c.len_utf8());
            joined.push_str(&rest[..width]);
            rest = &rest[width..];
        }
    }
    joined.push_str(rest);
    (joined, moved)
}

/// Where the rewritten escapes end; each is two bytes shorter than before.
#[derive(Default)]
pub(super) struct Moved {
    ends: Vec<usize>,
}

impl Moved {
    pub(super) fn origin(&self, byte: usize) -> usize {
        byte + 2 * self.ends.partition_point(|&end| end <= byte)
    }
}

fn pair(text: &str) -> Option<char> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let units = [unit(0)?, unit(6)?];
    char::decode_utf16(units).next()?.ok().filter(|c| *c as u32 > 0xFFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_become_one_escape_and_places_are_kept() {
        let json = r#"{"a": "\ud83d\ude00", "b": "\\ud83d\ude00"}"#;
        let (joined, moved) = join(json);
        assert_eq!(joined, r#"{"a": "\U0001f600", "b": "\\ud83d\ude00"}"#);
        let b = joined.find("\"b\"").unwrap();
        assert_eq!(&json[moved.origin(b)..moved.origin(b) + 3], "\"b\"");
        assert_eq!(moved.origin(1), 1);
    }
}
