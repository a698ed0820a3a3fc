//! A conversation as contexts with weights (`_swift_encode`, `_jinja_encode`).

use serde_json::{Map, Value};

use super::format::{SYSTEM, SwiftContext, SwiftFormat, Variant};
use super::inputs::{Flags, StdInputs, SwiftAnswer, SwiftContent, SwiftMessage};
use super::loss_scale::ContextKind;
use super::prepare::{
    add_non_thinking_prefix, agent, enable_thinking, last_query, preserve_thinking, remove_history_thinking,
    response_prefix,
};
use super::template::SwiftTemplate;
use crate::masks::MaskError;
use crate::masks::trainers::python_json::truthy;
use crate::masks::trainers::resources::RenderCall;

/// A context before weights.
enum Part {
    Text(SwiftContext),
    /// The answer of a round.
    Response(Vec<SwiftAnswer>),
    Suffix(SwiftContext),
}

/// The contexts of a conversation in swift's own format.
pub(super) fn swift(
    template: &SwiftTemplate,
    mut inputs: StdInputs,
) -> Result<Vec<(SwiftContext, f64)>, MaskError> {
    let format = &template.format;
    if format.variant == Variant::Gemma3 {
        gemma3(&mut inputs)?;
    }
    let mut system = None;
    if template.options.use_chat_template {
        if template.options.add_non_thinking_prefix {
            add_non_thinking_prefix(template, &mut inputs.messages);
        }
        if !preserve_thinking(template, &inputs) {
            remove_history_thinking(template, &mut inputs.messages);
        }
        system = system_text(template, &mut inputs)?;
    }
    let messages = paired(format, std::mem::take(&mut inputs.messages));
    let mut parts = Vec::new();
    let sep_token = if format.auto_add_bos { special_tokens(template, &mut parts)? } else { Vec::new() };
    let given = system.as_deref().filter(|system| !system.is_empty());
    let prefix = match (&format.system_prefix, given) {
        (Some(prefix), Some(_)) => prefix,
        _ => &format.prefix,
    };
    let places = Places { system: system.as_deref(), ..Places::default() };
    parts.extend(places.fill(prefix).map(Part::Text));
    let rounds = messages.len() / 2;
    if messages.is_empty() {
        return Err(MaskError::python("AssertionError", "inputs.messages: []"));
    }
    for (round, pair) in messages.chunks_exact(2).enumerate() {
        let [query, response] = pair else { break };
        check_roles(query, response)?;
        let last = round + 1 == rounds;
        let prompt = match (&query.content, &format.system_prompt) {
            (SwiftContent::ToolRound(prompt), _) => prompt,
            (_, Some(prompt)) if last => prompt,
            _ => &format.prompt,
        };
        let places = Places {
            system: system.as_deref(),
            query: Some(query.text().unwrap_or_default()).filter(|_| query.content != SwiftContent::Nothing),
            round: Some(round),
        };
        parts.extend(places.fill(prompt).map(Part::Text));
        let answers = answers(response);
        match (&answers, last) {
            (None, false) => return Err(MaskError::python("AssertionError", "")),
            (None, true) => {
                let prefix = [SwiftContext::Text(response_prefix(template, &inputs))];
                parts.extend(places.fill(&prefix).map(Part::Text));
            }
            (Some(answers), false) => {
                parts.push(Part::Response(answers.clone()));
                let next_is_tool = messages.get(2 * (round + 1)).is_some_and(|next| next.role == "tool");
                if !next_is_tool {
                    parts.extend(format.chat_sep.iter().flatten().cloned().map(Part::Text));
                }
            }
            (Some(answers), true) => {
                parts.push(Part::Response(answers.clone()));
                let text = answers.last().and_then(|answer| answer.text.as_deref()).unwrap_or_default();
                let ended = format.stop_words.iter().any(|word| text.ends_with(word.as_str()));
                if inputs.add_eos.unwrap_or(sep_token.is_empty() && !ended) {
                    parts.extend(format.suffix.iter().cloned().map(Part::Suffix));
                }
            }
        }
    }
    if !sep_token.is_empty() {
        parts.push(Part::Suffix(SwiftContext::Ids(sep_token)));
    }
    Ok(weighed(template, parts, &messages))
}

