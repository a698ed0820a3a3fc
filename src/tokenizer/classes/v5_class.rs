//! What a class of transformers 5.x is: one class a model, which takes vocabulary and merges and builds its own
//! pipeline around them, whatever `tokenizer.json` says.

use crate::error::Result;
use crate::tokenizer::config::InitArguments;
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::files::FileSet;
use crate::tokenizer::loaded::Tokenizer;

use super::sentencepiece_v5;

/// The class of 5.x that takes a `tokenizer.json` as it is.
pub const BACKEND: &str = "TokenizersBackend";

/// Where the post-processor comes from.
#[derive(Debug, Clone, Copy)]
pub enum PostProcessorSource {
    /// `tokenizer.json`; without one there `add_bos_token` and `add_eos_token`.
    File,
    /// Always `add_bos_token` and `add_eos_token`.
    Flags,
    /// A post-processor of the class's own.
    Class(fn(&mut Tokenizer) -> Result<()>),
}

/// The differences between classes of 5.x.
#[derive(Debug, Clone, Copy)]
pub struct V5Class {
    /// The class that is loaded under this name, where it is another one: often one for a whole family.
    pub name: Option<&'static str>,
    /// `model_type`s registered with this class, for folders that name none.
    pub model_types: &'static [&'static str],
    /// `model_type`s for which this class is taken even where the files name another.
    pub forced_model_types: &'static [&'static str],
    /// False for a `tokenizer.json` that the class's pipeline would not fit: it is taken as it is.
    pub fits: fn(&CoreParts) -> bool,
    /// Changes of the configuration before anything is built.
    pub prepare: fn(&mut InitArguments),
    pub has_legacy: bool,
    /// The pipeline without a `tokenizer.json`.
    pub from_files: fn(&FileSet, &mut InitArguments) -> Result<CoreParts>,
    /// Puts the class's own pipeline around the model (the last argument is `legacy`); false where it has none for it.
    pub rebuild: fn(&mut CoreParts, &InitArguments, Option<bool>) -> Result<bool>,
    pub post_processor: PostProcessorSource,
    /// Special tokens are added once more, each without flags.
    pub adds_special_again: bool,
    /// `add_bos_token` where the configuration has none.
    pub add_bos_token: bool,
    /// `add_prefix_space` where the configuration has none.
    pub add_prefix_space: Option<bool>,
}

impl V5Class {
    /// A class that takes `tokenizer.json` as it is.
    pub const BASE: Self = Self {
        name: None,
        model_types: &[],
        forced_model_types: &[],
        fits: |_| true,
        prepare: |_| (),
        has_legacy: false,
        from_files: sentencepiece_v5::pipeline,
        rebuild: |_, _, _| Ok(false),
        post_processor: PostProcessorSource::File,
        adds_special_again: false,
        add_bos_token: false,
        add_prefix_space: Some(false),
    };
}
