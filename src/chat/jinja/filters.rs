//! Filters, tests and functions in which jinja2 and minijinja differ.

use minijinja::value::{Kwargs, ObjectRepr, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value};

use super::clock::Clock;
use super::error::raise;
use super::{generator, helpers, json, limits, python};

/// What minijinja has and jinja2 does not: a template that uses it must fail here too.
const NOT_IN_JINJA2: [&str; 5] = ["bool", "chain", "lines", "split", "zip"];

/// Installs everything that differs from minijinja's own set.
pub(super) fn install(env: &mut Environment<'static>, clock: Clock) {
    for name in NOT_IN_JINJA2 {
        env.remove_filter(name);
    }
    for name in ["startingwith", "endingwith", "safe", "int"] {
        env.remove_test(name);
    }
    env.remove_global("debug");
    env.add_filter("tojson", |state: &mut State, value: Value, args: Rest<Value>, kwargs: Kwargs| {
        let text = json::tojson(&value, args, kwargs)?;
        limits::charge(state, text.len())?;
        Ok::<_, Error>(text)
    });
    env.add_filter("string", |state: &mut State, value: Value| -> Result<Value, Error> {
        let text = python::str(&value)?;
        limits::charge(state, text.len())?;
        Ok(Value::from(text))
    });
    env.add_filter("trim", trim);
    env.add_filter("join", join);
    env.add_filter("upper", |value: Value| Ok::<_, Error>(python::str(&value)?.to_uppercase()));
    env.add_filter("lower", |value: Value| Ok::<_, Error>(python::str(&value)?.to_lowercase()));
    env.add_filter("length", length);
    env.add_filter("count", length);
    env.add_filter("items", items);
    env.add_filter("wordcount", |value: Value| {
        Ok::<_, Error>(
            python::str(&value)?
                .split(|c: char| !(c.is_alphanumeric() || c == '_'))
                .filter(|w| !w.is_empty())
                .count(),
        )
    });
    env.add_filter("center", center);
    env.add_filter("int", int);
    env.add_filter("attr", |value: Value, name: String| match value.kind() {
        // Keys of a dict are no attributes in Python.
        ValueKind::Map => Value::UNDEFINED,
        _ => value.get_attr(&name).unwrap_or_default(),
    });
    helpers::install(env);
    generator::install(env);
    env.add_test("iterable", is_iterable);
    env.add_test("sequence", is_sequence);
    env.add_test("number", |value: Value| matches!(value.kind(), ValueKind::Number | ValueKind::Bool));
    env.add_test("callable", |value: Value| is_callable(&value));
    env.add_function("raise_exception", |message: Value| -> Result<Value, Error> {
        Err(raise("TemplateError", python::str(&message)?))
    });
    env.add_function("strftime_now", move |format: String| clock.strftime(&format));
    env.add_function("namespace", namespace);
}

fn trim(value: Value, chars: Option<Value>) -> Result<Value, Error> {
    let text = python::str(&value)?;
    Ok(Value::from(match chars.filter(|c| !c.is_none()) {
        Some(chars) => {
            let set: Vec<char> = python::str(&chars)?.chars().collect();
            text.trim_matches(|c| set.contains(&c))
        }
        None => text.trim_matches(python::is_space),
    }))
}

fn join(state: &mut State, value: Value, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let argument = |index: usize, name: &str| -> Result<Option<Value>, Error> {
        let given = args.get(index).cloned();
        let value = match given {
            Some(value) => Some(value),
            None => kwargs.get::<Option<Value>>(name)?,
        };
        Ok(value.filter(|v| !v.is_none()))
    };
    let separator = argument(0, "d")?.map(|d| python::str(&d)).transpose()?.unwrap_or_default();
    let attribute = argument(1, "attribute")?;
    kwargs.assert_all_used()?;
    let mut out = limits::BoundedText::new();
    for (index, item) in iterate(&value)?.enumerate() {
        if index > 0 {
            out.push_str(&separator)?;
        }
        limits::charge(state, 1)?;
        let item = match &attribute {
            Some(attribute) => item.get_item(attribute)?,
            None => item,
        };
        out.push_str(&python::str(&item)?)?;
    }
    Ok(Value::from(out.into_string()))
}

