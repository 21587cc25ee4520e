//! Values of one type as those of another.

use dataflare_json::{Kind, Number, Value, put_string};
use std::io::Write;

#[derive(Clone, Copy)]
pub enum Type {
    Int,
    Float,
    String,
    Bool,
}

pub const TYPES: [(&str, Type); 4] = [
    ("int", Type::Int),
    ("float", Type::Float),
    ("string", Type::String),
    ("bool", Type::Bool),
];

/// Returns a value as another type, or `None` if there is no way. Null remains null.
pub fn cast(value: Value, to: Type) -> Option<Vec<u8>> {
    let mut scratch = Vec::new();
    if value.kind() == Kind::Null {
        return Some(value.raw().into());
    }
    let text = value.text_or_json(&mut scratch);
    match to {
        Type::Int => int(text),
        Type::Float => float(text),
        Type::Bool => bool(text),
        Type::String => {
            let mut out = Vec::new();
            put_string(&mut out, text);
            Some(out)
        }
    }
}

/// The text of a number, blanks around it or not.
fn number(text: &[u8]) -> Option<&[u8]> {
    let value = Value::parse(text)
        .ok()
        .filter(|value| value.kind() == Kind::Number)?;
    Some(value.raw())
}

fn int(text: &[u8]) -> Option<Vec<u8>> {
    match text {
        b"true" => return Some(b"1".to_vec()),
        b"false" => return Some(b"0".to_vec()),
        _ => {}
    }
    let text = number(text)?;
    match Number::parse(text) {
        Number::Integer(_) => Some(text.into()),
        // What has digits after the point is no integer, unless they say nothing.
        Number::Float(float) => {
            let integer = float as i64;
            let mut out = Vec::new();
            write!(out, "{integer}").expect("memory takes everything");
            (integer as f64 == float && integer.unsigned_abs() <= 1 << 53).then_some(out)
        }
    }
}

/// A number with a point or an exponent.
fn float(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = number(text)?.to_vec();
    if out
        .iter()
        .all(|byte| byte.is_ascii_digit() || *byte == b'-')
    {
        out.extend_from_slice(b".0");
    }
    Some(out)
}

fn bool(text: &[u8]) -> Option<Vec<u8>> {
    let word = match text {
        b"true" | b"1" => "true",
        b"false" | b"0" => "false",
        _ => return None,
    };
    Some(word.into())
}
