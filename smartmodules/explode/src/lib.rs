//! explode: makes the elements of a JSON array, or the members of an object, records.

use dataflare_json::{Field, Invalid, Kind, Value};
use dataflare_smartmodule::{
    ArrayMap, Outputs, Param, Params, Record, Result, SmartModule, smartmodule,
};

const FIELD: Param = Param::optional(
    "field",
    "the path of the array, whose elements become values as they stand, or of the object, \
     whose names become keys; . is the whole value",
)
.default(".")
.example("order.items");
const KEY: Param = Param::optional(
    "key",
    "the path, inside each element, of what becomes its key; without it, elements take over the \
     key of their record, and members of an object have their names",
)
.example("id");
const INVALID: Param = Param::optional(
    "invalid",
    "what becomes of a record that is not JSON or has no such array or object, and of an element \
     without the field for its key: error or drop",
)
.default("error");

struct Explode {
    field: Field,
    key: Option<Field>,
    invalid: Invalid,
    scratch: Vec<u8>,
}

impl SmartModule for Explode {
    const PARAMS: &'static [Param] = &[FIELD, KEY, INVALID];

    fn new(params: &Params) -> Result<Self> {
        Ok(Self {
            field: params.parse(&FIELD, Field::parse)?,
            key: params.parse_optional(&KEY, Field::parse)?,
            invalid: Invalid::droppable(params, &INVALID)?,
            scratch: Vec::new(),
        })
    }
}

impl ArrayMap for Explode {
    fn array_map(&mut self, record: &Record, outputs: &mut Outputs) -> Result<()> {
        let field = match self.field.find(record.value) {
            Ok(field) => field,
            Err(error) => return self.invalid.nothing(error),
        };
        match field.map(|field| (field, field.kind())) {
            Some((array, Kind::Array)) => {
                for element in array.elements() {
                    self.push(element, record.key, outputs)?;
                }
            }
            Some((object, Kind::Object)) => {
                let mut name_text = Vec::new();
                for (name, value) in object.members() {
                    self.push(value, Some(name.text(&mut name_text)), outputs)?;
                }
            }
            _ => return self.invalid.nothing("there is no such array or object"),
        }
        Ok(())
    }
}

impl Explode {
    fn push(&mut self, value: Value, own_key: Option<&[u8]>, outputs: &mut Outputs) -> Result<()> {
        let Some(path) = &self.key else {
            outputs.push(own_key, value.raw());
            return Ok(());
        };
        match path.find(value.raw()) {
            Ok(Some(key)) => {
                outputs.push(Some(key.text_or_json(&mut self.scratch)), value.raw());
                Ok(())
            }
            Ok(None) => self
                .invalid
                .nothing("an element lacks the field for its key"),
            Err(error) => self.invalid.nothing(error),
        }
    }
}

smartmodule!(array_map: Explode);
