//! A text with some of its spans replaced.

use std::ops::Range;

/// Replaces spans from left to right; without any there is nothing to copy.
pub struct Splice<'a> {
    text: &'a [u8],
    out: &'a mut Vec<u8>,
    copied_end: usize,
}

impl<'a> Splice<'a> {
    pub fn new(text: &'a [u8], out: &'a mut Vec<u8>) -> Self {
        out.clear();
        let copied_end = 0;
        Self {
            text,
            out,
            copied_end,
        }
    }

    /// Replaces a span, or what of it is not replaced yet.
    pub fn replace(&mut self, span: Range<usize>, put: impl FnOnce(&mut Vec<u8>)) {
        if span.start < self.copied_end {
            self.copied_end = self.copied_end.max(span.end);
            return;
        }
        self.out
            .extend_from_slice(&self.text[self.copied_end..span.start]);
        put(self.out);
        self.copied_end = span.end;
    }

    /// Returns the new text, which is the old one if nothing was replaced.
    pub fn finish(self) -> &'a [u8] {
        if self.copied_end == 0 {
            return self.text;
        }
        self.out.extend_from_slice(&self.text[self.copied_end..]);
        self.out
    }
}
