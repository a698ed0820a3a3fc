//! A list to choose from, searched as one types: tokenizers, templates, rules, recipes, tokens, acts.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use tui_input::Input;

use super::action::Action;
use super::bindings::{Context, bindings, keys_of};
use super::job::KnownEntry;
use super::panels::experts::settings::ModelPick;
use crate::chat::Template;
use crate::labels::Rule;
use crate::masks::Strategy;
use crate::samples::{CHAT_TEMPLATES, TOKENIZERS};
use crate::setup::{AUTO, NONE, RECIPES, Recipe, Request, SAMPLE_PREFIX, TokenChoice, wants_chat};
use crate::tokenizer::{LoadOptions, Loader, Release, Role, TokenId, Tokenizer};

/// What the list is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PickKind {
    Tokenizer,
    Template,
    Rule,
    Recipe,
    Loading,
    /// Side B of screen Compare; another tokenizer is loaded by this release.
    Other(LoadOptions),
    Token(Role),
    /// The model of screen Experts.
    Model,
    Palette,
}

/// What taking an entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    Tokenizer(String),
    Template(String),
    Rule(String),
    Recipe(String),
    Loading(LoadOptions),
    /// `None` takes the override away.
    Token(Role, Option<TokenChoice>),
    /// A built-in chat template with the built-in messages.
    Messages(&'static str),
    /// Side B of screen Compare.
    Other(String, LoadOptions),
    /// The model of screen Experts.
    Model(ModelPick),
    Act(Action),
}

impl Choice {
    /// The request with this choice made; `None` for an act.
    pub fn apply(&self, request: &Request) -> Option<Request> {
        let mut request = request.clone();
        match self {
            Self::Tokenizer(spec) => {
                // A token of one vocabulary means nothing in another.
                let (load, hub) = (request.load, request.hub);
                request = Request { tokenizer: spec.clone(), load, hub, ..Request::default() };
            }
            Self::Template(name) => {
                // A rule of one kind of template means nothing with the other, and an edited text is of the old one.
                let was_chat = wants_chat(&request);
                (request.template, request.chat.source) = (name.clone(), None);
                if was_chat != wants_chat(&request) {
                    request.preprocess = AUTO.to_string();
                }
            }
            Self::Rule(name) => request.preprocess = name.clone(),
            Self::Recipe(name) => {
                request.recipe = name.clone();
                request.template = AUTO.to_string();
                request.preprocess = AUTO.to_string();
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
            Self::Other(..) | Self::Model(_) | Self::Act(_) => return None,
        }
        Some(request)
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub label: String,
    pub detail: String,
    pub choice: Choice,
}

impl Entry {
    fn new(label: impl Into<String>, detail: impl Into<String>, choice: Choice) -> Self {
        Self { label: label.into(), detail: detail.into(), choice }
    }
}

/// An open list.
#[derive(Debug, Clone)]
pub struct Picker {
    pub kind: PickKind,
    pub query: Input,
    entries: Vec<Entry>,
    /// Entry made of the query itself (a new token, a path).
    typed: Option<Entry>,
    /// Indices of the entries that match, best first.
    matching: Vec<usize>,
    pub cursor: usize,
    /// More entries are on their way.
    pub loading: bool,
}

impl Picker {
    /// A list of these entries.
    pub fn new(kind: PickKind, entries: Vec<Entry>) -> Self {
        let matching = (0..entries.len()).collect();
        Self { kind, query: Input::default(), entries, typed: None, matching, cursor: 0, loading: false }
    }

    /// What the list is for, in a title.
    pub fn title(&self) -> String {
        match self.kind {
            PickKind::Tokenizer => {
                "tokenizer: recent, cached or a sample; or type a folder, a file, a hub id".to_string()
            }
            PickKind::Template => {
                "template: LLaVA's, the tokenizer's own, built-in; or type a .jinja file".to_string()
            }
            PickKind::Rule => "label rule, or mask strategy of a chat template".to_string(),
            PickKind::Recipe => "recipe: template, rule and overrides in one".to_string(),
            PickKind::Loading => "class family and release of transformers".to_string(),
            PickKind::Other(_) => {
                "side B: another class or release, another tokenizer, or type one".to_string()
            }
            PickKind::Token(role) => format!("token for {}", role.name()),
            PickKind::Model => {
                "model of experts: one of these, or type a folder or a hub id, then 0..K for its first layers"
                    .to_string()
            }
            PickKind::Palette => "commands".to_string(),
        }
    }

    /// Number of entries shown.
    pub fn len(&self) -> usize {
        self.matching.len() + usize::from(self.typed.is_some())
    }

    /// True when nothing matches.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Entry at a position of what is shown. The typed entry stands behind the best three.
    pub fn entry(&self, position: usize) -> Option<&Entry> {
        let typed_at = self.typed.as_ref().map(|_| self.matching.len().min(3));
        let index = match typed_at {
            Some(at) if position == at => return self.typed.as_ref(),
            Some(at) if position > at => position - 1,
            _ => position,
        };
        self.matching.get(index).and_then(|i| self.entries.get(*i))
    }

    /// The marked entry.
    pub fn chosen(&self) -> Option<&Entry> {
        self.entry(self.cursor)
    }

    /// Moves the mark.
    pub fn step(&mut self, by: isize) {
        self.cursor = self.cursor.saturating_add_signed(by).min(self.len().saturating_sub(1));
    }

    /// Adds entries that came late.
    pub fn extend(&mut self, entries: impl IntoIterator<Item = Entry>) {
        self.entries.extend(entries);
        self.loading = false;
        let cursor = self.cursor;
        self.filter();
        self.cursor = cursor.min(self.len().saturating_sub(1));
    }

    /// Searches again after the query changed.
    pub fn filter(&mut self) {
        let query = self.query.value().to_string();
        self.cursor = 0;
        self.typed = self.typed_entry(&query);
        if query.is_empty() {
            self.matching = (0..self.entries.len()).collect();
            return;
        }
        let pattern = Pattern::parse(&query, CaseMatching::Smart, Normalization::Smart);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let mut scored: Vec<(bool, u32, usize)> = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let mut score =
                |text: &str| pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher).map(|s| s * 2);
            let hit = score(&entry.label).or_else(|| match self.kind {
                PickKind::Token(_) => None,
                _ => score(&entry.detail).map(|s| s / 2),
            });
            if let Some(hit) = hit {
                scored.push((entry.label == query, hit, index));
            }
        }
        scored.sort_by_key(|(exact, score, index)| (!exact, std::cmp::Reverse(*score), *index));
        self.matching = scored.into_iter().map(|(_, _, index)| index).collect();
    }

