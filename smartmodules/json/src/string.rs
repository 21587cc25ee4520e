//! Strings: escapes to text and text to escapes.

/// The character of half a surrogate pair, as jq has it.
const REPLACEMENT: char = '\u{fffd}';

/// A part of a string's inside.
pub enum Piece<'a> {
    /// Bytes that mean themselves.
    Plain(&'a [u8]),
    /// A character behind an escape, or behind two of them.
    Escape { raw_bytes: usize, means: char },
}

/// The parts of a string's inside, which is known to be JSON.
pub struct Pieces<'a>(pub &'a [u8]);

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let Self(rest) = self;
        let end = rest
            .iter()
            .position(|byte| *byte == b'\\')
            .unwrap_or(rest.len());
        if end > 0 {
            let (plain, after) = rest.split_at(end);
            *rest = after;
            return Some(Piece::Plain(plain));
        }
        if rest.is_empty() {
            return None;
        }
        let (means, after) = read_escape(rest);
        let raw_bytes = rest.len() - after.len();
        *rest = after;
        Some(Piece::Escape { raw_bytes, means })
    }
}

/// Appends the text of a string's inside.
pub fn unescape(raw: &[u8], out: &mut Vec<u8>) {
    for piece in Pieces(raw) {
        match piece {
            Piece::Plain(plain) => out.extend_from_slice(plain),
            Piece::Escape { means, .. } => {
                out.extend_from_slice(means.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
    }
}

/// Tells whether a string's inside means `text`.
pub(crate) fn means(raw: &[u8], text: &[u8]) -> bool {
    let mut rest = Some(text);
    for piece in Pieces(raw) {
        rest = rest.and_then(|rest| match piece {
            Piece::Plain(plain) => rest.strip_prefix(plain),
            Piece::Escape { means, .. } => {
                rest.strip_prefix(means.encode_utf8(&mut [0; 4]).as_bytes())
            }
        });
    }
    rest.is_some_and(<[u8]>::is_empty)
}

/// Reads the escape (two of them for a surrogate pair) that `raw` begins with.
fn read_escape(raw: &[u8]) -> (char, &[u8]) {
    let kind = raw.get(1).copied().unwrap_or(0);
    let rest = raw.get(2..).unwrap_or_default();
    let plain = match kind {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return read_unicode(rest),
        other => other,
    };
    (char::from(plain), rest)
}

fn read_unicode(digits: &[u8]) -> (char, &[u8]) {
    let (first, rest) = read_hex(digits);
    if let Some(character) = char::from_u32(first) {
        return (character, rest);
    }
    let second = rest.strip_prefix(b"\\u").map(read_hex);
    if let (0xd800..0xdc00, Some((low @ 0xdc00..0xe000, rest))) = (first, second) {
        let code = 0x10000 + ((first - 0xd800) << 10 | (low - 0xdc00));
        return (char::from_u32(code).unwrap_or(REPLACEMENT), rest);
    }
    (REPLACEMENT, rest)
}

fn read_hex(digits: &[u8]) -> (u32, &[u8]) {
    let (digits, rest) = digits.split_at(digits.len().min(4));
    let number = digits.iter().fold(0, |number, digit| {
        number << 4 | char::from(*digit).to_digit(16).unwrap_or(0)
    });
    (number, rest)
}

/// Appends `text`, which has to be UTF-8, as a string in quotes.
pub fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    put_escaped(out, text);
    out.push(b'"');
}

/// Appends what stands between the quotes.
pub fn put_escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(plain) = rest.iter().position(|byte| needs_escape(*byte)) {
        out.extend_from_slice(&rest[..plain]);
        put_escape(out, rest[plain]);
        rest = &rest[plain + 1..];
    }
    out.extend_from_slice(rest);
}

fn needs_escape(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn put_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        8 => b'b',
        12 => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            let digit = |digit: u8| b"0123456789abcdef"[usize::from(digit & 15)];
            out.extend([b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte)]);
            return;
        }
    };
    out.extend([b'\\', short]);
}
