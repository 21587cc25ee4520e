//! What people and programs see: decimals, times, JSON strings, base64 and hex.
//!
//! Every function writes at `to` and returns the address after what it wrote. The caller has made
//! sure of the room, and of `SLACK` bytes behind it.
//!
//! What is long is not inlined: LLVM would work it out before it is known to be wanted.

use crate::bytes::*;
use core::arch::wasm32::*;

/// The most bytes that one byte becomes, in any encoding ("\u0000" in JSON).
pub const EXPANSION_MAX: u64 = 6;
/// The most bytes that surround a JSON value: `{"base64":"` ... `"}`, and padding.
pub const JSON_FRAME_BYTES: u64 = 24;

/// Copies a text of the kernel's own, which is short and has no slack behind it.
#[inline(always)]
pub unsafe fn put_text(to: *mut u8, text: &[u8]) -> *mut u8 {
    core::ptr::copy_nonoverlapping(text.as_ptr(), to, text.len());
    to.add(text.len())
}

/// Writes a decimal number (at most 20 bytes).
#[inline(never)]
pub unsafe fn put_decimal(mut to: *mut u8, n: i64) -> *mut u8 {
    if n < 0 {
        *to = b'-';
        to = to.add(1);
    }
    let mut left = n.unsigned_abs();
    let mut digits = 1;
    let mut power = 10u64;
    while digits < 19 && left >= power {
        digits += 1;
        power *= 10;
    }
    let end = to.add(digits);
    let mut at = end;
    while at > to {
        at = at.sub(1);
        *at = b'0' + (left % 10) as u8;
        left /= 10;
    }
    end
}

unsafe fn put_padded(to: *mut u8, n: u32, width: usize) -> *mut u8 {
    let mut left = n;
    let mut index = width;
    while index > 0 {
        index -= 1;
        *to.add(index) = b'0' + (left % 10) as u8;
        left /= 10;
    }
    to.add(width)
}

const DAY_MS: i64 = 86_400_000;
const YEAR_0_MS: i64 = -62_167_219_200_000;
const YEAR_10000_MS: i64 = 253_402_300_800_000;

/// Writes a moment as RFC 3339 in UTC with milliseconds, or as it is outside the years 0 to 9999.
#[inline(never)]
pub unsafe fn put_time(mut to: *mut u8, ms: i64) -> *mut u8 {
    if ms == -1 {
        return put_text(to, b"NA");
    }
    if !(YEAR_0_MS..YEAR_10000_MS).contains(&ms) {
        return put_decimal(to, ms);
    }
    // Howard Hinnant's civil_from_days: eras of 400 years that begin on 1 March.
    let days = ms.div_euclid(DAY_MS) + 719_468;
    let rest = ms.rem_euclid(DAY_MS) as u32;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097) as u32;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = era * 400 + year_of_era as i64 + (month <= 2) as i64;
    to = put_padded(to, year as u32, 4);
    to = put_mark(to, b'-');
    to = put_padded(to, month, 2);
    to = put_mark(to, b'-');
    to = put_padded(to, day, 2);
    to = put_mark(to, b'T');
    to = put_padded(to, rest / 3_600_000, 2);
    to = put_mark(to, b':');
    to = put_padded(to, rest / 60_000 % 60, 2);
    to = put_mark(to, b':');
    to = put_padded(to, rest / 1000 % 60, 2);
    to = put_mark(to, b'.');
    to = put_padded(to, rest % 1000, 3);
    put_mark(to, b'Z')
}

