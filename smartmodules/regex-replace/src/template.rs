//! Replacements: literal text with groups of the match in between.

use dataflare_regex::{CaptureLocations, Regex};

pub struct Template(Vec<Part>);

enum Part {
    Literal(Vec<u8>),
    Group(usize),
}

impl Template {
    /// Reads a replacement; groups that `regex` lacks are an error.
    pub fn parse(text: &str, regex: &Regex) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            parts.push(Part::Literal(before.into()));
            let name;
            (name, rest) = split_name(after);
            if name.is_empty() {
                rest = rest.strip_prefix('$').unwrap_or(rest);
                parts.push(Part::Literal(b"$".to_vec()));
                continue;
            }
            let index = group(name, regex).ok_or_else(|| {
                let place = text.chars().count() - after.chars().count();
                format!("the regex has no such group as at character {place}")
            })?;
            parts.push(Part::Group(index));
        }
        parts.push(Part::Literal(rest.into()));
        Ok(Self(parts))
    }

    /// Appends the replacement of one match.
    pub fn put(&self, text: &[u8], groups: &CaptureLocations, out: &mut Vec<u8>) {
        for part in &self.0 {
            match part {
                Part::Literal(literal) => out.extend_from_slice(literal),
                Part::Group(index) => {
                    let (start, end) = groups.get(*index).unwrap_or_default();
                    out.extend_from_slice(&text[start..end]);
                }
            }
        }
    }
}

/// Splits what follows a dollar into the name of a group, maybe in braces, and the rest.
fn split_name(text: &str) -> (&str, &str) {
    if let Some((name, rest)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return (name, rest);
    }
    let is_in_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let end = text.bytes().position(|byte| !is_in_name(byte));
    text.split_at(end.unwrap_or(text.len()))
}

fn group(name: &str, regex: &Regex) -> Option<usize> {
    let by_number = name
        .parse()
        .ok()
        .filter(|index| *index < regex.captures_len());
    let mut names = regex.capture_names();
    let by_name = || names.position(|each| each == Some(name));
    by_number.or_else(by_name)
}
