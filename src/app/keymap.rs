//! The one table of keys: dispatch, help, footer, palette and the table of `docs/keys.md` all read it. Each screen's own
//! rows are in its file.

use std::sync::OnceLock;

use super::action::{Action, ExportForm};
use super::binding::{Binding, KeyContext, bind};
use super::key::Key;
use super::rebinding::rebound;
use super::screen::{Screen, with_screens};
use super::screens;
use crate::config::{KeyWish, TomlFile, TomlValue};
use crate::error::Result;

/// Keys that every screen has.
#[rustfmt::skip]
const GLOBAL: &[Binding] = {
    use Action as A;
    use KeyContext::Global;
    &[
        bind(Global, &["f"], A::ApplyFix, "apply the suggested fix", Some("fix")),
        bind(Global, &["o"], A::Open(Screen::Special), "special tokens and overrides", Some("overrides")),
        bind(Global, &["n"], A::NextMatch, "next match of the search; without a search, next sample", Some("sample")),
        bind(Global, &["N", "p"], A::PreviousMatch, "previous match; without a search, previous sample", Some("sample")),
        bind(Global, &["}"], A::NextSample, "next sample", None),
        bind(Global, &["{"], A::PreviousSample, "previous sample", None),
        bind(Global, &[")"], A::NextFault, "next sample that is not sound", None),
        bind(Global, &["("], A::PreviousFault, "previous sample that is not sound", None),
        bind(Global, &["/"], A::Search, "search: a text or an id in the tokens, a text in lists and in this help", Some("search")),
        bind(Global, &["y"], A::Copy, "copy: token, ids, labels, prompt, JSON", Some("copy")),
        bind(Global, &["t"], A::PickTokenizer, "choose a tokenizer", Some("tokenizer")),
        bind(Global, &["r"], A::PickRecipe, "choose a recipe: template, rule and overrides in one", Some("recipe")),
        bind(Global, &["u"], A::Undo, "undo the last change of the set-up", Some("undo")),
        bind(Global, &["ctrl-r"], A::Redo, "do again what was undone", None),
        bind(Global, &["c"], A::PickTemplate, "choose a conversation template", Some("template")),
        bind(Global, &["R"], A::PickRule, "choose a label rule", Some("rule")),
        bind(Global, &["e"], A::Edit, "edit the turn under the cursor", Some("edit")),
        bind(Global, &["E"], A::EditTemplate, "edit the chat template, with what it renders beside it", Some("edit template")),
        bind(Global, &["O", "ctrl-o"], A::OpenFile, "open a file of conversations", Some("open file")),
        bind(Global, &["'"], A::OpenKept, "open what was open when the program ended last", None),
        bind(Global, &["X"], A::Export(ExportForm::Page), "write this screen into a file, as a page (HTML)", None),
        bind(Global, &[], A::Export(ExportForm::Picture), "write this screen into a file, as a picture (SVG)", None),
        bind(Global, &[], A::SaveSetup, "save this set-up as a file for --setup", None),
        bind(Global, &[], A::PickLoading, "slow or fast class, and the release of transformers", None),
        bind(Global, &[], A::ToggleImageMarks, "wrap images in <im_start> and <im_end>", None),
        bind(Global, &["."], A::Tour, "the tour: four things to see, a key from one to the next", None),
    ]
};

macro_rules! opening {
    ($($name:ident $key:literal $title:literal $file:ident $state:ident,)*) => {
        /// Keys that open the screens.
        const OPENING: &[Binding] = &[
            $(bind(KeyContext::Global, &[$key], Action::Open(Screen::$name), concat!("screen ", $title), None),)*
        ];

        /// The keys of each screen.
        const OWN: &[&[Binding]] = &[$(screens::$file::BINDINGS),*];
    };
}
with_screens!(opening);

/// Keys that every screen may give a meaning of its own, and those around them.
#[rustfmt::skip]
const MOVING: &[Binding] = {
    use Action as A;
    use KeyContext::Global;
    &[
        bind(Global, &["tab"], A::NextScreen, "next screen", None),
        bind(Global, &["shift-tab"], A::PreviousScreen, "previous screen", None),
        bind(Global, &["up", "k"], A::Up, "line up", None),
        bind(Global, &["down", "j"], A::Down, "line down", None),
        bind(Global, &["pgup", "ctrl-b"], A::PageUp, "page up", None),
        bind(Global, &["pgdn", "ctrl-f"], A::PageDown, "page down", None),
        bind(Global, &["home", "g"], A::First, "to the beginning", None),
        bind(Global, &["end", "G"], A::Last, "to the end", None),
        bind(Global, &["T"], A::ToggleTheme, "dark or light background", None),
        bind(Global, &["esc"], A::Back, "back out", None),
        bind(Global, &[":", "ctrl-p"], A::Palette, "command palette: every act by name", Some("palette")),
        bind(Global, &["?"], A::Help, "this help", Some("help")),
        bind(Global, &["ctrl-z"], A::Suspend, "suspend", None),
        bind(Global, &["q", "ctrl-c"], A::Quit, "quit", Some("quit")),
    ]
};

