//! `render`: the records of a run to text, by a packed program.
//!
//! A batch is walked before any of it is written, so that a damaged one gives no output at all.
//! Before each record the room it may need at most is made sure of; writing then asks no more.

use crate::bytes::*;
use crate::run::{read_record, trusted_varint, walk, Control, Entry, Parts};
use crate::text::*;
use crate::{DAMAGED, DONE, NEED_OUTPUT, NEED_PLAIN};

/// One instruction; `kernel.py` packs them. `text` is the literal, or what null is written as.
#[repr(C)]
struct Instruction {
    op: u32,
    encoding: u32,
    text: u32,
    text_bytes: u32,
}

const LITERAL: u32 = 0;
const KEY: u32 = 1;
const VALUE: u32 = 2;
const OFFSET: u32 = 3;
const PARTITION: u32 = 4;
const TIMESTAMP_MS: u32 = 5;
const TIME: u32 = 6;
const TIMESTAMP_TYPE: u32 = 7;
const KEY_SIZE: u32 = 8;
const VALUE_SIZE: u32 = 9;
const HEADER_COUNT: u32 = 10;
const HEADERS_JSON: u32 = 11;
const TIMESTAMP_JSON: u32 = 12;

const EXACT: u32 = 0;
const JSON: u32 = 1;
const HEX: u32 = 2;

/// The most bytes that an instruction without key, value or headers writes.
const SMALL_BYTES_MAX: u64 = 80;
/// The most bytes around one header's name and value.
const HEADER_FRAME_BYTES: u64 = 2 * JSON_FRAME_BYTES + 4;

/// Where the last call ended, so that the next one need not walk there.
#[derive(Clone, Copy)]
pub struct Cursor {
    pub offset: i64, // -1: nowhere
    pub entry: u32,
    pub index: u32,
    pub at: u32, // from the start of the entry's records
}

impl Cursor {
    /// Moves behind a record that begins at `at`.
    #[inline(always)]
    pub fn pass(&mut self, offset: &mut i64, at: &mut *const u8, next: *const u8) {
        self.at += next as u32 - *at as u32;
        self.index += 1;
        *offset += 1;
        self.offset = *offset;
        *at = next;
    }
}

static mut CURSOR: Cursor = Cursor {
    offset: -1,
    entry: 0,
    index: 0,
    at: 0,
};

/// Forgets the last run.
pub unsafe fn forget() {
    keep(Cursor {
        offset: -1,
        entry: 0,
        index: 0,
        at: 0,
    });
}

/// Returns where the last call ended.
pub unsafe fn cursor() -> Cursor {
    *core::ptr::addr_of!(CURSOR)
}

/// Remembers where a call has ended.
pub unsafe fn keep(cursor: Cursor) {
    *core::ptr::addr_of_mut!(CURSOR) = cursor;
}

/// Of a 64-bit number, its sign included.
const DIGITS_MAX: usize = 20;

/// A number's text, kept from record to record.
struct Decimal {
    text: [u8; 96],
    begin: usize,
    end: usize,
    value: i64,
}

impl Decimal {
    #[inline(always)]
    fn new() -> Decimal {
        Decimal {
            text: [0; 96],
            begin: 0,
            end: 0,
            value: 0,
        }
    }

    /// Renews the text unless it is that of `value` already.
    #[inline(always)]
    unsafe fn set(&mut self, value: i64, put: unsafe fn(*mut u8, i64) -> *mut u8) {
        if self.end == 0 || self.value != value {
            let text = self.text.as_mut_ptr();
            self.end = put(text, value) as usize - text as usize;
            self.value = value;
        }
    }

    /// Sets a text that will be counted up; further digits will go before it.
    #[inline(always)]
    unsafe fn start(&mut self, value: i64) {
        let text = self.text.as_mut_ptr();
        self.begin = DIGITS_MAX;
        self.end = put_decimal(text.add(DIGITS_MAX), value) as usize - text as usize;
    }

    #[inline(always)]
    unsafe fn count_up(&mut self) {
        let text = self.text.as_mut_ptr();
        let mut at = self.end - 1;
        while at >= self.begin && *text.add(at) == b'9' {
            *text.add(at) = b'0';
            at -= 1;
        }
        if at < self.begin {
            *text.add(at) = b'1';
            self.begin = at;
        } else {
            *text.add(at) += 1;
        }
    }

    #[inline(always)]
    unsafe fn put(&self, to: *mut u8) -> *mut u8 {
        let text = self.text.as_ptr().add(self.begin);
        copy(to, text, self.end - self.begin);
        to.add(self.end - self.begin)
    }
}

/// What the instructions of one call share.
pub struct Context {
    program: *const Instruction,
    program_end: *const Instruction,
    offset: Decimal,
    partition: Decimal,
    timestamp: Decimal,
    time: Decimal,
    pub append_time: bool,
    // The most that a record takes: fixed + key * its bytes + value * its bytes + headers.
    fixed_bytes_max: u64,
    key_factor: u64,
    value_factor: u64,
    has_headers: bool,
    has_offset: bool,
}

