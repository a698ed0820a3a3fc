//! Screen Experts: which experts each token goes to.
//!
//! ```text
//! │ byte-moe · trained on bytes; not your model · mixtral on cpu · 13.6 MB · forward 31 ms  │
//! │ capacity_factor off · ‹top_k 2› · num_experts 8 · layer 0 (1 of 4) · all 412 bytes      │
//! │ USER:·What·is·shown…                      │ layer 0 · load ÷ uniform                    │
//! │ a     B    B  a                           │ A ▇▇▇▇▇▇▇▇│▇▇ 1.21                          │
//! ├ token 12 of 107 · "·shown" · masked ──────┴─────────────────────────────────────────────┤
//! │ L0 B .71 A .29   L1 C .55 D .45 ✂D …                                                    │
//! ```
//!
//! A token has its expert's colour and, below it, its letter: a capital where the weight is 0.5 or more, ✂ where an
//! assignment was dropped. Supervised tokens are underlined, as on screen Labels.

mod figures;
mod head;
mod image;
mod paths;
mod token;
mod tokens;
mod words;

use crate::app::screens::experts::{ExpertsPanes, ExpertsView, Routed, layout};
use crate::app::{App, Area, Panes};
use crate::ui::canvas::Canvas;
use crate::ui::missing;
use crate::ui::theme::Meaning;

/// Draws the screen.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    if missing::has_failed(canvas, app, panes) {
        return;
    }
    let state = &app.screens.experts;
    let places = layout(panes, state.view);
    head::draw(canvas, app, panes, places.head);
    let raises = app.session.shown().is_some_and(|v| v.labelled().is_none());
    let Some(routed) = state.routed.as_ref().filter(|_| !raises) else {
        waiting(canvas, app, places.tokens, raises);
        return;
    };
    let Some(layer) = state.shown_layer() else {
        canvas.text(places.tokens, "this model has no MoE layer", Meaning::Bad);
        return;
    };
    match state.view {
        ExpertsView::Tokens => {
            tokens::draw(canvas, app, panes, places.tokens, layer);
            figures::side(canvas, app, places.side, routed, layer);
        }
        ExpertsView::Load => figures::load(canvas, app, places.tokens, routed),
        ExpertsView::Split => figures::split(canvas, app, places.tokens, routed, layer),
        ExpertsView::Token => token::detail(canvas, app, places.tokens, routed),
        ExpertsView::Paths => paths::draw(canvas, app, places.tokens, routed, layer),
        ExpertsView::Image => image::draw(canvas, app, places.tokens, routed, layer),
    }
    strip(canvas, app, panes, &places, routed);
}

fn strip(canvas: &mut Canvas<'_>, app: &App, panes: &Panes, places: &ExpertsPanes, routed: &Routed) {
    if places.divider.height > 0 {
        canvas.divider(panes.frame, places.divider.y, Meaning::Quiet);
        let title = format!(" {} ", token::title(app, routed));
        canvas.text(places.divider, &title, Meaning::Strong);
    }
    token::strip(canvas, app, places.strip, routed);
}

/// Before the first routing is there: what is being done, or what is in the way.
fn waiting(canvas: &mut Canvas<'_>, app: &App, area: Area, raises: bool) {
    let state = &app.screens.experts;
    let (text, meaning) = match (&state.error, &state.running) {
        _ if raises => {
            ("the training code raises on this sample: there are no tokens to route".into(), Meaning::Bad)
        }
        (Some(error), _) => (error.clone(), Meaning::Bad),
        (_, Some(doing)) => (format!("{doing} … (esc cancels)"), Meaning::Quiet),
        _ => ("waiting for the tokens …".to_string(), Meaning::Quiet),
    };
    canvas.paragraph(area, &text, meaning);
}
