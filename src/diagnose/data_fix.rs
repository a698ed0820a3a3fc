//! Changes of the data itself that a doctor can try: each takes a conversation and gives another, with the Python that
//! does the same to a data set.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::chat::{Body, Conversation, MediaKind, REASONING_KEYS, Sample, reasoning, role};

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
}

impl DataFix {
    /// What repairs a conversation that is refused, the most faithful first.
    pub const FOR_REFUSED: [Self; 11] = [
        Self::ParseArguments,
        Self::DumpArguments,
        Self::EmptyContent,
        Self::JoinParts,
        Self::TextAsParts,
        Self::MergeTurns,
        Self::SystemIntoUser,
        Self::DropLeadingAnswers,
        Self::DropOpenQuestion,
        Self::ThoughtIntoContent,
        Self::DropSystem,
    ];

    /// What brings lost parts into the text, the most faithful first.
    pub const FOR_LOST: [Self; 8] = [
        Self::ParseArguments,
        Self::DumpArguments,
        Self::EmptyContent,
        Self::JoinParts,
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
            Self::ParseArguments => each_arguments(&mut changed.messages, |value| {
                let parsed = serde_json::from_str::<Value>(value.as_str()?).ok()?;
                parsed.is_object().then_some(parsed)
            }),
            Self::DumpArguments => each_arguments(&mut changed.messages, |value| {
                value.is_object().then(|| Value::from(python_json(value)))
            }),
            Self::JoinParts => each_content(&mut changed.messages, |content| {
                Some(Value::from(content.as_array()?.iter().map(part_as_text).collect::<Option<String>>()?))
            }),
            Self::TextAsParts => each_content(&mut changed.messages, |content| {
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
            Self::ThoughtIntoContent => changed.messages.iter_mut().for_each(thought_into_content),
            Self::CallsIntoContent => changed.messages.iter_mut().for_each(calls_into_content),
            Self::ToolsIntoSystem => tools_into_system(&mut changed),
            Self::MergeTurns => changed.messages = merged(&changed.messages),
            Self::SystemIntoUser => system_into_user(&mut changed.messages),
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
            Self::WordsAsParts => each_content(&mut changed.messages, words_as_parts),
            Self::UrlsAsImages => each_content(&mut changed.messages, urls_as_images),
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
            (Body::PromptCompletion { prompt, .. }, Body::Messages(conversation)) => {
                Body::PromptCompletion { conversation, prompt: *prompt }
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
                return format!("template variable {name}={}", python_bool(*value)).into();
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
        }
    }

    /// Python that does it to `row`, a record of the data set.
    pub fn code(&self) -> String {
        let each = |body: &str| format!("for m in row[\"messages\"]:\n    {body}");
        match self {
            Self::ParseArguments => each(
                "for c in m.get(\"tool_calls\") or []:\n        f = c.get(\"function\", c)\n        if isinstance(f[\"arguments\"], str):\n            f[\"arguments\"] = json.loads(f[\"arguments\"])",
            ),
            Self::DumpArguments => each(
                "for c in m.get(\"tool_calls\") or []:\n        f = c.get(\"function\", c)\n        if not isinstance(f[\"arguments\"], str):\n            f[\"arguments\"] = json.dumps(f[\"arguments\"], ensure_ascii=False)",
            ),
            Self::JoinParts => {
                let words = MediaKind::PART_TYPES.map(|(kind, name)| format!("\"{name}\": \"{}\"", kind.word()));
                each(&format!(
                    "words = {{{}}}\n    parts = m.get(\"content\") if isinstance(m.get(\"content\"), list) else [{{}}]\n    texts = [p if isinstance(p, str) else words.get(p.get(\"type\"), p.get(\"text\")) for p in parts]\n    if all(isinstance(t, str) for t in texts):\n        m[\"content\"] = \"\".join(texts)",
                    words.join(", ")
                ))
            }
            Self::TextAsParts => each(
                "if isinstance(m.get(\"content\"), str):\n        m[\"content\"] = [{\"type\": \"text\", \"text\": m[\"content\"]}]",
            ),
            Self::EmptyContent => each("m[\"content\"] = \"\" if m.get(\"content\") is None else m[\"content\"]"),
            Self::Variable(name, value) => format!(
                "row[\"chat_template_kwargs\"] = {{\"{name}\": {}}}   # or apply_chat_template(…, {name}={})",
                python_bool(*value),
                python_bool(*value)
            ),
            Self::ThoughtIntoContent => each(
                "thought = m.pop(\"reasoning_content\", None) or m.pop(\"thinking\", None) or m.pop(\"reasoning\", None)\n    if thought:\n        m[\"content\"] = f\"<think>\\n{thought}\\n</think>\\n\\n{m.get('content') or ''}\"",
            ),
            Self::CallsIntoContent => each(
                "for c in m.pop(\"tool_calls\", None) or []:\n        call = json.dumps(c.get(\"function\", c), ensure_ascii=False)\n        m[\"content\"] = (m.get(\"content\") or \"\") + f\"\\n<tool_call>\\n{call}\\n</tool_call>\"",
            ),
            Self::ToolsIntoSystem => "tools = \"\\n\".join(json.dumps(t, ensure_ascii=False) for t in row.pop(\"tools\", None) or [])\nif row[\"messages\"][0][\"role\"] != \"system\":\n    row[\"messages\"].insert(0, {\"role\": \"system\", \"content\": \"\"})\nrow[\"messages\"][0][\"content\"] += f\"\\n\\n<tools>\\n{tools}\\n</tools>\"".into(),
            Self::MergeTurns => "merged = []\nfor m in row[\"messages\"]:\n    texts = [x.get(\"content\") or \"\" for x in (merged[-1:] + [m])]\n    plain = all(isinstance(t, str) for t in texts) and set(m) <= {\"role\", \"content\"} and m[\"role\"] != \"tool\"\n    if plain and merged and merged[-1][\"role\"] == m[\"role\"]:\n        merged[-1][\"content\"] = \"\\n\\n\".join(texts)\n    else:\n        merged.append(m)\nrow[\"messages\"] = merged".into(),
            Self::SystemIntoUser => "if row[\"messages\"][0][\"role\"] == \"system\":\n    system = row[\"messages\"].pop(0)[\"content\"]\n    row[\"messages\"][0][\"content\"] = system + \"\\n\\n\" + row[\"messages\"][0][\"content\"]".into(),
            Self::DropSystem => "row[\"messages\"] = [m for m in row[\"messages\"] if m[\"role\"] != \"system\"]".into(),
            Self::DropLeadingAnswers => "first = next((i for i, m in enumerate(row[\"messages\"]) if m[\"role\"] == \"user\"), 0)\nrow[\"messages\"] = [m for i, m in enumerate(row[\"messages\"]) if i >= first or m[\"role\"] != \"assistant\"]".into(),
            Self::DropOpenQuestion => "while row[\"messages\"] and row[\"messages\"][-1][\"role\"] == \"user\":\n    row[\"messages\"].pop()".into(),
            Self::WordsAsParts => each(
                "if isinstance(m[\"content\"], str) and \"<image>\" in m[\"content\"]:\n        texts = re.split(r\"<image>\\n?\", m[\"content\"])\n        m[\"content\"] = [p for i, t in enumerate(texts) for p in ([{\"type\": \"image\"}] if i else []) + ([{\"type\": \"text\", \"text\": t}] if t else [])]",
            ),
            Self::UrlsAsImages => each(
                "for p in m[\"content\"] if isinstance(m[\"content\"], list) else []:\n        if p.get(\"type\") == \"image_url\":\n            p.update(type=\"image\", image=p.pop(\"image_url\")[\"url\"])",
            ),
        }
    }
}

fn python_bool(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// `json.dumps(value, ensure_ascii=False)`.
fn python_json(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), python_json(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(python_json).collect::<Vec<_>>().join(", ")),
        leaf => leaf.to_string(),
    }
}

fn each_content(messages: &mut [Value], change: impl Fn(&Value) -> Option<Value>) {
    for slot in messages.iter_mut().filter_map(|message| message.get_mut("content")) {
        if let Some(changed) = change(slot) {
            *slot = changed;
        }
    }
}

/// What a part says in a text; `None` for one that would be gone there.
fn part_as_text(part: &Value) -> Option<String> {
    let medium = MediaKind::ALL.into_iter().find(|kind| kind.part_type(part).is_some());
    let text = part.as_str().or_else(|| part.get("text")?.as_str());
    medium.map(MediaKind::word).or(text).map(String::from)
}

fn each_arguments(messages: &mut [Value], change: impl Fn(&Value) -> Option<Value>) {
    let calls = messages.iter_mut().filter_map(|m| m.get_mut("tool_calls")?.as_array_mut()).flatten();
    for call in calls {
        let function = if call.get("function").is_some() { call.get_mut("function") } else { Some(call) };
        if let Some(slot) = function.and_then(|function| function.get_mut("arguments"))
            && let Some(changed) = change(slot)
        {
            *slot = changed;
        }
    }
}

/// The content as text, and a message to put another in the place of it; `None` for a list, which has no one text.
fn text_of(message: &Map<String, Value>) -> Option<String> {
    match message.get("content") {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Null) | None => Some(String::new()),
        _ => None,
    }
}

