//! The arguments of a method call, by position or by name.

use minijinja::value::{Kwargs, Rest, from_args};
use minijinja::{Error, Value};

use super::error::raise;
use super::python;

/// The arguments of a call, by position or by name.
pub(super) struct CallArgs {
    positional: Vec<Value>,
    kwargs: Kwargs,
}

impl CallArgs {
    pub fn new(args: &[Value]) -> Result<Self, Error> {
        let (Rest(positional), kwargs): (Rest<Value>, Kwargs) = from_args(args)?;
        Ok(Self { positional, kwargs })
    }

    /// The argument at `index`, or of that name; `None` is Python's default.
    pub fn get(&self, index: usize, name: &str) -> Result<Option<Value>, Error> {
        let value = match self.positional.get(index) {
            Some(value) => Some(value.clone()),
            None => self.kwargs.get::<Option<Value>>(name)?,
        };
        Ok(value.filter(|v| !v.is_none()))
    }

    /// A string argument that must be there.
    pub fn string(&self, index: usize, name: &str) -> Result<String, Error> {
        match self.get(index, name)? {
            Some(value) => string_argument(&value),
            None => {
                Err(raise("TypeError", format!("missing required argument '{name}' (pos {})", index + 1)))
            }
        }
    }

    /// An integer argument.
    pub fn integer(&self, index: usize, name: &str) -> Result<Option<i64>, Error> {
        match self.get(index, name)? {
            None => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => {
                    let kind = python::type_name(&value);
                    Err(raise("TypeError", format!("'{kind}' object cannot be interpreted as an integer")))
                }
            },
        }
    }

    pub fn positional(&self) -> &[Value] {
        &self.positional
    }
}

/// The text of an argument that must be a `str`.
pub(super) fn string_argument(value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(text) => Ok(text.to_string()),
        None => Err(raise("TypeError", format!("must be str, not {}", python::type_name(value)))),
    }
}
