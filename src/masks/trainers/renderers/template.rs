//! The `default` renderer: the tokenizer's chat template on longer and longer conversations. What a rendering has more
//! than the one before, by count, is of the message that was added; nothing checks that the earlier part stayed.

use serde_json::{Map, Value};

use super::rendered::RenderedTokens;
use crate::masks::trainers::Resources;
use crate::masks::trainers::resources::RenderCall;
use crate::masks::{MaskError, role};

/// Renders a conversation.
pub(super) fn render(
    resources: &Resources,
    messages: &[Value],
    tools: Option<&[Value]>,
    kwargs: &Map<String, Value>,
) -> Result<RenderedTokens, MaskError> {
    let messages: Vec<Value> = messages.iter().map(with_decoded_arguments).collect();
    let mut rendered = RenderedTokens::default();
    let mut before = 0;
    for index in 0..messages.len() {
        let call = RenderCall {
            messages: messages.get(..=index).unwrap_or_default(),
            tools,
            kwargs: Some(kwargs),
            ..RenderCall::default()
        };
        rendered.ids = resources.render_ids(&call)?;
        let added = rendered.ids.len().saturating_sub(before);
        rendered.owners.extend(std::iter::repeat_n(Some(index), added));
        before = rendered.ids.len();
    }
    Ok(rendered)
}

/// Arguments of calls as objects, where they are JSON texts.
fn with_decoded_arguments(message: &Value) -> Value {
    let mut message = message.clone();
    if role(&message) != "assistant" {
        return message;
    }
    for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
        let holder = match call.get("function") {
            Some(Value::Object(_)) => call.get_mut("function"),
            _ => Some(call),
        };
        if let Some(arguments) = holder.and_then(|holder| holder.get_mut("arguments"))
            && let Some(parsed) = arguments.as_str().and_then(|text| serde_json::from_str(text).ok())
        {
            *arguments = parsed;
        }
    }
    message
}