/// Iteration as Python allows it: `None` and numbers are refused in Python's words.
fn iterate(value: &Value) -> Result<minijinja::value::ValueIter, Error> {
    match value.kind() {
        ValueKind::None | ValueKind::Number | ValueKind::Bool => {
            let kind = python::type_name(value);
            Err(raise("TypeError", format!("'{kind}' object is not iterable")))
        }
        _ => value.try_iter(),
    }
}

fn length(value: Value) -> Result<usize, Error> {
    if value.is_undefined() {
        return Ok(0);
    }
    if let Some(text) = value.as_str() {
        return Ok(text.chars().count());
    }
    match (value.kind(), value.len()) {
        (ValueKind::Seq | ValueKind::Iterable | ValueKind::Map, Some(len)) => Ok(len),
        _ => {
            let kind = python::type_name(&value);
            Err(raise("TypeError", format!("object of type '{kind}' has no len()")))
        }
    }
}

fn items(value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(Value::from(Vec::<Value>::new())),
        ValueKind::Map => {
            let pairs = value.try_iter()?.map(|key| {
                let item = value.get_item(&key)?;
                Ok(Value::from(minijinja::value::Tuple::from(vec![key, item])))
            });
            pairs.collect::<Result<Vec<Value>, Error>>().map(Value::from)
        }
        _ => Err(raise("TypeError", "Can only get item pairs from a mapping.")),
    }
}

/// `int(value)`, or `default` where Python's raises; a text may hold a float.
fn int(value: Value, default: Option<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let default = match default {
        Some(default) => Some(default),
        None => kwargs.get::<Option<Value>>("default")?,
    };
    let base = kwargs.get::<Option<u32>>("base")?.unwrap_or(10);
    kwargs.assert_all_used()?;
    let from_float = |float: f64| float.is_finite().then(|| Value::from(float.trunc() as i128));
    let number = match (value.as_str(), value.kind()) {
        (Some(text), _) => {
            let digits = text.trim().replace('_', "");
            let whole = (2..=36).contains(&base).then(|| i128::from_str_radix(&digits, base).ok()).flatten();
            whole.map(Value::from).or_else(|| digits.parse().ok().and_then(from_float))
        }
        (None, ValueKind::Bool) => Some(Value::from(i64::from(value.is_true()))),
        (None, ValueKind::Number) if value.is_integer() => Some(value.clone()),
        (None, ValueKind::Number) => f64::try_from(value.clone()).ok().and_then(from_float),
        _ => None,
    };
    Ok(number.or(default).unwrap_or_else(|| Value::from(0)))
}

fn center(value: Value, width: Option<usize>) -> Result<String, Error> {
    let (text, width) = (python::str(&value)?, width.unwrap_or(80));
    let missing = width.saturating_sub(text.chars().count());
    if missing > limits::MAX_STRING {
        return Err(limits::TooLarge.into());
    }
    let left = missing / 2 + (missing & width & 1);
    Ok(format!("{}{text}{}", " ".repeat(left), " ".repeat(missing - left)))
}

/// jinja2 asks `iter(value)`: text, lists, dicts and undefined values are, `None` and numbers are not.
fn is_iterable(value: Value) -> bool {
    !matches!(value.kind(), ValueKind::None | ValueKind::Bool | ValueKind::Number) && value.try_iter().is_ok()
}

/// jinja2 asks for `len()` and `[]`: true for text and dicts as well.
fn is_sequence(value: Value) -> bool {
    match value.kind() {
        ValueKind::Undefined | ValueKind::String | ValueKind::Seq | ValueKind::Map => true,
        _ => python::is_list(&value),
    }
}

fn is_callable(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.repr() == ObjectRepr::Plain)
}

/// `namespace(...)`: transformers refuses names that begin with an underscore.
fn namespace(defaults: Option<ValueOrKwargs>) -> Result<Value, Error> {
    let names = defaults.as_deref().and_then(|d| d.try_iter().ok()).into_iter().flatten();
    let hidden = names.filter_map(|n| n.as_str().map(str::to_string)).find(|n| n.starts_with('_'));
    if let Some(name) = hidden {
        let name = python::string_repr(&name)?;
        let message = format!(
            "Chat templates cannot store underscore-prefixed attributes on a namespace, but got {name}. \
             Please rename the attribute."
        );
        return Err(raise("SecurityError", message));
    }
    minijinja::functions::namespace(defaults)
}
