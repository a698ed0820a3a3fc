//! Loading a class of transformers 5.x, as `AutoTokenizer` does.

use crate::error::Result;
use crate::tokenizer::add_on_loading;
use crate::tokenizer::bos_and_eos::{measure_bos_and_eos, remake_post_processor};
use crate::tokenizer::classes::{self, BACKEND, PostProcessorSource, PythonClass};
use crate::tokenizer::config::InitArguments;
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::facts::ClassFacts;
use crate::tokenizer::files::FileSet;
use crate::tokenizer::formats::tokenizer_json;
use crate::tokenizer::infilling::Infilling;
use crate::tokenizer::loaded::{Engine, Tokenizer};
use crate::tokenizer::release::{LoadOptions, Loader, Release};
use crate::tokenizer::special::Role;

/// Loads the class of a name.
pub fn load(name: &str, files: &FileSet, options: LoadOptions) -> Result<Tokenizer> {
    let file = match files.read("tokenizer.json")? {
        Some(bytes) => Some(tokenizer_json::read(&bytes, &files.path_of("tokenizer.json"))?),
        None => None,
    };
    let had_file = file.is_some();
    let name = loaded_name(name, file.as_ref());
    let class = classes::class(name);
    let mut arguments = arguments(class, files, had_file)?;
    let legacy = class.v5.has_legacy.then(|| options.legacy.or(arguments.flag("legacy")).unwrap_or(false));
    let mut parts = match file {
        Some(parts) => parts,
        None => (class.v5.from_files)(files, &mut arguments)?,
    };
    let is_rebuilt = (class.v5.rebuild)(&mut parts, &arguments, legacy)?;
    let file_tokens =
        if is_rebuilt && had_file { Vec::new() } else { std::mem::take(&mut parts.added_tokens) };
    let has_post_processor = parts.post_processor.is_some();
    let (mut core, _) = parts.assemble()?;
    tokenizer_json::add_tokens(&mut core, file_tokens)?;
    let facts = facts(name, class, &arguments, legacy);
    let mut tokenizer = Tokenizer::new(facts, arguments.special.clone(), Engine::Fast(Box::new(core)));
    tokenizer.infilling = class.fills.then(|| Infilling::named(&arguments, Release::V5)).flatten();
    tokenizer.read_added_from_core();
    add_on_loading::v5(&mut tokenizer, &arguments)?;
    if class.v5.adds_special_again {
        add_on_loading::special_again(&mut tokenizer)?;
    }
    let has_flags = arguments.flag("add_bos_token").or(arguments.flag("add_eos_token")).is_some();
    match class.v5.post_processor {
        PostProcessorSource::Class(set) => set(&mut tokenizer)?,
        PostProcessorSource::File if has_post_processor && (had_file || !has_flags) => {}
        PostProcessorSource::File | PostProcessorSource::Flags => post_processor_of_flags(&mut tokenizer)?,
    }
    measure_bos_and_eos(&mut tokenizer)?;
    Ok(tokenizer)
}

/// The class that is loaded under a name.
fn loaded_name<'n>(name: &'n str, file: Option<&CoreParts>) -> &'n str {
    match classes::find(name) {
        None => classes::base(name),
        Some(class) if file.is_some_and(|parts| !(class.v5.fits)(parts)) => BACKEND,
        Some(class) => class.v5.name.unwrap_or(class.name),
    }
}

fn arguments(class: &PythonClass, files: &FileSet, had_file: bool) -> Result<InitArguments> {
    let mut arguments = InitArguments::read(files, &class.tokens, Release::V5)?;
    (class.v5.prepare)(&mut arguments);
    if class.has_sentinels {
        arguments.add_sentinels();
    }
    if had_file {
        // The file's post-processor decides.
        arguments.forget(&["add_bos_token", "add_eos_token"]);
    }
    Ok(arguments)
}

fn facts(name: &str, class: &PythonClass, arguments: &InitArguments, legacy: Option<bool>) -> ClassFacts {
    ClassFacts {
        name: name.to_string(),
        loader: Loader::Fast,
        release: Release::V5,
        legacy,
        adds_bos: false,
        adds_eos: false,
        ends: [Role::Bos, Role::Eos],
        add_bos_token: Some(arguments.flag("add_bos_token").unwrap_or(class.v5.add_bos_token)),
        add_eos_token: Some(arguments.flag("add_eos_token").unwrap_or(false)),
        add_prefix_space: arguments.flag("add_prefix_space").or(class.v5.add_prefix_space),
        can_add_tokens: true,
        model_max_length: arguments.model_max_length(),
        padding_side: arguments.side("padding_side").unwrap_or(class.fast_padding_side),
        truncation_side: arguments.side("truncation_side").unwrap_or_default(),
        clean_up_tokenization_spaces: arguments.flag("clean_up_tokenization_spaces").unwrap_or(false),
    }
}

/// A post-processor of `add_bos_token` and `add_eos_token`; either is dropped without its token.
fn post_processor_of_flags(tokenizer: &mut Tokenizer) -> Result<()> {
    let has = |role: Role| tokenizer.special.get(role).is_some();
    let (has_bos, has_eos) = (has(Role::Bos), has(Role::Eos));
    let facts = &mut tokenizer.facts;
    facts.adds_bos = facts.add_bos_token.unwrap_or(false) && has_bos;
    facts.adds_eos = facts.add_eos_token.unwrap_or(false) && has_eos;
    (facts.add_bos_token, facts.add_eos_token) = (Some(facts.adds_bos), Some(facts.adds_eos));
    remake_post_processor(tokenizer)
}
