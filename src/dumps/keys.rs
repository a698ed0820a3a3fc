//! Which field a key of a dump is: the names that trainers use, and those that a person gives.

use crate::error::{Error, Result};

/// What a field of a row means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The ids that the model gets.
    Ids,
    /// What the loss compares with, or an ignored number.
    Labels,
    /// Which tokens count in the loss: 0 and 1, or how much they count.
    Mask,
    AttentionMask,
    PositionIds,
    /// Lengths of the documents of a packed row.
    SeqLens,
    /// Where the documents begin, and the end of the last.
    CuSeqLens,
    /// The number of each token's document.
    DocumentIds,
    /// Of a rollout: what the trainer computed for each token.
    LogProbs,
    /// Of a rollout: what the server that sampled the tokens said.
    ServerLogProbs,
    /// Experts of each token, layer by layer.
    RoutedExperts,
    /// Ids of the prompt, where prompt and answer stand apart.
    PromptIds,
    /// Ids of the answer.
    ResponseIds,
    PromptMask,
    ResponseMask,
    /// The messages that the row was made of.
    Messages,
    /// The rendered text that the row was made of.
    Text,
    /// What the row calls itself.
    Id,
}

impl Field {
    /// All of them, each with what `--key` calls it and the names by which it is known, the best first.
    const NAMES: &'static [(Self, &'static str, &'static [&'static str])] = &[
        (Self::Ids, "ids", &["input_ids", "token_ids", "tokens", "inputs", "input_tokens", "ids"]),
        (
            Self::Labels,
            "labels",
            &[
                "labels",
                "shift_labels",
                "shifted_labels",
                "target_ids",
                "targets",
                "target_tokens",
                "label_ids",
            ],
        ),
        (
            Self::Mask,
            "mask",
            &[
                "loss_mask",
                "assistant_masks",
                "assistant_mask",
                "assistant_tokens_mask",
                "completion_mask",
                "loss_scale",
                "loss_weights",
                "token_weights",
                "label_mask",
                "labels_mask",
                "train_mask",
                "action_mask",
                "weights",
                "mask",
            ],
        ),
        (Self::AttentionMask, "attention_mask", &["attention_mask", "attn_mask"]),
        (Self::PositionIds, "position_ids", &["position_ids", "input_pos", "positions"]),
        (
            Self::SeqLens,
            "seq_lens",
            &["seq_lens", "seq_lengths", "seqlens", "sequence_lengths", "num_tokens"],
        ),
        (Self::CuSeqLens, "cu_seqlens", &["cu_seqlens", "cu_seq_lens", "cu_seq_lens_q", "cu_seqlens_q"]),
        (
            Self::DocumentIds,
            "document_ids",
            &["document_ids", "doc_ids", "seq_idx", "segment_ids", "sequence_ids", "sub_seq_ids"],
        ),
        (
            Self::LogProbs,
            "logprobs",
            &["old_logprobs", "old_log_probs", "old_per_token_logps", "logprobs", "log_probs"],
        ),
        (
            Self::ServerLogProbs,
            "server_logprobs",
            &[
                "rollout_log_probs",
                "rollout_logprobs",
                "sampling_logprobs",
                "sampling_per_token_logps",
                "inference_logprobs",
                "generation_logprobs",
                "vllm_logprobs",
                "server_logprobs",
            ],
        ),
        (
            Self::RoutedExperts,
            "experts",
            &[
                "routed_experts",
                "rollout_routed_experts",
                "expert_ids",
                "topk_ids",
                "topk_indices",
                "router_indices",
            ],
        ),
        (Self::PromptIds, "prompt_ids", &["prompt_input_ids", "prompt_ids", "prompt_token_ids", "prompts"]),
        (
            Self::ResponseIds,
            "response_ids",
            &[
                "completion_ids",
                "completion_input_ids",
                "response_ids",
                "response_token_ids",
                "output_token_ids",
                "responses",
            ],
        ),
        (Self::PromptMask, "prompt_mask", &["prompt_mask", "prompt_attention_mask"]),
        (Self::ResponseMask, "response_mask", &["response_mask", "response_loss_mask"]),
        (Self::Messages, "messages", &["messages", "conversations"]),
        (Self::Text, "text", &["text", "rendered", "prompt_text"]),
        (Self::Id, "id", &["id", "uid", "sample_id", "request_id"]),
    ];

    /// As `--key` calls it.
    #[cfg_attr(not(feature = "internals"), allow(dead_code))]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(field, ..)| *field == self).map_or("", |(_, name, _)| name)
    }
}

/// Which key is which field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys {
    /// What a person gave; a field that is in it has no other name.
    given: Vec<(Field, String)>,
}

impl Keys {
    /// `FIELD=KEY`, as often as there is one to give.
    ///
    /// # Errors
    /// A field that is not known.
    pub fn parse(given: &[String]) -> Result<Self> {
        let parse = |text: &String| {
            let (field, key) = text.split_once('=').unwrap_or((text, ""));
            let known = Field::NAMES.iter().find(|(_, name, _)| *name == field).map(|(field, ..)| *field);
            match known.filter(|_| !key.is_empty()) {
                Some(field) => Ok((field, key.to_string())),
                None => {
                    let fields: Vec<&str> = Field::NAMES.iter().map(|(_, name, _)| *name).collect();
                    Err(Error::Usage(format!(
                        "--key {text}: expected FIELD=KEY, such as labels=my_labels; fields are {}",
                        fields.join(", ")
                    )))
                }
            }
        };
        Ok(Self { given: given.iter().map(parse).collect::<Result<_>>()? })
    }

    /// The field that a key is, and how good the name is: 0 is the best.
    pub fn field(&self, key: &str) -> Option<(Field, usize)> {
        if let Some((field, _)) = self.given.iter().find(|(_, name)| name == key) {
            return Some((*field, 0));
        }
        let named = Field::NAMES
            .iter()
            .find_map(|(field, _, names)| Some((*field, names.iter().position(|name| *name == key)?)));
        named.filter(|(field, _)| self.given.iter().all(|(given, _)| given != field))
    }

    /// The keys that ids may stand under, for messages.
    pub fn ids(&self) -> Vec<&str> {
        match self.given.iter().find(|(field, _)| *field == Field::Ids) {
            Some((_, key)) => vec![key],
            None => Field::NAMES
                .iter()
                .find(|(field, ..)| *field == Field::Ids)
                .map_or(Vec::new(), |(.., names)| names.to_vec()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_gives_wins() {
        let keys = Keys::parse(&["labels=y".to_string()]).expect("known");
        assert_eq!(keys.field("y"), Some((Field::Labels, 0)));
        assert_eq!(keys.field("labels"), None, "it is another field now, or none");
        assert_eq!(keys.field("input_ids"), Some((Field::Ids, 0)));
        assert!(
            Keys::parse(&["label=y".to_string()]).is_err() && Keys::parse(&["labels=".to_string()]).is_err()
        );
    }

    #[test]
    fn no_name_stands_for_two_fields() {
        let mut names: Vec<&str> =
            Field::NAMES.iter().flat_map(|(.., names)| names.iter().copied()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
