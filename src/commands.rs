//! The commands: what each one prints, and with which exit status. The thin edge between [`crate::cli`] and the rest.

mod compare;
mod doctor;
mod drift;
mod encode;
mod frame;
mod hook;
mod images;
mod inspect;
mod lists;
mod moe;
mod onboard;
mod pages;
mod repository;
mod scan;
mod settings;
mod shared;
mod special;
mod strategies;
mod tokens;
mod tokens_against;

use std::ops::ControlFlow;
use std::process::ExitCode;

use shared::{CommandOutcome, is_bare, is_broken_pipe, opened, say};

use crate::app::{KeptSession, rebind, session_file};
use crate::cli::{Arguments, CliCommand, SharedOptions};
use crate::config::{ConfigPlace, Settings};
use crate::error::{Error, Result, with_causes};
use crate::guard::{self, Limits};
use crate::runtime::{RunOptions, run};

/// Parses the process's arguments, does what they ask, and gives the exit status: 0 clean, 1 found, 2 failed.
pub fn main() -> ExitCode {
    guard::install_hook();
    match guard::contain(parse_and_dispatch) {
        Ok(code) => code,
        Err(panic) => {
            say(&format!("error: a bug in maskscope ended this command; please report it: {panic}"));
            ExitCode::from(2)
        }
    }
}

fn parse_and_dispatch() -> ExitCode {
    let mut arguments = match Arguments::from_process() {
        Ok(arguments) => arguments,
        Err(help) if !help.use_stderr() => help.exit(),
        Err(error) => {
            // It quotes the arguments, and those may hold anything.
            error.render().to_string().lines().for_each(say);
            return ExitCode::from(2);
        }
    };
    if matches!(arguments.command, Some(CliCommand::Sandbox)) {
        return crate::sandbox::child_main();
    }
    if arguments.shared.repository.version.iter().any(String::is_empty) {
        println!("maskscope {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    match with_settings(&mut arguments).and_then(|settings| dispatch(&arguments, &settings)) {
        Ok(CommandOutcome::Clean) => ExitCode::SUCCESS,
        Ok(CommandOutcome::Found) => ExitCode::from(1),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", with_causes(&error)));
            ExitCode::from(2)
        }
    }
}

/// A person's settings, applied to the arguments and to the keys. Commands that show how to write them take none.
fn with_settings(arguments: &mut Arguments) -> Result<Settings> {
    let about_itself = matches!(
        arguments.command,
        Some(CliCommand::Config | CliCommand::Completions { .. } | CliCommand::Man { .. })
    );
    let settings = match about_itself {
        true => Settings::default(),
        false => Settings::load(&ConfigPlace::find(arguments.shared.config.clone()))?,
    };
    if let Some(file) = &settings.file {
        rebind(file, &settings.keys)?;
    }
    arguments.complete(&settings)?;
    Ok(settings)
}

fn dispatch(arguments: &Arguments, settings: &Settings) -> Result<CommandOutcome> {
    // Data sets of the hub are files of its cache from here on.
    let local = shared::local_data(arguments)?;
    let arguments = local.as_ref().unwrap_or(arguments);
    let shared = &arguments.shared;
    // On the screen a step that takes long can be left with a key.
    let limits = if arguments.command.is_none() { Limits::Memory } else { Limits::MemoryAndTime };
    guard::size_worker_stacks();
    guard::start_watching(limits);
    match &arguments.command {
        None => start_screen(arguments, settings),
        Some(CliCommand::Inspect { check }) => inspect::run(shared, *check),
        Some(CliCommand::Encode { add_special_tokens }) => encode::run(shared, *add_special_tokens),
        Some(CliCommand::Doctor(arguments)) => doctor::run(shared, arguments),
        Some(CliCommand::Onboard(arguments)) => onboard::run_onboard(shared, arguments),
        Some(CliCommand::Patch(arguments)) => onboard::run_patch(shared, arguments),
        Some(CliCommand::Scan(arguments)) => scan::run(shared, arguments),
        Some(CliCommand::Tokens(arguments)) => tokens::run(shared, arguments),
        Some(CliCommand::Hook(arguments)) => hook::run(shared, arguments),
        Some(CliCommand::Drift(arguments)) => drift::run(shared, arguments),
        Some(CliCommand::Compare) => compare::run(shared),
        Some(CliCommand::Special) => special::run(shared),
        Some(CliCommand::Strategies { sample }) => strategies::run(shared, sample.as_deref()),
        Some(CliCommand::Images(arguments)) => images::run(shared, arguments),
        Some(CliCommand::Templates) => lists::templates(shared),
        Some(CliCommand::Samples) => lists::samples(shared),
        Some(CliCommand::Keys) => lists::keys(shared),
        Some(CliCommand::Repo { dir }) => repository::run(shared, dir.as_deref()),
        Some(CliCommand::Trace { sample }) => repository::run_trace(shared, sample.as_deref()),
        Some(CliCommand::Verify { python }) => repository::run_verify(shared, python),
        Some(CliCommand::Sandbox) => Ok(CommandOutcome::Clean),
        Some(CliCommand::Moe(command)) => moe::run(shared, command),
        Some(CliCommand::Frame(frame)) => frame::run(shared, frame, settings),
        Some(CliCommand::Completions { shell }) => pages::run_completions(*shell),
        Some(CliCommand::Man { dir }) => pages::run_man(dir.as_deref()),
        Some(CliCommand::Setup { file }) => settings::run_setup(shared, file.as_deref()),
        Some(CliCommand::Config) => settings::run_config(shared),
        // Answered where the arguments are read.
        Some(CliCommand::Help { .. }) => Ok(CommandOutcome::Clean),
    }
}

fn start_screen(arguments: &Arguments, settings: &Settings) -> Result<CommandOutcome> {
    if arguments.shared.format.is_some() {
        return Err(Error::Usage(
            "--format needs a command, such as `maskscope inspect --format jsonl`".into(),
        ));
    }
    // Without a terminal to show a download on, only what is here can tell of a chat template.
    let data = arguments.shared.data.as_deref();
    let (request, _) = opened(&arguments.shared, data, &mut |_| ControlFlow::Break(()))
        .or_else(|_| arguments.shared.request())?;
    let options = RunOptions {
        first_run: is_bare(&arguments.shared),
        request,
        data: arguments.shared.data.clone(),
        no_mouse: arguments.no_mouse,
        tour: arguments.tour,
        kept: is_bare(&arguments.shared).then(kept_session).flatten(),
        dump: arguments.dump.clone(),
        device: arguments.shared.device()?,
        image_tokens: arguments.shared.image_tokens,
        background: shared::background(settings),
    };
    run(options).map(|()| CommandOutcome::Clean)
}

/// What was open when the screen was left last; nothing where it cannot be had any more.
fn kept_session() -> Option<KeptSession> {
    let path = session_file().filter(|path| path.exists())?;
    let shared = SharedOptions::of_setup(&path).ok()?;
    let (request, _) = shared.request().ok()?;
    Some(KeptSession { request, data: shared.data })
}
