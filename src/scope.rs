//! [`Scope`]: the library for other programs. Load a tokenizer under a set-up, label samples, explain what is lost, and
//! route tokens through the experts of a model; the rest of the crate is private.
//!
//! `examples/` has a program for each. Everything here is a few lines over the modules that the commands use.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::chat::Sample;
use crate::diagnose::{DoctorReport, diagnose};
use crate::error::Result;
use crate::labels::{Inspection, Labelled};
use crate::moe::backbone::DeviceChoice;
use crate::moe::image::positions_per_image;
use crate::moe::positions::{Positions, RowContent};
use crate::moe::route::{RouteOptions, RouteRow, RouteSample, route};
use crate::setup::{
    ConversionRequest, LabelChoice, ModelRequest, ModelSource, RecipeChoice, Request, Setup, TemplateChoice,
    TokenChoice, load_model, load_tokenizer, resolve, vocab_size,
};
use crate::tokenizer::{Encoding, Role, Tokenizer};

/// What decides the labels, as words of the command line.
///
/// ```
/// # fn main() -> maskscope::Result<()> {
/// use maskscope::{Role, ScopeOptions};
///
/// let scope = ScopeOptions::new("sample:phi-2").template("phi").token(Role::Pad, "<|endoftext|>").load()?;
/// assert_eq!(scope.tokenizer().role_id(Role::Pad), Some(50256));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ScopeOptions {
    request: Request,
    preprocess: Option<String>,
    recipe: Option<String>,
}

impl ScopeOptions {
    /// A tokenizer by `sample:NAME`, folder, file or hub id; everything else is chosen for it.
    pub fn new(tokenizer: impl Into<String>) -> Self {
        let request = Request { tokenizer: tokenizer.into(), ..Request::default() };
        Self { request, preprocess: None, recipe: None }
    }

    /// `--template`: a LLaVA template by name, `chat`, `chat:NAME`, `sample:NAME`, or a Jinja file.
    #[must_use]
    pub fn template(mut self, template: &str) -> Self {
        self.request.template = TemplateChoice::parse(template);
        self
    }

    /// `--preprocess`: a label rule or a mask strategy by name.
    #[must_use]
    pub fn preprocess(mut self, rule_or_strategy: impl Into<String>) -> Self {
        self.preprocess = Some(rule_or_strategy.into());
        self
    }

    /// `--recipe`: a backbone's special tokens and template by name, or `none`.
    #[must_use]
    pub fn recipe(mut self, recipe: impl Into<String>) -> Self {
        self.recipe = Some(recipe.into());
        self
    }

    /// `--unk`, `--eos`, `--pad` …: a token for a role; one that is not there yet is added.
    #[must_use]
    pub fn token(mut self, role: Role, token: impl Into<String>) -> Self {
        self.request.overrides.insert(role, TokenChoice::Surface(token.into()));
        self
    }

    /// `--model-max-length`, in tokens.
    #[must_use]
    pub fn model_max_length(mut self, tokens: usize) -> Self {
        self.request.model_max_length = Some(tokens);
        self
    }

    /// Loads the tokenizer, from the hub where it is neither built in nor a folder.
    ///
    /// # Errors
    /// Unknown names, files that are missing or malformed, what the hub refuses, a token that the class refuses.
    pub fn load(mut self) -> Result<Scope> {
        if let Some(word) = &self.preprocess {
            self.request.preprocess = word.parse::<LabelChoice>()?;
        }
        if let Some(word) = &self.recipe {
            self.request.recipe = word.parse::<RecipeChoice>()?;
        }
        let base = load_tokenizer(&self.request, &mut |_| ControlFlow::Continue(()))?;
        Ok(Scope { setup: Arc::new(resolve(&base, &self.request)?) })
    }
}

/// A loaded tokenizer with everything that decides the labels of a sample.
#[derive(Debug, Clone)]
pub struct Scope {
    setup: Arc<Setup>,
}

impl Scope {
    /// The tokenizer, with the overrides of the options.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.setup.tokenizer
    }

    /// The ids of a text with the bytes that each stands for.
    ///
    /// # Errors
    /// What the tokenizer's model refuses.
    pub fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Encoding> {
        self.setup.tokenizer.encode(text, add_special_tokens)
    }

    /// The prompt, ids and labels of a sample, or the exception that the training code raises.
    pub fn label(&self, sample: &Sample) -> Inspection {
        self.setup.inspect(sample)
    }

    /// What the doctor finds in samples: each finding with evidence, cause, and a fix that was tried where there is one.
    pub fn explain(&self, samples: &[Sample]) -> DoctorReport {
        let inspections: Vec<Inspection> = samples.iter().map(|sample| self.label(sample)).collect();
        diagnose(&self.setup, samples, &inspections)
    }

    /// The experts that each position of a sample goes to. `model` is `byte-moe` (embedded, reads bytes),
    /// `seeded:NAME`, a folder, or a hub id; it runs on the CPU.
    ///
    /// # Errors
    /// A sample that the training code refuses, a model that cannot be had, a prompt that is too long for it.
    pub fn route(&self, sample: &Sample, model: &str) -> Result<Vec<RouteRow>> {
        let inspection = self.label(sample);
        let labelled = inspection.result.map_err(|error| {
            crate::Error::Usage(format!("{}: {}: {}", inspection.id, error.kind, error.message))
        })?;
        let prompt = inspection.prompt.unwrap_or_default();
        let source = ModelSource::parse(model)?;
        let request = ModelRequest {
            source: source.clone(),
            layers: None,
            device: DeviceChoice::Cpu,
            vocab_size: vocab_size(self.setup.tokenizer.len(), &labelled.input_ids),
            seed: 0,
            conversion: ConversionRequest::default(),
            within_memory: true,
            hub: Request::default().hub,
        };
        let (model, _) = load_model(&request, &mut |_| ControlFlow::Continue(()))?;
        let per_image = positions_per_image(None, model.config());
        let name = |content: &RowContent| match content {
            RowContent::Token(id) => self.setup.tokenizer.decode(&[*id], false).unwrap_or_default(),
            RowContent::Byte(byte) => char::from(*byte).to_string(),
            RowContent::Patch(_) => "<image>".to_string(),
        };
        let positions = positions(&self.setup, &source, (&prompt, &labelled), per_image)?;
        let sample = RouteSample::new(inspection.id.into(), &positions, &name, &model, 0)?;
        Ok(route(&model, &[sample], &RouteOptions::default())?.0)
    }
}

/// The positions of a labelled prompt as inputs of a model: its bytes for the byte model, else its tokens.
///
/// # Errors
/// A prompt that is too long for the byte model, and what [`Positions::of_tokens`] refuses.
pub(crate) fn positions(
    setup: &Setup,
    source: &ModelSource,
    (prompt, labelled): (&str, &Labelled),
    per_image: usize,
) -> Result<Positions> {
    Ok(if source.reads_bytes() {
        let seen = setup.seen_bytes(prompt, labelled);
        Positions::of_bytes(prompt, seen, &labelled.spans, &labelled.labels)?
    } else {
        let limit = Some(setup.model_max_length());
        Positions::of_tokens(&labelled.input_ids, &labelled.labels, per_image, limit)?
    })
}
