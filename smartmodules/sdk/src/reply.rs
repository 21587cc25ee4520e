//! What a call answers: a count with bytes for the host, or one of Fluvio's negative codes.

use crate::error::Error;
use crate::record::{COUNT_BYTES, Record};
use crate::wire::{put_optional, put_text, put_varint, put_varint_block, varint_bytes};

/// Why there is no answer. Negative, since what is not is a number of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    CannotDecode = -11,
    CannotDecodeRecords = -22,
    CannotEncode = -33,
    CannotParseParams = -44,
    InitFailed = -2,
    InitCannotDecode = -10,
    LookBackCannotDecode = -66,
    LookBackCannotDecodeRecords = -77,
    LookBackFailed = -99,
}

/// What the host gets. `bytes` lie in the input or in the output buffer.
#[derive(Debug)]
pub struct Reply<'a> {
    /// The number of records, or a code that `bytes` explain.
    pub status: i32,
    pub bytes: &'a [u8],
}

pub type Answer<'a> = Result<Reply<'a>, Code>;

/// The kinds of SmartModules, as errors name them.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Kind {
    Filter = 0,
    Map = 1,
    ArrayMap = 2,
    Aggregate = 3,
    FilterMap = 4,
}

/// The tag of an output without an error.
pub(crate) const NO_FAILURE: u8 = 0;
const FAILURE: u8 = 1;

/// What is made of one record; all of it takes over the deltas of that record.
pub struct Outputs<'a> {
    out: &'a mut Vec<u8>,
    source: &'a Record<'a>,
    pub(crate) record_count: usize,
}

impl<'a> Outputs<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, source: &'a Record<'a>) -> Self {
        Self {
            out,
            source,
            record_count: 0,
        }
    }

    /// Makes a record.
    #[inline]
    pub fn push(&mut self, key: Option<&[u8]>, value: &[u8]) {
        let head = self.source.head;
        let key_bytes = key.map_or(0, |key| varint_bytes(key.len() as i64) + key.len());
        let value_bytes = varint_bytes(value.len() as i64) + value.len();
        let (tag_bytes, header_count_bytes) = (1, 1);
        let body_bytes = head.len() + tag_bytes + key_bytes + value_bytes + header_count_bytes;
        self.out
            .reserve(varint_bytes(body_bytes as i64) + body_bytes);
        put_varint(self.out, body_bytes as i64);
        self.out.extend_from_slice(head);
        put_optional(self.out, key);
        put_varint_block(self.out, value);
        put_varint(self.out, 0);
        self.record_count += 1;
    }
}

/// Appends the error that ended a call at `record`.
pub(crate) fn put_failure(out: &mut Vec<u8>, kind: Kind, record: &Record, error: &Error) {
    out.push(FAILURE);
    put_error(out, Some(kind), record, error);
}

/// Appends an error and the record that it is about; look-backs have no kind.
pub(crate) fn put_error(out: &mut Vec<u8>, kind: Option<Kind>, record: &Record, error: &Error) {
    put_text(out, &error.to_string());
    out.extend(record.offset.to_be_bytes());
    out.extend(kind.map(|kind| kind as u8));
    put_optional(out, record.key);
    put_varint_block(out, record.value);
}

/// Writes the count at the front of `bytes`.
pub(crate) fn put_count(bytes: &mut [u8], record_count: usize) {
    bytes[..COUNT_BYTES].copy_from_slice(&(record_count as u32).to_be_bytes());
}

/// Makes a reply of what a call wrote, unless it is more than lengths can tell.
pub(crate) fn reply(record_count: usize, bytes: &[u8]) -> Answer<'_> {
    if i32::try_from(bytes.len()).is_err() {
        return Err(Code::CannotEncode);
    }
    let status = record_count as i32;
    Ok(Reply { status, bytes })
}

/// Makes a reply of an error that the module has words for.
pub(crate) fn refusal(code: Code, bytes: &[u8]) -> Answer<'_> {
    let status = code as i32;
    Ok(Reply { status, bytes })
}
