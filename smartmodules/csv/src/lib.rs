//! Rows of CSV as RFC 4180 has them: one row is one record.

/// Reads the value of a parameter: what stands between two fields.
pub fn parse_delimiter(text: &str) -> Result<String, &'static str> {
    let text = match text {
        "tab" | "\\t" => "\t",
        _ => text,
    };
    let is_one = text.chars().count() == 1;
    if !is_one || matches!(text, "\"" | "\r" | "\n") {
        return Err("it has to be one character or the word tab; no quote and no line break");
    }
    Ok(text.into())
}

/// Appends a field, in quotes if it needs them. So does an empty one: without, it is missing.
pub fn put_field(out: &mut Vec<u8>, text: &[u8], delimiter: &str) {
    let has_delimiter = || {
        text.windows(delimiter.len())
            .any(|part| part == delimiter.as_bytes())
    };
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\r' | b'\n');
    if !text.is_empty() && !text.iter().any(is_special) && !has_delimiter() {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for (index, part) in text.split(|byte| *byte == b'"').enumerate() {
        out.extend_from_slice(if index > 0 { b"\"\"" } else { b"" });
        out.extend_from_slice(part);
    }
    out.push(b'"');
}

/// A field as it stands: if it is quoted, then without its quotes, but with doubled ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    pub raw: &'a str,
    pub quoted: bool,
}

impl<'a> Field<'a> {
    /// Returns the parts of what the field says. Between each two of them there is a quote.
    pub fn parts(self) -> impl Iterator<Item = &'a str> {
        self.raw.split("\"\"")
    }
}

/// Splits a row into its fields; a line break at its end does not count.
pub fn split<'a>(
    row: &'a str,
    delimiter: &'a str,
) -> impl Iterator<Item = Result<Field<'a>, &'static str>> {
    let row = row.strip_suffix('\n').unwrap_or(row);
    let mut rest = Some(row.strip_suffix('\r').unwrap_or(row));
    std::iter::from_fn(move || {
        let field = read_field(rest?, delimiter);
        rest = field.as_ref().ok().and_then(|(_, rest)| *rest);
        Some(field.map(|(field, _)| field))
    })
}

/// Reads the first field, and returns what follows its delimiter.
fn read_field<'a>(
    text: &'a str,
    delimiter: &str,
) -> Result<(Field<'a>, Option<&'a str>), &'static str> {
    let Some(inside) = text.strip_prefix('"') else {
        let (raw, rest) = match text.split_once(delimiter) {
            Some((raw, rest)) => (raw, Some(rest)),
            None => (text, None),
        };
        if raw.contains('"') {
            return Err("a quote is inside a field that is not in quotes");
        }
        return Ok((Field { raw, quoted: false }, rest));
    };
    let end = closing_quote(inside).ok_or("a closing quote is missing")?;
    let (raw, rest) = (&inside[..end], &inside[end + 1..]);
    let field = Field { raw, quoted: true };
    if rest.is_empty() {
        return Ok((field, None));
    }
    let rest = rest.strip_prefix(delimiter);
    rest.map(|rest| (field, Some(rest)))
        .ok_or("something follows a closing quote")
}

/// Finds the quote that is not doubled.
fn closing_quote(text: &str) -> Option<usize> {
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((index, byte)) = bytes.next() {
        if byte == b'"' && bytes.next_if(|(_, byte)| *byte == b'"').is_none() {
            return Some(index);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(row: &str, delimiter: &str) -> Result<Vec<String>, &'static str> {
        let text = |field: Field| field.parts().collect::<Vec<_>>().join("\"");
        split(row, delimiter).map(|field| field.map(text)).collect()
    }

    /// All texts of up to `length` of these characters.
    fn all_texts(length: usize) -> Vec<String> {
        let characters = ["a", "é", "\"", ",", "\n", "\r", " "];
        let mut texts = vec![String::new()];
        let mut last = texts.clone();
        for _ in 0..length {
            let longer = |text: &String| characters.map(|character| text.clone() + character);
            last = last.iter().flat_map(longer).collect();
            texts.extend(last.clone());
        }
        texts
    }

    #[test]
    fn any_texts_return_from_their_row() {
        let mut texts_of_rows = all_texts(3).into_iter();
        while let Some(first) = texts_of_rows.next() {
            let fields = [first, texts_of_rows.next().unwrap_or_default(), "x".into()];
            for delimiter in [",", ";", "é"] {
                let mut row = Vec::new();
                for (index, field) in fields.iter().enumerate() {
                    row.extend_from_slice(if index > 0 { delimiter.as_bytes() } else { b"" });
                    put_field(&mut row, field.as_bytes(), delimiter);
                }
                let row = String::from_utf8(row).unwrap();
                assert_eq!(Ok(fields.to_vec()), texts(&row, delimiter), "{row:?}");
            }
        }
    }

    #[test]
    fn any_row_is_split_or_refused() {
        for row in all_texts(5) {
            let _ = texts(&row, ",");
        }
    }

    #[test]
    fn quotes_tell_empty_from_missing() {
        let fields: Result<Vec<_>, _> = split(",\"\"", ",").collect();
        let expected = [(false, ""), (true, "")].map(|(quoted, raw)| Field { raw, quoted });
        assert_eq!(Ok(expected.to_vec()), fields);
    }

    #[test]
    fn one_line_break_at_the_end_does_not_count() {
        for (row, last) in [
            ("a,b\r\n", "b"),
            ("a,b\n", "b"),
            ("a,b\r", "b"),
            ("a,\"b\n\"\n", "b\n"),
        ] {
            assert_eq!(
                Ok(vec!["a".into(), last.into()]),
                texts(row, ","),
                "{row:?}"
            );
        }
    }

    #[test]
    fn a_delimiter_is_one_character() {
        assert_eq!(Ok("\t".into()), parse_delimiter("tab"));
        assert_eq!(Ok("\t".into()), parse_delimiter("\\t"));
        assert_eq!(Ok("é".into()), parse_delimiter("é"));
        for wrong in ["", ",,", "\"", "\n", "\r"] {
            assert!(parse_delimiter(wrong).is_err(), "{wrong:?}");
        }
    }
}
