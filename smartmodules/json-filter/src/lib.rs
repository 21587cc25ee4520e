//! json-filter: keeps records by the value of a JSON field.

mod condition;

use condition::Condition;
use dataflare_json::{Field, Invalid};
use dataflare_smartmodule::{Filter, Param, Params, Record, Result, SmartModule, smartmodule};

const FIELD: Param = Param::required("field", "the path of the field").example("user.name");
const EQUALS: Param = Param::optional(
    "equals",
    "what the field has to be: JSON, or else text; 1.0 equals 1, and \"1\" in quotes is text",
)
.example("error");
const NOT_EQUALS: Param = Param::optional("not-equals", "what the field must not be");
const IN: Param = Param::optional(
    "in",
    "what the field may be: a JSON array, or a list with commas",
)
.example("warn,error");
const MIN: Param = Param::optional("min", "the least number or text, itself included");
const MAX: Param = Param::optional("max", "the greatest number or text, itself included");
const ABOVE: Param = Param::optional("above", "the field has to be more than this");
const BELOW: Param = Param::optional("below", "the field has to be less than this");
const EXISTS: Param = Param::optional(
    "exists",
    "whether there has to be such a field: true or false",
);
const INVALID: Param = Param::optional(
    "invalid",
    "what becomes of a record that is not JSON: error, drop or keep",
)
.default("error");

struct JsonFilter {
    field: Field,
    conditions: Vec<Condition>,
    invalid: Invalid,
    scratch: Vec<u8>,
}

impl SmartModule for JsonFilter {
    const PARAMS: &'static [Param] = &[
        FIELD, EQUALS, NOT_EQUALS, IN, MIN, MAX, ABOVE, BELOW, EXISTS, INVALID,
    ];

    fn new(params: &Params) -> Result<Self> {
        let conditions = [
            params.parse_optional(&EQUALS, Condition::equals)?,
            params.parse_optional(&NOT_EQUALS, Condition::not_equals)?,
            params.parse_optional(&IN, Condition::one_of)?,
            params.parse_optional(&MIN, Condition::min)?,
            params.parse_optional(&MAX, Condition::max)?,
            params.parse_optional(&ABOVE, Condition::above)?,
            params.parse_optional(&BELOW, Condition::below)?,
            params.optional_flag(&EXISTS)?.map(Condition::Exists),
        ];
        let conditions: Vec<_> = conditions.into_iter().flatten().collect();
        if conditions.is_empty() {
            let names: Vec<_> = Self::PARAMS[1..9].iter().map(|each| each.name).collect();
            return Err(format!("Missing param: at least one of {}", names.join(", ")).into());
        }
        Ok(Self {
            field: params.parse(&FIELD, Field::parse)?,
            conditions,
            invalid: Invalid::filterable(params, &INVALID)?,
            scratch: Vec::new(),
        })
    }
}

impl Filter for JsonFilter {
    fn filter(&mut self, record: &Record) -> Result<bool> {
        let value = match self.field.find(record.value) {
            Ok(value) => value,
            Err(error) => return self.invalid.filter(error),
        };
        let scratch = &mut self.scratch;
        Ok(self
            .conditions
            .iter()
            .all(|each| each.holds(value, scratch)))
    }
}

smartmodule!(filter: JsonFilter);
