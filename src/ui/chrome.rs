//! What stands around every screen: header, tabs, the state of the sample, the alert, the footer.

use super::canvas::{Canvas, wrapped};
use super::theme::Meaning;
use crate::app::{
    Action, App, Area, Load, Notice, Panes, Screen, Target, Tier, context, hints, key_of, key_of_screen,
    keyed, tour,
};
use crate::chat::ReadProgress;
use crate::hub::{DownloadProgress, Stage};
use crate::labels::SampleStatus;
use crate::report::status_text;
use crate::setup::{RecipeChoice, SAMPLE_PREFIX, TokenChoice};
use crate::text::width;

/// Tokenizer, class, vocabulary; template, rule, recipe, overrides; all samples.
pub fn header(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let area = inset(panes.header);
    if area.height == 0 {
        return;
    }
    let roomy = panes.header.width >= 118;
    let samples = if roomy { "samples " } else { "" };
    let tally = if app.session.survey.states.is_empty() {
        String::new()
    } else {
        format!(" {samples}{}", app.session.counts().line())
    };
    let end = canvas.right(area, &tally, Meaning::Strong);
    let area = Area { width: end - area.x, ..area };
    let name = short_name(&app.session.request.tokenizer);
    let Some(view) = app.session.shown() else {
        let doing = match &app.session.base {
            Load::Failed(_) => "could not be loaded",
            Load::Ready(_) if matches!(app.session.samples, Load::Failed(_)) => {
                "loaded, but there is no data"
            }
            Load::Ready(_) if app.session.view.has_failed() => "loaded, but nothing is labelled",
            Load::Ready(_) if app.session.samples.ready().is_some() => "labelling …",
            Load::Ready(_) => "reading the conversations …",
            _ => "loading …",
        };
        canvas.spans(
            area,
            &[
                ("maskscope  ", Meaning::Key),
                (name, Meaning::Strong),
                ("  ", Meaning::Text),
                (doing, Meaning::Warning),
            ],
        );
        return;
    };
    let setup = &view.setup;
    let tokenizer = &setup.tokenizer;
    let added = tokenizer.len().saturating_sub(tokenizer.vocab_size());
    let loader = tokenizer.facts.loader.name();
    let class = match roomy {
        true => format!(" {} {loader} {} + {added}", tokenizer.facts.name, tokenizer.vocab_size()),
        false => format!(" {loader} {}+{added}", tokenizer.vocab_size()),
    };
    let recipe = setup.recipe.map_or("none", |r| r.name);
    let product = if roomy { "maskscope  " } else { "" };
    canvas.spans(
        area,
        &[
            (product, Meaning::Key),
            (name, Meaning::Strong),
            (&class, Meaning::Quiet),
            (if roomy { "  template " } else { " · " }, Meaning::Quiet),
            (setup.template_name(), Meaning::Strong),
            (" rule ", Meaning::Quiet),
            (setup.rule_name(), Meaning::Strong),
            (" recipe ", Meaning::Quiet),
            (recipe, Meaning::Strong),
            (&overrides(app), Meaning::Overridden),
        ],
    );
}

/// The user's own overrides, and what else differs from the default.
fn overrides(app: &App) -> String {
    let mut text = String::new();
    for (role, choice) in &app.session.request.overrides {
        let token = match choice {
            TokenChoice::Surface(token) | TokenChoice::Object(token) => token.as_str(),
            TokenChoice::CopyOf(from) => from.name(),
        };
        text += &format!(" {}={token}", role.name());
    }
    if app.session.request.mm_use_im_start_end {
        text += " im_start_end";
    }
    text
}

