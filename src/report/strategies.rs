//! All strategies on one sample, as text and as JSON.

use std::io::Write;

use serde::Serialize;

use super::glyphs::token_glyphs;
use super::json::NoteJson;
use super::paint::Paint;
use super::paint::PaintMeaning;
use crate::labels::IMAGE_TOKEN_INDEX;
use crate::masks::MaskError;
use crate::masks::compare::{StrategyComparison, StrategyDifference, StripEnd};
use crate::text;
use crate::tokenizer::{NO_ID, TokenId, Tokenizer};

/// Tokens of a difference that are shown.
const SHOWN: usize = 12;

/// What came of a sample: all strategies, or why it cannot be rendered.
pub type StrategyResult<'a> = Result<&'a StrategyComparison, &'a MaskError>;

/// Writes one sample: a line a strategy, then the places where they differ.
pub fn strategies_text(
    out: &mut dyn Write,
    tokenizer: &Tokenizer,
    template: &str,
    id: &str,
    compared: StrategyResult<'_>,
    paint: Paint,
) -> std::io::Result<()> {
    let title = text::plain(&format!("{id} · template {template}"));
    writeln!(out, "{}", paint.paint(&title, PaintMeaning::Heading, false))?;
    let comparison = match compared {
        Ok(comparison) => comparison,
        Err(error) => {
            let line = text::plain(&format!("✗ {error}"));
            return writeln!(out, "  {}\n", paint.paint(&line, PaintMeaning::Bad, false));
        }
    };
    for strip in &comparison.strips {
        let (line, meaning) = match &strip.end {
            StripEnd::Labels if strip.supervised == 0 => {
                (format!("0 of {} tokens supervised", strip.len), PaintMeaning::Bad)
            }
            StripEnd::Labels if strip.elsewhere > 0 => (
                format!(
                    "{} of {} tokens of its own text supervised, {} of which have no place in this one",
                    strip.supervised, strip.len, strip.elsewhere
                ),
                PaintMeaning::Supervised,
            ),
            StripEnd::Labels => {
                (format!("{} of {} tokens supervised", strip.supervised, strip.len), PaintMeaning::Supervised)
            }
            StripEnd::Fails(error) => (format!("✗ gives no labels: {error}"), PaintMeaning::Bad),
            StripEnd::Unfit(why) => (format!("does not apply: {why}"), PaintMeaning::Masked),
        };
        let line = text::plain(&line);
        writeln!(out, "  {:<22} {}", strip.labeller.name(), paint.paint(&line, meaning, false))?;
        for note in &strip.notes {
            writeln!(out, "  {:<22} note: {}", "", text::plain(&note.text))?;
        }
    }
    match comparison.differences.len() {
        0 => writeln!(out, "  all that give labels agree")?,
        n => writeln!(out, "  {n} places where they differ")?,
    }
    for run in &comparison.differences {
        writeln!(out, "    {}", run_line(tokenizer, comparison, run))?;
    }
    if let Some(divergence) = comparison.divergence() {
        writeln!(out, "  history: {}", text::plain(&divergence))?;
    }
    writeln!(out)
}

/// An image's place has no id of the vocabulary.
fn shown_id(id: TokenId) -> i64 {
    if id == NO_ID { IMAGE_TOKEN_INDEX } else { i64::from(id) }
}

fn run_line(tokenizer: &Tokenizer, comparison: &StrategyComparison, run: &StrategyDifference) -> String {
    let ids = comparison.turns.encoded.ids.get(run.tokens.clone()).unwrap_or_default();
    let shown: Vec<String> =
        ids.iter().take(SHOWN).map(|id| token_glyphs(tokenizer, shown_id(*id))).collect();
    let more = if ids.len() > SHOWN { format!(" … {} tokens", ids.len()) } else { String::new() };
    let role = comparison.turns.messages.get(run.place.message).map_or("", |message| message.role.as_str());
    text::plain(&format!(
        "{:>4} turn {} {role}, {}: {}{more}  supervised by {} · masked by {}",
        run.tokens.start,
        run.place.message + 1,
        run.place.part.name(),
        shown.join("|"),
        names(comparison, &run.supervised_by).join(", "),
        names(comparison, &run.masked_by).join(", "),
    ))
}

