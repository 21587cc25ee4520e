//! What is JSON, and what is not.
//!
//! Invariants checked: exactly what serde_json takes is taken; nothing panics.

mod documents;

use dataflare_json::{Kind, NESTING_MAX, Value};
use documents::Random;

fn is_json(document: &[u8]) -> bool {
    Value::parse(document).is_ok()
}

/// Fails unless serde_json says the same. It stops at numbers that are too great for it, and at
/// halves of surrogate pairs, which are no text: about such documents it says nothing.
fn assert_judged_the_same(document: &[u8]) {
    let expected = match serde_json::from_slice::<serde_json::Value>(document) {
        Ok(_) => true,
        Err(error) if error.to_string().starts_with("number out of range") => return,
        Err(error) if error.to_string().contains("hex escape") => return,
        Err(_) => false,
    };
    assert_eq!(
        expected,
        is_json(document),
        "{}",
        String::from_utf8_lossy(document)
    );
}

fn problem(document: &str) -> String {
    Value::parse(document.as_bytes()).unwrap_err().to_string()
}

#[test]
fn documents_are_json_and_no_part_of_one_is() {
    let mut random = Random(1);
    for _ in 0..3_000 {
        let document = random.document();
        assert!(is_json(document.as_bytes()), "{document}");

        let whole = document.trim_end();
        for length in 0..whole.len() {
            assert_judged_the_same(&whole.as_bytes()[..length]);
        }
    }
}

#[test]
fn documents_with_other_bytes_are_judged_as_by_serde_json() {
    let mut random = Random(2);
    let bytes = b"\"\\{}[]:,019-+.eEtrufalsn \n\x00\x1f\x7f\x80\xc3\xa9\xff";
    for _ in 0..100_000 {
        let mut document = random.document().into_bytes();
        for _ in 0..=random.below(2) {
            let index = random.below(document.len());
            document[index] = bytes[random.below(bytes.len())];
        }
        assert_judged_the_same(&document);
    }
}

#[test]
fn any_bytes_do_no_harm() {
    let mut random = Random(3);
    for _ in 0..50_000 {
        let count = random.below(40);
        let document: Vec<_> = (0..count).map(|_| random.next() as u8).collect();
        assert_judged_the_same(&document);
    }
}

#[test]
fn strings_end_wherever_they_end() {
    for length in 0..40 {
        for odd in ["", "é", "\\n", "\\\"", "\u{7f}"] {
            for at in 0..=length {
                let inside = format!("{}{odd}{}", "x".repeat(at), "y".repeat(length - at));
                let document = format!("[\"{inside}\"]");
                let value = Value::parse(document.as_bytes()).unwrap();
                let raw = value.elements().next().unwrap().raw();
                assert_eq!(format!("\"{inside}\"").as_bytes(), raw);
            }
        }
    }
}

#[test]
fn half_a_surrogate_pair_is_json() {
    assert!(is_json(br#""\ud83d""#));
}

#[test]
fn nesting_has_a_limit() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested = |depth: usize| open.repeat(depth) + "1" + &close.repeat(depth);
        assert!(is_json(nested(NESTING_MAX as usize).as_bytes()));
        assert!(problem(&nested(NESTING_MAX as usize + 1)).ends_with("it is nested too deep"));
        assert!(!is_json(open.repeat(1 << 20).as_bytes()));
    }
}

#[test]
fn a_problem_has_a_place() {
    for (document, expected) in [
        ("", "not JSON at byte 0: it ends too early"),
        ("text", "not JSON at byte 0: a value is missing"),
        ("[1,]", "not JSON at byte 3: a value is missing"),
        (
            "[1 2]",
            "not JSON at byte 3: a comma or a bracket is missing",
        ),
        ("{a:1}", "not JSON at byte 1: a name in quotes is missing"),
        ("{\"a\" 1}", "not JSON at byte 5: a colon is missing"),
        ("{\"a\":1}}", "not JSON at byte 7: more than one value"),
        ("01", "not JSON at byte 1: more than one value"),
        ("-", "not JSON at byte 1: it ends too early"),
        ("1.x", "not JSON at byte 2: a digit is missing"),
        (
            "\"\n\"",
            "not JSON at byte 1: a control character is in a string",
        ),
        ("\"\\x\"", "not JSON at byte 2: there is no such escape"),
        (
            "\"\\u12g4\"",
            "not JSON at byte 5: a hexadecimal digit is missing",
        ),
    ] {
        assert_eq!(expected, problem(document), "{document}");
    }
    let error = Value::parse(b"\"ab\xff\"").unwrap_err();
    assert_eq!("not JSON at byte 3: it is not UTF-8", error.to_string());
}

#[test]
fn values_tell_their_kind() {
    for (document, kind) in [
        (" null ", Kind::Null),
        ("true", Kind::Bool),
        ("-1", Kind::Number),
        ("\"\"", Kind::String),
        ("[]", Kind::Array),
        ("{}", Kind::Object),
    ] {
        assert_eq!(kind, Value::parse(document.as_bytes()).unwrap().kind());
    }
}
