//! What a user asks for: the same for the command line and the screen.

use std::collections::BTreeMap;

use super::choice::{LabelChoice, RecipeChoice, TemplateChoice, wants_chat};
use super::overrides::TokenChoice;
use super::repository::RepositoryRequest;
use crate::chat::PeekedRows;
use crate::chat::jinja::Clock;
use crate::chat::layout::Layout;
use crate::hub::HubOptions;
use crate::masks::{Rendering, StrategySettings};
use crate::tokenizer::{LoadOptions, Release, Role};

/// What a user asks for beyond the names of template and strategy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChatOptions {
    /// One of the tokenizer's templates by name; transformers chooses without.
    pub name: Option<String>,
    pub rendering: Rendering,
    /// What `strftime_now` takes for now.
    pub clock: Clock,
    pub settings: StrategySettings,
    /// The settings as they were given, `key=value`.
    pub option_pairs: Vec<String>,
    /// The release of transformers that was asked for; without one templates are rendered as by 5.
    pub release: Option<Release>,
    /// These rows asked for a chat template, and nobody for a strategy.
    pub by_data: Option<PeekedRows>,
}

/// Everything that decides how samples are labelled, as the user put it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `sample:NAME`, a folder, a file, or a hub id.
    pub tokenizer: String,
    pub template: TemplateChoice,
    pub preprocess: LabelChoice,
    /// What goes with a chat template.
    pub chat: ChatOptions,
    /// The layout of data files; `None` recognises it.
    pub layout: Option<Layout>,
    pub recipe: RecipeChoice,
    /// Tokens for roles; they win over the recipe's.
    pub overrides: BTreeMap<Role, TokenChoice>,
    pub load: LoadOptions,
    /// Where hub ids are fetched from, and how.
    pub hub: HubOptions,
    pub model_max_length: Option<usize>,
    pub mm_use_im_start_end: bool,
    /// Another separator after answers than the template's.
    pub sep2: Option<String>,
    /// The label function of a training repository, in place of template and rule.
    pub repository: Option<RepositoryRequest>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            tokenizer: "sample:phi-2".to_string(),
            template: TemplateChoice::default(),
            preprocess: LabelChoice::default(),
            chat: ChatOptions::default(),
            layout: None,
            recipe: RecipeChoice::default(),
            overrides: BTreeMap::new(),
            load: LoadOptions::default(),
            hub: HubOptions::from_env(),
            model_max_length: None,
            mm_use_im_start_end: false,
            sep2: None,
            repository: None,
        }
    }
}

impl Request {
    /// True where template, labels, recipe and tokens are all left to be chosen.
    pub fn asks_for_nothing(&self) -> bool {
        self.template == TemplateChoice::Auto
            && self.preprocess == LabelChoice::Auto
            && self.recipe == RecipeChoice::Auto
            && self.overrides.is_empty()
            && self.sep2.is_none()
            && self.repository.is_none()
    }

    /// True when this is for a chat template or a strategy, and not for LLaVA's templates and rules.
    pub fn wants_chat(&self) -> bool {
        wants_chat(&self.template, self.preprocess)
    }
}
