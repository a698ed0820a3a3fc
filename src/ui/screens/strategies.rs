//! Screen Strategies: one line of tokens, a strip for every strategy under it, and why the one under the cursor does what
//! it does there.
//!
//! ```text
//! 5 messages · 61 tokens · strategies differ in 7 places     █ supervised  · masked   ▓ ○ where they differ
//! history  strategies that subtract prefixes part from the others here: up to message 1 the text has “<think>…”
//!                         ⟨|im_start|⟩assistant↵Ten.⟨|im_end|⟩↵⟨|im_start|⟩user↵
//!                                                   ▾▾▾▾▾▾▾▾▾▾▾▾
//! ▸ hf_generation     12  ··········································▓▓▓▓▓▓
//!   oi_prefix          ✗  gives no labels: …
//! token 14 · message 2 assistant, end of turn · supervised by 9, masked by 3
//! hf_generation  supervised: the end-of-turn token …
//! ```

mod prompt;
mod tokens;

use tokens::{is_special, token_glyphs};

use crate::app::screens::strategies::{ComparedStrategies, StrategiesScreen, StrategiesView};
use crate::app::{App, Area, Load, Panes};
use crate::masks::compare::{ComparisonCell, Strip, StripEnd};
use crate::text::{Glyph, glyphs_width};
use crate::ui::canvas::Canvas;
use crate::ui::missing;
use crate::ui::theme::Meaning;

/// Draws the screen.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    if missing::has_failed(canvas, app, panes) {
        return;
    }
    let area = panes.body;
    let state = &app.screens.strategies;
    match &state.result {
        Load::Ready(compared) if state.view == StrategiesView::Prompt => {
            prompt::draw(canvas, state, area, compared)
        }
        Load::Ready(compared) => strips(canvas, state, area, compared),
        Load::Failed(error) => {
            canvas.paragraph(area, error, Meaning::Warning);
        }
        _ => {
            canvas.text(area, "every strategy on this sample … esc ends it", Meaning::Quiet);
        }
    }
}

fn strips(canvas: &mut Canvas<'_>, state: &StrategiesScreen, area: Area, compared: &ComparedStrategies) {
    let head = head(canvas, area, compared);
    let foot = if area.height >= 16 { 4 } else { 2 };
    let line = Area { y: area.y + head, height: area.height.saturating_sub(head), ..area };
    let name_width = names_width(area.width);
    let window = Window::around(compared, state.token, area.width.saturating_sub(name_width));
    let tokens = Area { x: area.x + name_width, width: area.width.saturating_sub(name_width), ..line };
    window.tokens(canvas, tokens, compared, state.token);
    window.marks(canvas, Area { y: tokens.y + 1, ..tokens }, compared, state.token);
    let list = Area { y: line.y + 2, height: line.height.saturating_sub(2 + foot), ..line };
    rows(canvas, state, list, compared, &window, name_width);
    let below = Area { y: list.y + list.height, height: foot.min(line.height.saturating_sub(2)), ..area };
    reason(canvas, state, below, compared);
}

/// How many cells names and counts take.
fn names_width(width: u16) -> u16 {
    match width {
        0..48 => 18,
        48..90 => 25,
        _ => 30,
    }
}

