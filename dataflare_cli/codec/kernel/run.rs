//! A run: frames of one partition, verified, indexed and walked.
//!
//! `load` verifies all of a frame but its records' insides. These are verified by `walk`, a whole
//! batch at a time and before any of it is used, so whoever reads records trusts them.

use crate::bytes::*;
use crate::{DAMAGED, DONE};

/// What Python and the kernel tell each other; `kernel.py` has the same list.
#[repr(C)]
pub struct Control {
    pub start: i64,
    pub end: i64,
    pub next_offset: i64,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub frames: u32, // key, frame, key, frame, ...
    pub frames_bytes: u32,
    pub lengths: u32, // of the frames, u32 each
    pub entry_count: u32,
    pub index: u32, // room for one Entry per frame
    pub program: u32,
    pub program_count: u32,
    pub partition: u32,
    pub output: u32,
    pub output_room: u32,
    pub record_count_max: u32,
    pub host_crc_bytes: u32, // Python checks the CRC of frames at least this long
    // Answers.
    pub output_bytes: u32,
    pub record_count: u32,
    pub entry: u32,
    pub needed: u32,
}

pub static mut CONTROL: Control = unsafe { core::mem::zeroed() };

/// One frame of the run; `kernel.py` reads and writes the first four fields.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Entry {
    pub frame: u32,
    pub frame_bytes: u32,
    pub plain: u32, // its records, not compressed; 0: not here
    pub plain_bytes: u32,
    pub base_offset: i64,
    pub record_count: u32,
    pub walked: u32, // 1: its records' insides were verified
}

pub const KEY_BYTES: u32 = 12;
pub const PREFIX_BYTES: u32 = 20;
pub const HEADER_BYTES: u32 = 61;
pub const FRAME_HEADER_BYTES: u32 = PREFIX_BYTES + HEADER_BYTES;

const CODEC_MASK: u16 = 0x07;
const TYPE_MASK: u16 = 0x08;
const CODEC_MAX: u16 = 4;

impl Entry {
    pub unsafe fn is_append_time(&self) -> bool {
        self.attributes() & TYPE_MASK != 0
    }

    pub unsafe fn attributes(&self) -> u16 {
        be16((self.frame + PREFIX_BYTES + 21) as *const u8)
    }

    pub unsafe fn base_timestamp(&self) -> i64 {
        be64((self.frame + PREFIX_BYTES + 27) as *const u8) as i64
    }

    pub unsafe fn max_timestamp(&self) -> i64 {
        be64((self.frame + PREFIX_BYTES + 35) as *const u8) as i64
    }

    pub fn next_offset(&self) -> i64 {
        self.base_offset + self.record_count as i64
    }
}

/// Verifies every frame and fills the index; answers the first damaged entry.
pub unsafe fn load(c: &mut Control) -> u32 {
    let end = c.frames + c.frames_bytes;
    let mut at = c.frames;
    let index = c.index as *mut Entry;
    let partition = be32(at as *const u8);
    crate::render::forget();
    c.record_count = 0;
    c.entry = 0;
    while c.entry < c.entry_count {
        let bytes = *(c.lengths as *const u32).add(c.entry as usize);
        if end - at < KEY_BYTES || bytes > end - at - KEY_BYTES || bytes < FRAME_HEADER_BYTES {
            return DAMAGED;
        }
        let base_offset = be64((at + 4) as *const u8) as i64;
        let frame = at + KEY_BYTES;
        if be32(at as *const u8) != partition
            || (c.entry > 0 && base_offset != c.next_offset)
            || !check(frame as *const u8, bytes, base_offset, c.host_crc_bytes)
        {
            return DAMAGED;
        }
        let entry = &mut *index.add(c.entry as usize);
        let codec = be16((frame + PREFIX_BYTES + 21) as *const u8) & CODEC_MASK;
        *entry = Entry {
            frame,
            frame_bytes: bytes,
            plain: if codec == 0 {
                frame + FRAME_HEADER_BYTES
            } else {
                0
            },
            plain_bytes: if codec == 0 {
                bytes - FRAME_HEADER_BYTES
            } else {
                0
            },
            base_offset,
            record_count: be32((frame + PREFIX_BYTES + 57) as *const u8),
            walked: 0,
        };
        c.next_offset = entry.next_offset();
        at = frame + bytes;
        c.entry += 1;
    }
    if at != end {
        return DAMAGED;
    }
    c.start = (*index).base_offset;
    DONE
}

/// Tells whether a frame is whole: prefix, header and CRC.
#[inline(always)]
unsafe fn check(frame: *const u8, bytes: u32, base_offset: i64, host_crc_bytes: u32) -> bool {
    let batch = frame.add(PREFIX_BYTES as usize);
    let attributes = be16(batch.add(21));
    let count = be32(batch.add(57));
    // Version 1, no flags, nothing reserved; no key.
    if be32(frame) != 0x0100_0000
        || be32(frame.add(4)) != 0
        || be32(frame.add(16)) != crc32c(frame, 16)
    {
        return false;
    }
    if be64(batch) as i64 != base_offset
        || base_offset < 0
        || be32(batch.add(8)) != bytes - PREFIX_BYTES - 12
        || be32(batch.add(12)) != 0
        || *batch.add(16) != 2
    {
        return false;
    }
    if attributes & !(CODEC_MASK | TYPE_MASK) != 0
        || attributes & CODEC_MASK > CODEC_MAX
        || count.wrapping_sub(1) > i32::MAX as u32 - 1
        || be32(batch.add(23)) != count - 1
        || base_offset > i64::MAX - count as i64
        || be64(batch.add(43)) != u64::MAX
        || be16(batch.add(51)) != u16::MAX
        || be32(batch.add(53)) != u32::MAX
    {
        return false;
    }
    bytes >= host_crc_bytes
        || be32(batch.add(17)) == crc32c(batch.add(21), (bytes - PREFIX_BYTES - 21) as usize)
}

