//! Which changes there are, what each does to a conversation, and what it is called.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::edit;
use crate::chat::{Body, Conversation, Sample, role};

/// A change of every record of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataFix {
    /// Tool arguments that are strings of JSON become objects.
    ParseArguments,
    /// Tool arguments that are objects become strings of JSON.
    DumpArguments,
    /// A content that is a list becomes the text of its parts, media as their words; a part that is neither stays.
    JoinParts,
    /// A content that is a text becomes a list of one part.
    TextAsParts,
    /// A content that is null or missing becomes an empty text.
    EmptyContent,
    /// A template variable is given.
    Variable(String, bool),
    /// Reasoning goes in front of the content, between tags.
    ThoughtIntoContent,
    /// Tool calls go behind the content, as text.
    CallsIntoContent,
    /// Tools go behind the system text, as text.
    ToolsIntoSystem,
    /// Neighbouring turns of one role become one.
    MergeTurns,
    /// The system text goes in front of the first question.
    SystemIntoUser,
    /// The system text goes.
    DropSystem,
    /// Answers before the first question go.
    DropLeadingAnswers,
    /// A question without an answer at the end goes.
    DropOpenQuestion,
    /// `<image>` in a text becomes a part of its own.
    WordsAsParts,
    /// Parts of type `image_url` become parts of type `image`.
    UrlsAsImages,
    /// Turns that are a call become calls of an assistant's turn, and their results turns of the role `tool`.
    CallTurns,
    /// Roles get the names that templates know.
    UsualRoles,
}

impl DataFix {
    /// What repairs a conversation that is refused, the most faithful first.
    pub const FOR_REFUSED: [Self; 13] = [
        Self::ParseArguments,
        Self::DumpArguments,
        Self::EmptyContent,
        Self::JoinParts,
        Self::TextAsParts,
        Self::CallTurns,
        Self::UsualRoles,
        Self::MergeTurns,
        Self::SystemIntoUser,
        Self::DropLeadingAnswers,
        Self::DropOpenQuestion,
        Self::ThoughtIntoContent,
        Self::DropSystem,
    ];

    /// What brings lost parts into the text, the most faithful first.
    pub const FOR_LOST: [Self; 10] = [
        Self::ParseArguments,
        Self::DumpArguments,
        Self::EmptyContent,
        Self::JoinParts,
        Self::CallTurns,
        Self::UsualRoles,
        Self::ThoughtIntoContent,
        Self::CallsIntoContent,
        Self::ToolsIntoSystem,
        Self::SystemIntoUser,
    ];

    /// What gives media their places.
    pub const FOR_MEDIA: [Self; 2] = [Self::WordsAsParts, Self::UrlsAsImages];

    /// The conversation after it; `None` where it changes nothing.
    pub fn apply(&self, conversation: &Conversation) -> Option<Conversation> {
        let mut changed = conversation.clone();
        match self {
            Self::ParseArguments => edit::each_arguments(&mut changed.messages, |value| {
                let parsed = serde_json::from_str::<Value>(value.as_str()?).ok()?;
                parsed.is_object().then_some(parsed)
            }),
            Self::DumpArguments => edit::each_arguments(&mut changed.messages, |value| {
                value.is_object().then(|| Value::from(edit::python_json(value)))
            }),
            Self::JoinParts => edit::each_content(&mut changed.messages, edit::joined_parts),
            Self::TextAsParts => edit::each_content(&mut changed.messages, |content| {
                Some(json!([{"type": "text", "text": content.as_str()?}]))
            }),
            Self::EmptyContent => {
                for message in changed.messages.iter_mut().filter_map(Value::as_object_mut) {
                    if message.get("content").is_none_or(Value::is_null) {
                        message.insert("content".into(), "".into());
                    }
                }
            }
            Self::Variable(name, value) => {
                changed.kwargs.insert(name.clone(), (*value).into());
            }
            Self::ThoughtIntoContent => changed.messages.iter_mut().for_each(edit::thought_into_content),
            Self::CallsIntoContent => changed.messages.iter_mut().for_each(edit::calls_into_content),
            Self::ToolsIntoSystem => edit::tools_into_system(&mut changed),
            Self::MergeTurns => changed.messages = edit::merged(&changed.messages),
            Self::SystemIntoUser => edit::system_into_user(&mut changed.messages),
            Self::DropSystem => changed.messages.retain(|message| role(message) != "system"),
            Self::DropLeadingAnswers => {
                let first = changed.messages.iter().position(|m| role(m) == "user").unwrap_or(0);
                let mut index = 0;
                changed.messages.retain(|message| {
                    index += 1;
                    index > first || role(message) != "assistant"
                });
            }
            Self::DropOpenQuestion => {
                while changed.messages.len() > 1
                    && changed.messages.last().is_some_and(|message| role(message) == "user")
                {
                    changed.messages.pop();
                }
            }
            Self::WordsAsParts => edit::each_content(&mut changed.messages, edit::words_as_parts),
            Self::UrlsAsImages => edit::each_content(&mut changed.messages, edit::urls_as_images),
            Self::CallTurns => changed.messages = edit::call_turns(&changed.messages),
            Self::UsualRoles => changed.messages.iter_mut().for_each(edit::usual_role),
        }
        (changed != *conversation).then_some(changed)
    }

