//! Whole screens: what they show at three sizes, that nothing dangerous reaches a cell, and what a frame costs.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use maskscope::app::{Action, Job, JobKind, Overlay};
use maskscope::app::{
    App, Data, DataSource, Effect, Key, Load, Msg, SampleView, Screen, SessionOutcome, act, update,
};
use maskscope::chat::{ReadProgress, Sample, Turn};
use maskscope::labels::{Inspection, Labelled, LoopEnd, Segment, SegmentKind, TokenLabel};
use maskscope::runtime::{feed, run_now};
use maskscope::setup::{Request, load_tokenizer, resolve};
use maskscope::text::width;
use maskscope::tokenizer::Tokenizer;
use maskscope::ui::{Depth, Frame, render, to_ansi, to_text};
use ratatui::buffer::Buffer;

const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (40, 12)];

fn phi() -> Arc<Tokenizer> {
    static PHI: OnceLock<Arc<Tokenizer>> = OnceLock::new();
    PHI.get_or_init(|| {
        load_tokenizer(&Request::default(), &mut |_| ControlFlow::Continue(())).expect("phi-2")
    })
    .clone()
}

/// An outcome of a job as the message that brings it.
fn done<T: Send + 'static>(job: &Job, outcome: T) -> Msg {
    Msg::Done { kind: job.kind, ticket: job.ticket, outcome: Box::new(outcome) }
}

/// The first run, everything loaded.
fn first_run() -> App {
    let mut app = App::new(Request::default(), DataSource::Embedded, true);
    feed(&mut app, Msg::Resize(120, 40));
    let effects = update(&mut app, Msg::Start);
    for effect in effects {
        let Effect::Start(job) = effect else { continue };
        let outcome = match job.kind {
            JobKind::Tokenizer => SessionOutcome::Tokenizer(Ok(phi())),
            _ => {
                let samples = maskscope::samples::conversations().expect("samples");
                SessionOutcome::Samples(Ok(Data { samples: Arc::new(samples), left_out: None, rows: None }))
            }
        };
        feed(&mut app, done(&job, outcome));
    }
    app
}

fn press(app: &mut App, keys: &str) {
    for key in Key::parse_list(keys).expect("keys") {
        feed(app, Msg::Key(key));
    }
}

fn frame(app: &mut App, (width, height): (u16, u16)) -> Frame {
    feed(app, Msg::Resize(width, height));
    render(app, Depth::True)
}

fn text(app: &mut App, size: (u16, u16)) -> String {
    steady(&to_text(&frame(app, size).buffer))
}

/// Measured times as `#`, which no snapshot could hold; the width stays.
fn steady(text: &str) -> String {
    let mut out: Vec<char> = text.chars().collect();
    let rate: Vec<char> = " a second".chars().collect();
    for at in 0..out.len().saturating_sub(2) {
        if out[at..at + 3] == [' ', 'm', 's'] || out[at..].starts_with(&rate) {
            let digits = out[..at].iter().rev().take_while(|c| c.is_ascii_digit() || **c == '.').count();
            let blanks = out[..at - digits].iter().rev().take_while(|c| **c == ' ').count().saturating_sub(1);
            out[at - digits - blanks..at].fill('#');
        }
    }
    out.into_iter().collect()
}

#[test]
fn every_screen_at_three_sizes() {
    let mut app = first_run();
    for screen in Screen::ALL {
        press(&mut app, tab(screen));
        assert_eq!(app.shell.screen, screen, "each tab has its key");
        for size in SIZES {
            let name = format!("{}_{}x{}", screen.name().to_lowercase(), size.0, size.1);
            insta::assert_snapshot!(name, text(&mut app, size));
        }
    }
}

#[test]
fn densities_and_overlays() {
    let mut app = first_run();
    let keys = [
        ("fixed", "f"),
        ("interlinear", "v"),
        ("table", "v"),
        ("raised", "v n n n n n n n n n n n n"),
        ("recipes", "r"),
        ("tokens", "esc o down down enter extra"),
        ("palette", "esc 1 :"),
        ("help", "esc ?"),
        ("editor", "esc g ] ] e"),
    ];
    for (name, keys) in keys {
        press(&mut app, keys);
        insta::assert_snapshot!(name, text(&mut app, (100, 30)));
    }
}

/// The key that opens a screen.
fn tab(screen: Screen) -> &'static str {
    screen.key()
}

