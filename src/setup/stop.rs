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

/// `eos_token_id` of generation_config.json, a number or a list, and the tokenizer's own eos. Where that file is missing
/// transformers makes one of config.json (`GenerationConfig.from_model_config`), whose eos counts then.
///
/// A file that is malformed counts as one without an eos: transformers falls back to the tokenizer's eos too.
pub fn stop_tokens(tokenizer: &Tokenizer) -> StopTokens {
    let read = |name: &str| tokenizer.files.json(name).ok().flatten();
    let StopTokens { mut ids, configured } =
        configured(read("generation_config.json").as_ref(), || read("config.json"));
    ids.extend(tokenizer.role_id(Role::Eos));
    ids.sort_unstable();
    ids.dedup();
    StopTokens { ids, configured }
}

/// What the configurations say; `model` is read where there is none for generation.
fn configured(generation: Option<&Value>, model: impl FnOnce() -> Option<Value>) -> StopTokens {
    if let Some(generation) = generation {
        let ids = parse(generation);
        return StopTokens { configured: ids.is_some(), ids: ids.unwrap_or_default() };
    }
    let of_model = |model: Value| parse(&model).or_else(|| parse(model.get("text_config")?));
    StopTokens { ids: model().and_then(of_model).unwrap_or_default(), configured: false }
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
    fn the_model_s_eos_counts_where_nothing_is_said_of_generation() {
        let model = || Some(json!({"eos_token_id": 7, "text_config": {"eos_token_id": 9}}));
        let of = |generation: Option<Value>| configured(generation.as_ref(), model);
        assert_eq!(of(None), StopTokens { ids: vec![7], configured: false });
        assert_eq!(of(Some(json!({}))), StopTokens::default());
        assert_eq!(of(Some(json!({"eos_token_id": 3}))), StopTokens { ids: vec![3], configured: true });
        let nested = configured(None, || Some(json!({"text_config": {"eos_token_id": [9]}})));
        assert_eq!(nested.ids, [9]);
    }

    #[test]
    fn one_id_or_a_list() {
        assert_eq!(parse(&json!({"eos_token_id": 2})), Some(vec![2]));
        assert_eq!(parse(&json!({"eos_token_id": [1, 106, "x"]})), Some(vec![1, 106]));
        assert_eq!(parse(&json!({"max_length": 20})), None);
    }
}