fn thought_into_content(message: &mut Value) {
    let Some(thought) = reasoning(message).map(|(_, thought)| thought.to_string()) else { return };
    let Some(message) = message.as_object_mut() else { return };
    let Some(text) = text_of(message) else { return };
    REASONING_KEYS.iter().for_each(|key| {
        message.shift_remove(*key);
    });
    message.insert("content".into(), format!("<think>\n{thought}\n</think>\n\n{text}").into());
}

fn calls_into_content(message: &mut Value) {
    let Some(message) = message.as_object_mut() else { return };
    let Some(mut text) = text_of(message) else { return };
    let Some(Value::Array(calls)) = message.shift_remove("tool_calls") else { return };
    for call in &calls {
        let call = python_json(call.get("function").unwrap_or(call));
        text.push_str(&format!("\n<tool_call>\n{call}\n</tool_call>"));
    }
    message.insert("content".into(), text.trim_start().into());
}

fn tools_into_system(conversation: &mut Conversation) {
    let Some(tools) = conversation.tools.take().filter(|tools| !tools.is_empty()) else { return };
    let tools = tools.iter().map(python_json).collect::<Vec<_>>().join("\n");
    if conversation.messages.first().is_none_or(|first| role(first) != "system") {
        conversation.messages.insert(0, json!({"role": "system", "content": ""}));
    }
    let first = conversation.messages.first_mut().and_then(Value::as_object_mut);
    if let Some((message, text)) = first.and_then(|message| text_of(message).map(|text| (message, text))) {
        let text = format!("{text}\n\n<tools>\n{tools}\n</tools>");
        message.insert("content".into(), text.trim_start().into());
    }
}

