//! Python's methods on strings, lists and dicts, and the sandbox that refuses those that change a value.

use minijinja::value::{ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::error::raise;
use super::limits::charge;
use super::paid;
use super::string_methods;

/// Dispatch for `value.method(args)`; the engine calls it for every method of a plain value.
pub(super) fn call(state: &mut State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let answer = match value.kind() {
        ValueKind::String => string_methods::call(state, value, method, args),
        ValueKind::Map => dict_method(state, value, method, args),
        _ if super::python::is_list(value) => list_method(state, value, method, args),
        ValueKind::None | ValueKind::Bool | ValueKind::Number => Err(Error::from(ErrorKind::UnknownMethod)),
        // Undefined values and objects of the engine: it knows what to say.
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    };
    match answer {
        // A dict may hold something callable under that name; the engine tries it.
        Err(error) if error.kind() == ErrorKind::UnknownMethod && !holds(value, method) => {
            // The sandbox hides Python's own attributes.
            match method.starts_with("__") && method.ends_with("__") {
                true => Err(unsafe_call(super::python::type_name(value), method)),
                false => Err(raise("UndefinedError", super::python::no_attribute(value, method))),
            }
        }
        answer => answer,
    }
}

fn holds(value: &Value, key: &str) -> bool {
    value.kind() == ValueKind::Map && value.get_attr(key).is_ok_and(|found| !found.is_undefined())
}

/// What jinja2's immutable sandbox says when a template tries to change a value.
fn unsafe_call(kind: &str, method: &str) -> Error {
    let message = format!("access to attribute '{method}' of '{kind}' object is unsafe.");
    raise("SecurityError", message)
}

fn dict_method(state: &State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let keys = || -> Result<Vec<Value>, Error> { Ok(value.try_iter()?.collect()) };
    match method {
        "get" => {
            let (key, default): (Value, Option<Value>) = from_args(args)?;
            paid::pay(state, &key)?;
            let found = value.get_item(&key).unwrap_or_default();
            Ok(if found.is_undefined() { default.unwrap_or(Value::from(())) } else { found })
        }
        "keys" => Ok(Value::from(keys()?)),
        "values" => {
            keys()?.iter().map(|key| value.get_item(key)).collect::<Result<Vec<_>, _>>().map(Value::from)
        }
        "items" => {
            let pairs = keys()?.into_iter().map(|key| {
                let item = value.get_item(&key)?;
                Ok(Value::from(minijinja::value::Tuple::from(vec![key, item])))
            });
            pairs.collect::<Result<Vec<Value>, Error>>().map(Value::from)
        }
        "copy" => Ok(value.clone()),
        "pop" | "popitem" | "clear" | "update" | "setdefault" => Err(unsafe_call("dict", method)),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn list_method(state: &State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    match method {
        "index" => {
            let (wanted,): (Value,) = from_args(args)?;
            paid::pay(state, value)?;
            for (index, item) in value.try_iter()?.enumerate() {
                charge(state, 1)?;
                if item == wanted {
                    return Ok(Value::from(index));
                }
            }
            let wanted = super::python::repr(&wanted)?;
            Err(raise("ValueError", format!("{wanted} is not in list")))
        }
        "count" => {
            let (wanted,): (Value,) = from_args(args)?;
            paid::pay(state, value)?;
            let mut count = 0;
            for item in value.try_iter()? {
                charge(state, 1)?;
                count += usize::from(item == wanted);
            }
            Ok(Value::from(count))
        }
        "copy" => Ok(value.clone()),
        "append" | "clear" | "extend" | "insert" | "pop" | "remove" | "reverse" | "sort" => {
            Err(unsafe_call("list", method))
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}
