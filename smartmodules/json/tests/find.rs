//! Values by their paths, compared with what a tree says.
//!
//! Invariants checked: of members with the same name the last one is found; several paths find
//! what each finds alone; a visitor sees all of them.

mod documents;

use dataflare_json::{Field, Fields, Path, Paths, Visitor};
use documents::Random;
use std::ops::Range;

const PATHS: [&str; 14] = [
    ".",
    "a",
    "b",
    "a.b",
    "a.a",
    "a.b.a",
    "[0]",
    "[1].a",
    "a[0]",
    "a[2].b",
    "é",
    "[\"c d\"]",
    "[\"\\u0061\"][\"b\"]",
    ".b[0][1]",
];

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// Finds a value in a tree, by a pointer that means the same as the path.
fn expected(tree: &serde_json::Value, path: &str) -> Option<serde_json::Value> {
    let pointer = match path {
        "." => String::new(),
        "[\"c d\"]" => "/c d".into(),
        "[\"\\u0061\"][\"b\"]" => "/a/b".into(),
        path => path
            .replace(['.', '['], "/")
            .replace(']', "")
            .trim_start_matches('/')
            .into(),
    };
    let pointer = if pointer.is_empty() {
        pointer
    } else {
        format!("/{}", pointer.trim_start_matches('/'))
    };
    let mut at = tree;
    // A pointer takes numbers as names, too; paths tell them apart.
    for step in pointer.split('/').skip(1) {
        at = match at {
            serde_json::Value::Array(elements) => elements.get(step.parse::<usize>().ok()?)?,
            serde_json::Value::Object(members) => members
                .get(step)
                .filter(|_| step.parse::<usize>().is_err())?,
            _ => return None,
        };
    }
    Some(at.clone())
}

fn tree(json: &[u8]) -> serde_json::Value {
    serde_json::from_slice(json).unwrap()
}

#[test]
fn a_path_finds_what_is_there() {
    let mut random = Random(1);
    let mut found_count = 0;
    for _ in 0..10_000 {
        let document = random.document();
        let whole = tree(document.as_bytes());
        for text in PATHS {
            let found = Field::new(path(text)).find(document.as_bytes()).unwrap();
            let found = found.map(|value| tree(value.raw()));
            found_count += usize::from(found.is_some());
            assert_eq!(expected(&whole, text), found, "{text} in {document}");
        }
    }
    assert!(found_count > 10_000, "most of it was about nothing");
}

#[test]
fn many_paths_find_what_each_finds_alone() {
    let mut random = Random(2);
    for _ in 0..3_000 {
        let chosen: Vec<_> = (0..1 + random.below(8))
            .map(|_| random.pick(&PATHS))
            .collect();
        let paths: Vec<_> = chosen.iter().map(|text| path(text)).collect();
        let mut fields = Fields::new(&paths);
        for _ in 0..3 {
            let document = random.document();
            let whole = tree(document.as_bytes());
            let found = fields.find(document.as_bytes()).unwrap();
            let found: Vec<_> = found
                .map(|value| value.map(|value| tree(value.raw())))
                .collect();
            let expected: Vec<_> = chosen.iter().map(|text| expected(&whole, text)).collect();
            assert_eq!(expected, found, "{chosen:?} in {document}");
        }
    }
}

#[test]
fn what_is_not_json_is_noticed_wherever_it_is() {
    let field = Field::parse("a.b").unwrap();
    for document in [
        "{\"a\":{\"b\":1}",
        "{\"a\":{\"b\":1}} 2",
        "{\"a\":{\"b\":01}}",
        "{\"c\":[}",
    ] {
        assert!(field.find(document.as_bytes()).is_err(), "{document}");
    }
}

struct Seen(Vec<Range<usize>>);

impl Visitor for Seen {
    fn enter(&mut self, _: Range<usize>) {}

    fn visit(&mut self, _: usize, span: Range<usize>) {
        self.0.push(span);
    }
}

#[test]
fn a_visitor_sees_every_value() {
    let document = br#"{"a":[{"b":1},{"b":2,"b":3}],"a":{"b":4}, "\u0061":[{"b":5}]}"#;
    let paths = ["a[*].b", "a[0].b"].map(|text| Path::parse_many(text).unwrap());
    let mut seen = Seen(Vec::new());
    Paths::new(&paths).walk(document, &mut seen).unwrap();

    let mut values: Vec<_> = seen.0.into_iter().map(|span| &document[span]).collect();
    values.sort();
    assert_eq!([b"1", b"1", b"2", b"3", b"5", b"5"], values[..]);
}

#[test]
fn paths_of_all_forms_are_read() {
    for same in [
        "user.name",
        ".user.name",
        "[\"user\"].name",
        "user[\"name\"]",
        ".[\"us\\u0065r\"].name",
    ] {
        assert_eq!(path("user.name"), path(same), "{same}");
    }
    assert_eq!(path("."), Path::parse(" . ").unwrap());
    let list = Path::parse_list("a, b[\"x,y\"] ,[\"\\\",\"]", Path::parse).unwrap();
    assert_eq!(
        [path("a"), path("b[\"x,y\"]"), path("[\"\\\",\"]")],
        list[..]
    );
}

#[test]
fn what_is_no_path_is_told() {
    for (text, expected) in [
        ("", " lacks a name before \"\""),
        ("a..b", "a..b lacks a name before \".b\""),
        ("a.", "a. lacks a name before \"\""),
        ("a[0", "a[0 lacks a closing bracket"),
        ("a[0]b", "a[0]b has no dot before b"),
        (
            "a[-1]",
            "a[-1] has [-1] in it: an index, a name in quotes or * is expected",
        ),
        (
            "a[x]",
            "a[x] has [x] in it: an index, a name in quotes or * is expected",
        ),
        (
            "a[*].b",
            "a[*].b has [*] in it: it has to lead to one value",
        ),
        ("[\"a]", "[\"a]: not JSON at byte 3: it ends too early"),
        ("a]", "a] has no dot before ]"),
    ] {
        assert_eq!(Err(expected.to_owned()), Path::parse(text), "{text}");
    }
    assert!(
        Path::parse(&"a.".repeat(1000))
            .unwrap_err()
            .contains("more than 128 steps")
    );
}

#[test]
fn any_text_does_no_harm_as_a_path() {
    let mut random = Random(4);
    let parts = [
        "a", ".", "[", "]", "\"", "\\", "*", "0", "é", " ", ",", "\\u00",
    ];
    for _ in 0..50_000 {
        let text: String = (0..random.below(8)).map(|_| random.pick(&parts)).collect();
        let _ = Path::parse_list(&text, Path::parse_many);
    }
}
