//! Records as SmartModules see them, and what becomes of their output.
//!
//! `input` turns stored records into a module's input; `check` looks whether what came back is
//! records, and finds the source of each, from which offset, timestamp and headers are taken again
//! (the modules' format has none of them); `render` and `pack` write them as text and as a batch.
//!
//! A module's record: body length varint, then so many bytes: attributes i8, timestamp delta
//! varint, offset delta varint, key tag u8 (0, or 1 and length varint, key), value length varint,
//! value, header count varint = 0. In front of all: their count, u32 big-endian.

use crate::bytes::*;
use crate::render::{cursor, find_entry, keep, locate, prepare, Cursor};
use crate::run::{read_record, walk, Control as Run, Entry, Parts};
use crate::{DAMAGED, DONE, NEED_OUTPUT, NEED_PLAIN};

/// What Python and the kernel tell each other; `kernel_smart.py` has the same list.
#[repr(C)]
pub struct Control {
    pub start: i64, // the source's offsets
    pub end: i64,
    pub base_offset: i64, // of the window: its first record's
    pub base_timestamp: i64,
    pub next_offset: i64,
    pub max_timestamp: i64,
    pub timestamp_min: i64, // what is older does not go in
    pub input: u32, // what a module is given
    pub input_room: u32,
    pub input_bytes: u32,
    pub sources: u32, // room for one Source per record
    pub source_room: u32,
    pub source_count: u32,
    pub is_uniform: u32, // 1: all have the same timestamp and headers
    pub null_count: u32, // of the records that went in
    pub raw: u32,        // what a module gave
    pub raw_bytes: u32,
    pub consumed: u32, // of it: what follows is no record
    pub table: u32,    // room for one Output per record of `raw`
    pub output_count: u32,
    pub source_outputs_max: u32, // of one source, one after the other
    pub source_bytes_max: u32,
    pub first: u32, // the range of outputs to write
    pub count_max: u32,
    pub batch_bytes_max: u32,
}

pub static mut CONTROL: Control = unsafe { core::mem::zeroed() };

/// A record that went in: its place, and the entry it lies in.
#[repr(C)]
#[derive(Clone, Copy)]
struct Source {
    at: u32,
    entry: u32,
}

/// A record that came out; a length of -1 is null.
#[repr(C)]
#[derive(Clone, Copy)]
struct Output {
    source: u32,
    key: u32,
    key_bytes: i32,
    value: u32,
    value_bytes: i32,
}

const COUNT_BYTES: u32 = 4;
/// Of an input record: length, attributes, deltas, key tag, lengths, header count.
const INPUT_HEAD_BYTES_MAX: u32 = 5 + 1 + 5 + 5 + 1 + 5 + 5 + 1;
/// Of a packed record: length, attributes, deltas, lengths.
const PACKED_HEAD_BYTES_MAX: u32 = 5 + 1 + 10 + 5 + 5 + 5;
const BATCH_HEADER_BYTES: u32 = 61;

/// A window that is being filled.
struct Filling {
    offset: i64, // of the next record
    to: *mut u8,
    to_end: *mut u8,
    first: Head,
}

/// Writes the records from `start` on, as many as there is room for and as are near in time.
///
/// Timestamps go as differences of 32 bits: what is further from the first one begins a window of
/// its own.
pub unsafe fn input(c: &mut Control, run: &mut Run) -> u32 {
    let mut filling = Filling {
        offset: c.start,
        to: (c.input + COUNT_BYTES) as *mut u8,
        to_end: (c.input + c.input_room) as *mut u8,
        first: Head::default(),
    };
    let mut number = find_entry(run, c.start);
    let mut place = cursor();
    let mut status = DONE;
    c.source_count = 0;
    c.is_uniform = 1;
    c.null_count = 0;
    c.base_offset = c.start;
    c.base_timestamp = -1;
    while number < run.entry_count && filling.offset < c.end && status == DONE {
        let entry = &mut *(run.index as *mut Entry).add(number as usize);
        if entry.plain == 0 || !walk(entry) {
            status = if entry.plain == 0 {
                NEED_PLAIN
            } else {
                DAMAGED
            };
            break;
        }
        place = locate(entry, number, filling.offset, &place);
        filling.offset = place.offset;
        run.needed = 0;
        take(c, run, entry, &mut place, &mut filling);
        if run.needed > 0 {
            status = NEED_OUTPUT;
        }
        if filling.offset < entry.next_offset() {
            break;
        }
        number += 1;
    }
    keep(place);
    if filling.offset > c.start && status != NEED_OUTPUT {
        status = DONE;
    }
    (c.input as *mut u32).write_unaligned(c.source_count.to_be());
    c.input_bytes = filling.to as u32 - c.input;
    c.next_offset = filling.offset;
    run.entry = number;
    status
}