/// Screen Experts on a sample that is sound.
fn experts(keys: &str) -> App {
    let mut app = first_run();
    press(&mut app, &format!("f {} {keys}", tab(Screen::Experts)));
    app
}

/// Assignments that were dropped in all layers.
fn dropped(app: &App) -> usize {
    let routed = app.screens.experts.routed.as_ref().expect("a routing");
    routed.layers.iter().map(|l| l.routing.decision.dropped()).sum()
}

#[test]
fn views_of_the_experts_screen() {
    let mut app = experts("");
    for view in ["load", "split", "token", "paths", "image"] {
        press(&mut app, "v");
        for size in SIZES {
            let name = format!("experts_{view}_{}x{}", size.0, size.1);
            insta::assert_snapshot!(name, text(&mut app, size));
        }
    }
    // A converted model: images become tokens, a small capacity drops.
    press(&mut app, "m - - -");
    insta::assert_snapshot!("experts_seeded_image_120x40", text(&mut app, (120, 40)));
    press(&mut app, "v");
    insta::assert_snapshot!("experts_seeded_tokens_80x24", text(&mut app, (80, 24)));
    press(&mut app, "enter");
    insta::assert_snapshot!("experts_seeded_token_120x40", text(&mut app, (120, 40)));
}

#[test]
fn a_smaller_capacity_drops_assignments_and_says_why() {
    let mut app = experts("");
    assert_eq!(dropped(&app), 0);
    press(&mut app, "- - - - - -");
    let routed = app.screens.experts.routed.clone().expect("a routing");
    assert_eq!(routed.settings.capacity_factor, Some(1.0), "4, 3, 2, 1.5, 1.25, 1");
    assert!(dropped(&app) > 0);
    let screen = text(&mut app, (120, 40));
    assert!(screen.contains("✂") && screen.contains("assignments dropped in all layers"), "{screen}");
    // The first token with a dropped assignment, through all layers.
    let layer = &routed.layers[0];
    let token = layer.tokens.iter().position(|t| t.is_some_and(|t| t.dropped == 1.0));
    if let Some(token) = token {
        app.session.token = token;
        press(&mut app, "enter");
        assert!(text(&mut app, (120, 40)).contains("✂ dropped: position"));
    }
    // Each assignment that is dropped stands behind the capacity in its queue.
    for layer in &routed.layers {
        let d = &layer.routing.decision;
        for (at, place) in layer.queue.as_ref().expect("a queue").iter().enumerate() {
            assert_eq!(d.is_dropped(at / d.top_k, at % d.top_k), *place >= d.capacity.expect("a capacity"));
        }
    }
    press(&mut app, "+ + + + + +");
    assert_eq!(dropped(&app), 0);
}

#[test]
fn the_experts_screen_shares_the_cursor_and_the_labels() {
    let mut app = experts(&format!("1 g right right right {}", tab(Screen::Experts)));
    assert_eq!(app.session.token, 3);
    assert!(text(&mut app, (120, 40)).contains("token 3 of 99"));
    press(&mut app, "right 1");
    assert_eq!(app.session.token, 4);
    let routed = app.screens.experts.routed.clone().expect("a routing");
    let view = app.session.shown().expect("a view");
    for (token, rows) in routed.token_positions.iter().enumerate() {
        let supervised = view.token(token).expect("a token").label == TokenLabel::Supervised;
        assert!(routed.positions[rows.clone()].iter().all(|r| r.supervised == supervised), "token {token}");
    }
    let of = |name: &str| routed.subsets.iter().find(|(s, _)| s.name() == name).map(|(_, n)| *n);
    assert_eq!(of("supervised").unwrap() + of("masked").unwrap(), routed.positions.len());
    assert_eq!(routed.positions.len(), view.inspection.prompt.as_ref().unwrap().len());
}

#[test]
fn a_converted_model_expands_images_and_its_settings_change() {
    let mut app = experts("m d d + d +");
    let routed = app.screens.experts.routed.clone().expect("a routing");
    assert_eq!((routed.settings.num_experts, routed.settings.mode), (6, "dense"));
    assert_eq!((routed.layers.len(), routed.layers[0].routing.decision.num_experts), (4, 6));
    assert_eq!(routed.positions.len(), app.session.shown().unwrap().len() - 1 + 576);
    assert_eq!(routed.image_positions(0).len(), 576);
    // The byte model's experts are trained: the screen says so instead of doing something else.
    press(&mut app, "M d d d +");
    assert!(
        app.shell.notice.as_ref().is_some_and(|n| n.text.contains("trained and fixed")),
        "{:?}",
        app.shell.notice
    );
    press(&mut app, "n");
    assert_eq!(app.screens.experts.routed.as_ref().unwrap().view.index, 1, "the next sample is routed too");
}

