//! The special-token table as text.

use std::io::Write;

use super::glyphs::glyph_text;
use super::paint::PaintMeaning;
use super::{Paint, table};
use crate::diagnose::{TokenReport, TokenVerdict, token_report};
use crate::setup::{OverrideEffect, Setup};
use crate::text;
use crate::tokenizer::{Role, TokenId, VERY_LARGE_INTEGER};

/// Writes class, roles, overrides and added tokens.
pub fn special_text(out: &mut dyn Write, setup: &Setup, paint: Paint) -> std::io::Result<()> {
    let tokenizer = &*setup.tokenizer;
    let facts = &tokenizer.facts;
    let yes = |b: bool| if b { "yes" } else { "no" };
    let title = format!(
        "{} · {} ({}, transformers {})",
        tokenizer.name,
        facts.name,
        facts.loader.name(),
        facts.release.name()
    );
    writeln!(out, "{}", paint.paint(&text::plain(&title), PaintMeaning::Heading, false))?;
    let max = match facts.model_max_length {
        VERY_LARGE_INTEGER => "none".to_string(),
        max => max.to_string(),
    };
    // The training code gives its own length to the tokenizer it loads.
    let trained = setup.model_max_length();
    let cut = match facts.model_max_length == trained as u128 {
        true => String::new(),
        false => format!(" in its files, {trained} in training"),
    };
    writeln!(
        out,
        "  vocab_size {} · len {} · model_max_length {max}{cut}",
        tokenizer.vocab_size(),
        tokenizer.len()
    )?;
    writeln!(
        out,
        "  adds bos {} · adds eos {} · can add tokens {} · padding {} · truncation {}",
        yes(facts.adds_bos),
        yes(facts.adds_eos),
        yes(facts.can_add_tokens),
        facts.padding_side.name(),
        facts.truncation_side.name()
    )?;
    section(out, "roles", &["role", "token", "id", "shares its id with"], &role_rows(setup))?;
    let effects: Vec<Vec<String>> = setup.effects.iter().map(effect_row).collect();
    section(out, "overrides", &["role", "token", "id", "what it did"], &effects)?;
    let added: Vec<Vec<String>> = tokenizer
        .added
        .iter()
        .map(|(id, t)| {
            let flags = [
                (t.special, "special"),
                (t.lstrip, "lstrip"),
                (t.rstrip, "rstrip"),
                (t.normalized, "normalized"),
                (t.single_word, "single_word"),
            ];
            let flags: Vec<&str> = flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
            vec![id.to_string(), glyph_text(t.content.as_bytes()), flags.join(" ")]
        })
        .collect();
    section(out, "added tokens", &["id", "token", "flags"], &added)?;
    let in_table = |id: TokenId| tokenizer.added.iter().any(|(known, _)| known == id);
    let closed = tokenizer.special_surfaces().into_iter().filter(|(id, _)| !in_table(*id));
    let closed: Vec<Vec<String>> =
        closed.map(|(id, t)| vec![id.to_string(), glyph_text(t.as_bytes())]).collect();
    if !closed.is_empty() {
        section(out, "special tokens of the class's closed list", &["id", "token"], &closed)?;
    }
    report_text(out, &token_report(setup), paint)
}

/// What the tables do not say by themselves.
fn report_text(out: &mut dyn Write, token_report: &TokenReport, paint: Paint) -> std::io::Result<()> {
    let reserved: Vec<Vec<String>> = token_report
        .reserved
        .iter()
        .take(RESERVED_SHOWN)
        .map(|t| vec![t.id.to_string(), t.content.clone(), t.reason.to_string()])
        .collect();
    section(out, "unused special tokens, the best first", &["id", "token", "why"], &reserved)?;
    if let Some(more) = token_report.reserved.len().checked_sub(RESERVED_SHOWN).filter(|more| *more > 0) {
        writeln!(out, "    and {more} more (--format json names all)")?;
    }
    writeln!(out, "  {}", sizes_line(token_report))?;
    let holes: Vec<String> = token_report.id_statistics.holes.iter().map(range).collect();
    if !holes.is_empty() {
        writeln!(out, "  ids without a token: {}", holes.join(" "))?;
    }
    token_report.notes.iter().try_for_each(|note| {
        let (mark, meaning) = match note.weight {
            TokenVerdict::Error => ("✗", PaintMeaning::Bad),
            TokenVerdict::Warn => ("!", PaintMeaning::Bad),
            TokenVerdict::Note => ("·", PaintMeaning::Masked),
        };
        writeln!(out, "  {} {}", paint.paint(mark, meaning, false), text::plain(&note.text))
    })
}

/// Reserved tokens that text output lists; Llama 3 alone has hundreds.
const RESERVED_SHOWN: usize = 8;

/// `max id 50294 · embedding rows 51200 · before a text: [1] · behind it: nothing`.
pub fn sizes_line(token_report: &TokenReport) -> String {
    let ids = |ids: &[TokenId]| if ids.is_empty() { "nothing".to_string() } else { format!("{ids:?}") };
    format!(
        "largest id {} · embedding rows {} · before a text {} · behind it {}",
        token_report.id_statistics.max_id.map_or("none".to_string(), |id| id.to_string()),
        token_report.embedding_rows.map_or("not known".to_string(), |rows| rows.to_string()),
        ids(&token_report.id_statistics.around.before),
        ids(&token_report.id_statistics.around.behind)
    )
}

fn range(hole: &std::ops::Range<TokenId>) -> String {
    match hole.len() {
        1 => hole.start.to_string(),
        _ => format!("{}–{}", hole.start, hole.end.saturating_sub(1)),
    }
}

fn section(out: &mut dyn Write, title: &str, columns: &[&str], rows: &[Vec<String>]) -> std::io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "  {title}: none");
    }
    writeln!(out, "  {title}")?;
    table(columns, rows).iter().try_for_each(|line| writeln!(out, "    {line}"))
}

fn role_rows(setup: &Setup) -> Vec<Vec<String>> {
    let tokenizer = &*setup.tokenizer;
    Role::ALL
        .into_iter()
        .map(|role| {
            let id = tokenizer.role_id(role);
            let token = tokenizer.special.get(role).map_or("none".to_string(), |t| t.content.clone());
            let others: Vec<&str> = id
                .map(|id| tokenizer.roles_of(id).filter(|r| *r != role).map(Role::name).collect())
                .unwrap_or_default();
            vec![
                role.name().to_string(),
                token,
                id.map_or("–".to_string(), |id| id.to_string()),
                others.join(" "),
            ]
        })
        .collect()
}

fn effect_row(effect: &OverrideEffect) -> Vec<String> {
    let what = match (effect.new, &effect.content) {
        (_, None) => "copied a role that has no token: this role has none either".to_string(),
        (true, _) => format!("new token: len {} → {}", effect.len_before, effect.len_after),
        (false, _) => format!("exists already: len stays {}", effect.len_after),
    };
    let id = effect.id.map_or("–".to_string(), |id| id.to_string());
    vec![effect.role.name().to_string(), effect.content.clone().unwrap_or("none".into()), id, what]
}
