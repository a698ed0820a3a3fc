//! `select`, `map` and their relatives give generators in jinja2: always true, without a length, used up by
//! one pass. minijinja gives lists, so `{% if messages | selectattr(…) %}` would go the other way.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use minijinja::value::{Enumerator, Object, ObjectRepr, Rest, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value, filters};

/// Items that can be walked through once.
#[derive(Debug)]
struct Generator(Mutex<Vec<Value>>);

impl Object for Generator {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let items = self.0.lock().map(|mut items| std::mem::take(&mut *items)).unwrap_or_default();
        // A loop looks ahead in jinja2, so it knows its last item; `len()` alone is unknown.
        Enumerator::Iter(Box::new(items.into_iter()))
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        None
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
}

fn generator(items: Vec<Value>) -> Value {
    Value::from_object(Generator(Mutex::new(items)))
}

/// What a generator has left, without using it up; `None` for any other value.
pub(super) fn items(value: &Value) -> Option<Vec<Value>> {
    let generator = value.downcast_object_ref::<Generator>()?;
    Some(generator.0.lock().map(|items| items.clone()).unwrap_or_default())
}

type Name<'a> = Cow<'a, str>;
type Args = Rest<ValueOrKwargs>;

pub(super) fn install(env: &mut Environment<'static>) {
    env.add_filter("select", |state: &mut State, value: Value, test: Option<Name>, args: Args| {
        filters::select(state, value, test, args).map(generator)
    });
    env.add_filter("reject", |state: &mut State, value: Value, test: Option<Name>, args: Args| {
        filters::reject(state, value, test, args).map(generator)
    });
    env.add_filter(
        "selectattr",
        |state: &mut State, value: Value, attr: Name, test: Option<Name>, args: Args| {
            filters::selectattr(state, value, attr, test, args).map(generator)
        },
    );
    env.add_filter(
        "rejectattr",
        |state: &mut State, value: Value, attr: Name, test: Option<Name>, args: Args| {
            filters::rejectattr(state, value, attr, test, args).map(generator)
        },
    );
    env.add_filter("map", |state: &mut State, value: Value, args: Args| -> Result<Value, Error> {
        filters::map(state, value, args).map(generator)
    });
}
