//! What each list offers.

use super::choice::{PickerChoice, PickerEntry};
use crate::app::copied::CopyPart;
use crate::app::screens::experts::settings::ModelChoice;
use crate::app::session::Session;
use crate::app::view::SampleView;
use crate::chat::{Sample, Template};
use crate::diagnose::Reserved;
use crate::labels::Rule;
use crate::masks::Strategy;
use crate::repository::RepositoryFunction;
use crate::samples::{CHAT_TEMPLATES, TOKENIZERS};
use crate::setup::{
    AUTO, LabelChoice, ModelSource, NONE, RECIPES, Recipe, RecipeChoice, RepositoryRequest, Request,
    SAMPLE_PREFIX, TemplateChoice, TokenChoice,
};
use crate::tokenizer::{LoadOptions, Loader, Release, Role, Tokenizer};

/// The embedded tokenizers.
pub fn tokenizers() -> Vec<PickerEntry> {
    let entry = |t: &crate::samples::SampleTokenizer| {
        let spec = format!("{SAMPLE_PREFIX}{}", t.name);
        PickerEntry::new(spec.clone(), t.summary, PickerChoice::Tokenizer(spec))
    };
    TOKENIZERS.iter().map(entry).collect()
}

/// The built-in models of screen Experts.
pub fn models() -> Vec<PickerEntry> {
    let entry = |source: ModelSource| {
        let model = ModelChoice::of(source);
        PickerEntry::new(model.name(), model.caveat(), PickerChoice::Model(model))
    };
    ModelSource::built_in().into_iter().map(entry).collect()
}

/// The conversation templates and the built-in chat templates.
pub fn templates() -> Vec<PickerEntry> {
    let auto = PickerEntry::new(
        AUTO,
        "the recipe's, or by the tokenizer's eos",
        PickerChoice::Template(TemplateChoice::Auto),
    );
    let detail = |name: &str| {
        Template::named(name).map_or(String::new(), |t| {
            let sep2 = t.sep2.map_or(String::new(), |s| format!(" · ends an answer with {s}"));
            format!("{:?}{sep2}", t.style)
        })
    };
    let choice = |name: &str| PickerChoice::Template(TemplateChoice::Llava(name.to_string()));
    let own = Template::training_names();
    let named = own.clone().into_iter().map(|name| PickerEntry::new(name, detail(name), choice(name)));
    let others = Template::names().into_iter().filter(|name| !own.contains(name));
    let others = others.map(|name| {
        PickerEntry::new(
            format!("elsewhere:{name}"),
            format!("{}, of another repository", detail(name)),
            choice(name),
        )
    });
    let built_in = CHAT_TEMPLATES.iter().map(|template| {
        let choice = TemplateChoice::Sample(template.name.to_string());
        PickerEntry::new(choice.to_string(), template.summary, PickerChoice::Template(choice))
    });
    [auto].into_iter().chain(named).chain(built_in).chain(others).collect()
}

/// The templates of the repository whose function labels; none without one.
pub fn versions(session: &Session) -> Vec<PickerEntry> {
    let Some((request, function)) = own_function(session) else { return Vec::new() };
    let name = function.checkout().name();
    let entry = |version: &String| {
        let choice = PickerChoice::Repository(Box::new(request.with_version(version)));
        PickerEntry::new(
            format!("{version} ({name})"),
            "a template of the repository, with the function that it dispatches to",
            choice,
        )
    };
    function.entry().versions.iter().map(entry).collect()
}

/// The label functions of the repository's file; none without a repository.
pub fn functions(session: &Session) -> Vec<PickerEntry> {
    let Some((request, function)) = own_function(session) else { return Vec::new() };
    let (name, file) = (function.checkout().name(), &function.entry().file);
    let entry = |own: &String| {
        let choice = PickerChoice::Repository(Box::new(request.with_function(&format!("{file}:{own}"))));
        PickerEntry::new(
            format!("{own} ({name})"),
            format!("a function of {file}, on the same template"),
            choice,
        )
    };
    function.entry().functions.iter().map(entry).collect()
}

fn own_function(session: &Session) -> Option<(&RepositoryRequest, &RepositoryFunction)> {
    let repository = session.shown()?.setup.repository()?;
    Some((session.request.repository.as_ref()?, &repository.function))
}

/// The mask strategies.
pub fn strategies() -> Vec<PickerEntry> {
    let entry = |strategy: Strategy| {
        let origin = strategy.origin();
        let detail = format!("{} · {}", origin.summary, origin.source);
        PickerEntry::new(origin.name, detail, PickerChoice::Rule(LabelChoice::Strategy(strategy)))
    };
    Strategy::ALL.into_iter().map(entry).collect()
}

/// The label rules.
pub fn rules() -> Vec<PickerEntry> {
    let auto = PickerEntry::new(
        AUTO,
        "what the training code runs for the template",
        PickerChoice::Rule(LabelChoice::Auto),
    );
    let rule =
        |r: Rule| PickerEntry::new(r.name(), r.summary(), PickerChoice::Rule(LabelChoice::Rule(r.into())));
    [auto].into_iter().chain(Rule::ALL.into_iter().map(rule)).collect()
}

