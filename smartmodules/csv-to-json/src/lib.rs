//! csv-to-json: makes rows of CSV JSON objects. Each record is one row, and none is a header.

use dataflare_csv::{Field, parse_delimiter, split};
use dataflare_json::{Invalid, Kind, Value, parse_list, put_escaped, put_string};
use dataflare_smartmodule::{
    Error, FilterMap, Output, Param, Params, Record, Result, SmartModule, smartmodule,
};

const COLUMNS: Param =
    Param::required("columns", "the names of the fields, a list").example("id,name,price");
const DELIMITER: Param =
    Param::optional("delimiter", "the character between two fields, or tab").default(",");
const TYPES: Param = Param::optional(
    "types",
    "auto makes what is not in quotes a number, true, false or (if empty) null; string does not",
)
.default("auto");
const INVALID: Param = Param::optional(
    "invalid",
    "what becomes of a record that is not a row with that many fields: error or drop",
)
.default("error");

struct CsvToJson {
    /// The beginning of each member: its name as JSON, and the colon.
    members: Vec<Vec<u8>>,
    delimiter: String,
    typed: bool,
    invalid: Invalid,
    object: Vec<u8>,
}

impl SmartModule for CsvToJson {
    const PARAMS: &'static [Param] = &[COLUMNS, DELIMITER, TYPES, INVALID];

    fn new(params: &Params) -> Result<Self> {
        Ok(Self {
            members: params.parse(&COLUMNS, |text| parse_list(text, member))?,
            delimiter: params.parse(&DELIMITER, parse_delimiter)?,
            typed: params.choice(&TYPES, &[("auto", true), ("string", false)])?,
            invalid: Invalid::droppable(params, &INVALID)?,
            object: Vec::new(),
        })
    }
}

fn member(name: &str) -> std::result::Result<Vec<u8>, String> {
    let mut member = Vec::new();
    put_string(&mut member, name.as_bytes());
    member.push(b':');
    Ok(member)
}

impl FilterMap for CsvToJson {
    fn filter_map<'a>(&'a mut self, record: &Record<'a>) -> Result<Option<Output<'a>>> {
        if let Err(error) = self.convert(record.value) {
            return self.invalid.nothing(error);
        }
        let key = record.key;
        let value = &self.object;
        Ok(Some(Output { key, value }))
    }
}

impl CsvToJson {
    fn convert(&mut self, row: &[u8]) -> Result<()> {
        let row = std::str::from_utf8(row).map_err(|error| Error::of(&error))?;
        let mut members = self.members.iter();
        let mut count = 0;
        self.object.clear();
        for field in split(row, &self.delimiter) {
            let field = field?;
            count += 1;
            if let Some(member) = members.next() {
                self.object.push(if count == 1 { b'{' } else { b',' });
                self.object.extend_from_slice(member);
                put_value(&mut self.object, field, self.typed);
            }
        }
        self.object.push(b'}');
        if count != self.members.len() {
            let expected = self.members.len();
            return Err(format!("the row has {count} fields instead of {expected}").into());
        }
        Ok(())
    }
}

fn put_value(out: &mut Vec<u8>, field: Field, typed: bool) {
    if typed && !field.quoted {
        let word = field.raw.trim();
        if word.is_empty() {
            out.extend_from_slice(b"null");
            return;
        }
        let value = Value::parse(word.as_bytes()).ok();
        if value.is_some_and(|value| matches!(value.kind(), Kind::Number | Kind::Bool)) {
            out.extend_from_slice(word.as_bytes());
            return;
        }
    }
    out.push(b'"');
    for (index, part) in field.parts().enumerate() {
        out.extend_from_slice(if index > 0 { b"\\\"" } else { b"" });
        put_escaped(out, part.as_bytes());
    }
    out.push(b'"');
}

smartmodule!(filter_map: CsvToJson);
