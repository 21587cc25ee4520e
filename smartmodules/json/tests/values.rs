//! What values mean: texts, numbers, members.

mod documents;

use dataflare_json::{Number, Value, put_string, unescape};
use documents::Random;
use std::cmp::Ordering;

fn value(document: &str) -> Value<'_> {
    Value::parse(document.as_bytes()).unwrap()
}

fn text(document: &str) -> String {
    String::from_utf8(value(document).text_or_json(&mut Vec::new()).to_vec()).unwrap()
}

#[test]
fn texts_are_unescaped() {
    for (document, expected) in [
        (r#""plain""#, "plain"),
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""\u0041\u00e9\u20AC""#, "Aé€"),
        (r#""\ud83d\ude00!""#, "😀!"),
        (r#""\ud83d!""#, "\u{fffd}!"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
        (r#""\ud83d\n""#, "\u{fffd}\n"),
    ] {
        assert_eq!(expected, text(document), "{document}");
    }
}

#[test]
fn other_values_are_compact_json() {
    assert_eq!("1.50", text(" 1.50 "));
    assert_eq!("null", text("null"));
    let compact = r#"{"a b":[1,"x \" y"],"c":{}}"#;
    assert_eq!(
        compact,
        text("{ \"a b\" : [ 1 ,\n\"x \\\" y\" ] ,\t\"c\":{ } }")
    );
}

#[test]
fn any_text_returns_from_its_string() {
    let mut random = Random(1);
    for _ in 0..20_000 {
        let count = random.below(20);
        let any = |random: &mut Random| char::from_u32(random.below(0x300) as u32).unwrap_or('x');
        let text: String = (0..count).map(|_| any(&mut random)).collect();
        let mut string = Vec::new();
        put_string(&mut string, text.as_bytes());

        let expected: String = serde_json::from_slice(&string).unwrap();
        assert_eq!(expected, text);
        let mut back = Vec::new();
        unescape(&string[1..string.len() - 1], &mut back);
        assert_eq!(text.as_bytes(), back);
    }
}

#[test]
fn strings_mean_what_serde_json_says() {
    let mut random = Random(2);
    let parts = [
        "a",
        "é",
        "\\u00e9",
        "\\ud83d\\ude00",
        "\\n",
        "\\\\",
        "\\\"",
        "/",
        "12345678",
    ];
    for _ in 0..20_000 {
        let inside: String = (0..random.below(6)).map(|_| random.pick(&parts)).collect();
        let document = format!("\"{inside}\"");
        let expected: String = serde_json::from_str(&document).unwrap();
        assert_eq!(expected, text(&document));
    }
}

#[test]
fn numbers_compare_by_what_they_mean() {
    let ascending = [
        "-1e400",
        "-1e39",
        "-170141183460469231731687303715884105729",
        "-170141183460469231731687303715884105728",
        "-9223372036854775809",
        "-9223372036854775808",
        "-1.5",
        "-1",
        "-0.5",
        "0",
        "1e-300",
        "0.5",
        "1",
        "1.0000000000000002",
        "2",
        "9007199254740992",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551615",
        "99999999999999999999",
        "1e30",
        "1e38",
        "1e39",
        "1e400",
    ];
    let number = |text: &str| Number::parse(text.as_bytes());
    for (i, a) in ascending.iter().enumerate() {
        for (j, b) in ascending.iter().enumerate() {
            let equal_as_floats = a.contains("88410572") && b.contains("88410572");
            if !equal_as_floats {
                assert_eq!(i.cmp(&j), number(a).compare(number(b)), "{a} and {b}");
            }
        }
    }
    for (a, b) in [
        ("1", "1.0"),
        ("-0", "0.0"),
        ("0.0", "-0.0"),
        ("100", "1e2"),
        ("1e2", "10e1"),
    ] {
        assert_eq!(Ordering::Equal, number(a).compare(number(b)), "{a} and {b}");
    }
}

#[test]
fn members_and_elements_come_in_their_order() {
    let object = value(r#" { "a" : 1 , "\u0062":[ 2 ],"a":{"x":3} } "#);
    let members: Vec<_> = object
        .members()
        .map(|(name, value)| (name.text(&mut Vec::new()).to_vec(), value.raw()))
        .collect();
    let expected: [(&[u8], &[u8]); 3] = [(b"a", b"1"), (b"b", b"[ 2 ]"), (b"a", b"{\"x\":3}")];
    let members: Vec<(&[u8], &[u8])> = members
        .iter()
        .map(|(name, raw)| (&name[..], *raw))
        .collect();
    assert_eq!(expected, members[..]);

    let elements: Vec<_> = value("[ 1, [2,3] ,\"]\"]")
        .elements()
        .map(Value::raw)
        .collect();
    let expected: [&[u8]; 3] = [b"1", b"[2,3]", b"\"]\""];
    assert_eq!(expected, elements[..]);
    assert_eq!(
        0,
        value("[]").elements().count() + value("{}").members().count()
    );
    assert_eq!(
        0,
        value("{\"a\":1}").elements().count() + value("[1]").members().count()
    );
}