/// Weights of all parts.
fn weighed(
    template: &SwiftTemplate,
    parts: Vec<Part>,
    messages: &[SwiftMessage],
) -> Vec<(SwiftContext, f64)> {
    let last_query = last_query(messages);
    let mut out = Vec::new();
    let mut round = 0;
    for part in parts {
        let is_last_round = 2 * round as i64 >= last_query;
        let mut split = |context, kind, query, flags| {
            out.extend(template.loss_scale.split(context, kind, query, flags, is_last_round));
        };
        match part {
            Part::Text(context) => split(context, ContextKind::Other, None, Flags::default()),
            Part::Suffix(context) => split(context, ContextKind::Suffix, None, Flags::default()),
            Part::Response(answers) => {
                let query = messages.get(2 * round).and_then(SwiftMessage::text);
                for answer in answers {
                    let text = SwiftContext::Text(answer.text.unwrap_or_default());
                    split(text, ContextKind::Response, query, answer.flags);
                }
                round += 1;
            }
        }
    }
    out
}

/// Gemma 3: the system text goes in front of the first message, newlines around answers go.
fn gemma3(inputs: &mut StdInputs) -> Result<(), MaskError> {
    if let Some(system) = inputs.system.take() {
        let Some(first) = inputs.messages.first_mut() else {
            return Err(MaskError::python("IndexError", "list index out of range"));
        };
        if let SwiftContent::Text(text) = &mut first.content {
            *text = format!("{system}\n\n{text}");
        }
    }
    for message in inputs.messages.iter_mut().filter(|message| message.role == "assistant") {
        if let SwiftContent::Text(text) = &mut message.content {
            *text = text.trim_matches('\n').to_string();
        }
    }
    Ok(())
}

/// The row's system text or the type's, with tools.
fn system_text(template: &SwiftTemplate, inputs: &mut StdInputs) -> Result<Option<String>, MaskError> {
    template.format.check_system(inputs.system.as_deref())?;
    let system = inputs.system.take().or(template.format.default_system.clone());
    match inputs.tools.as_array().filter(|tools| !tools.is_empty()).cloned() {
        Some(tools) => agent(template)?.with_tools(&tools, system, inputs.messages.first_mut()),
        None => Ok(system),
    }
}

/// Queries and answers in turn: an empty query before a leading answer, no answer behind a last query.
fn paired(format: &SwiftFormat, mut messages: Vec<SwiftMessage>) -> Vec<SwiftMessage> {
    if messages.first().is_some_and(|message| message.role == "assistant") {
        messages.insert(0, SwiftMessage::plain("user", SwiftContent::Text(String::new())));
    }
    if messages.len() % 2 == 1 {
        messages.push(SwiftMessage::plain("assistant", SwiftContent::Nothing));
    }
    if messages.len() > 2 && format.chat_sep.is_none() {
        messages.drain(..messages.len() - 2);
    }
    messages
}

fn check_roles(query: &SwiftMessage, response: &SwiftMessage) -> Result<(), MaskError> {
    if !["user", "tool"].contains(&query.role.as_str()) {
        return Err(MaskError::python("AssertionError", format!("query_role: \"{}\"", query.role)));
    }
    if response.role != "assistant" {
        return Err(MaskError::python("AssertionError", format!("response_role: \"{}\"", response.role)));
    }
    Ok(())
}

/// The tokens that the tokenizer adds before a text become a context; those behind are returned.
fn special_tokens(template: &SwiftTemplate, parts: &mut Vec<Part>) -> Result<Vec<u32>, MaskError> {
    let all = template.resources.ids_with_special_tokens("a")?;
    let alone = template.resources.ids("a")?;
    let [token] = alone.as_slice() else { return Err(MaskError::python("AssertionError", "")) };
    let at = all.iter().position(|id| id == token).unwrap_or(0);
    let (before, rest) = all.split_at(at);
    if !before.is_empty() {
        parts.push(Part::Text(SwiftContext::Ids(before.to_vec())));
    }
    Ok(rest.get(1..).unwrap_or_default().to_vec())
}

