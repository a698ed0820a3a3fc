//! A fix as lines of the user's own repository: the offsets with which his function counts, changed where they stand.
//!
//! ```text
//! function ── recognized as a rule ── search for numbers that are right ── the lines that count them ── edits
//!                                                                                                        │
//!              the changed text is run on the same samples, and must do what the numbers promise ◄───────┘
//! ```

use std::collections::BTreeSet;

use similar::TextDiff;

use super::delta_fit::conversations;
use super::search::{counting_fix, grouped_fix};
use crate::chat::Sample;
use crate::error::Result;
use crate::labels::RuleChoice;
use crate::repository::{self, Checkout, Event, LineEdit, RepositoryFunction, add_to_value};
use crate::setup::{LlavaSetup, Setup};

/// Changed lines that were run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFix {
    pub edits: Vec<LineEdit>,
    /// `train.py:472 instruction_len -1`
    pub summary: String,
}

impl LineFix {
    /// The changes for `git apply` or `patch -p1`, from the repository's root.
    ///
    /// # Errors
    /// A file cannot be read, or a line of it is another one by now.
    pub fn unified_diff(&self, checkout: &Checkout) -> Result<String> {
        let changed = checkout.clone().with_edits(&self.edits)?;
        let files: BTreeSet<&str> = self.edits.iter().map(|edit| edit.file.as_str()).collect();
        let mut all = String::new();
        for file in files {
            let (before, after) = (checkout.read(file)?, changed.read(file)?);
            let diff = TextDiff::from_lines(&before, &after);
            all.push_str(&diff.unified_diff().header(&format!("a/{file}"), &format!("b/{file}")).to_string());
        }
        Ok(all)
    }
}

/// The lines to change so that all plain samples keep their labels with right masks; `None` where the function is not
/// recognized, nothing has to change, or no offsets help.
pub fn line_fix(setup: &Setup, samples: &[&Sample], cancelled: &dyn Fn() -> bool) -> Option<LineFix> {
    let function = &setup.repository()?.function;
    let llava = setup.to_llava()?;
    let own = Numbers::of(llava.labelling.rule)?;
    let rule = match llava.labelling.rule.two() {
        Some(_) => RuleChoice::Custom(counting_fix(&llava, samples, cancelled)?),
        None => RuleChoice::CustomGrouped(grouped_fix(&llava, samples, cancelled)?),
    };
    let wanted = Numbers::of(rule)?;
    let mut fixed = llava.clone();
    fixed.labelling.rule = rule;
    let plain = conversations();
    let tried: Vec<&Sample> = plain.iter().chain(samples.iter().copied()).collect();
    let lines = Lines::of(function, &plain);
    let fix = lines.edits(function, own, wanted)?;
    let changed = function.with_edits(&fix.edits).ok()?;
    let holds = |sample: &&Sample| !cancelled() && is_as_promised(&changed, &fixed, sample);
    tried.iter().all(holds).then_some(fix)
}

/// Numbers that stand in lines of the function; of pairs the first is for texts, the second for samples with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Numbers {
    start: i64,
    round: [i64; 2],
    instruction: [i64; 2],
}

impl Numbers {
    fn of(rule: RuleChoice) -> Option<Self> {
        if let Some(two) = rule.two() {
            let (text, image) = (two.text, two.image);
            return Some(Self {
                start: two.start,
                round: [text.round, image.round],
                instruction: [text.instruction, image.instruction],
            });
        }
        let grouped = rule.grouped()?;
        Some(Self { start: grouped.start, round: [grouped.round; 2], instruction: [grouped.instruction; 2] })
    }
}

fn is_as_promised(changed: &RepositoryFunction, fixed: &LlavaSetup, sample: &Sample) -> bool {
    let (own, promised) = (repository::inspect(changed, sample), fixed.inspect(sample));
    if own.prompt != promised.prompt {
        // The repository rewrites placeholders in its own way: the rule promises nothing of this sample.
        return true;
    }
    match (own.result, promised.result) {
        (Ok(own), Ok(promised)) => own.labels == promised.labels && own.mismatch == promised.mismatch,
        (Err(own), Err(promised)) => own.kind == promised.kind,
        _ => false,
    }
}

/// Which lines count what: file and line, for samples with an image and without.
#[derive(Debug, Default)]
struct Lines {
    start: BTreeSet<(String, usize)>,
    round: [BTreeSet<(String, usize)>; 2],
    instruction: [BTreeSet<(String, usize)>; 2],
    round_name: String,
}

impl Lines {
    fn of(function: &RepositoryFunction, samples: &[Sample]) -> Self {
        let mut lines = Self { round_name: "round_len".to_string(), ..Self::default() };
        for sample in samples {
            let Ok(run) = function.run(sample) else { continue };
            let branch = usize::from(sample.has_image);
            let mut started = false;
            for event in &run.trace {
                let Event::Set { file, line, name, .. } = event else { continue };
                let place = (file.clone(), *line);
                let sets = match name.as_str() {
                    "cur_len" if !std::mem::replace(&mut started, true) => Some(&mut lines.start),
                    "round_len" | "turn_len" => {
                        lines.round_name.clone_from(name);
                        lines.round.get_mut(branch)
                    }
                    "instruction_len" => lines.instruction.get_mut(branch),
                    _ => None,
                };
                if let Some(set) = sets {
                    set.insert(place);
                }
            }
        }
        lines
    }

    /// The difference of two rules as changes of these lines; `None` where they do not differ in offsets alone.
    fn edits(&self, function: &RepositoryFunction, own: Numbers, wanted: Numbers) -> Option<LineFix> {
        let [text_round, image_round] = &self.round;
        let [text_instruction, image_instruction] = &self.instruction;
        let by = |own: [i64; 2], wanted: [i64; 2]| -> [i64; 2] {
            let ([own_text, own_image], [text, image]) = (own, wanted);
            [text - own_text, image - own_image]
        };
        let [by_text_round, by_image_round] = by(own.round, wanted.round);
        let [by_text_instruction, by_image_instruction] = by(own.instruction, wanted.instruction);
        let changes = [
            (&self.start, "cur_len", wanted.start - own.start),
            (text_round, self.round_name.as_str(), by_text_round),
            (image_round, self.round_name.as_str(), by_image_round),
            (text_instruction, "instruction_len", by_text_instruction),
            (image_instruction, "instruction_len", by_image_instruction),
        ];
        let mut done: Vec<(String, usize, i64)> = Vec::new();
        let (mut edits, mut summary) = (Vec::new(), Vec::new());
        for (places, name, by) in changes {
            for (file, line) in places {
                let text = function.checkout().read(file).ok()?;
                // A correction of later rounds (`round_len -= 1`) keeps its number.
                if add_to_value(&text, file, *line, name, 1).is_none() {
                    continue;
                }
                match done.iter().find(|(known, at, _)| known == file && at == line) {
                    // One line counts for both kinds of samples.
                    Some((.., known)) if *known == by => continue,
                    Some(_) => return None,
                    None => done.push((file.clone(), *line, by)),
                }
                if by == 0 {
                    continue;
                }
                let stem = file.rsplit('/').next().unwrap_or(file);
                summary.push(format!("{stem}:{line} {name} {by:+}"));
                edits.push(add_to_value(&text, file, *line, name, by)?);
            }
        }
        (!edits.is_empty()).then(|| LineFix { edits, summary: summary.join(", ") })
    }
}