/// A seeded model as files on disk.
fn model_folder(name: &str, vocab_size: usize) -> tempfile::TempDir {
    use maskscope::moe::checkpoint::{TensorSource, write_safetensors};
    let (config, weights) = maskscope::moe::seeded::seeded(name, vocab_size, 1).expect("a model");
    let tensors: Vec<_> = weights
        .names()
        .map(|name| {
            let shape = weights.info(name).expect("a tensor").shape.clone();
            let values = weights.f32(name, &shape).expect("values");
            (name.to_string(), TensorSource::F32 { shape, values })
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let keys = serde_json::Value::Object(config.keys().clone()).to_string();
    std::fs::write(folder.path().join("config.json"), keys).expect("a config");
    write_safetensors(&folder.path().join("model.safetensors"), &tensors).expect("weights");
    folder
}

#[test]
fn a_model_of_ones_own_is_typed_loaded_and_its_settings_change() {
    use maskscope::setup::{ModelKind, ModelSource};
    let folder = model_folder("llama", 51_200);
    let mut app = experts("L");
    let load = |app: &mut App, text: &str| {
        feed(app, Msg::Paste(text.to_string()));
        press(app, "enter");
    };
    load(&mut app, &format!("{} 0..3", folder.path().display()));
    let state = &app.screens.experts;
    assert_eq!(state.error, None);
    let model = &state.settings.model;
    assert_eq!((model.kind, model.layers), (Some(ModelKind::Dense), Some(3)));
    let layers: Vec<usize> = state.routed.as_ref().unwrap().layers.iter().map(|l| l.routing.layer).collect();
    assert_eq!(layers, [0, 2], "sparse, and the fourth layer is not read");
    press(&mut app, "d -");
    let routed = app.screens.experts.routed.clone().unwrap();
    assert_eq!(routed.layers[0].routing.decision.top_k, 1);
    let screen = text(&mut app, (120, 40));
    assert!(screen.contains("dense; seeded gates") && screen.contains("llama on cpu"), "{screen}");

    assert!(screen.contains(" ms "), "the time of the forward has room: {screen}");

    // What cannot be loaded is an error in place of the figures, which were another model's.
    press(&mut app, "L");
    load(&mut app, "/no/such/folder");
    assert!(app.screens.experts.error.as_ref().is_some_and(|e| e.contains("no such folder")));
    assert!(app.screens.experts.routed.is_none());
    assert!(text(&mut app, (80, 24)).contains("no such folder"));
    let small = model_folder("phi", 300);
    press(&mut app, "L");
    load(&mut app, &small.path().display().to_string());
    let error = app.screens.experts.error.clone().unwrap_or_default();
    assert!(error.contains("token id") && error.contains("300 embeddings"), "{error}");
    press(&mut app, "L");
    load(&mut app, "byte-moe");
    assert_eq!(
        (&app.screens.experts.settings.model.source, &app.screens.experts.error),
        (&ModelSource::Bytes, &None)
    );
}

#[test]
fn escape_cancels_a_routing_and_the_newest_one_wins() {
    let mut app = experts("");
    let before = app.screens.experts.routed.clone().expect("a routing");
    let start = |app: &mut App, key: &str| -> Box<Job> {
        let effects = update(app, Msg::Key(Key::parse(key).unwrap()));
        effects
            .into_iter()
            .find_map(|e| if let Effect::Start(job) = e { Some(job) } else { None })
            .expect("a job")
    };
    let finish = |app: &mut App, job: Box<Job>| {
        for msg in run_now(*job, &|| false) {
            update(app, msg);
        }
    };
    let (first, second) = (start(&mut app, "-"), start(&mut app, "-"));
    finish(&mut app, first);
    assert!(Arc::ptr_eq(app.screens.experts.routed.as_ref().unwrap(), &before), "the older run is dropped");
    finish(&mut app, second);
    assert_eq!(app.screens.experts.routed.as_ref().unwrap().settings.capacity_factor, Some(3.0));
    let third = start(&mut app, "-");
    let effects = update(&mut app, Msg::Key(Key::parse("esc").unwrap()));
    assert!(effects.iter().any(|e| matches!(e, Effect::Cancel(JobKind::Screen(Screen::Experts)))));
    finish(&mut app, third);
    assert_eq!(app.screens.experts.routed.as_ref().unwrap().settings.capacity_factor, Some(3.0));
    assert!(text(&mut app, (120, 40)).contains("cancelled"));
    // A run that is cancelled from the start ends before it has a routing.
    let before = app.screens.experts.routed.clone().expect("a routing");
    let fourth = start(&mut app, "a");
    run_now(*fourth, &|| true).into_iter().for_each(|msg| drop(update(&mut app, msg)));
    assert!(Arc::ptr_eq(app.screens.experts.routed.as_ref().unwrap(), &before));
    assert!(app.screens.experts.running.is_some());
}

/// Runs of one look a row: what the snapshots of text cannot hold.
fn looks(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let look = buffer[(x, y)].style();
            let end =
                (x..buffer.area.width).find(|x| buffer[(*x, y)].style() != look).unwrap_or(buffer.area.width);
            let plain = buffer[(x, y)].fg == ratatui::style::Color::Reset
                && buffer[(x, y)].bg == ratatui::style::Color::Reset
                && buffer[(x, y)].modifier.is_empty();
            if !plain {
                let cell = &buffer[(x, y)];
                out += &format!("{y}:{x}..{end} {:?} on {:?} {:?}\n", cell.fg, cell.bg, cell.modifier);
            }
            x = end;
        }
    }
    out
}