/// The tabs: as roomy as they fit; where not even the narrow form fits, those around the present one.
pub fn tabs(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let area = inset(panes.tabs);
    if area.height == 0 {
        return;
    }
    let texts = |pad: &str| -> Vec<(Screen, String)> {
        let text = |screen: Screen| format!("{pad}{} {}{pad}", key_of_screen(screen), screen.name());
        Screen::ALL.into_iter().map(|screen| (screen, text(screen))).collect()
    };
    let total = |texts: &[(Screen, String)]| texts.iter().map(|(_, t)| width(t) + 1).sum::<usize>();
    let room = usize::from(area.width);
    let mut tabs = texts(" ");
    if total(&tabs) > room + 1 {
        tabs = texts("");
    }
    let mut x = area.x;
    // Leading tabs give way until the present one fits, with a mark that there are more.
    let mut hidden = 0;
    while total(tabs.get(..=position(app.shell.screen, hidden)).unwrap_or(&tabs)) + 4 > room
        && hidden < Screen::ALL.len()
    {
        if total(&tabs) <= room + 1 {
            break;
        }
        tabs.remove(0);
        hidden += 1;
    }
    if hidden > 0 {
        x = canvas.text(area, "‹ ", Meaning::Quiet);
    }
    let end = area.x + area.width;
    let last = tabs.last().map(|(screen, _)| *screen);
    for (screen, text) in tabs {
        let wide = u16::try_from(width(&text)).unwrap_or(0);
        // Behind any but the last one there is a mark that more follow.
        let fits = if Some(screen) == last { end } else { end.saturating_sub(2) };
        if x + wide > fits && x + wide != end {
            canvas.text(Area { x: end.saturating_sub(1), width: 1, ..area }, "›", Meaning::Quiet);
            break;
        }
        let spot = Area { x, width: wide, ..area };
        canvas.text(spot, &text, if screen == app.shell.screen { Meaning::Selected } else { Meaning::Quiet });
        canvas.hit(spot, Target::Screen(screen));
        x += wide + 1;
    }
}

/// Where a screen's tab stands when `hidden` tabs gave way.
fn position(screen: Screen, hidden: usize) -> usize {
    Screen::ALL.iter().position(|s| *s == screen).unwrap_or(0).saturating_sub(hidden)
}

/// The frame with the sample's name and state in its top line, or the state line of a small screen.
pub fn state(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    canvas.frame(panes.frame, frame_meaning(app));
    let (text, meaning) = state_text(app, panes.tier);
    let name = app.session.sample().map_or(app.session.source.name(), |s| s.id.clone());
    let count = app.session.samples.ready().map_or(0, |s| s.len());
    let place = format!("{name} · {}/{count}", app.session.current + 1);
    if panes.tier == Tier::Small {
        let x = canvas
            .right(panes.state, &format!(" {place}"), Meaning::Quiet)
            .max(panes.state.x + panes.state.width / 2);
        let left = Area { width: x - panes.state.x, ..panes.state };
        canvas.text(left, &text, meaning);
        return;
    }
    let edited = if app.session.draft.is_some() { " · edited" } else { "" };
    let title = format!(" {place} · {}{edited} ", app.session.source.name());
    let area = Area { x: panes.state.x + 2, width: panes.state.width.saturating_sub(4), ..panes.state };
    let x = canvas.right(area, &format!(" {text} "), meaning);
    canvas.text(Area { width: x.saturating_sub(area.x), ..area }, &title, Meaning::Strong);
}

fn frame_meaning(app: &App) -> Meaning {
    match app.session.state() {
        Some(SampleStatus::Sound { .. }) | None => Meaning::Quiet,
        Some(_) => Meaning::Bad,
    }
}

/// How the names of tokenizer files end.
const FILE_KINDS: [&str; 5] = ["json", "model", "tiktoken", "gguf", "gz"];

/// What the header calls a tokenizer: a path by its last folder, since what else the line says matters more.
fn short_name(tokenizer: &str) -> &str {
    let name = tokenizer.strip_prefix(SAMPLE_PREFIX).unwrap_or(tokenizer);
    let is_hub_id = name.split('/').count() <= 2 && !name.starts_with(['/', '.', '~']);
    if is_hub_id {
        return name;
    }
    // A file says nothing without its folder: `llama3/tokenizer.json`.
    let path = name.trim_end_matches('/');
    let is_file = |last: &str| last.rsplit_once('.').is_some_and(|(_, kind)| FILE_KINDS.contains(&kind));
    match path.rsplit_once('/') {
        Some((folder, last)) if is_file(last) => {
            let from = folder.rsplit_once('/').map_or(0, |(above, _)| above.len() + 1);
            path.get(from..).unwrap_or(last)
        }
        Some((_, last)) => last,
        None => path,
    }
}

