//! The jinja environment of transformers, built on minijinja: syntax settings, globals, printing, limits.

use std::io;
use std::sync::Arc;

use minijinja::{AutoEscape, Environment, Error, Value};

use super::clock::Clock;
use super::tracker::Tracker;
use super::{compared, filters, generation, iteration, limits, methods, printed, python, stored, syntax};

/// An environment as `_cached_compile_jinja_template` of transformers sets it up: `trim_blocks`,
/// `lstrip_blocks`, no auto-escaping, lenient undefined values.
pub(super) fn build(clock: Clock) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_syntax(syntax::config());
    env.set_auto_escape_callback(|_| AutoEscape::None);
    env.set_fuel(Some(limits::FUEL));
    env.set_recursion_limit(limits::MAX_RECURSION);
    env.set_debug(false);
    env.set_unknown_method_callback(methods::call);
    env.set_formatter(|out, state, value| match value.as_str() {
        Some(text) => out.write_str(text).map_err(Error::from),
        None => {
            let text = python::str(value)?;
            limits::charge(state, text.len())?;
            out.write_str(&text).map_err(Error::from)
        }
    });
    filters::install(&mut env, clock);
    compared::install(&mut env);
    printed::install(&mut env);
    env.add_filter(generation::FILTER, generation::record);
    env.add_filter(iteration::FILTER, iteration::iterable);
    env.add_filter(stored::FILTER, stored::stored);
    env
}

/// Receives what the top level yields: keeps the text, counts it, and stops at the size limit.
pub(super) struct Sink {
    pub bytes: Vec<u8>,
    pub tracker: Arc<Tracker>,
}

impl io::Write for &mut Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > limits::MAX_OUTPUT {
            return Err(io::Error::other("the rendered text is too large"));
        }
        self.bytes.extend_from_slice(bytes);
        self.tracker.wrote(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The tracker as a template variable.
pub(super) fn tracker_value(tracker: &Arc<Tracker>) -> Value {
    Value::from_dyn_object(tracker.clone())
}