#[test]
fn the_looks_of_the_labels_screen() {
    let mut app = first_run();
    press(&mut app, "f");
    insta::assert_snapshot!("looks_labels_80x24", looks(&frame(&mut app, (80, 24)).buffer));
}

#[test]
fn a_first_run_says_what_is_wrong_and_one_key_repairs_it() {
    let mut app = first_run();
    let before = text(&mut app, (80, 24));
    assert!(before.contains("all labels are −100"), "{before}");
    assert!(before.contains("pad equals eos"), "{before}");
    assert!(before.contains("press f to try recipe phi"), "{before}");
    press(&mut app, "f");
    let after = text(&mut app, (80, 24));
    assert!(after.contains("✓ cur_len"), "{after}");
    app.shell.notice = None;
    let after = text(&mut app, (80, 24));
    press(&mut app, "u");
    let said = app.shell.notice.take().expect("undo says what it undid");
    assert!(said.text.starts_with("undone: ") && said.text.contains("recipe"), "{}", said.text);
    assert_eq!(text(&mut app, (80, 24)), before);
    press(&mut app, "ctrl-r");
    app.shell.notice = None;
    assert_eq!(text(&mut app, (80, 24)), after);
}

#[test]
fn the_tour_goes_from_the_loss_to_the_cure_to_the_experts() {
    let mut app = first_run();
    let stops = ["tour 1/4  what is supervised", "tour 2/4  why", "tour 3/4  the fix", "tour 4/4  the same"];
    for stop in stops {
        press(&mut app, ".");
        let shown = text(&mut app, (120, 40));
        assert!(shown.contains(stop) && shown.contains(". next"), "{shown}");
    }
    assert!(app.session.state().is_some_and(|state| state.is_sound()), "the third stop applied the fix");
    press(&mut app, ".");
    assert!(text(&mut app, (120, 40)).contains("the end of the tour"));
    press(&mut app, ". esc");
    assert!(app.shell.tour.is_none());
    // The sample is sound now: the tour says nothing of losses, and there is no fix to show.
    for stop in ["tour 1/4  what is supervised: the underlined", "tour 2/4  what the code counts", "tour 4/4"]
    {
        press(&mut app, ".");
        let shown = text(&mut app, (120, 40));
        assert!(shown.contains(stop), "{shown}");
    }
}

#[test]
fn an_unk_override_repairs_it_too() {
    let mut app = first_run();
    press(&mut app, "o down down enter");
    assert!(text(&mut app, (120, 40)).contains("what recipe phi gives to unk"));
    press(&mut app, "< | my_unk | >");
    let preview = text(&mut app, (120, 40));
    assert!(preview.contains("this sample ✓"), "{preview}");
    press(&mut app, "enter");
    assert!(text(&mut app, (120, 40)).contains("✓ cur_len"));
}

#[test]
fn a_refused_token_says_why_and_changes_nothing() {
    let mut app = App::new(
        Request { tokenizer: "sample:stablelm-2".into(), ..Request::default() },
        DataSource::Embedded,
        false,
    );
    feed(&mut app, Msg::Resize(120, 40));
    feed(&mut app, Msg::Start);
    let good = app.session.request.clone();
    press(&mut app, "o down down enter zzzznew enter");
    assert!(app.shell.notice.as_ref().is_some_and(|n| n.is_error), "{:?}", app.shell.notice);
    assert_eq!(app.session.request, good);
    assert!(app.session.state().is_some());
}

