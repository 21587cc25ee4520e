//! What is redacted: text as it is, JSON token by token.

use crate::origins::Origins;
use crate::patterns::Patterns;
use crate::splice::Splice;
use crate::substitute::Substitute;
use dataflare_json::{NotJson, Path, Paths, Scanner, Text, Value, Visitor};
use std::cmp::Reverse;
use std::ops::Range;

pub struct Redactor {
    paths: Option<Paths>,
    patterns: Patterns,
    substitute: Substitute,
    /// Where the fields of the document are, from left to right, the outer before the inner.
    fields: Vec<Range<usize>>,
    /// What was found in a text.
    found: Vec<Range<usize>>,
    origins: Origins,
    scratch: Vec<u8>,
}

impl Redactor {
    pub fn new(fields: Option<Vec<Path>>, patterns: Patterns, substitute: Substitute) -> Self {
        Self {
            paths: fields.as_deref().map(Paths::new),
            patterns,
            substitute,
            fields: Vec::new(),
            found: Vec::new(),
            origins: Origins::default(),
            scratch: Vec::new(),
        }
    }

    /// Redacts the fields of a document, and with `search` what is found in the rest of it.
    pub fn redact<'a>(
        &mut self,
        document: &'a [u8],
        search: bool,
        out: &'a mut Vec<u8>,
    ) -> Result<&'a [u8], NotJson> {
        let Some(paths) = &self.paths else {
            return Ok(if search {
                self.search(document, out)
            } else {
                document
            });
        };
        self.fields.clear();
        paths.walk(document, &mut Collect(&mut self.fields))?;
        self.fields
            .sort_unstable_by_key(|span| (span.start, Reverse(span.end)));
        Ok(self.redact_json(document, search, out))
    }

    /// Redacts what is found in a text. If that is JSON, and more than a word, it stays JSON.
    pub fn search<'a>(&mut self, text: &'a [u8], out: &'a mut Vec<u8>) -> &'a [u8] {
        let begins_as_json = matches!(text.trim_ascii_start(), [b'{' | b'[' | b'"', ..]);
        if begins_as_json && Value::parse(text).is_ok() {
            self.fields.clear();
            return self.redact_json(text, true, out);
        }
        let mut splice = Splice::new(text, out);
        self.patterns.find(text, &mut self.found);
        for span in &self.found {
            splice.replace(span.clone(), |out| {
                self.substitute.put(&text[span.clone()], false, out)
            });
        }
        splice.finish()
    }

    /// Redacts what is known to be JSON.
    fn redact_json<'a>(
        &mut self,
        document: &'a [u8],
        search: bool,
        out: &'a mut Vec<u8>,
    ) -> &'a [u8] {
        let mut splice = Splice::new(document, out);
        let mut at = 0;
        for index in 0..self.fields.len() {
            let field = self.fields[index].clone();
            if field.start < at {
                continue; // it is in the last one
            }
            if search {
                self.search_tokens(document, at..field.start, &mut splice);
            }
            let value = Value::within(document, field.clone());
            let text = value.text_or_json(&mut self.scratch);
            splice.replace(field.clone(), |out| {
                out.push(b'"');
                self.substitute.put(text, true, out);
                out.push(b'"');
            });
            at = field.end;
        }
        if search {
            self.search_tokens(document, at..document.len(), &mut splice);
        }
        splice.finish()
    }

    /// Redacts what is found in the strings, names and numbers of a part of a document.
    fn search_tokens(&mut self, document: &[u8], part: Range<usize>, splice: &mut Splice) {
        let mut scanner = Scanner::new(document);
        let mut at = part.start;
        while at < part.end {
            scanner.rewind(at);
            match document[at] {
                b'"' => match scanner.string() {
                    Ok(text) => self.search_string(at + 1, text, splice),
                    Err(_) => return,
                },
                b'-' | b'0'..=b'9' => match scanner.skip_value(0) {
                    Ok(number) => self.search_number(at, number, splice),
                    Err(_) => return,
                },
                _ => scanner.rewind(at + 1),
            }
            at = scanner.position();
        }
    }

    fn search_string(&mut self, start: usize, text: Text, splice: &mut Splice) {
        if text.escaped {
            self.origins.unescape(text.raw);
        }
        let plain = if text.escaped {
            self.origins.text()
        } else {
            text.raw
        };
        self.patterns.find(plain, &mut self.found);
        for span in &self.found {
            let raw = if text.escaped {
                self.origins.of(span)
            } else {
                span.clone()
            };
            let raw = whole_characters(text.raw, raw);
            splice.replace(start + raw.start..start + raw.end, |out| {
                self.substitute.put(&plain[span.clone()], true, out);
            });
        }
    }

    /// Makes a number in which something is found a string.
    fn search_number(&mut self, start: usize, number: &[u8], splice: &mut Splice) {
        self.patterns.find(number, &mut self.found);
        if self.found.is_empty() {
            return;
        }
        splice.replace(start..start + number.len(), |out| {
            out.push(b'"');
            let mut copied_end = 0;
            for span in &self.found {
                out.extend_from_slice(&number[copied_end..span.start]);
                self.substitute.put(&number[span.clone()], true, out);
                copied_end = span.end;
            }
            out.extend_from_slice(&number[copied_end..]);
            out.push(b'"');
        });
    }
}

/// Widens a span to the characters of which it has a part: half of one is not UTF-8.
fn whole_characters(text: &[u8], span: Range<usize>) -> Range<usize> {
    let is_continued = |index: &usize| text.get(*index).is_some_and(|byte| byte & 0xc0 == 0x80);
    let start = (0..=span.start).rev().find(|index| !is_continued(index));
    let end = (span.end..text.len()).find(|index| !is_continued(index));
    start.unwrap_or(0)..end.unwrap_or(text.len())
}

/// Keeps where fields are; members with the same name are all kept.
struct Collect<'a>(&'a mut Vec<Range<usize>>);

impl Visitor for Collect<'_> {
    fn enter(&mut self, _: Range<usize>) {}

    fn visit(&mut self, _: usize, span: Range<usize>) {
        self.0.push(span);
    }
}
