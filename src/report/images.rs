//! How placeholders become image tokens, as text and as JSON.

use std::io::Write;

use serde::Serialize;

use crate::masks::MaskError;
use crate::masks::image_tokens::ImageExpansion;
use crate::masks::image_tokens::{ImageSize, ImageTokens};
use crate::text;

/// Sizes by themselves, and the samples' placeholders.
#[derive(Debug, Serialize)]
pub struct ImagesJson<'a> {
    /// The token that a template writes for an image.
    pub placeholder: &'a str,
    pub sizes: Vec<SizeJson>,
    pub samples: Vec<LedgerJson<'a>>,
}

/// One size.
#[derive(Debug, Serialize)]
pub struct SizeJson {
    pub height: usize,
    pub width: usize,
    pub image_tokens: Option<usize>,
    /// Rows and columns of tiles.
    pub grid: Option<[usize; 2]>,
    /// What is written in place of the placeholder.
    pub text: Option<String>,
    /// How the number comes about.
    pub steps: Vec<[String; 2]>,
    pub error: Option<String>,
}

/// One sample.
#[derive(Debug, Serialize)]
pub struct LedgerJson<'a> {
    pub id: &'a str,
    /// Tokens with a placeholder as one; with its image tokens; after truncation.
    pub written: usize,
    pub expanded: usize,
    pub left: usize,
    pub images: Vec<RowJson>,
    pub error: Option<&'a str>,
}

/// One placeholder.
#[derive(Debug, Serialize)]
pub struct RowJson {
    pub position: usize,
    pub image_tokens: Option<usize>,
    pub expanded: [usize; 2],
    pub left: usize,
    /// A loss falls on image features.
    pub learned: bool,
}

impl<'a> ImagesJson<'a> {
    /// The report of some sizes and samples.
    pub fn new(
        placeholder: &'a str,
        counts: &[(ImageSize, Result<ImageTokens, MaskError>)],
        ledgers: &'a [(String, Result<ImageExpansion, String>)],
    ) -> Self {
        Self {
            placeholder,
            sizes: counts.iter().map(|(size, tokens)| size_json(*size, tokens)).collect(),
            samples: ledgers.iter().map(|(id, ledger)| ledger_json(id, ledger)).collect(),
        }
    }
}

fn size_json(size: ImageSize, tokens: &Result<ImageTokens, MaskError>) -> SizeJson {
    let found = tokens.as_ref().ok();
    let steps = found.into_iter().flat_map(|tokens| &tokens.steps);
    SizeJson {
        height: size.height,
        width: size.width,
        image_tokens: found.map(|tokens| tokens.count),
        grid: found.and_then(|tokens| tokens.grid).map(|(rows, columns)| [rows, columns]),
        text: found.map(|tokens| tokens.text.clone()),
        steps: steps.map(|step| [step.what.to_string(), step.how.clone()]).collect(),
        error: tokens.as_ref().err().map(ToString::to_string),
    }
}

fn ledger_json<'a>(id: &'a str, ledger: &'a Result<ImageExpansion, String>) -> LedgerJson<'a> {
    match ledger {
        Err(error) => {
            LedgerJson { id, written: 0, expanded: 0, left: 0, images: Vec::new(), error: Some(error) }
        }
        Ok(ledger) => {
            let row = |row: &crate::masks::image_tokens::ExpandedImage| RowJson {
                position: row.position,
                image_tokens: row.image.as_ref().map(|(_, tokens)| tokens.count),
                expanded: [row.expanded.start, row.expanded.end],
                left: row.left,
                learned: row.supervised,
            };
            LedgerJson {
                id,
                written: ledger.written,
                expanded: ledger.expanded,
                left: ledger.left,
                images: ledger.rows.iter().map(row).collect(),
                error: None,
            }
        }
    }
}

/// Writes the ledger: sizes with their steps, then each sample's placeholders.
pub fn images_text(out: &mut dyn Write, report: &ImagesJson<'_>) -> std::io::Result<()> {
    for size in &report.sizes {
        let title = format!("image {}×{} (height × width)", size.height, size.width);
        match (&size.error, size.image_tokens) {
            (Some(error), _) => writeln!(out, "{title}: ✗ {}", text::plain(error))?,
            (None, tokens) => writeln!(out, "{title}: {} image tokens", tokens.unwrap_or_default())?,
        }
        for [what, how] in &size.steps {
            writeln!(out, "  {:<22} {}", what, text::plain(how))?;
        }
        if let Some(written) = &size.text {
            writeln!(out, "  {:<22} {}", "in the text", text::plain(written))?;
        }
    }
    for sample in &report.samples {
        let id = text::plain(sample.id);
        if let Some(error) = sample.error {
            writeln!(out, "\n{id}: ✗ {}", text::plain(error))?;
            continue;
        }
        let cut = sample.expanded - sample.left.min(sample.expanded);
        let cut = if cut > 0 { format!(", {cut} cut off") } else { String::new() };
        writeln!(
            out,
            "\n{id}: {} tokens as written → {} with the images → {} left{cut}",
            sample.written, sample.expanded, sample.left
        )?;
        if sample.images.is_empty() {
            writeln!(out, "  no {} in its ids", text::plain(report.placeholder))?;
        }
        for (index, row) in sample.images.iter().enumerate() {
            let becomes = match row.image_tokens {
                Some(tokens) => format!("{tokens} tokens, [{}, {})", row.expanded[0], row.expanded[1]),
                None => "stays one: there is no image for it".to_string(),
            };
            let lost = row.expanded[1] - row.expanded[0] - row.left;
            let lost = if lost > 0 { format!(" · ✗ {lost} of them cut off") } else { String::new() };
            let learned =
                if row.learned { " · ✗ supervised: the loss falls on image features" } else { "" };
            writeln!(
                out,
                "  {} {} at token {} → {becomes}{lost}{learned}",
                index + 1,
                text::plain(report.placeholder),
                row.position
            )?;
        }
    }
    Ok(())
}
