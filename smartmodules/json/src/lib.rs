//! JSON as it lies in a record: found, compared and rewritten without a tree of it.
//!
//! Invariants
//! - What a function accepts is JSON to the last byte (RFC 8259), at most `NESTING_MAX` deep.
//! - Every function is linear in the document, and allocates nothing for it.
//! - Of members with the same name the last one counts, as for jq, unless a function says that it
//!   visits all of them. Names are compared unescaped: `"\u0061"` is `a`.

mod find;
mod invalid;
mod list;
mod number;
mod path;
mod paths;
mod scan;
mod string;
mod value;

pub use find::{Field, Fields};
pub use invalid::Invalid;
pub use list::{numbered, parse_list};
pub use number::Number;
pub use path::Path;
pub use paths::{Paths, Visitor};
pub use scan::{NESTING_MAX, NotJson, Scanner, Text};
pub use string::{Piece, Pieces, put_escaped, put_string, unescape};
pub use value::{Elements, Kind, Members, Name, Value};