/// Takes records of an entry into the window; `needed` says that not one of them fits.
#[inline(always)]
unsafe fn take(
    c: &mut Control,
    run: &mut Run,
    entry: &Entry,
    place: &mut Cursor,
    filling: &mut Filling,
) {
    let limit = c.end.min(entry.next_offset());
    let mut at = (entry.plain + place.at) as *const u8;
    while filling.offset < limit && c.source_count < c.source_room {
        let parts = read_record(at);
        let head = Head::of(entry, &parts);
        if head.timestamp < c.timestamp_min {
            place.pass(&mut filling.offset, &mut at, parts.next);
            continue;
        }
        if c.source_count == 0 {
            filling.first = head;
            c.base_offset = filling.offset;
            c.base_timestamp = head.timestamp;
        }
        let offset_delta = filling.offset - c.base_offset;
        if !filling.first.is_near(&head) || offset_delta > i32::MAX as i64 {
            return;
        }
        let most = INPUT_HEAD_BYTES_MAX as usize
            + parts.key_bytes.max(0) as usize
            + parts.value_bytes.max(0) as usize;
        if most > filling.to_end as usize - filling.to as usize {
            if c.source_count == 0 {
                run.needed = COUNT_BYTES + most as u32;
            }
            return;
        }
        if !filling.first.is_equal(&head) {
            c.is_uniform = 0;
        }
        c.null_count += (parts.value_bytes < 0) as u32;
        let timestamp_delta = (head.timestamp - filling.first.timestamp) as i32;
        filling.to = put_input(filling.to, &parts, timestamp_delta, offset_delta as u32);
        *(c.sources as *mut Source).add(c.source_count as usize) = Source {
            at: at as u32,
            entry: place.entry,
        };
        c.source_count += 1;
        place.pass(&mut filling.offset, &mut at, parts.next);
    }
}

/// What the modules' format has no place for.
#[derive(Clone, Copy)]
struct Head {
    timestamp: i64,
    tail: *const u8, // header count and headers
    tail_bytes: usize,
}

impl Default for Head {
    fn default() -> Head {
        Head {
            timestamp: 0,
            tail: core::ptr::null(),
            tail_bytes: 0,
        }
    }
}

impl Head {
    #[inline(always)]
    unsafe fn of(entry: &Entry, parts: &Parts) -> Head {
        Head {
            timestamp: timestamp_of(entry, parts),
            tail: parts.tail,
            tail_bytes: parts.next as usize - parts.tail as usize,
        }
    }

    #[inline(always)]
    fn is_near(&self, other: &Head) -> bool {
        match other.timestamp.checked_sub(self.timestamp) {
            Some(delta) => delta >= i32::MIN as i64 && delta <= i32::MAX as i64,
            None => false,
        }
    }

    #[inline(always)]
    unsafe fn is_equal(&self, other: &Head) -> bool {
        self.timestamp == other.timestamp
            && self.tail_bytes == other.tail_bytes
            && equal(self.tail, other.tail, self.tail_bytes)
    }
}

#[inline(always)]
unsafe fn timestamp_of(entry: &Entry, parts: &Parts) -> i64 {
    if entry.is_append_time() {
        entry.max_timestamp()
    } else {
        entry.base_timestamp() + parts.timestamp_delta
    }
}

/// Writes a module's record; null values are empty there.
#[inline(always)]
unsafe fn put_input(
    to: *mut u8,
    parts: &Parts,
    timestamp_delta: i32,
    offset_delta: u32,
) -> *mut u8 {
    let key_bytes = parts.key_bytes.max(0) as u32;
    let value_bytes = parts.value_bytes.max(0) as u32;
    let timestamp_delta = zigzag32(timestamp_delta);
    let mut body = 3
        + varint_bytes(timestamp_delta)
        + varint_bytes(offset_delta << 1)
        + varint_bytes(value_bytes << 1)
        + value_bytes;
    if parts.key_bytes >= 0 {
        body += varint_bytes(key_bytes << 1) + key_bytes;
    }
    let mut to = put_varint(to, body << 1);
    *to = 0;
    to = put_varint(to.add(1), timestamp_delta);
    to = put_varint(to, offset_delta << 1);
    *to = (parts.key_bytes >= 0) as u8;
    to = to.add(1);
    if parts.key_bytes >= 0 {
        to = put_varint(to, key_bytes << 1);
        copy(to, parts.key, key_bytes as usize);
        to = to.add(key_bytes as usize);
    }
    to = put_varint(to, value_bytes << 1);
    copy(to, parts.value, value_bytes as usize);
    to = to.add(value_bytes as usize);
    *to = 0;
    to.add(1)
}

