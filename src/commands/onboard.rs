//! `maskscope onboard` and `maskscope patch`: from an unknown tokenizer to code for the training repository.

use std::io::{IsTerminal, Write};
use std::path::Path;

use super::doctor::{LINES_TRIED, recognized};
use super::shared::{CommandOutcome, conversations, format, paint, print, say, setup};
use crate::chat::Sample;
use crate::cli::{OutputFormat, PatchArguments, RepositoryArgs, SharedOptions};
use crate::diagnose::{
    Change, LineFix, Patch, RepositoryPatchRequest, Verdict, line_fix, llava_setup, onboard, patch,
    pins_are_supervised, proposal_tokens, quick_fix, repository_patch, setup_fix, write_diff, write_patch,
};
use crate::error::{Error, Result};
use crate::report::{Paint, PaintMeaning, StepLine, json, onboarding_lines};
use crate::setup::{LlavaSetup, Request, Setup, TokenChoice, resolve};
use crate::text;
use crate::tokenizer::Role;

pub fn run_onboard(shared: &SharedOptions, arguments: &PatchArguments) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl])?;
    let samples = conversations(shared)?;
    let setup = llava_setup(&setup(&for_code(shared, arguments))?)?;
    let onboarding = onboard(&setup, &samples)?;
    let tokens = proposal_tokens(&setup, &onboarding);
    let patch = patch(&onboarding.setup, &arguments.name, &tokens)?;
    let steps = onboarding_lines(&onboarding, &patch, &samples);
    if let Some(root) = &arguments.repo {
        // The diff alone goes to standard output, for git.
        steps.iter().for_each(|step| say(&format!("{}{}", if step.heading { "" } else { "   " }, step.text)));
        let wish = patch_request(shared, arguments, root, &onboarding.setup, &tokens, &samples)?;
        return print_diff(arguments, &patch, &wish);
    }
    print(|out| {
        if form != OutputFormat::Text {
            let record = serde_json::json!({
                "kind": onboarding.kind, "reasons": onboarding.reasons, "tokens": onboarding.tokens,
                "warnings": onboarding.warnings, "fix": onboarding.fix, "laws": onboarding.delta_fits,
                "effect": onboarding.effect, "by_state": onboarding.before, "by_state_after": onboarding.after,
                "left_over": onboarding.left_over, "patch": patch,
            });
            return writeln!(out, "{}", json::to_line(&record, form == OutputFormat::Json)?);
        }
        onboarding_text(out, &steps, paint(shared))?;
        if arguments.out.is_none() { patch_text(out, &patch) } else { Ok(()) }
    })?;
    if let Some(folder) = &arguments.out {
        write_pieces(folder, &patch)?;
    }
    Ok(CommandOutcome::Clean)
}

/// The steps of the guide; a step's own lines are indented under its heading.
fn onboarding_text(out: &mut dyn Write, lines: &[StepLine], paint: Paint) -> std::io::Result<()> {
    for line in lines {
        let meaning = match line.verdict {
            _ if line.heading => PaintMeaning::Heading,
            Verdict::Ok => PaintMeaning::Good,
            Verdict::Warn | Verdict::Error => PaintMeaning::Bad,
            _ => PaintMeaning::Masked,
        };
        let shown = text::plain(&line.text);
        match line.heading {
            true => writeln!(out, "{}", paint.paint(&shown, meaning, false))?,
            false if line.verdict == Verdict::Note => writeln!(out, "   {shown}")?,
            false => writeln!(out, "   {}", paint.paint(&shown, meaning, false))?,
        }
    }
    Ok(())
}

pub fn run_patch(shared: &SharedOptions, arguments: &PatchArguments) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl])?;
    let setup = setup(&for_code(shared, arguments))?;
    if setup.repository().is_some() {
        return patch_lines(shared, &setup, &conversations(shared)?);
    }
    let setup = llava_setup(&setup)?;
    let patch = patch(&setup, &arguments.name, &setup.overrides)?;
    let supervised = pins_are_supervised(&setup);
    if !supervised {
        say(
            "warning: under this set-up the patch labels nothing in plain conversations: `maskscope onboard` proposes another",
        );
    }
    let end = |placed: CommandOutcome| if supervised { placed } else { CommandOutcome::Found };
    if let Some(root) = &arguments.repo {
        let samples = conversations(shared)?;
        let wish = patch_request(shared, arguments, root, &setup, &setup.overrides, &samples)?;
        return Ok(end(print_diff(arguments, &patch, &wish)?));
    }
    if let Some(folder) = &arguments.out {
        write_pieces(folder, &patch)?;
        return Ok(end(CommandOutcome::Clean));
    }
    print(|out| match form {
        OutputFormat::Text => patch_text(out, &patch),
        form => writeln!(out, "{}", json::to_line(&patch, form == OutputFormat::Json)?),
    })?;
    Ok(end(CommandOutcome::Clean))
}

/// `--repo` alone says where the code goes; with `--version` or `--function` it is also whose function labels.
fn for_code(shared: &SharedOptions, arguments: &PatchArguments) -> SharedOptions {
    let mut shared = shared.clone();
    let own = &shared.repository;
    if arguments.repo.is_some() && own.version.is_empty() && own.function.is_empty() {
        shared.repository = RepositoryArgs::default();
    }
    shared
}