/// The state of the sample, readable from across the room.
fn state_text(app: &App, tier: Tier) -> (String, Meaning) {
    let short = tier == Tier::Small;
    if app.session.running.is_some() {
        return ("… labelling".to_string(), Meaning::Warning);
    }
    let Some(state) = app.session.state() else {
        return match (&app.session.base, &app.session.samples) {
            (Load::Failed(_), _) => {
                (format!("✗ no tokenizer: press {}", key_of(Action::PickTokenizer)), Meaning::Bad)
            }
            (_, Load::Failed(_)) => (format!("✗ no data: press {}", key_of(Action::OpenFile)), Meaning::Bad),
            (Load::Ready(_), Load::Loading) => ("… reading the conversations".to_string(), Meaning::Warning),
            (Load::Ready(_), _) if app.session.view.has_failed() => {
                ("✗ not labelled".to_string(), Meaning::Bad)
            }
            (Load::Ready(_), _) => ("… labelling".to_string(), Meaning::Warning),
            _ => ("… loading the tokenizer".to_string(), Meaning::Warning),
        };
    };
    let symbol = state.kind().symbol();
    let lengths =
        app.session.shown().and_then(|v| v.labelled()).and_then(|l| Some((l.cur_len?, l.total_len?)));
    let mut text = match (&state, lengths) {
        _ if !short => app.session.shown().map_or_else(String::new, |view| status_text(&view.inspection)),
        (SampleStatus::Sound { supervised, truncated, tokens }, lengths) => {
            let lengths = match lengths {
                Some((cur, total)) if cur == total => format!("{cur} = {total} · "),
                _ => String::new(),
            };
            let cut = if *truncated > 0 { " ✂" } else { "" };
            format!("{symbol} {lengths}{supervised}/{tokens}{cut}")
        }
        (SampleStatus::Silent { tokens, .. }, _) => format!("{symbol} 0/{tokens}"),
        (SampleStatus::Mismatch { cur_len, total_len, .. }, _) => format!("{symbol} {cur_len} ≠ {total_len}"),
        (SampleStatus::Raises { kind, .. }, _) => format!("{symbol} {kind}"),
    };
    let found = app.screens.doctor.worst_of_current(&app.session);
    if let Some(finding) = found {
        text += &format!(" · doctor {} {}", finding.verdict.symbol(), finding.id);
    }
    let meaning = match state {
        SampleStatus::Sound { truncated: 0, .. } if found.is_none() => Meaning::Good,
        SampleStatus::Sound { .. } => Meaning::Warning,
        _ => Meaning::Bad,
    };
    (text, meaning)
}

/// Why something is wrong, and the key that repairs it.
pub fn alert(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let (Some(cause), area) = (&app.session.cause, panes.alert) else { return };
    if area.height == 0 {
        return;
    }
    if panes.tier == Tier::Small {
        canvas.text(area.line(0), &cause.what, Meaning::Warning);
    } else {
        canvas.spans(area.line(0), &[("why  ", Meaning::Quiet), (&cause.what, Meaning::Warning)]);
    }
    let line = area.line(1);
    match &app.session.fix {
        Load::Ready(Some(fix)) => {
            canvas.hit(line, Target::Fix);
            if panes.tier == Tier::Small {
                let text = format!("→ {}: ✓", fix.label);
                canvas.spans(
                    line,
                    &[
                        ("press ", Meaning::Text),
                        (&key_of(Action::ApplyFix), Meaning::Key),
                        (" ", Meaning::Text),
                        (&text, Meaning::Good),
                    ],
                );
                return;
            }
            let all = if fix.counts.total() < app.session.samples.ready().map_or(0, |s| s.len()) {
                "first"
            } else {
                "all"
            };
            let result = format!(" → {} · {all} {}", fix.current.line(), fix.counts.line());
            let more = match app.shell.screen {
                Screen::Lengths => String::new(),
                _ => format!("   {}", key_of_screen(Screen::Lengths)),
            };
            canvas.spans(
                line,
                &[
                    ("fix  ", Meaning::Quiet),
                    ("press ", Meaning::Text),
                    (&key_of(Action::ApplyFix), Meaning::Key),
                    (" to try ", Meaning::Text),
                    (&fix.label, Meaning::Strong),
                    (&result, Meaning::Good),
                    (&more, Meaning::Key),
                    (if more.is_empty() { "" } else { " shows the count" }, Meaning::Quiet),
                ],
            );
        }
        Load::Loading => {
            canvas.spans(
                line,
                &[("fix  ", Meaning::Quiet), ("trying set-ups that could help …", Meaning::Quiet)],
            );
        }
        _ => {
            canvas.spans(line, &[("fix  ", Meaning::Quiet), (&keyed(&cause.remedy), Meaning::Text)]);
        }
    }
}

