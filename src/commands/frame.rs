//! `maskscope frame`: one frame of the screen after given keys, printed.

use super::shared::{CommandOutcome, background, format, is_bare, no_color, opened, print, report_progress};
use crate::app::Screen;
use crate::cli::{ColorChoice, FrameArguments, OutputFormat, SharedOptions};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::runtime::{FrameForm, FrameRequest, RunOptions, frame};
use crate::ui::Depth;

pub fn run(
    shared: &SharedOptions,
    arguments: &FrameArguments,
    settings: &Settings,
) -> Result<CommandOutcome> {
    let form =
        format(shared, &[OutputFormat::Text, OutputFormat::Ansi, OutputFormat::Html, OutputFormat::Svg])?;
    let (width, height) = arguments.dimensions()?;
    let screen = Screen::named(&arguments.screen).ok_or_else(|| Error::UnknownName {
        kind: "screen",
        name: arguments.screen.clone(),
        known: Screen::ALL.iter().map(|s| s.name().to_lowercase()).collect(),
    })?;
    let options = RunOptions {
        first_run: is_bare(shared),
        request: opened(shared, shared.data.as_deref(), &mut report_progress)?.0,
        data: shared.data.clone(),
        no_mouse: true,
        tour: false,
        kept: None,
        dump: arguments.dump.clone(),
        device: shared.device()?,
        image_tokens: shared.image_tokens,
        background: background(settings),
    };
    let plain = match shared.color {
        Some(ColorChoice::Never) => true,
        Some(ColorChoice::Always) => false,
        Some(ColorChoice::Auto) | None => no_color(),
    };
    let request = FrameRequest {
        options,
        screen,
        width,
        height,
        keys: arguments.keys.clone(),
        form: match form {
            OutputFormat::Ansi => FrameForm::Ansi,
            OutputFormat::Html => FrameForm::Html,
            OutputFormat::Svg => FrameForm::Svg,
            _ => FrameForm::Text,
        },
        depth: if plain { Depth::Mono } else { Depth::True },
    };
    let text = frame(&request)?;
    print(|out| write!(out, "{text}"))?;
    Ok(CommandOutcome::Clean)
}