fn names<'a>(comparison: &'a StrategyComparison, strips: &[usize]) -> Vec<&'a str> {
    strips.iter().filter_map(|strip| Some(comparison.strips.get(*strip)?.labeller.name())).collect()
}

/// All strategies on one sample.
#[derive(Debug, Serialize)]
pub struct StrategiesJson<'a> {
    pub id: &'a str,
    pub template: &'a str,
    pub prompt: Option<&'a str>,
    pub input_ids: Option<Vec<i64>>,
    pub strategies: Vec<StripJson<'a>>,
    pub differences: Vec<RunJson<'a>>,
    /// Where the template renders a prefix otherwise than the whole.
    #[serde(rename = "parting")]
    pub divergence: Option<String>,
    pub error: Option<String>,
}

/// One strategy.
#[derive(Debug, Serialize)]
pub struct StripJson<'a> {
    pub name: &'a str,
    /// Tokens of its own text, and how many of them are supervised; null where it gives no labels.
    pub tokens: Option<usize>,
    pub supervised: Option<usize>,
    /// Positions of the shared line that it supervises.
    pub learned: Vec<usize>,
    /// Its own tokens that have no place on that line.
    pub elsewhere: usize,
    pub error: Option<&'a str>,
    pub unfit: Option<&'a str>,
    pub notes: Vec<NoteJson<'a>>,
}

/// Tokens that some strategies supervise and others mask.
#[derive(Debug, Serialize)]
pub struct RunJson<'a> {
    pub tokens: [usize; 2],
    pub text: String,
    pub message: usize,
    pub role: &'a str,
    pub part: &'static str,
    pub learned_by: Vec<&'a str>,
    pub masked_by: Vec<&'a str>,
}

impl<'a> StrategiesJson<'a> {
    /// The JSON of one sample.
    pub fn new(tokenizer: &Tokenizer, template: &'a str, id: &'a str, compared: StrategyResult<'a>) -> Self {
        let comparison = compared.ok();
        let run = |comparison: &'a StrategyComparison, run: &'a StrategyDifference| RunJson {
            tokens: [run.tokens.start, run.tokens.end],
            text: tokens_text(tokenizer, comparison, run),
            message: run.place.message,
            role: comparison.turns.messages.get(run.place.message).map_or("", |m| m.role.as_str()),
            part: run.place.part.name(),
            learned_by: names(comparison, &run.supervised_by),
            masked_by: names(comparison, &run.masked_by),
        };
        let runs = comparison.map(|c| c.differences.iter().map(|r| run(c, r)).collect());
        Self {
            id,
            template,
            prompt: comparison.map(|c| c.turns.text.as_str()),
            input_ids: comparison.map(|c| c.turns.encoded.ids.iter().map(|id| shown_id(*id)).collect()),
            strategies: comparison.map(|c| c.strips.iter().map(strip).collect()).unwrap_or_default(),
            differences: runs.unwrap_or_default(),
            divergence: comparison.and_then(StrategyComparison::divergence),
            error: compared.err().map(ToString::to_string),
        }
    }
}

fn tokens_text(tokenizer: &Tokenizer, comparison: &StrategyComparison, run: &StrategyDifference) -> String {
    let ids = comparison.turns.encoded.ids.get(run.tokens.clone()).unwrap_or_default();
    let bytes: Vec<u8> = ids.iter().flat_map(|id| tokenizer.token_bytes(*id).unwrap_or_default()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn strip(strip: &crate::masks::compare::Strip) -> StripJson<'_> {
    let labels = strip.end == StripEnd::Labels;
    let learned = strip.cells.iter().enumerate().filter(|(_, cell)| cell.is_supervised()).map(|(at, _)| at);
    StripJson {
        name: strip.labeller.name(),
        tokens: labels.then_some(strip.len),
        supervised: labels.then_some(strip.supervised),
        learned: learned.collect(),
        elsewhere: strip.elsewhere,
        error: match &strip.end {
            StripEnd::Fails(error) => Some(error),
            _ => None,
        },
        unfit: match &strip.end {
            StripEnd::Unfit(why) => Some(why),
            _ => None,
        },
        notes: strip.notes.iter().map(NoteJson::from).collect(),
    }
}
