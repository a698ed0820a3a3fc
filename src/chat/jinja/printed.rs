//! What it costs to make a text of a value inside the engine, paid before it is made.
//!
//! The engine pays for the text when it has it. A list that holds another many times, sixty levels deep, is printed as
//! often as it occurs, and never done. [`super::python`] prints everything else, and has limits of its own.

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, State, Value, filters, tests};

use super::call_args::CallArgs;
use super::limits::{MAX_STRING, TooLarge};
use super::paid::{pay, pay_to_print};
use super::{python, string_methods};

/// Name of the filter for what `~` makes a text of.
pub(super) const FILTER: &str = "_maskscope_printed";

fn printed(state: &mut State, value: Value) -> Result<Value, Error> {
    pay_to_print(state, &value)?;
    Ok(value)
}

/// Installs the filter, and those of the engine that make texts of what they are given.
pub(super) fn install(env: &mut Environment<'static>) {
    env.add_filter(FILTER, printed);
    for (name, filter) in [
        ("title", Value::from_function(filters::title)),
        ("capitalize", Value::from_function(filters::capitalize)),
        ("escape", Value::from_function(filters::escape)),
        ("e", Value::from_function(filters::escape)),
        ("format", Value::from_function(filters::format)),
    ] {
        env.add_filter(name, move |state: &mut State, args: Rest<Value>, kwargs: Kwargs| {
            let mut args = args.to_vec();
            if kwargs.args().next().is_some() {
                args.push(Value::from(kwargs));
            }
            args.iter().try_for_each(|value| pay_to_print(state, value))?;
            filter.call(state, &args)
        });
    }
    let replace = Value::from_function(filters::replace);
    env.add_filter("replace", move |state: &mut State, args: Rest<Value>, kwargs: Kwargs| {
        let args = in_order(&args, &kwargs, ["s", "old", "new", "count"])?;
        args.iter().try_for_each(|value| pay_to_print(state, value))?;
        match args.split_first() {
            // The engine's own takes no count.
            Some((text, [old, new, count])) if !count.is_none() => {
                let [old, new] = [old, new].map(python::str);
                let args = [Value::from(old?), Value::from(new?), count.clone()];
                string_methods::replace(&python::str(text)?, &CallArgs::new(&args)?)
            }
            _ => replace.call(state, args.get(..3).unwrap_or(&args)),
        }
    });
    let indent = Value::from_function(filters::indent);
    env.add_filter("indent", move |state: &mut State, args: Rest<Value>, kwargs: Kwargs| {
        let args = in_order(&args, &kwargs, ["s", "width", "first", "blank"])?;
        args.iter().try_for_each(|value| pay_to_print(state, value))?;
        let [text, width] = [0, 1].map(|at| args.get(at).cloned().unwrap_or_default());
        let lines = text.as_str().map_or(0, |text| text.matches('\n').count() + 1);
        let width = width.as_str().map(str::len).or_else(|| width.as_usize()).unwrap_or(4);
        let len = text.as_str().map_or(0, str::len);
        if lines.saturating_mul(width).saturating_add(len) > MAX_STRING {
            return Err(TooLarge.into());
        }
        indent.call(state, &args)
    });
    for (name, test) in [("lower", tests::is_lower as fn(&Value) -> bool), ("upper", tests::is_upper)] {
        env.add_test(name, move |state: &State, value: Value| {
            pay(state, &value)?;
            Ok::<_, Error>(test(&value))
        });
    }
}

/// Arguments by their names, up to the last one that is given.
fn in_order<const N: usize>(args: &[Value], kwargs: &Kwargs, names: [&str; N]) -> Result<Vec<Value>, Error> {
    let mut all = args.to_vec();
    for (at, name) in names.into_iter().enumerate().skip(args.len()) {
        if let Some(value) = kwargs.get::<Option<Value>>(name)? {
            all.resize(at, Value::from(()));
            all.push(value);
        }
    }
    kwargs.assert_all_used()?;
    Ok(all)
}
