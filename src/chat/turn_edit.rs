//! Changes of the turns of a sample: one more, one less, another role. The turns that LLaVA's code reads and the messages of
//! chat templates stay those of one conversation.

use serde_json::{Value, json};

use super::conversation::Conversation;
use super::sample::{Body, Sample, Turn, message_of};

/// The roles that a turn of messages goes through.
const ROLES: [&str; 4] = ["user", "assistant", "system", "tool"];
/// The same of turns in LLaVA's form.
const SPEAKERS: [&str; 3] = ["human", "gpt", "system"];

impl Sample {
    /// True where the record is a conversation whose turns can be changed.
    pub fn has_turns(&self) -> bool {
        matches!(self.body, Body::Turns | Body::Messages(_) | Body::PromptCompletion { .. })
    }

    /// Puts an empty turn behind turn `index`, in the first place of an empty conversation: an answer behind a question, else a
    /// question. Gives its position; `None` for a record without turns.
    pub fn add_turn(&mut self, index: usize) -> Option<usize> {
        if !self.has_turns() {
            return None;
        }
        let before = self.leading_messages();
        let at = if self.conversations.is_empty() { 0 } else { (index + 1).min(self.conversations.len()) };
        let is_answered = at
            .checked_sub(1)
            .and_then(|last| self.conversations.get(last))
            .is_some_and(|turn| ["human", "user", "tool", "observation"].contains(&turn.from.as_str()));
        let turn = Turn::new(if is_answered { "gpt" } else { "human" }, "");
        if let Some(conversation) = self.messages_mut(|prompt| *prompt += usize::from(before + at < *prompt))
        {
            conversation.messages.insert((before + at).min(conversation.messages.len()), message_of(&turn));
        }
        self.conversations.insert(at, turn);
        Some(at)
    }

    /// Takes turn `index` out; `false` where there is none.
    pub fn remove_turn(&mut self, index: usize) -> bool {
        if !self.has_turns() || index >= self.conversations.len() {
            return false;
        }
        let at = self.leading_messages() + index;
        if let Some(conversation) = self.messages_mut(|prompt| *prompt -= usize::from(at < *prompt))
            && at < conversation.messages.len()
        {
            conversation.messages.remove(at);
        }
        self.conversations.remove(index);
        true
    }

    /// Gives turn `index` the next role, and says which; `None` where there is no turn.
    pub fn next_role(&mut self, index: usize) -> Option<String> {
        if !self.has_turns() {
            return None;
        }
        let at = self.leading_messages() + index;
        let next = |names: &[&str], now: &str| {
            let known = names.iter().position(|name| *name == now).map_or(0, |known| known + 1);
            names.get(known % names.len().max(1)).unwrap_or(&now).to_string()
        };
        let turn = self.conversations.get(index)?.clone();
        let mut role = next(&SPEAKERS, &turn.from);
        if let Some(message) = self.messages_mut(|_| {}).and_then(|c| c.messages.get_mut(at)?.as_object_mut())
        {
            let now = message.get("role").and_then(Value::as_str).unwrap_or_default();
            let named = next(&ROLES, now);
            message.insert("role".into(), json!(named));
            role = match named.as_str() {
                "user" => "human".into(),
                "assistant" => "gpt".into(),
                other => other.into(),
            };
        }
        if let Some(turn) = self.conversations.get_mut(index) {
            turn.from.clone_from(&role);
        }
        Some(role)
    }

    /// Messages in front of the first turn: a system text of the row itself.
    fn leading_messages(&self) -> usize {
        match &self.body {
            Body::Messages(conversation) | Body::PromptCompletion { conversation, .. } => {
                conversation.messages.len().saturating_sub(self.conversations.len())
            }
            _ => 0,
        }
    }

    /// The messages, where the record has some of its own; `prompt` changes how many of them are the prompt.
    fn messages_mut(&mut self, prompt: impl FnOnce(&mut usize)) -> Option<&mut Conversation> {
        match &mut self.body {
            Body::Messages(conversation) => Some(conversation),
            Body::PromptCompletion { conversation, prompt: count } => {
                prompt(count);
                Some(conversation)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(sample: &Sample) -> Vec<String> {
        let conversation = sample.conversation().expect("a conversation");
        conversation.messages.iter().map(|message| super::super::role(message).to_string()).collect()
    }

    fn turns(sample: &Sample) -> Vec<&str> {
        sample.conversations.iter().map(|turn| turn.from.as_str()).collect()
    }

    #[test]
    fn turns_and_messages_change_together() {
        let message = |role: &str| json!({"role": role, "content": role});
        let messages = ["system", "user", "assistant"].map(message).to_vec();
        let conversation = Conversation { messages, ..Conversation::default() };
        let mut sample = Sample::of_messages("a", conversation.clone());
        assert_eq!(sample.add_turn(2), Some(3));
        assert_eq!(sample.add_turn(3), Some(4));
        assert_eq!(
            (turns(&sample), roles(&sample)[3..].join(" ")),
            (vec!["system", "human", "gpt", "human", "gpt"], "user assistant".into())
        );
        assert!(sample.remove_turn(1));
        assert_eq!(
            (turns(&sample), roles(&sample).join(" ")),
            (vec!["system", "gpt", "human", "gpt"], "system assistant user assistant".into())
        );
        assert_eq!(sample.next_role(1).as_deref(), Some("system"));
        assert_eq!((turns(&sample)[1], roles(&sample)[1].as_str()), ("system", "system"));
        assert!(!sample.remove_turn(9));
        // The prompt of a pair grows and shrinks with its turns; the completion does not.
        let body = Body::PromptCompletion { conversation, prompt: 2 };
        let mut pair = Sample { body, ..Sample::of_messages("p", Conversation::default()) };
        pair.conversations =
            super::super::sample::turns_of(&pair.conversation().expect("messages").messages.clone());
        assert_eq!(pair.add_turn(0), Some(1));
        assert!(matches!(pair.body, Body::PromptCompletion { prompt: 3, .. }));
        assert!(pair.remove_turn(3));
        assert!(matches!(pair.body, Body::PromptCompletion { prompt: 3, .. }));
    }

    #[test]
    fn a_record_without_turns_stays_as_it_is() {
        let mut text = Sample { body: Body::Text("x".into()), ..Sample::default() };
        assert_eq!((text.add_turn(0), text.remove_turn(0), text.next_role(0)), (None, false, None));
        let mut empty = Sample::default();
        assert_eq!(empty.add_turn(0), Some(0));
        assert_eq!(turns(&empty), ["human"]);
    }
}