    fn typed_entry(&self, query: &str) -> Option<Entry> {
        let known = self.entries.iter().any(|e| e.label == query);
        if query.is_empty() || known {
            return None;
        }
        match self.kind {
            PickKind::Token(role) => {
                let choice = Choice::Token(role, Some(TokenChoice::Surface(query.to_string())));
                Some(Entry::new(query, "a new token, as typed", choice))
            }
            PickKind::Template if query.ends_with(".jinja") => {
                Some(Entry::new(query, "a file with a chat template", Choice::Template(query.to_string())))
            }
            PickKind::Template => None,
            PickKind::Model => {
                let choice = Choice::Model(ModelPick::typed(query));
                Some(Entry::new(query, "load this folder or hub id", choice))
            }
            _ => {
                let choice = self.load_choice(query)?;
                Some(Entry::new(query, "load this path or hub id", choice))
            }
        }
    }

    /// What taking a tokenizer or a template by name does here; `None` in a list of other things.
    fn load_choice(&self, spec: &str) -> Option<Choice> {
        match self.kind {
            PickKind::Tokenizer => Some(Choice::Tokenizer(spec.to_string())),
            PickKind::Other(load) => Some(Choice::Other(spec.to_string(), load)),
            PickKind::Template => Some(Choice::Template(spec.to_string())),
            _ => None,
        }
    }

    /// Adds recent and cached tokenizers to a list that loads one, and templates to theirs; any other list stays as it
    /// is.
    pub fn add_known(&mut self, known: &[KnownEntry]) {
        let entries: Vec<Entry> = known
            .iter()
            .filter_map(|k| Some(Entry::new(k.spec.clone(), k.detail.clone(), self.load_choice(&k.spec)?)))
            .collect();
        if !entries.is_empty() {
            self.extend(entries);
        }
    }
}

/// The embedded tokenizers.
pub fn tokenizers() -> Vec<Entry> {
    let entry = |t: &crate::samples::SampleTokenizer| {
        let spec = format!("{SAMPLE_PREFIX}{}", t.name);
        Entry::new(spec.clone(), t.summary, Choice::Tokenizer(spec))
    };
    TOKENIZERS.iter().map(entry).collect()
}

