//! Lists in parameters: texts with commas between them, or JSON, which is what becomes of a list
//! in a file of YAML.

use crate::value::Kind;
use crate::value::Value;

/// Reads a JSON array of strings as they are, or texts with commas and maybe blanks between them.
pub fn parse_list<T>(
    text: &str,
    mut parse: impl FnMut(&str) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    match texts(text) {
        Some(listed) => numbered(listed?, |each| parse(&each)),
        None => numbered(text.split(',').map(str::trim), parse),
    }
}

/// Reads items; an error tells which one it is about.
pub fn numbered<I, T>(
    items: impl IntoIterator<Item = I>,
    mut read: impl FnMut(I) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let items = items.into_iter().enumerate();
    let mut read =
        |(index, item)| read(item).map_err(|problem| format!("item {}: {problem}", index + 1));
    items.map(|item| read(item)).collect()
}

/// Returns the texts of a JSON array; of anything else `None`.
pub(crate) fn texts(text: &str) -> Option<Result<Vec<String>, String>> {
    let list = Value::parse(text.as_bytes()).ok()?;
    if list.kind() != Kind::Array {
        return None;
    }
    let listed = numbered(list.elements(), |each| {
        let mut scratch = Vec::new();
        let text = each.text(&mut scratch).ok_or("it has to be a string")?;
        Ok(String::from_utf8_lossy(text).into_owned())
    });
    Some(listed.and_then(|listed| match listed.is_empty() {
        true => Err("the list is empty".into()),
        false => Ok(listed),
    }))
}
