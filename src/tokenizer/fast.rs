//! The fast Python classes: a `tokenizer.json` pipeline plus what the class changes in it on loading.

use tokenizers::AddedToken;
use tokenizers::Model;
use tokenizers::processors::template::TemplateProcessing;

use super::class::{ClassFacts, Loader, Release};
use super::config::InitArguments;
use super::convert::convert;
use super::core::prefix_first_stretch;
use super::fast_change;
use super::files::FileSet;
use super::formats::tokenizer_json;
use super::infilling::Infilling;
use super::load::{LoadOptions, fast_padding_side};
use super::loaded::{Engine, Tokenizer};
use super::profile::{FastChange, Profile, SlowKind};
use super::special::{Role, SpecialToken};
use crate::error::{Error, Result};

/// Loads the fast class over `tokenizer.json`.
pub(super) fn load(
    class: &str,
    profile: &Profile,
    files: &FileSet,
    options: LoadOptions,
) -> Result<Tokenizer> {
    let mut arguments = InitArguments::read(files, profile, options.release)?;
    if profile.slow == Some(SlowKind::CodeLlama) {
        arguments.add_infilling_tokens(options.release);
    }
    let is_converted = !files.has("tokenizer.json");
    if is_converted && options.release == Release::V4_31 && profile.slow != Some(SlowKind::T5) {
        arguments.copy_from_slow_class(profile);
    }
    for (role, token) in std::mem::take(&mut arguments.assigned_later) {
        arguments.special.set(role, Some(token));
    }
    if profile.slow == Some(SlowKind::T5) {
        arguments.add_sentinels();
    }
    let path = files.path_of("tokenizer.json");
    let parts = match files.read("tokenizer.json")? {
        Some(bytes) => tokenizer_json::read(&bytes, &path)?,
        None => convert(profile, files, &arguments, options.release)?,
    };
    let mut parts = parts;
    fast_change::apply(profile, &mut parts, &arguments, options.release)?;
    let (mut core, mut added) = parts.assemble()?;
    if options.release == Release::V4_37 {
        prefix_first_stretch(&mut core);
    }
    if options.release == Release::V4_31 {
        // The library of 4.31 does not look for ordinary tokens that the model has already.
        added.retain(|t| t.token.special || core.get_model().token_to_id(&t.token.content).is_none());
    }
    tokenizer_json::add_tokens(&mut core, added)?;
    let base = Profile::base(class);
    let attribute = |index: usize, key: &str, default: bool| {
        let has = profile.attributes.get(index).is_some_and(|h| h.is_in(Loader::Fast));
        has.then(|| arguments.flag(key).unwrap_or(default))
    };
    let facts = ClassFacts {
        name: format!("{base}Fast"),
        loader: Loader::Fast,
        release: options.release,
        legacy: None,
        add_bos_token: attribute(0, "add_bos_token", profile.adds_bos),
        add_eos_token: attribute(1, "add_eos_token", profile.adds_eos),
        add_prefix_space: attribute(2, "add_prefix_space", false),
        adds_bos: arguments.flag("add_bos_token").unwrap_or(profile.adds_bos),
        adds_eos: arguments.flag("add_eos_token").unwrap_or(profile.adds_eos),
        ends: [Role::Bos, Role::Eos],
        can_add_tokens: true,
        model_max_length: arguments.model_max_length(),
        padding_side: fast_padding_side(profile, &arguments),
        truncation_side: arguments.side("truncation_side").unwrap_or_default(),
        clean_up_tokenization_spaces: arguments
            .flag("clean_up_tokenization_spaces")
            .unwrap_or(profile.clean_up_tokenization_spaces),
    };
    let mut tokenizer = Tokenizer::new(facts, arguments.special.clone(), Engine::Fast(Box::new(core)));
    tokenizer.infilling = Infilling::of(profile.slow, &arguments, options.release);
    tokenizer.read_added_from_core();
    match options.release {
        Release::V4_31 => add_on_loading_4_31(&mut tokenizer, &arguments)?,
        _ => add_missing(&mut tokenizer, &arguments)?,
    }
    if profile.fast_change == FastChange::BosAndEos {
        rebuild_post_processor(&mut tokenizer)?;
    } else {
        measure_bos_and_eos(&mut tokenizer)?;
    }
    Ok(tokenizer)
}

