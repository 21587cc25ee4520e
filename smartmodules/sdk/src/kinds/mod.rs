//! The loops over records, one for each kind of module.

mod aggregate;
mod filter;
mod look_back;
mod map;

pub use aggregate::{Aggregate, aggregate};
pub use filter::{Filter, filter};
pub use look_back::{LookBack, look_back};
pub use map::{ArrayMap, FilterMap, Map, Output, array_map, filter_map, map};
