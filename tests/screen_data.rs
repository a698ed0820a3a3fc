//! Data opened on the screen: the rows decide what reads them where nothing was asked for, and files opened lately are
//! offered again.

mod on_screen;

use std::path::Path;

use maskscope::app::{App, DataSource, Msg, Overlay};
use maskscope::runtime::feed;
use maskscope::setup::{Request, TemplateChoice};
use on_screen::press;

const CHATML: &str =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}";
const MESSAGES: &str =
    r#"{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}"#;
const LLAVA: &str = r#"{"id": "a", "image": "a.png", "conversations": [{"from": "human", "value": "<image>\nHi"}, {"from": "gpt", "value": "Hello."}]}"#;
const CALLS: &str = r#"{"messages": [{"role": "user", "content": "Hi"}, {"role": "tool_call", "content": "{\"name\": \"f\", \"arguments\": {}}"},
    {"role": "tool_response", "content": "3"}, {"role": "assistant", "content": "Three."}]}"#;

/// A folder with a tokenizer that brings a chat template, and rows of three kinds.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/tokenizers/phi-2");
    for entry in std::fs::read_dir(sample).expect("the sample") {
        let entry = entry.expect("a file");
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).expect("copied");
    }
    for (name, text) in [
        ("chat_template.jinja", CHATML),
        ("messages.jsonl", MESSAGES),
        ("llava.jsonl", LLAVA),
        ("calls.jsonl", &CALLS.replace('\n', "")),
    ] {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

fn app(folder: &Path) -> App {
    let tokenizer = folder.to_str().expect("UTF-8").to_string();
    let mut app = App::new(Request { tokenizer, ..Request::default() }, DataSource::Embedded, false);
    feed(&mut app, Msg::Resize(120, 40));
    feed(&mut app, Msg::Start);
    app
}

fn open(app: &mut App, file: &Path) {
    press(app, "O");
    feed(app, Msg::Paste(file.to_str().expect("UTF-8").to_string()));
    press(app, "enter");
}

#[test]
fn the_rows_of_a_file_decide_where_nothing_was_asked_for() {
    let folder = folder();
    let mut app = app(folder.path());
    assert_eq!(app.session.request.template, TemplateChoice::Auto);
    open(&mut app, &folder.path().join("messages.jsonl"));
    let shown = |app: &App| app.session.shown().expect("a sample").setup.rule_name().to_string();
    assert_eq!(
        (&app.session.request.template, shown(&app).as_str()),
        (&TemplateChoice::Chat(None), "axolotl_turn")
    );
    assert!(app.session.state().is_some_and(|state| state.is_sound()));
    // LLaVA's rows open with LLaVA's templates again, and undo goes back to the chat template.
    open(&mut app, &folder.path().join("llava.jsonl"));
    assert_eq!(app.session.request.template, TemplateChoice::Auto);
    press(&mut app, "u");
    assert_eq!(app.session.request.template, TemplateChoice::Chat(None));
    // Another tokenizer is another decision: this one brings no template.
    open(&mut app, &folder.path().join("messages.jsonl"));
    press(&mut app, "t");
    feed(&mut app, Msg::Paste("sample:mistral".to_string()));
    press(&mut app, "enter");
    assert_eq!(app.session.request.template, TemplateChoice::Auto);
    press(&mut app, "u");
    assert_eq!(app.session.request.template, TemplateChoice::Chat(None));
    open(&mut app, &folder.path().join("calls.jsonl"));
    assert_eq!(shown(&app), "swift");
    let options =
        &app.session.shown().expect("a sample").setup.chat().expect("a chat template").settings.options;
    assert_eq!(options["template"], "chatml", "of ms-swift's formats the one that writes ChatML");
}

#[test]
fn what_was_asked_for_is_not_changed_by_rows() {
    let folder = folder();
    let mut app = app(folder.path());
    let request = Request { template: "phi".into(), ..app.session.request.clone() };
    app = App::new(request.clone(), DataSource::Embedded, false);
    feed(&mut app, Msg::Resize(120, 40));
    feed(&mut app, Msg::Start);
    open(&mut app, &folder.path().join("messages.jsonl"));
    assert_eq!(app.session.request, request);
}

#[test]
fn files_opened_lately_are_taken_with_the_arrow_keys() {
    let folder = folder();
    let mut app = app(folder.path());
    press(&mut app, "O");
    let Some(Overlay::Path(prompt)) = &mut app.shell.overlay else { panic!("the prompt") };
    prompt.recent = ["/data/new.jsonl", "/data/old.jsonl"].map(String::from).to_vec();
    let typed = |app: &App| match &app.shell.overlay {
        Some(Overlay::Path(prompt)) => prompt.input.value().to_string(),
        _ => panic!("the prompt"),
    };
    press(&mut app, "up");
    assert_eq!(typed(&app), "");
    press(&mut app, "down down down");
    assert_eq!(typed(&app), "/data/old.jsonl");
    press(&mut app, "up");
    assert_eq!(typed(&app), "/data/new.jsonl");
    press(&mut app, "up");
    assert_eq!(typed(&app), "");
}

#[test]
fn turns_are_added_removed_and_undone() {
    let folder = folder();
    let mut app = app(folder.path());
    open(&mut app, &folder.path().join("messages.jsonl"));
    let roles = |app: &App| -> Vec<String> {
        let sample = app.session.sample().expect("a sample");
        let conversation = sample.conversation().expect("messages").into_owned();
        conversation.messages.iter().map(|m| m["role"].as_str().expect("a role").to_string()).collect()
    };
    // The cursor stands on the answer: a question comes behind it, and its text is typed.
    press(&mut app, "end a");
    feed(&mut app, Msg::Paste("And then?".to_string()));
    press(&mut app, "enter");
    assert_eq!(roles(&app), ["user", "assistant", "user"]);
    let prompt = app.session.shown().expect("a sample").inspection.prompt.clone().unwrap_or_default();
    assert!(prompt.contains("And then?"), "{prompt}");
    press(&mut app, "end s");
    assert_eq!(roles(&app), ["user", "assistant", "assistant"]);
    press(&mut app, "u");
    assert_eq!(roles(&app), ["user", "assistant", "user"]);
    press(&mut app, "end x");
    assert_eq!(roles(&app), ["user", "assistant"]);
    press(&mut app, "u u");
    assert_eq!(roles(&app), ["user", "assistant"]);
    press(&mut app, "ctrl-r");
    assert_eq!(roles(&app), ["user", "assistant", "user"]);
    // Esc takes back a turn that was begun.
    press(&mut app, "end a esc");
    assert_eq!(roles(&app), ["user", "assistant", "user"]);
    // Edits of other data are none of this one.
    open(&mut app, &folder.path().join("llava.jsonl"));
    press(&mut app, "u");
    assert_eq!(app.session.sample().expect("a sample").conversations.len(), 2);
}
