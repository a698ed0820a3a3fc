//! The command line: arguments in, a [`CliCommand`] out. No work is done here.
//!
//! One file a command with arguments of its own; what all commands share is in [`SharedOptions`].

mod chat;
mod doctor;
mod drift;
mod frame;
mod help;
mod hook;
mod images;
mod moe;
mod output;
mod pages;
mod patch;
mod repository;
mod rule_numbers;
mod scan;
mod setup_file;
mod shared;
mod tokens;

use clap::{Parser, Subcommand};
pub use clap_complete::Shell;

pub use chat::ChatArgs;
pub use doctor::DoctorArguments;
pub use drift::DriftArguments;
pub use frame::FrameArguments;
pub use hook::HookArguments;
pub use images::ImagesArguments;
pub use moe::{
    BatchArgument, ConversionArguments, ConvertArguments, MoeCommand, NoiseArgument, RouteArguments,
    RouterInit,
};
pub use output::{ColorChoice, OutputFormat};
pub use pages::{completions, manual};
pub use patch::PatchArguments;
pub use repository::RepositoryArgs;
pub use scan::{ScanArguments, ScanCommand};
pub use shared::{HubToken, LoaderArgument, RequestWithNotes, SharedOptions};
pub use tokens::TokensArguments;

/// Shows what a Hugging Face tokenizer really does to a conversation, and which tokens a fine-tuning run supervises.
///
/// Without a command the interactive screen opens, on embedded samples if nothing else is named.
#[derive(Debug, Clone, Parser)]
#[command(name = "maskscope", max_term_width = 110, disable_help_subcommand = true)]
pub struct Arguments {
    #[command(flatten)]
    pub shared: SharedOptions,
    /// Show the screen without the mouse.
    #[arg(long)]
    pub no_mouse: bool,
    /// Begin with a tour of the four things to see.
    #[arg(long)]
    pub tour: bool,
    /// Show what a trainer fed: a file of ids and labels, or a folder that datasets.save_to_disk wrote.
    #[arg(long, value_name = "FILE")]
    pub dump: Option<std::path::PathBuf>,
    #[command(subcommand)]
    pub command: Option<CliCommand>,
}

/// What to do.
#[derive(Debug, Clone, Subcommand)]
pub enum CliCommand {
    /// Labels of every sample: tokens per round, lengths, warnings, errors.
    Inspect {
        /// Exit with status 1 when a sample mismatches or raises.
        #[arg(long)]
        check: bool,
    },
    /// Texts on standard input to ids: a line is a text; one that begins with " or { is JSON, a string or {"text": …}.
    Encode {
        /// Put bos and eos where the class does.
        #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
        add_special_tokens: bool,
    },
    /// Every check, with evidence, cause and fix; exits with 1 when something is wrong.
    Doctor(DoctorArguments),
    /// A set-up for a tokenizer that no recipe knows: what kind it is, which tokens, which rule, proven.
    Onboard(PatchArguments),
    /// The code to add to the training repository for this tokenizer.
    Patch(PatchArguments),
    /// The special-token table and what the overrides change.
    Special,
    /// A whole data set, streamed: states and causes counted; exits with 1 when samples are lost.
    Scan(ScanArguments),
    /// What a trainer really fed: ids, labels and masks of its files, opened, told apart and checked.
    Tokens(TokensArguments),
    /// Lines of Python that write what a running trainer feeds: transformers, trl, axolotl, llamafactory or llava.
    Hook(HookArguments),
    /// Ids that were tokenized twice: against their own text, the rendered messages and the step before; exits with 1 when they drift.
    Drift(DriftArguments),
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
    /// What a training repository has: templates, dispatch, label functions, constants, with file and line.
    Repo {
        /// The checkout [default: that of --repo].
        #[arg(value_name = "DIR")]
        dir: Option<std::path::PathBuf>,
    },
    /// What the label function of --repo counted, line by line: each length, and the labels that each line masked.
    Trace {
        /// Only the sample with this id.
        #[arg(long, value_name = "ID")]
        sample: Option<String>,
    },
    /// The label function of --repo in your own Python too: the same ids and labels, sample by sample?
    Verify {
        /// The Python of your training environment.
        #[arg(long, value_name = "PATH", default_value = "python3")]
        python: std::path::PathBuf,
    },
    /// The child process that runs code of a repository; not for people.
    #[command(name = crate::sandbox::SUBCOMMAND, hide = true)]
    Sandbox,
    /// Mixtures of experts: routing, conversion, devices.
    #[command(subcommand)]
    Moe(MoeCommand),
    /// One frame of the screen, printed.
    Frame(FrameArguments),
    /// A script that completes commands and options in a shell.
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
    /// The pages of `man`: the first one on standard output, or all of them into a folder.
    Man {
        /// Folder for the pages, such as ~/.local/share/man/man1.
        #[arg(value_name = "DIR")]
        dir: Option<std::path::PathBuf>,
    },
    /// The set-up that the options make, as a file that --setup takes: printed, or written into FILE.
    Setup {
        /// A new file; paths in it are meant from its folder.
        #[arg(value_name = "FILE")]
        file: Option<std::path::PathBuf>,
    },
    /// The file of settings: where it is looked for, and what it can say, with comments.
    Config,
    /// Help on a command; `help options` lists what every command takes.
    Help {
        #[arg(value_name = "COMMAND|options")]
        topic: Vec<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }
}