#[inline(always)]
pub unsafe fn put_mark(to: *mut u8, mark: u8) -> *mut u8 {
    *to = mark;
    to.add(1)
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Writes two lower-case hex digits a byte.
#[inline(never)]
pub unsafe fn put_hex(mut to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    let digits = v128_load(HEX.as_ptr() as *const v128);
    let low = u8x16_splat(0x0f);
    let end = to.add(2 * bytes);
    let mut at = from;
    while to < end {
        let chunk = v128_load(at as *const v128);
        let highs = u8x16_swizzle(digits, u8x16_shr(chunk, 4));
        let lows = u8x16_swizzle(digits, v128_and(chunk, low));
        let first =
            u8x16_shuffle::<0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23>(highs, lows);
        let second = u8x16_shuffle::<8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31>(
            highs, lows,
        );
        v128_store(to as *mut v128, first);
        v128_store(to.add(16) as *mut v128, second);
        at = at.add(16);
        to = to.add(32);
    }
    end
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Writes standard base64 with padding.
#[inline(never)]
pub unsafe fn put_base64(mut to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    let digit = BASE64.as_ptr();
    let mut at = 0;
    while bytes - at >= 3 {
        let word = be32(from.add(at));
        *to = *digit.add((word >> 26) as usize);
        *to.add(1) = *digit.add((word >> 20 & 63) as usize);
        *to.add(2) = *digit.add((word >> 14 & 63) as usize);
        *to.add(3) = *digit.add((word >> 8 & 63) as usize);
        to = to.add(4);
        at += 3;
    }
    let left = bytes - at;
    if left > 0 {
        let second = if left == 2 {
            *from.add(at + 1) as u32
        } else {
            0
        };
        let word = (*from.add(at) as u32) << 16 | second << 8;
        *to = *digit.add((word >> 18) as usize);
        *to.add(1) = *digit.add((word >> 12 & 63) as usize);
        *to.add(2) = if left == 2 {
            *digit.add((word >> 6 & 63) as usize)
        } else {
            b'='
        };
        *to.add(3) = b'=';
        to = to.add(4);
    }
    to
}

/// Writes a JSON string, or `{"base64":"..."}` if the bytes are not UTF-8.
#[inline(never)]
pub unsafe fn put_json(to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    let end = put_json_inside(put_mark(to, b'"'), from, from.add(bytes));
    if end.is_null() {
        return put_json_base64(to, from, bytes);
    }
    put_mark(end, b'"')
}

#[inline(never)]
unsafe fn put_json_base64(mut to: *mut u8, from: *const u8, bytes: usize) -> *mut u8 {
    to = put_text(to, b"{\"base64\":\"");
    to = put_base64(to, from, bytes);
    put_text(to, b"\"}")
}

/// Writes what stands between the quotes, or returns null if the bytes are not UTF-8.
#[inline(always)]
unsafe fn put_json_inside(mut to: *mut u8, mut at: *const u8, end: *const u8) -> *mut u8 {
    while at < end {
        let first = v128_load(at as *const v128);
        let second = v128_load(at.add(16) as *const v128);
        v128_store(to as *mut v128, first);
        v128_store(to.add(16) as *mut v128, second);
        let left = end as usize - at as usize;
        let mask = odd_bytes(first) | odd_bytes(second) << 16;
        let plain = mask.trailing_zeros() as usize; // 32 if there is no odd byte
        if plain >= left {
            return to.add(left);
        }
        at = at.add(plain);
        to = to.add(plain);
        if plain == 32 {
            continue;
        }
        if *at < 0x80 {
            to = put_json_escape(to, *at);
            at = at.add(1);
            continue;
        }
        // Text that is not Latin comes in stretches: stay here while it lasts.
        while at < end && *at >= 0x80 {
            let bytes = utf8_sequence(at, end);
            if bytes == 0 {
                return core::ptr::null_mut();
            }
            (to as *mut u32).write_unaligned((at as *const u32).read_unaligned());
            at = at.add(bytes);
            to = to.add(bytes);
        }
    }
    to
}

/// Returns a bit for each byte that a JSON string can't have, or that is not ASCII.
#[inline(always)]
fn odd_bytes(chunk: v128) -> u32 {
    // Signed: bytes from 0x80 on are negative, hence below a space as well.
    let low = i8x16_lt(chunk, i8x16_splat(0x20));
    let delete = i8x16_eq(chunk, i8x16_splat(0x7f));
    let quote = i8x16_eq(chunk, i8x16_splat(b'"' as i8));
    let backslash = i8x16_eq(chunk, i8x16_splat(b'\\' as i8));
    u8x16_bitmask(v128_or(v128_or(low, delete), v128_or(quote, backslash))) as u32
}

#[inline(always)]
unsafe fn put_json_escape(to: *mut u8, byte: u8) -> *mut u8 {
    *to = b'\\';
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\t' => b't',
        b'\r' => b'r',
        8 => b'b',
        12 => b'f',
        _ => 0,
    };
    if short != 0 {
        *to.add(1) = short;
        return to.add(2);
    }
    *to.add(1) = b'u';
    *to.add(2) = b'0';
    *to.add(3) = b'0';
    *to.add(4) = b'0' + (byte >> 4);
    *to.add(5) = *HEX.as_ptr().add((byte & 15) as usize);
    to.add(6)
}
