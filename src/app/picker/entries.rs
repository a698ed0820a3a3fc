//! What each list offers.

use super::choice::{Choice, Entry};
use crate::app::screens::experts::settings::ModelChoice;
use crate::chat::Template;
use crate::diagnose::Reserved;
use crate::labels::Rule;
use crate::masks::Strategy;
use crate::samples::{CHAT_TEMPLATES, TOKENIZERS};
use crate::setup::{
    AUTO, LabelChoice, ModelSource, NONE, RECIPES, Recipe, RecipeChoice, Request, SAMPLE_PREFIX,
    TemplateChoice, TokenChoice,
};
use crate::tokenizer::{LoadOptions, Loader, Release, Role, Tokenizer};

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
    let entry = |source: ModelSource| {
        let model = ModelChoice::of(source);
        Entry::new(model.name(), model.caveat(), Choice::Model(model))
    };
    ModelSource::built_in().into_iter().map(entry).collect()
}

/// The conversation templates and the built-in chat templates.
pub fn templates() -> Vec<Entry> {
    let auto =
        Entry::new(AUTO, "the recipe's, or by the tokenizer's eos", Choice::Template(TemplateChoice::Auto));
    let named = Template::names().into_iter().map(|name| {
        let detail = Template::named(name).map_or(String::new(), |t| {
            let sep2 = t.sep2.map_or(String::new(), |s| format!(" · ends an answer with {s}"));
            format!("{:?}{sep2}", t.style)
        });
        Entry::new(name, detail, Choice::Template(TemplateChoice::Llava(name.to_string())))
    });
    let built_in = CHAT_TEMPLATES.iter().map(|template| {
        let choice = TemplateChoice::Sample(template.name.to_string());
        Entry::new(choice.to_string(), template.summary, Choice::Template(choice))
    });
    [auto].into_iter().chain(named).chain(built_in).collect()
}

/// The mask strategies.
pub fn strategies() -> Vec<Entry> {
    let entry = |strategy: Strategy| {
        let origin = strategy.origin();
        let detail = format!("{} · {}", origin.summary, origin.source);
        Entry::new(origin.name, detail, Choice::Rule(LabelChoice::Strategy(strategy)))
    };
    Strategy::ALL.into_iter().map(entry).collect()
}

/// The label rules.
pub fn rules() -> Vec<Entry> {
    let auto =
        Entry::new(AUTO, "what the training code runs for the template", Choice::Rule(LabelChoice::Auto));
    let rule = |r: Rule| Entry::new(r.name(), r.summary(), Choice::Rule(LabelChoice::Rule(r.into())));
    [auto].into_iter().chain(Rule::ALL.into_iter().map(rule)).collect()
}

/// The recipes.
pub fn recipes() -> Vec<Entry> {
    let recipe = |name, summary, choice| Entry::new(name, summary, Choice::Recipe(choice));
    let auto = recipe(AUTO, "the one that fits the tokenizer", RecipeChoice::Auto);
    let none = recipe(NONE, "the tokenizer as loaded", RecipeChoice::None);
    [auto, none]
        .into_iter()
        .chain(RECIPES.iter().map(|r| recipe(r.name, r.summary, RecipeChoice::Named(r))))
        .chain(
            CHAT_TEMPLATES
                .iter()
                .map(|t| Entry::new(format!("{} (sample)", t.name), t.summary, Choice::Messages(t.name))),
        )
        .collect()
}

/// Class family and release.
pub fn loadings(now: LoadOptions) -> Vec<Entry> {
    let mut entries = Vec::new();
    for release in [Release::V4_37, Release::V4_31, Release::V4_57, Release::V5] {
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

/// Free tokens that stand before the others: some vocabularies have hundreds.
const FREE_FIRST: usize = 5;

/// The first entries for a role's token: undo, copies of other roles, then the special and added tokens.
pub fn special_tokens(
    role: Role,
    request: &Request,
    tokenizer: &Tokenizer,
    base: &Tokenizer,
    free: &[Reserved],
) -> Vec<Entry> {
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
    for token in free.iter().take(FREE_FIRST) {
        seen.insert(token.content.clone());
        let choice = Choice::Token(role, Some(TokenChoice::Surface(token.content.clone())));
        let detail = format!("token {}, unused: {}", token.id, token.reason);
        entries.push(Entry::new(token.content.clone(), detail, choice));
    }
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
