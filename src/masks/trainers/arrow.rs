//! What a column of nested values becomes in an Arrow table: every struct of one place gets the keys of all, in the order
//! in which they come, null where a value has none; numbers of one place are all floats where one is.

use serde_json::{Map, Value};

/// The type of one place.
#[derive(Debug, Clone, Default)]
enum Shape {
    /// Nothing but nulls, or values that have no common type.
    #[default]
    Unknown,
    Integer,
    Float,
    List(Box<Shape>),
    Struct(Vec<(String, Shape)>),
}

impl Shape {
    fn widen(&mut self, value: &Value) {
        match (&mut *self, value) {
            (Self::Unknown, Value::Number(number)) if number.is_f64() => *self = Self::Float,
            (Self::Unknown, Value::Number(_)) => *self = Self::Integer,
            (Self::Integer, Value::Number(number)) if number.is_f64() => *self = Self::Float,
            (Self::Unknown, Value::Array(_)) => {
                *self = Self::List(Box::default());
                self.widen(value);
            }
            (Self::Unknown, Value::Object(_)) => {
                *self = Self::Struct(Vec::new());
                self.widen(value);
            }
            (Self::List(item), Value::Array(items)) => items.iter().for_each(|value| item.widen(value)),
            (Self::Struct(fields), Value::Object(values)) => {
                for (key, value) in values {
                    let at = match fields.iter().position(|(name, _)| name == key) {
                        Some(at) => at,
                        None => {
                            fields.push((key.clone(), Self::Unknown));
                            fields.len() - 1
                        }
                    };
                    if let Some((_, shape)) = fields.get_mut(at) {
                        shape.widen(value);
                    }
                }
            }
            _ => {}
        }
    }

    fn apply(&self, value: &Value) -> Value {
        match (self, value) {
            (Self::Float, Value::Number(number)) => number.as_f64().map_or(value.clone(), Value::from),
            (Self::List(item), Value::Array(items)) => items.iter().map(|value| item.apply(value)).collect(),
            (Self::Struct(fields), Value::Object(values)) => {
                let field = |(key, shape): &(String, Self)| {
                    (key.clone(), values.get(key).map_or(Value::Null, |value| shape.apply(value)))
                };
                Value::Object(fields.iter().map(field).collect::<Map<_, _>>())
            }
            _ => value.clone(),
        }
    }
}

/// A column's one value, written to an Arrow table and read back.
pub fn round_trip(value: &Value) -> Value {
    let mut shape = Shape::default();
    shape.widen(value);
    shape.apply(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn structs_of_one_place_have_all_keys() {
        let parts = json!([{"type": "image"}, {"type": "text", "text": "a", "n": [1]}, {"n": [0.5]}]);
        let expected = json!([{"type": "image", "text": null, "n": null}, {"type": "text", "text": "a", "n": [1.0]},
            {"type": null, "text": null, "n": [0.5]}]);
        assert_eq!(round_trip(&parts).to_string(), expected.to_string());
    }
}
