//! The screens on a chat template: messages as turns, all strategies on one sample, the prompt over the training text,
//! the template editor, the doctor.

use maskscope::app::screens::strategies::StrategiesView;
use maskscope::app::{App, DataSource, Key, Msg, Overlay, Screen};
use maskscope::runtime::feed;
use maskscope::setup::Request;
use maskscope::ui::{Depth, Frame, render, to_text};

const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (40, 12)];

fn press(app: &mut App, keys: &str) {
    for key in Key::parse_list(keys).expect("keys") {
        feed(app, Msg::Key(key));
    }
}

fn type_text(app: &mut App, text: &str) {
    feed(app, Msg::Paste(text.to_string()));
}

fn frame(app: &mut App, (width, height): (u16, u16)) -> Frame {
    feed(app, Msg::Resize(width, height));
    render(app, Depth::True)
}

fn text(app: &mut App, size: (u16, u16)) -> String {
    to_text(&frame(app, size).buffer)
}

/// A first run with a built-in template and the built-in messages taken from the list of recipes.
fn built_in(template: &str) -> App {
    let mut app = App::new(Request::default(), DataSource::Embedded, true);
    feed(&mut app, Msg::Resize(120, 40));
    feed(&mut app, Msg::Start);
    press(&mut app, "r");
    type_text(&mut app, template);
    press(&mut app, "enter");
    assert_eq!(
        app.session.request.template.to_string(),
        format!("sample:{template}"),
        "{:?}",
        app.shell.notice
    );
    app
}

fn snapshots(app: &mut App, name: &str) {
    for size in SIZES {
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), text(app, size));
    }
}

#[test]
fn messages_on_the_screens() {
    let mut app = built_in("chatml-think");
    let names: Vec<String> =
        app.session.shown().expect("a view").sections.iter().map(|section| section.name()).collect();
    let expected =
        ["round 1 USER", "round 1 CALL", "round 1 TOOL", "round 1 ANSWER", "round 2 USER", "round 2 ANSWER"];
    assert_eq!(names, expected);
    for (name, key) in [
        ("labels", "1"),
        ("lengths", "2"),
        ("prompt", "4"),
        ("strategies", "S"),
        ("over_prompt", "v"),
        ("doctor", "6"),
    ] {
        press(&mut app, key);
        snapshots(&mut app, name);
    }
    press(&mut app, "3");
    insta::assert_snapshot!("special_80x24", text(&mut app, (80, 24)));
    press(&mut app, "R");
    insta::assert_snapshot!("rules_80x24", text(&mut app, (80, 24)));
    press(&mut app, "esc c");
    type_text(&mut app, "chat");
    insta::assert_snapshot!("templates_80x24", text(&mut app, (80, 24)));
}

#[test]
fn a_screen_without_a_chat_template_says_how_to_get_one() {
    let mut app = App::new(Request::default(), DataSource::Embedded, true);
    feed(&mut app, Msg::Resize(120, 40));
    feed(&mut app, Msg::Start);
    press(&mut app, "S");
    assert!(text(&mut app, (120, 40)).contains("the strategies work on chat templates"));
    press(&mut app, "E");
    assert!(app.shell.overlay.is_none() && app.shell.notice.is_some());
}

#[test]
fn the_strategy_under_the_cursor_becomes_the_rule() {
    let mut app = built_in("chatml-think");
    press(&mut app, "S");
    let compared = app.screens.strategies.result.ready().expect("a comparison").clone();
    assert!(compared.comparison.differences.len() > 3);
    let first = app.screens.strategies.token;
    assert!(compared.comparison.difference_at(first).is_some(), "the cursor starts where strategies differ");
    press(&mut app, "]");
    let next = app.screens.strategies.token;
    assert!(next > first && compared.comparison.difference_at(next).is_some());
    press(&mut app, "[");
    assert_eq!(app.screens.strategies.token, first);
    press(&mut app, "down enter");
    assert_eq!(app.session.request.preprocess, "oi_prefix".parse().expect("a strategy"));
    assert_eq!(app.shell.screen, Screen::Strategies);
    assert_eq!(app.session.shown().expect("a view").setup.rule_name(), "oi_prefix");
    press(&mut app, "u");
    assert_ne!(app.session.request.preprocess, "oi_prefix".parse().expect("a strategy"));
    // One that does not apply is refused with the reason.
    press(&mut app, "end up up up up up up up up up up up up up up up up up up up");
    app.screens.strategies.strip = compared.order.len() - 1;
    press(&mut app, "enter");
    assert!(
        app.shell.notice.as_ref().is_some_and(|n| n.text.contains("does not apply")),
        "{:?}",
        app.shell.notice
    );
}

