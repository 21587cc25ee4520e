//! Bytes: copies, searches, big-endian integers, varints and CRC-32C.
//!
//! `end` is the first address that does not belong to a value; loads may overshoot it by less
//! than `SLACK`, what they find there is ignored.

use core::arch::wasm32::*;

/// Copies `n` bytes; may read and write up to 63 bytes more.
#[inline(always)]
pub unsafe fn copy(to: *mut u8, from: *const u8, n: usize) {
    if n <= 16 {
        v128_store(to as *mut v128, v128_load(from as *const v128));
        return;
    }
    // memory.copy leaves the compiled code for a library call, which costs as much as 500 bytes.
    if n > 1024 {
        core::ptr::copy_nonoverlapping(from, to, n);
        return;
    }
    // 64 bytes a round: few rounds, whose number the processor guesses right.
    let mut at = 0;
    while at < n {
        let from = from.add(at) as *const v128;
        let to = to.add(at) as *mut v128;
        let (a, b) = (v128_load(from), v128_load(from.add(1)));
        let (c, d) = (v128_load(from.add(2)), v128_load(from.add(3)));
        v128_store(to, a);
        v128_store(to.add(1), b);
        v128_store(to.add(2), c);
        v128_store(to.add(3), d);
        at += 64;
    }
}

/// Returns where `byte` occurs first in [at, end), or `end`.
#[inline(always)]
pub unsafe fn find_byte(byte: u8, mut at: *const u8, end: *const u8) -> *const u8 {
    let wanted = u8x16_splat(byte);
    while at < end {
        let mask = u8x16_bitmask(u8x16_eq(v128_load(at as *const v128), wanted));
        if mask != 0 {
            let found = at.add(mask.trailing_zeros() as usize);
            return if found < end { found } else { end };
        }
        at = at.add(16);
    }
    end
}

/// Returns where `needle` (at least one byte) occurs first in [at, end), or `end`.
#[inline(always)]
pub unsafe fn find(
    needle: *const u8,
    needle_bytes: usize,
    mut at: *const u8,
    end: *const u8,
) -> *const u8 {
    let first = *needle;
    if needle_bytes == 1 {
        return find_byte(first, at, end);
    }
    loop {
        at = find_byte(first, at, end);
        if (end as usize - at as usize) < needle_bytes {
            return end;
        }
        if equal(at, needle, needle_bytes) {
            return at;
        }
        at = at.add(1);
    }
}

/// Tells whether two stretches of `n` bytes are the same.
#[inline(always)]
pub unsafe fn equal(a: *const u8, b: *const u8, n: usize) -> bool {
    let mut at = 0;
    while at < n {
        if *a.add(at) != *b.add(at) {
            return false;
        }
        at += 1;
    }
    true
}

#[inline(always)]
pub unsafe fn be16(at: *const u8) -> u16 {
    u16::from_be((at as *const u16).read_unaligned())
}

#[inline(always)]
pub unsafe fn be32(at: *const u8) -> u32 {
    u32::from_be((at as *const u32).read_unaligned())
}

#[inline(always)]
pub unsafe fn be64(at: *const u8) -> u64 {
    u64::from_be((at as *const u64).read_unaligned())
}

#[inline(always)]
pub fn zigzag32(n: i32) -> u32 {
    ((n << 1) ^ (n >> 31)) as u32
}

#[inline(always)]
pub fn zigzag64(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)) as u64
}

#[inline(always)]
pub fn unzigzag32(raw: u32) -> i32 {
    ((raw >> 1) as i32) ^ -((raw & 1) as i32)
}

#[inline(always)]
pub fn unzigzag64(raw: u64) -> i64 {
    ((raw >> 1) as i64) ^ -((raw & 1) as i64)
}

/// Returns how many bytes a zig-zagged number takes.
#[inline(always)]
pub fn varint_bytes(raw: u32) -> u32 {
    ((32 - (raw | 1).leading_zeros()) * 9 + 64) >> 6
}

/// Returns how many bytes a zig-zagged 64-bit number takes.
#[inline(always)]
pub fn varlong_bytes(raw: u64) -> u32 {
    ((64 - (raw | 1).leading_zeros()) * 9 + 64) >> 6
}

/// Writes a zig-zagged number and returns the address after it.
#[inline(always)]
pub unsafe fn put_varint(mut to: *mut u8, mut raw: u32) -> *mut u8 {
    while raw >= 0x80 {
        *to = raw as u8 | 0x80;
        raw >>= 7;
        to = to.add(1);
    }
    *to = raw as u8;
    to.add(1)
}

/// Writes a zig-zagged 64-bit number and returns the address after it.
#[inline(always)]
pub unsafe fn put_varlong(mut to: *mut u8, mut raw: u64) -> *mut u8 {
    while raw >= 0x80 {
        *to = raw as u8 | 0x80;
        raw >>= 7;
        to = to.add(1);
    }
    *to = raw as u8;
    to.add(1)
}

/// Reads a minimal 32-bit varint of bytes that are not trusted, or fails.
///
/// Reads up to 5 bytes, wherever the value ends: whoever calls compares `at` with the end later.
#[inline(always)]
pub unsafe fn read_varint(at: &mut *const u8) -> Option<i32> {
    let first = **at as u32;
    if first < 0x80 {
        *at = at.add(1);
        return Some(unzigzag32(first));
    }
    let second = *at.add(1) as u32;
    if second.wrapping_sub(1) < 0x7f {
        *at = at.add(2);
        return Some(unzigzag32(first & 0x7f | second << 7));
    }
    let (raw, bytes) = read_long(*at, 5);
    *at = at.add(bytes);
    if bytes == 0 || raw > u32::MAX as u64 {
        return None;
    }
    Some(unzigzag32(raw as u32))
}

