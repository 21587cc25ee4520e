//! min: the least number so far, as it stood in its record.

use dataflare_fold::{Extreme, Folding, smartmodule};

type Min = Folding<Extreme<true>>;

smartmodule!(aggregate: Min);
