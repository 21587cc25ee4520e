//! JSON to values: strict, where jaq's own reader takes comments, `NaN` and more.

use dataflare_json::{NotJson, Scanner, Text, unescape};
use jaq_json::{Map, Num, Val};

/// Objects have few members as a rule, and tables that grow are made again and again.
const MEMBER_COUNT_EXPECTED: usize = 8;

/// Reads a whole document.
pub fn read(document: &[u8]) -> Result<Val, NotJson> {
    let mut scanner = Scanner::new(document);
    let value = value(&mut scanner, 0)?;
    scanner.finish()?;
    Ok(value)
}

/// Reads a value that is `depth` containers deep.
fn value(scanner: &mut Scanner, depth: u32) -> Result<Val, NotJson> {
    match scanner.peek() {
        b'{' => object(scanner, depth),
        b'[' => array(scanner, depth),
        b'"' => scanner.string().map(text),
        _ => Ok(match scanner.skip_value(depth)? {
            b"null" => Val::Null,
            b"true" => Val::Bool(true),
            b"false" => Val::Bool(false),
            digits => Val::Num(number(digits)),
        }),
    }
}

fn object(scanner: &mut Scanner, depth: u32) -> Result<Val, NotJson> {
    scanner.check_depth(depth)?;
    let mut members = Map::with_capacity_and_hasher(MEMBER_COUNT_EXPECTED, Default::default());
    let mut more = scanner.open(b'}');
    while more {
        let name = scanner.name()?;
        members.insert(text(name), value(scanner, depth + 1)?);
        more = scanner.next(b'}')?;
    }
    Ok(Val::obj(members))
}

fn array(scanner: &mut Scanner, depth: u32) -> Result<Val, NotJson> {
    scanner.check_depth(depth)?;
    let mut elements = Vec::new();
    let mut more = scanner.open(b']');
    while more {
        elements.push(value(scanner, depth + 1)?);
        more = scanner.next(b']')?;
    }
    Ok(Val::Arr(elements.into()))
}

fn text(text: Text) -> Val {
    if !text.escaped {
        return Val::utf8_str(text.raw.to_vec());
    }
    let mut plain = Vec::with_capacity(text.raw.len());
    unescape(text.raw, &mut plain);
    Val::utf8_str(plain)
}

/// Keeps what is no integer as it is written, as jq does until something is done with it.
fn number(digits: &[u8]) -> Num {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    Num::from_str_radix(text, 10).unwrap_or_else(|| Num::Dec(text.to_owned().into()))
}