/// Keys of what lies over a screen.
#[rustfmt::skip]
const OVERLAYS: &[Binding] = {
    use Action as A;
    use KeyContext::{Editor, Help, Path, Picker, Search, Template};
    &[
        bind(Picker, &["enter"], A::Accept, "take the marked entry", Some("take")),
        bind(Picker, &["up", "ctrl-p", "ctrl-k"], A::Up, "entry up", Some("move")),
        bind(Picker, &["down", "ctrl-n", "ctrl-j"], A::Down, "entry down", Some("move")),
        bind(Picker, &["tab"], A::Complete, "complete a path", None),
        bind(Picker, &["pgup"], A::PageUp, "page up", None),
        bind(Picker, &["pgdn"], A::PageDown, "page down", None),
        bind(Picker, &["backspace", "ctrl-h"], A::DeleteBack, "delete a character", None),
        bind(Picker, &["ctrl-w"], A::DeleteWord, "delete a word", None),
        bind(Picker, &["ctrl-u"], A::ClearLine, "clear the search", None),
        bind(Picker, &["esc"], A::Back, "close, nothing changes", Some("close")),
        bind(Picker, &["ctrl-c"], A::Quit, "quit", None),
        bind(Editor, &["enter"], A::Accept, "keep the text", Some("keep")),
        bind(Editor, &["alt-enter", "ctrl-j"], A::LineBreak, "line break", Some("line break")),
        bind(Editor, &["left"], A::Left, "character to the left", None),
        bind(Editor, &["right"], A::Right, "character to the right", None),
        bind(Editor, &["home", "ctrl-a"], A::First, "to the beginning", None),
        bind(Editor, &["end", "ctrl-e"], A::Last, "to the end", None),
        bind(Editor, &["backspace", "ctrl-h"], A::DeleteBack, "delete the character before", None),
        bind(Editor, &["delete", "ctrl-d"], A::DeleteForward, "delete the character behind", None),
        bind(Editor, &["ctrl-w"], A::DeleteWord, "delete a word", None),
        bind(Editor, &["ctrl-u"], A::ClearLine, "clear the text", None),
        bind(Editor, &["esc"], A::Back, "close, nothing changes", Some("cancel")),
        bind(Editor, &["ctrl-c"], A::Quit, "quit", None),
        bind(Template, &["ctrl-s"], A::Accept, "label with the edited template; u undoes it", Some("keep")),
        bind(Template, &["enter", "alt-enter"], A::LineBreak, "line break", None),
        bind(Template, &["left"], A::Left, "character to the left", None),
        bind(Template, &["right"], A::Right, "character to the right", None),
        bind(Template, &["up"], A::Up, "line up", Some("move")),
        bind(Template, &["down"], A::Down, "line down", Some("move")),
        bind(Template, &["pgup", "ctrl-b"], A::PageUp, "ten lines up", None),
        bind(Template, &["pgdn", "ctrl-f"], A::PageDown, "ten lines down", None),
        bind(Template, &["home", "ctrl-a"], A::First, "to the beginning of the line", None),
        bind(Template, &["end", "ctrl-e"], A::Last, "to the end of the line", None),
        bind(Template, &["backspace", "ctrl-h"], A::DeleteBack, "delete the character before", None),
        bind(Template, &["delete", "ctrl-d"], A::DeleteForward, "delete the character behind", None),
        bind(Template, &["ctrl-w"], A::DeleteWord, "delete a word", None),
        bind(Template, &["ctrl-u"], A::ClearLine, "clear the line", None),
        bind(Template, &["esc"], A::Back, "close, nothing changes", Some("cancel")),
        bind(Template, &["ctrl-c"], A::Quit, "quit", None),
        bind(Path, &["enter"], A::Accept, "open", Some("open")),
        bind(Path, &["tab"], A::Complete, "complete the path", Some("complete")),
        bind(Path, &["down", "ctrl-n"], A::Down, "an older file of those opened lately", None),
        bind(Path, &["up", "ctrl-p"], A::Up, "a newer file of those opened lately", None),
        bind(Path, &["left"], A::Left, "character to the left", None),
        bind(Path, &["right"], A::Right, "character to the right", None),
        bind(Path, &["home", "ctrl-a"], A::First, "to the beginning", None),
        bind(Path, &["end", "ctrl-e"], A::Last, "to the end", None),
        bind(Path, &["backspace", "ctrl-h"], A::DeleteBack, "delete the character before", None),
        bind(Path, &["delete", "ctrl-d"], A::DeleteForward, "delete the character behind", None),
        bind(Path, &["ctrl-w"], A::DeleteWord, "delete a word", None),
        bind(Path, &["ctrl-u"], A::ClearLine, "clear the line", None),
        bind(Path, &["esc"], A::Back, "close, nothing changes", Some("cancel")),
        bind(Path, &["ctrl-c"], A::Quit, "quit", None),
        bind(Search, &["enter"], A::Accept, "go to the first match; n and N go on", Some("find")),
        bind(Search, &["left"], A::Left, "character to the left", None),
        bind(Search, &["right"], A::Right, "character to the right", None),
        bind(Search, &["home", "ctrl-a"], A::First, "to the beginning", None),
        bind(Search, &["end", "ctrl-e"], A::Last, "to the end", None),
        bind(Search, &["backspace", "ctrl-h"], A::DeleteBack, "delete the character before", None),
        bind(Search, &["delete", "ctrl-d"], A::DeleteForward, "delete the character behind", None),
        bind(Search, &["ctrl-w"], A::DeleteWord, "delete a word", None),
        bind(Search, &["ctrl-u"], A::ClearLine, "clear the line", None),
        bind(Search, &["esc"], A::Back, "close, nothing changes", Some("cancel")),
        bind(Search, &["ctrl-c"], A::Quit, "quit", None),
        bind(Help, &["/"], A::Search, "search the help", Some("search")),
        bind(Help, &["n"], A::NextMatch, "next match", None),
        bind(Help, &["N"], A::PreviousMatch, "previous match", None),
        bind(Help, &["up", "k"], A::Up, "line up", Some("scroll")),
        bind(Help, &["down", "j"], A::Down, "line down", Some("scroll")),
        bind(Help, &["pgup"], A::PageUp, "page up", None),
        bind(Help, &["pgdn", "space"], A::PageDown, "page down", None),
        bind(Help, &["esc", "?", "q", "enter"], A::Back, "close the help", Some("close")),
        bind(Help, &["ctrl-c"], A::Quit, "quit", None),
    ]
};