/// A message, or the keys of the context.
pub fn footer(canvas: &mut Canvas<'_>, app: &App, panes: &Panes) {
    let area = inset(panes.footer);
    let tour = tour::line(&app.shell, &app.session).map(|line| {
        let keys = [key_of(Action::Tour), key_of(Action::Back)];
        format!("{}   {} next  {} ends", keyed(&line), keys[0], keys[1])
    });
    let tour = tour.filter(|_| app.shell.overlay.is_none()).map(|text| Notice { text, is_error: false });
    if let Some(notice) = app.shell.notice.as_ref().or(tour.as_ref()) {
        let meaning = if notice.is_error { Meaning::Bad } else { Meaning::Warning };
        let mark = if notice.is_error { "✗ " } else { "" };
        let text = format!("{mark}{}", notice.text.replace('\n', " "));
        // A long message takes as many lines as it needs, over what stands above the footer.
        let lines = wrapped(&text, usize::from(area.width));
        let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.y);
        let area = Area { y: area.y + area.height - height.max(1), height: height.max(1), ..area };
        if height > 1 {
            canvas.fill(Area { x: 0, width: panes.footer.width, ..area }, Meaning::Text);
        }
        canvas.paragraph(area, &text, meaning);
        return;
    }
    if let Some(text) = loading_text(app).filter(|_| app.shell.overlay.is_none()) {
        canvas
            .spans(area, &[(&text, Meaning::Warning), ("  esc ", Meaning::Key), ("ends it", Meaning::Quiet)]);
        return;
    }
    if app.session.is_demo() && app.shell.overlay.is_none() && app.shell.screen == Screen::Labels {
        demo(canvas, area, app.session.kept.is_some());
        return;
    }
    let hints = hints(context(app));
    // Help and quit are never the ones that do not fit.
    let (last, first): (Vec<_>, Vec<_>) =
        hints.iter().partition(|(_, word)| matches!(*word, "help" | "quit"));
    let tail: usize = last.iter().map(|(key, word)| width(key) + width(word) + 3).sum();
    let mut x = area.x;
    let end = area.x + area.width;
    let reserved = end.saturating_sub(u16::try_from(tail).unwrap_or(0));
    for (list, limit) in [(first, reserved), (last, end)] {
        for (key, word) in list {
            let wide = u16::try_from(width(key) + width(word) + 3).unwrap_or(u16::MAX);
            if x.saturating_add(wide) > limit.saturating_add(2) {
                break;
            }
            let spot = Area { x, width: end.saturating_sub(x), ..area };
            x = canvas.spans(spot, &[(key, Meaning::Key), (" ", Meaning::Text), (word, Meaning::Quiet)]) + 2;
        }
    }
}

