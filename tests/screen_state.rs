//! What the screens know and do, without drawing: side B of Compare, the proposal of Onboard, the rounds of Lengths.

mod on_screen;

use maskscope::app::screens::compare::CompareRow;
use maskscope::app::{App, DataSource, Effect, JobKind, Key, Load, Msg, Overlay, Screen, Target, update};
use maskscope::runtime::{feed, run_now};
use maskscope::setup::Request;
use maskscope::tokenizer::Loader;
use on_screen::{first_run, press};

/// Presses a key and leaves the jobs that it starts undone.
fn begin(app: &mut App, key: &str) -> Vec<Effect> {
    update(app, Msg::Key(Key::parse(key).expect("a key")))
}

fn notice(app: &App) -> (&str, bool) {
    app.shell.notice.as_ref().map_or(("", false), |notice| (notice.text.as_str(), notice.is_error))
}

#[test]
fn a_path_is_completed_and_the_demos_fault_stays_in_the_demo() {
    let mut app = first_run();
    assert!(!app.session.request.overrides.is_empty(), "the demo is broken on purpose");
    let folder = tempfile::tempdir().expect("a folder");
    let text =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/conversations/01-three-rounds.json"))
            .expect("samples");
    for name in ["first_one.json", "first_two.json"] {
        std::fs::write(folder.path().join(name), &text).expect("written");
    }
    press(&mut app, "O");
    feed(&mut app, Msg::Paste(format!("{}/fi", folder.path().display())));
    press(&mut app, "tab");
    let typed = |app: &App| match &app.shell.overlay {
        Some(Overlay::Path(prompt)) => (prompt.input.value().to_string(), prompt.names.len()),
        _ => panic!("a path is asked for"),
    };
    assert_eq!(typed(&app), (format!("{}/first_", folder.path().display()), 2));
    press(&mut app, "o tab");
    assert_eq!(typed(&app), (format!("{}/first_one.json", folder.path().display()), 0));
    press(&mut app, "enter");
    assert!(app.session.request.overrides.is_empty());
    // As a user finds it who starts with his data.
    let mut own = App::new(Request::default(), DataSource::File(folder.path().join("first_one.json")), false);
    feed(&mut own, Msg::Resize(120, 40));
    feed(&mut own, Msg::Start);
    assert_eq!(app.session.counts(), own.session.counts());
}

#[test]
fn compare_takes_the_other_class_until_side_b_is_chosen() {
    let mut app = first_run();
    press(&mut app, "f 9");
    let samples = app.session.samples.ready().expect("samples").len();
    let screen = &app.screens.compare;
    let compared = screen.result.ready().expect("a comparison");
    let loader = app.session.base.ready().expect("a tokenizer").facts.loader;
    assert_ne!(compared.b.base.facts.loader, loader, "slow against fast");
    assert_eq!(compared.a.overrides, compared.b.overrides, "one tokenizer, one vocabulary");
    assert_eq!((screen.totals.samples, screen.all_done), (samples, true));

    press(&mut app, "b");
    feed(&mut app, Msg::Paste("sample:mistral".to_string()));
    press(&mut app, "enter");
    let screen = &app.screens.compare;
    let (name, load) = screen.chosen.clone().expect("a choice");
    assert!(name.starts_with("sample:") && name != app.session.request.tokenizer, "{name}");
    assert_eq!(load.loader, None::<Loader>);
    let compared = screen.result.ready().expect("a comparison");
    let own = |setup: &maskscope::setup::Setup| setup.base.name.clone();
    assert_ne!(own(&compared.a), own(&compared.b));
    // Another sample is compared with the same side B.
    press(&mut app, "n");
    let compared = app.screens.compare.result.ready().expect("a comparison");
    let sample = app.session.sample().expect("a sample");
    assert_eq!((&compared.comparison.a.id, own(&compared.b) != own(&compared.a)), (&sample.id, true));
}

#[test]
fn compare_goes_from_difference_to_difference_and_folds_what_is_alike() {
    let mut app = first_run();
    press(&mut app, "f 9 b");
    feed(&mut app, Msg::Paste("sample:mistral".to_string()));
    press(&mut app, "enter");
    let differs = |app: &App| {
        let compared = app.screens.compare.result.ready().expect("a comparison");
        match app.screens.compare.rows(&compared.comparison).get(app.screens.compare.row) {
            Some(CompareRow::Stretch(index)) => compared.comparison.stretches[*index].differs.any(),
            _ => false,
        }
    };
    let count = |app: &App| {
        let compared = app.screens.compare.result.ready().expect("a comparison");
        app.screens.compare.rows(&compared.comparison).len()
    };
    assert!(differs(&app), "the cursor starts on a difference");
    let first = app.screens.compare.row;
    press(&mut app, "]");
    assert!(app.screens.compare.row > first && differs(&app));
    press(&mut app, "[");
    assert_eq!(app.screens.compare.row, first);
    press(&mut app, "[");
    assert_eq!(app.screens.compare.row, first, "there is none before the first");
    let folded = count(&app);
    press(&mut app, "v");
    assert!(count(&app) > folded && app.screens.compare.row == 0);
    press(&mut app, "end");
    assert_eq!(app.screens.compare.row + 1, count(&app));
}