/// The repository's own lines changed, as a diff on standard output; each was run in the sandbox before it is offered.
fn patch_lines(shared: &SharedOptions, setup: &Setup, samples: &[Sample]) -> Result<CommandOutcome> {
    let samples: Vec<&Sample> = samples.iter().take(LINES_TRIED).collect();
    let (request, _) = shared.request()?;
    let tokens: Vec<(Role, TokenChoice)> = setup_tokens(&request);
    // Tokens that are given on the command line become lines of the script, whatever the function is.
    let known = recognized(setup);
    if tokens.is_empty() {
        known?;
    }
    let counts = line_fix(setup, &samples, &|| false);
    let makes = match (&tokens[..], &counts) {
        ([], Some(_)) => None,
        ([], None) => tokenizer_fix(setup, &request, &samples)?,
        (tokens, _) => Some(setup_fix(setup, tokens, &samples).ok_or_else(|| {
            Error::Usage(
                "the tokens have no place in the repository's script: no line of it makes the tokenizer, something out of sight changes \
                 it later, or the changed script does not come to the same labels"
                    .to_string(),
            )
        })?),
    };
    let fixes: Vec<LineFix> = makes.into_iter().chain(counts).collect();
    let Some(repository) = setup.repository().filter(|_| !fixes.is_empty()) else {
        say(
            "no line of the function changes: its count is right, or no other offsets make it right; `maskscope doctor` says which",
        );
        return Ok(CommandOutcome::Clean);
    };
    let summary = fixes.iter().map(|fix| fix.summary.as_str()).collect::<Vec<_>>().join(", ");
    let fix = LineFix { edits: fixes.into_iter().flat_map(|fix| fix.edits).collect(), summary };
    let diff = fix.unified_diff(repository.function.checkout())?;
    say(&format!("{}: tried in the sandbox on {} samples", fix.summary, samples.len()));
    let shown = std::io::stdout().is_terminal();
    print(|out| match shown {
        true => diff.lines().try_for_each(|line| writeln!(out, "{}", text::plain(line))),
        false => out.write_all(diff.as_bytes()),
    })?;
    Ok(CommandOutcome::Found)
}

/// Tokens that the options give to roles, unk before the pad that may copy it.
fn setup_tokens(request: &Request) -> Vec<(Role, TokenChoice)> {
    let order = [Role::Unk, Role::Eos, Role::Bos, Role::Sep, Role::Cls, Role::Mask, Role::Pad];
    order.into_iter().filter_map(|role| Some((role, request.overrides.get(&role)?.clone()))).collect()
}

/// Where other tokens make the samples right, the lines of the script that give them.
fn tokenizer_fix(setup: &Setup, request: &Request, samples: &[&Sample]) -> Result<Option<LineFix>> {
    let Some(llava) = setup.to_llava() else { return Ok(None) };
    let found = quick_fix(&llava, samples, &|| false);
    let Some(fix) = found.filter(|fix| fix.changes.iter().all(Change::is_of_the_tokenizer)) else {
        return Ok(None);
    };
    let (wanted, _) = fix.request(request, setup);
    let changed = resolve(&setup.base, &wanted)?;
    Ok(setup_fix(&changed, &setup_tokens(&wanted), samples))
}

/// Writes the pieces and says where each belongs.
fn write_pieces(folder: &Path, patch: &Patch) -> Result<()> {
    for (path, place) in write_patch(folder, patch, true)? {
        say(&format!("wrote {} (for {place})", path.display()));
    }
    Ok(())
}

/// Prints the pieces. Code may hold a tokenizer's own texts: characters that steer a terminal are escaped in it.
fn patch_text(out: &mut dyn Write, patch: &Patch) -> std::io::Result<()> {
    for (_, place, code) in patch.pieces() {
        writeln!(out, "\n# ---- {place}")?;
        for line in code.lines() {
            writeln!(out, "{}", text::plain(line))?;
        }
    }
    Ok(())
}

/// What the patch of a repository is made for.
fn patch_request<'a>(
    shared: &SharedOptions,
    arguments: &PatchArguments,
    root: &'a Path,
    setup: &'a LlavaSetup,
    tokens: &'a [(Role, TokenChoice)],
    samples: &'a [Sample],
) -> Result<RepositoryPatchRequest<'a>> {
    let (request, _) = for_code(shared, arguments).request()?;
    let own = &shared.repository;
    let wish = RepositoryPatchRequest::new(root, &request, setup, tokens, samples, own.model_name.clone());
    Ok(RepositoryPatchRequest {
        script_arguments: own.script_arguments()?,
        own_function: arguments.own_function,
        ..wish
    })
}

/// The diff on standard output, or in the folder of `--out`; what found no place is said on stderr and makes the exit status 1.
fn print_diff(
    arguments: &PatchArguments,
    patch: &Patch,
    wish: &RepositoryPatchRequest<'_>,
) -> Result<CommandOutcome> {
    let placed = repository_patch(patch, wish)?;
    if placed.diff.is_empty() && placed.missing.is_empty() {
        say(&format!("{}: this patch is there already", wish.root.display()));
    }
    if let Some(folder) = &arguments.out {
        write_pieces(folder, patch)?;
        let path = write_diff(folder, patch, &placed)?;
        say(&format!("wrote {} (for git apply, in {})", path.display(), wish.root.display()));
    } else {
        // A file gets the bytes as they are; a terminal gets them with what would steer it escaped.
        let shown = std::io::stdout().is_terminal();
        print(|out| match shown {
            true => placed.diff.lines().try_for_each(|line| writeln!(out, "{}", text::plain(line))),
            false => out.write_all(placed.diff.as_bytes()),
        })?;
    }
    for note in &placed.notes {
        say(&format!("note: {}", text::plain(note)));
    }
    for missing in &placed.missing {
        missing.lines().for_each(|line| say(&text::plain(line)));
    }
    if !placed.diff.is_empty() {
        patch.flags.lines().for_each(|line| say(&text::plain(line)));
    }
    Ok(if placed.missing.is_empty() { CommandOutcome::Clean } else { CommandOutcome::Found })
}
