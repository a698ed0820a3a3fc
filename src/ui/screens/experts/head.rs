//! The lines above every view: model and run, settings, what the figures count.

use crate::app::screens::experts::settings::Setting;
use crate::app::{App, Area, Panes, Tier};
use crate::setup::{ModelKind, ModelSource};
use crate::ui::canvas::Canvas;
use crate::ui::theme::Meaning;

/// Draws them: three lines, two, or one.
pub fn draw(canvas: &mut Canvas<'_>, app: &App, panes: &Panes, area: Area) {
    match panes.tier {
        Tier::Large => {
            model(canvas, app, area.line(0), true);
            settings(canvas, app, area.line(1), true);
            looking_at(canvas, app, area.line(2));
        }
        Tier::Medium => {
            model(canvas, app, area.line(0), false);
            settings(canvas, app, area.line(1), false);
        }
        _ => small(canvas, app, area.line(0)),
    }
}

/// `13.6 MB`.
fn megabytes(bytes: usize) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn model(canvas: &mut Canvas<'_>, app: &App, area: Area, roomy: bool) {
    let state = &app.screens.experts;
    let name = state.settings.model.name();
    let caveat = state.settings.model.caveat();
    let mut area = area;
    if let (Some(text), meaning) = status(app) {
        let x = canvas.right(area, &format!("  {text}"), meaning);
        area.width = x.saturating_sub(area.x);
    }
    // What is on screen may still be the routing of the model before.
    let shown = state.routed.as_ref().filter(|r| r.settings.model.name() == name);
    let run = shown.map(|r| &r.run);
    let before = state.routed.as_ref().filter(|_| run.is_none()).map(|r| r.settings.model.name());
    let before = before.map_or(String::new(), |before| format!(" · below: {before}"));
    let facts = run.map_or(before, |run| {
        let memory = megabytes(run.weight_bytes);
        let forward = run.forward.as_secs_f64() * 1e3;
        match roomy {
            true => format!(
                " · {} on {} · weights {memory} · forward {forward:>6.1} ms{}",
                run.backbone,
                run.device,
                run.hardware.as_ref().map_or(String::new(), |hardware| format!(" · {hardware}"))
            ),
            false => format!(" · {} {memory} {forward:>6.1} ms", run.device),
        }
    });
    let worth = match (&state.settings.model.source, state.settings.model.kind) {
        (ModelSource::Named(_), Some(ModelKind::Moe | ModelKind::MoeLlava)) => Meaning::Quiet,
        _ => Meaning::Warning,
    };
    let note = run.and_then(|r| r.fallback.as_deref()).map_or(String::new(), |why| format!(" · {why}"));
    canvas.spans(
        area,
        &[
            (&name, Meaning::Strong),
            (" · ", Meaning::Quiet),
            (caveat, worth),
            (&note, Meaning::Bad),
            (&facts, Meaning::Quiet),
        ],
    );
}

/// What is being done or went wrong.
fn status(app: &App) -> (Option<String>, Meaning) {
    let state = &app.screens.experts;
    match (&state.running, &state.error) {
        (Some(doing), _) if state.routed.is_some() => (Some(format!("… {doing}")), Meaning::Warning),
        (_, Some(error)) if state.routed.is_some() => (Some(format!("✗ {error}")), Meaning::Bad),
        _ => (None, Meaning::Quiet),
    }
}

fn value(app: &App, setting: Setting) -> String {
    let settings = &app.screens.experts.settings;
    match setting {
        Setting::Capacity => settings.capacity_factor.map_or("off".to_string(), |f| f.to_string()),
        Setting::TopK => settings.top_k.to_string(),
        Setting::Experts => settings.num_experts.to_string(),
        Setting::Mode if settings.model.source.reads_bytes() => "all layers".to_string(),
        Setting::Mode if settings.model.is_trained() => "its own".to_string(),
        Setting::Mode => settings.mode.to_string(),
    }
}

