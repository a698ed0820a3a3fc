//! Inspected samples as they look on screen, for sharing: one page, or one picture.

use maud::{Markup, html};

use super::glyphs::token_glyphs;
use super::mask::status_text;
use super::page::{Visible, legend, page};
use super::sample::{length_lines, segment_heading, stop_line};
use super::svg::{Run, picture};
use crate::labels::{IMAGE_TOKEN_INDEX, Inspection, Labelled, Segment, TokenLabel};
use crate::setup::Setup;
use crate::text;
use crate::tokenizer::TokenId;

/// Cells of a line of tokens in a picture, and of what stands before it.
const COLUMNS: usize = 96;
const GUTTER: usize = 24;

/// Colours of a picture, for light and dark surroundings.
const STYLE: &str = "rect { fill: #fff; } rect.s { fill: #e4e7eb; } text { fill: #1b1f24; } .h { font-weight: bold; } .q { fill: #5a6168; } \
    .masked { fill: #5a6168; } .supervised { fill: #005b96; font-weight: bold; text-decoration: underline; } \
    .discarded, .truncated { fill: #b04200; text-decoration: line-through; } \
    @media (prefers-color-scheme: dark) { rect { fill: #14171b; } rect.s { fill: #2b3037; } text { fill: #e6e9ec; } .q, .masked { fill: #a2a9b0; } \
    .supervised { fill: #6cc0f0; } .discarded, .truncated { fill: #f58a45; } }";

fn title(inspection: &Inspection) -> String {
    format!("{} · template {} · rule {}", inspection.id, inspection.template, inspection.preprocess)
}

/// Tokens of a stretch: text, label, whether it is special, and whether its position is odd.
fn tokens<'a>(
    setup: &'a Setup,
    labelled: &'a Labelled,
    segment: &Segment,
) -> impl Iterator<Item = (String, TokenLabel, bool, bool)> + 'a {
    segment.tokens.clone().filter_map(move |at| {
        let id = *labelled.input_ids.get(at)?;
        let special = TokenId::try_from(id).is_ok_and(|id| setup.tokenizer.is_special(id));
        let glyphs = token_glyphs(&setup.tokenizer, id);
        Some((glyphs, labelled.token_label(at)?, special || id == IMAGE_TOKEN_INDEX, at % 2 == 1))
    })
}

/// Samples on one page.
pub fn samples_page(setup: &Setup, inspections: &[Inspection]) -> String {
    let body = html! {
        h1 { (Visible(&setup.tokenizer.name)) }
        (legend())
        @for inspection in inspections {
            section.whole {
                h2 { (Visible(&title(inspection))) }
                p { (Visible(&status_text(inspection))) }
                @if let Ok(labelled) = &inspection.result {
                    @for segment in &labelled.segments {
                        (round(setup, labelled, segment))
                    }
                    @for line in stop_line(setup, labelled).into_iter().chain(length_lines(setup, labelled)) {
                        p.quiet { (Visible(&line)) }
                    }
                }
            }
        }
    };
    page(&format!("{}: {} samples", setup.tokenizer.name, inspections.len()), &body)
}

/// A stretch of tokens with its heading before it. A line may break between tokens.
fn round(setup: &Setup, labelled: &Labelled, segment: &Segment) -> Markup {
    html! {
        div.round {
            span.quiet { (Visible(segment_heading(segment, labelled).trim())) }
            div.tokens {
                @for (glyphs, label, special, _) in tokens(setup, labelled, segment) {
                    span class={ "t " (label.name()) @if special { " special" } } { (Visible(&glyphs)) }
                    wbr;
                }
            }
        }
    }
}

/// Samples in one picture, below each other.
pub fn samples_picture(setup: &Setup, inspections: &[Inspection]) -> String {
    let mut lines: Vec<Vec<Run>> = Vec::new();
    for inspection in inspections {
        lines.extend(words(&title(inspection), "class=\"h\""));
        lines.extend(words(&status_text(inspection), ""));
        if let Ok(labelled) = &inspection.result {
            for segment in &labelled.segments {
                lines.extend(stretch(setup, labelled, segment));
            }
            for line in stop_line(setup, labelled).into_iter().chain(length_lines(setup, labelled)) {
                lines.extend(words(&line, "class=\"q\""));
            }
        }
        lines.push(Vec::new());
    }
    picture(&setup.tokenizer.name, &lines, STYLE, "")
}

/// A text in lines that fit.
fn words(text: &str, attributes: &str) -> Vec<Vec<Run>> {
    let glyphs = text::glyphs(text, text::Spaces::Blank);
    let mut lines: Vec<Vec<Run>> = Vec::new();
    for part in glyphs.chunks(COLUMNS + GUTTER) {
        let text: String = part.iter().map(|glyph| glyph.text.as_str()).collect();
        lines.push(vec![Run {
            cells: text::width(&text),
            text,
            attributes: attributes.to_string(),
            ground: None,
        }]);
    }
    lines
}

/// The tokens of a stretch, broken between tokens, with its heading before the first line.
fn stretch(setup: &Setup, labelled: &Labelled, segment: &Segment) -> Vec<Vec<Run>> {
    let gutter = |text: &str| {
        let text = format!("{text:<GUTTER$}");
        Run { cells: text::width(&text), text, attributes: "class=\"q\"".to_string(), ground: None }
    };
    let mut line = vec![gutter(segment_heading(segment, labelled).trim_end())];
    let (mut lines, mut used) = (Vec::new(), 0);
    for (glyphs, label, _, odd) in tokens(setup, labelled, segment) {
        let cells = text::width(&glyphs);
        if used + cells > COLUMNS && used > 0 {
            lines.push(std::mem::replace(&mut line, vec![gutter("")]));
            used = 0;
        }
        let attributes = format!("class=\"{}\"", label.name());
        line.push(Run { text: glyphs, cells, attributes, ground: odd.then(|| "class=\"s\"".to_string()) });
        used += cells;
    }
    lines.push(line);
    lines
}
