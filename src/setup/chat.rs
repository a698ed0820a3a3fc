//! Chat templates and mask strategies in a [`Request`]: which template, which strategy, and why.

use std::path::Path;

use super::{AUTO, Request, SAMPLE_PREFIX};
use crate::chat::Template;
use crate::chat::jinja::{ChatTemplate, Choice, Clock, TemplateSet};
use crate::error::{Error, Result};
use crate::labels::Rule;
use crate::masks::{Method, Rendering, Settings, Strategy, Templates};
use crate::samples::{CHAT_TEMPLATES, SampleTemplate};
use crate::tokenizer::Tokenizer;

/// The template that is the tokenizer's own.
pub const CHAT: &str = "chat";

/// What a user asks for beyond the names of template and strategy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatOptions {
    /// One of the tokenizer's templates by name; transformers chooses without.
    pub name: Option<String>,
    /// A template's text in place of the file's, as a user edits it.
    pub source: Option<String>,
    pub rendering: Rendering,
    /// What `strftime_now` takes for now.
    pub clock: Clock,
    pub settings: Settings,
}

/// True when a request is for a chat template or a strategy, and not for LLaVA's templates and rules.
pub fn wants_chat(request: &Request) -> bool {
    let by_template = own_template(&request.template).is_some()
        || request.template.starts_with(SAMPLE_PREFIX)
        || is_template_file(&request.template);
    let by_strategy = request.template == AUTO && Strategy::named(&request.preprocess).is_some();
    by_template || by_strategy || request.chat.source.is_some()
}

/// The template of the tokenizer's own that `chat` or `chat:NAME` asks for.
fn own_template(template: &str) -> Option<Option<&str>> {
    match template.strip_prefix(CHAT)? {
        "" => Some(None),
        rest => rest.strip_prefix(':').map(Some),
    }
}

/// A path to a template: what ends so, or is a file and no template's name.
fn is_template_file(template: &str) -> bool {
    [".jinja", ".jinja2", ".j2"].iter().any(|ending| template.ends_with(ending))
        || (Template::named(template).is_none() && Path::new(template).is_file())
}

/// The method that a request asks for.
///
/// # Errors
/// Templates that are not there or are none, unknown names, a strategy that cannot do what was asked.
pub(super) fn method(tokenizer: &Tokenizer, request: &Request, notes: &mut Vec<String>) -> Result<Method> {
    let wish = &request.chat;
    let named = match request.preprocess.as_str() {
        AUTO => None,
        name => Some(Strategy::named(name).ok_or_else(|| unknown(name))?),
    };
    let needs_template = named.is_none_or(Strategy::needs_template);
    let templates = templates(tokenizer, request, needs_template, notes)?;
    let strategy = match named {
        Some(strategy) => strategy,
        None => choose(tokenizer, &templates, &wish.rendering, notes),
    };
    let renders =
        wish.rendering.add_generation_prompt || wish.rendering.continue_final_message.field().is_some();
    if renders && !strategy.searches_ids() {
        return Err(Error::Usage(format!(
            "{} renders the conversation in its own way; --add-generation-prompt and --continue-final-message go with \
             --preprocess {}, or with strategies that search in the ids (unsloth, trl_collator_instr, …)",
            strategy.name(),
            Strategy::Render.name()
        )));
    }
    let mut method = Method::new(templates, strategy, tokenizer);
    method.auto = named.is_none();
    method.rendering = wish.rendering.clone();
    method.settings = wish.settings.clone();
    method.settings.max_length = wish.settings.max_length.or(request.model_max_length);
    Ok(method)
}

fn unknown(name: &str) -> Error {
    if Rule::named(name).is_some() {
        return Error::Usage(format!(
            "the rule {name} works on LLaVA's templates; with a chat template take one of {}",
            Strategy::ALL.map(Strategy::name).join(", ")
        ));
    }
    let known = Strategy::ALL.iter().map(|strategy| strategy.name().to_string()).collect();
    Error::UnknownName { kind: "strategy", name: name.to_string(), known }
}

