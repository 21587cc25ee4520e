//! What becomes of a record that is not JSON, or that lacks what is needed.

use dataflare_smartmodule::{Error, Param, Params, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    Error,
    Drop,
    Keep,
}

impl Invalid {
    /// Reads the parameter of a filter.
    pub fn filterable(params: &Params, param: &Param) -> Result<Self> {
        let choices = [
            ("error", Self::Error),
            ("drop", Self::Drop),
            ("keep", Self::Keep),
        ];
        params.choice(param, &choices)
    }

    /// Reads the parameter of a module that can make nothing of such a record.
    pub fn droppable(params: &Params, param: &Param) -> Result<Self> {
        params.choice(param, &[("error", Self::Error), ("drop", Self::Drop)])
    }

    /// Answers for a filter.
    #[cold]
    pub fn filter(self, error: impl Into<Error>) -> Result<bool> {
        match self {
            Self::Error => Err(error.into()),
            Self::Drop => Ok(false),
            Self::Keep => Ok(true),
        }
    }

    /// Answers for what goes on with nothing instead.
    #[cold]
    pub fn nothing<T: Default>(self, error: impl Into<Error>) -> Result<T> {
        match self {
            Self::Error => Err(error.into()),
            Self::Drop | Self::Keep => Ok(T::default()),
        }
    }
}
