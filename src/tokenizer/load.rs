//! From a set of files to a [`Tokenizer`]: choose the class, read the format, apply what the class does on loading.

use std::sync::Arc;

use super::class::{ClassFacts, Loader, Release, Side};
use super::config::InitArguments;
use super::core::CoreParts;
use super::encoding::TokenId;
use super::files::FileSet;
use super::formats::{bpe_files, sentencepiece, tiktoken, tokenizer_json};
use super::infilling::Infilling;
use super::loaded::{Engine, Tokenizer};
use super::profile::{Profile, SlowKind};
use super::recognize::recognize;
use super::slow::bert::{BertClass, BertOptions};
use super::slow::byte_level::{ByteLevelClass, PrefixSpace};
use super::slow::processor::Processor;
use super::slow::sentencepiece::{Joining, SentencePieceClass, SentencePieceFlavor};
use super::slow::tiktoken::{TiktokenClass, TiktokenClassKind};
use super::slow::xlm_roberta::XlmRobertaClass;
use super::slow::{SlowClass, split::Splitter};
use super::special::{Role, SpecialToken};
use super::{classless_format, fast, v5};
use crate::error::{Error, Result};

/// What the user may fix about the loading; `None` takes the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct LoadOptions {
    pub loader: Option<Loader>,
    pub legacy: Option<bool>,
    pub release: Release,
    /// How a rank file of no known class cuts texts, over what its configuration says.
    pub split_pattern: Option<&'static str>,
}

/// Loads a tokenizer from its files; `name` is what messages and screens call it.
///
/// Without a wish for a loader the slow class is taken where it can be built, as the training code does
/// (`use_fast=False`), else the fast one.
///
/// # Errors
/// Broken files, or files that no known class can be built from (the message names what is missing).
pub fn load(name: &str, files: &FileSet, options: LoadOptions) -> Result<Tokenizer> {
    let mut tokenizer = load_class(name, files, options)?;
    tokenizer.embedding_rows = embedding_rows(files);
    tokenizer.files = files.clone();
    Ok(tokenizer)
}

/// Rows of the embedding as config.json names them: at the top, or of the language model of a multimodal one.
/// A config.json that cannot be read is no obstacle to the tokenizer.
fn embedding_rows(files: &FileSet) -> Option<usize> {
    let config = files.json("config.json").ok()??;
    let rows = |at: &serde_json::Value| at.get("vocab_size").and_then(|v| v.as_u64());
    let nested = ["text_config", "llm_config", "language_config"];
    let rows = rows(&config).or_else(|| nested.iter().find_map(|key| rows(config.get(key)?)))?;
    usize::try_from(rows).ok()
}

fn load_class(name: &str, files: &FileSet, options: LoadOptions) -> Result<Tokenizer> {
    let files = &recognize(files)?;
    if let Some(mut tokenizer) = classless_format::load(files, options)? {
        tokenizer.name = name.to_string();
        return Ok(tokenizer);
    }
    let named = Named::in_files(files)?;
    let class = class_name(&named, files, options.release);
    let profile = Profile::of(&class);
    let slow = profile.slow.filter(|kind| slow_files_missing(*kind, files).is_none());
    let closed = matches!(profile.slow, Some(SlowKind::Tiktoken(_)));
    let has_json = files.has("tokenizer.json");
    let is_converted = Profile::base(&class) == Profile::base(v5::AS_IT_IS) && files.has("tokenizer.model");
    let mut tokenizer = match (options.loader, slow, has_json) {
        _ if options.release == Release::V5 && !closed && (has_json || slow.is_some() || is_converted) => {
            v5::load(&class, files, options)?
        }
        (Some(Loader::Slow), Some(kind), _) | (None, Some(kind), _) if kind.has_slow_class() => {
            load_slow(profile, kind, files, options)?
        }
        (Some(Loader::Fast), Some(kind @ SlowKind::Tiktoken(_)), false) => {
            let mut tokenizer = load_slow(profile, kind, files, options)?;
            tokenizer.notes.push(format!("{class} has no fast class; the slow one is used"));
            tokenizer
        }
        (Some(Loader::Fast) | None, Some(_), false) | (Some(Loader::Fast) | None, _, true) => {
            fast::load(&class, profile, files, options)?
        }
        (wish, _, _) => return Err(nothing_to_load(&class, profile, files, wish)),
    };
    tokenizer.name = name.to_string();
    tokenizer.notes.extend(too_new_for(&class, files, options.release)?);
    tokenizer.notes.extend(named.note(&tokenizer));
    if !Profile::is_known(&class) {
        tokenizer.notes.push(format!(
            "class {class} is not known here and its code is not run: what tokenizer.json says is taken as it is"
        ));
    }
    Ok(tokenizer)
}