/// The built-in models of screen Experts.
pub fn models() -> Vec<Entry> {
    let entry = |pick: ModelPick| Entry::new(pick.name(), pick.caveat(), Choice::Model(pick));
    ModelPick::all().into_iter().map(entry).collect()
}

/// The conversation templates and the built-in chat templates.
pub fn templates() -> Vec<Entry> {
    let auto =
        Entry::new(AUTO, "the recipe's, or by the tokenizer's eos", Choice::Template(AUTO.to_string()));
    let named = Template::names().into_iter().map(|name| {
        let detail = Template::named(name).map_or(String::new(), |t| {
            let sep2 = t.sep2.map_or(String::new(), |s| format!(" · ends an answer with {s}"));
            format!("{:?}{sep2}", t.style)
        });
        Entry::new(name, detail, Choice::Template(name.to_string()))
    });
    let built_in = CHAT_TEMPLATES.iter().map(|template| {
        let spec = format!("{SAMPLE_PREFIX}{}", template.name);
        Entry::new(spec.clone(), template.summary, Choice::Template(spec))
    });
    [auto].into_iter().chain(named).chain(built_in).collect()
}

/// The mask strategies.
pub fn strategies() -> Vec<Entry> {
    let entry = |strategy: Strategy| {
        let origin = strategy.origin();
        let detail = format!("{} · {}", origin.summary, origin.source);
        Entry::new(origin.name, detail, Choice::Rule(origin.name.to_string()))
    };
    Strategy::ALL.into_iter().map(entry).collect()
}

/// The label rules.
pub fn rules() -> Vec<Entry> {
    let auto =
        Entry::new(AUTO, "what the training code runs for the template", Choice::Rule(AUTO.to_string()));
    let rule = |r: Rule| Entry::new(r.name(), r.summary(), Choice::Rule(r.name().to_string()));
    [auto].into_iter().chain(Rule::ALL.into_iter().map(rule)).collect()
}

/// The recipes.
pub fn recipes() -> Vec<Entry> {
    let recipe = |name: &str, summary: &str| Entry::new(name, summary, Choice::Recipe(name.to_string()));
    [recipe(AUTO, "the one that fits the tokenizer"), recipe(NONE, "the tokenizer as loaded")]
        .into_iter()
        .chain(RECIPES.iter().map(|r| recipe(r.name, r.summary)))
        .chain(
            CHAT_TEMPLATES
                .iter()
                .map(|t| Entry::new(format!("{} (sample)", t.name), t.summary, Choice::Messages(t.name))),
        )
        .collect()
}

