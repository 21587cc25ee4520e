//! Paths: `user.name`, `.user.name`, `items[0].id`, `["odd.key"].x`, `a[*].b`.

use crate::scan::{NESTING_MAX, Scanner};
use crate::string::unescape;

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
            return Err(format!("{text} has [*] in it: it has to lead to one value"));
        }
        Ok(path)
    }

    /// Reads a path that may have `[*]` in it.
    pub fn parse_many(text: &str) -> Result<Self, String> {
        let mut rest = text.trim();
        let mut steps = Vec::new();
        if rest == "." {
            return Ok(Self { steps });
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
        loop {
            let step;
            (step, rest) = match rest.strip_prefix('[') {
                Some(inside) => parse_bracket(inside, text)?,
                None => parse_name(rest, text)?,
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
                rest = after.ok_or_else(|| format!("{text} has no dot before {rest}"))?;
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

    /// Reads paths with commas between them.
    pub fn parse_list(
        text: &str,
        parse: fn(&str) -> Result<Self, String>,
    ) -> Result<Vec<Self>, String> {
        split_list(text).map(parse).collect()
    }
}

fn parse_name<'a>(rest: &'a str, whole: &str) -> Result<(Step, &'a str), String> {
    let (name, after) = rest.split_at(rest.find(ENDS).unwrap_or(rest.len()));
    if name.is_empty() {
        return Err(format!("{whole} lacks a name before {rest:?}"));
    }
    Ok((Step::Name(name.as_bytes().into()), after))
}

fn parse_bracket<'a>(inside: &'a str, whole: &str) -> Result<(Step, &'a str), String> {
    let unclosed = || format!("{whole} lacks a closing bracket");
    if inside.starts_with('"') {
        let mut scanner = Scanner::new(inside.as_bytes());
        let name = scanner
            .string()
            .map_err(|problem| format!("{whole}: {problem}"))?;
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
        format!("{whole} has [{index}] in it: an index, a name in quotes or * is expected")
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