/// What an older release could not have loaded: said, not refused.
fn too_new_for(class: &str, files: &FileSet, release: Release) -> Result<Option<String>> {
    if release == Release::V5 {
        return Ok(None);
    }
    let name = release.name();
    let first = Profile::of(class).first_release();
    if first.is_some_and(|first| first > name) {
        return Ok(Some(format!(
            "transformers {name} has no class {class}; it is loaded as newer releases do"
        )));
    }
    let merges_are_pairs = match files.read("tokenizer.json")? {
        Some(bytes) => tokenizer_json::merges_are_pairs(&bytes),
        None => false,
    };
    Ok(merges_are_pairs.then(|| {
        format!("transformers {name} cannot read this tokenizer.json (its merges are pairs); it is loaded all the same")
    }))
}

/// What the files say about their class.
struct Named {
    /// In tokenizer_config.json, else in config.json.
    class: Option<String>,
    /// The kind of model that config.json is of.
    model_type: Option<String>,
    /// The class is code of its own, which lies beside the files.
    is_own_code: bool,
}

impl Named {
    fn in_files(files: &FileSet) -> Result<Self> {
        let config = files.json("tokenizer_config.json")?.unwrap_or_default();
        // A broken config.json is no obstacle.
        let model = files.json("config.json").ok().flatten().unwrap_or_default();
        let text = |file: &serde_json::Value, key: &str| Some(file.get(key)?.as_str()?.to_string());
        Ok(Self {
            class: text(&config, "tokenizer_class").or_else(|| text(&model, "tokenizer_class")),
            model_type: text(&model, "model_type"),
            is_own_code: config.get("auto_map").is_some(),
        })
    }

    /// What the user may wonder about: another class than the one that the files name.
    fn note(&self, loaded: &Tokenizer) -> Option<String> {
        let (named, model_type) = (self.class.as_deref()?, self.model_type.as_deref()?);
        let class = &loaded.facts.name;
        let is_other = v5::class_of(Some(named), model_type) != named && !self.is_own_code;
        (is_other && loaded.facts.release == Release::V5 && class != named).then(|| {
            format!("config.json says {model_type}, for which transformers 5 takes {class}, not {named}")
        })
    }
}

/// The class that the configuration names, or the one that the files point to.
fn class_name(named: &Named, files: &FileSet, release: Release) -> String {
    let (class, model_type) = (named.class.as_deref(), named.model_type.as_deref());
    if let (Release::V5, Some(model_type), false) = (release, model_type, named.is_own_code) {
        let found = v5::class_of(class, model_type);
        // Python has nothing to load then; what the files are may still be shown.
        let is_lost = found == v5::AS_IT_IS && !files.has("tokenizer.json") && !files.has("tokenizer.model");
        if !is_lost {
            return found;
        }
    }
    if let Some(class) = class.or_else(|| Profile::class_of_model(model_type?)) {
        return class.to_string();
    }
    let guess = if files.has("vocab.json") && files.has("merges.txt") {
        "GPT2Tokenizer"
    } else if files.has("tokenizer.model") {
        "LlamaTokenizer"
    } else if files.has("spiece.model") {
        "T5Tokenizer"
    } else if files.has("sentencepiece.bpe.model") {
        "XLMRobertaTokenizer"
    } else if files.has("vocab.txt") && !files.has("tokenizer.json") {
        "BertTokenizer"
    } else if files.find_suffix("arcade100k.tiktoken").is_some() {
        "Arcade100kTokenizer"
    } else if files.find_suffix("qwen.tiktoken").is_some() {
        "QWenTokenizer"
    } else {
        "PreTrainedTokenizerFast"
    };
    guess.to_string()
}

