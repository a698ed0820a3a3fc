//! File layouts of conversation data: which one a file has, and its rows as one kind of value.
//!
//! Detection goes by the keys of the rows and reports the rule it used ([`Votes`]); reading is [`read`]. Nulls that
//! Parquet fills in for missing keys of a message are dropped. JSON rows only: opening files is the caller's work.

mod llava;
mod row_error;
mod rows;

use serde_json::Value;

use super::Sample;

pub use row_error::RowError;

/// A layout, in the order in which the rules are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `input_ids` and `labels`.
    Pretokenised,
    /// `messages` of `{role, content}`.
    OpenAi,
    /// `conversations` of `{from, value}`.
    ShareGpt,
    /// ShareGPT with images.
    Llava,
    /// `conversations` of `{role, content}`.
    ConversationsWithRoles,
    /// `instruction` and `output`.
    Alpaca,
    /// `query` and `response`.
    QueryResponse,
    /// `prompt` and `completion`.
    PromptCompletion,
    /// `chosen` and `rejected`, or `completion` and a `label`: not for supervised training.
    Preference,
    /// `segments` of `{text, label}` (axolotl's `input_output`).
    Segments,
    /// `text`.
    RawText,
}

impl Layout {
    /// All, in order.
    pub const ALL: [Layout; 11] = [
        Layout::Pretokenised,
        Layout::Preference,
        Layout::OpenAi,
        Layout::Llava,
        Layout::ShareGpt,
        Layout::ConversationsWithRoles,
        Layout::Alpaca,
        Layout::QueryResponse,
        Layout::PromptCompletion,
        Layout::Segments,
        Layout::RawText,
    ];

    /// The word for it on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pretokenised => "pretokenised",
            Self::OpenAi => "messages",
            Self::ShareGpt => "sharegpt",
            Self::Llava => "llava",
            Self::ConversationsWithRoles => "conversations",
            Self::Alpaca => "alpaca",
            Self::QueryResponse => "query-response",
            Self::PromptCompletion => "prompt-completion",
            Self::Preference => "preference",
            Self::Segments => "segments",
            Self::RawText => "text",
        }
    }

    /// A layout by its word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.word() == word)
    }

    /// The layout of a row: the first whose rule it satisfies.
    pub fn of_row(row: &Value) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.fits(row))
    }

    /// True for rows that chat templates are made for: messages with roles, or pairs of a prompt and its answers.
    pub fn is_of_messages(self) -> bool {
        matches!(
            self,
            Self::OpenAi | Self::ConversationsWithRoles | Self::PromptCompletion | Self::Preference
        )
    }

    /// True for rows that a trainer takes with the tokenizer's own chat template where it has one: all but LLaVA's, which
    /// bring images in LLaVA's form, and those that bring labels.
    pub fn is_for_chat(self) -> bool {
        !matches!(self, Self::Llava | Self::Pretokenised | Self::Segments)
    }

    /// The name shown to the user.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pretokenised => "pretokenised",
            Self::OpenAi => "OpenAI messages",
            Self::ShareGpt => "ShareGPT",
            Self::Llava => "LLaVA",
            Self::ConversationsWithRoles => "conversations with roles",
            Self::Alpaca => "Alpaca",
            Self::QueryResponse => "query and response",
            Self::PromptCompletion => "prompt and completion",
            Self::Preference => "preference pairs",
            Self::Segments => "axolotl segments",
            Self::RawText => "raw text",
        }
    }

    /// The rule by which a row has this layout.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Pretokenised => "has `input_ids` and `labels`",
            Self::OpenAi => "`messages` is a list of {role, content}",
            Self::ShareGpt => "`conversations` is a list of {from, value}",
            Self::Llava => "`conversations` is a list of {from, value}, with `image` or `<image>`",
            Self::ConversationsWithRoles => "`conversations` is a list of {role, content}",
            Self::Alpaca => "has `instruction` and `output`",
            Self::QueryResponse => "has `query` and `response`",
            Self::PromptCompletion => "has `prompt` and `completion`",
            Self::Preference => {
                "has `chosen` and `rejected`, or `messages` and a rejected answer, or `completion` and a `label` (KTO)"
            }
            Self::Segments => "`segments` is a list of {text, label}",
            Self::RawText => "has `text`",
        }
    }

    /// True when the row satisfies the rule.
    pub fn fits(self, row: &Value) -> bool {
        let has = |key: &str| row.get(key).is_some_and(|v| !v.is_null());
        match self {
            Self::Pretokenised => has("input_ids") && has("labels"),
            Self::OpenAi => has_keys(rows::first(row.get("messages")), "role"),
            Self::ShareGpt => has_keys(rows::first(rows::conversations(row)), "from"),
            Self::Llava => {
                Self::ShareGpt.fits(row)
                    && (["image", "images", "video"].iter().any(|key| has(key)) || rows::mentions_image(row))
            }
            Self::ConversationsWithRoles => has_keys(rows::first(rows::conversations(row)), "role"),
            Self::Alpaca => has("instruction") && row.get("output").is_some(),
            Self::QueryResponse => has("query") && has("response"),
            Self::PromptCompletion => has("prompt") && has("completion"),
            Self::Preference => {
                let flag = |key: &str| row.get(key).is_some_and(Value::is_boolean);
                (has("chosen") && has("rejected"))
                    || (has("messages") && (has("rejected_messages") || has("rejected_response")))
                    || (has("prompt") && has("completion") && flag("label"))
            }
            Self::Segments => has_keys(rows::first(row.get("segments")), "text"),
            Self::RawText => has("text"),
        }
    }
}

