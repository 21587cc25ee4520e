//! `merge`: the records of a run as the records of one batch.
//!
//! Offset deltas are counted on, timestamp deltas are taken from the first batch's base; from its
//! key on, a record stays as it is.

use crate::bytes::*;
use crate::run::{skip_deltas, trusted_varint, walk, Control, Entry};
use crate::{DAMAGED, DONE, MORE};

/// The most bytes that a record's length, attributes and deltas take.
const HEAD_BYTES_MAX: usize = 5 + 1 + 10 + 5;

/// Writes the records of all entries, none of them compressed and all with create time.
///
/// Answers `MORE` if they take more than the output's room, or if their times are too far apart.
pub unsafe fn merge(c: &mut Control) -> u32 {
    let index = c.index as *mut Entry;
    c.entry = 0;
    while c.entry < c.entry_count {
        if !walk(&mut *index.add(c.entry as usize)) {
            return DAMAGED;
        }
        c.entry += 1;
    }
    let out_end = c.output as usize + c.output_room as usize;
    let mut to = c.output as *mut u8;
    c.base_timestamp = (*index).base_timestamp();
    c.max_timestamp = i64::MIN;
    c.record_count = 0;
    let mut number = 0;
    while number < c.entry_count {
        let entry = &*index.add(number as usize);
        let base_timestamp = entry.base_timestamp();
        let mut at = entry.plain as *const u8;
        let end = at.add(entry.plain_bytes as usize);
        while at < end {
            let bytes = trusted_varint(&mut at) as usize;
            let next = at.add(bytes);
            let mut rest = at;
            let timestamp = base_timestamp + skip_deltas(&mut rest);
            let Some(delta) = timestamp.checked_sub(c.base_timestamp) else {
                return MORE;
            };
            let rest_bytes = next as usize - rest as usize;
            if HEAD_BYTES_MAX + rest_bytes > out_end - to as usize {
                return MORE;
            }
            to = put_head(to, delta, c.record_count, rest_bytes as u32);
            copy(to, rest, rest_bytes);
            to = to.add(rest_bytes);
            at = next;
            c.record_count += 1;
        }
        if entry.max_timestamp() > c.max_timestamp {
            c.max_timestamp = entry.max_timestamp();
        }
        number += 1;
    }
    c.output_bytes = to as u32 - c.output;
    DONE
}

/// Writes a record as far as its key.
#[inline(always)]
unsafe fn put_head(to: *mut u8, delta: i64, index: u32, rest_bytes: u32) -> *mut u8 {
    let timestamp_delta = zigzag64(delta);
    let offset_delta = index << 1;
    let body = 1 + varlong_bytes(timestamp_delta) + varint_bytes(offset_delta) + rest_bytes;
    let mut to = put_varint(to, body << 1);
    *to = 0;
    to = put_varlong(to.add(1), timestamp_delta);
    put_varint(to, offset_delta)
}
