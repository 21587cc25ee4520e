//! Values: what a span of a document means.

use crate::number::Number;
use crate::scan::{NotJson, Scanner, Text};
use crate::string::unescape;
use std::ops::Range;

/// A value as it stands in its document, without blanks around it. It is known to be JSON.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    raw: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl<'a> Value<'a> {
    pub const NULL: Value<'static> = Value { raw: b"null" };

    /// Takes a whole document.
    pub fn parse(document: &'a [u8]) -> Result<Self, NotJson> {
        let mut scanner = Scanner::new(document);
        let raw = scanner.skip_value(0)?;
        scanner.finish()?;
        Ok(Self { raw })
    }

    /// Takes a span that a walk over `document` has told.
    #[inline(always)]
    pub fn within(document: &'a [u8], span: Range<usize>) -> Self {
        Self {
            raw: &document[span],
        }
    }

    #[inline(always)]
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    #[inline(always)]
    pub fn kind(self) -> Kind {
        match self.raw.first() {
            Some(b'n') => Kind::Null,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'"') => Kind::String,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            _ => Kind::Number,
        }
    }

    /// Returns the text of a string; `scratch` is used if it has escapes.
    #[inline]
    pub fn text<'b>(self, scratch: &'b mut Vec<u8>) -> Option<&'b [u8]>
    where
        'a: 'b,
    {
        let inside = self.raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
        Some(plain_text(inside, scratch))
    }

    /// Returns the text of a string, and anything else as compact JSON.
    pub fn text_or_json<'b>(self, scratch: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        match self.kind() {
            Kind::String => plain_text(&self.raw[1..self.raw.len() - 1], scratch),
            Kind::Array | Kind::Object => {
                scratch.clear();
                self.put_compact(scratch);
                scratch
            }
            _ => self.raw,
        }
    }

    /// Appends the same.
    pub fn put_text_or_json(self, out: &mut Vec<u8>) {
        match self.kind() {
            Kind::String => unescape(&self.raw[1..self.raw.len() - 1], out),
            _ => self.put_compact(out),
        }
    }

    pub fn number(self) -> Option<Number> {
        (self.kind() == Kind::Number).then(|| Number::parse(self.raw))
    }

    /// Appends the value without its blanks.
    pub fn put_compact(self, out: &mut Vec<u8>) {
        let mut quoted = false;
        let mut escaped = false;
        out.extend(self.raw.iter().copied().filter(|&byte| {
            let blank = matches!(byte, b' ' | b'\t' | b'\n' | b'\r') && !quoted;
            quoted ^= byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            !blank
        }));
    }

    /// Returns the members of an object; of anything else there are none.
    pub fn members(self) -> Members<'a> {
        Members(Children::of(self.raw, b'{'))
    }

    /// Returns the elements of an array; of anything else there are none.
    pub fn elements(self) -> Elements<'a> {
        Elements(Children::of(self.raw, b'['))
    }
}

fn plain_text<'a>(inside: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
    if !inside.contains(&b'\\') {
        return inside;
    }
    scratch.clear();
    unescape(inside, scratch);
    scratch
}

/// A member's name, as it stands.
#[derive(Clone, Copy)]
pub struct Name<'a>(Text<'a>);

impl<'a> Name<'a> {
    /// Returns the name if it has no escapes.
    pub fn plain(self) -> Option<&'a [u8]> {
        (!self.0.escaped).then_some(self.0.raw)
    }

    /// Returns the name without escapes; `scratch` is used if it has any.
    pub fn text<'b>(self, scratch: &'b mut Vec<u8>) -> &'b [u8]
    where
        'a: 'b,
    {
        plain_text(self.0.raw, scratch)
    }
}

/// The members of an object, in their order.
pub struct Members<'a>(Children<'a>);

/// The elements of an array, in their order.
pub struct Elements<'a>(Children<'a>);

struct Children<'a> {
    scanner: Scanner<'a>,
    close: u8,
    more: bool,
}

impl<'a> Children<'a> {
    fn of(raw: &'a [u8], open: u8) -> Self {
        let mut scanner = Scanner::new(raw);
        let close = open + 2;
        let more = scanner.peek() == open && scanner.open(close);
        Self {
            scanner,
            close,
            more,
        }
    }

    fn next<T>(
        &mut self,
        read: impl FnOnce(&mut Scanner<'a>) -> Result<T, NotJson>,
    ) -> Option<(T, Value<'a>)> {
        if !self.more {
            return None;
        }
        // The value is known to be JSON: nothing in here fails.
        let before = read(&mut self.scanner).ok()?;
        let raw = self.scanner.skip_value(0).ok()?;
        self.more = self.scanner.next(self.close).ok()?;
        Some((before, Value { raw }))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Name<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.0.next(Scanner::name)?;
        Some((Name(name), value))
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let ((), value) = self.0.next(|_| Ok(()))?;
        Some(value)
    }
}