fn has_keys(value: Option<&Value>, key: &str) -> bool {
    value.is_some_and(|v| v.get(key).is_some())
}

/// What detection found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detection {
    pub layout: Layout,
    pub rule: &'static str,
    /// Rows that have this layout, and all rows.
    pub votes: (usize, usize),
}

/// The layouts of the rows of a file, counted.
#[derive(Debug, Clone, Default)]
pub struct Votes {
    /// In the order in which they were first met.
    found: Vec<(Layout, usize)>,
    rows: usize,
}

impl Votes {
    /// Counts a row; `None` where no rule fits it.
    pub fn count(&mut self, layout: Option<Layout>) {
        self.rows += 1;
        let Some(layout) = layout else { return };
        match self.found.iter_mut().find(|(found, _)| *found == layout) {
            Some((_, votes)) => *votes += 1,
            None => self.found.push((layout, 1)),
        }
    }

    /// The layout of most rows, of equals the one met first; `None` when no row fits any.
    ///
    /// A file is [`Layout::Llava`] when any row of a ShareGPT file has an image: text-only rows are mixed in.
    pub fn winner(&self) -> Option<Detection> {
        let of =
            |layout: Layout| self.found.iter().find(|(found, _)| *found == layout).map_or(0, |(_, n)| *n);
        let (mut layout, mut votes) = *self.found.iter().rev().max_by_key(|(_, votes)| *votes)?;
        if [Layout::ShareGpt, Layout::Llava].contains(&layout) && of(Layout::Llava) > 0 {
            layout = Layout::Llava;
            votes = of(Layout::ShareGpt) + of(Layout::Llava);
        }
        Some(Detection { layout, rule: layout.rule(), votes: (votes, self.rows) })
    }
}

/// Reads one row; `id` names it.
///
/// # Errors
/// [`RowError`] with the key and what to do.
pub fn read(layout: Layout, row: &Value, id: String) -> Result<Sample, RowError> {
    let body = match layout {
        Layout::ShareGpt | Layout::Llava => return llava::read(row, id),
        Layout::OpenAi => return rows::open_ai(row, "messages", id),
        Layout::ConversationsWithRoles => return rows::open_ai(row, rows::conversations_key(row), id),
        Layout::Alpaca => return rows::alpaca(row, id),
        Layout::QueryResponse => return rows::query_response(row, id),
        Layout::PromptCompletion => return rows::prompt_completion(row, id),
        Layout::Preference => rows::preference(row)?,
        Layout::Pretokenised => rows::pretokenised(row)?,
        Layout::Segments => rows::segments(row)?,
        Layout::RawText => rows::raw_text(row)?,
    };
    Ok(Sample { id, body, ..Sample::default() })
}

/// Keys that hold a row's id, the first one that is there.
const ID_KEYS: [&str; 8] =
    ["id", "conv", "conversation_id", "sample_id", "prompt_id", "uuid", "uid", "question_id"];

/// Keys by which a row with `conversations` may have another layout, another id, or more than turns and images.
pub(super) const LAYOUT_KEYS: [&str; 16] = [
    "messages",
    "input_ids",
    "conversation",
    "images",
    "system",
    "tools",
    "documents",
    "kwargs",
    "chat_template_kwargs",
    "conv",
    "conversation_id",
    "sample_id",
    "prompt_id",
    "uuid",
    "uid",
    "question_id",
];

