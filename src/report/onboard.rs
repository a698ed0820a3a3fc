//! Onboarding as the steps of the customization guide, in lines: the command and the screen show the same.

use crate::chat::Sample;
use crate::diagnose::{ChangeEffect, Fix, Onboarding, Patch, TokenizerKind, Verdict};

/// A line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepLine {
    /// Begins a step of the guide; the others belong to it.
    pub heading: bool,
    pub text: String,
    /// Whether it is good news.
    pub verdict: Verdict,
}

/// Collects lines.
#[derive(Default)]
struct Steps(Vec<StepLine>);

impl Steps {
    fn step(&mut self, title: &str) {
        let number = self.0.iter().filter(|line| line.heading).count() + 1;
        self.0.push(StepLine { heading: true, text: format!("{number}  {title}"), verdict: Verdict::Note });
    }

    fn say(&mut self, text: impl Into<String>, verdict: Verdict) {
        self.0.push(StepLine { heading: false, text: text.into(), verdict });
    }
}

/// All steps, the patch's places last; its code is left to the caller.
pub fn onboarding_lines(onboarding: &Onboarding, patch: &Patch, samples: &[Sample]) -> Vec<StepLine> {
    let mut steps = Steps::default();
    steps.step("which kind of tokenizer is it");
    let kind = match onboarding.kind {
        TokenizerKind::CanAdd if onboarding.setup.base.facts.can_add_tokens => "it can add special tokens",
        TokenizerKind::CanAdd => "one of its reserved tokens gets the role",
        TokenizerKind::CannotAdd => "it cannot add tokens: an existing one gets the role",
        TokenizerKind::LlamaLike => "it behaves like Llama's: nothing to add",
    };
    steps.say(format!("{kind}: {}", onboarding.reasons.join("; ")), Verdict::Note);
    tokens(&mut steps, onboarding);
    steps.step("a template whose last separator is the true eos");
    let template = &onboarding.setup.labelling.template;
    let sep2 = template.sep2.as_deref().unwrap_or("none");
    steps.say(format!("like {}, with sep2 = {sep2}", template.name), Verdict::Note);
    rule(&mut steps, onboarding);
    proof(&mut steps, onboarding, samples);
    steps.step("the stages");
    for line in patch.flags.lines() {
        steps.say(line.trim_start_matches("# "), Verdict::Note);
    }
    steps.0
}

fn tokens(steps: &mut Steps, onboarding: &Onboarding) {
    steps.step("give it unk, eos and pad");
    for token in &onboarding.tokens {
        let id = token.id.map_or("no id".to_string(), |id| format!("id {id}"));
        let new = if token.new { "new, needs an embedding row" } else { "is in the vocabulary already" };
        steps.say(format!("{} = {} ({id}, {new})", token.role, token.content), Verdict::Note);
    }
    for warning in &onboarding.warnings {
        steps.say(format!("! {warning}"), Verdict::Warn);
    }
}

fn rule(steps: &mut Steps, onboarding: &Onboarding) {
    steps.step("a preprocess function with the right start and offsets");
    let rule = onboarding.setup.labelling.rule;
    let name = match rule.two() {
        Some(two) => format!(
            "rule {}: cur_len starts at {}; round {:+}, instruction {:+} (with an image {:+} and {:+})",
            rule.name(),
            two.start,
            two.text.round,
            two.text.instruction,
            two.image.round,
            two.image.instruction
        ),
        None => format!("rule {}", rule.name()),
    };
    steps.say(name, Verdict::Note);
    let change = match onboarding.fix.changes.is_empty() {
        true => "the set-up is this already".to_string(),
        false => format!("changes: {}", onboarding.fix.summary),
    };
    steps.say(change, Verdict::Note);
}

fn proof(steps: &mut Steps, onboarding: &Onboarding, samples: &[Sample]) {
    steps.step("proof");
    let delta_fits = [("text", &onboarding.delta_fits.text), ("image", &onboarding.delta_fits.image)];
    for (kind, fit) in delta_fits {
        if let Some(fit) = fit {
            let verdict = if fit.holds() { Verdict::Ok } else { Verdict::Error };
            let text = format!(
                "{kind}, 1 to 5 rounds: {}, exactly the answers and their EOS tokens supervised",
                fit.formula()
            );
            steps.say(text, verdict);
        }
    }
    let ChangeEffect { tried, repaired, broken, remaining, supervised_before, supervised_after, .. } =
        onboarding.effect;
    let text = format!(
        "on your {tried} samples: {repaired} repaired, {broken} broken, {remaining} still wrong; supervised tokens \
         {supervised_before} → {supervised_after}"
    );
    steps.say(text, if broken == 0 { Verdict::Ok } else { Verdict::Error });
    let (before, after) = (onboarding.before.line(), onboarding.after.line());
    let verdict = if onboarding.after.all_sound() { Verdict::Ok } else { Verdict::Warn };
    steps.say(format!("by status: {before}, and under the proposal {after}"), verdict);
    if !onboarding.left_over.is_empty() {
        let name = |i: &usize| samples.get(*i).map_or(i.to_string(), |s| s.id.clone());
        let ids: Vec<String> = onboarding.left_over.iter().map(name).collect();
        let text = format!("no rule can label these, the data must change: {}", ids.join(", "));
        steps.say(text, Verdict::Warn);
    }
}

/// What a fix did to the samples that it was tried on.
pub fn effect_text(fix: &Fix) -> Option<String> {
    let effect = fix.effect.as_ref()?;
    let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let gained = signed(effect.supervised_after) - signed(effect.supervised_before);
    let mut parts = vec![format!("{} repaired", effect.repaired)];
    let rest = [(effect.broken, "broken"), (effect.dropped, "left out"), (effect.remaining, "still wrong")];
    parts.extend(rest.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
    Some(format!("{} samples: {}, {gained:+} supervised tokens", effect.tried, parts.join(", ")))
}
