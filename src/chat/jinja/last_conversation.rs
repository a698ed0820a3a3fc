//! The conversation that a thread rendered last: its messages as a template's values, and the texts of its prefixes.
//!
//! A sample is rendered many times: as a whole for its labels and once more for its account, up to each message, and with the
//! prompt of each answer; a strategy that subtracts prefixes renders the same ones again. A rendering depends on nothing but
//! the template and its inputs, so one with the same inputs is taken from here. Each thread has its own: nothing is waited
//! for.

use std::cell::RefCell;

use serde_json::{Map, Value};

use super::Rendered;
use super::input::Inputs;

/// Conversations that a thread keeps: the same one may be rendered by two releases, or with and without a variable.
const KEPT: usize = 2;
/// Bytes of text kept of a conversation; what is beyond is rendered again.
const MOST_TEXT: usize = 1 << 20;
/// Messages of a conversation that is kept: comparing with a longer one costs more than it saves.
const MOST_MESSAGES: usize = 256;

/// What is asked of a rendering: the text, or also where its parts lie. The latter takes a walk over the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Extent {
    Text,
    Positions,
}

thread_local! {
    /// The newest at the end.
    static LAST: RefCell<Vec<LastConversation>> = const { RefCell::new(Vec::new()) };
}

/// A conversation under one template.
struct LastConversation {
    /// Number of the template; see [`super::ChatTemplate`].
    template: u64,
    messages: Vec<Value>,
    values: Vec<minijinja::Value>,
    tools: Option<Vec<Value>>,
    documents: Option<Vec<Value>>,
    special_tokens: Option<Map<String, Value>>,
    kwargs: Option<Map<String, Value>>,
    renderings: Vec<Rendering>,
    /// Bytes of [`Self::renderings`].
    bytes: usize,
}

struct Rendering {
    /// Messages, from the first on.
    count: usize,
    add_generation_prompt: bool,
    extent: Extent,
    rendered: Rendered,
}

impl LastConversation {
    /// True where the inputs are those of this conversation, or of its beginning.
    fn holds(&self, template: u64, inputs: &Inputs) -> bool {
        self.template == template
            && self.messages.get(..inputs.messages.len()).is_some_and(|own| lists_alike(own, inputs.messages))
            && both(self.tools.as_deref(), inputs.tools, lists_alike)
            && both(self.documents.as_deref(), inputs.documents, lists_alike)
            && both(self.special_tokens.as_ref(), inputs.special_tokens, maps_alike)
            && both(self.kwargs.as_ref(), inputs.kwargs, maps_alike)
    }
}

fn both<T: ?Sized>(a: Option<&T>, b: Option<&T>, is_alike: fn(&T, &T) -> bool) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => is_alike(a, b),
        (None, None) => true,
        _ => false,
    }
}

/// True where a template prints both alike. Equality of JSON is too little: it leaves the order of keys aside, and takes -0.0
/// for 0.0.
fn lists_alike(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
}

fn maps_alike(a: &Map<String, Value>, b: &Map<String, Value>) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|((key, a), (other, b))| key == other && alike(a, b))
}

fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => lists_alike(a, b),
        (Value::Object(a), Value::Object(b)) => maps_alike(a, b),
        (Value::Number(a), Value::Number(b)) => {
            a == b && a.as_f64().map(f64::to_bits) == b.as_f64().map(f64::to_bits)
        }
        _ => a == b,
    }
}

/// A rendering that is remembered; else the values of the messages, where they are.
pub(super) enum Found {
    Rendered(Rendered),
    Values(Vec<minijinja::Value>),
    Nothing,
}

/// What is known of these inputs.
pub(super) fn find(template: u64, inputs: &Inputs, extent: Extent) -> Found {
    LAST.with_borrow(|last| {
        let Some(known) = last.iter().rev().find(|known| known.holds(template, inputs)) else {
            return Found::Nothing;
        };
        let count = inputs.messages.len();
        let same = known.renderings.iter().find(|r| {
            r.count == count && r.add_generation_prompt == inputs.add_generation_prompt && r.extent >= extent
        });
        match (same, known.values.get(..count)) {
            (Some(same), _) => Found::Rendered(same.rendered.clone()),
            (None, Some(values)) => Found::Values(values.to_vec()),
            (None, None) => Found::Nothing,
        }
    })
}

/// Keeps a rendering, and the values of its messages where they are new.
pub(super) fn keep(
    template: u64,
    inputs: &Inputs,
    extent: Extent,
    values: &[minijinja::Value],
    rendered: &Rendered,
) {
    if inputs.messages.len() > MOST_MESSAGES || rendered.text.len() > MOST_TEXT {
        return;
    }
    // A template may read little of a large message.
    let mut bytes = 0;
    if !inputs.messages.iter().all(|message| is_small(message, &mut bytes)) {
        return;
    }
    LAST.with_borrow_mut(|last| {
        let at = last.iter().rposition(|known| known.holds(template, inputs));
        let at = at.unwrap_or_else(|| {
            if last.len() >= KEPT {
                last.remove(0);
            }
            last.push(LastConversation {
                template,
                messages: inputs.messages.to_vec(),
                values: values.to_vec(),
                tools: inputs.tools.map(<[Value]>::to_vec),
                documents: inputs.documents.map(<[Value]>::to_vec),
                special_tokens: inputs.special_tokens.cloned(),
                kwargs: inputs.kwargs.cloned(),
                renderings: Vec::new(),
                bytes: 0,
            });
            last.len() - 1
        });
        let Some(known) = last.get_mut(at) else { return };
        known.bytes += rendered.text.len();
        if known.bytes <= MOST_TEXT {
            known.renderings.push(Rendering {
                count: inputs.messages.len(),
                add_generation_prompt: inputs.add_generation_prompt,
                extent,
                rendered: rendered.clone(),
            });
        }
    });
}

/// Adds the bytes of a value's texts; false where there are too many.
fn is_small(value: &Value, bytes: &mut usize) -> bool {
    *bytes += match value {
        Value::String(text) => text.len(),
        _ => size_of::<Value>(),
    };
    *bytes <= MOST_TEXT
        && match value {
            Value::Array(items) => items.iter().all(|item| is_small(item, bytes)),
            Value::Object(fields) => fields.iter().all(|(key, field)| {
                *bytes += key.len();
                is_small(field, bytes)
            }),
            _ => true,
        }
}