/// The strategy where none was named, and why.
fn choose(
    tokenizer: &Tokenizer,
    templates: &Templates,
    rendering: &Rendering,
    notes: &mut Vec<String>,
) -> Strategy {
    let tagged = templates.plain.as_ref().is_ok_and(ChatTemplate::has_generation_tags);
    let (strategy, why) =
        if rendering.add_generation_prompt || rendering.continue_final_message.field().is_some() {
            (Strategy::Render, "a generation prompt or an open last message is for inference")
        } else if tokenizer.is_slow() {
            (Strategy::OiLegacyMaskLabels, "a slow class cannot tell where its tokens are in the text")
        } else if tagged {
            (Strategy::HfGeneration, "the template has {% generation %} tags")
        } else {
            (
                Strategy::OiPrefix,
                "the template has no {% generation %} tag, so answers are found by prefix difference",
            )
        };
    notes.push(format!("strategy {} chosen: {why}", strategy.name()));
    strategy
}

fn templates(
    tokenizer: &Tokenizer,
    request: &Request,
    needed: bool,
    notes: &mut Vec<String>,
) -> Result<Templates> {
    let wish = &request.chat;
    let compile = |name: &str, source: &str| -> Result<ChatTemplate> {
        ChatTemplate::new(name, source, wish.clock).map_err(|e| Error::Usage(e.to_string()))
    };
    if let Some(source) = &wish.source {
        return Ok(Templates::one(compile("edited template", source)?));
    }
    if let Some(name) = request.template.strip_prefix(SAMPLE_PREFIX) {
        let sample = SampleTemplate::named(name).ok_or_else(|| Error::UnknownName {
            kind: "built-in chat template",
            name: name.to_string(),
            known: CHAT_TEMPLATES.iter().map(|template| template.name.to_string()).collect(),
        })?;
        return Ok(Templates::one(compile(&request.template, sample.source)?));
    }
    if is_template_file(&request.template) {
        let set = TemplateSet::from_jinja_file(Path::new(&request.template))?;
        let source = set.choose(&Choice::default()).map_err(|e| Error::Usage(e.to_string()))?;
        return Ok(Templates::one(compile(&request.template, &source.text)?));
    }
    let set = TemplateSet::discover(&tokenizer.files)?;
    let name = own_template(&request.template).flatten().map(str::to_string).or(wish.name.clone());
    let pick = |tools: bool| set.choose(&Choice { name: name.clone(), tools });
    let plain = match pick(false) {
        Ok(source) => Ok(compile(&source.path.display().to_string(), &source.text)?),
        // transformers has the same to say, for samples without tools at least.
        Err(_) if pick(true).is_err() && needed => {
            let what = if set.is_empty() {
                "none of its files has a chat template"
            } else {
                "it has none by that name"
            };
            let names: Vec<&str> = set.names().collect();
            let names =
                if names.is_empty() { String::new() } else { format!(" (there are {})", names.join(", ")) };
            return Err(Error::Usage(format!(
                "{}: {what}{names}; give a .jinja file with --template FILE",
                tokenizer.name
            )));
        }
        Err(exception) => Err(exception),
    };
    let tool_use = match pick(true) {
        Ok(source) if pick(false) != Ok(source) => {
            Some(compile(&source.path.display().to_string(), &source.text)?)
        }
        _ => None,
    };
    if let Ok(source) = pick(false) {
        let names: Vec<&str> = set.names().collect();
        let others =
            if names.len() > 1 { format!("; its templates are {}", names.join(", ")) } else { String::new() };
        notes.push(format!("chat template from {}{others}", source.path.display()));
    }
    let title = name.map_or(CHAT.to_string(), |name| format!("{CHAT}:{name}"));
    Ok(Templates { name: title, plain, tool_use })
}
