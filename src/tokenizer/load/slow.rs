//! Loading a slow Python class.

use crate::error::Result;
use crate::tokenizer::classes::{BuildSlow, ClassInput, PythonClass};
use crate::tokenizer::config::InitArguments;
use crate::tokenizer::files::FileSet;
use crate::tokenizer::infilling::Infilling;
use crate::tokenizer::loaded::{Engine, Tokenizer};
use crate::tokenizer::refusals::of_added_tokens_4_31;
use crate::tokenizer::release::{LoadOptions, Loader, Release};
use crate::tokenizer::slow::split::Splitter;

/// Loads the slow class on its files.
pub fn load(
    class: &PythonClass,
    build: BuildSlow,
    files: &FileSet,
    options: LoadOptions,
) -> Result<Tokenizer> {
    let release = options.release;
    let mut arguments = InitArguments::read(files, &class.tokens, release)?;
    if release == Release::V4_31 && class.tokens.wraps_in_4_31 {
        arguments.wrap_strings(&class.tokens);
    }
    if class.fills {
        arguments.add_infilling_tokens(release);
    }
    let legacy = class.has_legacy.then(|| options.legacy.or(arguments.flag("legacy")).unwrap_or(true));
    let input = ClassInput { files, arguments: &arguments, legacy, release };
    let engine = Engine::Slow(build(&input)?, Splitter::default());
    let facts = class.facts(Loader::Slow, &input);
    let mut tokenizer = Tokenizer::new(facts, arguments.special.clone(), engine);
    tokenizer.infilling = class.fills.then(|| Infilling::named(&arguments, release)).flatten();
    if release == Release::V4_31 {
        let refusal = of_added_tokens_4_31(&arguments.added_file, tokenizer.len(), None);
        tokenizer.notes.extend(refusal);
    }
    (class.add_on_loading)(&mut tokenizer, &mut arguments)?;
    Ok(tokenizer)
}