/// Verifies the insides of an entry's records, once.
#[inline(always)]
pub unsafe fn walk(entry: &mut Entry) -> bool {
    if entry.walked == 0 && walk_records(entry) {
        entry.walked = 1;
    }
    entry.walked == 1
}

#[inline(never)]
unsafe fn walk_records(entry: &Entry) -> bool {
    let mut at = entry.plain as *const u8;
    let end = at.add(entry.plain_bytes as usize);
    let base_timestamp = entry.base_timestamp();
    let mut largest = i64::MIN;
    let mut index = 0;
    while index < entry.record_count && at < end {
        let Some(bytes) = read_varint(&mut at) else {
            return false;
        };
        if at > end || bytes < 0 || bytes as usize > end as usize - at as usize {
            return false;
        }
        let next = at.add(bytes as usize);
        let attributes = *at;
        at = at.add(1);
        let (Some(delta), Some(offset_delta)) = (read_varlong(&mut at), read_varint(&mut at))
        else {
            return false;
        };
        if attributes != 0 || offset_delta as u32 != index || (index == 0 && delta != 0) {
            return false;
        }
        let Some(timestamp) = base_timestamp.checked_add(delta) else {
            return false;
        };
        largest = if timestamp > largest {
            timestamp
        } else {
            largest
        };
        if !walk_rest(at, next) {
            return false;
        }
        at = next;
        index += 1;
    }
    index == entry.record_count
        && at == end
        && (entry.is_append_time() || largest == entry.max_timestamp())
}

/// Verifies a record from its key on; it must end at `end`.
#[inline(always)]
unsafe fn walk_rest(mut at: *const u8, end: *const u8) -> bool {
    if !skip_bytes(&mut at, end) || !skip_bytes(&mut at, end) {
        return false;
    }
    let Some(header_count) = read_varint(&mut at) else {
        return false;
    };
    if header_count == 0 {
        return at == end;
    }
    walk_headers(at, end, header_count)
}

/// Passes a length and so many bytes; they may not go beyond `end`.
#[inline(always)]
unsafe fn skip_bytes(at: &mut *const u8, end: *const u8) -> bool {
    let Some(bytes) = read_varint(at) else {
        return false;
    };
    if bytes == -1 {
        return true;
    }
    if bytes < 0 || *at > end || bytes as usize > end as usize - *at as usize {
        return false;
    }
    *at = at.add(bytes as usize);
    true
}

#[inline(never)]
unsafe fn walk_headers(mut at: *const u8, end: *const u8, count: i32) -> bool {
    let mut left = count;
    while left > 0 && at < end {
        let mut name = at;
        let Some(name_bytes) = read_varint(&mut name) else {
            return false;
        };
        if name_bytes < 0
            || !skip_bytes(&mut at, end)
            || !is_utf8(name, at)
            || !skip_bytes(&mut at, end)
        {
            return false;
        }
        left -= 1;
    }
    left == 0 && at == end
}

/// A record inside a walked batch. Lengths of -1 are null.
pub struct Parts {
    pub timestamp_delta: i64,
    pub key: *const u8,
    pub key_bytes: i32,
    pub value: *const u8,
    pub value_bytes: i32,
    pub tail: *const u8, // header count and headers, as far as `next`
    pub header_count: i32,
    pub headers: *const u8, // the first header
    pub next: *const u8,    // the next record
}

/// Reads one record of a walked batch.
#[inline(always)]
pub unsafe fn read_record(at: *const u8) -> Parts {
    let mut at = at;
    let bytes = trusted_varint(&mut at);
    let next = at.add(bytes as usize);
    let timestamp_delta = skip_deltas(&mut at);
    let key_bytes = trusted_varint(&mut at);
    let key = at;
    at = at.add(key_bytes.max(0) as usize);
    let value_bytes = trusted_varint(&mut at);
    let value = at;
    at = at.add(value_bytes.max(0) as usize);
    let tail = at;
    let header_count = trusted_varint(&mut at);
    Parts {
        timestamp_delta,
        key,
        key_bytes,
        value,
        value_bytes,
        tail,
        header_count,
        headers: at,
        next,
    }
}

/// Passes a record's attributes and deltas; returns its timestamp delta.
#[inline(always)]
pub unsafe fn skip_deltas(at: &mut *const u8) -> i64 {
    *at = at.add(1);
    let timestamp_delta = trusted_varlong(at);
    while **at >= 0x80 {
        *at = at.add(1);
    }
    *at = at.add(1);
    timestamp_delta
}

/// Reads a varint of a walked batch.
#[inline(always)]
pub unsafe fn trusted_varint(at: &mut *const u8) -> i32 {
    let mut raw = **at as u32;
    *at = at.add(1);
    if raw >= 0x80 {
        raw &= 0x7f;
        let mut shift = 7;
        loop {
            let byte = **at as u32;
            *at = at.add(1);
            raw |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
            shift += 7;
        }
    }
    unzigzag32(raw)
}

#[inline(always)]
unsafe fn trusted_varlong(at: &mut *const u8) -> i64 {
    let mut raw = **at as u64;
    *at = at.add(1);
    if raw >= 0x80 {
        raw &= 0x7f;
        let mut shift = 7;
        loop {
            let byte = **at as u64;
            *at = at.add(1);
            raw |= (byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
            shift += 7;
        }
    }
    unzigzag64(raw)
}