fn settings(canvas: &mut Canvas<'_>, app: &App, area: Area, roomy: bool) {
    let state = &app.screens.experts;
    let end = area.x + area.width;
    let mut x = area.x;
    for setting in Setting::ALL {
        let chosen = setting == state.setting;
        let name = match (roomy, setting) {
            (false, Setting::Capacity) => "capacity",
            (false, Setting::Experts) => "experts",
            (false, Setting::Mode) => "mode",
            _ => setting.name(),
        };
        let value = value(app, setting);
        let rest = Area { x, width: end.saturating_sub(x), ..area };
        let (open, close) = if chosen { ("‹", "›") } else { (" ", " ") };
        let meaning = if chosen { Meaning::Selected } else { Meaning::Text };
        x = canvas.spans(
            rest,
            &[
                (open, Meaning::Key),
                (name, Meaning::Quiet),
                (" ", Meaning::Quiet),
                (&value, meaning),
                (close, Meaning::Key),
            ],
        );
        x = x.saturating_add(1).min(end);
    }
    let rest = Area { x, width: end.saturating_sub(x), ..area };
    match &state.routed {
        Some(routed) if roomy => {
            let drops: usize = routed.layers.iter().map(|l| l.routing.decision.dropped()).sum();
            let meaning = if drops > 0 { Meaning::Bad } else { Meaning::Quiet };
            canvas.right(rest, &format!("{drops} assignments dropped in all layers"), meaning);
        }
        _ if roomy => {}
        _ => {
            canvas.right(rest, &position(app), Meaning::Quiet);
        }
    }
}

/// `L2 2/4 · load · all`.
fn position(app: &App) -> String {
    let state = &app.screens.experts;
    let layers = state.routed.as_ref().map_or(0, |r| r.layers.len());
    let number = state.shown_layer().map_or(0, |l| l.routing.layer);
    format!("L{number} {}/{layers} · {} · {}", state.layer + 1, state.view.name(), state.subset.name())
}

fn looking_at(canvas: &mut Canvas<'_>, app: &App, area: Area) {
    let state = &app.screens.experts;
    let Some(routed) = &state.routed else { return };
    let number = state.shown_layer().map_or(0, |l| l.routing.layer);
    let layer = format!("layer {number} ({} of {} MoE layers)", state.layer + 1, routed.layers.len());
    let size = routed.subsets.iter().find(|(s, _)| *s == state.subset).map_or(0, |(_, n)| *n);
    let counted =
        format!("{}: {} of {}", state.subset.name(), size, routed.count_text(routed.positions.len()));
    let cut = match routed.truncated {
        0 => String::new(),
        n => format!(" · {} beyond model_max_length cut", routed.count_text(n)),
    };
    let mut spans = vec![(" view ", Meaning::Quiet), (state.view.name(), Meaning::Strong)];
    spans.extend([
        ("   [ ] ", Meaning::Key),
        (layer.as_str(), Meaning::Text),
        ("   s ", Meaning::Key),
        ("subset ", Meaning::Quiet),
        (counted.as_str(), Meaning::Text),
        (cut.as_str(), Meaning::Bad),
    ]);
    canvas.spans(area, &spans);
}

fn small(canvas: &mut Canvas<'_>, app: &App, area: Area) {
    let state = &app.screens.experts;
    let setting = state.setting;
    let name = match &state.settings.model.source {
        ModelSource::Bytes => "bytes".to_string(),
        ModelSource::Seeded(name) => name.to_string(),
        ModelSource::Named(spec) => spec.rsplit('/').next().unwrap_or_default().to_string(),
    };
    let doing = if state.running.is_some() { "…" } else { "" };
    let text = format!("{name}{doing} {}", position(app));
    let word = match setting {
        Setting::Capacity => "cf",
        Setting::TopK => "k",
        Setting::Experts => "E",
        Setting::Mode => "mode",
    };
    let x = canvas.right(area, &format!(" ‹{word} {}›", value(app, setting)), Meaning::Key);
    canvas.text(Area { width: x.saturating_sub(area.x), ..area }, &text, Meaning::Strong);
}
