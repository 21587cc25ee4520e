//! `encode`: delimited text to records, split by partition.
//!
//! Lines of one partition become records at once. With several, a first pass notes where each
//! line goes and how many bytes that takes; a second one writes every partition's records side by
//! side. What a call has written is one piece per partition; Python joins the pieces of a payload
//! until a rule ends it, so a partition's state outlives the call.

use crate::bytes::*;
use crate::hash::{murmur2, siphash24};
use crate::{DONE, MORE, NEED_OUTPUT, SLACK, STOPPED};

/// What Python and the kernel tell each other; `kernel.py` has the same list.
#[repr(C)]
pub struct Control {
    input: u32,
    input_bytes: u32,
    is_final: u32,
    delimiter: u32,
    delimiter_bytes: u32,
    separator: u32,
    separator_bytes: u32, // 0: no key separator
    null: u32,
    null_bytes: u32, // 2^32 - 1: no null marker
    key: u32,
    key_bytes: u32, // 2^32 - 1: no key, or the separator finds it
    headers: u32,   // their count and themselves, as they stand at the end of every record
    headers_bytes: u32,
    choice: u32, // one of CHOICE_*
    partition: u32,
    partition_count: u32,
    round_robin: u32,
    batch_bytes_max: u32,
    record_bytes_max: u32,
    states: u32, // one State per partition
    table: u32,  // room for `table_room` Lines
    table_room: u32,
    bad: u32, // room for `bad_room` BadLines
    bad_room: u32,
    output: u32,
    output_bytes: u32,
    pieces: u32,     // room for one Piece per partition
    line_count: u32, // of the calls so far
    // Answers.
    consumed: u32,
    bad_count: u32,
    piece_count: u32,
    needed: u32,
}

pub static mut CONTROL: Control = unsafe { core::mem::zeroed() };

const CHOICE_FIXED: u32 = 0;
const CHOICE_SIP: u32 = 1;
const CHOICE_MURMUR2: u32 = 2;

const NO_SEPARATOR: u32 = 1;
const TOO_LARGE: u32 = 2;

/// A frame's prefix and batch header, blank at the start of every payload.
const FRAME_HEADER_BYTES: u32 = 81;
const HEADER_BYTES: u32 = 61;

/// A partition's payload so far.
#[repr(C)]
struct State {
    record_count: u32,
    records_bytes: u32,
    pending_bytes: u32, // of this call; 0 between calls
    output: u32,        // where its next byte goes, in the second pass
}

#[repr(C)]
struct BadLine {
    index: u32,
    bytes: u32,
    problem: u32,
}

#[repr(C)]
struct Piece {
    partition: u32,
    output: u32,
    bytes: u32,
}

/// A line that will be a record. Lengths of -1 are null.
#[repr(C)]
#[derive(Clone, Copy)]
struct Line {
    partition: u32,
    key: u32,
    key_bytes: i32,
    value: u32,
    value_bytes: i32,
}

/// How a search for the next record ended.
enum Found {
    Line(Line),
    Bad(u32, u32), // bytes, problem
    Nothing,
}

pub unsafe fn encode(c: &mut Control) -> u32 {
    c.bad_count = 0;
    c.piece_count = 0;
    c.needed = 0;
    c.consumed = 0;
    if c.choice == CHOICE_FIXED {
        encode_one(c)
    } else {
        encode_many(c)
    }
}

/// Writes every record straight to the output: there is one partition.
unsafe fn encode_one(c: &mut Control) -> u32 {
    let state = &mut *(c.states as *mut State);
    let begin = c.output;
    let limit = begin + c.output_bytes;
    let head = if state.record_count == 0 {
        FRAME_HEADER_BYTES
    } else {
        0
    };
    let mut to = begin + head;
    let mut at = c.input;
    let end = c.input + c.input_bytes;
    let mut count = state.record_count;
    let mut total = state.records_bytes;
    let mut line_count = c.line_count;
    let mut status = DONE;
    let headers_bytes = c.headers_bytes;
    loop {
        let mut next = at;
        match next_line(c, &mut next, end) {
            Found::Line(line) => {
                let body = body_bytes(&line, count, headers_bytes);
                let size = varint_bytes(body << 1) + body;
                if count > 0 && HEADER_BYTES + total + size > c.batch_bytes_max {
                    status = STOPPED;
                    break;
                }
                if size > limit.saturating_sub(to) {
                    status = if to == begin + head {
                        NEED_OUTPUT
                    } else {
                        MORE
                    };
                    c.needed = FRAME_HEADER_BYTES + size;
                    break;
                }
                to = put_record(to, &line, body, count, c.headers, headers_bytes);
                count += 1;
                total += size;
                line_count += 1;
            }
            Found::Bad(bytes, problem) => {
                if c.bad_count == c.bad_room {
                    status = MORE;
                    break;
                }
                put_bad(c, line_count, bytes, problem);
                if problem == TOO_LARGE {
                    status = STOPPED;
                    break;
                }
                line_count += 1;
            }
            Found::Nothing => break,
        }
        at = next;
    }
    if count > state.record_count {
        core::ptr::write_bytes(begin as *mut u8, 0, head as usize);
        put_piece(c, c.partition, begin, to - begin);
    }
    state.record_count = count;
    state.records_bytes = total;
    c.line_count = line_count;
    c.consumed = at - c.input;
    status
}

