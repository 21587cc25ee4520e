//! Where the bytes of a text come from in a string that has escapes.

use dataflare_json::{Piece, Pieces};
use std::ops::Range;

#[derive(Default)]
pub struct Origins {
    text: Vec<u8>,
    /// For each byte of the text, the span of what means its character.
    spans: Vec<Range<usize>>,
}

impl Origins {
    /// Becomes the text of a string's inside.
    pub fn unescape(&mut self, raw: &[u8]) {
        self.text.clear();
        self.spans.clear();
        let mut at = 0;
        for piece in Pieces(raw) {
            match piece {
                Piece::Plain(plain) => {
                    self.text.extend_from_slice(plain);
                    self.spans
                        .extend((at..at + plain.len()).map(|index| index..index + 1));
                    at += plain.len();
                }
                Piece::Escape { raw_bytes, means } => {
                    let mut buffer = [0; 4];
                    let text = means.encode_utf8(&mut buffer).as_bytes();
                    self.text.extend_from_slice(text);
                    self.spans.extend(text.iter().map(|_| at..at + raw_bytes));
                    at += raw_bytes;
                }
            }
        }
    }

    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Returns where a span of the text, which is not empty, is in the string.
    pub fn of(&self, span: &Range<usize>) -> Range<usize> {
        self.spans[span.start].start..self.spans[span.end - 1].end
    }
}
