//! Options that every command takes, and the [`Request`] that they make.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::chat::ChatArgs;
use super::output::{ColorChoice, OutputFormat};
use super::repository::{RepositoryArgs, own};
use super::rule_numbers::RuleNumberArgs;
use crate::chat::layout::Layout;
use crate::error::{Error, Result};
use crate::hub::{AccessToken, HubOptions};
use crate::moe::backbone::DeviceChoice;
use crate::setup::{Request, TemplateChoice, TokenChoice};
use crate::tokenizer::{LoadOptions, Loader, Release, Role};

/// Options that every command and the screen share.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Shared options")]
pub struct SharedOptions {
    /// sample:NAME, a folder, a tokenizer file, or a hub id: org/name, org/name@revision.
    /// `compare` takes two.
    #[arg(help_heading = "What to look at", short, long, global = true, value_name = "SPEC")]
    pub tokenizer: Vec<String>,
    /// Conversations: JSON array or JSONL, plain or compressed; - for standard input,
    /// or hf://datasets/ORG/NAME, with @REV and /PATTERN behind it [default: the embedded ones].
    #[arg(help_heading = "What to look at", short, long, global = true, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Layout of the conversations [default: recognised by their keys].
    #[arg(help_heading = "What to look at", long, global = true, value_name = "NAME", value_parser = layout)]
    pub layout: Option<Layout>,
    /// LLaVA template, chat for the tokenizer's own, or a .jinja file; see `maskscope templates` [default: auto].
    #[arg(help_heading = "What to look at", long, global = true, value_name = "NAME")]
    pub template: Option<String>,
    /// Label rule (the preprocess function), or mask strategy of a chat template [default: auto].
    #[arg(help_heading = "What to look at", long, global = true, value_name = "NAME")]
    pub preprocess: Option<String>,
    #[command(flatten)]
    pub numbers: RuleNumberArgs,
    #[command(flatten)]
    pub repository: RepositoryArgs,
    #[command(flatten)]
    pub chat: ChatArgs,
    /// Set-up of a known backbone, auto, or none [default: auto].
    #[arg(help_heading = "Special tokens and recipe", long, global = true, value_name = "NAME")]
    pub recipe: Option<String>,
    /// Token for unk.
    #[arg(help_heading = "Special tokens and recipe", long, global = true, value_name = "T")]
    pub unk: Option<String>,
    /// Token for eos.
    #[arg(help_heading = "Special tokens and recipe", long, global = true, value_name = "T")]
    pub eos: Option<String>,
    /// Token for bos.
    #[arg(help_heading = "Special tokens and recipe", long, global = true, value_name = "T")]
    pub bos: Option<String>,
    /// Token for pad; the words unk and eos copy that role.
    #[arg(help_heading = "Special tokens and recipe", long, global = true, value_name = "T")]
    pub pad: Option<String>,
    /// Python class family [default: slow where it exists, as the training code loads it].
    #[arg(help_heading = "How the tokenizer is loaded", long, global = true, value_enum)]
    pub loader: Vec<LoaderArgument>,
    /// Joining of text after special tokens, Llama family.
    #[arg(help_heading = "How the tokenizer is loaded", long, global = true, value_name = "BOOL", action = clap::ArgAction::Append)]
    pub legacy: Vec<bool>,
    /// Release of transformers to reproduce: 4.31, 4.37, 4.57 or 5 [default: 4.37; 5 with a chat template].
    #[arg(help_heading = "How the tokenizer is loaded", long, global = true, value_name = "RELEASE")]
    pub transformers: Vec<String>,
    /// How a tiktoken rank file of no known class cuts texts: a regular expression [default: `pat_str` or
    /// `pattern` in tokenizer_config.json, else that of the published encoding with as many ranks].
    #[arg(help_heading = "How the tokenizer is loaded", long, global = true, value_name = "REGEX")]
    pub split_pattern: Option<String>,
    /// Length at which text prompts are cut [default: the tokenizer's own, at most 2048].
    #[arg(help_heading = "How the tokenizer is loaded", long, global = true, value_name = "N")]
    pub model_max_length: Option<usize>,
    /// Wrap image placeholders as the training option of that name does.
    #[arg(help_heading = "Images and experts", long, global = true)]
    pub mm_use_im_start_end: bool,
    /// Never touch the network: hub ids come from the cache.
    #[arg(help_heading = "Hub", long, global = true)]
    pub offline: bool,
    /// Cache of the hub, shared with Python [default: HF_HUB_CACHE, or hub in HF_HOME].
    #[arg(help_heading = "Hub", long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Address of the hub [default: HF_ENDPOINT].
    #[arg(help_heading = "Hub", long, global = true, value_name = "URL")]
    pub hub_endpoint: Option<String>,
    /// Token for gated and private repositories [default: HF_TOKEN, or Python's token file].
    #[arg(help_heading = "Hub", long, global = true, value_name = "TOKEN")]
    pub hub_token: Option<HubToken>,
    /// Positions that one image placeholder takes in the experts' view [default: by the model's config, else 576].
    #[arg(help_heading = "Images and experts", long, global = true, value_name = "N")]
    pub image_tokens: Option<usize>,
    /// Where the experts' forward runs: auto, cpu, gpu, gpu:N, cuda, cuda:N or metal [default: auto].
    #[arg(help_heading = "Images and experts", long, global = true, value_name = "DEVICE")]
    pub device: Option<String>,
    /// A set-up as `maskscope setup` and the screen write it; options of the command line win over it.
    #[arg(help_heading = "What to look at", long, global = true, value_name = "FILE")]
    pub setup: Option<PathBuf>,
    /// Settings in place of the usual file; see `maskscope config`.
    #[arg(help_heading = "Output", long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Form of the output [default: text].
    #[arg(help_heading = "Output", long, global = true, value_enum)]
    pub format: Option<OutputFormat>,
    /// Colours of text output [default: auto: on a terminal without NO_COLOR].
    #[arg(help_heading = "Output", long, global = true, value_enum)]
    pub color: Option<ColorChoice>,
}

