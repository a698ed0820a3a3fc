//! What earlier releases of transformers do differently when they render a chat template.
//!
//! | release | |
//! | --- | --- |
//! | 4.31 | has no chat templates: they came with 4.34 |
//! | 4.37 | messages as they are; no tools, documents or further variables; jinja2's own `tojson`; no tags of extensions |
//! | 4.57 | messages as they are: a null stays a null, and reasoning has the one name that it was given |
//! | 5 | null keys of messages go, reasoning gets all its names ([`super::input::normalise`]) |
//!
//! Recorded with `tests/scripts/record_chat_releases.py`; compared by `tests/conformance/chat/releases.rs`.

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, State};
use serde_json::Value;

use super::error::PythonException;
use super::input::{ContinueFinalMessage, Inputs};
use super::{json, limits};
use crate::python::type_name;
use crate::tokenizer::Release;

/// What a release raises whatever the messages are, with the line of the template where it is one's.
pub(super) fn refusal(
    release: Release,
    of_extension: Option<(&'static str, usize)>,
) -> Option<(Option<usize>, PythonException)> {
    match (release, of_extension) {
        (Release::V4_31, _) => {
            let message = "the tokenizer has no attribute 'apply_chat_template': transformers 4.34 brought chat templates";
            Some((None, PythonException::new("AttributeError", message)))
        }
        (Release::V4_37, Some((tag, line))) => {
            let message = format!("Encountered unknown tag '{tag}'.");
            Some((Some(line), PythonException::new("TemplateSyntaxError", message)))
        }
        _ => None,
    }
}

/// The inputs of which a release takes notice.
pub(super) fn inputs<'a>(release: Release, inputs: &Inputs<'a>) -> Inputs<'a> {
    let inputs = inputs.clone();
    match release {
        Release::V4_31 | Release::V4_37 => Inputs {
            tools: None,
            documents: None,
            kwargs: None,
            continue_final_message: ContinueFinalMessage::No,
            ..inputs
        },
        // One value, true or false: the field is always the content.
        Release::V4_57 if inputs.continue_final_message.field().is_some() => {
            Inputs { continue_final_message: ContinueFinalMessage::Content, ..inputs }
        }
        Release::V4_57 | Release::V5 => inputs,
    }
}

/// Messages as a template of 4.x sees them.
pub(super) fn messages(release: Release, messages: &[Value]) -> Result<Vec<Value>, PythonException> {
    if messages.is_empty() && release == Release::V4_57 {
        return Err(PythonException::new("IndexError", "list index out of range"));
    }
    if let Some(other) = messages.iter().find(|message| !message.is_object()) {
        let message = format!("a message is of type {}, and templates take dicts", type_name(other));
        return Err(PythonException::new("TypeError", message));
    }
    Ok(messages.to_vec())
}

/// Takes out of an environment what 4.37 does not put there: `strftime_now`, and its own `tojson`.
pub(super) fn without_later_parts(env: &mut Environment<'static>) {
    env.remove_global("strftime_now");
    env.add_filter(
        "tojson",
        |state: &mut State, value: minijinja::Value, args: Rest<minijinja::Value>, kwargs: Kwargs| {
            let text = json::html_safe(&value, args, kwargs)?;
            limits::charge(state, text.len())?;
            Ok::<_, Error>(text)
        },
    );
}