/// The id that a row gives itself.
pub fn id_of(row: &Value) -> Option<String> {
    ID_KEYS.iter().find_map(|key| match row.get(*key)? {
        Value::String(id) => Some(id.clone()),
        id @ Value::Number(_) => Some(id.to_string()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Body;
    use serde_json::json;

    fn detect(rows: &[&Value]) -> Option<Detection> {
        let mut votes = Votes::default();
        rows.iter().for_each(|row| votes.count(Layout::of_row(row)));
        votes.winner()
    }

    fn read(layout: Layout, row: &Value) -> Result<Sample, RowError> {
        super::read(layout, row, "x".into())
    }

    fn messages(sample: Sample) -> Vec<Value> {
        sample.conversation().unwrap().into_owned().messages
    }

    #[test]
    fn every_layout_is_found_by_its_keys() {
        for (row, layout) in [
            (json!({"messages": [{"role": "user", "content": "a"}]}), Layout::OpenAi),
            (json!({"conversations": [{"from": "human", "value": "a"}]}), Layout::ShareGpt),
            (json!({"conversations": [{"from": "human", "value": "<image>\na"}]}), Layout::Llava),
            (json!({"image": "a.jpg", "conversations": [{"from": "human", "value": "a"}]}), Layout::Llava),
            (json!({"conversations": [{"role": "user", "content": "a"}]}), Layout::ConversationsWithRoles),
            (json!({"instruction": "a", "input": "", "output": "b"}), Layout::Alpaca),
            (json!({"prompt": "a", "completion": "b"}), Layout::PromptCompletion),
            (json!({"prompt": "a", "chosen": "b", "rejected": "c"}), Layout::Preference),
            (json!({"chosen": [{"role": "user", "content": "a"}], "rejected": []}), Layout::Preference),
            (json!({"prompt": "a", "completion": "b", "label": true}), Layout::Preference),
            (
                json!({"messages": [{"role": "user", "content": "a"}], "rejected_response": "c"}),
                Layout::Preference,
            ),
            (json!({"text": "a"}), Layout::RawText),
            (json!({"input_ids": [1], "labels": [1]}), Layout::Pretokenised),
            (json!({"segments": [{"text": "a", "label": true}]}), Layout::Segments),
        ] {
            let found = detect(&[&row]).unwrap();
            assert_eq!((found.layout, found.votes), (layout, (1, 1)), "{row}");
        }
        assert_eq!(detect(&[&json!({"a": 1}), &json!(3)]), None);
    }

    #[test]
    fn one_image_makes_a_llava_file() {
        let plain = json!({"conversations": [{"from": "human", "value": "a"}]});
        let image = json!({"image": "x", "conversations": [{"from": "human", "value": "a"}]});
        let found = detect(&[&plain, &plain, &image]).unwrap();
        assert_eq!((found.layout, found.votes), (Layout::Llava, (3, 3)));
    }

    #[test]
    fn names_of_roles_and_flags_come_through() {
        let row = json!({"system": "s", "conversations": [{"from": "human", "value": "a", "weight": 0, "x": null},
            {"from": "gpt", "value": "b", "train": false}]});
        let found = messages(read(Layout::ShareGpt, &row).unwrap());
        let expected = json!([{"role": "system", "content": "s"}, {"role": "user", "content": "a", "weight": 0},
            {"role": "assistant", "content": "b", "train": false}]);
        assert_eq!(Value::Array(found), expected);
        let bad = json!({"conversations": [{"from": 1, "value": "a"}]});
        assert_eq!(read(Layout::ShareGpt, &bad).unwrap_err().key, "turn 1");
        let plain = json!({"conversations": [{"from": "alien", "value": "a"}]});
        assert_eq!(read(Layout::ShareGpt, &plain).unwrap().body, Body::Turns);
    }

    #[test]
    fn alpaca_joins_input_and_history() {
        let row =
            json!({"instruction": "a", "input": "b", "output": "c", "system": "s", "history": [["q", "r"]]});
        let found = messages(read(Layout::Alpaca, &row).unwrap());
        let texts: Vec<&str> = found.iter().filter_map(|m| m["content"].as_str()).collect();
        assert_eq!(texts, ["s", "q", "r", "a\nb", "c"]);
    }

    #[test]
    fn tools_may_be_json_text() {
        let row = json!({"messages": [{"role": "user", "content": "a"}], "tools": "[{\"name\": \"f\"}]"});
        let sample = read(Layout::OpenAi, &row).unwrap();
        assert_eq!(sample.conversation().unwrap().tools, Some(vec![json!({"name": "f"})]));
    }

    #[test]
    fn lengths_of_pretokenised_rows_must_agree() {
        let row = json!({"input_ids": [1, 2], "labels": [1]});
        assert_eq!(read(Layout::Pretokenised, &row).unwrap_err().key, "labels");
    }
}