fn layout(word: &str) -> std::result::Result<Layout, String> {
    Layout::of_word(word).ok_or_else(|| format!("known are {}", Layout::ALL.map(Layout::word).join(", ")))
}

/// The two Python class families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LoaderArgument {
    Slow,
    Fast,
}

/// A token on the command line; never printed, not even by `Debug`.
#[derive(Debug, Clone)]
pub struct HubToken(AccessToken);

impl std::str::FromStr for HubToken {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        AccessToken::new(text).map(Self).ok_or("the token is empty")
    }
}

/// A request, and what was assumed for it.
pub type RequestWithNotes = (Request, Vec<String>);

impl SharedOptions {
    /// The environment's hub settings with the flags in their place.
    fn hub(&self) -> HubOptions {
        let mut hub = HubOptions::from_env();
        if self.offline {
            hub = hub.offline(true);
        }
        if let Some(dir) = &self.cache_dir {
            hub = hub.cache_dir(dir);
        }
        if let Some(endpoint) = &self.hub_endpoint {
            hub = hub.endpoint(endpoint);
        }
        match &self.hub_token {
            Some(token) => hub.token(Some(token.0.clone())),
            None => hub,
        }
    }

    /// Where the experts' forward runs.
    ///
    /// # Errors
    /// A word that is no device.
    pub fn device(&self) -> Result<DeviceChoice> {
        Ok(self.device.as_deref().map_or(Ok(DeviceChoice::Auto), DeviceChoice::parse)?)
    }

    /// The request that these options make, with notes on what is assumed.
    ///
    /// # Errors
    /// A release that is not known, and options that were given twice.
    pub fn request(&self) -> Result<(Request, Vec<String>)> {
        for (name, given) in self.sides() {
            if given > 1 {
                return Err(Error::Usage(format!("--{name} is given {given} times; only compare takes two")));
            }
        }
        self.side(0)
    }

    /// The two requests of `compare`: where an option is given twice, the second value is that of side B.
    ///
    /// # Errors
    /// As [`Self::request`], and where nothing tells the sides apart.
    pub fn two_requests(&self) -> Result<(RequestWithNotes, RequestWithNotes)> {
        let is_built_in = self.template.is_some() || self.preprocess.is_some();
        let most = self.sides().into_iter().map(|(_, given)| given).max().unwrap_or(0);
        if most < 2 && is_built_in && !self.repository.repo.is_empty() {
            // The repository's own function against a built-in rule.
            let built_in = Self { repository: RepositoryArgs::default(), ..self.clone() };
            let own = Self { template: None, preprocess: None, ..self.clone() };
            return Ok((own.side(0)?, built_in.side(0)?));
        }
        if most != 2 {
            return Err(Error::Usage(
                "compare needs two sides: -t A -t B, or one tokenizer with --loader slow --loader fast, \
                 --transformers 4.31 --transformers 5, --legacy true --legacy false, --repo A --repo B, --version A --version B, or --repo \
                 with --template or --preprocess for side B"
                    .to_string(),
            ));
        }
        Ok((self.side(0)?, self.side(1)?))
    }