/// Neighbours of one role as one, where both are texts and the second says nothing else: calls and parts would be gone.
fn merged(messages: &[Value]) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for message in messages {
        let text = |message: &Value| message.as_object().and_then(text_of);
        let is_plain =
            message.as_object().is_some_and(|m| m.keys().all(|key| key == "role" || key == "content"));
        let last =
            out.last_mut().filter(|last| role(last) == role(message) && role(message) != "tool" && is_plain);
        let joined = last.as_ref().and_then(|last| Some(format!("{}\n\n{}", text(last)?, text(message)?)));
        match (last.and_then(Value::as_object_mut), joined) {
            (Some(last), Some(joined)) => {
                last.insert("content".into(), joined.into());
            }
            _ => out.push(message.clone()),
        }
    }
    out
}

fn system_into_user(messages: &mut Vec<Value>) {
    let Some(system) = messages.first().filter(|m| role(m) == "system").and_then(|m| text_of(m.as_object()?))
    else {
        return;
    };
    let Some(question) = messages.get_mut(1).filter(|m| role(m) == "user").and_then(Value::as_object_mut)
    else {
        return;
    };
    let Some(text) = text_of(question) else { return };
    question.insert("content".into(), format!("{system}\n\n{text}").into());
    messages.remove(0);
}

fn words_as_parts(content: &Value) -> Option<Value> {
    let text = content.as_str()?;
    let word = MediaKind::Image.word();
    text.contains(word).then(|| {
        let mut parts = Vec::new();
        for (index, piece) in text.split(word).enumerate() {
            if index > 0 {
                parts.push(json!({"type": "image"}));
            }
            let piece = if index > 0 { piece.strip_prefix('\n').unwrap_or(piece) } else { piece };
            if !piece.is_empty() {
                parts.push(json!({"type": "text", "text": piece}));
            }
        }
        Value::Array(parts)
    })
}

