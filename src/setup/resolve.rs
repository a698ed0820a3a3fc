//! From a [`Request`] and a loaded tokenizer to a [`Setup`]: all that labels a sample.

use std::sync::Arc;

use super::chat;
use super::choice::{LabelChoice, RecipeChoice, TemplateChoice};
use super::overrides::{OverrideEffect, TokenChoice, apply};
use super::recipe::Recipe;
use super::repository::Wished;
use super::request::Request;
use crate::chat::{Sample, SeparatorStyle, Template};
use crate::error::{Error, Result};
use crate::labelling::{Labelling, LlavaLabelling, RepositoryLabelling};
use crate::labels::{Inspection, Labelled, PromptOptions, Rule, RuleChoice};
use crate::masks::Method;
use crate::tokenizer::{Role, Tokenizer};

/// Largest `model_max_length` that the training scripts set.
pub const TRAINING_MAX_LENGTH: usize = 2048;

/// A request that was understood: all that is needed to label a sample. `L` is how samples get their labels.
#[derive(Debug, Clone)]
pub struct Setup<L = Labelling> {
    /// The tokenizer with overrides.
    pub tokenizer: Arc<Tokenizer>,
    /// The tokenizer as it was loaded.
    pub base: Arc<Tokenizer>,
    pub labelling: L,
    pub recipe: Option<&'static Recipe>,
    /// The overrides of recipe and user together, in the order of application.
    pub overrides: Vec<(Role, TokenChoice)>,
    /// What each override did, in that order.
    pub effects: Vec<OverrideEffect>,
    /// What was chosen for the user, and why.
    pub notes: Vec<String>,
}

/// A set-up with a LLaVA template: what the doctor's fixes change in memory, and what a patch is written from.
pub type LlavaSetup = Setup<LlavaLabelling>;

impl<L> Setup<L> {
    /// The same with another tokenizer.
    pub fn with_tokenizer(mut self, tokenizer: Tokenizer) -> Self {
        tokenizer.remember_words();
        self.tokenizer = Arc::new(tokenizer);
        self
    }
}

impl LlavaSetup {
    /// Labels of one sample.
    pub fn inspect(&self, sample: &Sample) -> Inspection {
        self.labelling.inspect(&self.tokenizer, sample)
    }
}

impl Setup {
    /// Labels of one sample.
    pub fn inspect(&self, sample: &Sample) -> Inspection {
        self.labelling.inspect(&self.tokenizer, sample)
    }

    /// Chat template and strategy; `None` with a LLaVA template.
    pub fn chat(&self) -> Option<&Arc<Method>> {
        self.labelling.chat()
    }

    /// LLaVA's template, rule and options; `None` with a chat template.
    pub fn llava(&self) -> Option<&LlavaLabelling> {
        self.labelling.llava()
    }

    /// A copy that is known to have a LLaVA template: also that of the rule that a repository's function was recognized as.
    /// `None` with a chat template.
    pub fn to_llava(&self) -> Option<LlavaSetup> {
        let Self { tokenizer, base, labelling, recipe, overrides, effects, notes } = self.clone();
        match labelling {
            Labelling::Llava(labelling) => {
                Some(Setup { tokenizer, base, labelling, recipe, overrides, effects, notes })
            }
            Labelling::Repository(repository) => {
                let labelling = repository.known()?.clone();
                Some(Setup { tokenizer, base, labelling, recipe, overrides, effects, notes })
            }
            Labelling::Chat(_) => None,
        }
    }

    /// The label function of a repository; `None` where another labels.
    pub fn repository(&self) -> Option<&RepositoryLabelling> {
        self.labelling.repository()
    }

    /// True for a set-up of the same request: moving from sample to sample makes a new one each time.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.base, &other.base)
            && self.overrides == other.overrides
            && self.labelling.is_same(&other.labelling)
    }

    /// Tokens that a sample may have in training: as asked for, else the tokenizer's own within what the scripts set.
    pub fn model_max_length(&self) -> usize {
        match &self.labelling {
            Labelling::Llava(llava) => llava.options.model_max_length,
            Labelling::Chat(method) => {
                method.settings.max_length.unwrap_or_else(|| training_max_length(&self.tokenizer))
            }
            Labelling::Repository(_) => training_max_length(&self.tokenizer),
        }
    }

    /// Bytes of the prompt that training sees: up to the last token that is kept where the rest is cut off, else all.
    pub fn seen_bytes(&self, prompt: &str, labelled: &Labelled) -> usize {
        if labelled.input_ids.len() < self.model_max_length() {
            return prompt.len();
        }
        let kept = labelled.spans.get(..labelled.kept_len).unwrap_or(&labelled.spans);
        kept.iter().map(|span| span.end).max().unwrap_or(prompt.len()).min(prompt.len())
    }

    /// The template that makes prompts, by name.
    pub fn template_name(&self) -> &str {
        self.labelling.template_name()
    }

    /// The rule or strategy that labels, by name.
    pub fn rule_name(&self) -> &str {
        self.labelling.rule_name()
    }
}

