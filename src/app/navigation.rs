//! Moving about: what arrows, pages, Enter and clicks do on each screen.

use super::action::{Action, Screen};
use super::flow::{Place, Row};
use super::job::Effect;
use super::overlays;
use super::state::{App, Load, SpecialTable};
use super::update::{self, Target};
use super::view::SampleView;
use crate::tokenizer::Role;

/// An act of the present screen; `None` where the screen has no meaning for it.
pub(super) fn on_screen(app: &mut App, action: Action) -> Option<Vec<Effect>> {
    match app.screen {
        Screen::Labels => labels(app, action),
        Screen::Lengths => {
            let rounds = app.shown().and_then(|v| v.labelled()).map_or(0, |l| l.rounds.len());
            match action {
                Action::Accept => return Some(show_round(app)),
                Action::NextRound => app.view_state.round = step(app.view_state.round, 1, rounds),
                Action::PreviousRound => app.view_state.round = step(app.view_state.round, -1, rounds),
                action => app.view_state.round = step(app.view_state.round, lines(app, action)?, rounds),
            }
            Some(Vec::new())
        }
        Screen::Special => match action {
            Action::Accept if app.view_state.table != SpecialTable::Roles => Some(Vec::new()),
            Action::Accept => Some(overlays::pick_token(app)),
            Action::RemoveOverride => Some(overlays::remove_override(app)),
            Action::Density => {
                (app.view_state.table, app.view_state.row) = (app.view_state.table.next(), 0);
                Some(Vec::new())
            }
            action if app.view_state.table != SpecialTable::Roles => {
                let rows = match app.view_state.table {
                    SpecialTable::Added => app.token_report_tokens().len(),
                    SpecialTable::Facts => app.token_report().map_or(0, |t| t.notes.len() + 1),
                    _ => app.token_report().map_or(0, |t| t.reserved.len()),
                };
                app.view_state.row = step(app.view_state.row, lines(app, action)?, rows);
                Some(Vec::new())
            }
            action => {
                app.view_state.role = step(app.view_state.role, lines(app, action)?, Role::ALL.len());
                Some(Vec::new())
            }
        },
        Screen::Prompt => {
            if action == Action::Accept {
                app.screen = Screen::Labels;
                return Some(Vec::new());
            }
            let by = lines(app, action)?;
            app.view_state.line = app.view_state.line.saturating_add_signed(by).min(prompt_lines(app));
            Some(Vec::new())
        }
        Screen::Samples => {
            if action == Action::Accept {
                app.screen = Screen::Labels;
                let index = app.view_state.sample;
                return Some(update::go_to_sample(app, index));
            }
            let by = lines(app, action)?;
            let count = app.samples.ready().map_or(0, |s| s.len());
            app.view_state.sample = step(app.view_state.sample, by, count);
            Some(Vec::new())
        }
        _ => super::panels::on_screen(app, action),
    }
}

/// The role under the cursor of screen Special.
pub(super) fn role(app: &App) -> Option<Role> {
    Role::ALL.get(app.view_state.role).copied()
}

/// A row `by` further, kept in the list.
pub(super) fn step(at: usize, by: isize, count: usize) -> usize {
    at.saturating_add_signed(by).min(count.saturating_sub(1))
}

/// Lines that an act moves by in a list.
pub(super) fn lines(app: &App, action: Action) -> Option<isize> {
    let page = isize::try_from(app.panes().body.height.max(2) - 1).unwrap_or(1);
    // Far beyond any list, and far from overflow.
    const ALL: isize = isize::MAX / 4;
    Some(match action {
        Action::Up => -1,
        Action::Down => 1,
        Action::PageUp => -page,
        Action::PageDown => page,
        Action::First => -ALL,
        Action::Last => ALL,
        _ => return None,
    })
}

/// At least as many lines as the prompt takes on screen, at most one a character.
fn prompt_lines(app: &App) -> usize {
    let width = usize::from(app.panes().body.width.max(1));
    let prompt = app.shown().and_then(|v| v.inspection.prompt.as_deref()).unwrap_or("");
    let wrapped = |line: &str| line.chars().count() / width + 1;
    prompt.split('\n').map(wrapped).sum::<usize>().saturating_sub(1)
}