#[test]
fn nothing_that_a_terminal_acts_on_reaches_a_cell() {
    let evil = "a\u{1b}[31m\u{202e}b\u{200b}\tc\r\nd\u{7}\u{9b}2J é́́́́́́ \u{e0041}";
    let mut app = first_run();
    let sample = Sample {
        id: evil.into(),
        ..Sample::text("", vec![Turn::new("human", evil), Turn::new("gpt", evil)])
    };
    app.session.samples = Load::Ready(Arc::new(vec![sample.clone(), sample]));
    app.session.source = DataSource::File(format!("/tmp/{evil}").into());
    press(&mut app, "n");
    let pattern = fancy_regex::Regex::new(r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]").expect("pattern");
    for screen in Screen::ALL {
        act(&mut app, Action::Open(screen));
        for keys in ["", "v", "v", "e", "esc : x", "esc O /tmp/x"] {
            press(&mut app, keys);
            for size in SIZES {
                let Frame { buffer, .. } = frame(&mut app, size);
                for cell in buffer.content() {
                    assert!(!pattern.is_match(cell.symbol()).expect("match"), "{:?}", cell.symbol());
                    assert!((1..=2).contains(&width(cell.symbol())), "{:?}", cell.symbol());
                }
                let printed = to_ansi(&buffer).replace('\n', "");
                for sequence in printed.split('\u{1b}').skip(1) {
                    let code: String = sequence.chars().skip(1).take_while(|c| *c != 'm').collect();
                    assert!(code.chars().all(|c| c.is_ascii_digit() || c == ';'), "{code:?}");
                }
            }
        }
        press(&mut app, "esc");
    }
}

/// A hand-made sample of many tokens: one round, the answer at the end.
fn long_view(tokens: usize) -> SampleView {
    let request = Request::default();
    let setup = Arc::new(resolve(&phi(), &request).expect("setup"));
    let answer = tokens - 10;
    let ids: Vec<i64> = (0..tokens).map(|i| i64::try_from(i % 50_000).unwrap_or(0)).collect();
    let labels: Vec<i64> =
        ids.iter().enumerate().map(|(i, id)| if i < answer { -100 } else { *id }).collect();
    let segment = |tokens, kind| Segment { tokens, kind, round: Some(0) };
    let labelled = Labelled {
        labels: labels.clone(),
        labels_before_check: labels,
        kept_len: usize::MAX,
        spans: (0..tokens).map(|i| i..i + 1).collect(),
        cur_len: i64::try_from(tokens).ok(),
        total_len: i64::try_from(tokens).ok(),
        mismatch: false,
        warning: None,
        rounds: Vec::new(),
        stop: LoopEnd::End,
        segments: vec![
            segment(0..answer, SegmentKind::Instruction),
            segment(answer..tokens, SegmentKind::Answer),
        ],
        input_ids: ids,
        notes: Vec::new(),
    };
    let inspection = Inspection {
        id: "long".into(),
        has_image: false,
        template: "phi".into(),
        preprocess: "phi".into(),
        prompt: Some("x".repeat(tokens)),
        layout: maskscope::chat::PromptLayout::default(),
        result: Ok(labelled),
    };
    SampleView::of(setup, 0, &Sample::text("long", Vec::new()), inspection)
}

#[test]
fn a_million_tokens_draw_only_their_window() {
    let view = Arc::new(long_view(1_000_000));
    let mut app = first_run();
    app.session.view = Load::Ready(view);
    app.session.cause = None;
    let fold = app.session.shown().and_then(|v| v.folds.first().cloned()).expect("a fold");
    assert!(fold.len() > 999_000, "{fold:?}");
    app.session.token = fold.start;
    press(&mut app, "enter");
    assert!(
        app.screens.labels.unfolded.contains(&fold.start),
        "the stretch is open: nothing hides the million"
    );
    for keys in
        ["", "right right down down pgdn", "middle", "down up", "end", "up pgup", "v", "v", "pgup", "v"]
    {
        match keys {
            "middle" => app.session.token = 500_003,
            keys => press(&mut app, keys),
        }
        assert!(app.screens.labels.unfolded.contains(&fold.start));
        for size in SIZES {
            let cells = usize::from(size.0) * usize::from(size.1);
            let drawn = frame(&mut app, size).tokens_drawn;
            assert!((1..=cells).contains(&drawn), "{drawn} tokens for {cells} cells after {keys:?}");
            let view = app.session.shown().cloned().expect("view");
            let panes = app.panes();
            let flow = app.screens.labels.flow(&panes, &view);
            flow.settle(app.screens.labels.top, app.session.token, panes.body.height);
            let touched = flow.touched.get();
            assert!(
                touched < cells + 8 * maskscope::app::flow::CHUNK,
                "{touched} tokens to keep the cursor in sight"
            );
        }
    }
}

