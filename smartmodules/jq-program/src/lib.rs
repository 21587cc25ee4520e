//! jq programs, compiled once and run on record after record.
//!
//! Hides jaq. What would make a result depend on anything but the record is left out of its
//! library: `now`, `env`, `input`, `inputs`, `localtime` and `strflocaltime`, and modules.

#[cfg(any(target_arch = "wasm32", test))]
mod allocator;
mod read;
mod report;
mod write;

pub use jaq_json::Val;
pub use write::put_json;

use dataflare_smartmodule::{Error, Result};
use jaq_core::data::JustLut;
use jaq_core::load::{Arena, File, Loader, parse};
use jaq_core::native::Fun;
use jaq_core::{Compiler, Ctx, Exn, ValT, Vars};
use read::read;

/// A compiled program.
pub struct Program(jaq_core::Filter<JustLut<Val>>);

/// Native functions that are not there, as their results change from run to run.
const LEFT_OUT: [&str; 4] = ["env", "now", "localtime", "strflocaltime"];

/// What jq has and jaq keeps elsewhere.
const DEFINITIONS: &str = include_str!("definitions.jq");

impl Program {
    /// Compiles a program. The error says what is wrong with it, and where.
    pub fn compile(code: &str) -> std::result::Result<Self, String> {
        let own = parse(DEFINITIONS, |parser| parser.defs()).unwrap_or_default();
        let definitions = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs());
        let arena = Arena::default();
        let modules = Loader::new(definitions.chain(own))
            .load(&arena, File { code, path: () })
            .map_err(|errors| report::load(code, errors))?;
        let functions = jaq_core::funs()
            .chain(jaq_std::funs())
            .chain(jaq_json::funs());
        Compiler::default()
            .with_funs(functions.filter(|(name, ..): &Fun<_>| !LEFT_OUT.contains(name)))
            .compile(modules)
            .map(Self)
            .map_err(|errors| report::compile(code, errors))
    }

    /// Runs the program on a document, output by output.
    pub fn run(&self, document: &[u8]) -> Result<impl Iterator<Item = Result<Val>>> {
        let input = read(document)?;
        let context = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        let outputs = self.0.id.run((context, input));
        Ok(outputs.map(|output| output.map_err(describe)))
    }
}

/// Tells whether a value counts as true.
pub fn is_true(value: &Val) -> bool {
    value.as_bool()
}

fn describe(exception: Exn<Val>) -> Error {
    match exception.get_err() {
        Ok(error) => match error.into_val() {
            Val::TStr(message) => String::from_utf8_lossy(&message).into_owned().into(),
            other => other.to_string().into(),
        },
        Err(_) => "the program ends by halt".into(),
    }
}
