//! json-map: renames, drops, keeps, nests and casts fields of JSON objects.

mod cast;
mod node;
mod step;

use dataflare_json::{Invalid, Kind, Value};
use dataflare_smartmodule::{
    FilterMap, Output, Param, Params, Record, Result, SmartModule, smartmodule,
};
use node::Node;
use step::Step;

const SPEC: Param = Param::required(
    "spec",
    "a JSON array of steps, done one after the other: {\"rename\": {from: to}}, {\"drop\": \
     [path]}, {\"keep\": [path]}, {\"nest\": {path: [path]}}, {\"unnest\": [path]}, {\"cast\": \
     {path: type}} with int, float, string or bool, {\"default\": {path: value}}",
)
.example("[{\"rename\":{\"ts\":\"time\"}},{\"drop\":[\"user.email\"]}]");
const INVALID: Param = Param::optional(
    "invalid",
    "what becomes of a record that is not a JSON object: error or drop",
)
.default("error");

struct JsonMap {
    steps: Vec<Step>,
    invalid: Invalid,
    value: Vec<u8>,
}

impl SmartModule for JsonMap {
    const PARAMS: &'static [Param] = &[SPEC, INVALID];

    fn new(params: &Params) -> Result<Self> {
        Ok(Self {
            steps: params.parse(&SPEC, step::parse_spec)?,
            invalid: Invalid::droppable(params, &INVALID)?,
            value: Vec::new(),
        })
    }
}

impl FilterMap for JsonMap {
    fn filter_map<'a>(&'a mut self, record: &Record<'a>) -> Result<Option<Output<'a>>> {
        let document = match Value::parse(record.value) {
            Ok(document) => document,
            Err(error) => return self.invalid.nothing(error),
        };
        if document.kind() != Kind::Object {
            return self.invalid.nothing("the record is not a JSON object");
        }
        let mut root = Node::Raw(document.raw());
        for step in &self.steps {
            step.apply(&mut root)?;
        }
        self.value.clear();
        root.put(&mut self.value);
        let key = record.key;
        let value = &self.value;
        Ok(Some(Output { key, value }))
    }
}

smartmodule!(filter_map: JsonMap);
