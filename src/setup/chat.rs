//! Chat templates and mask strategies in a [`Request`]: which template, which strategy, and why.

use super::choice::{CHAT, LabelChoice, TemplateChoice};
use super::request::{ChatOptions, Request};
use crate::chat::Conversation;
use crate::chat::jinja::{ChatTemplate, TemplateQuery, TemplateSet};
use crate::chat::layout::Layout;
use crate::error::{Error, Result};
use crate::masks::trainers::{Trainer, swift};
use crate::masks::{Method, Strategy, Templates};
use crate::samples::{CHAT_TEMPLATES, SampleTemplate};
use crate::tokenizer::{Release, Tokenizer};

/// The method that a request asks for.
///
/// # Errors
/// Templates that are not there or are none, unknown names, a strategy that cannot do what was asked.
pub(super) fn method(tokenizer: &Tokenizer, request: &Request, notes: &mut Vec<String>) -> Result<Method> {
    let options = &request.chat;
    let named = match request.preprocess {
        LabelChoice::Auto => None,
        LabelChoice::Strategy(strategy) => Some(strategy),
        LabelChoice::Rule(rule) => {
            return Err(Error::Usage(format!(
                "the rule {} works on LLaVA's templates; with a chat template take one of {}",
                rule.name(),
                Strategy::named_ones().map(Strategy::name).collect::<Vec<_>>().join(", ")
            )));
        }
    };
    // Trainers of preferences take plain text too; rows of messages raise where there is no template.
    let takes_text = |strategy: Strategy| strategy.trainer().is_some_and(Trainer::takes_preferences_alone);
    let needs_template = named.is_none_or(|strategy| strategy.needs_template() && !takes_text(strategy));
    let templates = templates(tokenizer, request, needs_template, notes)?;
    let strategy = match named {
        Some(strategy) => strategy,
        None => choose(tokenizer, &templates, options, notes),
    };
    let renders =
        options.rendering.add_generation_prompt || options.rendering.continue_final_message.field().is_some();
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
    method.rendering = options.rendering.clone();
    method.settings = options.settings.clone();
    method.settings.max_length = options.settings.max_length.or(request.model_max_length);
    if strategy == Strategy::Trainer(Trainer::Swift) && !method.settings.options.contains_key("template") {
        name_swift_format(&mut method, tokenizer, notes);
    }
    Ok(method)
}

/// ms-swift takes its format by the type of the model, which no file of a tokenizer names: the one that writes as the chat
/// template does stands for it.
fn name_swift_format(method: &mut Method, tokenizer: &Tokenizer, notes: &mut Vec<String>) {
    let chat = method.chat(tokenizer, &Conversation::default());
    match chat.and_then(|chat| swift::format_like(&chat)) {
        Ok(name) => {
            notes.push(format!(
                "ms-swift's format {name} taken: of its formats it is the one most like this chat template; \
                 --strategy-option template=NAME takes another"
            ));
            method.settings.options.insert("template".into(), name.into());
        }
        Err(error) => notes.push(format!(
            "--strategy-option template=NAME says which of ms-swift's formats the trainer takes: {error}"
        )),
    }
}

/// Such rows are labelled by a preference trainer whatever the strategy.
const PREFERENCES: &str = "the rows are for preference training: they are labelled as TRL's DPO (pairs) or KTO (a label) does, \
                           both sides; --preprocess names another trainer that takes them";

/// The strategy where none was named, and why.
fn choose(
    tokenizer: &Tokenizer,
    templates: &Templates,
    options: &ChatOptions,
    notes: &mut Vec<String>,
) -> Strategy {
    let rendering = &options.rendering;
    let tagged = templates.plain.as_ref().is_ok_and(ChatTemplate::has_generation_tags);
    let (strategy, why) = if rendering.add_generation_prompt
        || rendering.continue_final_message.field().is_some()
    {
        (Strategy::Render, "a generation prompt or an open last message is for inference")
    } else if tokenizer.is_slow() {
        (Strategy::OiLegacyMaskLabels, "a slow class cannot tell where its tokens are in the text")
    } else if tagged {
        (Strategy::HfGeneration, "the template has {% generation %} tags")
    } else if options.by_data.is_some_and(|rows| rows.has_call_turns) {
        (
            Strategy::Trainer(Trainer::Swift),
            "the rows have calls as turns of the role tool_call, which ms-swift reads",
        )
    } else if let Some(rows) = options.by_data {
        if rows.layout == Layout::Preference {
            notes.push(PREFERENCES.to_string());
            return Strategy::AxolotlTurn;
        }
        (
            Strategy::AxolotlTurn,
            "axolotl reads such rows with the tokenizer's own template, and finds each answer by its text",
        )
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
    let clock = request.chat.clock;
    let compile = |name: &str, source: &str| -> Result<ChatTemplate> {
        let template = ChatTemplate::new(name, source, clock).map_err(|e| Error::Usage(e.to_string()))?;
        Ok(template.of_release(request.chat.release.unwrap_or(Release::V5)))
    };
    let name = match &request.template {
        TemplateChoice::Text(source) => return Ok(Templates::one(compile("edited template", source)?)),
        TemplateChoice::Sample(name) => {
            let sample = SampleTemplate::named(name).ok_or_else(|| Error::UnknownName {
                kind: "built-in chat template",
                name: name.clone(),
                known: CHAT_TEMPLATES.iter().map(|template| template.name.to_string()).collect(),
            })?;
            return Ok(Templates::one(compile(&request.template.to_string(), sample.source)?));
        }
        TemplateChoice::File(path) => {
            let set = TemplateSet::from_jinja_file(path)?;
            let source = set.choose(&TemplateQuery::default()).map_err(|e| Error::Usage(e.to_string()))?;
            return Ok(Templates::one(compile(&request.template.to_string(), &source.text)?));
        }
        TemplateChoice::Chat(Some(name)) => Some(name.clone()),
        TemplateChoice::Chat(None) | TemplateChoice::Auto | TemplateChoice::Llava(_) => {
            request.chat.name.clone()
        }
    };
    let set = discover(tokenizer, request.chat.release, notes)?;
    let pick = |tools: bool| set.choose(&TemplateQuery { name: name.clone(), tools });
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

/// The templates of the tokenizer's files, as the release finds them.
fn discover(tokenizer: &Tokenizer, release: Option<Release>, notes: &mut Vec<String>) -> Result<TemplateSet> {
    let set = TemplateSet::discover(&tokenizer.files)?;
    if !matches!(release, Some(Release::V4_31 | Release::V4_37)) {
        return Ok(set);
    }
    let own = TemplateSet::discover_4_37(&tokenizer.files)?;
    if own.is_empty() && !set.is_empty() {
        notes.push(
            "transformers 4.37 reads chat_template of tokenizer_config.json only, which is not there, and would render the \
             class's own default: the template of the other files is taken all the same"
                .to_string(),
        );
        return Ok(set);
    }
    Ok(own)
}
