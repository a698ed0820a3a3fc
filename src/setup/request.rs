//! What a user asks for, and what it comes to: the same for the command line and the screen.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chat::{self, ChatOptions, wants_chat};
use super::{OverrideEffect, Recipe, TokenChoice, apply};
use crate::chat::layout::Layout;
use crate::chat::{Sample, SeparatorStyle, Template};
use crate::error::{Error, Result};
use crate::hub::HubOptions;
use crate::labels::rules::two::TwoRule;
use crate::labels::{Inspection, Labelled, PromptOptions, Rule, inspect, inspect_two};
use crate::masks::{Method, Strategy, inspect_preset_labels};
use crate::tokenizer::{LoadOptions, Role, Tokenizer};

/// A wish that follows something else unless a name is given.
pub const AUTO: &str = "auto";
/// The recipe that changes nothing.
pub const NONE: &str = "none";

/// Largest `model_max_length` that the training scripts set.
pub const TRAINING_MAX_LENGTH: usize = 2048;

/// Everything that decides how samples are labelled, as the user put it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `sample:NAME`, a folder, a file, or a hub id.
    pub tokenizer: String,
    /// A LLaVA template's name, `chat` or `chat:NAME` for the tokenizer's own, a path to a `.jinja` file, or [`AUTO`].
    pub template: String,
    /// A rule's or a strategy's name, or [`AUTO`].
    pub preprocess: String,
    /// What goes with a chat template.
    pub chat: ChatOptions,
    /// The layout of data files; `None` recognises it.
    pub layout: Option<Layout>,
    /// A recipe's name, [`AUTO`] or [`NONE`].
    pub recipe: String,
    /// Tokens for roles; they win over the recipe's.
    pub overrides: BTreeMap<Role, TokenChoice>,
    pub load: LoadOptions,
    /// Where hub ids are fetched from, and how.
    pub hub: HubOptions,
    pub model_max_length: Option<usize>,
    pub mm_use_im_start_end: bool,
    /// Another separator after answers than the template's.
    pub sep2: Option<String>,
    /// A rule of these numbers instead of a known function.
    pub numbers: Option<TwoRule>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            tokenizer: "sample:phi-2".to_string(),
            template: AUTO.to_string(),
            preprocess: AUTO.to_string(),
            chat: ChatOptions::default(),
            layout: None,
            recipe: AUTO.to_string(),
            overrides: BTreeMap::new(),
            load: LoadOptions::default(),
            hub: HubOptions::from_env(),
            model_max_length: None,
            mm_use_im_start_end: false,
            sep2: None,
            numbers: None,
        }
    }
}

/// A request that was understood: all that is needed to label a sample.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The tokenizer with overrides.
    pub tokenizer: Arc<Tokenizer>,
    /// The tokenizer as it was loaded.
    pub base: Arc<Tokenizer>,
    /// The LLaVA template; it has no part in the labels where [`Self::chat`] is set.
    pub template: Template,
    /// The rule for [`Self::template`].
    pub rule: Rule,
    /// Chat template and strategy, in place of template and rule.
    pub chat: Option<Arc<Method>>,
    /// Numbers that stand in for those of `rule`.
    pub numbers: Option<TwoRule>,
    pub recipe: Option<&'static Recipe>,
    /// The overrides of recipe and user together, in the order of application.
    pub overrides: Vec<(Role, TokenChoice)>,
    /// What each override did, in that order.
    pub effects: Vec<OverrideEffect>,
    pub options: PromptOptions,
    /// What was chosen for the user, and why.
    pub notes: Vec<String>,
}

impl Setup {
    /// Labels of one sample.
    pub fn inspect(&self, sample: &Sample) -> Inspection {
        if let Some(method) = &self.chat {
            return method.inspect(&self.tokenizer, sample);
        }
        if let Some(inspection) = inspect_preset_labels(&self.tokenizer, sample, None) {
            return inspection;
        }
        match self.numbers {
            Some(two) => inspect_two(&self.tokenizer, &self.template, two, &self.options, sample),
            None => inspect(&self.tokenizer, &self.template, self.rule, &self.options, sample),
        }
    }
}

