//! Values by their paths.

use crate::path::Path;
use crate::paths::{Paths, Visitor};
use crate::scan::NotJson;
use crate::value::Value;
use std::ops::Range;

/// One path, ready to be looked for.
pub struct Field {
    paths: Paths,
}

impl Field {
    pub fn new(path: Path) -> Self {
        Self {
            paths: Paths::new(&[path]),
        }
    }

    /// Reads a path to one value.
    pub fn parse(text: &str) -> Result<Self, String> {
        Path::parse(text).map(Self::new)
    }

    #[inline]
    pub fn find<'a>(&self, document: &'a [u8]) -> Result<Option<Value<'a>>, NotJson> {
        let mut found = Latest([None]);
        self.paths.walk(document, &mut found)?;
        let Latest([span]) = found;
        Ok(span.map(|span| Value::within(document, span)))
    }
}

/// Several paths, which are looked for together.
pub struct Fields {
    paths: Paths,
    found: Latest<Vec<Option<Range<usize>>>>,
}

impl Fields {
    pub fn new(paths: &[Path]) -> Self {
        Self {
            paths: Paths::new(paths),
            found: Latest(vec![None; paths.len()]),
        }
    }

    /// Returns the value, if there is one, of each path in the order in which they were given.
    pub fn find<'a>(
        &'a mut self,
        document: &'a [u8],
    ) -> Result<impl Iterator<Item = Option<Value<'a>>>, NotJson> {
        let Latest(spans) = &mut self.found;
        spans.fill(None);
        self.paths.walk(document, &mut self.found)?;
        let Latest(spans) = &self.found;
        let span = |leaf: usize| spans[leaf].clone();
        let value = |span| Value::within(document, span);
        Ok(self.paths.leaves().map(move |leaf| span(leaf).map(value)))
    }
}

/// What was found last for each leaf.
struct Latest<S>(S);

impl<S: AsMut<[Option<Range<usize>>]>> Visitor for Latest<S> {
    #[inline(always)]
    fn enter(&mut self, leaves: Range<usize>) {
        self.0.as_mut()[leaves].fill(None);
    }

    #[inline(always)]
    fn visit(&mut self, leaf: usize, span: Range<usize>) {
        self.0.as_mut()[leaf] = Some(span);
    }
}
