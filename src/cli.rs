//! The command line: arguments in, a [`Command`] out. No work is done here.

mod chat;
mod moe;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::chat::layout::Layout;
use crate::error::{Error, Result};
use crate::hub::{HubOptions, Token};
use crate::masks::image_tokens::ImageSize;
use crate::setup::{AUTO, Request, TokenChoice, wants_chat};
use crate::tokenizer::{LoadOptions, Loader, Release, Role};

pub use chat::ChatOptions;
pub use moe::{
    BatchArgument, ConversionArguments, ConvertArguments, MoeCommand, NoiseArgument, RouteArguments,
    RouterInit,
};

/// Shows what a Hugging Face tokenizer really does to a conversation, and which tokens a fine-tuning run learns from.
///
/// Without a command the interactive screen opens, on embedded samples if nothing else is named.
#[derive(Debug, Parser)]
#[command(name = "maskscope", version, max_term_width = 110)]
pub struct Arguments {
    #[command(flatten)]
    pub shared: SharedOptions,
    /// Show the screen without the mouse.
    #[arg(long)]
    pub no_mouse: bool,
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Arguments {
    /// The process's own arguments; help, version and usage errors end the process here (status 0 or 2).
    pub fn from_process() -> Self {
        Self::parse()
    }
}

/// Options that every command and the screen share.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Shared options")]
pub struct SharedOptions {
    /// sample:NAME, a folder, a tokenizer file, or a hub id: org/name, org/name@revision.
    /// `compare` takes two.
    #[arg(short, long, global = true, value_name = "SPEC")]
    pub tokenizer: Vec<String>,
    /// Conversations: JSON array or JSONL, plain or compressed; - for standard input [default: the embedded ones].
    #[arg(short, long, global = true, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Layout of the conversations [default: recognised by their keys].
    #[arg(long, global = true, value_name = "NAME", value_parser = layout)]
    pub layout: Option<Layout>,
    /// LLaVA template, chat for the tokenizer's own, or a .jinja file; see `maskscope templates` [default: auto].
    #[arg(long, global = true, value_name = "NAME")]
    pub template: Option<String>,
    /// Label rule (the preprocess function), or mask strategy of a chat template [default: auto].
    #[arg(long, global = true, value_name = "NAME")]
    pub preprocess: Option<String>,
    #[command(flatten)]
    pub chat: ChatOptions,
    /// Set-up of a known backbone, auto, or none [default: auto].
    #[arg(long, global = true, value_name = "NAME")]
    pub recipe: Option<String>,
    /// Token for unk.
    #[arg(long, global = true, value_name = "T")]
    pub unk: Option<String>,
    /// Token for eos.
    #[arg(long, global = true, value_name = "T")]
    pub eos: Option<String>,
    /// Token for bos.
    #[arg(long, global = true, value_name = "T")]
    pub bos: Option<String>,
    /// Token for pad; the words unk and eos copy that role.
    #[arg(long, global = true, value_name = "T")]
    pub pad: Option<String>,
    /// Python class family [default: slow where it exists, as the training code loads it].
    #[arg(long, global = true, value_enum)]
    pub loader: Vec<LoaderArgument>,
    /// Joining of text after special tokens, Llama family.
    #[arg(long, global = true, value_name = "BOOL", action = clap::ArgAction::Set)]
    pub legacy: Vec<bool>,
    /// Release of transformers to reproduce: 4.31, 4.37 or 5 [default: 4.37].
    #[arg(long, global = true, value_name = "RELEASE")]
    pub transformers: Vec<String>,
    /// Length at which text prompts are cut [default: the tokenizer's own, at most 2048].
    #[arg(long, global = true, value_name = "N")]
    pub model_max_length: Option<usize>,
    /// Wrap image placeholders as the training option of that name does.
    #[arg(long, global = true)]
    pub mm_use_im_start_end: bool,
    /// Never touch the network: hub ids come from the cache.
    #[arg(long, global = true)]
    pub offline: bool,
    /// Cache of the hub, shared with Python [default: HF_HUB_CACHE, or hub in HF_HOME].
    #[arg(long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
    /// Address of the hub [default: HF_ENDPOINT].
    #[arg(long, global = true, value_name = "URL")]
    pub hub_endpoint: Option<String>,
    /// Token for gated and private repositories [default: HF_TOKEN, or Python's token file].
    #[arg(long, global = true, value_name = "TOKEN")]
    pub hub_token: Option<HubToken>,
    /// Form of the output [default: text].
    #[arg(long, global = true, value_enum)]
    pub format: Option<Format>,
    /// Colours of text output [default: auto: on a terminal without NO_COLOR].
    #[arg(long, global = true, value_enum)]
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

/// Forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    Jsonl,
    /// Only of `frame`: text with terminal colours.
    Ansi,
    /// Only of `doctor`: SARIF 2.1.0, for code-scanning tools.
    Sarif,
}

/// When text output has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    Auto,
    Always,
    Never,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Labels of every sample: tokens per round, lengths, warnings, errors.
    Inspect {
        /// Exit with status 1 when a sample mismatches or raises.
        #[arg(long)]
        check: bool,
    },
    /// Texts to ids: one JSON string, or {"text": …}, a line on standard input.
    Encode {
        /// Put bos and eos where the class does.
        #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
        add_special_tokens: bool,
    },
    /// Every check, with evidence, cause and fix; exits with 1 when something is wrong.
    Doctor(DoctorArguments),
    /// A set-up for a tokenizer that no recipe knows: what kind it is, which tokens, which rule, proven.
    Onboard {
        /// Name of the template and function in the patch.
        #[arg(long, default_value = "backbone")]
        name: String,
    },
    /// The code to add to the training repository for this tokenizer.
    Patch {
        /// Name of the template and function.
        #[arg(long, default_value = "backbone")]
        name: String,
        /// Write one file a piece into this folder instead of printing.
        #[arg(long, value_name = "DIR", conflicts_with = "repo")]
        out: Option<PathBuf>,
        /// Print a unified diff against this training repository (for git apply, or patch -p1).
        #[arg(long, value_name = "DIR")]
        repo: Option<PathBuf>,
    },
    /// The special-token table and what the overrides change.
    Special,
    /// A whole data set, streamed: states and causes counted; exits with 1 when samples are lost.
    Scan(ScanArguments),
    /// Two tokenizers (-t A -t B), or two classes of one (--loader slow --loader fast), on the same samples.
    Compare,
    /// Every mask strategy on each sample, side by side, and where they differ.
    Strategies {
        /// Only the sample with this id.
        #[arg(long, value_name = "ID")]
        sample: Option<String>,
    },
    /// How many tokens images take, from the processor beside the tokenizer; with --data, placeholder by placeholder.
    Images(ImagesArguments),
    /// Conversation templates, label rules, mask strategies and recipes.
    Templates,
    /// Embedded tokenizers and conversations.
    Samples,
    /// The keys of the screen.
    Keys,
    /// Mixtures of experts: routing, conversion, devices.
    #[command(subcommand)]
    Moe(MoeCommand),
    /// One frame of the screen, printed.
    Frame(FrameArguments),
}

