//! The tokens at which generation stops.

use serde_json::Value;

use crate::tokenizer::{Role, TokenId, Tokenizer};

/// Stop tokens and where they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StopTokens {
    /// Ascending, each once.
    pub ids: Vec<TokenId>,
    /// A generation_config.json beside the tokenizer names some.
    pub configured: bool,
}

/// `eos_token_id` of generation_config.json, a number or a list, and the tokenizer's own eos.
///
/// A file that is missing or malformed counts as none: transformers falls back to the tokenizer's eos too.
pub fn stop_tokens(tokenizer: &Tokenizer) -> StopTokens {
    let config = tokenizer.files.json("generation_config.json").ok().flatten();
    let config = config.as_ref().and_then(parse);
    let configured = config.is_some();
    let mut ids = config.unwrap_or_default();
    ids.extend(tokenizer.role_id(Role::Eos));
    ids.sort_unstable();
    ids.dedup();
    StopTokens { ids, configured }
}

fn parse(config: &Value) -> Option<Vec<TokenId>> {
    let id = |value: &Value| TokenId::try_from(value.as_u64()?).ok();
    match config.get("eos_token_id")? {
        Value::Array(list) => Some(list.iter().filter_map(id).collect()),
        one => Some(vec![id(one)?]),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_id_or_a_list() {
        assert_eq!(parse(&json!({"eos_token_id": 2})), Some(vec![2]));
        assert_eq!(parse(&json!({"eos_token_id": [1, 106, "x"]})), Some(vec![1, 106]));
        assert_eq!(parse(&json!({"max_length": 20})), None);
    }
}