/// That this is a demo, and the keys that lead out of it.
fn demo(canvas: &mut Canvas<'_>, area: Area, has_kept: bool) {
    let (what, words) = match (area.width, has_kept) {
        (100.., false) | (122.., true) => (
            "Demo: phi-2 with pad = unk, broken on purpose",
            ["repairs", "tokenizer", "your data", "last session", "tour", "help"],
        ),
        (76.., false) | (106.., true) => (
            "Demo: pad = unk, broken on purpose",
            ["repairs", "tokenizer", "data", "last session", "tour", "help"],
        ),
        (76.., true) => ("Demo: broken on purpose", ["repairs", "tokenizer", "data", "last", "", "help"]),
        (_, true) => ("Demo", ["repair", "", "data", "last", "", "help"]),
        (_, false) => ("Demo", ["repair", "", "data", "", "tour", "help"]),
    };
    let acts = [
        Action::ApplyFix,
        Action::PickTokenizer,
        Action::OpenFile,
        Action::OpenKept,
        Action::Tour,
        Action::Help,
    ];
    let is_offered = |act: Action, word: &str| !word.is_empty() && (act != Action::OpenKept || has_kept);
    let mut x = canvas.spans(area, &[(what, Meaning::Warning)]);
    let end = area.x + area.width;
    for (act, word) in acts.into_iter().zip(words).filter(|(act, word)| is_offered(*act, word)) {
        let spot = Area { x, width: end.saturating_sub(x), ..area };
        let key = key_of(act);
        let between = if area.width >= 76 { " · " } else { " " };
        let parts = [
            (between, Meaning::Quiet),
            (key.as_str(), Meaning::Key),
            (" ", Meaning::Text),
            (word, Meaning::Quiet),
        ];
        x = canvas.spans(spot, &parts);
    }
}

/// One blank column at both sides.
fn inset(area: Area) -> Area {
    Area { x: area.x + 1, width: area.width.saturating_sub(2), ..area }
}

/// The recipe as it was asked for: `auto (phi)`.
pub fn recipe_text(app: &App) -> String {
    let chosen = app.session.shown().and_then(|v| v.setup.recipe).map_or("none", |r| r.name);
    if app.session.request.recipe == RecipeChoice::Auto {
        format!("{chosen} (auto)")
    } else {
        chosen.to_string()
    }
}

/// How far the loading is that Esc would end.
fn loading_text(app: &App) -> Option<String> {
    match (&app.session.base, &app.session.progress, &app.session.samples, &app.session.reading) {
        (Load::Loading, Some(progress), ..) => Some(progress_text(app, progress)),
        (.., Load::Loading, Some(progress)) => Some(reading_text(app, progress)),
        _ => None,
    }
}

/// `data.json · 12000 samples · 3.1 of 11.4 MB`.
fn reading_text(app: &App, progress: &ReadProgress) -> String {
    let of = progress.total.map(|total| format!(" of {}", megabytes(total))).unwrap_or_default();
    format!(
        "{} · {} samples · {}{of} MB",
        app.session.source.name(),
        progress.samples,
        megabytes(progress.bytes)
    )
}

/// Exact enough for a display: bytes of a file are far below 2^53.
#[allow(clippy::cast_precision_loss)]
fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

/// `org/name · tokenizer.json · 3.1 of 11.4 MB · 2.2 MB/s`.
fn progress_text(app: &App, progress: &DownloadProgress) -> String {
    let mut parts = vec![app.session.request.tokenizer.clone()];
    parts.push(match progress.stage {
        Stage::Listing => "asking which files there are".to_string(),
        Stage::Checking => "asking for sizes".to_string(),
        Stage::Waiting => "another program downloads it".to_string(),
        Stage::Downloading => progress.file.clone(),
        Stage::Verifying => format!("checking {}", progress.file),
        Stage::FromCache => "from the cache".to_string(),
    });
    if progress.bytes > 0 {
        let done = megabytes(progress.bytes);
        parts.push(match progress.total {
            Some(total) => format!("{done} of {} MB", megabytes(total)),
            None => format!("{done} MB"),
        });
    }
    if let Some(rate) = progress.bytes_per_second {
        parts.push(format!("{:.1} MB/s", rate / 1e6));
    }
    parts.join(" · ")
}
