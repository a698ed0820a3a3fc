//! Searching, going to a number, copying, and the list of samples: as keys ask for them, on the state of the screen.

mod on_screen;

use maskscope::app::screens::samples::{SampleFilter, SampleOrder};
use maskscope::app::{App, Effect, Key, Msg, Overlay, Screen, update};
use maskscope::labels::StatusKind;
use maskscope::runtime::feed;
use on_screen::{first_run, press};

/// Searches for a text, which may hold blanks.
fn search(app: &mut App, text: &str) {
    press(app, "/");
    feed(app, Msg::Paste(text.to_string()));
    press(app, "enter");
}

fn notice(app: &App) -> String {
    app.shell.notice.as_ref().map(|notice| notice.text.clone()).unwrap_or_default()
}

/// The tokens of the sample on screen with this id.
fn with_id(app: &App, id: i64) -> Vec<usize> {
    let view = app.session.shown().expect("a sample");
    (0..view.len()).filter(|token| view.token(*token).is_some_and(|token| token.id == id)).collect()
}

#[test]
fn every_token_of_a_kind_is_found_one_after_the_other() {
    let mut app = first_run();
    // <|endoftext|> of phi-2.
    let ends = with_id(&app, 50256);
    assert_eq!(ends.len(), 3, "one behind each round");
    press(&mut app, "home /");
    feed(&mut app, Msg::Paste("<|ENDOFTEXT|>".to_lowercase()));
    let Some(Overlay::Search(prompt)) = &app.shell.overlay else { panic!("the prompt") };
    assert_eq!(prompt.found, Some(3), "counted while it is typed");
    press(&mut app, "enter");
    for (n, end) in ends.iter().enumerate() {
        assert_eq!(app.session.token, *end);
        assert!(notice(&app).contains(&format!("{} of 3, token {end}", n + 1)), "{}", notice(&app));
        press(&mut app, "n");
    }
    assert_eq!(app.session.token, ends[0], "around the end");
    press(&mut app, "N");
    assert_eq!(app.session.token, ends[2]);
    // By its id it is the same.
    search(&mut app, "50256");
    assert_eq!((app.session.matches.clone(), app.session.token), (ends, app.session.matches[0]));
    // The search goes on in the next sample, and esc ends it: n is the next sample again.
    let sample = app.session.current;
    press(&mut app, "}");
    assert_eq!(app.session.current, sample + 1);
    assert_eq!(app.session.matches, with_id(&app, 50256));
    press(&mut app, "esc n");
    assert_eq!((app.session.current, app.session.search.is_none()), (sample + 2, true));
}

#[test]
fn a_text_is_found_over_the_seam_of_tokens_and_out_of_a_fold() {
    let mut app = first_run();
    press(&mut app, "home");
    search(&mut app, "polite answers");
    let view = app.session.shown().cloned().expect("a sample");
    let fold = view.folds.first().cloned();
    let text = view.inspection.prompt.as_deref().expect("a prompt");
    let span = view.labelled().expect("labels").spans[app.session.token].clone();
    assert!(text[span.start..].trim_start().starts_with("polite"), "{:?}", &text[span]);
    if fold.is_some_and(|fold| fold.contains(&app.session.token)) {
        assert!(!app.screens.labels.unfolded.is_empty(), "the fold is open");
    }
    search(&mut app, "no such text anywhere");
    assert!(notice(&app).contains("not in this sample"), "{}", notice(&app));
    assert!(app.session.matches.is_empty());
}

#[test]
fn a_number_in_the_palette_is_a_token_or_a_sample() {
    let mut app = first_run();
    press(&mut app, ":");
    feed(&mut app, Msg::Paste("12".to_string()));
    press(&mut app, "enter");
    assert_eq!((app.session.token, app.session.current), (12, 0));
    press(&mut app, ":");
    feed(&mut app, Msg::Paste("#3".to_string()));
    press(&mut app, "enter");
    assert_eq!(app.session.current, 2);
    press(&mut app, "5 :");
    feed(&mut app, Msg::Paste("2".to_string()));
    press(&mut app, "enter");
    assert_eq!(app.session.current, 1);
    // Behind the last token is the last one.
    press(&mut app, "1 :");
    feed(&mut app, Msg::Paste("999999".to_string()));
    press(&mut app, "enter");
    let view = app.session.shown().expect("a sample");
    assert_eq!(app.session.token, view.len() - 1);
}

