//! Records as they lie in the input, and the input around them.

use crate::wire::Reader;
use std::ops::Range;

/// One record. Its bytes are the host's; nothing was copied.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Where it is in its partition. What a module makes of a record has the offset of that.
    pub offset: i64,
    /// Milliseconds since 1970, if the host knows them.
    pub timestamp: Option<i64>,
    pub key: Option<&'a [u8]>,
    pub value: &'a [u8],
    /// Attributes, timestamp delta and offset delta: what outputs take over as it stands.
    pub(crate) head: &'a [u8],
}

/// What the deltas of all records of a call are relative to.
#[derive(Clone, Copy)]
pub(crate) struct Base {
    offset: i64,
    timestamp: Option<i64>,
}

/// Where the parts of one call's input are.
///
/// ```text
/// i64 base_offset
/// u32 n, n bytes: u32 record count, records
/// ..=22   params: u16 count, (text name, text value)*
///         20..    look-back: u8 tag, [u64 last, 21..: u8 tag, [u64 seconds, u32 nanoseconds]]
/// 16..=22 u32 n, n bytes of a record to join
/// 22..    i64 base_timestamp, -1 for none
/// aggregate only: u32 n, n bytes of the accumulator
/// ```
pub(crate) struct Input {
    pub base: Base,
    /// The record count, and the records behind it.
    pub counted: Range<usize>,
    pub record_count: usize,
    /// What stands at the end: an aggregate's accumulator.
    pub accumulator: Range<usize>,
}

/// The bytes of a record count.
pub(crate) const COUNT_BYTES: usize = 4;

const LAST_WITH_PARAMS: i32 = 22;
const FIRST_WITH_LOOK_BACK: i32 = 20;
const FIRST_WITH_LOOK_BACK_AGE: i32 = 21;
const WITH_JOIN: std::ops::RangeInclusive<i32> = 16..=22;
const FIRST_WITH_TIMESTAMP: i32 = 22;
const NO_TIMESTAMP: i64 = -1;

impl Input {
    /// Finds the parts of an input, or returns `None` if it is not one of that version.
    pub fn parse(buffer: &[u8], version: i32, has_accumulator: bool) -> Option<Self> {
        let mut reader = Reader::new(buffer);
        let offset = reader.i64()?;
        let counted_bytes = reader.length()?;
        let counted = reader.position()..reader.position() + counted_bytes;
        let record_count = Reader::new(reader.take(counted_bytes)?).length()?;
        if version <= LAST_WITH_PARAMS {
            parse_params(&mut reader, version)?;
        }
        if WITH_JOIN.contains(&version) {
            reader.block()?;
        }
        let mut timestamp = None;
        if version >= FIRST_WITH_TIMESTAMP {
            timestamp = Some(reader.i64()?).filter(|ms| *ms != NO_TIMESTAMP);
        }
        let mut accumulator = 0..0;
        if has_accumulator {
            let bytes = reader.block()?.len();
            accumulator = reader.position() - bytes..reader.position();
        }
        Some(Self {
            base: Base { offset, timestamp },
            counted,
            record_count,
            accumulator,
        })
    }

    /// Where the first record begins.
    pub fn records_start(&self) -> usize {
        self.counted.start + COUNT_BYTES
    }
}

/// Reads params and what follows them in their version: `ExtraParams`.
pub(crate) fn parse_params<'a>(
    reader: &mut Reader<'a>,
    version: i32,
) -> Option<Vec<(&'a str, &'a str)>> {
    let count = reader.u16()?;
    let params = (0..count)
        .map(|_| Some((reader.text()?, reader.text()?)))
        .collect::<Option<_>>()?;
    if version >= FIRST_WITH_LOOK_BACK && reader.flag()? {
        reader.i64()?;
        if version >= FIRST_WITH_LOOK_BACK_AGE && reader.flag()? {
            reader.take(8 + 4)?;
        }
    }
    Some(params)
}

impl<'a> Record<'a> {
    /// Reads the record at `at` and returns where the next one begins, too.
    ///
    /// ```text
    /// varint body bytes
    /// u8 attributes, varint timestamp delta, varint offset delta
    /// u8 tag, [varint n, n bytes of key], varint n, n bytes of value, varint header count
    /// ```
    #[inline(always)]
    pub(crate) fn read(records: &'a [u8], at: usize, base: Base) -> Option<(Self, usize)> {
        let mut reader = Reader::at(records, at);
        let body_bytes = usize::try_from(reader.varint()?).ok()?;
        let start = reader.position();
        let end = start.checked_add(body_bytes)?;
        let body = records.get(..end)?;
        let mut reader = Reader::at(body, start);
        reader.u8()?;
        let timestamp_delta = reader.varint()?;
        let offset_delta = reader.varint()?;
        let head = &body[start..reader.position()];
        let key = if reader.flag()? {
            Some(reader.varint_block()?)
        } else {
            None
        };
        let value = reader.varint_block()?;
        // Fluvio has no headers; whatever is in their place goes along with a kept record.
        reader.varint()?;
        let record = Self {
            offset: base.offset.wrapping_add(offset_delta),
            timestamp: base.timestamp.map(|ms| ms.wrapping_add(timestamp_delta)),
            key,
            value,
            head,
        };
        Some((record, end))
    }
}