/// The tokenizer's own limit, within what the training scripts set.
fn training_max_length(tokenizer: &Tokenizer) -> usize {
    usize::try_from(tokenizer.facts.model_max_length).unwrap_or(usize::MAX).min(TRAINING_MAX_LENGTH)
}

/// Works out what a request means for a loaded tokenizer. Takes milliseconds: nothing is loaded.
///
/// # Errors
/// Unknown names, and overrides that the class refuses.
pub fn resolve(base: &Arc<Tokenizer>, request: &Request) -> Result<Setup> {
    let mut notes = Vec::new();
    if let Some(repository) = &request.repository {
        let wished = Wished {
            tokenizer: &request.tokenizer,
            load: request.load,
            overrides: &request.overrides,
            model_max_length: request.model_max_length,
            mm_use_im_start_end: request.mm_use_im_start_end,
        };
        let labelling = repository.labelling(base, &wished, &mut notes)?;
        let tokenizer = labelling.function.tokenizer().unwrap_or_else(|| base.clone());
        return Ok(Setup {
            tokenizer,
            base: base.clone(),
            labelling: Labelling::Repository(labelling),
            recipe: None,
            overrides: Vec::new(),
            effects: Vec::new(),
            notes,
        });
    }
    let recipe = choose_recipe(base, request, &mut notes);
    let overrides = merged_overrides(recipe, request);
    let (tokenizer, effects) = apply(base, &overrides)?;
    let labelling = match request.wants_chat() {
        true => Labelling::Chat(Arc::new(chat::method(&tokenizer, request, &mut notes)?)),
        false => Labelling::Llava(llava(&tokenizer, recipe, request, &mut notes)?),
    };
    tokenizer.remember_words();
    let tokenizer = Arc::new(tokenizer);
    Ok(Setup { tokenizer, base: base.clone(), labelling, recipe, overrides, effects, notes })
}

fn llava(
    tokenizer: &Tokenizer,
    recipe: Option<&Recipe>,
    request: &Request,
    notes: &mut Vec<String>,
) -> Result<LlavaLabelling> {
    let mut template = choose_template(tokenizer, recipe, request, notes)?;
    let rule = match request.preprocess {
        LabelChoice::Auto => RuleChoice::Named(Rule::dispatch(&template)),
        LabelChoice::Rule(rule) => rule,
        LabelChoice::Strategy(strategy) => {
            return Err(Error::Usage(format!(
                "the strategy {} works on chat templates: take --template chat, or a .jinja file",
                strategy.name()
            )));
        }
    };
    if let Some(sep2) = &request.sep2 {
        template.sep2 = Some(sep2.clone());
    }
    let options = PromptOptions {
        model_max_length: request.model_max_length.unwrap_or_else(|| training_max_length(tokenizer)),
        mm_use_im_start_end: request.mm_use_im_start_end,
        ..PromptOptions::default()
    };
    Ok(LlavaLabelling { template, rule, options })
}

fn choose_recipe(base: &Tokenizer, request: &Request, notes: &mut Vec<String>) -> Option<&'static Recipe> {
    match request.recipe {
        RecipeChoice::None => None,
        RecipeChoice::Named(recipe) => Some(recipe),
        // Recipes are of LLaVA's training scripts; a chat template takes the tokenizer as it is.
        RecipeChoice::Auto if request.wants_chat() => None,
        RecipeChoice::Auto => {
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
            recipe
        }
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
    let name = match (&request.template, recipe) {
        (TemplateChoice::Llava(name), _) => name,
        (_, Some(recipe)) => recipe.template,
        (_, None) => {
            let found = template_for_eos(tokenizer);
            notes.push(match found {
                Some(name) => format!("template {name} chosen: it ends answers with this tokenizer's eos"),
                None => format!("template {FALLBACK} chosen, the training script's default: no template ends answers with this tokenizer's eos"),
            });
            found.unwrap_or(FALLBACK)
        }
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
    Template::training_names().into_iter().find(fits)
}
