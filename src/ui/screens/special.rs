//! Screen Special: the roles, their tokens, where each comes from, what the overrides change.

use crate::app::screens::special::SpecialTable;
use crate::app::{App, Area, Panes, SampleView, Target};
use crate::diagnose::TokenVerdict;
use crate::setup::TokenChoice;
use crate::text::{Spaces, glyphs};
use crate::tokenizer::{Role, SpecialToken};
use crate::ui::canvas::Canvas;
use crate::ui::chrome::recipe_text;
use crate::ui::missing;
use crate::ui::table::{Cell, table};
use crate::ui::theme::Meaning;

/// Draws the table that is chosen and what follows from it.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let Some(view) = missing::shown(canvas, app, panes) else { return };
    let area = panes.body;
    let mut x = area.x;
    for table in SpecialTable::ALL {
        let count = match table {
            SpecialTable::Roles | SpecialTable::Facts => String::new(),
            SpecialTable::Added => app
                .screens
                .special
                .report(&app.session)
                .map_or(" …".to_string(), |t| format!(" {}", t.tokens.len())),
            SpecialTable::Unused => app
                .screens
                .special
                .report(&app.session)
                .map_or(" …".to_string(), |t| format!(" {}", t.reserved.len())),
        };
        let text = format!(" {}{count} ", table.name());
        let spot = Area { x, width: (area.x + area.width).saturating_sub(x), ..area.line(0) };
        let meaning = if table == app.screens.special.table { Meaning::Selected } else { Meaning::Quiet };
        x = canvas.text(spot, &text, meaning) + 1;
    }
    canvas.text(
        Area { x, width: (area.x + area.width).saturating_sub(x), ..area.line(0) },
        "v",
        Meaning::Key,
    );
    let below = Area { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    match app.screens.special.table {
        SpecialTable::Roles => roles(canvas, app, below, view),
        SpecialTable::Facts => facts(canvas, app, below, view),
        SpecialTable::Added => listed(canvas, app, below),
        SpecialTable::Unused => free(canvas, app, below),
    }
}

fn roles(canvas: &mut Canvas<'_>, app: &App, area: Area, view: &SampleView) {
    let wide = area.width >= 70;
    let rows: Vec<Vec<Cell>> = Role::ALL.into_iter().map(|role| role_row(app, view, role, wide)).collect();
    let header: &[&str] = if wide {
        &["role", "token", "id", "as loaded", "set by", "same as"]
    } else {
        &["role", "token", "id", "set by"]
    };
    let used = table(canvas, area, header, &rows);
    for row in 0..rows.len() {
        let line = area.line(u16::try_from(row + 1).unwrap_or(u16::MAX));
        canvas.hit(line, Target::Role(row));
        if row == app.screens.special.role {
            canvas.tint(line, Meaning::Selected);
        }
    }
    let rest = Area { y: area.y + used + 1, height: area.height.saturating_sub(used + 1), ..area };
    let used = effects(canvas, app, rest, view) + 1;
    let rest = Area { y: rest.y + used, height: rest.height.saturating_sub(used), ..rest };
    notes(canvas, app, rest, 0);
}

/// What follows from the roles, for screens where it does not fit under them.
fn facts(canvas: &mut Canvas<'_>, app: &App, area: Area, view: &SampleView) {
    let mut rest = area;
    if app.screens.special.row == 0 {
        let used = effects(canvas, app, area, view) + 1;
        rest = Area { y: area.y + used, height: area.height.saturating_sub(used), ..area };
    }
    notes(canvas, app, rest, app.screens.special.row.saturating_sub(1));
}

/// Facts about the whole vocabulary, the heaviest first.
fn notes(canvas: &mut Canvas<'_>, app: &App, area: Area, skip: usize) {
    let Some(token_report) = app.screens.special.report(&app.session) else {
        canvas.text(area.line(0), "looking at every id …", Meaning::Quiet);
        return;
    };
    let mut line = 0;
    for note in token_report.notes.iter().skip(skip) {
        let (mark, meaning) = match note.weight {
            TokenVerdict::Error => ("✗ ", Meaning::Bad),
            TokenVerdict::Warn => ("! ", Meaning::Warning),
            TokenVerdict::Note => ("· ", Meaning::Quiet),
        };
        canvas.text(area.line(line), mark, meaning);
        let rest = Area {
            x: area.x + 2,
            width: area.width.saturating_sub(2),
            y: area.y + line,
            height: area.height.saturating_sub(line),
        };
        let text = if note.weight == TokenVerdict::Note { Meaning::Quiet } else { Meaning::Text };
        line += canvas.paragraph(rest, &note.text, text).max(1);
    }
}

/// All special and added tokens with their flags, from the row at the top on.
fn listed(canvas: &mut Canvas<'_>, app: &App, area: Area) {
    let flags = |token: &SpecialToken| {
        let flags = [
            (token.special, "special"),
            (token.lstrip, "lstrip"),
            (token.rstrip, "rstrip"),
            (token.normalized, "normalized"),
            (token.single_word, "single_word"),
        ];
        flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect::<Vec<_>>().join(" ")
    };
    let shown = usize::from(area.height.saturating_sub(1));
    let rows = app.screens.special.tokens(&app.session).iter().skip(app.screens.special.row).take(shown).map(
        |token| {
            let roles: Vec<&str> = token.roles.iter().map(|r| r.name()).collect();
            let flags = token.flags.as_ref().map_or("closed list".to_string(), flags);
            vec![
                Cell::new(token.id.to_string(), Meaning::Text),
                Cell::new(shown_spaces(&token.content), Meaning::Special),
                Cell::new(flags, Meaning::Quiet),
                Cell::new(roles.join(" "), Meaning::Strong),
            ]
        },
    );
    table(canvas, area, &["id", "token", "flags", "roles"], &rows.collect::<Vec<_>>());
}

