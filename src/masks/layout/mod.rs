//! File layouts of conversation data: which one a file has, and its rows as one kind of value.
//!
//! Detection goes by the keys of the first rows and reports the rule it used ([`detect`]); reading is
//! [`read`]. Nulls that Parquet fills in for missing keys are dropped. JSON rows only: opening files is the
//! caller's work.

mod rows;

use serde_json::{Map, Value};

use super::Sample;

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
    /// `prompt` and `completion`.
    PromptCompletion,
    /// `prompt`, `chosen`, `rejected`: not for supervised training.
    Preference,
    /// `segments` of `{text, label}` (axolotl's `input_output`).
    Segments,
    /// `text`.
    RawText,
}

impl Layout {
    /// All, in order.
    pub const ALL: [Layout; 10] = [
        Layout::Pretokenised,
        Layout::OpenAi,
        Layout::Llava,
        Layout::ShareGpt,
        Layout::ConversationsWithRoles,
        Layout::Alpaca,
        Layout::PromptCompletion,
        Layout::Preference,
        Layout::Segments,
        Layout::RawText,
    ];

    /// The name shown to the user.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pretokenised => "pretokenised",
            Self::OpenAi => "OpenAI messages",
            Self::ShareGpt => "ShareGPT",
            Self::Llava => "LLaVA",
            Self::ConversationsWithRoles => "conversations with roles",
            Self::Alpaca => "Alpaca",
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
            Self::PromptCompletion => "has `prompt` and `completion`",
            Self::Preference => "has `chosen` and `rejected`",
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
            Self::PromptCompletion => has("prompt") && has("completion"),
            Self::Preference => has("chosen") && has("rejected"),
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
    /// Rows looked at that have this layout, and rows looked at.
    pub votes: (usize, usize),
}

/// The layout of most of `rows`; give it the first row and some later ones. `None` when no row fits any.
///
/// A file is [`Layout::Llava`] when any row of a ShareGPT file has an image: text-only rows are mixed in.
pub fn detect(rows: &[Value]) -> Option<Detection> {
    let of_row = |row: &Value| Layout::ALL.into_iter().find(|layout| layout.fits(row));
    let found: Vec<Layout> = rows.iter().filter_map(of_row).collect();
    let count = |layout: Layout| found.iter().filter(|found| **found == layout).count();
    let mut layout = *found.iter().rev().max_by_key(|layout| count(**layout))?;
    let mut votes = count(layout);
    if [Layout::ShareGpt, Layout::Llava].contains(&layout) && count(Layout::Llava) > 0 {
        layout = Layout::Llava;
        votes = count(Layout::ShareGpt) + count(Layout::Llava);
    }
    Some(Detection { layout, rule: layout.rule(), votes: (votes, rows.len()) })
}

/// One row in the form that its layout allows.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    Conversation(Sample),
    /// TRL's pair; both as messages when either is.
    PromptCompletion {
        prompt: Vec<Value>,
        completion: Vec<Value>,
    },
    /// TRL's pair as text.
    PromptCompletionText {
        prompt: String,
        completion: String,
    },
    Text(String),
    /// Shown as it is.
    Pretokenised {
        input_ids: Vec<i64>,
        labels: Vec<i64>,
    },
    /// Pieces that are each trained or not.
    Segments(Vec<Segment>),
}

/// A piece of text with its own flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    pub text: String,
    pub trained: bool,
}

/// Why a row is not what its layout says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct RowError {
    /// Path of the key, `conversations[2].from` for one.
    pub key: String,
    /// What is wrong and what to write instead.
    pub problem: String,
}

impl RowError {
    pub(super) fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }
}

/// Reads one row.
///
/// # Errors
/// [`RowError`] with the key and what to do.
pub fn read(layout: Layout, row: &Value) -> Result<Row, RowError> {
    match layout {
        Layout::Pretokenised => rows::pretokenised(row),
        Layout::OpenAi => rows::open_ai(row, "messages"),
        Layout::ConversationsWithRoles => rows::open_ai(row, "conversations"),
        Layout::ShareGpt | Layout::Llava => rows::share_gpt(row),
        Layout::Alpaca => rows::alpaca(row),
        Layout::PromptCompletion => rows::prompt_completion(row),
        Layout::Preference => Err(RowError::new(
            "chosen",
            "preference pairs are not for supervised fine-tuning; choose one answer first",
        )),
        Layout::Segments => rows::segments(row),
        Layout::RawText => match row.get("text").and_then(Value::as_str) {
            Some(text) => Ok(Row::Text(text.to_string())),
            None => Err(RowError::new("text", "is not a string")),
        },
    }
}

/// A sample of messages alone.
fn conversation(messages: Vec<Value>, tools: Option<Vec<Value>>) -> Row {
    Row::Conversation(Sample { messages, tools, kwargs: Map::new() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn messages(row: Row) -> Vec<Value> {
        match row {
            Row::Conversation(sample) => sample.messages,
            other => panic!("{other:?}"),
        }
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
            (json!({"text": "a"}), Layout::RawText),
            (json!({"input_ids": [1], "labels": [1]}), Layout::Pretokenised),
            (json!({"segments": [{"text": "a", "label": true}]}), Layout::Segments),
        ] {
            let found = detect(std::slice::from_ref(&row)).unwrap();
            assert_eq!((found.layout, found.votes), (layout, (1, 1)), "{row}");
        }
        assert_eq!(detect(&[json!({"a": 1}), json!(3)]), None);
    }

    #[test]
    fn one_image_makes_a_llava_file() {
        let plain = json!({"conversations": [{"from": "human", "value": "a"}]});
        let image = json!({"image": "x", "conversations": [{"from": "human", "value": "a"}]});
        let found = detect(&[plain.clone(), plain, image]).unwrap();
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
        let bad = json!({"conversations": [{"from": "alien", "value": "a"}]});
        assert_eq!(read(Layout::ShareGpt, &bad).unwrap_err().key, "conversations[0].from");
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
        let Row::Conversation(sample) = read(Layout::OpenAi, &row).unwrap() else { panic!() };
        assert_eq!(sample.tools, Some(vec![json!({"name": "f"})]));
    }

    #[test]
    fn lengths_of_pretokenised_rows_must_agree() {
        let row = json!({"input_ids": [1, 2], "labels": [1]});
        assert_eq!(read(Layout::Pretokenised, &row).unwrap_err().key, "labels");
    }
}