#[test]
fn the_cursor_stays_in_sight_wherever_it_goes() {
    let mut app = first_run();
    for size in SIZES {
        for keys in [
            "v",
            "v",
            "v",
            "end",
            "home",
            "pgdn pgdn pgdn",
            "up up up up",
            "n n",
            "] ] ] ]",
            "[ [",
            "enter right",
        ] {
            press(&mut app, keys);
            let at = app.session.token;
            let frame = frame(&mut app, size);
            let seen = frame.hits.iter().any(|(_, target)| *target == maskscope::app::Target::Token(at));
            assert!(
                seen || app.session.shown().is_none_or(|v| v.is_empty()),
                "token {at} after {keys:?} at {size:?}"
            );
        }
    }
}

#[test]
fn every_size_is_drawn_without_a_panic() {
    let mut app = first_run();
    for screen in Screen::ALL {
        act(&mut app, Action::Open(screen));
        for keys in ["", "?", "esc :", "esc e", "esc O"] {
            press(&mut app, keys);
            for (w, h) in (0..45).flat_map(|w| [0, 1, 2, 3, 5, 6, 7, 9, 13, 17, 30].map(|h| (w * 3, h))) {
                frame(&mut app, (w, h));
            }
        }
        press(&mut app, "esc");
    }
}

/// A scan under way: the counts so far with share and time left; Esc ends it and leaves the counts, and what was under
/// way when it came does not begin it again.
#[test]
fn escape_ends_a_scan_and_leaves_its_counts() {
    use maskscope::app::screens::scan::ScanOutcome;
    use maskscope::report::Throughput;
    let mut app = first_run();
    let effects = update(&mut app, Msg::Key(Key::parse("0").expect("a key")));
    let job = effects.into_iter().find_map(|effect| match effect {
        Effect::Start(job) if job.kind == JobKind::Screen(Screen::Scan) => Some(job),
        _ => None,
    });
    let job = job.expect("the scan starts");
    let mut report = maskscope::scan::ScanReport::new("sample:phi-2", "phi", "phi", 2048);
    report.samples = 5;
    report.by_state.insert("sound".to_string(), 5);
    let elapsed = std::time::Duration::from_secs(4);
    let throughput = Throughput { samples: 5, before: 0, elapsed, read: 50, total: Some(100) };
    let counted = |samples: u64, done: bool| {
        let report = Box::new(maskscope::scan::ScanReport { samples, ..report.clone() });
        self::done(&job, ScanOutcome::Counted { report, throughput, done })
    };
    update(&mut app, counted(5, false));
    let shown = to_text(&frame(&mut app, (120, 40)).buffer);
    assert!(
        shown.contains("5 samples so far · esc ends it") && shown.contains("50 % · 0:04 left"),
        "{shown}"
    );
    let effects = update(&mut app, Msg::Key(Key::parse("esc").expect("a key")));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Cancel(kind) if *kind == job.kind)));
    update(&mut app, counted(6, false));
    let shown = to_text(&frame(&mut app, (120, 40)).buffer);
    assert!(shown.contains("6 samples so far · you ended it") && !shown.contains("left"), "{shown}");
}

#[test]
fn data_that_cannot_be_read_leaves_the_data_before_or_says_so_on_every_screen() {
    let mut app = first_run();
    let before = (app.session.source.clone(), app.session.samples.ready().cloned().expect("samples"));
    press(&mut app, "O");
    feed(&mut app, Msg::Paste("/no/such/file.json\r".to_string()));
    press(&mut app, "enter");
    assert_eq!(app.session.source, before.0);
    assert!(Arc::ptr_eq(app.session.samples.ready().expect("the ones before"), &before.1));
    assert!(text(&mut app, (120, 40)).contains("cannot read /no/such/file.json: No such file"));

    let request = app.session.request.clone();
    let mut app = App::new(request, DataSource::File("/no/such/file.json".into()), true);
    feed(&mut app, Msg::Start);
    for screen in [Screen::Labels, Screen::Doctor, Screen::Onboard, Screen::Scan, Screen::Strategies] {
        app.shell.screen = screen;
        let shown = text(&mut app, (120, 40));
        assert!(shown.contains("cannot read /no/such/file.json") && shown.contains("no data"), "{shown}");
    }
}