#[test]
fn escape_ends_a_comparison_and_what_it_still_sends_is_dropped() {
    let mut app = first_run();
    let started = begin(&mut app, "9");
    let job = started.into_iter().find_map(|e| if let Effect::Start(job) = e { Some(job) } else { None });
    assert!(app.screens.compare.result.is_loading());
    let ended = begin(&mut app, "esc");
    assert!(matches!(ended.as_slice(), [Effect::Cancel(JobKind::Screen(Screen::Compare))]));
    for msg in run_now(*job.expect("a job"), &|| false) {
        update(&mut app, msg);
    }
    assert!(app.screens.compare.result.has_failed() && app.screens.compare.all_done);
    // Any other Esc leaves the screen.
    press(&mut app, "esc");
    assert_eq!(app.shell.screen, Screen::Labels);
}

#[test]
fn onboard_proposes_adopts_and_writes_once() {
    let mut app = first_run();
    let before = app.session.request.clone();
    press(&mut app, "7");
    let onboarded = app.screens.onboard.result.ready().expect("a proposal");
    assert!(!onboarded.onboarding.fix.changes.is_empty(), "the planted mismatch needs a change");
    press(&mut app, "a");
    assert!(!notice(&app).1);
    assert_ne!(app.session.request, before);
    assert!(app.session.state().is_some_and(|state| state.is_sound()));
    press(&mut app, "u");
    assert_eq!(app.session.request, before);

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("patch");
    for expected_error in [false, true] {
        press(&mut app, "w");
        feed(&mut app, Msg::Paste(path.display().to_string()));
        press(&mut app, "enter");
        assert_eq!(notice(&app).1, expected_error, "{}", notice(&app).0);
    }
    assert!(path.join("flags.txt").exists());
}

#[test]
fn an_onboarding_that_was_cancelled_starts_anew_when_the_screen_is_opened_again() {
    let mut app = first_run();
    assert_eq!(begin(&mut app, "7").len(), 1);
    begin(&mut app, "esc");
    assert!(matches!(&app.screens.onboard.result, Load::Failed(error) if error == "cancelled"));
    // Nothing is there to adopt or to write.
    press(&mut app, "a w");
    assert!(app.shell.overlay.is_none() && app.session.history.is_empty());
    press(&mut app, "esc 7");
    assert!(app.screens.onboard.result.ready().is_some());
    assert!(begin(&mut app, "1").is_empty() && begin(&mut app, "7").is_empty(), "it is still there");
}

#[test]
fn lengths_goes_from_round_to_round_and_to_the_tokens_of_one() {
    let mut app = first_run();
    press(&mut app, "2");
    let rounds = app.session.shown().and_then(|v| v.labelled()).map_or(0, |l| l.rounds.len());
    assert!(rounds > 1, "the first sample has {rounds} rounds");
    let round = |app: &App| app.screens.lengths.round;
    press(&mut app, "[");
    assert_eq!(round(&app), 0, "there is none before the first");
    press(&mut app, "]");
    assert_eq!(round(&app), 1);
    press(&mut app, "end");
    assert_eq!(round(&app), rounds - 1);
    press(&mut app, "]");
    assert_eq!(round(&app), rounds - 1, "there is none behind the last");

    // Enter: to the first divergence where it lies in the round, else to its answer.
    let view = app.session.shown().cloned().expect("a view");
    let divergence = view.parts_at.expect("the planted mismatch");
    for at in [0, rounds - 1] {
        press(&mut app, if at == 0 { "2 home" } else { "2 end" });
        press(&mut app, "enter");
        let expected =
            if view.real_rounds[at].contains(&divergence) { divergence } else { view.real_answers[at] };
        assert_eq!((app.shell.screen, app.session.token), (Screen::Labels, expected), "round {at}");
    }
    // The round stays while the set-up changes, and another sample begins with its first.
    press(&mut app, "2 end f");
    assert_eq!(round(&app), rounds - 1);
    press(&mut app, "n");
    assert_eq!(round(&app), 0);
    // A click marks a round, another one shows its tokens.
    press(&mut app, "N");
    feed(&mut app, Msg::Click(Target::Round(1)));
    assert_eq!((round(&app), app.shell.screen), (1, Screen::Lengths));
    feed(&mut app, Msg::Click(Target::Round(1)));
    assert_eq!(app.shell.screen, Screen::Labels);
}
