//! Ranks whose class comes as code with the model (`auto_map`): the code is not run, and what it would say is taken from
//! the configuration. What has to be assumed beyond that is named.
//!
//! | class | files | assumed |
//! | --- | --- | --- |
//! | `TikTokenTokenizer` (Kimi) | `tiktoken.model` | 256 ids behind the ranks, `<|reserved_token_ID|>` where none is declared; Han apart from other letters |
//! | `HYTokenizer`, `HunYuanTokenizer` | `hy.tiktoken` | five named tokens and 205 `<|extra_N|>` behind the ranks; digits one by one; NFC first |
//! | any other | `*.tiktoken` | the ids that `added_tokens_decoder` declares, and no others |

use std::collections::BTreeMap;

use serde_json::Value;
use tokenizers::normalizers::NFC;
use tokenizers::{AddedToken, NormalizerWrapper};

use super::classless_format::ClasslessFormat;
use crate::error::Result;
use crate::tokenizer::TokenId;
use crate::tokenizer::core::AddedTokenWithId;
use crate::tokenizer::files::FileSet;
use crate::tokenizer::formats::tiktoken::{self, HAN_PATTERN, KnownEncoding};
use crate::tokenizer::special::Role;

/// Kimi's class, and how many ids it sets aside behind the ranks.
const KIMI: &str = "TikTokenTokenizer";
const KIMI_RESERVED: TokenId = 256;

/// HunYuan's classes, the tokens that their code sets behind the ranks, and how many extra ones follow.
const HUNYUAN: [&str; 2] = ["HYTokenizer", "HunYuanTokenizer"];
const HUNYUAN_TOKENS: [&str; 5] = ["<|endoftext|>", "<|startoftext|>", "<|bos|>", "<|eos|>", "<|pad|>"];
const HUNYUAN_EXTRA: usize = 205;
/// The roles of their constructor's defaults.
const HUNYUAN_ROLES: [(Role, &str); 3] =
    [(Role::Bos, "<|startoftext|>"), (Role::Eos, "<|endoftext|>"), (Role::Pad, "<|pad|>")];

/// A declared token: its text, and whether it is special.
type Declared = BTreeMap<TokenId, (String, bool)>;

/// The rank file `name` with what the configuration declares; `None` where it declares nothing, and the class is not known.
pub fn read(
    files: &FileSet,
    name: &str,
    config: &Value,
    asked: Option<&str>,
) -> Result<Option<ClasslessFormat>> {
    let class = config.get("tokenizer_class").and_then(Value::as_str).unwrap_or_default();
    let mut tokens = declared(config);
    let is_kimi = class == KIMI;
    let is_hunyuan = HUNYUAN.contains(&class);
    if tokens.is_empty() && !is_kimi && !is_hunyuan {
        return Ok(None);
    }
    let path = files.path_of(name);
    let ranks = tiktoken::read_ranks(&files.require(name)?, &path)?;
    let base = TokenId::try_from(ranks.len()).unwrap_or(TokenId::MAX);
    if is_kimi {
        for id in base..base.saturating_add(KIMI_RESERVED) {
            tokens.entry(id).or_insert_with(|| (format!("<|reserved_token_{id}|>"), true));
        }
    }
    if is_hunyuan {
        let extra = (0..HUNYUAN_EXTRA).map(|number| format!("<|extra_{number}|>"));
        let named = HUNYUAN_TOKENS.into_iter().map(str::to_string).chain(extra);
        for (id, token) in (base..).zip(named) {
            tokens.entry(id).or_insert((token, true));
        }
    }
    let text = |key: &str| config.get(key).and_then(Value::as_str).map(str::to_string);
    let own = asked.map(str::to_string).or_else(|| text("pat_str")).or_else(|| text("pattern"));
    let published = KnownEncoding::by_rank_count(ranks.len());
    let (pattern, assumed) = match (&own, is_kimi, &published) {
        (None, ..) if is_hunyuan => {
            (tiktoken::DIGIT_BY_DIGIT_PATTERN, "the split pattern of HunYuan's code is assumed")
        }
        (Some(own), ..) => (own.as_str(), "its split pattern is as given"),
        (None, true, _) => (HAN_PATTERN, "the split pattern that takes Han apart is assumed"),
        (None, false, Some(known)) => {
            (known.pattern, "the split pattern of the published encoding of its size is assumed")
        }
        (None, false, None) => (tiktoken::THREE_DIGITS_PATTERN, "cl100k_base's split pattern is assumed"),
    };
    let special: Vec<(String, TokenId)> = tokens.iter().map(|(id, (text, _))| (text.clone(), *id)).collect();
    let mut parts = tiktoken::build_with_special(&ranks, &special, pattern, &path)?;
    let added = |(id, (text, special)): (&TokenId, &(String, bool))| AddedTokenWithId {
        id: *id,
        token: AddedToken::from(text.as_str(), *special).normalized(false),
    };
    parts.added_tokens = tokens.iter().map(added).collect();
    let (mut roles, without_id) = roles(config, &tokens);
    if is_hunyuan {
        parts.normalizer = Some(NormalizerWrapper::NFC(NFC));
        for (role, token) in HUNYUAN_ROLES {
            // A null of the configuration is said, and stays.
            if config.get(role.attribute()).is_none() {
                roles.push((role, token.to_string()));
            }
        }
    }
    // The constructor's defaults are true.
    let adds = |key: &str| is_hunyuan && config.get(key).and_then(Value::as_bool).unwrap_or(true);
    let class = if class.is_empty() { "no class is named" } else { class };
    let reserved = match (is_kimi, is_hunyuan) {
        (true, _) => format!(", {KIMI_RESERVED} ids from {base} on are special"),
        (_, true) => format!(
            ", {} ids from {base} on are special, and tokens around a text go by add_bod_token and add_eod_token (true where \
             they are not given)",
            HUNYUAN_TOKENS.len() + HUNYUAN_EXTRA
        ),
        _ => String::new(),
    };
    let lacking = match without_id.is_empty() {
        true => String::new(),
        false => format!("; {} have no id and are left out", without_id.join(", ")),
    };
    let note = format!(
        "{class}: its code is not run; {} ranks, special tokens by tokenizer_config.json{reserved}; {assumed} \
         (--split-pattern names another){lacking}",
        ranks.len()
    );
    Ok(Some(ClasslessFormat {
        parts,
        roles,
        adds_bos: adds("add_bod_token"),
        adds_eos: adds("add_eod_token"),
        note: Some(note),
    }))
}

/// The tokens of `added_tokens_decoder`.
fn declared(config: &Value) -> Declared {
    let entries = config.get("added_tokens_decoder").and_then(Value::as_object).into_iter().flatten();
    let one = |(id, token): (&String, &Value)| {
        let special = token.get("special").and_then(Value::as_bool).unwrap_or(true);
        let text = token.get("content").and_then(Value::as_str)?;
        Some((id.parse().ok()?, (text.to_string(), special)))
    };
    entries.filter_map(one).collect()
}

/// The roles whose tokens have ids, and the tokens of those that have none.
fn roles(config: &Value, tokens: &Declared) -> (Vec<(Role, String)>, Vec<String>) {
    let (mut found, mut without) = (Vec::new(), Vec::new());
    for role in Role::ALL {
        let Some(value) = config.get(role.attribute()) else { continue };
        let content = || value.get("content").and_then(Value::as_str);
        let Some(text) = value.as_str().or_else(content) else { continue };
        match tokens.values().any(|(declared, _)| declared == text) {
            true => found.push((role, text.to_string())),
            false => without.push(format!("{} {text}", role.name())),
        }
    }
    (found, without)
}
