//! Parameters, and errors about them.

use dataflare_smartmodule::{Error, Param, Params};

const NEEDED: Param = Param::required("needed", "");
const CHOICE: Param = Param::optional("choice", "").default("a");
const FREE: Param = Param::optional("free", "");
const DECLARED: &[Param] = &[NEEDED, CHOICE, FREE];

fn params<'a>(given: &[(&'a str, &'a str)]) -> Params<'a> {
    Params::new(DECLARED, given.to_vec()).unwrap()
}

fn hint<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn what_is_not_given_has_its_default() {
    let params = params(&[("needed", "")]);

    assert_eq!(Some(""), params.get(&NEEDED));
    assert_eq!(Some("a"), params.get(&CHOICE));
    assert_eq!(None, params.get(&FREE));
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!("Missing param needed", hint(params(&[]).text(&NEEDED)));
}

#[test]
fn what_is_not_declared_is_refused() {
    let typo = Params::new(DECLARED, vec![("needed", ""), ("chioce", "a")]);
    let message = "Unknown param chioce: there are needed, choice, free";
    assert_eq!(message, hint(typo.map(drop)));

    let none = Params::new(&[], vec![("any", "")]);
    assert_eq!("Unknown param any: there are none", hint(none.map(drop)));
}

#[test]
fn what_is_wrong_is_shown_with_what_is_right() {
    let params = params(&[("choice", "c"), ("free", "yes")]);
    let choice = params.choice(&CHOICE, &[("a", 1), ("b", 2)]);
    let message = "Invalid param choice=c\n\nCaused by:\n    it has to be one of a, b";
    assert_eq!(message, hint(choice));

    let flag = params.optional_flag(&FREE);
    let message = "Invalid param free=yes\n\nCaused by:\n    it has to be one of true, false";
    assert_eq!(message, hint(flag));
}

#[test]
fn a_value_is_repeated_as_a_whole_or_not_at_all() {
    for (count, shown) in [
        (60, format!("={}\n", "é".repeat(60))),
        (61, " of 61 characters\n".into()),
        (1000, " of 1000 characters\n".into()),
    ] {
        let value = "é".repeat(count);
        let hint = hint(params(&[("needed", &value)]).parse(&NEEDED, str::parse::<u8>));

        assert!(hint.starts_with(&format!("Invalid param needed{shown}")));
        assert_eq!(count <= 60, hint.contains('é'));
    }
}

#[test]
fn one_cause_is_indented_and_several_are_numbered() {
    let one = Error::from("inner\nline").under("outer");
    assert_eq!("outer\n\nCaused by:\n    inner\n    line", one.to_string());

    let two = one.under("outermost");
    let text = "outermost\n\nCaused by:\n   0: outer\n   1: inner\n      line";
    assert_eq!(text, two.to_string());
}

#[test]
fn errors_of_others_come_with_their_sources() {
    let number = "x".parse::<i32>().unwrap_err();
    let error = Error::of(&std::io::Error::other(number)).under("Failed to read");

    let text = "Failed to read\n\nCaused by:\n    invalid digit found in string";
    assert_eq!(text, error.to_string());
}
