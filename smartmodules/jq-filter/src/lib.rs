//! jq-filter: keeps records for which a jq program says neither false nor null.

use dataflare_jq_program::{Program, is_true};
use dataflare_json::Invalid;
use dataflare_smartmodule::{Filter, Param, Params, Record, Result, SmartModule, smartmodule};

const FILTER: Param = Param::required(
    "filter",
    "the jq program; its first output decides, none drops",
)
.example(".level == \"error\"");
const INVALID: Param = Param::optional(
    "invalid",
    "what becomes of a record that is not JSON: error, drop or keep",
)
.default("error");

struct JqFilter {
    program: Program,
    invalid: Invalid,
}

impl SmartModule for JqFilter {
    const PARAMS: &'static [Param] = &[FILTER, INVALID];

    fn new(params: &Params) -> Result<Self> {
        Ok(Self {
            program: params.parse(&FILTER, Program::compile)?,
            invalid: Invalid::filterable(params, &INVALID)?,
        })
    }
}

impl Filter for JqFilter {
    fn filter(&mut self, record: &Record) -> Result<bool> {
        match self.program.run(record.value) {
            Ok(mut outputs) => Ok(outputs
                .next()
                .transpose()?
                .is_some_and(|value| is_true(&value))),
            Err(error) => self.invalid.filter(error),
        }
    }
}

smartmodule!(filter: JqFilter);