/// What a built-in chat template is shown with: a tokenizer that takes its marks as bos and eos, as TRL's
/// `setup_chat_format` gives them to a base model.
pub fn messages_request(name: &str, now: &Request) -> Request {
    let token = |text: &str| TokenChoice::Surface(text.to_string());
    Request {
        tokenizer: format!("{SAMPLE_PREFIX}phi-2"),
        template: format!("{SAMPLE_PREFIX}{name}"),
        recipe: NONE.to_string(),
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

/// Class family and release.
pub fn loadings(now: LoadOptions) -> Vec<Entry> {
    let mut entries = Vec::new();
    for release in [Release::V4_37, Release::V4_31, Release::V5] {
        for loader in [None, Some(Loader::Slow), Some(Loader::Fast)] {
            let class = loader
                .map_or("default class", |l| if l == Loader::Slow { "slow class" } else { "fast class" });
            let load = LoadOptions { loader, release, ..now };
            let mark = if load == now { "as it is now" } else { "" };
            entries.push(Entry::new(
                format!("transformers {} · {class}", release.name()),
                mark,
                Choice::Loading(load),
            ));
        }
    }
    entries
}

/// How another tokenizer is loaded beside this one: by the same release, in its own default class.
pub fn other_load(now: LoadOptions) -> LoadOptions {
    LoadOptions { loader: None, legacy: None, ..now }
}

/// What side B of a comparison can be: the tokenizer as other classes load it, then the samples.
pub fn others(request: &Request) -> Vec<Entry> {
    let name = &request.tokenizer;
    let mut entries: Vec<Entry> = Vec::new();
    for entry in loadings(request.load) {
        if let Choice::Loading(load) = entry.choice
            && load != request.load
        {
            entries.push(Entry::new(entry.label, name.clone(), Choice::Other(name.clone(), load)));
        }
    }
    let sample = |t: &crate::samples::SampleTokenizer| {
        let spec = format!("{SAMPLE_PREFIX}{}", t.name);
        let load = other_load(request.load);
        (spec != *name).then(|| Entry::new(spec.clone(), t.summary, Choice::Other(spec.clone(), load)))
    };
    entries.extend(TOKENIZERS.iter().filter_map(sample));
    entries
}

/// The first entries for a role's token: undo, copies of other roles, then the special and added tokens.
pub fn special_tokens(role: Role, request: &Request, tokenizer: &Tokenizer, base: &Tokenizer) -> Vec<Entry> {
    let mut entries = Vec::new();
    if let Some(recipe) = Recipe::for_tokenizer(base) {
        for (_, choice) in recipe.overrides().into_iter().filter(|(r, _)| *r == role) {
            if let TokenChoice::Surface(token) = &choice {
                let detail = format!("what recipe {} gives to {}", recipe.name, role.name());
                entries.push(Entry::new(token.clone(), detail, Choice::Token(role, Some(choice))));
            }
        }
    }
    if role == Role::Pad {
        for from in [Role::Unk, Role::Eos] {
            let now = tokenizer.special.get(from).map_or("None".to_string(), |t| t.content.clone());
            let choice = Choice::Token(role, Some(TokenChoice::CopyOf(from)));
            entries.push(Entry::new(
                format!("= {}", from.name()),
                format!("copy {}: {now}", from.name()),
                choice,
            ));
        }
    }
    if request.overrides.contains_key(&role) {
        entries.push(Entry::new(
            "remove the override",
            "back to what the recipe or the files say",
            Choice::Token(role, None),
        ));
    }
    let mut seen = std::collections::BTreeSet::new();
    for (id, token) in tokenizer.added.iter() {
        if seen.insert(token.content.clone()) {
            let roles: Vec<&str> = tokenizer.roles_of(id).map(Role::name).collect();
            let has = if roles.is_empty() { String::new() } else { format!(" · is {}", roles.join(", ")) };
            let choice = Choice::Token(role, Some(TokenChoice::Surface(token.content.clone())));
            entries.push(Entry::new(token.content.clone(), format!("added token {id}{has}"), choice));
        }
    }
    entries
}

/// The ordinary tokens.
pub fn vocabulary(role: Role, tokens: &[(TokenId, String)]) -> impl Iterator<Item = Entry> + '_ {
    tokens.iter().map(move |(id, text)| {
        let choice = Choice::Token(role, Some(TokenChoice::Surface(text.clone())));
        Entry::new(text.clone(), format!("token {id}"), choice)
    })
}

/// Every act by name.
pub fn commands() -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let offered = bindings().filter(|b| {
        !matches!(
            b.context,
            Context::Picker | Context::Editor | Context::Template | Context::Path | Context::Help
        )
    });
    for binding in offered.filter(|b| b.action != Action::Palette && b.action != Action::Accept) {
        if !entries.iter().any(|e| e.choice == Choice::Act(binding.action)) {
            entries.push(Entry::new(binding.help, keys_of(binding, ""), Choice::Act(binding.action)));
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Side B's list for a side A in release 5, with one tokenizer of the cache.
    fn side_b() -> Picker {
        let load = LoadOptions { loader: Some(Loader::Slow), release: Release::V5, ..LoadOptions::default() };
        let request = Request { load, ..Request::default() };
        let mut picker = Picker::new(PickKind::Other(other_load(load)), others(&request));
        picker.add_known(&[KnownEntry { spec: "org/cached".into(), detail: "in the cache".into() }]);
        picker
    }

    #[test]
    fn side_b_typed_or_cached_is_loaded_by_the_release_of_side_a() {
        let load = LoadOptions { release: Release::V5, ..LoadOptions::default() };
        for name in ["org/typed", "org/cached"] {
            let mut picker = side_b();
            picker.query = Input::new(name.to_string());
            picker.filter();
            let found = (0..picker.len()).filter_map(|i| picker.entry(i)).find(|e| e.label == name);
            assert_eq!(found.map(|e| &e.choice), Some(&Choice::Other(name.to_string(), load)));
        }
    }

    #[test]
    fn known_tokenizers_enter_only_lists_that_load_one() {
        let known = [KnownEntry { spec: "org/cached".into(), detail: String::new() }];
        let mut rules = Picker::new(PickKind::Rule, rules());
        let before = rules.len();
        rules.add_known(&known);
        assert_eq!(rules.len(), before);
        let mut loads = Picker::new(PickKind::Tokenizer, tokenizers());
        let before = loads.len();
        loads.add_known(&known);
        assert_eq!(loads.len(), before + 1);
    }
}