pub unsafe fn render(c: &mut Control) -> u32 {
    let mut context = prepare(c);
    let out_end = c.output + c.output_room;
    let mut to = c.output;
    let mut offset = c.start;
    let mut left = c.record_count_max;
    let mut status = DONE;
    let mut number = find_entry(c, offset);
    let mut last = cursor();
    c.needed = 0;
    while number < c.entry_count && left > 0 {
        let entry = &mut *(c.index as *mut Entry).add(number as usize);
        if entry.base_offset >= c.end {
            break;
        }
        if entry.plain == 0 || !walk(entry) {
            status = if entry.plain == 0 {
                NEED_PLAIN
            } else {
                DAMAGED
            };
            break;
        }
        let mut cursor = locate(entry, number, offset, &last);
        let limit = if c.end < entry.next_offset() {
            c.end
        } else {
            entry.next_offset()
        };
        offset = cursor.offset;
        let mut count = (limit - offset) as u32;
        count = if count > left { left } else { count };
        let (written, needed) =
            render_entry(&mut context, entry, &mut cursor, count, &mut to, out_end);
        left -= written;
        offset = cursor.offset;
        last = cursor;
        if needed > 0 {
            if left == c.record_count_max {
                c.needed = if needed > u32::MAX as u64 {
                    u32::MAX
                } else {
                    needed as u32
                };
                status = NEED_OUTPUT;
            }
            break;
        }
        if offset < entry.next_offset() {
            break;
        }
        number += 1;
    }
    keep(last);
    if left < c.record_count_max {
        // What is finished goes first (records, if not bytes); the same answer comes again.
        status = DONE;
    }
    c.entry = number;
    c.next_offset = offset;
    c.record_count = c.record_count_max - left;
    c.output_bytes = to - c.output;
    status
}

/// Writes up to `count` records from the cursor on; answers how many, and what the next needs.
#[inline(always)]
unsafe fn render_entry(
    context: &mut Context,
    entry: &Entry,
    cursor: &mut Cursor,
    count: u32,
    out: &mut u32,
    out_end: u32,
) -> (u32, u64) {
    let append_time = entry.is_append_time();
    let base_timestamp = if append_time {
        entry.max_timestamp()
    } else {
        entry.base_timestamp()
    };
    let mut at = (entry.plain + cursor.at) as *const u8;
    let mut to = *out as *mut u8;
    let mut written = 0;
    let mut needed = 0;
    context.append_time = append_time;
    if context.has_offset {
        context.offset.start(cursor.offset);
    }
    while written < count {
        let parts = read_record(at);
        let bytes_max = context.bytes_max(&parts);
        if bytes_max > (out_end as usize - to as usize) as u64 {
            needed = bytes_max;
            break;
        }
        let delta = if append_time {
            0
        } else {
            parts.timestamp_delta
        };
        to = context.put_record(to, &parts, base_timestamp + delta);
        if context.has_offset {
            context.offset.count_up();
        }
        at = parts.next;
        written += 1;
    }
    *out = to as u32;
    cursor.offset += written as i64;
    cursor.index += written;
    cursor.at = at as u32 - entry.plain;
    (written, needed)
}

pub unsafe fn prepare(c: &Control) -> Context {
    let program = c.program as *const Instruction;
    let mut context = Context {
        program,
        program_end: program.add(c.program_count as usize),
        offset: Decimal::new(),
        partition: Decimal::new(),
        timestamp: Decimal::new(),
        time: Decimal::new(),
        append_time: false,
        fixed_bytes_max: 0,
        key_factor: 0,
        value_factor: 0,
        has_headers: false,
        has_offset: false,
    };
    context.partition.set(c.partition as i64, put_decimal);
    let mut at = program;
    while at < context.program_end {
        let factor = match (*at).encoding {
            EXACT => 1,
            _ => EXPANSION_MAX,
        };
        context.fixed_bytes_max += (*at).text_bytes as u64 + SMALL_BYTES_MAX;
        match (*at).op {
            KEY => context.key_factor += factor,
            VALUE => context.value_factor += factor,
            HEADERS_JSON => context.has_headers = true,
            OFFSET => context.has_offset = true,
            _ => {}
        }
        at = at.add(1);
    }
    context
}

