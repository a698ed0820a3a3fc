//! Before the conversation is written: tools wrapped, calls and results put in words, messages of one role in a row put
//! together, thinking blocks added or removed.

use serde_json::{Map, Value};

use super::agent::AgentTemplate;
use super::format::Variant;
use super::inputs::{Flags, StdInputs, SwiftAnswer, SwiftContent, SwiftMessage};
use super::loss_scale::BaseStrategy;
use super::template::{Backend, SwiftTemplate};
use super::tools::wrapped;
use crate::masks::MaskError;
use crate::masks::trainers::python_json::truthy;
use crate::python::is_python_space;

pub(super) fn agent(template: &SwiftTemplate) -> Result<AgentTemplate, MaskError> {
    let name = template.options.agent_template.as_deref().or(template.format.agent_template.as_deref());
    AgentTemplate::named(name, &template.format)
}

/// Tools as a list of OpenAI's wrappers, without what Arrow put in.
pub(super) fn tools(template: &SwiftTemplate, inputs: &mut StdInputs) -> Result<(), MaskError> {
    if !truthy(&inputs.tools) {
        return Ok(());
    }
    agent(template)?;
    let parsed = |value: &Value| match value {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        value => value.clone(),
    };
    let list = match &inputs.tools {
        Value::String(_) => match parsed(&inputs.tools) {
            Value::Array(tools) => tools,
            tool => vec![tool],
        },
        Value::Array(tools) => tools.iter().map(parsed).collect(),
        other => {
            let shown = crate::masks::trainers::python_json::repr(other);
            return Err(MaskError::python("ValueError", format!("inputs.tools: {shown}")));
        }
    };
    inputs.tools = list.iter().map(|tool| wrapped(&without_padding(tool))).collect();
    Ok(())
}

/// A schema without the nulls that an Arrow column adds.
fn without_padding(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(without_padding).collect(),
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (key, value) in fields {
                match key.as_str() {
                    "default" | "const" => kept.insert(key.clone(), value.clone()),
                    key if key.starts_with("x-") => kept.insert(key.to_string(), value.clone()),
                    _ if value.is_null() => None,
                    "enum" | "examples" => kept.insert(key.clone(), value.clone()),
                    _ => kept.insert(key.clone(), without_padding(value)),
                };
            }
            Value::Object(kept)
        }
        other => other.clone(),
    }
}

/// Calls as answers, results as prompts, and neighbours of one role as one message.
pub(super) fn messages(template: &SwiftTemplate, inputs: &mut StdInputs) -> Result<(), MaskError> {
    calls(template, &mut inputs.messages)?;
    let swift = template.options.template_backend == Backend::Swift;
    if swift {
        standalone_results(template, &mut inputs.messages)?;
    }
    let mut merged: Vec<SwiftMessage> = Vec::new();
    let mut rest = std::mem::take(&mut inputs.messages).into_iter().peekable();
    while let Some(message) = rest.next() {
        let Some(before) = merged.last_mut() else {
            merged.push(message);
            continue;
        };
        match (before.role.as_str(), message.role.as_str()) {
            ("assistant", "tool") if swift => {
                let mut results = vec![message];
                while let Some(next) = rest.next_if(|next| next.role == "tool") {
                    results.push(next);
                }
                let prompt = agent(template)?.results(&mut before.content, &results, &template.format);
                merged.push(SwiftMessage::plain("tool", SwiftContent::ToolRound(prompt)));
            }
            ("assistant", "assistant") if swift => merge_answers(before, message),
            ("assistant", "assistant") | ("user", "user") => {
                before.content = concatenated(&before.content, &message.content)?;
            }
            _ => merged.push(message),
        }
    }
    inputs.messages = merged;
    Ok(())
}

fn concatenated(before: &SwiftContent, after: &SwiftContent) -> Result<SwiftContent, MaskError> {
    let message = match (before, after) {
        (SwiftContent::Text(before), SwiftContent::Text(after)) => {
            return Ok(SwiftContent::Text(format!("{before}{after}")));
        }
        (SwiftContent::Text(_), _) => "can only concatenate str (not \"NoneType\") to str",
        (_, SwiftContent::Text(_)) => "unsupported operand type(s) for +: 'NoneType' and 'str'",
        _ => "unsupported operand type(s) for +: 'NoneType' and 'NoneType'",
    };
    Err(MaskError::python("TypeError", message))
}

/// Answers in a row become a list, each with its own flags.
fn merge_answers(before: &mut SwiftMessage, message: SwiftMessage) {
    let answers = |content: SwiftContent, flags: Flags| match content {
        SwiftContent::Answers(answers) => answers,
        SwiftContent::Text(text) => vec![SwiftAnswer { text: Some(text), flags }],
        SwiftContent::Nothing | SwiftContent::ToolRound(_) => vec![SwiftAnswer { text: None, flags }],
    };
    let first = std::mem::replace(&mut before.content, SwiftContent::Nothing);
    let mut all = answers(first, before.flags);
    all.extend(answers(message.content, message.flags));
    before.content = SwiftContent::Answers(all);
}

/// Calls in a row become one answer, with the flags of the first that has any.
fn calls(template: &SwiftTemplate, messages: &mut Vec<SwiftMessage>) -> Result<(), MaskError> {
    let mut out: Vec<SwiftMessage> = Vec::new();
    let mut rest = std::mem::take(messages).into_iter().peekable();
    while let Some(message) = rest.next() {
        if message.role != "tool_call" {
            out.push(message);
            continue;
        }
        let agent = agent(template)?;
        let mut calls = vec![message];
        while let Some(next) = rest.next_if(|next| next.role == "tool_call") {
            calls.push(next);
        }
        let text = agent.calls(&calls)?;
        let text = format!("{}{text}", agent.call_prefix(out.last_mut()));
        let flags = calls.iter().fold(Flags::default(), |flags, call| flags.or(call.flags));
        out.push(SwiftMessage { flags, ..SwiftMessage::plain("assistant", SwiftContent::Text(text)) });
    }
    *messages = out;
    Ok(())
}

