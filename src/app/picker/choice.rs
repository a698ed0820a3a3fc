//! What a list offers: entries, and what taking one does to the request.

use crate::app::action::Action;
use crate::app::copied::CopyPart;
use crate::app::screens::experts::settings::ModelChoice;
use crate::samples::SAMPLE_PREFIX;
use crate::setup::{LabelChoice, RecipeChoice, RepositoryRequest, Request, TemplateChoice, TokenChoice};
use crate::tokenizer::{LoadOptions, Loader, Role};

/// What taking an entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PickerChoice {
    Tokenizer(String),
    Template(TemplateChoice),
    Rule(LabelChoice),
    Recipe(RecipeChoice),
    /// Another template or function of the repository.
    Repository(Box<RepositoryRequest>),
    Loading(LoadOptions),
    /// `None` takes the override away.
    Token(Role, Option<TokenChoice>),
    /// A built-in chat template with the built-in messages.
    Messages(&'static str),
    /// Side B of screen Compare.
    Other(String, LoadOptions),
    /// The model of screen Experts.
    Model(ModelChoice),
    Act(Action),
    /// Position of a token in the sample on screen.
    GoToToken(usize),
    /// Position of a sample in the data.
    GoToSample(usize),
    Copy(CopyPart),
}

impl PickerChoice {
    /// The request with this choice made; `None` for an act.
    pub fn apply(&self, request: &Request) -> Option<Request> {
        let mut request = request.clone();
        match self {
            Self::Tokenizer(spec) => {
                // A token of one vocabulary means nothing in another.
                let (load, hub) = (request.load, request.hub);
                // The repository's own lines make any tokenizer ready.
                let repository = request.repository.as_ref().map(RepositoryRequest::detached);
                request = Request { tokenizer: spec.clone(), load, hub, repository, ..Request::default() };
            }
            Self::Template(template) => {
                // A rule of one kind of template means nothing with the other.
                let was_chat = request.wants_chat();
                request.template = template.clone();
                // What is built in labels in the place of the repository's function; undo brings that back.
                request.repository = None;
                if was_chat != request.wants_chat() {
                    request.preprocess = LabelChoice::Auto;
                }
            }
            Self::Rule(labels) => (request.preprocess, request.repository) = (*labels, None),
            Self::Repository(repository) => request.repository = Some((**repository).clone()),
            Self::Recipe(recipe) => {
                request.recipe = *recipe;
                request.repository = None;
                request.template = TemplateChoice::Auto;
                request.preprocess = LabelChoice::Auto;
                request.overrides.clear();
            }
            Self::Loading(load) => request.load = *load,
            Self::Token(role, Some(choice)) => {
                request.overrides.insert(*role, choice.clone());
            }
            Self::Token(role, None) => {
                request.overrides.remove(role);
            }
            Self::Messages(name) => return Some(messages_request(name, &request)),
            Self::Other(..)
            | Self::Model(_)
            | Self::Act(_)
            | Self::GoToToken(_)
            | Self::GoToSample(_)
            | Self::Copy(_) => return None,
        }
        Some(request)
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickerEntry {
    pub label: String,
    pub detail: String,
    pub choice: PickerChoice,
}

impl PickerEntry {
    pub(super) fn new(label: impl Into<String>, detail: impl Into<String>, choice: PickerChoice) -> Self {
        Self { label: label.into(), detail: detail.into(), choice }
    }
}

/// What a built-in chat template is shown with: a tokenizer that takes its marks as bos and eos, as TRL's
/// `setup_chat_format` gives them to a base model.
pub fn messages_request(name: &str, now: &Request) -> Request {
    let token = |text: &str| TokenChoice::Surface(text.to_string());
    Request {
        tokenizer: format!("{SAMPLE_PREFIX}phi-2"),
        template: TemplateChoice::Sample(name.to_string()),
        recipe: RecipeChoice::None,
        overrides: [
            (Role::Bos, token("<|im_start|>")),
            (Role::Eos, token("<|im_end|>")),
            (Role::Pad, token("<|endoftext|>")),
        ]
        .into(),
        // A slow class cannot tell where its tokens are in the text, which most strategies need.
        load: LoadOptions { loader: Some(Loader::Fast), legacy: None, ..now.load },
        hub: now.hub.clone(),
        ..Request::default()
    }
}
