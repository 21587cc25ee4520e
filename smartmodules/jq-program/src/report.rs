//! What is wrong with a program, and where.
//!
//! A program may be a secret, which hosts know only as a whole: nothing of it is repeated.

use jaq_core::{compile, load};

/// Describes the first error of reading a program.
pub fn load(code: &str, errors: load::Errors<&str, ()>) -> String {
    let mut problems = errors.into_iter().flat_map(|(_, error)| match error {
        load::Error::Io(errors) => errors.into_iter().map(module).collect(),
        load::Error::Lex(errors) => errors.into_iter().map(lex).collect(),
        load::Error::Parse(errors) => errors.into_iter().map(parse).collect::<Vec<_>>(),
    });
    first(code, problems.next())
}

/// Describes the first error of compiling a program.
pub fn compile(code: &str, errors: compile::Errors<&str, ()>) -> String {
    let mut problems = errors
        .into_iter()
        .flat_map(|(_, errors)| errors)
        .map(undefined);
    first(code, problems.next())
}

/// A message, and the part of the program that it is about.
type Problem<'a> = (String, &'a str);

fn first(code: &str, problem: Option<Problem>) -> String {
    let Some((message, part)) = problem else {
        return "it is no jq program".into();
    };
    let at = load::span(code, part).start;
    let before = &code[..at];
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    let end = if part.is_empty() { ", at the end" } else { "" };
    format!("{message} at line {line}, column {column}{end}")
}

fn module((path, problem): (&str, String)) -> Problem<'_> {
    (format!("a module: {problem}"), path)
}

fn lex<'a>((expected, found): load::lex::Error<&'a str>) -> Problem<'a> {
    (format!("expected {}", expected.as_str()), found)
}

fn parse<'a>((expected, found): load::parse::Error<&'a str>) -> Problem<'a> {
    (format!("expected {}", expected.as_str()), found)
}

fn undefined<'a>((found, kind): compile::Error<&'a str>) -> Problem<'a> {
    let message = match kind {
        compile::Undefined::Filter(arity) => format!("undefined filter with arity {arity}"),
        other => format!("undefined {}", other.as_str()),
    };
    (message, found)
}
