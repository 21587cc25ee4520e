//! jq: runs a jq program on each record; every output is a record.

use dataflare_jq_program::{Program, Val, put_json};
use dataflare_json::Invalid;
use dataflare_smartmodule::{
    ArrayMap, Outputs, Param, Params, Record, Result, SmartModule, smartmodule,
};

const FILTER: Param = Param::required("filter", "the jq program").example(".items[] | {id, price}");
const RAW: Param =
    Param::optional("raw", "true writes strings without quotes and escapes").default("false");
const INVALID: Param = Param::optional(
    "invalid",
    "what becomes of a record that is not JSON: error or drop",
)
.default("error");

struct Jq {
    program: Program,
    raw: bool,
    invalid: Invalid,
    value: Vec<u8>,
}

impl SmartModule for Jq {
    const PARAMS: &'static [Param] = &[FILTER, RAW, INVALID];

    fn new(params: &Params) -> Result<Self> {
        Ok(Self {
            program: params.parse(&FILTER, Program::compile)?,
            raw: params.flag(&RAW)?,
            invalid: Invalid::droppable(params, &INVALID)?,
            value: Vec::new(),
        })
    }
}

impl ArrayMap for Jq {
    fn array_map(&mut self, record: &Record, outputs: &mut Outputs) -> Result<()> {
        let values = match self.program.run(record.value) {
            Ok(values) => values,
            Err(error) => return self.invalid.nothing(error),
        };
        for value in values {
            match value? {
                Val::TStr(text) if self.raw => outputs.push(record.key, &text),
                value => {
                    self.value.clear();
                    put_json(&mut self.value, &value)?;
                    outputs.push(record.key, &self.value);
                }
            }
        }
        Ok(())
    }
}

smartmodule!(array_map: Jq);