/// The first file that a slow class of this kind needs and that is not there.
fn slow_files_missing(kind: SlowKind, files: &FileSet) -> Option<&'static str> {
    let missing = |name: &'static str| (!files.has(name)).then_some(name);
    match kind {
        SlowKind::ByteLevel | SlowKind::Roberta | SlowKind::Qwen2 => {
            missing("vocab.json").or_else(|| missing("merges.txt"))
        }
        SlowKind::T5 => missing("spiece.model"),
        SlowKind::Gemma => missing("tokenizer.model"),
        SlowKind::Bert => missing("vocab.txt"),
        SlowKind::XlmRoberta => missing("sentencepiece.bpe.model"),
        SlowKind::Llama | SlowKind::CodeLlama => missing("tokenizer.model"),
        SlowKind::Tiktoken(_) => files.find_suffix(".tiktoken").is_none().then_some("*.tiktoken"),
    }
}

fn nothing_to_load(class: &str, profile: &Profile, files: &FileSet, wish: Option<Loader>) -> Error {
    let found: Vec<&str> = files.names().collect();
    let found = if found.is_empty() { "nothing".to_string() } else { found.join(", ") };
    let slow = profile.slow.and_then(|kind| slow_files_missing(kind, files));
    let needed = match (wish, slow) {
        (Some(Loader::Fast), _) => "tokenizer.json".to_string(),
        (Some(Loader::Slow), None) => {
            return Error::format(
                files.label(),
                format!("no slow class of {class} is known here; try --loader fast"),
            );
        }
        (_, Some(file)) => format!("{file} or tokenizer.json"),
        (_, None) => "tokenizer.json".to_string(),
    };
    Error::format(files.label(), format!("{class} needs {needed}; found {found}"))
}

fn load_slow(profile: &Profile, kind: SlowKind, files: &FileSet, options: LoadOptions) -> Result<Tokenizer> {
    let mut arguments = InitArguments::read(files, profile, options.release)?;
    // T5 began to wrap its tokens later.
    if options.release == Release::V4_31 && kind != SlowKind::T5 {
        arguments.wrap_strings(profile);
    }
    if kind == SlowKind::CodeLlama {
        arguments.add_infilling_tokens(options.release);
    }
    let legacy = match kind {
        SlowKind::Llama | SlowKind::T5 => {
            Some(options.legacy.or_else(|| arguments.flag("legacy")).unwrap_or(true))
        }
        _ => None,
    };
    let engine = build_slow(kind, files, &arguments, legacy, options.release)?;
    let attribute = |index: usize, key: &str, default: bool| {
        let has = profile.attributes.get(index).is_some_and(|h| h.is_in(Loader::Slow));
        has.then(|| arguments.flag(key).unwrap_or(default))
    };
    let own_flag = |key: &str| arguments.flag(key).filter(|_| !kind.is_between_cls_and_sep());
    let facts = ClassFacts {
        name: profile.class.to_string(),
        loader: Loader::Slow,
        release: options.release,
        legacy,
        add_bos_token: attribute(0, "add_bos_token", profile.adds_bos),
        add_eos_token: attribute(1, "add_eos_token", profile.adds_eos),
        add_prefix_space: attribute(2, "add_prefix_space", false),
        adds_bos: own_flag("add_bos_token").unwrap_or(profile.adds_bos),
        adds_eos: own_flag("add_eos_token").unwrap_or(profile.adds_eos),
        ends: profile.ends(),
        can_add_tokens: !matches!(kind, SlowKind::Tiktoken(_)),
        model_max_length: arguments.model_max_length(),
        padding_side: arguments.side("padding_side").unwrap_or_default(),
        truncation_side: arguments.side("truncation_side").unwrap_or_default(),
        clean_up_tokenization_spaces: arguments
            .flag("clean_up_tokenization_spaces")
            .unwrap_or(profile.clean_up_tokenization_spaces && options.release != Release::V5),
    };
    let engine = Engine::Slow(engine, Splitter::default());
    let mut tokenizer = Tokenizer::new(facts, arguments.special.clone(), engine);
    tokenizer.infilling = Infilling::of(Some(kind), &arguments, options.release);
    if let SlowKind::Tiktoken(kind) = kind {
        default_tokens(&mut tokenizer, kind);
    } else if options.release == Release::V4_31 {
        if kind == SlowKind::T5 {
            arguments.add_sentinels();
            tokenizer.special.additional = arguments.special.additional.clone();
        }
        add_on_loading_4_31(&mut tokenizer, &arguments)?;
    } else if kind == SlowKind::T5 {
        add_sentinels(&mut tokenizer, &mut arguments);
        add_on_loading(&mut tokenizer, &arguments)?;
    } else {
        add_on_loading(&mut tokenizer, &arguments)?;
    }
    Ok(tokenizer)
}

