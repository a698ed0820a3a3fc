//! Conversations of which the last release of transformers 4 and release 5 make different texts.

use super::check::{ChatCheck, indices};
use crate::chat::jinja::{ChatTemplate, Inputs};
use crate::chat::{Conversation, REASONING_KEYS};
use crate::diagnose::chat::context::{ChatContext, Facts};
use crate::diagnose::checks::CheckOutcome;
use crate::diagnose::finding::Verdict;
use crate::tokenizer::Release;

pub const CHECK: ChatCheck =
    ChatCheck { id: "MSK058", title: "the text depends on the release of transformers", run };

/// Characters of a text that are shown around the first difference.
const SHOWN: usize = 40;

fn run(context: &ChatContext<'_>) -> CheckOutcome {
    let Some(template) = context.plan.template() else {
        return CheckOutcome::skipped("there is no chat template");
    };
    let own = template.release();
    let other = template.of_other_side().map_or(own, ChatTemplate::release);
    let templates = &context.plan.method.templates;
    let text_of = |template: Option<&ChatTemplate>, conversation: &Conversation| {
        let inputs = Inputs {
            messages: &conversation.messages,
            tools: conversation.tools.as_deref(),
            special_tokens: Some(&context.plan.method.special_tokens),
            kwargs: Some(&conversation.kwargs),
            ..Inputs::default()
        };
        let rendered = template?.render(&inputs);
        Some(rendered.map(|rendered| rendered.text).map_err(|error| match error.exception() {
            Some(exception) => exception.to_string(),
            None => error.to_string(),
        }))
    };
    let both = |facts: &Facts| {
        let conversation =
            context.conversation(facts.index).filter(|c| own == Release::V4_37 || may_differ(c))?;
        let here = templates.for_sample(conversation).ok();
        let there = here.and_then(ChatTemplate::of_other_side);
        Some((text_of(here, conversation)?, text_of(there, conversation)?))
    };
    let found: Vec<(&Facts, Texts)> = context
        .samples
        .iter()
        .filter_map(|facts| Some((facts, both(facts).filter(|(here, there)| here != there)?)))
        .collect();
    let Some((first, texts)) = found.first() else { return CheckOutcome::ok() };
    let cause = "release 5 drops keys of messages that are null and gives reasoning all of its names; 4.57 gives a template \
                 the messages as they are, so that a null is printed as None or raises, and reasoning has one name";
    let (here, there) = shown(texts);
    let supervised = |of: fn(&ChatTemplate) -> Option<&ChatTemplate>| {
        let counts = found.iter().filter_map(|(facts, _)| {
            let conversation = context.conversation(facts.index)?;
            let template = of(templates.for_sample(conversation).ok()?)?;
            Some(context.plan.supervised_by(template, conversation))
        });
        let (mut sum, mut raised) = (0, 0);
        for count in counts {
            sum += count.unwrap_or(0);
            raised += usize::from(count.is_none());
        }
        match raised {
            0 => format!("{sum} supervised tokens"),
            raised => format!("{sum} supervised tokens, and {raised} raise"),
        }
    };
    let counts = format!(
        "{}: {}; {}: {}",
        own.name(),
        supervised(|template| Some(template)),
        other.name(),
        supervised(ChatTemplate::of_other_side)
    );
    CheckOutcome::found(Verdict::Note, indices(found.iter().map(|(facts, _)| *facts)), cause.to_string())
        .evidence("samples", format!("{} of {}", found.len(), context.samples.len()))
        .evidence("labels of these", counts)
        .evidence("first", first.id.clone())
        .evidence(&format!("transformers {}", own.name()), here)
        .evidence(&format!("transformers {}", other.name()), there)
}

/// What two releases make of a conversation: a text, or an exception.
type Texts = (Result<String, String>, Result<String, String>);

/// What 5 changes before a template sees it.
fn may_differ(conversation: &Conversation) -> bool {
    let fields = conversation.messages.iter().filter_map(|message| message.as_object()).flatten();
    let mut fields = fields.filter(|(key, value)| value.is_null() || REASONING_KEYS.contains(&key.as_str()));
    conversation.messages.is_empty() || fields.next().is_some()
}

/// Both from a little before their first difference on.
fn shown((here, there): &Texts) -> (String, String) {
    let same = match (here, there) {
        (Ok(here), Ok(there)) => here.chars().zip(there.chars()).take_while(|(a, b)| a == b).count(),
        _ => 0,
    };
    let from = same.saturating_sub(SHOWN / 2);
    let cut = |text: &Result<String, String>| match text {
        Ok(text) => format!("{:?}", text.chars().skip(from).take(SHOWN).collect::<String>()),
        Err(exception) => exception.clone(),
    };
    (cut(here), cut(there))
}
