//! key-from-json: makes a JSON field the key.

use dataflare_json::{Field, Invalid};
use dataflare_smartmodule::{
    FilterMap, Output, Param, Params, Record, Result, SmartModule, smartmodule,
};

const FIELD: Param = Param::required(
    "field",
    "the path of the field; the key is the text of a string, and compact JSON of anything else",
)
.example("user.id");
const MISSING: Param = Param::optional(
    "missing",
    "what becomes of a record without the field: error, null (no key), keep (its own key) or drop",
)
.default("error");
const INVALID: Param = Param::optional(
    "invalid",
    "what becomes of a record that is not JSON: error or drop",
)
.default("error");

#[derive(Clone, Copy)]
enum Missing {
    Error,
    Null,
    Keep,
    Drop,
}

struct KeyFromJson {
    field: Field,
    name: String,
    missing: Missing,
    invalid: Invalid,
    key: Vec<u8>,
}

impl SmartModule for KeyFromJson {
    const PARAMS: &'static [Param] = &[FIELD, MISSING, INVALID];

    fn new(params: &Params) -> Result<Self> {
        let choices = [
            ("error", Missing::Error),
            ("null", Missing::Null),
            ("keep", Missing::Keep),
            ("drop", Missing::Drop),
        ];
        Ok(Self {
            field: params.parse(&FIELD, Field::parse)?,
            name: params.text(&FIELD)?.into(),
            missing: params.choice(&MISSING, &choices)?,
            invalid: Invalid::droppable(params, &INVALID)?,
            key: Vec::new(),
        })
    }
}

impl FilterMap for KeyFromJson {
    fn filter_map<'a>(&'a mut self, record: &Record<'a>) -> Result<Option<Output<'a>>> {
        let field = match self.field.find(record.value) {
            Ok(field) => field,
            Err(error) => return self.invalid.nothing(error),
        };
        let key = match (field, self.missing) {
            (Some(field), _) => Some(field.text_or_json(&mut self.key)),
            (None, Missing::Error) => return Err(format!("there is no {}", self.name).into()),
            (None, Missing::Null) => None,
            (None, Missing::Keep) => record.key,
            (None, Missing::Drop) => return Ok(None),
        };
        let value = record.value;
        Ok(Some(Output { key, value }))
    }
}

smartmodule!(filter_map: KeyFromJson);