/// The answers of a message; `None` where it has none.
fn answers(message: &SwiftMessage) -> Option<Vec<SwiftAnswer>> {
    match &message.content {
        SwiftContent::Text(text) => {
            Some(vec![SwiftAnswer { text: Some(text.clone()), flags: message.flags }])
        }
        SwiftContent::Answers(answers) => Some(answers.clone()),
        SwiftContent::Nothing | SwiftContent::ToolRound(_) => None,
    }
}

/// What is put in the places of a format.
#[derive(Default)]
struct Places<'p> {
    system: Option<&'p str>,
    query: Option<&'p str>,
    round: Option<usize>,
}

impl<'p> Places<'p> {
    /// One place after another, so a text that holds a place itself is filled too.
    fn fill<'c>(&'c self, contexts: &'c [SwiftContext]) -> impl Iterator<Item = SwiftContext> + use<'c, 'p> {
        let rounds = self.round.map(|round| (round.to_string(), (round + 1).to_string()));
        contexts.iter().filter_map(move |context| {
            let SwiftContext::Text(text) = context else {
                return Some(context.clone());
            };
            let mut text = text.clone();
            let rounds = rounds.as_ref();
            for (place, value) in [
                (SYSTEM, self.system),
                ("{{QUERY}}", self.query),
                ("{{ROUND0}}", rounds.map(|rounds| rounds.0.as_str())),
                ("{{ROUND1}}", rounds.map(|rounds| rounds.1.as_str())),
            ] {
                if let Some(value) = value {
                    text = text.replace(place, value);
                }
            }
            (!text.is_empty()).then_some(SwiftContext::Text(text))
        })
    }
}

/// The whole conversation by the tokenizer's chat template, all of it supervised.
pub(super) fn jinja(
    template: &SwiftTemplate,
    inputs: StdInputs,
) -> Result<Vec<(SwiftContext, f64)>, MaskError> {
    let system = inputs.system.clone().or(template.format.default_system.clone());
    let mut messages: Vec<Value> = Vec::new();
    if let Some(system) = system {
        messages.push(serde_json::json!({"role": "system", "content": system}));
    }
    let mut last = None;
    for message in &inputs.messages {
        let mut fields = message.fields.clone();
        if !fields.contains_key("role") {
            fields.insert("role".into(), message.role.clone().into());
        }
        let content = match &message.content {
            SwiftContent::Text(text) => Value::from(text.as_str()),
            _ => Value::Null,
        };
        last = Some((message.role.as_str(), content.is_null()));
        fields.insert("content".into(), content);
        messages.push(Value::Object(fields));
    }
    if matches!(last, Some((_, true))) {
        messages.pop();
    }
    let answered = messages.last().is_some_and(|message| crate::masks::role(message) == "assistant");
    let mut kwargs = Map::new();
    let enable = enable_thinking(template, &inputs);
    if template.format.is_thinking || enable {
        let key = match template.format.variant {
            Variant::DeepseekV31 => "thinking",
            _ => "enable_thinking",
        };
        kwargs.insert(key.into(), enable.into());
        kwargs.insert("preserve_thinking".into(), preserve_thinking(template, &inputs).into());
    }
    kwargs.extend(inputs.chat_template_kwargs.clone());
    let tools = inputs.tools.as_array().filter(|_| truthy(&inputs.tools)).map(Vec::as_slice);
    let text = template.resources.render(&RenderCall {
        messages: &messages,
        tools,
        kwargs: Some(&kwargs),
        add_generation_prompt: !answered,
        template: None,
    })?;
    Ok(vec![(SwiftContext::Text(text), 1.0)])
}
