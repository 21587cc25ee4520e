//! What is looked for in texts.

use crate::census::Census;
use crate::verify;
use dataflare_json::parse_list;
use dataflare_regex::Regex;
use std::ops::Range;

/// A pattern of ours: a regex finds candidates, and a function has the last word.
struct Builtin {
    name: &'static str,
    /// Whether a text can have any.
    possible: fn(&Census) -> bool,
    regex: &'static str,
    verify: Verify,
}

/// Returns the span of a candidate that is right, or where to look on.
type Verify = fn(&[u8], Range<usize>) -> Result<Range<usize>, usize>;

const BUILTINS: [Builtin; 8] = [
    Builtin {
        name: "email",
        possible: |census| census.has_ats(1) && census.has_dots(1),
        regex: r"[\w.%+\-]+@[\w\-]+(?:\.[\w\-]+)+",
        verify: |_, span| Ok(span),
    },
    Builtin {
        name: "ipv4",
        possible: |census| census.has_dots(3) && census.has_digits(4),
        regex: r"(?-u)\d{1,3}(?:\.\d{1,3}){3}",
        verify: verify::ipv4,
    },
    Builtin {
        name: "ipv6",
        possible: |census| census.has_colons(2) && census.has_digits(1),
        regex: r"(?-u)[[:xdigit:].]*:[[:xdigit:].]*:[[:xdigit:].:]*",
        verify: verify::ipv6,
    },
    Builtin {
        name: "credit-card",
        possible: |census| census.has_digits(13),
        regex: r"(?-u)[2-6](?:[ -]?\d){12,18}",
        verify: verify::credit_card,
    },
    Builtin {
        name: "ssn",
        possible: |census| census.has_digits(9),
        regex: r"(?-u)\d{3}(?:-\d{2}-| \d{2} )\d{4}",
        verify: verify::ssn,
    },
    Builtin {
        name: "iban",
        possible: |census| census.has_digits(2),
        regex: r"(?-u)[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]){11,30}",
        verify: verify::iban,
    },
    Builtin {
        name: "phone",
        possible: |census| census.has_digits(8),
        // International with a plus, or three, three and four digits as in North America.
        regex: concat!(
            r"(?-u)\+\d(?:[ .\-/]?\(?\d\)?){7,14}",
            r"|(?:1[ .\-])?(?:\(\d{3}\) ?|\d{3}[ .\-])\d{3}[ .\-]\d{4}",
        ),
        verify: verify::phone,
    },
    Builtin {
        name: "jwt",
        possible: |census| census.has_dots(2),
        regex: r"(?-u)eyJ[\w\-]+\.[\w\-]+\.[\w\-]*",
        verify: |_, span| Ok(span),
    },
];

pub struct Patterns(Vec<Pattern>);

struct Pattern {
    possible: fn(&Census) -> bool,
    regex: Regex,
    verify: Verify,
}

/// Reads a list of names.
pub fn parse_names(text: &str) -> Result<Vec<usize>, String> {
    parse_list(text, |name| {
        let found = BUILTINS.iter().position(|each| each.name == name);
        found.ok_or_else(|| {
            let names: Vec<_> = BUILTINS.iter().map(|each| each.name).collect();
            format!("it has to be one of {}", names.join(", "))
        })
    })
}

impl Patterns {
    /// Takes what `parse_names` returned, and a regex of the user's.
    pub fn new(builtins: Vec<usize>, regex: Option<Regex>) -> Self {
        let builtin = |index: usize| {
            let Builtin {
                possible,
                regex,
                verify,
                ..
            } = BUILTINS[index];
            let regex = Regex::new(regex).expect("our own patterns are right");
            Pattern {
                possible,
                regex,
                verify,
            }
        };
        let own = |regex| Pattern {
            possible: |_| true,
            regex,
            verify: |_, span| Ok(span),
        };
        Self(
            builtins
                .into_iter()
                .map(builtin)
                .chain(regex.map(own))
                .collect(),
        )
    }

    /// Leaves the spans of all that is found in `spans`, from left to right and apart.
    pub fn find(&self, text: &[u8], spans: &mut Vec<Range<usize>>) {
        spans.clear();
        let census = Census::of(text);
        for pattern in self.0.iter().filter(|each| (each.possible)(&census)) {
            pattern.find(text, spans);
        }
        spans.sort_unstable_by_key(|span| span.start);
        spans.dedup_by(|next, last| {
            let meets = next.start <= last.end;
            if meets {
                last.end = last.end.max(next.end);
            }
            meets
        });
    }
}

impl Pattern {
    fn find(&self, text: &[u8], spans: &mut Vec<Range<usize>>) {
        let mut at = 0;
        while let Some(found) = self.regex.find_at(text, at) {
            match (self.verify)(text, found.range()) {
                Ok(span) if span.is_empty() => at = span.end + 1,
                Ok(span) => {
                    at = span.end;
                    spans.push(span);
                }
                Err(next) => at = next,
            }
            if at > text.len() {
                break;
            }
        }
    }
}
