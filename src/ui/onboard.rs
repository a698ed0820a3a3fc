//! Screen Onboard: the steps of the customization guide, each with what the program found.

use super::canvas::{Canvas, wrapped};
use super::theme::Meaning;
use crate::app::panels::onboard::Onboarded;
use crate::app::{App, Area, Load, Panes};
use crate::diagnose::TokenizerKind;

/// Draws the screen.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let area = panes.body;
    let state = &app.panels.onboard;
    let onboarded = match &state.result {
        Load::Ready(onboarded) => onboarded,
        Load::Failed(error) => {
            canvas.paragraph(area, error, Meaning::Bad);
            return;
        }
        _ => {
            let text =
                "trying rules, separators and tokens on 1 to 5 rounds, with and without images … esc ends it";
            canvas.paragraph(area, text, Meaning::Quiet);
            return;
        }
    };
    let lines = steps(app, onboarded);
    let indent = 3.min(area.width);
    let mut rows: Vec<(bool, String, Meaning)> = Vec::new();
    for (heading, text, meaning) in lines {
        let room = usize::from(area.width - if heading { 0 } else { indent });
        for piece in wrapped(&text, room) {
            rows.push((heading, piece, meaning));
        }
    }
    let room = usize::from(area.height);
    let top = state.top.min(rows.len().saturating_sub(room));
    for (n, (heading, text, meaning)) in rows.iter().skip(top).take(room).enumerate() {
        let line = area.line(u16::try_from(n).unwrap_or(u16::MAX));
        let x = if *heading { 0 } else { indent };
        canvas.text(Area { x: line.x + x, width: line.width - x, ..line }, text, *meaning);
    }
    if rows.len() > top + room {
        canvas.right(area.line(area.height.saturating_sub(1)), " ↓ more", Meaning::Key);
    }
}

/// All lines: (heading, text, meaning).
fn steps(app: &App, onboarded: &Onboarded) -> Vec<(bool, String, Meaning)> {
    let Onboarded { onboarding, patch } = onboarded;
    let mut lines: Vec<(bool, String, Meaning)> = Vec::new();
    let step = |lines: &mut Vec<(bool, String, Meaning)>, title: &str| {
        let number = lines.iter().filter(|(heading, ..)| *heading).count() + 1;
        lines.push((true, format!("{number}  {title}"), Meaning::Strong));
    };
    let say =
        |lines: &mut Vec<(bool, String, Meaning)>, text: String, meaning| lines.push((false, text, meaning));

    step(&mut lines, "which kind of tokenizer is it");
    let kind = match onboarding.kind {
        TokenizerKind::CanAdd => "it can add special tokens",
        TokenizerKind::CannotAdd => "it cannot add tokens: an existing one gets the role",
        TokenizerKind::LlamaLike => "it behaves like Llama's: nothing to add",
    };
    say(&mut lines, format!("{kind}: {}", onboarding.reasons.join("; ")), Meaning::Text);

    step(&mut lines, "give it unk, eos and pad");
    for token in &onboarding.tokens {
        let id = token.id.map_or("no id".to_string(), |id| format!("id {id}"));
        let new = if token.new { "new, needs an embedding row" } else { "is in the vocabulary already" };
        say(&mut lines, format!("{} = {} ({id}, {new})", token.role, token.content), Meaning::Special);
    }
    for warning in &onboarding.warnings {
        say(&mut lines, format!("! {warning}"), Meaning::Warning);
    }

    step(&mut lines, "a template whose last separator is the true eos");
    let template = &onboarding.plan.setup.template;
    let sep2 = template.sep2.as_deref().unwrap_or("none");
    say(&mut lines, format!("like {}, with sep2 = {sep2}", template.name), Meaning::Text);

    step(&mut lines, "a preprocess function with the right start and offsets");
    match onboarding.plan.counting.two() {
        Some(two) => say(
            &mut lines,
            format!(
                "cur_len starts at {}; round {:+}, instruction {:+} (with an image {:+} and {:+})",
                two.start, two.text.round, two.text.instruction, two.image.round, two.image.instruction
            ),
            Meaning::Text,
        ),
        None => say(&mut lines, format!("rule {}", onboarding.plan.counting.name()), Meaning::Text),
    }
    let change = if onboarding.fix.changes.is_empty() {
        "the set-up on screen is this already".to_string()
    } else {
        format!("changes: {}", onboarding.fix.summary)
    };
    say(&mut lines, change, Meaning::Text);

    step(&mut lines, "proof");
    say(
        &mut lines,
        "conversations of 1 to 5 rounds, with and without images: every length agrees, exactly the answers are learned"
            .to_string(),
        Meaning::Good,
    );
    let effect = &onboarding.effect;
    let text = format!(
        "on your {} samples: {} repaired, {} broken, {} still wrong; learned tokens {} → {}",
        effect.tried,
        effect.repaired,
        effect.broken,
        effect.remaining,
        effect.supervised_before,
        effect.supervised_after
    );
    say(&mut lines, text, if effect.broken == 0 { Meaning::Good } else { Meaning::Bad });
    if !onboarding.left_over.is_empty() {
        let samples = app.samples.ready();
        let name = |i: &usize| samples.and_then(|s| s.get(*i)).map_or(i.to_string(), |s| s.id.clone());
        let ids: Vec<String> = onboarding.left_over.iter().take(8).map(name).collect();
        let text = format!("no rule can label these, the data must change: {}", ids.join(", "));
        say(&mut lines, text, Meaning::Warning);
    }

    step(&mut lines, "stage 1 keeps --version plain; stages 2 and 3 get");
    for line in patch.flags.lines() {
        say(&mut lines, line.to_string(), Meaning::Quiet);
    }
    step(&mut lines, "the patch (w writes it into a folder)");
    for code in
        [&patch.tokenizer_lines, &patch.function, &patch.dispatch, &patch.template, &patch.registration]
    {
        for line in code.lines() {
            say(&mut lines, line.to_string(), Meaning::Quiet);
        }
        say(&mut lines, String::new(), Meaning::Quiet);
    }
    lines
}