/// The table with a person's own keys, where there are any: set once, before anything is shown.
static REBOUND: OnceLock<Vec<Binding>> = OnceLock::new();

/// Every key of the program: the one table.
pub fn bindings() -> impl Iterator<Item = &'static Binding> {
    let own = REBOUND.get();
    let built_in = own.is_none().then(built_in).into_iter().flatten();
    own.into_iter().flatten().chain(built_in)
}

/// The table as it is built in.
fn built_in() -> impl Iterator<Item = &'static Binding> {
    let own = OWN.iter().copied().flatten();
    GLOBAL.iter().chain(OPENING).chain(MOVING).chain(own).chain(OVERLAYS)
}

/// Gives acts the keys of a person's settings, for the whole program.
///
/// # Errors
/// As [`rebound`].
pub fn rebind(file: &TomlFile, wishes: &[KeyWish]) -> Result<()> {
    let table: Vec<Binding> = built_in().copied().collect();
    let table = rebound(&table, file, wishes)?;
    // A second call in one program is none of ours; the first one stays.
    REBOUND.get_or_init(|| table);
    Ok(())
}

/// The first key of an act everywhere, as a person reads it.
pub fn key_of(action: Action) -> String {
    let binding = bindings().find(|b| b.context == KeyContext::Global && b.action == action);
    let key = binding.and_then(|b| Key::parse(b.keys.first()?));
    key.map_or_else(|| "palette".to_string(), |key| key.to_string())
}

/// What stands for a key in a text, and whose key it is.
const PLACES: [(&str, Action); 10] = [
    ("{undo}", Action::Undo),
    ("{fix}", Action::ApplyFix),
    ("{open}", Action::OpenFile),
    ("{kept}", Action::OpenKept),
    ("{doctor}", Action::Open(Screen::Doctor)),
    ("{scan}", Action::Open(Screen::Scan)),
    ("{onboard}", Action::Open(Screen::Onboard)),
    ("{strategies}", Action::Open(Screen::Strategies)),
    ("{code}", Action::Open(Screen::Code)),
    ("{help}", Action::Help),
];