/// 4.31: the tokens of `added_tokens.json` in their order, then all special tokens again, flags included.
fn add_on_loading_4_31(tokenizer: &mut Tokenizer, arguments: &InitArguments) -> Result<()> {
    let special = |content: &str| tokenizer.special.contains(content);
    let tokens: Vec<(SpecialToken, bool)> =
        arguments.added_file.iter().map(|(t, _)| (SpecialToken::from_str(t), special(t))).collect();
    for run in tokens.chunk_by(|a, b| a.1 == b.1) {
        let is_special = run.first().is_some_and(|t| t.1);
        tokenizer.add_tokens(&run.iter().map(|t| t.0.clone()).collect::<Vec<_>>(), is_special)?;
    }
    let all: Vec<SpecialToken> = tokenizer.special.all().into_iter().cloned().collect();
    tokenizer.add_tokens(&all, true)
}

/// Tokens of the configuration that `tokenizer.json` lacks, then special tokens without an entry.
fn add_missing(tokenizer: &mut Tokenizer, arguments: &InitArguments) -> Result<()> {
    // 4.37 adds all of them again; those that are additional special tokens become special by it.
    let mut wanted: Vec<SpecialToken> = arguments.added.values().cloned().collect();
    for token in tokenizer.special.all() {
        // Only strings are looked up; an `AddedToken` equals no string, so it is added again, with its own flags.
        let known = token.plain_str && tokenizer.added.id_of(&token.content).is_some();
        if !known && !wanted.iter().any(|t| t.content == token.content) {
            wanted.push(token.clone());
        }
    }
    let roles = tokenizer.special.clone();
    // Runs of special and ordinary tokens are added together, as ids depend on the order only.
    let is_special = |t: &SpecialToken| (t.special && !t.plain_str) || roles.contains(&t.content);
    for run in wanted.chunk_by(|a, b| is_special(a) == is_special(b)) {
        tokenizer.add_tokens(run, run.first().is_some_and(is_special))?;
    }
    Ok(())
}

/// The fast Llama class replaces the file's post-processor by one made of `add_bos_token`, `add_eos_token`.
pub(super) fn rebuild_post_processor(tokenizer: &mut Tokenizer) -> Result<()> {
    let mut single = String::from("$A:0");
    let mut tokens: Vec<(String, u32)> = Vec::new();
    for (wanted, role) in [(tokenizer.facts.adds_bos, Role::Bos), (tokenizer.facts.adds_eos, Role::Eos)] {
        if !wanted {
            continue;
        }
        let token = tokenizer.special.get(role).map(|t| t.content.clone());
        let (Some(token), Some(id)) = (token, tokenizer.role_id(role)) else {
            let name = role.attribute();
            return Err(Error::Usage(format!(
                "add_{name} is true but there is no {name}: set one with --{}",
                role.name()
            )));
        };
        single = match role {
            Role::Bos => format!("{token}:0 {single}"),
            _ => format!("{single} {token}:0"),
        };
        tokens.push((token, id));
    }
    let processor = TemplateProcessing::builder()
        .try_single(single)
        .map_err(Error::Encode)?
        .special_tokens(tokens)
        .build()
        .map_err(|e| Error::Encode(e.to_string()))?;
    if let Engine::Fast(core) = &mut tokenizer.engine {
        core.with_post_processor(Some(processor));
    }
    Ok(())
}

/// Whether bos and eos are really put around a text: ask the pipeline instead of trusting the configuration.
pub(super) fn measure_bos_and_eos(tokenizer: &mut Tokenizer) -> Result<()> {
    let ids = tokenizer.encode("x", true)?.ids;
    let inner = tokenizer.encode("x", false)?.ids;
    let extra = ids.len() > inner.len();
    tokenizer.facts.adds_bos =
        extra && ids.first().copied() == tokenizer.role_id(Role::Bos) && ids.first() != inner.first();
    tokenizer.facts.adds_eos =
        extra && ids.last().copied() == tokenizer.role_id(Role::Eos) && ids.last() != inner.last();
    Ok(())
}

/// `add_tokens` of the library: ids go on from the highest, known tokens keep theirs, flags stay as they are.
pub(super) fn add_tokens_to_core(tokenizer: &mut Tokenizer, tokens: &[SpecialToken]) -> Result<()> {
    if let Engine::Fast(core) = &mut tokenizer.engine {
        let tokens = tokens.iter().map(|t| {
            AddedToken::from(t.content.as_str(), t.special)
                .lstrip(t.lstrip)
                .rstrip(t.rstrip)
                .single_word(t.single_word)
                .normalized(t.normalized)
        });
        core.add_tokens(tokens.collect::<Vec<_>>()).map_err(|e| Error::Encode(e.to_string()))?;
    }
    tokenizer.read_added_from_core();
    Ok(())
}
