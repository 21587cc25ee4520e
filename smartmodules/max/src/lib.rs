//! max: the greatest number so far, as it stood in its record.

use dataflare_fold::{Extreme, Folding, smartmodule};

type Max = Folding<Extreme<false>>;

smartmodule!(aggregate: Max);