/// Types a path into the prompt of `O` and gives the job that reads it.
fn open_file(app: &mut App, path: &str) -> Job {
    press(app, "O");
    feed(app, Msg::Paste(path.to_string()));
    let effects = update(app, Msg::Key(Key::parse("enter").expect("a key")));
    let jobs = effects.into_iter().filter_map(|e| if let Effect::Start(job) = e { Some(*job) } else { None });
    jobs.into_iter().find(|job| job.kind == JobKind::Samples).expect("reading begins")
}

#[test]
fn reading_a_file_shows_how_far_it_is_and_esc_ends_it() {
    let mut app = first_run();
    let before = (app.session.source.clone(), app.session.samples.ready().cloned().expect("samples"));
    let job = open_file(&mut app, "/big.json");
    let progress = ReadProgress { samples: 1200, bytes: 3_000_000, total: Some(336_000_000) };
    update(&mut app, done(&job, SessionOutcome::Reading(progress)));
    for size in SIZES {
        let shown = to_text(&frame(&mut app, size).buffer);
        assert!(shown.contains("big.json · 1200 samples · 3"), "{shown}");
    }
    let effects = update(&mut app, Msg::Key(Key::parse("esc").expect("a key")));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Cancel(JobKind::Samples))));
    assert_eq!(app.session.source, before.0);
    assert!(Arc::ptr_eq(app.session.samples.ready().expect("the ones before"), &before.1));
    assert!(to_text(&frame(&mut app, (120, 40)).buffer).contains("reading big.json was cancelled"));
    // What the job says afterwards is nobody's any more.
    update(&mut app, done(&job, SessionOutcome::Samples(Err("late".to_string()))));
    assert!(Arc::ptr_eq(app.session.samples.ready().expect("the ones before"), &before.1));
}

#[test]
fn records_that_are_no_samples_are_named_and_the_others_shown() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("rows.jsonl");
    let good = r#"{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}"#;
    std::fs::write(&path, format!("{good}\n{{oops\n{good}\n")).expect("written");
    let mut app = App::new(Request::default(), DataSource::File(path), false);
    feed(&mut app, Msg::Start);
    assert!(text(&mut app, (120, 40)).contains("1 record is left out"));
    press(&mut app, "5");
    for size in SIZES {
        let shown = text(&mut app, size);
        assert!(shown.contains("✗ 1 record is left out") && shown.contains("1/2"), "{shown}");
    }
    // The scan counts the same samples and the same bad record.
    press(&mut app, "0");
    assert!(text(&mut app, (120, 40)).contains("1 record is no sample"));
}

