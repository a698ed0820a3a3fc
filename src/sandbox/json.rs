//! Values of Python to JSON and back.

use num_traits::ToPrimitive;
use rustpython_vm::builtins::{PyDict, PyFloat, PyInt, PyList, PyStr, PyTuple};
use rustpython_vm::{AsObject, PyObjectRef, PyResult, VirtualMachine};
use serde_json::{Map, Number, Value};

/// How deep lists may lie in each other.
const DEEPEST: usize = 64;

/// A value of Python as JSON.
///
/// # Errors
/// A `TypeError` of Python for what JSON has no form of.
pub fn from_python(object: &PyObjectRef, vm: &VirtualMachine) -> PyResult<Value> {
    from_python_at(object, vm, 0)
}

fn from_python_at(object: &PyObjectRef, vm: &VirtualMachine, depth: usize) -> PyResult<Value> {
    if depth > DEEPEST {
        return Err(vm.new_type_error("lists lie too deep in each other".to_string()));
    }
    if vm.is_none(object) {
        return Ok(Value::Null);
    }
    if object.is(&vm.ctx.true_value) {
        return Ok(Value::Bool(true));
    }
    if object.is(&vm.ctx.false_value) {
        return Ok(Value::Bool(false));
    }
    if let Some(number) = object.downcast_ref::<PyInt>() {
        let number = number.as_bigint();
        let number = number.to_i64().map(Number::from).or_else(|| number.to_u64().map(Number::from));
        return number
            .map(Value::Number)
            .ok_or_else(|| vm.new_type_error("an integer has more than 64 bits".to_string()));
    }
    if let Some(number) = object.downcast_ref::<PyFloat>() {
        return Ok(Number::from_f64(number.to_f64()).map_or(Value::Null, Value::Number));
    }
    if let Some(text) = object.downcast_ref::<PyStr>() {
        return Ok(Value::String(text.to_string_lossy().into_owned()));
    }
    let items = if let Some(list) = object.downcast_ref::<PyList>() {
        Some(list.borrow_vec().to_vec())
    } else {
        object.downcast_ref::<PyTuple>().map(|tuple| tuple.as_slice().to_vec())
    };
    if let Some(items) = items {
        let items = items.iter().map(|item| from_python_at(item, vm, depth + 1));
        return Ok(Value::Array(items.collect::<PyResult<_>>()?));
    }
    if let Ok(dict) = object.clone().downcast::<PyDict>() {
        let mut map = Map::new();
        for (key, value) in &dict {
            let key = key.str(vm)?.to_string_lossy().into_owned();
            map.insert(key, from_python_at(&value, vm, depth + 1)?);
        }
        return Ok(Value::Object(map));
    }
    Err(vm.new_type_error(format!("a {} cannot leave the sandbox", object.class().name())))
}

/// JSON as values of Python.
pub fn to_python(value: &Value, vm: &VirtualMachine) -> PyResult<PyObjectRef> {
    Ok(match value {
        Value::Null => vm.ctx.none(),
        Value::Bool(value) => vm.ctx.new_bool(*value).into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => vm.ctx.new_int(number).into(),
            (None, Some(number)) => vm.ctx.new_int(number).into(),
            _ => match number.to_string().parse::<u128>() {
                Ok(number) => vm.ctx.new_int(number).into(),
                Err(_) => {
                    let float = number.as_f64().unwrap_or(f64::NAN);
                    // `model_max_length` of a tokenizer that names none: an integer of 31 digits.
                    if float >= 1e20 {
                        vm.ctx.new_int(float as u128).into()
                    } else {
                        vm.ctx.new_float(float).into()
                    }
                }
            },
        },
        Value::String(text) => vm.ctx.new_str(text.as_str()).into(),
        Value::Array(items) => {
            let items = items.iter().map(|item| to_python(item, vm)).collect::<PyResult<_>>()?;
            vm.ctx.new_list(items).into()
        }
        Value::Object(map) => {
            let dict = vm.ctx.new_dict();
            for (key, value) in map {
                dict.set_item(key.as_str(), to_python(value, vm)?, vm)?;
            }
            dict.into()
        }
    })
}