/// Results right behind a user's message become a part of it.
fn standalone_results(template: &SwiftTemplate, messages: &mut Vec<SwiftMessage>) -> Result<(), MaskError> {
    let mut out: Vec<SwiftMessage> = Vec::new();
    let mut rest = std::mem::take(messages).into_iter().peekable();
    while let Some(message) = rest.next() {
        let behind_answer =
            out.last().is_some_and(|before| ["assistant", "tool"].contains(&before.role.as_str()));
        if message.role != "tool" || behind_answer {
            out.push(message);
            continue;
        }
        let mut results = vec![message];
        while let Some(next) = rest.next_if(|next| next.role == "tool") {
            results.push(next);
        }
        let refused = |message: &str| Err(MaskError::python("ValueError", message));
        match out.last_mut() {
            None => return refused("A standalone tool message must follow a user message."),
            Some(before) if before.role != "user" => {
                return refused("A standalone tool message must follow a user message.");
            }
            Some(before) => {
                let mut text = before.text().unwrap_or_default().to_string();
                for context in agent(template)?.standalone_results(&results, &template.format)? {
                    match context.text() {
                        Some(piece) => text.push_str(piece),
                        None => return refused("Standalone tool formatting must produce text contexts"),
                    }
                }
                before.content = SwiftContent::Text(text);
            }
        }
    }
    *messages = out;
    Ok(())
}

/// Index of the last message of a user or a tool; -1 without one.
pub(super) fn last_query(messages: &[SwiftMessage]) -> i64 {
    let query = |message: &SwiftMessage| ["user", "tool"].contains(&message.role.as_str());
    messages.iter().rposition(query).map_or(-1, |index| index as i64)
}

/// The empty thinking block in front of answers that have none, for types that can do without thinking.
pub(super) fn add_non_thinking_prefix(template: &SwiftTemplate, messages: &mut [SwiftMessage]) {
    let format = &template.format;
    let prefix = format.non_thinking_prefix.as_str();
    if prefix.is_empty() {
        return;
    }
    let last_only =
        template.loss_scale.base == BaseStrategy::LastRound && format.preserve_thinking != Some(true);
    let start = if last_only { last_query(messages) } else { -1 };
    let only_after_user = format.variant == Variant::DeepseekV31;
    let after_user: Vec<bool> = (0..messages.len())
        .map(|index| index > 0 && messages.get(index - 1).is_some_and(|before| before.role == "user"))
        .collect();
    for (index, message) in messages.iter_mut().enumerate() {
        let wanted = index as i64 >= start && message.role == "assistant";
        if !wanted || (only_after_user && after_user.get(index) != Some(&true)) {
            continue;
        }
        if let Some(text) = first_text(&mut message.content)
            && !text.starts_with("<think>")
            && !text.starts_with(prefix)
        {
            text.insert_str(0, prefix);
        }
    }
}

/// Everything up to the last `</think>` goes from answers before the last query.
pub(super) fn remove_history_thinking(template: &SwiftTemplate, messages: &mut [SwiftMessage]) {
    let last = last_query(messages);
    for (index, message) in messages.iter_mut().enumerate() {
        if message.role != "assistant" || index as i64 >= last {
            continue;
        }
        if let Some(text) = first_text(&mut message.content) {
            let kept = text.rsplit("</think>").next().unwrap_or_default().trim_matches(is_python_space);
            *text = format!("{}{kept}", template.format.history_thinking_prefix);
        }
    }
}

/// The text of an answer, or of the first of several.
fn first_text(content: &mut SwiftContent) -> Option<&mut String> {
    match content {
        SwiftContent::Text(text) => Some(text),
        SwiftContent::Answers(answers) => answers.first_mut()?.text.as_mut(),
        SwiftContent::Nothing | SwiftContent::ToolRound(_) => None,
    }
}

/// Whether thinking in history stays: the row's word, the option, the type's habit, and else by what is trained.
pub(super) fn preserve_thinking(template: &SwiftTemplate, inputs: &StdInputs) -> bool {
    let of_row = inputs.chat_template_kwargs.get("preserve_thinking").and_then(Value::as_bool);
    let (options, format) = (&template.options, &template.format);
    of_row.or(options.preserve_thinking).or(format.preserve_thinking).unwrap_or_else(|| {
        let thinks = format.is_thinking || enable_thinking(template, inputs);
        !thinks || template.loss_scale.base != BaseStrategy::LastRound
    })
}

/// The row's word, the option, or whether the type always thinks.
pub(super) fn enable_thinking(template: &SwiftTemplate, inputs: &StdInputs) -> bool {
    let of_row = inputs.chat_template_kwargs.get("enable_thinking").and_then(Value::as_bool);
    let format = &template.format;
    let habit = format.is_thinking && format.non_thinking_prefix.is_empty();
    of_row.or(template.options.enable_thinking).unwrap_or(habit)
}

/// What opens an answer that is still to come: the row's word, the option, or the type's.
pub(super) fn response_prefix(template: &SwiftTemplate, inputs: &StdInputs) -> String {
    let of_row = inputs.chat_template_kwargs.get("response_prefix").and_then(Value::as_str);
    let given = of_row.or(template.options.response_prefix.as_deref());
    let format = &template.format;
    match given {
        Some(prefix) => prefix.to_string(),
        None if !template.options.use_chat_template => String::new(),
        None if enable_thinking(template, inputs) => format.thinking_prefix.clone(),
        None => format.non_thinking_prefix.clone(),
    }
}
