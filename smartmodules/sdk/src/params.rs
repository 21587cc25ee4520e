//! Parameters: the table that a module declares, and the values that it was given.

use crate::error::{Error, Result};
use std::fmt::Display;

/// One parameter. A module's are constants, so that reading one is naming one that is declared.
#[derive(Clone, Copy, Debug)]
pub struct Param {
    pub name: &'static str,
    pub description: &'static str,
    pub optional: bool,
    pub default: Option<&'static str>,
    pub example: Option<&'static str>,
}

impl Param {
    /// One that has to be given.
    pub const fn required(name: &'static str, description: &'static str) -> Self {
        Self {
            name,
            description,
            optional: false,
            default: None,
            example: None,
        }
    }

    /// One that may be left out.
    pub const fn optional(name: &'static str, description: &'static str) -> Self {
        Self {
            optional: true,
            ..Self::required(name, description)
        }
    }

    /// What counts if the parameter is not given.
    pub const fn default(self, default: &'static str) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }

    /// A value to show in help.
    pub const fn example(self, example: &'static str) -> Self {
        Self {
            example: Some(example),
            ..self
        }
    }
}

/// The values of one instance.
pub struct Params<'a> {
    declared: &'static [Param],
    given: Vec<(&'a str, &'a str)>,
}

impl<'a> Params<'a> {
    /// Refuses names that are not declared: a typo must not pass as a default.
    pub fn new(declared: &'static [Param], given: Vec<(&'a str, &'a str)>) -> Result<Self> {
        let is_declared = |name: &str| declared.iter().any(|each| each.name == name);
        let Some((unknown, _)) = given.iter().find(|(name, _)| !is_declared(name)) else {
            return Ok(Self { declared, given });
        };
        if declared.is_empty() {
            return Err(format!("Unknown param {unknown}: there are none").into());
        }
        let names: Vec<_> = declared.iter().map(|each| each.name).collect();
        Err(format!("Unknown param {unknown}: there are {}", names.join(", ")).into())
    }

    /// Returns what was given, else the default, if there is one.
    pub fn get(&self, param: &Param) -> Option<&str> {
        debug_assert!(self.declared.iter().any(|each| each.name == param.name));
        let given = self.given.iter().find(|(name, _)| *name == param.name);
        given.map(|(_, value)| *value).or(param.default)
    }

    /// Returns what `get` does, or the error that Fluvio's modules give.
    pub fn text(&self, param: &Param) -> Result<&str> {
        let missing = || format!("Missing param {}", param.name).into();
        self.get(param).ok_or_else(missing)
    }

    /// Reads a value by a function whose error becomes the cause of ours.
    ///
    /// A value may be a secret. Hosts know it only as a whole, so the function's error has to say
    /// where something is wrong, and must not repeat parts of the value.
    pub fn parse<T, E: Display>(
        &self,
        param: &Param,
        parse: impl FnOnce(&str) -> std::result::Result<T, E>,
    ) -> Result<T> {
        let text = self.text(param)?;
        parse(text).map_err(|cause| Error::from(cause.to_string()).under(invalid(param, text)))
    }

    /// As `parse`, but nothing comes of nothing.
    pub fn parse_optional<T, E: Display>(
        &self,
        param: &Param,
        parse: impl FnOnce(&str) -> std::result::Result<T, E>,
    ) -> Result<Option<T>> {
        match self.get(param) {
            Some(_) => self.parse(param, parse).map(Some),
            None => Ok(None),
        }
    }

    /// Reads one of several words.
    pub fn choice<T: Copy>(&self, param: &Param, choices: &[(&str, T)]) -> Result<T> {
        self.parse(param, |text| {
            let found = choices.iter().find(|(word, _)| *word == text);
            found.map(|(_, choice)| *choice).ok_or_else(|| {
                let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
                format!("it has to be one of {}", words.join(", "))
            })
        })
    }

    /// Reads `true` or `false`.
    pub fn flag(&self, param: &Param) -> Result<bool> {
        self.choice(param, &[("true", true), ("false", false)])
    }

    /// As `flag`, but nothing comes of nothing.
    pub fn optional_flag(&self, param: &Param) -> Result<Option<bool>> {
        self.get(param).map(|_| self.flag(param)).transpose()
    }
}

/// How long a value may be that an error repeats.
const SHOWN_CHARS_MAX: usize = 60;

/// Names a parameter and its value: all of it, which a host masks if it is a secret, or nothing.
fn invalid(param: &Param, text: &str) -> String {
    let name = param.name;
    match text.chars().count() {
        ..=SHOWN_CHARS_MAX => format!("Invalid param {name}={text}"),
        count => format!("Invalid param {name} of {count} characters"),
    }
}
