//! json-to-csv: makes JSON documents rows of CSV. A header has no place: each record is a row.

use dataflare_csv::{parse_delimiter, put_field};
use dataflare_json::{Fields, Invalid, Kind, Path};
use dataflare_smartmodule::{
    FilterMap, Output, Param, Params, Record, Result, SmartModule, smartmodule,
};

const COLUMNS: Param = Param::required(
    "columns",
    "the paths of the fields, a list; null and missing ones are left empty",
)
.example("id,user.name,tags[0]");
const DELIMITER: Param =
    Param::optional("delimiter", "the character between two fields, or tab").default(",");
const INVALID: Param = Param::optional(
    "invalid",
    "what becomes of a record that is not JSON: error or drop",
)
.default("error");

struct JsonToCsv {
    columns: Fields,
    delimiter: String,
    invalid: Invalid,
    row: Vec<u8>,
    scratch: Vec<u8>,
}

impl SmartModule for JsonToCsv {
    const PARAMS: &'static [Param] = &[COLUMNS, DELIMITER, INVALID];

    fn new(params: &Params) -> Result<Self> {
        let columns = params.parse(&COLUMNS, |text| Path::parse_list(text, Path::parse))?;
        Ok(Self {
            columns: Fields::new(&columns),
            delimiter: params.parse(&DELIMITER, parse_delimiter)?,
            invalid: Invalid::droppable(params, &INVALID)?,
            row: Vec::new(),
            scratch: Vec::new(),
        })
    }
}

impl FilterMap for JsonToCsv {
    fn filter_map<'a>(&'a mut self, record: &Record<'a>) -> Result<Option<Output<'a>>> {
        let fields = match self.columns.find(record.value) {
            Ok(fields) => fields,
            Err(error) => return self.invalid.nothing(error),
        };
        self.row.clear();
        for (index, field) in fields.enumerate() {
            if index > 0 {
                self.row.extend_from_slice(self.delimiter.as_bytes());
            }
            if let Some(field) = field.filter(|field| field.kind() != Kind::Null) {
                let text = field.text_or_json(&mut self.scratch);
                put_field(&mut self.row, text, &self.delimiter);
            }
        }
        let key = record.key;
        let value = &self.row;
        Ok(Some(Output { key, value }))
    }
}

smartmodule!(filter_map: JsonToCsv);