/// What there is, and where prefixes part; gives the lines used.
fn head(canvas: &mut Canvas<'_>, area: Area, compared: &ComparedStrategies) -> u16 {
    let comparison = &compared.comparison;
    let differing = comparison.differences.len();
    let what = match differing {
        0 => "all strategies agree".to_string(),
        1 => "strategies differ in 1 place".to_string(),
        n => format!("strategies differ in {n} places"),
    };
    let sizes =
        format!("{} messages · {} tokens · ", comparison.turns.messages.len(), comparison.turns.places.len());
    let meaning = if differing == 0 { Meaning::Good } else { Meaning::Warning };
    let roomy = area.width >= 100;
    let legend =
        if roomy { "   supervised █ masked ·   where they differ ▓ ○" } else { "   █ · ▓ ○" };
    let sizes = if area.width >= 60 { sizes.as_str() } else { "" };
    canvas.spans(area.line(0), &[(sizes, Meaning::Quiet), (&what, meaning), (legend, Meaning::Quiet)]);
    let Some(divergence) = comparison.divergence() else { return 1 };
    let divergence =
        format!("strategies that subtract prefixes (oi_…) part from the others here: {divergence}");
    let lines = if area.height >= 24 { 3 } else { 1 + u16::from(area.height >= 16) };
    canvas.text(area.line(1), "history ", Meaning::Warning);
    let rest = Area { x: area.x + 8, y: area.y + 1, width: area.width.saturating_sub(8), height: lines };
    1 + canvas.paragraph(rest, &divergence, Meaning::Text).max(1)
}

/// The tokens that there is room for, with the cells of each.
struct Window {
    cells: Vec<(usize, u16, Vec<Glyph>)>,
}

impl Window {
    fn around(compared: &ComparedStrategies, cursor: usize, width: u16) -> Self {
        let room = usize::from(width);
        let before: usize = room / 3;
        let mut first = cursor;
        let mut used = 0;
        while let Some(previous) = first.checked_sub(1) {
            used += glyphs_width(&token_glyphs(compared, previous));
            if used > before {
                break;
            }
            first = previous;
        }
        let (mut cells, mut x) = (Vec::new(), 0);
        for token in first..compared.comparison.turns.places.len() {
            let glyphs = token_glyphs(compared, token);
            let wide = glyphs_width(&glyphs).max(1);
            if x + wide > room && !cells.is_empty() {
                break;
            }
            cells.push((token, u16::try_from(wide).unwrap_or(u16::MAX), glyphs));
            x += wide;
        }
        Self { cells }
    }

    fn each(&self, area: Area, mut draw: impl FnMut(usize, Area, &[Glyph])) {
        let mut x = area.x;
        let end = area.x + area.width;
        for (token, width, glyphs) in &self.cells {
            draw(*token, Area { x, width: (*width).min(end.saturating_sub(x)), height: 1, ..area }, glyphs);
            x += width;
        }
    }

    fn tokens(&self, canvas: &mut Canvas<'_>, area: Area, compared: &ComparedStrategies, cursor: usize) {
        if area.height == 0 {
            return;
        }
        self.each(area, |token, spot, glyphs| {
            let special = is_special(compared, token);
            let base = canvas.style(if special { Meaning::Special } else { Meaning::Text });
            let style = canvas.theme.shade(base, token % 2 == 1);
            canvas.glyphs(spot.x, spot.y, spot.x + spot.width, glyphs, style);
            if token == cursor {
                canvas.tint(spot, Meaning::Cursor);
            }
        });
    }

    /// A mark under every token that strategies differ on, another under the cursor.
    fn marks(&self, canvas: &mut Canvas<'_>, area: Area, compared: &ComparedStrategies, cursor: usize) {
        if area.height < 2 {
            return;
        }
        self.each(area, |token, spot, _| {
            let differs = compared.comparison.difference_at(token).is_some();
            let (mark, meaning) = match (token == cursor, differs) {
                (true, _) => ("▲", Meaning::Key),
                (false, true) => ("▾", Meaning::Warning),
                _ => return,
            };
            canvas.text(spot, &mark.repeat(usize::from(spot.width)), meaning);
        });
    }

    fn strip(&self, canvas: &mut Canvas<'_>, area: Area, compared: &ComparedStrategies, strip: &Strip) {
        self.each(area, |token, spot, _| {
            let differs = compared.comparison.difference_at(token).is_some();
            let (mark, meaning) = match (strip.cell(token), differs) {
                (ComparisonCell::Supervised, false) => ("█", Meaning::Supervised),
                (ComparisonCell::Supervised, true) => ("▓", Meaning::Supervised),
                (ComparisonCell::Masked, false) => ("·", Meaning::Masked),
                (ComparisonCell::Masked, true) => ("○", Meaning::Warning),
                (ComparisonCell::Other(_), _) => ("≠", Meaning::Bad),
                (ComparisonCell::Absent, _) => (" ", Meaning::Quiet),
            };
            canvas.text(spot, &mark.repeat(usize::from(spot.width)), meaning);
        });
    }
}

