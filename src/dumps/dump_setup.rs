//! What a set-up knows about ids alone: the markers of its template, and what its tokens are.

use serde_json::json;

use super::convention::Convention;
use super::fed::FedRow;
use super::row::DumpRow;
use super::token_facts::TokenFacts;
use crate::chat::{Conversation, SeparatorStyle, Template};
use crate::labels::{Inspection, Note};
use crate::masks::inspect_ids;
use crate::masks::markers::Markers;
use crate::setup::Setup;

/// The markers and tokens of a set-up.
#[derive(Debug, Clone)]
pub struct DumpSetup<'s> {
    pub setup: &'s Setup,
    pub markers: Option<Markers>,
    pub facts: TokenFacts,
}

impl<'s> DumpSetup<'s> {
    /// Of a set-up; a template whose markers cannot be read leaves ids without turns.
    pub fn new(setup: &'s Setup) -> Self {
        let markers = match (setup.chat(), setup.llava()) {
            (Some(method), _) => method.markers(&*setup.tokenizer).ok().map(|markers| Markers {
                end_of_turn: markers.end_of_turn.clone().or_else(|| end_of_answer(setup)),
                ..markers
            }),
            (None, Some(llava)) => {
                Some(llava_markers(&llava.template, llava.rule.answer_mark(&llava.template)))
            }
            (None, None) => None,
        };
        let facts = TokenFacts::new(&setup.tokenizer, markers.as_ref());
        Self { setup, markers, facts }
    }

    /// A row as a result: its text, its turns, and the labels that the loss sees.
    pub fn inspect(&self, convention: &Convention, row: &DumpRow, fed: &FedRow) -> Inspection {
        let mut notes = Vec::new();
        let hidden = row.ids.len() - fed.content.len();
        if hidden > 0 {
            let text = format!(
                "{hidden} tokens are padding: {} in front, {} behind",
                fed.content.start,
                row.ids.len() - fed.content.end
            );
            notes.push(Note { tokens: 0..0, text });
        }
        if fed.documents.len() > 1 {
            let text = format!("{} documents, {}", fed.documents.len(), convention.packing.name());
            notes.push(Note { tokens: 0..0, text });
        }
        if let Some(form) = fed.deviates {
            notes.push(Note {
                tokens: 0..0,
                text: format!("this row has {}, the file {}", form.name(), convention.labels.name()),
            });
        }
        let ids = row.ids.get(fed.content.clone()).unwrap_or_default();
        let labels = fed.labels.get(fed.content.clone()).unwrap_or_default();
        inspect_ids(&self.setup.tokenizer, self.markers.as_ref(), &row.id, (ids, labels), notes)
    }
}

/// The special token behind an answer, where the class does not call it special: it is of a closed list.
fn end_of_answer(setup: &Setup) -> Option<String> {
    const ANSWER: &str = "QanswerQ";
    let messages = [("user", "QuserQ"), ("assistant", ANSWER)];
    let messages = messages.map(|(role, content)| json!({"role": role, "content": content})).to_vec();
    let text = setup.chat()?.text(&Conversation { messages, ..Conversation::default() }).ok()?;
    let (_, behind) = text.rsplit_once(ANSWER)?;
    let listed = setup.tokenizer.special_surfaces().into_iter().map(|(_, surface)| surface);
    let stands = |surface: &String| !surface.is_empty() && behind.trim_start().starts_with(surface.as_str());
    listed.filter(stands).max_by_key(String::len)
}

/// The markers of a LLaVA template.
fn llava_markers(template: &Template, answer_mark: String) -> Markers {
    let [user, _] = &template.roles;
    let instruction = match template.style {
        SeparatorStyle::Single | SeparatorStyle::Two => format!("{user}:"),
        SeparatorStyle::Mpt => user.clone(),
        SeparatorStyle::Llama2 => "[INST]".to_string(),
        SeparatorStyle::Plain => String::new(),
    };
    let end_of_turn = Some(template.sep2.clone().unwrap_or_else(|| template.sep.clone()));
    Markers { instruction, response: answer_mark.trim_end().to_string(), end_of_turn }
}