/// A text with the keys that its places stand for: `{undo} undoes it`.
pub fn keyed(text: &str) -> String {
    let keyed = |text: String, (place, action): (&str, Action)| match text.contains(place) {
        true => text.replace(place, &key_of(action)),
        false => text,
    };
    PLACES.into_iter().fold(text.to_string(), keyed)
}

/// The key that opens a screen, as its tab shows it.
pub fn key_of_screen(screen: Screen) -> String {
    let opens = |b: &&Binding| b.context == KeyContext::Global && b.action == Action::Open(screen);
    // Some screens have a letter besides the key of their tab, which stands last.
    let key = bindings().filter(opens).last().and_then(|b| Key::parse(b.keys.first()?));
    key.map_or_else(String::new, |key| key.to_string())
}

/// The table as a part of the file of settings, with every line a comment.
pub fn settings_text() -> String {
    let mut out = String::new();
    for context in KeyContext::all() {
        let quoted = |text: &str| TomlValue::Text(text.to_string()).written();
        let place = match context.name() {
            name if name.contains(' ') => quoted(name),
            name => name.to_string(),
        };
        out.push_str(&format!("\n[keys.{place}]\n"));
        for binding in built_in().filter(|b| b.context == context) {
            let keys: Vec<String> = binding.keys.iter().map(|key| (*key).to_string()).collect();
            out.push_str(&format!("# {} = {}\n", quoted(binding.help), TomlValue::Texts(keys).written()));
        }
    }
    out
}

/// The action of a key in a context.
pub fn resolve(context: KeyContext, key: Key) -> Option<Action> {
    let find = |context: KeyContext| {
        let mut here = bindings().filter(|b| b.context == context);
        here.find(|b| b.keys.iter().any(|k| Key::parse(k) == Some(key))).map(|b| b.action)
    };
    find(context).or_else(|| if context.is_overlay() { None } else { find(KeyContext::Global) })
}

/// The footer of a context: keys that share a word stand together, the context's own first.
pub fn hints(context: KeyContext) -> Vec<(String, &'static str)> {
    let taken = |key: &str| bindings().any(|b| b.context == context && b.keys.contains(&key));
    let global = bindings().filter(|b| b.context == KeyContext::Global && !context.is_overlay());
    let global = global.filter(|b| b.keys.first().is_none_or(|key| !taken(key)));
    let mut hints: Vec<(String, &'static str)> = Vec::new();
    for binding in bindings().filter(|b| b.context == context).chain(global) {
        let (Some(hint), Some(key)) = (binding.hint, binding.keys.first().and_then(|k| Key::parse(k))) else {
            continue;
        };
        match hints.iter_mut().find(|(_, h)| *h == hint) {
            Some((keys, _)) => *keys = format!("{keys} {key}"),
            None => hints.push((key.to_string(), hint)),
        }
    }
    hints
}

/// The table of `docs/keys.md`, in Markdown.
#[cfg(feature = "internals")]
pub fn markdown() -> String {
    let mut out = String::from("| where | keys | what |\n| --- | --- | --- |\n");
    for context in KeyContext::all() {
        for binding in bindings().filter(|b| b.context == context) {
            out.push_str(&format!(
                "| {} | {} | {} |\n",
                context.name(),
                binding.quoted_keys("`"),
                binding.help
            ));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_name_is_a_key_and_none_stands_twice_in_a_context() {
        for context in KeyContext::all() {
            let mut seen = BTreeSet::new();
            for binding in bindings().filter(|b| b.context == context) {
                for key in binding.keys {
                    assert!(Key::parse(key).is_some(), "{key} is no key");
                    assert!(seen.insert(*key), "{key} twice in {}", context.name());
                }
            }
        }
    }

    #[test]
    fn overlays_and_screens_can_be_left() {
        let esc = Key::parse("esc").expect("key");
        for context in KeyContext::all() {
            assert_eq!(resolve(context, esc), Some(Action::Back), "{}", context.name());
        }
    }

    #[test]
    fn a_screen_wins_over_the_global_keys_and_an_overlay_hides_them() {
        let enter = Key::parse("enter").expect("key");
        let quit = Key::parse("q").expect("key");
        assert_eq!(resolve(KeyContext::On(Screen::Samples), enter), Some(Action::Accept));
        assert_eq!(resolve(KeyContext::On(Screen::Samples), quit), Some(Action::Quit));
        assert_eq!(resolve(KeyContext::Picker, quit), None);
    }

    #[test]
    fn hints_group_keys_by_word() {
        let hints = hints(KeyContext::On(Screen::Labels));
        assert_eq!(hints.first(), Some(&("← →".to_string(), "token")));
        assert!(hints.contains(&("n N".to_string(), "sample")));
    }
}