/// Returns the number of the entry that has `offset`, or of the next one.
pub unsafe fn find_entry(c: &Control, offset: i64) -> u32 {
    let cursor = cursor();
    let index = c.index as *const Entry;
    if cursor.offset == offset && (*index.add(cursor.entry as usize)).next_offset() > offset {
        return cursor.entry;
    }
    let mut low = 0;
    let mut high = c.entry_count;
    while low < high {
        let middle = (low + high) / 2;
        if (*index.add(middle as usize)).next_offset() <= offset {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Returns where a walked entry's record of `offset` is (its first, if that is later).
#[inline(always)]
pub unsafe fn locate(entry: &Entry, number: u32, offset: i64, last: &Cursor) -> Cursor {
    if last.entry == number && last.offset == offset && offset > entry.base_offset {
        return *last;
    }
    let mut cursor = Cursor {
        offset: entry.base_offset,
        entry: number,
        index: 0,
        at: 0,
    };
    while cursor.offset < offset {
        let mut at = (entry.plain + cursor.at) as *const u8;
        let bytes = trusted_varint(&mut at);
        cursor.at = at as u32 + bytes as u32 - entry.plain;
        cursor.offset += 1;
        cursor.index += 1;
    }
    cursor
}

impl Context {
    /// Sets the offset of the next record; counting up by one is cheap.
    #[inline(always)]
    pub unsafe fn set_offset(&mut self, offset: i64) {
        if !self.has_offset || self.offset.value == offset && self.offset.end > 0 {
            return;
        }
        if self.offset.end > 0 && self.offset.value + 1 == offset {
            self.offset.count_up();
        } else {
            self.offset.start(offset);
        }
        self.offset.value = offset;
    }

    #[inline(always)]
    pub fn bytes_max(&self, parts: &Parts) -> u64 {
        let mut bytes = self.fixed_bytes_max
            + self.key_factor * parts.key_bytes.max(0) as u64
            + self.value_factor * parts.value_bytes.max(0) as u64;
        if self.has_headers {
            bytes += EXPANSION_MAX * (parts.next as u64 - parts.headers as u64)
                + HEADER_FRAME_BYTES * parts.header_count as u64;
        }
        bytes
    }

    /// Runs the program for one record.
    #[inline(always)]
    pub unsafe fn put_record(&mut self, mut to: *mut u8, parts: &Parts, timestamp: i64) -> *mut u8 {
        let mut at = self.program;
        while at < self.program_end {
            let instruction = &*at;
            at = at.add(1);
            to = match instruction.op {
                LITERAL => put_exact(to, instruction.text, instruction.text_bytes),
                VALUE => put_bytes(to, instruction, parts.value, parts.value_bytes),
                KEY => put_bytes(to, instruction, parts.key, parts.key_bytes),
                OFFSET => self.offset.put(to),
                PARTITION => self.partition.put(to),
                TIMESTAMP_MS => {
                    self.timestamp.set(timestamp, put_decimal);
                    self.timestamp.put(to)
                }
                TIME => {
                    self.time.set(timestamp, put_time);
                    self.time.put(to)
                }
                TIMESTAMP_TYPE => put_type(to, self.append_time),
                KEY_SIZE => put_decimal(to, parts.key_bytes as i64),
                VALUE_SIZE => put_decimal(to, parts.value_bytes as i64),
                HEADER_COUNT => put_decimal(to, parts.header_count as i64),
                HEADERS_JSON if parts.header_count > 0 => put_headers(to, parts),
                TIMESTAMP_JSON if timestamp != -1 => {
                    self.timestamp.set(timestamp, put_decimal);
                    to = put_text(to, b",\"timestamp\":");
                    to = self.timestamp.put(to);
                    to = put_text(to, b",\"timestamp_type\":\"");
                    put_mark(put_type(to, self.append_time), b'"')
                }
                _ => to,
            };
        }
        to
    }
}

#[inline(always)]
unsafe fn put_exact(to: *mut u8, from: u32, bytes: u32) -> *mut u8 {
    copy(to, from as *const u8, bytes as usize);
    to.add(bytes as usize)
}

/// Writes a key or value in the instruction's encoding.
#[inline(always)]
unsafe fn put_bytes(
    to: *mut u8,
    instruction: &Instruction,
    from: *const u8,
    bytes: i32,
) -> *mut u8 {
    if bytes < 0 {
        if instruction.encoding == JSON {
            return put_text(to, b"null");
        }
        return put_exact(to, instruction.text, instruction.text_bytes);
    }
    match instruction.encoding {
        EXACT => put_exact(to, from as u32, bytes as u32),
        JSON => put_json(to, from, bytes as usize),
        HEX => put_hex(to, from, bytes as usize),
        _ => put_base64(to, from, bytes as usize),
    }
}

#[inline(always)]
unsafe fn put_type(to: *mut u8, append_time: bool) -> *mut u8 {
    if append_time {
        put_text(to, b"append")
    } else {
        put_text(to, b"create")
    }
}

/// Writes `,"headers":[["name","value"],["name",null]]`.
#[inline(never)]
unsafe fn put_headers(mut to: *mut u8, parts: &Parts) -> *mut u8 {
    to = put_text(to, b",\"headers\":[");
    let mut at = parts.headers;
    let mut left = parts.header_count;
    while left > 0 {
        let name_bytes = trusted_varint(&mut at) as usize;
        to = put_json(put_mark(to, b'['), at, name_bytes);
        at = at.add(name_bytes);
        to = put_mark(to, b',');
        let value_bytes = trusted_varint(&mut at);
        if value_bytes < 0 {
            to = put_text(to, b"null");
        } else {
            to = put_json(to, at, value_bytes as usize);
            at = at.add(value_bytes as usize);
        }
        to = put_mark(to, b']');
        left -= 1;
        if left > 0 {
            to = put_mark(to, b',');
        }
    }
    put_mark(to, b']')
}
