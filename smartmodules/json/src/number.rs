//! Numbers, compared by what they mean.

use std::cmp::Ordering;

/// A JSON number. Integers are exact up to 38 digits; the rest is the nearest float.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Integer(i128),
    Float(f64),
}

/// 2^127, the first float that no `i128` reaches.
const INTEGERS_END: f64 = -(i128::MIN as f64);

impl Number {
    /// Reads a number that is known to be JSON.
    pub fn parse(raw: &[u8]) -> Self {
        let (negative, digits) = match raw.strip_prefix(b"-") {
            Some(digits) => (true, digits),
            None => (false, raw),
        };
        // Almost all numbers there are: 18 digits always fit 64 bits.
        if digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit) {
            let number = digits
                .iter()
                .fold(0, |number, digit| number * 10 + i64::from(digit - b'0'));
            return Self::Integer(if negative { -number } else { number }.into());
        }
        let text = std::str::from_utf8(raw).unwrap_or_default();
        match text.parse() {
            Ok(integer) => Self::Integer(integer),
            Err(_) => Self::Float(text.parse().unwrap_or(f64::NAN)),
        }
    }

    /// Compares exactly, an integer with a float as well: 1 is 1.0.
    pub fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(&b),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (Self::Integer(a), Self::Float(b)) => compare_mixed(a, b),
            (Self::Float(a), Self::Integer(b)) => compare_mixed(b, a).reverse(),
        }
    }
}

fn compare_mixed(integer: i128, float: f64) -> Ordering {
    if float >= INTEGERS_END {
        return Ordering::Less;
    }
    if float < -INTEGERS_END {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    let fraction = 0.0_f64.total_cmp(&(float - whole));
    integer.cmp(&(whole as i128)).then(fraction)
}
