//! The set-up that the rows of a data file ask for, where the user asked for nothing: rows of messages open with the
//! tokenizer's own chat template, as their trainers take it, and LLaVA's rows with LLaVA's templates.

use super::choice::{LabelChoice, TemplateChoice};
use super::request::Request;
use crate::chat::PeekedRows;
use crate::chat::jinja::TemplateSet;
use crate::chat::layout::Layout;
use crate::masks::Strategy;
use crate::masks::trainers::Trainer;
use crate::tokenizer::{FileSet, Release};

/// The request for other rows or another tokenizer; `None` where it stays as it is, or where the user asked for something.
/// `rows` is `None` for conversations that are built in.
pub fn by_rows(request: &Request, rows: Option<PeekedRows>, has_template: bool) -> Option<Request> {
    let unasked = unasked(request);
    if !unasked.asks_for_nothing() {
        return None;
    }
    let mut wanted = unasked.clone();
    if let Some(rows) = rows.filter(|rows| rows.layout.is_for_chat()) {
        if has_template {
            wanted.template = TemplateChoice::Chat(None);
        } else if rows.layout == Layout::Preference {
            // Rows of plain text need no template; those of messages raise as they do in the trainer.
            wanted.preprocess = LabelChoice::Strategy(Strategy::Trainer(Trainer::TrlDpo));
        }
        if wanted != unasked {
            wanted.chat.by_data = Some(rows);
            if wanted.chat.release.is_none() {
                wanted.load.release = Release::V5;
            }
        }
    }
    (wanted != *request).then_some(wanted)
}

/// The request without what rows chose.
fn unasked(request: &Request) -> Request {
    let mut unasked = request.clone();
    let Some(rows) = unasked.chat.by_data else { return unasked };
    let label = match rows.layout {
        Layout::Preference => LabelChoice::Strategy(Strategy::Trainer(Trainer::TrlDpo)),
        _ => LabelChoice::Auto,
    };
    let is_chat = unasked.template == TemplateChoice::Chat(None) && unasked.preprocess == LabelChoice::Auto;
    if is_chat || (unasked.template == TemplateChoice::Auto && unasked.preprocess == label) {
        (unasked.template, unasked.preprocess) = (TemplateChoice::Auto, LabelChoice::Auto);
        unasked.chat.by_data = None;
        if unasked.chat.release.is_none() {
            unasked.load.release = Release::default();
        }
    }
    unasked
}

/// Whether the files of a tokenizer bring a chat template of its own. A folder whose template cannot be read says so when the template is
/// taken.
pub fn has_own_template(files: &FileSet) -> bool {
    TemplateSet::discover(files).is_ok_and(|set| !set.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(layout: Layout) -> Option<PeekedRows> {
        Some(PeekedRows { layout, has_call_turns: false })
    }

    #[test]
    fn rows_decide_where_nothing_was_asked_for_and_other_rows_decide_again() {
        let nothing = Request::default();
        assert_eq!(by_rows(&nothing, rows(Layout::Llava), true), None);
        assert_eq!(by_rows(&nothing, rows(Layout::OpenAi), false), None);
        let chat = by_rows(&nothing, rows(Layout::OpenAi), true).expect("a chat template");
        assert_eq!((&chat.template, chat.load.release), (&TemplateChoice::Chat(None), Release::V5));
        assert_eq!(by_rows(&chat, rows(Layout::OpenAi), true), None);
        assert_eq!(by_rows(&chat, rows(Layout::Llava), true), Some(nothing.clone()));
        assert_eq!(by_rows(&chat, None, true), Some(nothing.clone()), "built-in conversations");
        assert_eq!(by_rows(&chat, rows(Layout::OpenAi), false), Some(nothing.clone()), "another tokenizer");
        let pairs = by_rows(&nothing, rows(Layout::Preference), false).expect("a strategy");
        assert_eq!(by_rows(&pairs, rows(Layout::Llava), false), Some(nothing));
    }

    #[test]
    fn what_the_user_asked_for_stays() {
        let llava = Request { template: "phi".into(), ..Request::default() };
        assert_eq!(by_rows(&llava, rows(Layout::OpenAi), true), None);
        let chat = by_rows(&Request::default(), rows(Layout::OpenAi), true).expect("a chat template");
        let chosen = Request { template: "vicuna_v1".into(), ..chat };
        assert_eq!(by_rows(&chosen, rows(Layout::Llava), true), None);
    }
}