#[test]
fn tokens_that_the_collator_cuts_away_are_not_shown_as_learned() {
    // An image sample of 99 tokens with answers at [45, 56), [69, 72) and [84, 99): the tokenizer does not cut it.
    let framed = |most: usize| {
        let request = Request { model_max_length: Some(most), ..Request::default() };
        let mut app = App::new(request, DataSource::Embedded, false);
        feed(&mut app, Msg::Resize(120, 40));
        feed(&mut app, Msg::Start);
        app
    };
    let mut app = framed(70);
    let view = app.session.shown().expect("labelled").clone();
    let fates: Vec<TokenLabel> = (0..view.len()).filter_map(|at| Some(view.token(at)?.label)).collect();
    let count = |fate: TokenLabel| fates.iter().filter(|f| **f == fate).count();
    assert_eq!((count(TokenLabel::Supervised), count(TokenLabel::Truncated)), (12, 17));
    assert_eq!((fates[69], fates[70]), (TokenLabel::Supervised, TokenLabel::Truncated));
    let shown = text(&mut app, (120, 40));
    for part in ["12 of 99 tokens supervised, 17 more truncated", "truncated 2/3", "truncated 15"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(text(&mut app, (40, 12)).contains("12/99 ✂ "));
    app.session.token = 84;
    assert!(text(&mut app, (120, 40)).contains("the collator cuts the sample to model_max_length 70"));
    // Nothing is left below the first answer.
    let mut app = framed(45);
    let shown = text(&mut app, (120, 40));
    assert!(shown.contains("0 of 99 tokens supervised, all"), "{shown}");
    assert!(shown.contains("the collator keeps 45 of 99 tokens, and no answer is among them"), "{shown}");
}

#[test]
fn a_paste_is_one_change() {
    let mut app = first_run();
    press(&mut app, "e");
    let effects = update(&mut app, Msg::Paste("many words ".repeat(50)));
    let inspections =
        effects.iter().filter(|e| matches!(e, Effect::Start(job) if job.kind == JobKind::Inspect)).count();
    assert_eq!(inspections, 1);
    assert!(
        app.session.sample().is_some_and(|s| s.conversations.iter().any(|t| t.value.contains("words many")))
    );
}

/// 207 KB, as one line and as many: the paste is one edit and one job, and a frame lays out the window only.
#[test]
fn a_long_paste_is_one_edit_too() {
    for line_end in ["", "\n"] {
        let pasted = format!("many words ab{line_end}").repeat(207_000 / 13);
        let mut app = first_run();
        press(&mut app, "e");
        let turn = |app: &App| match &app.shell.overlay {
            Some(Overlay::Editor(editor)) => editor.buffer.text(),
            other => panic!("no editor but {other:?}"),
        };
        let before = turn(&app);
        let effects = update(&mut app, Msg::Paste(pasted.clone()));
        assert!(matches!(effects.as_slice(), [Effect::Start(job)] if job.kind == JobKind::Inspect));
        assert_eq!(turn(&app), before + &pasted);
        assert!(
            app.session.sample().is_some_and(|s| s.conversations.iter().any(|t| t.value.ends_with(&pasted)))
        );
        assert!(text(&mut app, (120, 40)).contains("many words ab"));
        press(&mut app, "esc E");
        press(&mut app, "esc O");
        update(&mut app, Msg::Paste(pasted.clone()));
        assert!(text(&mut app, (120, 40)).contains("many words ab"));
    }
}

#[test]
fn there_is_nowhere_to_go_while_a_file_is_read() {
    let mut app = first_run();
    press(&mut app, "n n n");
    open_file(&mut app, "/big.json");
    let effects = update(&mut app, Msg::Key(Key::parse("n").expect("a key")));
    assert!(effects.is_empty() && app.session.current == 3);
    press(&mut app, "esc");
    assert_eq!((app.session.current, app.session.shown().map(|view| view.index)), (3, Some(3)));
    // The keys are no file either.
    press(&mut app, "O - enter");
    assert!(
        app.session.samples.ready().is_some() && text(&mut app, (120, 40)).contains("- would read the keys")
    );
}

#[test]
fn undo_brings_back_the_data_with_its_name() {
    let mut app = first_run();
    let before = (app.session.source.clone(), app.session.samples.ready().cloned().expect("samples"));
    // Twice the same choice is one change.
    for _ in 0..2 {
        press(&mut app, "r c h a t m l - t h i n k enter");
        assert_eq!(app.session.source, DataSource::EmbeddedMessages);
    }
    press(&mut app, "u");
    assert_eq!(app.session.source, before.0);
    assert!(Arc::ptr_eq(app.session.samples.ready().expect("samples"), &before.1));
    assert!(app.session.state().is_some() && text(&mut app, (120, 40)).contains("built-in samples"));
}

#[test]
fn the_scan_is_of_the_strategy_that_is_set() {
    let request = Request { template: "sample:chatml-think".into(), ..Request::default() };
    let mut app = App::new(request, DataSource::EmbeddedMessages, false);
    feed(&mut app, Msg::Resize(120, 40));
    feed(&mut app, Msg::Start);
    press(&mut app, "0");
    assert!(text(&mut app, (120, 40)).contains("0 have all labels −100 or raise"));
    press(&mut app, "R r e n d e r enter");
    assert!(
        text(&mut app, (120, 40)).contains("3 have all labels −100 or raise"),
        "{}",
        text(&mut app, (120, 40))
    );
}

#[test]
fn a_first_run_keeps_the_options_that_were_given() {
    let request = Request { model_max_length: Some(1024), ..Request::default() };
    let mut app = App::new(request, DataSource::Embedded, true);
    feed(&mut app, Msg::Start);
    assert_eq!(app.session.shown().map(|view| view.setup.model_max_length()), Some(1024));
    assert!(app.session.cause.is_some(), "the planted mismatch is still there");
}