fn rows(
    canvas: &mut Canvas<'_>,
    state: &StrategiesScreen,
    area: Area,
    compared: &ComparedStrategies,
    window: &Window,
    name_width: u16,
) {
    let count = compared.order.len();
    let room = usize::from(area.height);
    let top = state.strip.saturating_sub(room / 2).min(count.saturating_sub(room));
    for position in (top..count).take(room) {
        let Some((_, strip)) = compared.strip(position) else { continue };
        let line = area.line(u16::try_from(position - top).unwrap_or(u16::MAX));
        let selected = position == state.strip;
        let name = Area { width: name_width.saturating_sub(6), ..line };
        let mark = if selected { "▸ " } else { "  " };
        let present = strip.labeller.name() == compared.setup.rule_name();
        let look = if present { Meaning::Strong } else { Meaning::Text };
        canvas.spans(name, &[(mark, Meaning::Key), (strip.labeller.name(), look)]);
        let number = Area { x: line.x + name_width.saturating_sub(6), width: 5.min(name_width), ..line };
        let rest = Area { x: line.x + name_width, width: line.width.saturating_sub(name_width), ..line };
        match &strip.end {
            StripEnd::Labels => {
                let meaning = if strip.supervised == 0 { Meaning::Bad } else { Meaning::Strong };
                canvas.right(number, &strip.supervised.to_string(), meaning);
                window.strip(canvas, rest, compared, strip);
            }
            StripEnd::Fails(error) => {
                canvas.right(number, "✗", Meaning::Bad);
                canvas.text(rest, error, Meaning::Bad);
            }
            StripEnd::Unfit(why) => {
                canvas.right(number, "–", Meaning::Quiet);
                canvas.text(rest, &format!("does not apply: {why}"), Meaning::Quiet);
            }
        }
        if selected {
            canvas.tint(Area { width: name_width, ..line }, Meaning::Selected);
        }
    }
}

/// The token under the cursor, who learns it, and why the strategy under the cursor does or does not.
fn reason(canvas: &mut Canvas<'_>, state: &StrategiesScreen, area: Area, compared: &ComparedStrategies) {
    let comparison = &compared.comparison;
    if area.height == 0 {
        return;
    }
    let place = comparison.turns.places.get(state.token).copied();
    let role = place.and_then(|p| comparison.turns.messages.get(p.message)).map_or("", |m| m.role.as_str());
    let at = place.map_or(String::new(), |p| format!("message {} {role}, {}", p.message, p.part.name()));
    let voices = match comparison.difference_at(state.token) {
        Some(run) => format!("supervised by {}, masked by {}", run.supervised_by.len(), run.masked_by.len()),
        None => "no difference here".to_string(),
    };
    let token = format!("token {} ", state.token);
    canvas.spans(
        area.line(0),
        &[
            (&token, Meaning::Strong),
            (&at, Meaning::Text),
            (" · ", Meaning::Quiet),
            (&voices, Meaning::Warning),
        ],
    );
    let Some((index, strip)) = compared.strip(state.strip) else { return };
    let why = comparison.why(index, state.token, &*compared.setup.tokenizer);
    let name = strip.labeller.name();
    let rest = Area { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let used = canvas.paragraph(rest, &format!("{name}  {why}"), Meaning::Text);
    if area.height > used + 1 {
        let (source, summary) = strip.labeller.origin();
        let own = match strip.elsewhere {
            0 => String::new(),
            n => format!(" · {n} of its {} tokens have no place on this line", strip.len),
        };
        let line = area.line(used + 1);
        canvas.text(line, &format!("{source} · {summary}{own}"), Meaning::Quiet);
    }
}