/// Notes where each line goes until something ends the call, then writes all records.
unsafe fn encode_many(c: &mut Control) -> u32 {
    let states = c.states as *mut State;
    let table = c.table as *mut Line;
    let mut noted = 0;
    let mut room = c.output_bytes;
    let mut at = c.input;
    let end = c.input + c.input_bytes;
    let mut status = DONE;
    let headers_bytes = c.headers_bytes;
    while status == DONE {
        let mut next = at;
        match next_line(c, &mut next, end) {
            Found::Line(mut line) => {
                let (partition, round_robin) = choose(c, &line);
                let state = &mut *states.add(partition as usize);
                let body = body_bytes(&line, state.record_count, headers_bytes);
                let size = varint_bytes(body << 1) + body;
                let records_bytes = state.records_bytes + size;
                if state.record_count > 0 && HEADER_BYTES + records_bytes > c.batch_bytes_max {
                    status = STOPPED;
                    break;
                }
                let opens = state.pending_bytes == 0;
                let takes = size + if opens { FRAME_HEADER_BYTES + SLACK } else { 0 };
                if takes > room || noted == c.table_room {
                    status = if noted == 0 { NEED_OUTPUT } else { MORE };
                    c.needed = takes;
                    break;
                }
                room -= takes;
                state.pending_bytes += size;
                state.records_bytes = records_bytes;
                state.record_count += 1;
                c.round_robin = round_robin;
                line.partition = partition;
                *table.add(noted as usize) = line;
                noted += 1;
                c.line_count += 1;
            }
            Found::Bad(bytes, problem) => {
                if c.bad_count == c.bad_room {
                    status = MORE;
                    break;
                }
                put_bad(c, c.line_count, bytes, problem);
                if problem == TOO_LARGE {
                    status = STOPPED;
                    break;
                }
                c.line_count += 1;
            }
            Found::Nothing => break,
        }
        at = next;
    }
    write_table(c, table, noted);
    c.consumed = at - c.input;
    status
}

/// Writes the noted lines, each partition's side by side.
unsafe fn write_table(c: &mut Control, table: *const Line, noted: u32) {
    let states = c.states as *mut State;
    let mut to = c.output;
    let mut partition = 0;
    while partition < c.partition_count {
        let state = &mut *states.add(partition as usize);
        if state.pending_bytes > 0 {
            let opens = state.records_bytes == state.pending_bytes;
            let head = if opens { FRAME_HEADER_BYTES } else { 0 };
            core::ptr::write_bytes(to as *mut u8, 0, head as usize);
            put_piece(c, partition, to, head + state.pending_bytes);
            state.output = to + head;
            // Short copies overshoot: the next partition's first bytes may be there already.
            to = state.output + state.pending_bytes + SLACK;
            state.pending_bytes = 0;
        }
        partition += 1;
    }
    // The count is the one after this call: take it back, then hand out deltas in order.
    let mut index = 0;
    while index < noted {
        (*states.add((*table.add(index as usize)).partition as usize)).record_count -= 1;
        index += 1;
    }
    index = 0;
    while index < noted {
        let line = &*table.add(index as usize);
        let state = &mut *states.add(line.partition as usize);
        let delta = state.record_count;
        let body = body_bytes(line, delta, c.headers_bytes);
        state.output = put_record(state.output, line, body, delta, c.headers, c.headers_bytes);
        state.record_count = delta + 1;
        index += 1;
    }
}