/// Arguments of `scan`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ScanArguments {
    #[command(subcommand)]
    pub command: Option<ScanCommand>,
    /// Files (JSON array or lines, also .gz and .zst), folders, patterns, or - for standard input [default: --data].
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Key of a record whose values are counted one by one.
    #[arg(long, value_name = "KEY")]
    pub source_key: Option<String>,
    /// Write the ids of samples that train on nothing or are replaced, one a line.
    #[arg(long, value_name = "FILE")]
    pub bad_ids: Option<PathBuf>,
    /// Write the records that train on something, one a line.
    #[arg(long, value_name = "FILE")]
    pub write_good: Option<PathBuf>,
    /// Write the other records, one a line.
    #[arg(long, value_name = "FILE")]
    pub write_bad: Option<PathBuf>,
    /// Take every n-th record only, beginning with the i-th: i/n.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
}

/// What else `scan` can do.
#[derive(Debug, Clone, Subcommand)]
pub enum ScanCommand {
    /// Reports of shards (scan --format json) as the report of the whole.
    Merge {
        #[arg(value_name = "REPORT", required = true)]
        reports: Vec<PathBuf>,
    },
}

impl ScanArguments {
    /// Which part of the records, from 1, and of how many.
    ///
    /// # Errors
    /// Anything but `i/n` with i from 1 to n.
    pub fn shard(&self) -> Result<(u64, u64)> {
        let Some(text) = &self.shard else { return Ok((1, 1)) };
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        parts
            .filter(|(i, n): &(u64, u64)| (1..=*n).contains(i))
            .ok_or_else(|| Error::Usage(format!("--shard {text}: expected I/N, such as 1/4")))
    }
}

/// Arguments of `images`.
#[derive(Debug, Clone, Args)]
pub struct ImagesArguments {
    /// Size of an image in pixels; several for the images of a sample in order, the last for all that are left.
    #[arg(long, value_name = "WIDTHxHEIGHT", required = true)]
    pub image_size: Vec<String>,
}

impl ImagesArguments {
    /// The sizes.
    ///
    /// # Errors
    /// A size that is not two numbers.
    pub fn sizes(&self) -> Result<Vec<ImageSize>> {
        let size = |text: &String| {
            let parts = text.split_once(['x', 'X', '×']);
            parts.and_then(|(width, height)| {
                Some(ImageSize { width: width.trim().parse().ok()?, height: height.trim().parse().ok()? })
            })
        };
        let read = |text: &String| {
            size(text).ok_or_else(|| {
                Error::Usage(format!(
                    "--image-size {text}: expected WIDTHxHEIGHT in pixels, such as 1344x672"
                ))
            })
        };
        self.image_size.iter().map(read).collect()
    }
}

/// Arguments of `doctor`.
#[derive(Debug, Clone, Args)]
pub struct DoctorArguments {
    /// Also show the checks that found nothing and those that were skipped.
    #[arg(long)]
    pub all: bool,
    /// Try combinations of rule, start, offsets, pad and sep2 for the smallest change that works.
    #[arg(long)]
    pub fix_search: bool,
}

