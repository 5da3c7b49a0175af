//! From the characters that the parser counts to the bytes that spans are made of.

/// A byte offset is noted at every so many characters.
const STRIDE: usize = 128;

/// Byte offsets of characters, sparsely noted.
pub(super) struct Offsets<'a> {
    text: &'a str,
    // Empty when characters are bytes.
    marks: Vec<u32>,
}

impl<'a> Offsets<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let marks = if text.is_ascii() {
            Vec::new()
        } else {
            let offset = |(at, _): (usize, char)| u32::try_from(at).unwrap_or(u32::MAX);
            text.char_indices().step_by(STRIDE).map(offset).collect()
        };
        Self { text, marks }
    }

    /// The byte offset of the `index`-th character; the end for one past it.
    pub(super) fn byte(&self, index: usize) -> usize {
        if self.marks.is_empty() {
            return index.min(self.text.len());
        }
        let Some(&mark) = self.marks.get(index / STRIDE) else { return self.text.len() };
        let rest = &self.text[mark as usize..];
        let ahead = rest.char_indices().nth(index % STRIDE).map_or(rest.len(), |(at, _)| at);
        mark as usize + ahead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_found_at_its_byte() {
        let text: String = (0..1_000).map(|i| if i % 3 == 0 { 'é' } else { 'x' }).collect();
        let offsets = Offsets::new(&text);
        for (index, (byte, _)) in text.char_indices().enumerate() {
            assert_eq!(offsets.byte(index), byte);
        }
        assert_eq!(offsets.byte(1_000), text.len());
        assert_eq!(offsets.byte(5_000), text.len());
    }
}