/// Looks whether `raw` begins with records whose offset deltas are below `source_count`, and gives
/// each of them its place in the table.
///
/// Answers `DAMAGED`, and with `output_count` which one is none.
pub unsafe fn check(c: &mut Control) -> u32 {
    let end = (c.raw + c.raw_bytes) as *const u8;
    let sources = c.sources as *const Source;
    let mut output = c.table as *mut Output;
    c.output_count = 0;
    c.consumed = 0;
    c.source_outputs_max = 0;
    c.source_bytes_max = 0;
    if c.raw_bytes < COUNT_BYTES {
        return DAMAGED;
    }
    let count = (be32(c.raw as *const u8) as i32).max(0) as u32;
    let mut at = (c.raw + COUNT_BYTES) as *const u8;
    let (mut source, mut first, mut begin) = (u32::MAX, 0, at);
    while c.output_count < count {
        let Some((mut found, next)) = read_output(at, end, c.source_count) else {
            return DAMAGED;
        };
        if found.value_bytes == 0 && is_null(&*sources.add(found.source as usize)) {
            found.value_bytes = -1;
        }
        if found.source != source {
            c.end_source(c.output_count - first, begin, at);
            (source, first, begin) = (found.source, c.output_count, at);
        }
        *output = found;
        output = output.add(1);
        c.output_count += 1;
        at = next;
    }
    c.end_source(c.output_count - first, begin, at);
    c.consumed = at as u32 - c.raw;
    DONE
}

impl Control {
    /// Notes what was made of one source.
    #[inline(always)]
    fn end_source(&mut self, outputs: u32, begin: *const u8, end: *const u8) {
        self.source_outputs_max = self.source_outputs_max.max(outputs);
        self.source_bytes_max = self.source_bytes_max.max(end as u32 - begin as u32);
    }
}

/// Tells whether a source's value is null: it went in as empty, and comes back as what it was.
#[inline(never)]
unsafe fn is_null(source: &Source) -> bool {
    read_record(source.at as *const u8).value_bytes < 0
}

/// Reads a record of bytes that are not trusted, and where the next one is.
#[inline(always)]
unsafe fn read_output(
    mut at: *const u8,
    end: *const u8,
    source_count: u32,
) -> Option<(Output, *const u8)> {
    let body = read_any(&mut at, end)?;
    if body < 0 || body > (end as usize - at as usize) as i64 {
        return None;
    }
    let next = at.add(body as usize);
    if at == next {
        return None;
    }
    at = at.add(1);
    read_any(&mut at, next)?;
    let source = read_any(&mut at, next)?;
    if source < 0 || source >= source_count as i64 || at == next {
        return None;
    }
    let tag = *at;
    at = at.add(1);
    let (key, key_bytes) = match tag {
        0 => (at, -1),
        1 => read_bytes(&mut at, next)?,
        _ => return None,
    };
    let (value, value_bytes) = read_bytes(&mut at, next)?;
    if read_any(&mut at, next)? != 0 || at != next {
        return None;
    }
    let output = Output {
        source: source as u32,
        key: key as u32,
        key_bytes,
        value: value as u32,
        value_bytes,
    };
    Some((output, next))
}

#[inline(always)]
unsafe fn read_bytes(at: &mut *const u8, end: *const u8) -> Option<(*const u8, i32)> {
    let bytes = read_any(at, end)?;
    if bytes < 0 || bytes > (end as usize - *at as usize) as i64 {
        return None;
    }
    let begin = *at;
    *at = at.add(bytes as usize);
    Some((begin, bytes as i32))
}

/// Reads a varint of at most 64 bits, not necessarily in its shortest form.
#[inline(always)]
unsafe fn read_any(at: &mut *const u8, end: *const u8) -> Option<i64> {
    if *at == end {
        return None;
    }
    let first = **at as u64;
    *at = at.add(1);
    if first < 0x80 {
        return Some(unzigzag64(first));
    }
    let mut raw = first & 0x7f;
    let mut shift = 7;
    while shift < 70 && *at != end {
        let byte = **at as u64;
        *at = at.add(1);
        if shift == 63 && byte > 1 {
            return None;
        }
        raw |= (byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(unzigzag64(raw));
        }
        shift += 7;
    }
    None
}

