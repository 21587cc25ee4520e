//! The last word on candidates: what looks like a number of some kind often is none.
//!
//! Each function returns the span that is right, which may be a part of the candidate's, or where
//! to look on. Candidates are short, or are left behind whole: the search stays linear.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

type Verdict = Result<Range<usize>, usize>;

fn byte(text: &[u8], index: Option<usize>) -> u8 {
    index
        .and_then(|index| text.get(index))
        .copied()
        .unwrap_or(b' ')
}

fn before(text: &[u8], span: &Range<usize>) -> u8 {
    byte(text, span.start.checked_sub(1))
}

fn after(text: &[u8], span: &Range<usize>) -> u8 {
    byte(text, Some(span.end))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Tells whether what is around a span makes it a part of something longer.
fn is_inside(text: &[u8], span: &Range<usize>) -> bool {
    is_word(before(text, span)) || is_word(after(text, span))
}

fn parses<T: std::str::FromStr>(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<T>().is_ok())
}

/// Four numbers that are not part of a longer version number.
pub fn ipv4(text: &[u8], span: Range<usize>) -> Verdict {
    let goes_on = after(text, &span) == b'.' && byte(text, Some(span.end + 1)).is_ascii_digit();
    let part = is_inside(text, &span) || before(text, &span) == b'.' || goes_on;
    if part || !parses::<Ipv4Addr>(&text[span.clone()]) {
        return Err(span.start + 1);
    }
    Ok(span)
}

/// An address with a digit in it, as words like `abc::def` have the same form.
pub fn ipv6(text: &[u8], span: Range<usize>) -> Verdict {
    let whole_end = span.end;
    let end = text[span.clone()]
        .iter()
        .rposition(|byte| !matches!(byte, b'.'));
    let mut span = span.start..span.start + end.map_or(0, |index| index + 1);
    if text[span.clone()].ends_with(b":") && !text[span.clone()].ends_with(b"::") {
        span.end -= 1;
    }
    let address = &text[span.clone()];
    let has_digit = address.iter().any(u8::is_ascii_digit);
    if is_inside(text, &span) || !has_digit || !parses::<Ipv6Addr>(address) {
        return Err(whole_end);
    }
    Ok(span)
}

/// 13 to 19 digits, in groups maybe, that pass the Luhn test and are no decimals.
pub fn credit_card(text: &[u8], span: Range<usize>) -> Verdict {
    let whole = byte(text, span.start.checked_sub(2));
    if before(text, &span) == b'.' && whole.is_ascii_digit() {
        let decimals = text[span.clone()]
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        return Err(span.start + decimals.count());
    }
    longest(
        text,
        span,
        |byte| byte.is_ascii_digit(),
        |part| {
            let digits = part.iter().filter(|byte| byte.is_ascii_digit());
            let is_long_enough = digits.clone().count() >= 13;
            let sum: u32 = digits
                .rev()
                .enumerate()
                .map(|(index, digit)| {
                    let number = u32::from(digit - b'0') << (index & 1);
                    number / 10 + number % 10
                })
                .sum();
            is_long_enough && sum.is_multiple_of(10)
        },
    )
}

/// A number that the Social Security Administration could have given to somebody.
pub fn ssn(text: &[u8], span: Range<usize>) -> Verdict {
    let number = &text[span.clone()];
    let (area, group, serial) = (&number[..3], &number[4..6], &number[7..]);
    let never = matches!(area, b"000" | b"666" | [b'9', ..]) || group == b"00" || serial == b"0000";
    if never || is_in_number(text, &span) {
        return Err(span.start + 1);
    }
    Ok(span)
}

/// 15 to 34 letters and digits, in groups maybe, that pass the test of ISO 7064 (mod 97).
pub fn iban(text: &[u8], span: Range<usize>) -> Verdict {
    longest(text, span, is_word, |part| {
        let signs: Vec<u8> = part.iter().copied().filter(|byte| *byte != b' ').collect();
        let rotated = signs.iter().cycle().skip(4).take(signs.len());
        let rest = rotated.fold(0, |rest, sign| match char::from(*sign).to_digit(36) {
            Some(letter @ 10..) => (rest * 100 + letter) % 97,
            Some(digit) => (rest * 10 + digit) % 97,
            None => rest,
        });
        (15..=34).contains(&signs.len()) && rest == 1
    })
}

/// A number of 8 to 15 digits after a plus (after +1 it has 10), or one of North America.
pub fn phone(text: &[u8], span: Range<usize>) -> Verdict {
    if text[span.start] == b'+' {
        return longest(
            text,
            span,
            |byte| byte.is_ascii_digit(),
            |part| {
                let count = part.iter().filter(|byte| byte.is_ascii_digit()).count();
                if part[1] == b'1' {
                    count == 11
                } else {
                    (8..=15).contains(&count)
                }
            },
        );
    }
    if is_in_number(text, &span) {
        return Err(span.start + 1);
    }
    Ok(span)
}

fn is_in_number(text: &[u8], span: &Range<usize>) -> bool {
    let is_part = |byte: u8| is_word(byte) || byte == b'-';
    is_part(before(text, span)) || is_part(after(text, span))
}

/// Tries a candidate and what remains of it without its last groups, the longest part first: a
/// candidate may have swallowed what follows it.
fn longest(
    text: &[u8],
    span: Range<usize>,
    goes_on: fn(u8) -> bool,
    is_right: impl Fn(&[u8]) -> bool,
) -> Verdict {
    if !goes_on(before(text, &span)) {
        for end in (span.start + 1..=span.end).rev() {
            let part = span.start..end;
            let is_whole = goes_on(text[end - 1]) && !goes_on(after(text, &part));
            if is_whole && is_right(&text[part.clone()]) {
                return Ok(part);
            }
        }
    }
    Err(span.start + 1)
}