    /// The same for a record of a data set.
    pub fn apply_to(&self, sample: &Sample) -> Sample {
        let Some(changed) = sample.conversation().and_then(|conversation| self.apply(&conversation)) else {
            return sample.clone();
        };
        let made = Sample::of_messages(sample.id.clone(), changed);
        let body = match (&sample.body, made.body) {
            (Body::PromptCompletion { prompt, conversation: before }, Body::Messages(conversation)) => {
                // What is behind the prompt stays as long as it is.
                let completion = before.messages.len() - prompt.min(&before.messages.len());
                let prompt = conversation.messages.len().saturating_sub(completion);
                Body::PromptCompletion { conversation, prompt }
            }
            (_, body) => body,
        };
        Sample { conversations: made.conversations, body, ..sample.clone() }
    }

    /// In a few words.
    pub fn summary(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::ParseArguments => "json.loads the tool arguments",
            Self::DumpArguments => "json.dumps the tool arguments",
            Self::JoinParts => "join the parts of each content to one text",
            Self::TextAsParts => "make each content a list of one text part",
            Self::EmptyContent => "an empty text for content that is null",
            Self::Variable(name, value) => {
                return format!("template variable {name}={}", if *value { "True" } else { "False" }).into();
            }
            Self::ThoughtIntoContent => "write the reasoning into the content, between <think> tags",
            Self::CallsIntoContent => "write the tool calls into the content",
            Self::ToolsIntoSystem => "write the tools into the system text",
            Self::MergeTurns => "merge neighbouring turns of one role",
            Self::SystemIntoUser => "move the system text into the first question",
            Self::DropSystem => "leave out the system text",
            Self::DropLeadingAnswers => "leave out answers before the first question",
            Self::DropOpenQuestion => "leave out a question without an answer at the end",
            Self::WordsAsParts => "make each <image> a part of its own",
            Self::UrlsAsImages => "make parts of type image_url parts of type image",
            Self::CallTurns => "make turns that are a call tool_calls of an assistant's turn",
            Self::UsualRoles => "give roles the names that templates know",
        })
    }

    /// What was wrong, where this repaired it.
    pub fn explains(&self) -> &'static str {
        match self {
            Self::ParseArguments => "tool arguments are strings of JSON, and the template takes an object",
            Self::DumpArguments => "tool arguments are objects, and the template takes a string of JSON",
            Self::JoinParts => "content is a list of parts, and the template takes a text",
            Self::TextAsParts => "content is a text, and the template takes a list of parts",
            Self::EmptyContent => "content is null, and the template takes a text",
            Self::Variable(..) => "a variable of the template decides it",
            Self::ThoughtIntoContent => "the template does not read the reasoning field",
            Self::CallsIntoContent => "the template does not read tool_calls",
            Self::ToolsIntoSystem => "the template does not read tools",
            Self::MergeTurns => "two turns of one role follow each other, and roles must alternate",
            Self::SystemIntoUser | Self::DropSystem => "there is no place for a system message",
            Self::DropLeadingAnswers => "an answer stands before the first question",
            Self::DropOpenQuestion => "the conversation ends with a question",
            Self::WordsAsParts => "<image> in a text stays a text",
            Self::UrlsAsImages => "the template knows parts of type image, and image_url is none",
            Self::CallTurns => "calls are turns of a role of their own, and the template takes tool_calls",
            Self::UsualRoles => "a role has a name that the template does not know",
        }
    }
}
