//! A template object of ms-swift: a format with its options, for one tokenizer.

use serde::Deserialize;

use super::format::SwiftFormat;
use super::loss_scale::LossScale;
use super::truncation::SwiftTruncation;
use crate::masks::MaskError;
use crate::masks::trainers::Resources;

/// Arguments of `get_template`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SwiftOptions {
    /// The type of swift's own format.
    pub template: String,
    pub loss_scale: String,
    pub default_system: Option<String>,
    pub max_length: Option<usize>,
    pub truncation_strategy: SwiftTruncation,
    pub template_backend: Backend,
    pub use_chat_template: bool,
    pub agent_template: Option<String>,
    pub enable_thinking: Option<bool>,
    pub preserve_thinking: Option<bool>,
    pub add_non_thinking_prefix: bool,
    /// What opens an answer that is still to come.
    pub response_prefix: Option<String>,
    pub is_binary_loss_scale: Option<bool>,
}

impl Default for SwiftOptions {
    fn default() -> Self {
        Self {
            template: String::new(),
            loss_scale: "default".into(),
            default_system: None,
            max_length: None,
            truncation_strategy: SwiftTruncation::Raise,
            template_backend: Backend::Swift,
            use_chat_template: true,
            agent_template: None,
            enable_thinking: None,
            preserve_thinking: None,
            add_non_thinking_prefix: true,
            response_prefix: None,
            is_binary_loss_scale: None,
        }
    }
}

/// Whose format is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    #[default]
    Swift,
    /// The tokenizer's chat template; everything is supervised then.
    Jinja,
}

/// A template object of swift.
#[derive(Debug)]
pub struct SwiftTemplate<'a> {
    pub(super) resources: Resources<'a>,
    pub(super) options: SwiftOptions,
    pub(super) format: SwiftFormat,
    pub(super) loss_scale: LossScale,
}

impl<'a> SwiftTemplate<'a> {
    /// `get_template`.
    ///
    /// # Errors
    /// A type that is not known, a system text where the type has no place for one, a loss scale that swift does not have.
    pub fn new(resources: Resources<'a>, options: SwiftOptions) -> Result<Self, MaskError> {
        let mut format = SwiftFormat::load(
            &options.template,
            !options.use_chat_template,
            resources.encoder,
            resources.special("eos_token"),
            resources.clock,
        )?;
        format.check_system(options.default_system.as_deref())?;
        if let Some(system) = &options.default_system {
            format.default_system = Some(system.clone());
        }
        let loss_scale = LossScale::parse(&options.loss_scale)?;
        Ok(Self { resources, options, format, loss_scale })
    }
}
