//! `maskscope onboard` and `maskscope patch`: from an unknown tokenizer to code for the training repository.

use std::io::{IsTerminal, Write};
use std::path::Path;

use super::{Outcome, conversations, format, paint, print, say, setup};
use crate::cli::{Format, SharedOptions};
use crate::diagnose::{
    Onboarding, Patch, Plan, TokenizerKind, onboard, patch, proposal_tokens, repository_patch, write_patch,
};
use crate::error::{Error, Result};
use crate::report::{fix_text, json};
use crate::setup::Setup;
use crate::text;

/// The set-up, refused where a chat template was asked for: the guide and the patch are of LLaVA's code.
fn llava_setup(shared: &SharedOptions) -> Result<Setup> {
    let setup = setup(shared)?;
    match setup.chat {
        None => Ok(setup),
        Some(_) => Err(Error::Usage(format!(
            "onboard and patch write LLaVA's templates and rules; with {} there is nothing to write",
            setup.template_name()
        ))),
    }
}

pub fn run_onboard(shared: &SharedOptions, name: &str) -> Result<Outcome> {
    let form = format(shared, &[Format::Text, Format::Json, Format::Jsonl])?;
    let samples = conversations(shared)?;
    let setup = llava_setup(shared)?;
    let onboarding = onboard(&setup, &samples)?;
    let tokens = proposal_tokens(&setup, &onboarding);
    let patch = patch(&onboarding.plan, name, &tokens)?;
    print(|out| {
        if form != Format::Text {
            let record = serde_json::json!({
                "kind": onboarding.kind, "reasons": onboarding.reasons, "tokens": onboarding.tokens,
                "warnings": onboarding.warnings, "fix": onboarding.fix, "laws": onboarding.laws,
                "effect": onboarding.effect, "left_over": onboarding.left_over, "patch": patch,
            });
            return writeln!(out, "{}", json::to_line(&record, form == Format::Json)?);
        }
        onboarding_text(out, &onboarding, shared)?;
        patch_text(out, &patch)
    })?;
    Ok(Outcome::Clean)
}

fn onboarding_text(
    out: &mut dyn Write,
    onboarding: &Onboarding,
    shared: &SharedOptions,
) -> std::io::Result<()> {
    let kind = match onboarding.kind {
        TokenizerKind::CanAdd => "can add special tokens",
        TokenizerKind::CannotAdd => "cannot add tokens: an existing one gets the role",
        TokenizerKind::LlamaLike => "behaves like Llama's: nothing to add",
    };
    writeln!(out, "kind      {kind}")?;
    for reason in &onboarding.reasons {
        writeln!(out, "          {}", text::plain(reason))?;
    }
    for token in &onboarding.tokens {
        let id = token.id.map_or("none".to_string(), |id| id.to_string());
        let new = if token.new { "new: needs an embedding row" } else { "exists" };
        writeln!(out, "token     {} = {} (id {id}, {new})", token.role, text::plain(&token.content))?;
    }
    for warning in &onboarding.warnings {
        writeln!(out, "warning   {}", text::plain(warning))?;
    }
    fix_text(out, &onboarding.fix, paint(shared))?;
    let effect = &onboarding.effect;
    writeln!(out, "proven    on {} samples: {} still wrong", effect.tried, effect.remaining)?;
    Ok(())
}

pub fn run_patch(
    shared: &SharedOptions,
    name: &str,
    folder: Option<&Path>,
    repository: Option<&Path>,
) -> Result<Outcome> {
    let form = format(shared, &[Format::Text, Format::Json, Format::Jsonl])?;
    let setup = llava_setup(shared)?;
    let patch = patch(&Plan::of(&setup), name, &setup.overrides)?;
    if let Some(root) = repository {
        return print_diff(root, &patch);
    }
    if let Some(folder) = folder {
        for (path, place) in write_patch(folder, &patch, true)? {
            say(&format!("wrote {} (for {place})", path.display()));
        }
        return Ok(Outcome::Clean);
    }
    print(|out| match form {
        Format::Text => patch_text(out, &patch),
        form => writeln!(out, "{}", json::to_line(&patch, form == Format::Json)?),
    })?;
    Ok(Outcome::Clean)
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

/// The diff on standard output; what found no place is said on stderr and makes the exit status 1.
fn print_diff(root: &Path, patch: &Patch) -> Result<Outcome> {
    let placed = repository_patch(root, patch)?;
    // A file gets the bytes as they are; a terminal gets them with what would steer it escaped.
    let shown = std::io::stdout().is_terminal();
    print(|out| match shown {
        true => placed.diff.lines().try_for_each(|line| writeln!(out, "{}", text::plain(line))),
        false => out.write_all(placed.diff.as_bytes()),
    })?;
    for missing in &placed.missing {
        missing.lines().for_each(|line| say(&text::plain(line)));
    }
    for line in patch.flags.lines() {
        say(&text::plain(line));
    }
    Ok(if placed.missing.is_empty() { Outcome::Clean } else { Outcome::Found })
}
