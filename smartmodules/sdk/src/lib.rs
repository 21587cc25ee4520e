//! Write SmartModules without an allocation per record.
//!
//! A module declares its parameters, is made of their values, and has one function for its kind;
//! `smartmodule!` makes Fluvio's exports of that:
//!
//! ```
//! use dataflare_smartmodule::{Filter, Param, Params, Record, Result, SmartModule, smartmodule};
//!
//! const TEXT: Param = Param::required("text", "what a value has to begin with");
//!
//! struct Prefix(Vec<u8>);
//!
//! impl SmartModule for Prefix {
//!     const PARAMS: &'static [Param] = &[TEXT];
//!
//!     fn new(params: &Params) -> Result<Self> {
//!         Ok(Self(params.text(&TEXT)?.into()))
//!     }
//! }
//!
//! impl Filter for Prefix {
//!     fn filter(&mut self, record: &Record) -> Result<bool> {
//!         Ok(record.value.starts_with(&self.0))
//!     }
//! }
//!
//! smartmodule!(filter: Prefix);
//! # fn main() {}
//! ```
//!
//! Invariants
//! - Whatever bytes the host sends, the SDK does not panic and reads nothing outside of them.
//! - Outputs have the timestamp and the offset of the record that they were made of.
//! - A call that fails at a record returns what was made of those before it, and the error.

mod buffers;
mod error;
mod init;
mod kinds;
mod params;
mod record;
mod reply;
mod wire;

#[doc(hidden)]
pub mod exports;
#[doc(hidden)]
pub mod metadata;

pub use error::{Error, Result};
pub use kinds::{Aggregate, ArrayMap, Filter, FilterMap, LookBack, Map, Output};
pub use kinds::{aggregate, array_map, filter, filter_map, look_back, map};
pub use params::{Param, Params};
pub use record::Record;
pub use reply::Outputs;

/// What every module is, whatever its kind.
pub trait SmartModule: Sized {
    /// The parameters that there are; others are refused.
    const PARAMS: &'static [Param];

    /// Whether no record influences what becomes of another one. Hosts then run several instances.
    const STATELESS: bool = true;

    /// Makes the module; an error becomes the host's `init` error.
    fn new(params: &Params) -> Result<Self>;
}

/// Makes the exports of a module of one kind: `smartmodule!(filter: Type)`, or with a look-back
/// `smartmodule!(filter, look_back: Type)`.
///
/// Its name, version and summary are those of the crate.
#[macro_export]
macro_rules! smartmodule {
    ($($export:ident),+ : $module:ty) => {
        #[cfg(target_arch = "wasm32")]
        mod exports {
            use super::*;
            use $crate::exports::Instance;
            use $crate::metadata::Metadata;

            static INSTANCE: Instance<$module> = Instance::empty();

            #[unsafe(no_mangle)]
            extern "C" fn alloc(byte_count: usize) -> *mut u8 {
                INSTANCE.alloc(byte_count)
            }

            #[unsafe(no_mangle)]
            extern "C" fn dealloc(pointer: *const u8, _: usize) {
                INSTANCE.dealloc(pointer);
            }

            #[unsafe(no_mangle)]
            extern "C" fn init(pointer: *const u8, byte_count: usize, version: i32) -> i32 {
                INSTANCE.init(pointer, byte_count, version)
            }

            $(
                #[unsafe(no_mangle)]
                extern "C" fn $export(pointer: *const u8, byte_count: usize, version: i32) -> i32 {
                    INSTANCE.run(pointer, byte_count, version, $crate::$export)
                }
            )+

            const METADATA: Metadata = Metadata {
                name: env!("CARGO_PKG_NAME"),
                version: env!("CARGO_PKG_VERSION"),
                kind: [$(stringify!($export)),+][0],
                summary: env!("CARGO_PKG_DESCRIPTION"),
                params: <$module as $crate::SmartModule>::PARAMS,
                stateless: <$module as $crate::SmartModule>::STATELESS,
            };

            #[used]
            #[unsafe(link_section = "dataflare.smartmodule")]
            static SECTION: [u8; METADATA.json_bytes()] = METADATA.json();
        }

        // Elsewhere there are no hosts: what would be exported is only looked at by the compiler.
        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            $(let _ = $crate::$export::<$module>;)+
        };
    };
}