/// The class of a kind, on the files that it reads.
fn build_slow(
    kind: SlowKind,
    files: &FileSet,
    arguments: &InitArguments,
    legacy: Option<bool>,
    release: Release,
) -> Result<Arc<dyn SlowClass>> {
    let joining = Joining::of(legacy.unwrap_or(true), release);
    let sentence_piece = |file, joining, flavor| -> Result<SentencePieceClass> {
        Ok(SentencePieceClass::new(processor(files, file)?, joining, flavor, release))
    };
    let class: Arc<dyn SlowClass> = match kind {
        SlowKind::ByteLevel => Arc::new(byte_level(files, arguments, PrefixSpace::Always)?),
        SlowKind::Roberta => Arc::new(byte_level(files, arguments, PrefixSpace::UnlessSpace)?),
        SlowKind::Qwen2 => Arc::new(ByteLevelClass::qwen2(bpe_files::read_set(files)?)?),
        SlowKind::T5 => {
            let sentinels = if release == Release::V4_31 { arguments.extra_ids() } else { 0 };
            let class = sentence_piece("spiece.model", joining, SentencePieceFlavor::T5)?;
            Arc::new(class.with_sentinels(sentinels))
        }
        SlowKind::Llama => Arc::new(sentence_piece("tokenizer.model", joining, SentencePieceFlavor::Llama)?),
        SlowKind::CodeLlama => {
            let joining = Joining::BehindUnknown;
            Arc::new(sentence_piece("tokenizer.model", joining, SentencePieceFlavor::Llama)?)
        }
        SlowKind::XlmRoberta => Arc::new(XlmRobertaClass::new(processor(files, "sentencepiece.bpe.model")?)),
        SlowKind::Bert => Arc::new(bert(files, arguments)?),
        SlowKind::Tiktoken(class) => Arc::new(TiktokenClass::new(class, tiktoken_parts(files)?)?),
        SlowKind::Gemma => {
            let message = "the slow class is not reproduced here; try --loader fast";
            return Err(Error::format(files.label(), message));
        }
    };
    Ok(class)
}

/// A class on vocab.json and merges.txt; `prefix` is what `add_prefix_space` means to it.
fn byte_level(files: &FileSet, arguments: &InitArguments, prefix: PrefixSpace) -> Result<ByteLevelClass> {
    let wished = arguments.flag("add_prefix_space").unwrap_or(false);
    let prefix = if wished { prefix } else { PrefixSpace::Never };
    ByteLevelClass::new(bpe_files::read_set(files)?, prefix)
}

/// The SentencePiece model of a file.
fn processor(files: &FileSet, file: &str) -> Result<Processor> {
    let path = files.path_of(file);
    Processor::new(&sentencepiece::ModelProto::read(&files.require(file)?, &path)?, &path)
}

