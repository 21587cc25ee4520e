//! Fluvio's encoding of primitives: big-endian integers, and zig-zag LEB128 varints.
//!
//! The reader trusts nothing: whatever does not fit is `None`, and no length is believed before
//! the bytes are there.

/// The most bytes that a varint has.
const VARINT_BYTES_MAX: usize = 10;

/// Reads from the front of some bytes.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Starts further back in `bytes`, so that positions are those of the whole.
    #[inline(always)]
    pub fn at(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    #[inline(always)]
    pub fn position(&self) -> usize {
        self.at
    }

    #[inline(always)]
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    #[inline(always)]
    pub fn u8(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_be_bytes)
    }

    /// A count or length of 32 bits; Fluvio reads it as signed, and less than 1 as none.
    pub fn length(&mut self) -> Option<usize> {
        let length = self.array().map(i32::from_be_bytes)?;
        Some(usize::try_from(length).unwrap_or(0))
    }

    /// Bytes with their length before them.
    pub fn block(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    /// Text of at most 32767 bytes, since Fluvio reads its length as signed, too.
    pub fn text(&mut self) -> Option<&'a str> {
        let length = self.array().map(i16::from_be_bytes)?;
        let bytes = self.take(usize::try_from(length).unwrap_or(0))?;
        std::str::from_utf8(bytes).ok()
    }

    #[inline(always)]
    pub fn flag(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    /// Deltas and lengths have one to three bytes as a rule: those are read without a loop.
    #[inline(always)]
    pub fn varint(&mut self) -> Option<i64> {
        let Some(&[a, b, c]) = self.bytes.get(self.at..)?.first_chunk() else {
            return self.long_varint();
        };
        let (number, count) = if a < 0x80 {
            (u32::from(a), 1)
        } else if b < 0x80 {
            (u32::from(a & 0x7f) | u32::from(b) << 7, 2)
        } else if c < 0x80 {
            (
                u32::from(a & 0x7f) | u32::from(b & 0x7f) << 7 | u32::from(c) << 14,
                3,
            )
        } else {
            return self.long_varint();
        };
        self.at += count;
        Some(unzigzag(u64::from(number)))
    }

    fn long_varint(&mut self) -> Option<i64> {
        let mut number = 0;
        for index in 0..VARINT_BYTES_MAX {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Some(unzigzag(number));
            }
        }
        None
    }

    /// Bytes with a varint before them; less than 1 is none, as above.
    #[inline(always)]
    pub fn varint_block(&mut self) -> Option<&'a [u8]> {
        let length = self.varint()?;
        if length < 1 {
            return Some(&[]);
        }
        self.take(usize::try_from(length).ok()?)
    }
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63) as u64
}

/// Appends a varint.
#[inline(always)]
pub(crate) fn put_varint(out: &mut Vec<u8>, number: i64) {
    let mut left = zigzag(number);
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

/// Returns how many bytes `put_varint` appends.
#[inline(always)]
pub(crate) fn varint_bytes(number: i64) -> usize {
    let bits = 64 - (zigzag(number) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Appends text with its length before it, cut where the length would not fit.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(i16::MAX as usize)];
    out.extend((text.len() as u16).to_be_bytes());
    out.extend(text.as_bytes());
}

/// Appends bytes with a varint before them.
#[inline(always)]
pub(crate) fn put_varint_block(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

/// Appends bytes that may be none, and tells which.
#[inline(always)]
pub(crate) fn put_optional(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    out.push(bytes.is_some() as u8);
    if let Some(bytes) = bytes {
        put_varint_block(out, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_survive_at_the_edges_of_every_width() {
        let edges =
            (0..64).flat_map(|bits| [-1, 0, 1].map(|more| (1i64 << bits).wrapping_add(more)));
        for number in edges.flat_map(|edge| [edge, edge.wrapping_neg()]) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, number);
            assert_eq!(varint_bytes(number), bytes.len(), "{number}");

            for length in 0..bytes.len() {
                assert_eq!(None, Reader::new(&bytes[..length]).varint(), "{number}");
            }
            for rest in [&[][..], &[0xff; 3]] {
                let whole = [&bytes, rest].concat();
                let mut reader = Reader::new(&whole);
                assert_eq!(
                    (Some(number), bytes.len()),
                    (reader.varint(), reader.position())
                );
            }
        }
    }

    #[test]
    fn a_varint_has_an_end() {
        assert_eq!(None, Reader::new(&[0xff; 20]).varint());
    }

    #[test]
    fn text_is_cut_where_its_length_would_not_fit() {
        let mut bytes = Vec::new();
        put_text(&mut bytes, &"é".repeat(20_000));

        assert_eq!(2 + 32_766, bytes.len());
        assert_eq!(
            Some(16_383),
            Reader::new(&bytes).text().map(|text| text.chars().count())
        );
    }
}