/// The recipes.
pub fn recipes() -> Vec<PickerEntry> {
    let recipe = |name, summary, choice| PickerEntry::new(name, summary, PickerChoice::Recipe(choice));
    let auto = recipe(AUTO, "the one that fits the tokenizer", RecipeChoice::Auto);
    let none = recipe(NONE, "the tokenizer as loaded", RecipeChoice::None);
    [auto, none]
        .into_iter()
        .chain(RECIPES.iter().map(|r| recipe(r.name, r.summary, RecipeChoice::Named(r))))
        .chain(CHAT_TEMPLATES.iter().map(|t| {
            PickerEntry::new(format!("{} (sample)", t.name), t.summary, PickerChoice::Messages(t.name))
        }))
        .collect()
}

/// Class family and release.
pub fn loadings(now: LoadOptions) -> Vec<PickerEntry> {
    let mut entries = Vec::new();
    for release in [Release::V4_37, Release::V4_31, Release::V4_57, Release::V5] {
        for loader in [None, Some(Loader::Slow), Some(Loader::Fast)] {
            let class = loader
                .map_or("default class", |l| if l == Loader::Slow { "slow class" } else { "fast class" });
            let load = LoadOptions { loader, release, ..now };
            let mark = if load == now { "as it is now" } else { "" };
            entries.push(PickerEntry::new(
                format!("transformers {} · {class}", release.name()),
                mark,
                PickerChoice::Loading(load),
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
pub fn others(request: &Request) -> Vec<PickerEntry> {
    let name = &request.tokenizer;
    let mut entries: Vec<PickerEntry> = Vec::new();
    for entry in loadings(request.load) {
        if let PickerChoice::Loading(load) = entry.choice
            && load != request.load
        {
            entries.push(PickerEntry::new(
                entry.label,
                name.clone(),
                PickerChoice::Other(name.clone(), load),
            ));
        }
    }
    let sample = |t: &crate::samples::SampleTokenizer| {
        let spec = format!("{SAMPLE_PREFIX}{}", t.name);
        let load = other_load(request.load);
        (spec != *name)
            .then(|| PickerEntry::new(spec.clone(), t.summary, PickerChoice::Other(spec.clone(), load)))
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
) -> Vec<PickerEntry> {
    let mut entries = Vec::new();
    if let Some(recipe) = Recipe::for_tokenizer(base) {
        for (_, choice) in recipe.overrides().into_iter().filter(|(r, _)| *r == role) {
            if let TokenChoice::Surface(token) = &choice {
                let detail = format!("what recipe {} gives to {}", recipe.name, role.name());
                entries.push(PickerEntry::new(
                    token.clone(),
                    detail,
                    PickerChoice::Token(role, Some(choice)),
                ));
            }
        }
    }
    if role == Role::Pad {
        for from in [Role::Unk, Role::Eos] {
            let now = tokenizer.special.get(from).map_or("None".to_string(), |t| t.content.clone());
            let choice = PickerChoice::Token(role, Some(TokenChoice::CopyOf(from)));
            entries.push(PickerEntry::new(
                format!("= {}", from.name()),
                format!("copy {}: {now}", from.name()),
                choice,
            ));
        }
    }
    if request.overrides.contains_key(&role) {
        entries.push(PickerEntry::new(
            "remove the override",
            "back to what the recipe or the files say",
            PickerChoice::Token(role, None),
        ));
    }
    let mut seen = std::collections::BTreeSet::new();
    for token in free.iter().take(FREE_FIRST) {
        seen.insert(token.content.clone());
        let choice = PickerChoice::Token(role, Some(TokenChoice::Surface(token.content.clone())));
        let detail = format!("token {}, unused: {}", token.id, token.reason);
        entries.push(PickerEntry::new(token.content.clone(), detail, choice));
    }
    for (id, token) in tokenizer.added.iter() {
        if seen.insert(token.content.clone()) {
            let roles: Vec<&str> = tokenizer.roles_of(id).map(Role::name).collect();
            let has = if roles.is_empty() { String::new() } else { format!(" · is {}", roles.join(", ")) };
            let choice = PickerChoice::Token(role, Some(TokenChoice::Surface(token.content.clone())));
            entries.push(PickerEntry::new(token.content.clone(), format!("added token {id}{has}"), choice));
        }
    }
    entries
}

/// Parts of the sample to copy, each with its beginning; those that it has.
pub fn copies(view: &SampleView, sample: &Sample, token: usize) -> Vec<PickerEntry> {
    /// Characters of a part that are shown.
    const SHOWN: usize = 60;
    let entry = |part: CopyPart| {
        let text = part.text(view, sample, token)?;
        let beginning: String = text.chars().take(SHOWN).collect();
        Some(PickerEntry::new(part.name(), beginning, PickerChoice::Copy(part)))
    };
    CopyPart::ALL.into_iter().filter_map(entry).collect()
}