/// Arguments of `frame`.
#[derive(Debug, Clone, Args)]
pub struct FrameArguments {
    /// Screen: labels, lengths, special, prompt or samples.
    #[arg(long, default_value = "labels", value_name = "NAME")]
    pub screen: String,
    /// Columns x rows.
    #[arg(long, default_value = "120x40", value_name = "WxH")]
    pub size: String,
    /// Keys pressed before the frame is taken, with spaces between: "n n enter o".
    #[arg(long, default_value = "", value_name = "KEYS")]
    pub keys: String,
}

impl FrameArguments {
    /// Columns and rows.
    ///
    /// # Errors
    /// A size that is not two numbers from 1 to 500.
    pub fn dimensions(&self) -> Result<(u16, u16)> {
        let number = |text: &str| text.parse().ok().filter(|n| (1..=500).contains(n));
        let parts = self.size.split_once(['x', 'X']);
        parts.and_then(|(w, h)| Some((number(w)?, number(h)?))).ok_or_else(|| {
            Error::Usage(format!("--size {}: expected WIDTHxHEIGHT, each 1 to 500", self.size))
        })
    }
}

/// A token on the command line; never printed, not even by `Debug`.
#[derive(Debug, Clone)]
pub struct HubToken(Token);

impl std::str::FromStr for HubToken {
    type Err = &'static str;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Token::new(text).map(Self).ok_or("the token is empty")
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
        let most = self.sides().into_iter().map(|(_, given)| given).max().unwrap_or(0);
        if most != 2 {
            return Err(Error::Usage(
                "compare needs two sides: -t A -t B, or one tokenizer with --loader slow --loader fast, \
                 --transformers 4.31 --transformers 5, or --legacy true --legacy false"
                    .to_string(),
            ));
        }
        Ok((self.side(0)?, self.side(1)?))
    }

    /// How often each option that a side may have of its own was given.
    fn sides(&self) -> [(&'static str, usize); 4] {
        [
            ("tokenizer", self.tokenizer.len()),
            ("loader", self.loader.len()),
            ("legacy", self.legacy.len()),
            ("transformers", self.transformers.len()),
        ]
    }

    fn side(&self, side: usize) -> Result<RequestWithNotes> {
        fn own<T: Clone>(values: &[T], side: usize) -> Option<T> {
            values.get(side).or(values.last()).cloned()
        }
        let mut notes = Vec::new();
        let release = match own(&self.transformers, side).as_deref() {
            None => Release::default(),
            Some(text) => {
                let (release, measured) = Release::parse(text).ok_or_else(|| Error::UnknownName {
                    kind: "transformers release",
                    name: text.to_string(),
                    known: ["4.31", "4.37", "5"].map(String::from).to_vec(),
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
        let tokens =
            [(Role::Unk, &self.unk), (Role::Eos, &self.eos), (Role::Bos, &self.bos), (Role::Pad, &self.pad)];
        let name = |option: &Option<String>| option.clone().unwrap_or_else(|| AUTO.to_string());
        let mut request = Request {
            tokenizer: own(&self.tokenizer, side).unwrap_or_else(|| Request::default().tokenizer),
            template: name(&self.template),
            preprocess: name(&self.preprocess),
            chat: self.chat.wish()?,
            layout: self.layout,
            recipe: name(&self.recipe),
            overrides: tokens
                .into_iter()
                .filter_map(|(role, token)| Some((role, TokenChoice::parse(role, token.as_deref()?))))
                .collect(),
            load: LoadOptions { loader, legacy: own(&self.legacy, side), release },
            hub: self.hub(),
            model_max_length: self.model_max_length,
            mm_use_im_start_end: self.mm_use_im_start_end,
            sep2: None,
            numbers: None,
        };
        if self.transformers.is_empty() && wants_chat(&request) {
            request.load.release = Release::V5;
            notes.push(format!("transformers {} is assumed, as for chat templates", Release::V5.name()));
        }
        Ok((request, notes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn options_make_a_request() {
        let line =
            "maskscope inspect -t DIR --recipe none --unk X --pad unk --legacy false --transformers 4.36";
        let arguments = Arguments::try_parse_from(line.split(' ')).expect("parses");
        let (request, notes) = arguments.shared.request().expect("is understood");
        assert_eq!(request.tokenizer, "DIR");
        assert_eq!(request.overrides[&Role::Unk], TokenChoice::Surface("X".into()));
        assert_eq!(request.overrides[&Role::Pad], TokenChoice::CopyOf(Role::Unk));
        assert_eq!(request.load, LoadOptions { loader: None, legacy: Some(false), release: Release::V4_37 });
        assert_eq!(notes.len(), 1, "4.36 is assumed, and that is said");
    }

    #[test]
    fn sizes_are_checked() {
        let frame =
            |size: &str| FrameArguments { screen: "labels".into(), size: size.into(), keys: String::new() };
        assert_eq!(frame("80x24").dimensions().expect("good"), (80, 24));
        for bad in ["80", "0x5", "80x501", "axb", ""] {
            assert!(frame(bad).dimensions().is_err(), "{bad}");
        }
    }
}