/// Reads a minimal 64-bit varint, up to 10 bytes; otherwise as `read_varint`.
#[inline(always)]
pub unsafe fn read_varlong(at: &mut *const u8) -> Option<i64> {
    let first = **at as u64;
    if first < 0x80 {
        *at = at.add(1);
        return Some(unzigzag64(first));
    }
    let (raw, bytes) = read_long(*at, 10);
    *at = at.add(bytes);
    if bytes == 0 {
        return None;
    }
    Some(unzigzag64(raw))
}

/// Returns a varint, not unzigzagged, and its bytes: 0 if it is too long or not minimal.
// Not given `&mut at`: a place whose address is taken lives in memory, not in a register.
#[inline(never)]
unsafe fn read_long(at: *const u8, bytes_max: usize) -> (u64, usize) {
    let mut raw = 0u64;
    let mut index = 0;
    while index < bytes_max {
        let byte = *at.add(index);
        // Byte 10 has room for one bit only; a last byte of 0 says nothing: not minimal.
        if (index == 9 && byte > 1) || (byte == 0 && index > 0) {
            break;
        }
        raw |= ((byte & 0x7f) as u64) << (7 * index);
        index += 1;
        if byte < 0x80 {
            return (raw, index);
        }
    }
    (0, 0)
}

static mut CRC: [[u32; 256]; 16] = [[0; 256]; 16];
const CASTAGNOLI: u32 = 0x82f6_3b78;

/// Fills the tables of `crc32c`: 16 bytes a step.
pub unsafe fn crc32c_prepare() {
    let table = &mut *core::ptr::addr_of_mut!(CRC);
    let mut n = 0;
    while n < 256 {
        let mut crc = n as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (CASTAGNOLI & 0u32.wrapping_sub(crc & 1));
            bit += 1;
        }
        table[0][n] = crc;
        n += 1;
    }
    let mut level = 1;
    while level < 16 {
        let mut n = 0;
        while n < 256 {
            let before = table[level - 1][n];
            table[level][n] = (before >> 8) ^ table[0][(before & 0xff) as usize];
            n += 1;
        }
        level += 1;
    }
}

/// Returns the CRC-32C of `n` bytes.
pub unsafe fn crc32c(mut at: *const u8, mut n: usize) -> u32 {
    let table = &*core::ptr::addr_of!(CRC);
    let mut crc = !0u32;
    while n >= 16 {
        let a = (at as *const u32).read_unaligned() ^ crc;
        let b = (at as *const u32).add(1).read_unaligned();
        let c = (at as *const u32).add(2).read_unaligned();
        let d = (at as *const u32).add(3).read_unaligned();
        crc = four(table, 12, a) ^ four(table, 8, b) ^ four(table, 4, c) ^ four(table, 0, d);
        at = at.add(16);
        n -= 16;
    }
    if n >= 8 {
        let a = (at as *const u32).read_unaligned() ^ crc;
        let b = (at as *const u32).add(1).read_unaligned();
        crc = four(table, 4, a) ^ four(table, 0, b);
        at = at.add(8);
        n -= 8;
    }
    if n >= 4 {
        crc = four(table, 0, (at as *const u32).read_unaligned() ^ crc);
        at = at.add(4);
        n -= 4;
    }
    while n > 0 {
        crc = (crc >> 8) ^ table[0][((crc ^ *at as u32) & 0xff) as usize];
        at = at.add(1);
        n -= 1;
    }
    !crc
}

/// The share of four bytes that are followed by `level` more of their step.
#[inline(always)]
fn four(table: &[[u32; 256]; 16], level: usize, word: u32) -> u32 {
    table[level + 3][(word & 0xff) as usize]
        ^ table[level + 2][(word >> 8 & 0xff) as usize]
        ^ table[level + 1][(word >> 16 & 0xff) as usize]
        ^ table[level][(word >> 24) as usize]
}

/// Returns the length of the UTF-8 sequence at `at` (Unicode's table 3-7), or 0 if it is none.
#[inline(always)]
pub unsafe fn utf8_sequence(at: *const u8, end: *const u8) -> usize {
    let first = *at;
    if first < 0x80 {
        return 1;
    }
    let (count, low, high) = match first {
        0xc2..=0xdf => (2, 0x80, 0xbf),
        0xe0 => (3, 0xa0, 0xbf),
        0xed => (3, 0x80, 0x9f),
        0xe1..=0xef => (3, 0x80, 0xbf),
        0xf0 => (4, 0x90, 0xbf),
        0xf1..=0xf3 => (4, 0x80, 0xbf),
        0xf4 => (4, 0x80, 0x8f),
        _ => return 0,
    };
    if (end as usize - at as usize) < count || *at.add(1) < low || *at.add(1) > high {
        return 0;
    }
    let mut index = 2;
    while index < count {
        if *at.add(index) & 0xc0 != 0x80 {
            return 0;
        }
        index += 1;
    }
    count
}

/// Tells whether bytes are valid UTF-8.
pub unsafe fn is_utf8(mut at: *const u8, end: *const u8) -> bool {
    while at < end {
        if at as usize + 16 <= end as usize && u8x16_bitmask(v128_load(at as *const v128)) == 0 {
            at = at.add(16);
            continue;
        }
        let bytes = utf8_sequence(at, end);
        if bytes == 0 {
            return false;
        }
        at = at.add(bytes);
    }
    true
}