    /// How often each option that a side may have of its own was given.
    fn sides(&self) -> [(&'static str, usize); 7] {
        [
            ("repo", self.repository.repo.len()),
            ("version", self.repository.version.len()),
            ("function", self.repository.function.len()),
            ("tokenizer", self.tokenizer.len()),
            ("loader", self.loader.len()),
            ("legacy", self.legacy.len()),
            ("transformers", self.transformers.len()),
        ]
    }

    fn side(&self, side: usize) -> Result<RequestWithNotes> {
        let mut notes = Vec::new();
        let release = match own(&self.transformers, side).as_deref() {
            None => Release::default(),
            Some(text) => {
                let (release, measured) = Release::parse(text).ok_or_else(|| Error::UnknownName {
                    kind: "transformers release",
                    name: text.to_string(),
                    known: Release::ALL.map(|release| release.name().to_string()).to_vec(),
                })?;
                if !measured {
                    notes.push(format!(
                        "transformers {text} was not measured: it is assumed to behave as {}",
                        release.name()
                    ));
                }
                release
            }
        };
        let loader = own(&self.loader, side).map(|l| match l {
            LoaderArgument::Slow => Loader::Slow,
            LoaderArgument::Fast => Loader::Fast,
        });
        // The options of a load are copied all over; the command line's one text lives as long as the program.
        let split_pattern = self.split_pattern.as_deref().map(|text| &*String::from(text).leak());
        let tokens =
            [(Role::Unk, &self.unk), (Role::Eos, &self.eos), (Role::Bos, &self.bos), (Role::Pad, &self.pad)];
        let preprocess = self.preprocess.as_deref().map(str::parse).transpose()?.unwrap_or_default();
        let repository =
            self.repository.request(side, self.image_tokens, own(&self.transformers, side).as_deref())?;
        if repository.is_some() && (self.template.is_some() || self.preprocess.is_some()) {
            let text = "--template and --preprocess choose what is built in, and --repo labels by the repository's own function: \
                        leave the one or the other out";
            return Err(Error::Usage(text.to_string()));
        }
        let mut request = Request {
            tokenizer: own(&self.tokenizer, side).unwrap_or_else(|| Request::default().tokenizer),
            template: self.template.as_deref().map(TemplateChoice::parse).unwrap_or_default(),
            preprocess: self.numbers.applied_to(preprocess)?,
            chat: self.chat.wish()?,
            layout: self.layout,
            recipe: self.recipe.as_deref().map(str::parse).transpose()?.unwrap_or_default(),
            overrides: tokens
                .into_iter()
                .filter_map(|(role, token)| Some((role, TokenChoice::parse(role, token.as_deref()?))))
                .collect(),
            load: LoadOptions { loader, legacy: own(&self.legacy, side), release, split_pattern },
            hub: self.hub(),
            model_max_length: self.model_max_length,
            mm_use_im_start_end: self.mm_use_im_start_end,
            sep2: self.numbers.sep2.clone(),
            repository,
        };
        request.chat.option_pairs = self.chat.strategy_option.clone();
        request.chat.release = (!self.transformers.is_empty()).then_some(release);
        if self.transformers.is_empty() && request.wants_chat() {
            request.load.release = Release::V5;
            notes.push(format!("transformers {} is assumed, as for chat templates", Release::V5.name()));
        }
        Ok((request, notes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Arguments;
    use clap::Parser;

    #[test]
    fn options_make_a_request() {
        let line =
            "maskscope inspect -t DIR --recipe none --unk X --pad unk --legacy false --transformers 4.36";
        let arguments = Arguments::try_parse_from(line.split(' ')).expect("parses");
        let (request, notes) = arguments.shared.request().expect("is understood");
        assert_eq!(request.tokenizer, "DIR");
        assert_eq!(request.overrides[&Role::Unk], TokenChoice::Surface("X".into()));
        assert_eq!(request.overrides[&Role::Pad], TokenChoice::CopyOf(Role::Unk));
        assert_eq!(request.load, LoadOptions { legacy: Some(false), ..LoadOptions::default() });
        assert_eq!(notes.len(), 1, "4.36 is assumed, and that is said");
    }
}