fn urls_as_images(content: &Value) -> Option<Value> {
    let parts = content.as_array()?;
    let is_url = |part: &Value| part.get("type").is_some_and(|kind| kind == "image_url");
    let changed = |part: &Value| match is_url(part) {
        true => {
            let url = part.get("image_url").and_then(|url| url.get("url").or(Some(url))).cloned();
            json!({"type": "image", "image": url})
        }
        false => part.clone(),
    };
    parts.iter().any(is_url).then(|| parts.iter().map(changed).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(fix: &DataFix, messages: Value) -> Option<Value> {
        let messages = messages.as_array().unwrap().clone();
        let conversation = Conversation { messages, ..Conversation::default() };
        fix.apply(&conversation).map(|changed| Value::Array(changed.messages))
    }

    #[test]
    fn arguments_go_both_ways() {
        let object = json!([{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"a": [1, null]}}}]}]);
        let text = changed(&DataFix::DumpArguments, object.clone()).unwrap();
        assert_eq!(text[0]["tool_calls"][0]["function"]["arguments"], "{\"a\": [1, null]}");
        assert_eq!(changed(&DataFix::ParseArguments, text), Some(object.clone()));
        assert_eq!(changed(&DataFix::ParseArguments, object), None);
    }

    #[test]
    fn turns_are_merged_moved_and_left_out() {
        let turns = json!([{"role": "system", "content": "s"}, {"role": "assistant", "content": "hi"},
            {"role": "user", "content": "a"}, {"role": "user", "content": "b"}]);
        let merged = changed(&DataFix::MergeTurns, turns.clone()).unwrap();
        assert_eq!(merged[2]["content"], "a\n\nb");
        let left = changed(&DataFix::DropLeadingAnswers, turns.clone()).unwrap();
        assert_eq!((left[0]["content"].as_str(), left[1]["content"].as_str()), (Some("s"), Some("a")));
        assert_eq!(changed(&DataFix::DropOpenQuestion, turns.clone()).unwrap().as_array().unwrap().len(), 2);
        assert_eq!(changed(&DataFix::SystemIntoUser, turns), None, "an answer follows");
        let short = json!([{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]);
        let expected = json!([{"role": "user", "content": "s\n\na"}]);
        assert_eq!(changed(&DataFix::SystemIntoUser, short), Some(expected));
    }

    #[test]
    fn parts_become_one_text_or_stay() {
        let turns = |parts: Value| json!([{"role": "user", "content": parts}]);
        let media = turns(
            json!([{"type": "image_url", "image_url": {"url": "a.png"}}, {"type": "text", "text": "What?"}]),
        );
        assert_eq!(changed(&DataFix::JoinParts, media).unwrap()[0]["content"], "<image>What?");
        let call =
            turns(json!([{"type": "text", "text": "a"}, {"type": "tool_use", "name": "f", "input": {}}]));
        assert_eq!(changed(&DataFix::JoinParts, call), None, "the call would be gone");
    }

    #[test]
    fn words_become_parts() {
        let turns = json!([{"role": "user", "content": "<image>\nHow many? <image>"}]);
        let parts = json!([{"type": "image"}, {"type": "text", "text": "How many? "}, {"type": "image"}]);
        assert_eq!(changed(&DataFix::WordsAsParts, turns).unwrap()[0]["content"], parts);
    }
}
