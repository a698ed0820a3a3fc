//! Options of a trainer's data path, by the names that the trainer gives them.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Options that are read from a map; a key that the trainer does not have is an error.
pub trait TrainerOptions: DeserializeOwned + Default {
    /// Reads the options.
    ///
    /// # Errors
    /// An unknown key, a value that is not of its kind.
    fn read(options: &Map<String, Value>) -> Result<Self> {
        serde_json::from_value(Value::Object(options.clone()))
            .map_err(|error| Error::Usage(format!("trainer option: {error}")))
    }
}

impl<T: DeserializeOwned + Default> TrainerOptions for T {}

/// Options as a command line gives them: a value that is JSON is taken as such, any other as text.
///
/// # Errors
/// A pair without `=`.
pub fn from_pairs(pairs: &[String]) -> Result<Map<String, Value>> {
    let pair = |pair: &String| {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::Usage(format!("--strategy-option {pair:?}: write key=value")))?;
        let value = match value {
            "none" | "None" => Value::Null,
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            value => serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)),
        };
        Ok((key.trim().to_string(), value))
    };
    pairs.iter().map(pair).collect()
}