fn labels(app: &mut App, action: Action) -> Option<Vec<Effect>> {
    let known = matches!(
        action,
        Action::Left
            | Action::Right
            | Action::Up
            | Action::Down
            | Action::PageUp
            | Action::PageDown
            | Action::First
            | Action::Last
            | Action::NextRound
            | Action::PreviousRound
            | Action::Accept
            | Action::Density
    );
    if !known {
        return None;
    }
    if action == Action::Density {
        app.view_state.density = app.view_state.density.next();
        app.view_state.top = Place { token: app.view_state.token, rank: 1 };
        return Some(Vec::new());
    }
    let view = match &app.view {
        Load::Ready(view) => view.clone(),
        _ => return Some(Vec::new()),
    };
    if action == Action::Accept {
        toggle_fold(app, &view);
    } else {
        app.view_state.token = moved(app, &view, action).min(view.len().saturating_sub(1));
    }
    Some(Vec::new())
}

fn toggle_fold(app: &mut App, view: &SampleView) {
    let Some(fold) = view.folds.iter().find(|f| f.contains(&app.view_state.token)) else { return };
    if !app.view_state.unfolded.remove(&fold.start) {
        app.view_state.unfolded.insert(fold.start);
    }
    app.view_state.token = fold.start;
}

/// The token that a movement ends on.
fn moved(app: &App, view: &SampleView, action: Action) -> usize {
    let flow = app.flow(view);
    let at = app.view_state.token;
    let page = app.panes().body.height.max(2) - 1;
    let onto = |token: usize| flow.fold_at(token).map_or(token, |f| f.start);
    match action {
        Action::Left => onto(at.saturating_sub(1)),
        Action::Right => flow.fold_at(at).map_or(at + 1, |f| f.end),
        Action::First => 0,
        Action::Last => onto(view.len().saturating_sub(1)),
        Action::NextRound => view.sections.iter().map(|s| s.tokens.start).find(|s| *s > at).unwrap_or(at),
        Action::PreviousRound => {
            view.sections.iter().rev().map(|s| s.tokens.start).find(|s| *s < at).unwrap_or(0)
        }
        Action::Up => vertical(&flow, at, -1),
        Action::Down => vertical(&flow, at, 1),
        Action::PageUp => (0..page).fold(at, |at, _| vertical(&flow, at, -1)),
        Action::PageDown => (0..page).fold(at, |at, _| vertical(&flow, at, 1)),
        _ => at,
    }
}

/// The token above or below: in the next row of tokens, at the nearest column.
pub(super) fn vertical(flow: &super::flow::Flow<'_>, at: usize, direction: i8) -> usize {
    let Some(row) = flow.row_of(at) else { return at };
    let here = row.items.iter().flatten().find(|p| p.item.cursor() == at || row_only(&row));
    let x = here.map_or(0, |p| p.x + p.width / 2);
    let mut other = if direction < 0 { flow.row_before(row.start) } else { flow.row(row.next) };
    while let Some(candidate) = other {
        let nearest = candidate.items.iter().flatten().min_by_key(|p| (p.x + p.width / 2).abs_diff(x));
        if let Some(placed) = nearest.filter(|p| p.item.cursor() != at) {
            return placed.item.cursor();
        }
        other = if direction < 0 { flow.row_before(candidate.start) } else { flow.row(candidate.next) };
    }
    at
}

fn row_only(row: &Row) -> bool {
    row.items.as_ref().is_some_and(|items| items.len() == 1)
}

/// From the ledger to the tokens of the marked round.
fn show_round(app: &mut App) -> Vec<Effect> {
    let round = app.view_state.round;
    if let Some(view) = app.shown() {
        let parts = view.parts_at.filter(|at| view.real_rounds.get(round).is_some_and(|r| r.contains(at)));
        let token = parts.or_else(|| view.real_answers.get(round).copied()).unwrap_or(0);
        app.view_state.token = token.min(view.len().saturating_sub(1));
    }
    app.screen = Screen::Labels;
    Vec::new()
}

/// A click on something of a screen.
pub(super) fn click(app: &mut App, target: Target) -> Vec<Effect> {
    match target {
        Target::Token(index) if app.view_state.token == index => {
            if let Some(view) = app.shown().cloned() {
                toggle_fold(app, &view);
            }
        }
        Target::Token(index) => app.view_state.token = index,
        Target::Round(index) if app.view_state.round == index => return show_round(app),
        Target::Round(index) => app.view_state.round = index,
        Target::Role(index) if app.view_state.role == index => return overlays::pick_token(app),
        Target::Role(index) => app.view_state.role = index,
        Target::Sample(index) => {
            if app.view_state.sample == index {
                app.screen = Screen::Labels;
            }
            app.view_state.sample = index;
            return update::go_to_sample(app, index);
        }
        Target::Screen(_) | Target::Entry(_) | Target::Fix => {}
    }
    Vec::new()
}
