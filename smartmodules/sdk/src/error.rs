//! What a module says when it cannot go on.

use std::fmt;

/// A message and what caused it, outermost first. The host shows it as `Display` renders it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    message: String,
    causes: Vec<String>,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Takes over an error of somebody else's, with all its sources.
    pub fn of(error: &dyn std::error::Error) -> Self {
        let causes = std::iter::successors(error.source(), |each| each.source());
        Self {
            message: error.to_string(),
            causes: causes.map(ToString::to_string).collect(),
        }
    }

    /// Makes this error the cause of another one.
    pub fn under(mut self, message: impl Into<String>) -> Self {
        self.causes.insert(0, self.message);
        self.message = message.into();
        self
    }
}

impl From<&str> for Error {
    fn from(message: &str) -> Self {
        message.to_owned().into()
    }
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self {
            message,
            causes: Vec::new(),
        }
    }
}

/// As eyre's reports look, which is what Fluvio's modules send: one cause is indented, several
/// are numbered.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.causes.is_empty() {
            return Ok(());
        }
        f.write_str("\n\nCaused by:")?;
        let numbered = self.causes.len() > 1;
        for (number, cause) in self.causes.iter().enumerate() {
            for (index, line) in cause.lines().enumerate() {
                match (numbered, index) {
                    (false, _) => write!(f, "\n    {line}")?,
                    (true, 0) => write!(f, "\n{number: >4}: {line}")?,
                    (true, _) => write!(f, "\n      {line}")?,
                }
            }
        }
        Ok(())
    }
}