/// A token with its spaces as marks: a token of blanks is a token too.
fn shown_spaces(content: &str) -> String {
    glyphs(content, Spaces::Shown).into_iter().map(|g| g.text).collect()
}

/// Tokens that a role could take without growing the vocabulary.
fn free(canvas: &mut Canvas<'_>, app: &App, area: Area) {
    let Some(token_report) = app.screens.special.report(&app.session) else {
        canvas.text(area.line(0), "looking at every id …", Meaning::Quiet);
        return;
    };
    if token_report.reserved.is_empty() {
        let text = "No special token is unused: every one has a role or a meaning. A new one grows the vocabulary by a row.";
        canvas.paragraph(area, text, Meaning::Text);
        return;
    }
    let shown = usize::from(area.height.saturating_sub(1));
    let rows = token_report.reserved.iter().skip(app.screens.special.row).take(shown).map(|token| {
        vec![
            Cell::new(token.id.to_string(), Meaning::Text),
            Cell::new(token.content.clone(), Meaning::Special),
            Cell::new(token.reason, Meaning::Quiet),
        ]
    });
    table(canvas, area, &["id", "token", "why"], &rows.collect::<Vec<_>>());
}

fn role_row(app: &App, view: &SampleView, role: Role, wide: bool) -> Vec<Cell> {
    let tokenizer = &view.setup.tokenizer;
    let token = tokenizer.special.get(role);
    let id = tokenizer.role_id(role);
    let content = token.map_or("None".to_string(), |t| t.content.clone());
    let has = if token.is_some() { Meaning::Special } else { Meaning::Quiet };
    let id_cell = Cell::new(id.map_or("–".to_string(), |id| id.to_string()), Meaning::Text);
    let loaded = view.setup.base.special.get(role).map_or("None".to_string(), |t| t.content.clone());
    let by = set_by(app, view, role);
    let by_cell = Cell::new(by.clone(), if by == "files" { Meaning::Quiet } else { Meaning::Overridden });
    let name = Cell::new(role.name(), Meaning::Strong);
    if !wide {
        return vec![name, Cell::new(content, has), id_cell, by_cell];
    }
    let same: Vec<&str> =
        id.map_or(Vec::new(), |id| tokenizer.roles_of(id).filter(|r| *r != role).map(Role::name).collect());
    let clash = role == Role::Pad && same.contains(&"eos");
    let same = if same.is_empty() { String::new() } else { same.join(" ") };
    let same_cell = if clash {
        Cell::new(format!("{same} ✗ EOS tokens are not counted"), Meaning::Bad)
    } else {
        Cell::new(same, Meaning::Quiet)
    };
    vec![name, Cell::new(content, has), id_cell, Cell::new(loaded, Meaning::Quiet), by_cell, same_cell]
}

fn set_by(app: &App, view: &SampleView, role: Role) -> String {
    match app.session.request.overrides.get(&role) {
        Some(TokenChoice::CopyOf(from)) => format!("you: = {}", from.name()),
        Some(TokenChoice::Surface(_) | TokenChoice::Object(_)) => "you".to_string(),
        None if view.setup.effects.iter().any(|e| e.role == role) => {
            format!("recipe {}", view.setup.recipe.map_or("", |r| r.name))
        }
        None => "files".to_string(),
    }
}

/// What the overrides did; gives the lines used.
fn effects(canvas: &mut Canvas<'_>, app: &App, area: Area, view: &SampleView) -> u16 {
    let mut line = 0;
    let state = if app.session.survey.is_done { "" } else { " …" };
    let counts = app.session.counts();
    let all = format!("{}{state}", counts.line());
    let meaning = if counts.all_sound() { Meaning::Good } else { Meaning::Warning };
    canvas.spans(area.line(line), &[("samples ", Meaning::Quiet), (&all, meaning)]);
    line += 2;
    let recipe = format!("{} · {}", recipe_text(app), view.setup.recipe.map_or("as loaded", |r| r.summary));
    canvas.spans(area.line(line), &[("recipe   ", Meaning::Quiet), (&recipe, Meaning::Text)]);
    line += 1;
    for effect in &view.setup.effects {
        let content = effect.content.as_deref().unwrap_or("None");
        let id = effect.id.map_or("no id".to_string(), |id| format!("id {id}"));
        let what = if effect.new {
            format!(
                "{content} is new: {id}, len {} → {}; the embedding needs that row",
                effect.len_before, effect.len_after
            )
        } else {
            format!("{content} exists: {id}, len stays {}", effect.len_after)
        };
        let name = format!("{:<9}", effect.role.name());
        canvas.spans(area.line(line), &[(&name, Meaning::Overridden), (&what, Meaning::Text)]);
        line += 1;
    }
    let facts = &view.setup.tokenizer.facts;
    let adds = match (facts.can_add_tokens, facts.adds_bos) {
        (true, true) => "can add tokens, puts bos first",
        (true, false) => "can add tokens, puts no bos first",
        (false, true) => "its list of special tokens is closed, puts bos first",
        (false, false) => "its list of special tokens is closed, puts no bos first",
    };
    let class = format!("{}: {adds}", facts.name);
    canvas.spans(area.line(line), &[("class    ", Meaning::Quiet), (&class, Meaning::Text)]);
    line += 1;
    for note in view.setup.base.notes.iter().chain(&view.setup.notes) {
        canvas.spans(area.line(line), &[("note     ", Meaning::Quiet), (note, Meaning::Text)]);
        line += 1;
    }
    line
}