fn bert(files: &FileSet, arguments: &InitArguments) -> Result<BertClass> {
    let unk = arguments.special.get(Role::Unk).map_or("[UNK]", |t| t.content.as_str());
    let options = BertOptions {
        lowercase: arguments.flag("do_lower_case").unwrap_or(true),
        strip_accents: arguments.flag("strip_accents"),
        spaces_chinese: arguments.flag("tokenize_chinese_chars").unwrap_or(true),
        splits_words: arguments.flag("do_basic_tokenize").unwrap_or(true),
        never_split: arguments.texts("never_split").into_iter().collect(),
    };
    BertClass::new(&files.require("vocab.txt")?, &files.path_of("vocab.txt"), unk, options)
}

/// The pipeline of a rank file, as the classes of that kind cut texts.
fn tiktoken_parts(files: &FileSet) -> Result<CoreParts> {
    let file = files.find_suffix(".tiktoken").unwrap_or("*.tiktoken");
    let path = files.path_of(file);
    let ranks = tiktoken::read_ranks(&files.require(file)?, &path)?;
    tiktoken::build(&ranks, tiktoken::DIGIT_BY_DIGIT_PATTERN, &path)
}

/// StableLM's class gives itself eos and pad when the files name none.
fn default_tokens(tokenizer: &mut Tokenizer, kind: TiktokenClassKind) {
    if kind == TiktokenClassKind::Arcade100k {
        for role in [Role::Eos, Role::Pad] {
            if tokenizer.special.get(role).is_none() {
                tokenizer.special.set(role, Some(SpecialToken::from_str("<|endoftext|>")));
            }
        }
    }
}

/// T5's sentinels take the ids behind the model's own, the last one first.
fn add_sentinels(tokenizer: &mut Tokenizer, arguments: &mut InitArguments) {
    arguments.add_sentinels();
    tokenizer.special.additional = arguments.special.additional.clone();
    if !arguments.added.is_empty() {
        return;
    }
    let extra = arguments.extra_ids();
    let first = tokenizer.vocab_size();
    for i in 0..extra {
        let mut token = SpecialToken::added(&format!("<extra_id_{i}>"), false, true);
        (token.lstrip, token.rstrip) = (true, true);
        if let Ok(id) = TokenId::try_from(first + extra - 1 - i) {
            tokenizer.added.insert(id, token);
        }
    }
}

/// From 4.34 on: the table of the files first, then special tokens that are not in it, in the order of roles.
fn add_on_loading(tokenizer: &mut Tokenizer, arguments: &InitArguments) -> Result<()> {
    for (id, token) in &arguments.added {
        tokenizer.added.insert(*id, token.clone());
    }
    let missing: Vec<SpecialToken> = tokenizer
        .special
        .all()
        .into_iter()
        .filter(|t| tokenizer.added.id_of(&t.content).is_none())
        .cloned()
        .collect();
    tokenizer.add_tokens(&missing, true)
}

/// 4.31: tokens of `special_tokens_map.json` replace the class's own, then the added tokens one by one, then
/// all special tokens again.
fn add_on_loading_4_31(tokenizer: &mut Tokenizer, arguments: &InitArguments) -> Result<()> {
    for (role, token) in &arguments.assigned_later {
        tokenizer.special.set(*role, Some(token.clone()));
    }
    for (content, _) in &arguments.added_file {
        let special = tokenizer.special.contains(content);
        tokenizer.add_tokens(&[SpecialToken::from_str(content)], special)?;
    }
    let all: Vec<SpecialToken> = tokenizer.special.all().into_iter().cloned().collect();
    tokenizer.add_tokens(&all, true)
}

/// Padding side of a fast class.
pub(super) fn fast_padding_side(profile: &Profile, arguments: &InitArguments) -> Side {
    arguments.side("padding_side").unwrap_or(profile.fast_padding_side)
}