impl Setup {
    /// True for a set-up of the same request: moving from sample to sample makes a new one each time.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.base, &other.base)
            && self.template == other.template
            && self.rule == other.rule
            && self.numbers == other.numbers
            && self.overrides == other.overrides
            && self.options == other.options
            && match (&self.chat, &other.chat) {
                (Some(own), Some(others)) => own.is_same(others),
                (own, others) => own.is_none() && others.is_none(),
            }
    }

    /// Tokens of a sample that the collator keeps. Only image samples can be longer: the tokenizer cuts the others, and a
    /// trainer with a chat template has limits of its own, which its labels are of.
    pub fn kept_len(&self) -> usize {
        if self.chat.is_some() { usize::MAX } else { self.options.model_max_length }
    }

    /// Bytes of the prompt that training sees: up to the last token that is kept where the rest is cut off, else all.
    pub fn seen_bytes(&self, prompt: &str, labelled: &Labelled) -> usize {
        if labelled.input_ids.len() < self.options.model_max_length {
            return prompt.len();
        }
        let kept = labelled.spans.get(..self.kept_len()).unwrap_or(&labelled.spans);
        kept.iter().map(|span| span.end).max().unwrap_or(prompt.len()).min(prompt.len())
    }

    /// The template that makes prompts, by name.
    pub fn template_name(&self) -> &str {
        self.chat.as_ref().map_or(&self.template.name, |method| &method.templates.name)
    }

    /// The rule or strategy that labels, by name.
    pub fn rule_name(&self) -> &'static str {
        self.chat.as_ref().map_or(self.rule.name(), |method| method.strategy.name())
    }
}

/// Works out what a request means for a loaded tokenizer. Takes milliseconds: nothing is loaded.
///
/// # Errors
/// Unknown names, and overrides that the class refuses.
pub fn resolve(base: &Arc<Tokenizer>, request: &Request) -> Result<Setup> {
    let mut notes = Vec::new();
    let recipe = choose_recipe(base, request, &mut notes)?;
    let overrides = merged_overrides(recipe, request);
    let (tokenizer, effects) = apply(base, &overrides)?;
    let chat = match wants_chat(request) {
        true => Some(Arc::new(chat::method(&tokenizer, request, &mut notes)?)),
        false => None,
    };
    // LLaVA's template has no part in a chat template's labels, and there is nothing to say of it.
    let llava = if chat.is_some() { &Request::default() } else { request };
    let said = notes.len();
    let mut template = choose_template(&tokenizer, recipe, llava, &mut notes)?;
    if chat.is_some() {
        notes.truncate(said);
    }
    let rule = match request.preprocess.as_str() {
        _ if chat.is_some() => Rule::dispatch(&template),
        AUTO => Rule::dispatch(&template),
        name => Rule::named(name).ok_or_else(|| unknown_rule(name))?,
    };
    if let Some(sep2) = &request.sep2 {
        template.sep2 = Some(sep2.clone());
    }
    let own = usize::try_from(tokenizer.facts.model_max_length).unwrap_or(usize::MAX);
    let options = PromptOptions {
        model_max_length: request.model_max_length.unwrap_or(own.min(TRAINING_MAX_LENGTH)),
        mm_use_im_start_end: request.mm_use_im_start_end,
        ..PromptOptions::default()
    };
    Ok(Setup {
        tokenizer: Arc::new(tokenizer),
        base: base.clone(),
        template,
        rule,
        chat,
        numbers: request.numbers,
        recipe,
        overrides,
        effects,
        options,
        notes,
    })
}