/// Returns an output as the parts of a record, with what its source has; and its timestamp.
#[inline(always)]
unsafe fn parts_of(c: &Control, run: &Run, index: u32) -> (Parts, u32, &'static Entry) {
    let output = &*(c.table as *const Output).add(index as usize);
    let source = &*(c.sources as *const Source).add(output.source as usize);
    let entry = &*(run.index as *const Entry).add(source.entry as usize);
    let mut parts = read_record(source.at as *const u8);
    parts.key = output.key as *const u8;
    parts.key_bytes = output.key_bytes;
    parts.value = output.value as *const u8;
    parts.value_bytes = output.value_bytes;
    (parts, output.source, entry)
}

#[inline(always)]
fn last_of(c: &Control) -> u32 {
    c.output_count.min(c.first.saturating_add(c.count_max))
}

/// Writes outputs from `first` on by the run's program.
pub unsafe fn render(c: &mut Control, run: &mut Run) -> u32 {
    let mut context = prepare(run);
    let out_end = (run.output + run.output_room) as *mut u8;
    let mut to = run.output as *mut u8;
    let mut index = c.first;
    let last = last_of(c);
    run.needed = 0;
    while index < last {
        let (parts, source, entry) = parts_of(c, run, index);
        let bytes_max = context.bytes_max(&parts);
        if bytes_max > (out_end as usize - to as usize) as u64 {
            if index == c.first {
                run.needed = bytes_max.min(u32::MAX as u64) as u32;
            }
            break;
        }
        context.append_time = entry.is_append_time();
        context.set_offset(c.base_offset + source as i64);
        to = context.put_record(to, &parts, timestamp_of(entry, &parts));
        index += 1;
    }
    finish(c, run, to, index)
}

/// Writes outputs from `first` on as the records of one batch, uncompressed.
///
/// Ends before a record that would make the batch too large, or is too far from its base in time.
pub unsafe fn pack(c: &mut Control, run: &mut Run) -> u32 {
    let room = run.output_room.min(c.batch_bytes_max.saturating_sub(BATCH_HEADER_BYTES));
    let mut to = run.output as *mut u8;
    let mut index = c.first;
    let last = last_of(c);
    run.needed = 0;
    c.max_timestamp = i64::MIN;
    while index < last {
        let (parts, _, entry) = parts_of(c, run, index);
        let timestamp = timestamp_of(entry, &parts);
        let tail_bytes = parts.next as usize - parts.tail as usize;
        let most = PACKED_HEAD_BYTES_MAX as usize
            + parts.key_bytes.max(0) as usize
            + parts.value_bytes.max(0) as usize
            + tail_bytes;
        let written = to as usize - run.output as usize;
        if index == c.first {
            c.base_timestamp = timestamp;
            // Alone, a record may be larger than a batch.
            if most > run.output_room as usize {
                run.needed = most as u32;
                break;
            }
        } else if written + most > room as usize {
            break;
        }
        let Some(delta) = timestamp.checked_sub(c.base_timestamp) else {
            break;
        };
        to = put_packed(to, &parts, delta, index - c.first, tail_bytes);
        c.max_timestamp = c.max_timestamp.max(timestamp);
        index += 1;
    }
    finish(c, run, to, index)
}

#[inline(always)]
unsafe fn finish(c: &Control, run: &mut Run, to: *mut u8, index: u32) -> u32 {
    run.output_bytes = to as u32 - run.output;
    run.record_count = index - c.first;
    if run.needed > 0 {
        NEED_OUTPUT
    } else {
        DONE
    }
}

#[inline(always)]
unsafe fn put_packed(
    to: *mut u8,
    parts: &Parts,
    delta: i64,
    index: u32,
    tail_bytes: usize,
) -> *mut u8 {
    let timestamp_delta = zigzag64(delta);
    let body = 1
        + varlong_bytes(timestamp_delta)
        + varint_bytes(index << 1)
        + varint_bytes(zigzag32(parts.key_bytes))
        + parts.key_bytes.max(0) as u32
        + varint_bytes(zigzag32(parts.value_bytes))
        + parts.value_bytes.max(0) as u32
        + tail_bytes as u32;
    let mut to = put_varint(to, body << 1);
    *to = 0;
    to = put_varlong(to.add(1), timestamp_delta);
    to = put_varint(to, index << 1);
    to = put_maybe(to, parts.key, parts.key_bytes);
    to = put_maybe(to, parts.value, parts.value_bytes);
    copy(to, parts.tail, tail_bytes);
    to.add(tail_bytes)
}

#[inline(always)]
unsafe fn put_maybe(to: *mut u8, from: *const u8, bytes: i32) -> *mut u8 {
    let to = put_varint(to, zigzag32(bytes));
    let bytes = bytes.max(0) as usize;
    copy(to, from, bytes);
    to.add(bytes)
}
