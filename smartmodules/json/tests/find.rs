//! Values by their paths, compared with what a tree says.
//!
//! Invariants checked: of members with the same name the last one is found; several paths find
//! what each finds alone; a visitor sees all of them.

mod documents;

use dataflare_json::{Field, Fields, Path, Paths, Visitor, parse_list};
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
        "$.user.name",
        "$[\"user\"].name",
        " $.user[\"name\"] ",
    ] {
        assert_eq!(path("user.name"), path(same), "{same}");
    }
    assert_eq!(path("."), Path::parse(" . ").unwrap());
    for plain in ["$oid", "$oid.x", ".$.a", "a.$", "[\"$\"].a"] {
        let names = path(plain).into_names().unwrap();
        assert!(names.iter().any(|name| name.starts_with(b"$")), "{plain}");
    }
    let list = Path::parse_list("a, b[\"x,y\"] ,[\"\\\",\"]", Path::parse).unwrap();
    assert_eq!(
        [path("a"), path("b[\"x,y\"]"), path("[\"\\\",\"]")],
        list[..]
    );
}

#[test]
fn what_is_no_path_is_told() {
    let index = "an index, a name in double quotes or * in it";
    for (text, expected) in [
        ("", "a name is missing at character 1"),
        ("é..b", "a name is missing at character 3"),
        (" a. ", "a name is missing at character 4"),
        ("a[0", "the bracket at character 2 is not closed"),
        ("a[\"b\"", "the bracket at character 2 is not closed"),
        ("a[0]b", "a dot is missing at character 5"),
        (
            "é[-1]",
            &format!("the bracket at character 2 has to have {index}"),
        ),
        (
            "a['x']",
            &format!("the bracket at character 2 has to have {index}"),
        ),
        ("a[*].b", "it has [*] in it, and has to lead to one value"),
        (
            "[\"a]",
            "the bracket at character 1 has a name in it: it ends too early",
        ),
        ("a]", "a dot is missing at character 2"),
        (
            "$",
            "the whole document is . and a field with the name $ is [\"$\"]",
        ),
        ("$.", "a name is missing after $."),
        ("$..a", "a name is missing at character 3"),
        ("$[0", "the bracket at character 2 is not closed"),
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
fn a_list_of_paths_may_be_json() {
    let list = |text| Path::parse_list(text, Path::parse);
    let pair = Ok(vec![path("ip"), path("user.name")]);

    assert_eq!(pair, list("ip,user.name"));
    assert_eq!(pair, list(r#"["ip","user.name"]"#));
    assert_eq!(pair, list(" [ \"ip\" , \"$.user\\u002ename\" ] "));
    assert_eq!(Ok(vec![path("a.b")]), list(r#"["a.b"]"#));
    // Paths that look like lists, but are none.
    assert_eq!(Ok(vec![path("[0]")]), list("[0]"));
    assert_eq!(Ok(vec![path("$[\"a.b\"]")]), list("$[\"a.b\"]"));
    assert_eq!(pair, list("[\"ip\"],[\"user\"].name"));
}

#[test]
fn an_item_of_a_list_that_is_wrong_is_told_by_its_number() {
    let list = |text| Path::parse_list(text, Path::parse).unwrap_err();

    assert_eq!("item 2: a name is missing at character 1", list("a,,b"));
    assert_eq!(
        "item 2: a name is missing at character 3",
        list("[\"a\",\"b.\"]")
    );
    assert_eq!("item 2: it has to be a string", list("[\"a\",1]"));
    assert_eq!("item 1: it has to be a string", list("[0,1]"));
    assert_eq!("the list is empty", list("[]"));
}

#[test]
fn a_list_of_names_may_be_json() {
    let list = |text| parse_list(text, |name| Ok(name.to_owned()));

    assert_eq!(Ok(vec!["a".into(), "b c".into()]), list(" a , b c "));
    assert_eq!(
        Ok(vec![" a".into(), "b,c".into()]),
        list("[\" a\", \"b,c\"]")
    );
    assert_eq!(Ok(vec!["[a".into(), "b]".into()]), list("[a,b]"));
    assert_eq!(Err("item 1: it has to be a string".into()), list("[0]"));
}

#[test]
fn no_error_repeats_a_part_of_a_path() {
    for wrong in [
        "hunter2..x",
        "hunter2[0]hunter2",
        "a[hunter2]",
        "[\"hunter2",
        "hunter2[",
        "$hunter2]",
    ] {
        let error = Path::parse(wrong).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn any_text_does_no_harm_as_a_path() {
    let mut random = Random(4);
    let parts = [
        "a", ".", "[", "]", "\"", "\\", "*", "0", "é", " ", ",", "\\u00", "$",
    ];
    for _ in 0..50_000 {
        let text: String = (0..random.below(8)).map(|_| random.pick(&parts)).collect();
        let _ = Path::parse_list(&text, Path::parse_many);
    }
}