#[test]
fn the_prompt_view_goes_from_answer_to_answer() {
    let mut app = built_in("chatml-think");
    press(&mut app, "S v");
    assert_eq!(app.screens.strategies.view, StrategiesView::Prompt);
    let before = text(&mut app, (120, 40));
    assert!(before.contains("supervision starts where the prompt ends"), "{before}");
    press(&mut app, "]");
    assert_eq!(app.screens.strategies.answer, 1);
    press(&mut app, "v");
    assert_eq!(app.screens.strategies.view, StrategiesView::Strips);
    let mut forced = built_in("chatml-forced-think");
    press(&mut forced, "n S v");
    let shown = text(&mut forced, (120, 40));
    assert!(shown.contains("the prompt ends with “<think>↵”"), "{shown}");
}

fn editor(app: &App) -> &maskscope::app::TemplateEditor {
    match &app.shell.overlay {
        Some(Overlay::Template(editor)) => editor,
        other => panic!("no editor but {other:?}"),
    }
}

#[test]
fn the_template_is_edited_live() {
    let mut app = built_in("chatml-no-tag");
    press(&mut app, "n E");
    assert!(editor(&app).good.as_ref().is_some_and(|text| text.contains("The Loire.")));
    snapshots(&mut app, "editor");
    type_text(&mut app, "HEAD");
    assert!(editor(&app).good.as_ref().is_some_and(|text| text.starts_with("HEAD")));
    // An error keeps the last good result and names its line.
    press(&mut app, "down down end");
    type_text(&mut app, "{% if %}");
    let problem = editor(&app).problem.clone().expect("an error");
    assert_eq!(problem.line, Some(3), "{problem:?}");
    assert!(editor(&app).good.is_some());
    snapshots(&mut app, "editor_error");
    press(&mut app, "ctrl-s");
    assert!(app.shell.overlay.is_some(), "a template with an error is not kept");
    for _ in 0.."{% if %}".len() {
        press(&mut app, "backspace");
    }
    assert!(editor(&app).problem.is_none());
    press(&mut app, "ctrl-s");
    assert!(app.shell.overlay.is_none());
    let prompt =
        |app: &App| app.session.shown().and_then(|view| view.inspection.prompt.clone()).unwrap_or_default();
    assert!(prompt(&app).starts_with("HEAD"));
    press(&mut app, "u");
    assert!(!prompt(&app).starts_with("HEAD"));
    press(&mut app, "E");
    type_text(&mut app, "gone");
    press(&mut app, "esc");
    assert!(!prompt(&app).starts_with("gone"));
}

#[test]
fn a_hostile_template_in_the_editor_ends() {
    let mut app = built_in("chatml-no-tag");
    press(&mut app, "E");
    type_text(
        &mut app,
        "{% for i in range(99999) %}{% for j in range(99999) %}{{ j }}{% endfor %}{% endfor %}",
    );
    let problem = editor(&app).problem.clone().expect("a limit");
    assert!(problem.message.contains("stopped"), "{problem:?}");
}

#[test]
fn nothing_of_a_template_or_a_message_reaches_the_terminal_raw() {
    let mut app = built_in("chatml-no-tag");
    press(&mut app, "n E");
    type_text(&mut app, "a\u{1b}[31m\u{202e}\u{0}\u{7f}b");
    for size in SIZES {
        let frame = frame(&mut app, size);
        for cell in frame.buffer.content() {
            assert!(!cell.symbol().chars().any(|c| c.is_control() || c == '\u{202e}'), "{:?}", cell.symbol());
        }
    }
}

#[test]
fn every_size_draws() {
    let mut app = built_in("chatml-think");
    for keys in ["S", "v", "v E"] {
        press(&mut app, keys);
        for size in [(0, 0), (1, 1), (2, 2), (24, 6), (30, 8), (59, 15), (60, 16), (99, 23), (200, 60)] {
            frame(&mut app, size);
        }
    }
}
