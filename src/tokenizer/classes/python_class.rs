//! What a Python tokenizer class is: the data and functions in which classes differ. One file of this folder a class.

use std::sync::Arc;

use crate::error::Result;
use crate::tokenizer::add_on_loading;
use crate::tokenizer::config::{InitArguments, TokenDefaults};
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::facts::{ClassFacts, PaddingSide};
use crate::tokenizer::files::FileSet;
use crate::tokenizer::loaded::Tokenizer;
use crate::tokenizer::release::{Loader, Release};
use crate::tokenizer::slow::SlowClass;
use crate::tokenizer::special::Role;

use super::class_input::ClassInput;
use super::v5_class::V5Class;

/// Which of the two families of a class has an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeScope {
    Neither,
    Slow,
    Both,
}

impl AttributeScope {
    fn is_in(self, loader: Loader) -> bool {
        match self {
            Self::Neither => false,
            Self::Slow => loader == Loader::Slow,
            Self::Both => true,
        }
    }
}

/// Builds the slow class on its files.
pub type BuildSlow = fn(&ClassInput<'_>) -> Result<Arc<dyn SlowClass>>;

/// The pipeline of the slow class's files, as the converter of 4.x makes it.
pub type Convert = fn(&ClassInput<'_>) -> Result<CoreParts>;

/// A Python class. Derived classes are written as `PythonClass { …, ..BASE }`.
#[derive(Debug, Clone, Copy)]
pub struct PythonClass {
    /// The name without `Fast`.
    pub name: &'static str,
    /// Other names of the same class, under which Python never prints it.
    pub aliases: &'static [&'static str],
    /// The first release with this class, where it is not in 4.31.
    pub first_release: Option<&'static str>,
    /// `model_type`s of a config.json for which 4.x takes this class, for folders without a tokenizer configuration.
    pub model_types: &'static [&'static str],
    /// True for files that point to this class where nothing names one.
    pub fits: fn(&FileSet) -> bool,

    pub tokens: TokenDefaults,
    pub adds_bos: bool,
    pub adds_eos: bool,
    /// The roles whose tokens the slow class puts around a text. Classes that take cls and sep ignore
    /// `add_bos_token` and `add_eos_token`.
    pub ends: [Role; 2],
    /// The attributes `add_bos_token`, `add_eos_token` and `add_prefix_space` in 4.x.
    pub attributes: [AttributeScope; 3],
    pub clean_up_tokenization_spaces: bool,
    /// False for classes whose list of special tokens is closed.
    pub can_add_tokens: bool,
    /// The slow class has the argument `legacy`.
    pub has_legacy: bool,
    /// `extra_ids` sentinels are additional special tokens.
    pub has_sentinels: bool,
    /// A text with a fill token in it becomes an infilling prompt.
    pub fills: bool,

    /// Files of the slow class; `*.x` is any file of that ending. Empty where `tokenizer.json` is all there is.
    pub slow_files: &'static [&'static str],
    /// `None` where the slow class is not reproduced, its files only read.
    pub slow: Option<BuildSlow>,
    /// How the slow class adds tokens when it is loaded.
    pub add_on_loading: fn(&mut Tokenizer, &mut InitArguments) -> Result<()>,

    /// `None` for classes without a fast class, and those that never had another.
    pub convert: Option<Convert>,
    /// What the fast class of 4.x changes in its `tokenizer.json`, because the configuration says otherwise.
    pub change_fast: fn(&mut CoreParts, &InitArguments, Release) -> Result<()>,
    /// The fast class of 4.x makes its post-processor anew from `add_bos_token` and `add_eos_token`.
    pub remakes_post_processor: bool,
    /// Padding side of the fast class without a value in the configuration.
    pub fast_padding_side: PaddingSide,

    pub v5: V5Class,
}

/// A class that is only known by name: nothing of its own, `tokenizer.json` decides.
pub const BASE: PythonClass = PythonClass {
    name: "PreTrainedTokenizer",
    aliases: &[],
    first_release: None,
    model_types: &[],
    fits: |_| false,
    tokens: TokenDefaults::NONE,
    adds_bos: false,
    adds_eos: false,
    ends: [Role::Bos, Role::Eos],
    attributes: [AttributeScope::Neither; 3],
    clean_up_tokenization_spaces: true,
    can_add_tokens: true,
    has_legacy: false,
    has_sentinels: false,
    fills: false,
    slow_files: &[],
    slow: None,
    add_on_loading: add_on_loading::slow,
    convert: None,
    change_fast: |_, _, _| Ok(()),
    remakes_post_processor: false,
    fast_padding_side: PaddingSide::Right,
    v5: V5Class::BASE,
};

impl PythonClass {
    /// The first file that the slow class needs and that is not there.
    pub fn missing_file(&self, files: &FileSet) -> Option<&'static str> {
        self.slow_files.iter().copied().find(|name| match name.strip_prefix('*') {
            Some(ending) => files.find_suffix(ending).is_none(),
            None => !files.has(name),
        })
    }

    /// True where the files of the slow class are all there.
    pub fn has_slow_files(&self, files: &FileSet) -> bool {
        !self.slow_files.is_empty() && self.missing_file(files).is_none()
    }

    /// What is known of this class in 4.x, with the values of the configuration.
    pub fn facts(&self, loader: Loader, input: &ClassInput<'_>) -> ClassFacts {
        let arguments = input.arguments;
        let is_slow = loader == Loader::Slow;
        let attribute = |scope: AttributeScope, key: &str, default: bool| {
            scope.is_in(loader).then(|| arguments.flag(key).unwrap_or(default))
        };
        let ends = if is_slow { self.ends } else { BASE.ends };
        let adds =
            |key: &str, default: bool| arguments.flag(key).filter(|_| ends == BASE.ends).unwrap_or(default);
        let [add_bos, add_eos, add_prefix] = self.attributes;
        let padding_side = if is_slow { PaddingSide::default() } else { self.fast_padding_side };
        ClassFacts {
            name: if is_slow { self.name.to_string() } else { format!("{}Fast", self.name) },
            loader,
            release: input.release,
            legacy: input.legacy,
            add_bos_token: attribute(add_bos, "add_bos_token", self.adds_bos),
            add_eos_token: attribute(add_eos, "add_eos_token", self.adds_eos),
            add_prefix_space: attribute(add_prefix, "add_prefix_space", false),
            adds_bos: adds("add_bos_token", self.adds_bos),
            adds_eos: adds("add_eos_token", self.adds_eos),
            ends,
            can_add_tokens: self.can_add_tokens || !is_slow,
            model_max_length: arguments.model_max_length(),
            padding_side: arguments.side("padding_side").unwrap_or(padding_side),
            truncation_side: arguments.side("truncation_side").unwrap_or_default(),
            clean_up_tokenization_spaces: arguments
                .flag("clean_up_tokenization_spaces")
                .unwrap_or(self.clean_up_tokenization_spaces && input.release != Release::V5),
        }
    }
}
