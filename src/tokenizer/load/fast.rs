//! Loading a fast Python class of 4.x: a `tokenizer.json` pipeline plus what the class changes in it.

use tokenizers::Model;

use crate::error::{Error, Result};
use crate::tokenizer::add_on_loading;
use crate::tokenizer::bos_and_eos::{measure_bos_and_eos, remake_post_processor};
use crate::tokenizer::classes::{self, ClassInput, PythonClass};
use crate::tokenizer::config::InitArguments;
use crate::tokenizer::core::{CoreParts, prefix_first_stretch};
use crate::tokenizer::files::FileSet;
use crate::tokenizer::formats::tokenizer_json;
use crate::tokenizer::infilling::Infilling;
use crate::tokenizer::loaded::{Engine, Tokenizer};
use crate::tokenizer::refusals::{KnownId, of_added_tokens_4_31};
use crate::tokenizer::release::{LoadOptions, Loader, Release};

/// Loads the fast class over `tokenizer.json`, or over what the converter makes of the slow class's files.
pub fn load(name: &str, class: &PythonClass, files: &FileSet, options: LoadOptions) -> Result<Tokenizer> {
    let release = options.release;
    let arguments = arguments(class, files, release)?;
    let input = ClassInput { files, arguments: &arguments, legacy: None, release };
    let mut parts = parts(class, &input)?;
    (class.change_fast)(&mut parts, &arguments, release)?;
    let (mut core, mut added) = parts.assemble()?;
    if matches!(release, Release::V4_37 | Release::V4_57) {
        prefix_first_stretch(&mut core);
    }
    if release == Release::V4_31 {
        // The library of 4.31 does not look for ordinary tokens that the model has already.
        added.retain(|t| t.token.special || core.get_model().token_to_id(&t.token.content).is_none());
    }
    tokenizer_json::add_tokens(&mut core, added)?;
    let mut facts = class.facts(Loader::Fast, &input);
    facts.name = format!("{}Fast", classes::python_name(name));
    let mut tokenizer = Tokenizer::new(facts, arguments.special.clone(), Engine::Fast(Box::new(core)));
    tokenizer.infilling = class.fills.then(|| Infilling::named(&arguments, release)).flatten();
    tokenizer.read_added_from_core();
    if release == Release::V4_31 {
        let known = |token: &str| tokenizer.token_to_id(token);
        let known: Option<KnownId<'_>> = if files.has("tokenizer.json") { Some(&known) } else { None };
        let refusal = of_added_tokens_4_31(&arguments.added_file, tokenizer.len(), known);
        tokenizer.notes.extend(refusal);
    }
    add_on_loading::fast(&mut tokenizer, &arguments)?;
    if class.remakes_post_processor {
        remake_post_processor(&mut tokenizer)?;
    } else {
        measure_bos_and_eos(&mut tokenizer)?;
    }
    Ok(tokenizer)
}

fn arguments(class: &PythonClass, files: &FileSet, release: Release) -> Result<InitArguments> {
    let mut arguments = InitArguments::read(files, &class.tokens, release)?;
    if class.fills {
        arguments.add_infilling_tokens(release);
    }
    let is_converted = !files.has("tokenizer.json");
    if is_converted && release == Release::V4_31 && class.tokens.wraps_in_4_31 {
        arguments.copy_from_slow_class(&class.tokens);
    }
    for (role, token) in std::mem::take(&mut arguments.assigned_later) {
        arguments.special.set(role, Some(token));
    }
    if class.has_sentinels {
        arguments.add_sentinels();
    }
    Ok(arguments)
}

fn parts(class: &PythonClass, input: &ClassInput<'_>) -> Result<CoreParts> {
    if let Some(bytes) = input.files.read("tokenizer.json")? {
        return tokenizer_json::read(&bytes, &input.files.path_of("tokenizer.json"));
    }
    match class.convert {
        Some(convert) => convert(input),
        None => Err(Error::format(input.files.label(), format!("{} has no fast class", class.name))),
    }
}
