//! json-schema: keeps records that a JSON schema finds valid.

use dataflare_json::Invalid;
use dataflare_smartmodule::{Filter, Param, Params, Record, Result, SmartModule, smartmodule};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;
use std::fmt::Display;

const SCHEMA: Param = Param::required("schema", "the JSON schema; draft 2020-12 unless it says so")
    .example("{\"type\":\"object\",\"required\":[\"id\"]}");
const MODE: Param = Param::optional(
    "mode",
    "what becomes of a document that is not valid: drop, or error, which tells why",
)
.default("drop");
const FORMATS: Param = Param::optional(
    "formats",
    "true checks formats such as email and date-time, which by the standard are remarks only",
)
.default("false");
const INVALID: Param = Param::optional(
    "invalid",
    "what becomes of a record that is not JSON: error, drop or keep",
)
.default("error");

struct JsonSchema {
    validator: Validator,
    explain: bool,
    invalid: Invalid,
}

impl SmartModule for JsonSchema {
    const PARAMS: &'static [Param] = &[SCHEMA, MODE, FORMATS, INVALID];

    fn new(params: &Params) -> Result<Self> {
        let formats = params.flag(&FORMATS)?;
        Ok(Self {
            validator: params.parse(&SCHEMA, |text| compile(text, formats))?,
            explain: params.choice(&MODE, &[("drop", false), ("error", true)])?,
            invalid: Invalid::filterable(params, &INVALID)?,
        })
    }
}

/// Compiles a schema. References to other documents are errors: there is nothing to fetch by.
fn compile(text: &str, formats: bool) -> std::result::Result<Validator, String> {
    let schema = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let options = jsonschema::options().should_validate_formats(formats);
    options.build(&schema).map_err(describe_without_values)
}

/// Says where a schema is wrong. It may be a secret, so nothing of it is repeated but the names
/// that lead there.
fn describe_without_values(error: ValidationError) -> String {
    let problem = match error.kind() {
        ValidationErrorKind::Referencing(_) => {
            "a reference leads nowhere; other documents are not to be had".into()
        }
        ValidationErrorKind::PropertyNames { error } => {
            format!("a name in it: {}", error.masked_with("it"))
        }
        _ => error.masked_with("it").to_string(),
    };
    at(&error, &problem)
}

/// Says what is wrong, and where.
fn describe(error: ValidationError) -> String {
    at(&error, &error)
}

fn at(error: &ValidationError, problem: &impl Display) -> String {
    match error.instance_path().as_str() {
        "" => format!("the document: {problem}"),
        path => format!("{path}: {problem}"),
    }
}

impl Filter for JsonSchema {
    fn filter(&mut self, record: &Record) -> Result<bool> {
        let document: Value = match serde_json::from_slice(record.value) {
            Ok(document) => document,
            Err(error) => return self.invalid.filter(format!("not JSON: {error}")),
        };
        if !self.explain {
            return Ok(self.validator.is_valid(&document));
        }
        match self.validator.validate(&document) {
            Ok(()) => Ok(true),
            Err(error) => Err(describe(error).into()),
        }
    }
}

/// The random source of maps' hashes. Nobody's interest is in their order, so one number will do.
#[unsafe(no_mangle)]
unsafe extern "Rust" fn __getrandom_v03_custom(
    bytes: *mut u8,
    count: usize,
) -> std::result::Result<(), getrandom::Error> {
    unsafe { bytes.write_bytes(0x5a, count) };
    Ok(())
}

smartmodule!(filter: JsonSchema);