/// Finds the line at `at` and moves `at` behind it; `Nothing` moves nothing.
#[inline(always)]
unsafe fn next_line(c: &Control, at: &mut u32, end: u32) -> Found {
    let begin = *at;
    let delimiter = c.delimiter as *const u8;
    let found = find(
        delimiter,
        c.delimiter_bytes as usize,
        begin as *const u8,
        end as *const u8,
    ) as u32;
    if found == end {
        if c.is_final == 0 || begin == end {
            return Found::Nothing;
        }
        *at = end;
    } else {
        *at = found + c.delimiter_bytes;
    }
    let mut line = Line {
        partition: 0,
        key: c.key,
        key_bytes: c.key_bytes as i32,
        value: begin,
        value_bytes: (found - begin) as i32,
    };
    if c.separator_bytes > 0 {
        let separator = c.separator as *const u8;
        let bytes = c.separator_bytes as usize;
        let cut = find(separator, bytes, begin as *const u8, found as *const u8) as u32;
        if cut == found {
            return Found::Bad(found - begin, NO_SEPARATOR);
        }
        line.key = begin;
        line.key_bytes = (cut - begin) as i32;
        line.value = cut + c.separator_bytes;
        line.value_bytes = (found - line.value) as i32;
    }
    if line.value_bytes as u32 == c.null_bytes
        && equal(
            line.value as *const u8,
            c.null as *const u8,
            c.null_bytes as usize,
        )
    {
        line.value_bytes = -1;
    }
    let size = line.key_bytes.max(0) as u32 + line.value_bytes.max(0) as u32;
    if size > c.record_bytes_max {
        return Found::Bad(size, TOO_LARGE);
    }
    Found::Line(line)
}

/// Returns a record's partition, and what round robin goes on with.
#[inline(always)]
unsafe fn choose(c: &Control, line: &Line) -> (u32, u32) {
    let key = line.key as *const u8;
    if line.key_bytes >= 0 && c.choice == CHOICE_SIP {
        let hash = siphash24(key, line.key_bytes as usize);
        return ((hash % c.partition_count as u64) as u32, c.round_robin);
    }
    if line.key_bytes >= 0 && c.choice == CHOICE_MURMUR2 {
        let hash = murmur2(key, line.key_bytes as usize) & 0x7fff_ffff;
        return (hash % c.partition_count, c.round_robin);
    }
    let partition = c.round_robin % c.partition_count;
    (partition, (partition + 1) % c.partition_count)
}

/// Returns how many bytes follow a record's length.
#[inline(always)]
fn body_bytes(line: &Line, delta: u32, headers_bytes: u32) -> u32 {
    2 + varint_bytes(delta << 1)
        + varint_bytes(zigzag32(line.key_bytes))
        + line.key_bytes.max(0) as u32
        + varint_bytes(zigzag32(line.value_bytes))
        + line.value_bytes.max(0) as u32
        + headers_bytes
}

/// Writes a record without timestamp delta and returns the address after it.
#[inline(always)]
unsafe fn put_record(
    to: u32,
    line: &Line,
    body: u32,
    delta: u32,
    headers: u32,
    headers_bytes: u32,
) -> u32 {
    let mut to = put_varint(to as *mut u8, body << 1);
    (to as *mut u16).write_unaligned(0); // attributes, timestamp delta
    to = put_varint(to.add(2), delta << 1);
    if line.key_bytes < 0 {
        *to = 1;
        to = to.add(1);
    } else {
        to = put_varint(to, (line.key_bytes as u32) << 1);
        copy(to, line.key as *const u8, line.key_bytes as usize);
        to = to.add(line.key_bytes as usize);
    }
    if line.value_bytes < 0 {
        *to = 1;
        to = to.add(1);
    } else {
        to = put_varint(to, (line.value_bytes as u32) << 1);
        copy(to, line.value as *const u8, line.value_bytes as usize);
        to = to.add(line.value_bytes as usize);
    }
    if headers_bytes == 1 {
        *to = 0;
    } else {
        copy(to, headers as *const u8, headers_bytes as usize);
    }
    to as u32 + headers_bytes
}

unsafe fn put_bad(c: &mut Control, index: u32, bytes: u32, problem: u32) {
    *(c.bad as *mut BadLine).add(c.bad_count as usize) = BadLine {
        index,
        bytes,
        problem,
    };
    c.bad_count += 1;
}

unsafe fn put_piece(c: &mut Control, partition: u32, output: u32, bytes: u32) {
    *(c.pieces as *mut Piece).add(c.piece_count as usize) = Piece {
        partition,
        output,
        bytes,
    };
    c.piece_count += 1;
}
