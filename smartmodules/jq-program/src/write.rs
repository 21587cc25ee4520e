//! Values to compact JSON.

use dataflare_json::{Kind, Value, put_string};
use dataflare_smartmodule::Result;
use jaq_json::{Num, Val};
use std::io::Write;

/// Appends a value as JSON, or fails if JSON has no such value.
///
/// As in jq, `nan` becomes null and `infinite` the greatest number there is.
pub fn put_json(out: &mut Vec<u8>, value: &Val) -> Result<()> {
    match value {
        Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(true) => out.extend_from_slice(b"true"),
        Val::Bool(false) => out.extend_from_slice(b"false"),
        Val::Num(number) => put_number(out, number),
        Val::TStr(text) => put_string(out, String::from_utf8_lossy(text).as_bytes()),
        Val::BStr(_) => return Err(format!("JSON has no bytes: {value}").into()),
        Val::Arr(elements) => {
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                put_json(out, element)?;
            }
            out.push(b']');
        }
        Val::Obj(members) => {
            out.push(b'{');
            for (index, (name, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                if !matches!(name, Val::TStr(_)) {
                    return Err(format!("{name} cannot be a name in an object").into());
                }
                put_json(out, name)?;
                out.push(b':');
                put_json(out, value)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn put_number(out: &mut Vec<u8>, number: &Num) {
    match number {
        Num::Float(float) if float.is_nan() => out.extend_from_slice(b"null"),
        Num::Float(float) if float.is_infinite() => put(out, f64::MAX.copysign(*float)),
        // A decimal is kept as it was written, in a string maybe: `"+1.50" | tonumber`.
        Num::Dec(text) if !is_json(text) => put_number(out, &Num::from_dec_str(text)),
        _ => write!(out, "{number}").expect("memory takes everything"),
    }
}

fn put(out: &mut Vec<u8>, float: f64) {
    write!(out, "{float:?}").expect("memory takes everything");
}

fn is_json(text: &str) -> bool {
    Value::parse(text.as_bytes()).is_ok_and(|value| value.kind() == Kind::Number)
}
