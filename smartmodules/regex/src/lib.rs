//! Regexes of parameters.
//!
//! The library's own errors show the pattern, line by line. It may be a secret, which hosts know
//! only as a whole: ours tell the place.

pub use regex::bytes::{CaptureLocations, Regex};

use regex_syntax::{Error, ParserBuilder, ast};

/// Compiles a regex for bytes. The error says what is wrong with it, and where.
pub fn parse_regex(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|error| describe(pattern).unwrap_or_else(|| too_big(&error)))
}

/// Reads the pattern once more, as the library keeps what it knows to itself.
fn describe(pattern: &str) -> Option<String> {
    let (problem, span) = match ParserBuilder::new().utf8(false).build().parse(pattern) {
        Err(Error::Parse(error)) => (error.kind().to_string(), *error.span()),
        Err(Error::Translate(error)) => (error.kind().to_string(), *error.span()),
        _ => return None,
    };
    let ast::Position { line, column, .. } = span.start;
    Some(format!("{problem} at line {line}, column {column}"))
}

fn too_big(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => error.to_string(),
        _ => "it is no regex".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(pattern: &str) -> String {
        parse_regex(pattern).unwrap_err()
    }

    #[test]
    fn what_is_wrong_and_where_is_told() {
        for (pattern, expected) in [
            ("(a", "unclosed group at line 1, column 1"),
            (
                "é|*",
                "repetition operator missing expression at line 1, column 3",
            ),
            (
                "(?x) a\n b{2,1}",
                "the start must be <= the end at line 2, column 3",
            ),
            (
                r"\p{Nosuch}",
                "Unicode property not found at line 1, column 1",
            ),
            (r"a\y", "unrecognized escape sequence at line 1, column 2"),
        ] {
            assert!(problem(pattern).contains(expected), "{}", problem(pattern));
        }
        assert!(problem(r"\w{500}{500}").contains("exceeds size limit"));
    }

    #[test]
    fn nothing_of_the_pattern_is_told() {
        for wrong in [
            "(SECRET",
            "(?P<SECRET",
            "(?P<SECRET>)(?P<SECRET>)",
            r"\p{SECRET}",
            "[SECRET",
            "(?SECRET)",
            r"\SECRET\y",
            "SECRET{2,1}",
            "[[:SECRET:]",
            "SECRET\nSECRET(",
        ] {
            assert!(!problem(wrong).contains("SECRET"), "{}", problem(wrong));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_matched() {
        assert!(parse_regex(r"(?-u:\xa9)").unwrap().is_match(b"\xa9"));
    }
}