fn unknown_rule(name: &str) -> Error {
    if Strategy::named(name).is_some() {
        return Error::Usage(format!(
            "the strategy {name} works on chat templates: take --template chat, or a .jinja file"
        ));
    }
    let rules = Rule::ALL.iter().map(|r| r.name());
    let known = rules.chain(Strategy::ALL.map(Strategy::name)).map(String::from).collect();
    Error::UnknownName { kind: "rule or strategy", name: name.to_string(), known }
}

fn choose_recipe(
    base: &Tokenizer,
    request: &Request,
    notes: &mut Vec<String>,
) -> Result<Option<&'static Recipe>> {
    match request.recipe.as_str() {
        NONE => Ok(None),
        // Recipes are of LLaVA's training scripts; a chat template takes the tokenizer as it is.
        AUTO if wants_chat(request) => Ok(None),
        AUTO => {
            let recipe = Recipe::for_tokenizer(base);
            notes.push(match recipe {
                Some(r) => {
                    let own = r.overrides().into_iter().map(|(role, _)| role);
                    let own = own.filter(|role| request.overrides.contains_key(role)).map(Role::name);
                    let own = own.collect::<Vec<_>>().join(", ");
                    let but = if own.is_empty() { own } else { format!("; but {own} as you give it") };
                    format!("recipe {} chosen for {}: {}{but}", r.name, base.facts.name, r.summary)
                }
                None => {
                    format!("no recipe is known for {}: the tokenizer is taken as loaded", base.facts.name)
                }
            });
            Ok(recipe)
        }
        name => Recipe::named(name).map(Some).ok_or_else(|| {
            let known = [AUTO, NONE].into_iter().chain(Recipe::names()).map(String::from).collect();
            Error::UnknownName { kind: "recipe", name: name.to_string(), known }
        }),
    }
}

/// The recipe's tokens with the user's in their place; other roles first, pad last as it may copy another.
fn merged_overrides(recipe: Option<&Recipe>, request: &Request) -> Vec<(Role, TokenChoice)> {
    let mut merged: Vec<(Role, TokenChoice)> = recipe.map(Recipe::overrides).unwrap_or_default();
    merged.retain(|(role, _)| !request.overrides.contains_key(role));
    merged.extend(request.overrides.iter().map(|(role, choice)| (*role, choice.clone())));
    let order = [Role::Unk, Role::Eos, Role::Bos, Role::Sep, Role::Cls, Role::Mask, Role::Pad];
    merged.sort_by_key(|(role, _)| order.iter().position(|r| r == role));
    merged
}

fn choose_template(
    tokenizer: &Tokenizer,
    recipe: Option<&Recipe>,
    request: &Request,
    notes: &mut Vec<String>,
) -> Result<Template> {
    let name = match (request.template.as_str(), recipe) {
        (AUTO, Some(recipe)) => recipe.template,
        (AUTO, None) => {
            let found = template_for_eos(tokenizer);
            notes.push(match found {
                Some(name) => format!("template {name} chosen: it ends answers with this tokenizer's eos"),
                None => format!("template {FALLBACK} chosen, the training script's default: no template ends answers with this tokenizer's eos"),
            });
            found.unwrap_or(FALLBACK)
        }
        (name, _) => name,
    };
    Template::named(name).ok_or_else(|| Error::UnknownName {
        kind: "template; MoE-LLaVA's train.py would take vicuna_v1 without a word for --version",
        name: name.to_string(),
        known: Template::names().into_iter().map(String::from).collect(),
    })
}

/// What the training script takes where it knows no template.
const FALLBACK: &str = "vicuna_v1";

/// The first two-separator template that ends answers with the tokenizer's eos.
fn template_for_eos(tokenizer: &Tokenizer) -> Option<&'static str> {
    let eos = tokenizer.special.get(Role::Eos)?;
    let fits = |name: &&str| {
        Template::named(name)
            .is_some_and(|t| t.style == SeparatorStyle::Two && t.sep2.as_deref() == Some(&eos.content))
    };
    Template::names().into_iter().find(fits)
}
