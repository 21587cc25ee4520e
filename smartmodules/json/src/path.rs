//! Paths: `user.name`, `.user.name`, `$.user.name`, `items[0].id`, `["odd.key"].x`, `a[*].b`.
//!
//! A path may be a part of a secret, so its errors tell places and repeat nothing.

use crate::list::{numbered, texts};
use crate::scan::{NESTING_MAX, Scanner};
use crate::string::unescape;
use crate::value::{Kind, Value};

/// One step further into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Name(Box<[u8]>),
    Index(usize),
    /// All elements of an array.
    Each,
}

/// A way from the whole document to a value in it. `.` is the document itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub(crate) steps: Vec<Step>,
}

/// What ends a name that is not in quotes.
const ENDS: [char; 4] = ['.', '[', ']', '"'];

impl Path {
    /// Reads a path to one value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = Self::parse_many(text)?;
        if path.steps.contains(&Step::Each) {
            return Err("it has [*] in it, and has to lead to one value".into());
        }
        Ok(path)
    }

    /// Reads a path that may have `[*]` in it.
    pub fn parse_many(text: &str) -> Result<Self, String> {
        let whole = text.trim_end();
        let mut rest = strip_root(text.trim())?;
        let mut steps = Vec::new();
        if rest == "." {
            return Ok(Self { steps });
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        loop {
            let step;
            (step, rest) = match rest.strip_prefix('[') {
                Some(inside) => parse_bracket(inside, whole)?,
                None => parse_name(rest, whole)?,
            };
            steps.push(step);
            if steps.len() > NESTING_MAX as usize {
                return Err(format!("it has more than {NESTING_MAX} steps"));
            }
            if rest.is_empty() {
                return Ok(Self { steps });
            }
            if !rest.starts_with('[') {
                let after = rest.strip_prefix('.');
                rest =
                    after.ok_or_else(|| format!("a dot is missing {}", at(rest.len(), whole)))?;
            }
        }
    }

    /// Returns the names on the way; `None` if elements of arrays are on it.
    pub fn into_names(self) -> Option<Box<[Box<[u8]>]>> {
        let names = self.steps.into_iter().map(|step| match step {
            Step::Name(name) => Some(name),
            Step::Index(_) | Step::Each => None,
        });
        names.collect()
    }

    /// Reads a JSON array of paths, or paths with commas between them.
    pub fn parse_list(
        text: &str,
        parse: fn(&str) -> Result<Self, String>,
    ) -> Result<Vec<Self>, String> {
        match texts(text) {
            Some(listed) if !is_index(text) => numbered(listed?, |each| parse(&each)),
            _ => numbered(split_list(text), parse),
        }
    }
}

/// Takes away JSONPath's `$`, which is the document as our `.` is, from before its first step.
fn strip_root(text: &str) -> Result<&str, String> {
    match text.strip_prefix('$') {
        Some("") => {
            Err("the whole document is . and a field with the name $ is [\"$\"]".to_owned())
        }
        Some(".") => Err("a name is missing after $.".to_owned()),
        Some(steps) if steps.starts_with(['.', '[']) => Ok(steps),
        _ => Ok(text),
    }
}

/// Tells where the last bytes of `whole` begin.
fn at(rest_bytes: usize, whole: &str) -> String {
    let before = &whole[..whole.len() - rest_bytes];
    format!("at character {}", before.chars().count() + 1)
}

/// Tells whether a text is a path to an element of the document, which looks like a list.
fn is_index(text: &str) -> bool {
    let list = Value::parse(text.as_bytes()).ok();
    let mut elements = list.into_iter().flat_map(Value::elements);
    let first = elements.next();
    first.is_some_and(|each| each.kind() == Kind::Number) && elements.next().is_none()
}

fn parse_name<'a>(rest: &'a str, whole: &str) -> Result<(Step, &'a str), String> {
    let (name, after) = rest.split_at(rest.find(ENDS).unwrap_or(rest.len()));
    if name.is_empty() {
        return Err(format!("a name is missing {}", at(rest.len(), whole)));
    }
    Ok((Step::Name(name.as_bytes().into()), after))
}

fn parse_bracket<'a>(inside: &'a str, whole: &str) -> Result<(Step, &'a str), String> {
    let bracket = || format!("the bracket {}", at(inside.len() + 1, whole));
    let unclosed = || format!("{} is not closed", bracket());
    if inside.starts_with('"') {
        let mut scanner = Scanner::new(inside.as_bytes());
        let name = scanner
            .string()
            .map_err(|error| format!("{} has a name in it: {}", bracket(), error.problem))?;
        let mut text = Vec::new();
        unescape(name.raw, &mut text);
        let after = inside[scanner.position()..]
            .strip_prefix(']')
            .ok_or_else(unclosed)?;
        return Ok((Step::Name(text.into()), after));
    }
    let (index, after) = inside.split_once(']').ok_or_else(unclosed)?;
    if index == "*" {
        return Ok((Step::Each, after));
    }
    let number = index.parse().map_err(|_| {
        let expected = "an index, a name in double quotes or *";
        format!("{} has to have {expected} in it", bracket())
    })?;
    Ok((Step::Index(number), after))
}

/// Splits at the commas that are not in quotes.
fn split_list(text: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(move |character| {
        let ends = character == ',' && !quoted;
        quoted ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    })
}
