//! Sums: exact as long as everything is an integer of 64 bits, else the nearest float.

use crate::Result;
use dataflare_json::Number;
use std::io::Write;

#[derive(Clone, Copy)]
pub enum Sum {
    Integer(i128),
    Float(f64),
}

/// What has 64 bits, with a sign or without.
const INTEGERS: std::ops::RangeInclusive<i128> = i64::MIN as i128..=u64::MAX as i128;

impl Sum {
    /// A number of more than 64 bits is a float.
    pub fn of(number: Number) -> Result<Self> {
        match number {
            Number::Integer(integer) if INTEGERS.contains(&integer) => Ok(Self::Integer(integer)),
            Number::Integer(integer) => Ok(Self::Float(integer as f64)),
            Number::Float(float) if float.is_finite() => Ok(Self::Float(float)),
            Number::Float(_) => Err("a number is greater than floats can be".into()),
        }
    }

    pub fn plus(self, number: Number) -> Result<Self> {
        match (self, Self::of(number)?) {
            (Self::Integer(a), Self::Integer(b)) => Self::of(Number::Integer(a + b)),
            (a, b) => Self::of(Number::Float(a.to_float() + b.to_float())),
        }
    }

    pub fn to_float(self) -> f64 {
        match self {
            Self::Integer(integer) => integer as f64,
            Self::Float(float) => float,
        }
    }

    /// Appends the sum. Floats have a point or an exponent, so that they are read as such again.
    pub fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::Integer(integer) => put_integer(out, integer),
            Self::Float(float) => put_float(out, float),
        }
    }
}

pub fn put_integer(out: &mut Vec<u8>, integer: impl std::fmt::Display) {
    write!(out, "{integer}").expect("memory takes everything");
}

/// Appends the shortest text that is this float.
pub fn put_float(out: &mut Vec<u8>, float: f64) {
    write!(out, "{float:?}").expect("memory takes everything");
}