#[test]
fn samples_are_sorted_filtered_and_searched() {
    let mut app = first_run();
    let count = app.session.samples.ready().expect("samples").len();
    let listed = |app: &App| {
        let list = &app.screens.samples;
        (0..list.len(count)).map(|row| list.sample_at(row, count).expect("a row")).collect::<Vec<_>>()
    };
    press(&mut app, "f 5");
    assert_eq!(listed(&app), (0..count).collect::<Vec<_>>());
    let states = app.session.survey.states.clone();
    let sound = states.iter().filter(|state| state.is_sound()).count();
    assert!(sound > 0 && sound < count, "{sound} of {count} are sound");

    press(&mut app, "s");
    assert_eq!(app.screens.samples.order, SampleOrder::WorstFirst);
    assert!(!states[listed(&app)[0]].is_sound() && states[listed(&app)[count - 1]].is_sound());
    press(&mut app, "s s s v");
    assert_eq!(app.screens.samples.filter, SampleFilter::NotSound);
    assert_eq!(listed(&app).len(), count - sound);
    press(&mut app, "v");
    assert_eq!(app.screens.samples.filter, SampleFilter::Of(StatusKind::Mismatch));
    assert!(listed(&app).iter().all(|sample| states[*sample].kind() == StatusKind::Mismatch));
    // Enter opens the sample of the row.
    press(&mut app, "v v v home");
    assert_eq!(app.screens.samples.filter, SampleFilter::All, "without a search there is nothing found");
    press(&mut app, "v end");
    let last = *listed(&app).last().expect("a row");
    press(&mut app, "enter");
    assert_eq!((app.session.current, app.shell.screen), (last, Screen::Labels));
    // Faults follow each other without the list.
    press(&mut app, ")");
    let next = app.session.current;
    assert!(next != last && !states[next].is_sound());
    press(&mut app, "(");
    assert_eq!(app.session.current, last);

    // A search goes from sample to sample, and lists them.
    press(&mut app, "5 v v v v home");
    assert_eq!(app.screens.samples.filter, SampleFilter::All);
    let id = app.session.samples.ready().expect("samples")[count - 2].id.clone();
    search(&mut app, &id);
    assert_eq!(app.screens.samples.cursor, count - 2);
    press(&mut app, "v v v v v");
    assert_eq!(app.screens.samples.filter, SampleFilter::Found);
    assert!(listed(&app).contains(&(count - 2)) && listed(&app).len() < count);
}

#[test]
fn the_help_is_searched() {
    let mut app = first_run();
    press(&mut app, "? /");
    feed(&mut app, Msg::Paste("undo the last change".to_string()));
    press(&mut app, "enter");
    let Some(Overlay::Help(help)) = &app.shell.overlay else { panic!("the help") };
    let line = &maskscope::app::help::lines(app.shell.screen)[help.top];
    assert!(line.what.contains("undo the last change"), "{line:?}");
    press(&mut app, "/ esc");
    assert!(matches!(&app.shell.overlay, Some(Overlay::Help(_))), "esc closes the prompt, not the help");
}

#[test]
fn parts_of_the_sample_are_copied() {
    let mut app = first_run();
    let mut copied = Vec::new();
    for entry in 0..6 {
        press(&mut app, "y");
        for _ in 0..entry {
            press(&mut app, "down");
        }
        let effects = update(&mut app, Msg::Key(Key::parse("enter").expect("a key")));
        for effect in effects {
            if let Effect::Copy(text, name) = effect {
                copied.push((name, text));
            }
        }
    }
    let names: Vec<&str> = copied.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        names,
        ["text of the token", "id of the token", "input_ids", "labels", "prompt", "sample as JSON"]
    );
    let view = app.session.shown().expect("a sample");
    let labelled = view.labelled().expect("labels");
    let numbers = |text: &str| serde_json::from_str::<Vec<i64>>(text).expect("a list");
    assert_eq!(numbers(&copied[2].1), labelled.input_ids);
    assert_eq!(numbers(&copied[3].1), labelled.labels);
    assert_eq!(copied[1].1, labelled.input_ids[app.session.token].to_string());
    assert_eq!(Some(&copied[4].1), view.inspection.prompt.as_ref());
    let row: serde_json::Value = serde_json::from_str(&copied[5].1).expect("JSON");
    assert_eq!(row["input_ids"], serde_json::json!(labelled.input_ids));
}
