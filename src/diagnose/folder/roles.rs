//! eos, pad and bos as the tokenizer's files, generation_config.json and config.json name them.

use serde_json::Value;

use crate::masks::encoder::Encoder;
use crate::tokenizer::{FileSet, Role, TokenId, Tokenizer};

/// A role of which files name different tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleConflict {
    pub role: Role,
    /// Each place with what it names.
    pub claims: Vec<(String, String)>,
    /// What follows, in a sentence.
    pub cause: String,
    /// Training or generation goes another way than meant; else it is worth knowing only.
    pub is_fault: bool,
}

/// Keys of a config.json under which the language model of a multimodal one has its own.
const NESTED: [&str; 3] = ["text_config", "llm_config", "language_config"];

/// Where the ids of a role stand in a configuration.
struct Ids {
    place: String,
    ids: Vec<TokenId>,
}

/// The contradictions of a tokenizer's folder; `end` is the token with which the chat template ends an answer, where one
/// is known.
pub fn role_conflicts(tokenizer: &Tokenizer, end: Option<TokenId>) -> Vec<RoleConflict> {
    [Role::Eos, Role::Pad, Role::Bos]
        .into_iter()
        .flat_map(|role| {
            let names = in_two_files(tokenizer, role);
            names.into_iter().chain(against_configurations(tokenizer, role, end))
        })
        .collect()
}

/// tokenizer_config.json against special_tokens_map.json.
fn in_two_files(tokenizer: &Tokenizer, role: Role) -> Option<RoleConflict> {
    let files = &tokenizer.files;
    let config = files.json("tokenizer_config.json").ok()??;
    let map = files.json("special_tokens_map.json").ok()??;
    let text = |file: &Value| {
        let value = file.get(role.attribute())?;
        value.get("content").unwrap_or(value).as_str().map(str::to_string)
    };
    let (in_config, in_map) = (text(&config)?, text(&map)?);
    if in_config == in_map {
        return None;
    }
    let (taken, why) = match config.get("added_tokens_decoder") {
        Some(_) => {
            (&in_config, "does not read special_tokens_map.json where there is an added_tokens_decoder")
        }
        None => (
            &in_map,
            "lets special_tokens_map.json overwrite tokenizer_config.json, as there is no added_tokens_decoder",
        ),
    };
    let named = |text: &str| format!("{text:?}{}", shown_id(tokenizer.token_to_id(text)));
    let cause = format!(
        "{} is {in_config:?} in tokenizer_config.json and {in_map:?} in special_tokens_map.json: transformers {why} and takes \
         {taken:?}, other readers take the other one",
        role.attribute()
    );
    Some(RoleConflict {
        role,
        claims: vec![
            ("tokenizer_config.json".into(), named(&in_config)),
            ("special_tokens_map.json".into(), named(&in_map)),
        ],
        cause,
        is_fault: role != Role::Bos,
    })
}

/// The tokenizer's token against the ids of generation_config.json and config.json.
fn against_configurations(tokenizer: &Tokenizer, role: Role, end: Option<TokenId>) -> Option<RoleConflict> {
    let own = tokenizer.role_id(role);
    let generation = ids_of(&tokenizer.files, "generation_config.json", role);
    let model = ids_of(&tokenizer.files, "config.json", role);
    if generation.is_empty() && model.is_empty() {
        return None;
    }
    let show = |id: &TokenId| match tokenizer.id_to_token(*id) {
        Some(piece) => format!("{piece} ({id})"),
        None => format!("{id}, which is no token of this tokenizer"),
    };
    let all = |ids: &[TokenId]| ids.iter().map(show).collect::<Vec<_>>().join(", ");
    let (cause, is_fault) = match role {
        Role::Eos => eos(tokenizer, &generation, &model, end, &all)?,
        role => (other(role, own?, &generation, &model, &all)?, false),
    };
    let mut claims = vec![("tokenizer".to_string(), own.map_or_else(|| "none".to_string(), |id| show(&id)))];
    claims.extend(generation.iter().chain(&model).map(|found| (found.place.clone(), all(&found.ids))));
    if let (Role::Eos, Some(end)) = (role, end) {
        claims.push(("the chat template ends an answer with".into(), show(&end)));
    }
    Some(RoleConflict { role, claims, cause, is_fault })
}

/// What the configurations say of eos, where it is not what the tokenizer or the template says.
fn eos(
    tokenizer: &Tokenizer,
    generation: &[Ids],
    model: &[Ids],
    end: Option<TokenId>,
    all: &dyn Fn(&[TokenId]) -> String,
) -> Option<(String, bool)> {
    // `generate` reads generation_config.json, and derives one from config.json where there is none.
    let stops = generation.first().or(model.first())?;
    let stops_at = |id: TokenId| stops.ids.contains(&id);
    let own = tokenizer.role_id(Role::Eos);
    if let Some(end) = end.filter(|end| !stops_at(*end)) {
        let tokenizer_too = match own == Some(end) {
            true => "which is the tokenizer's eos too",
            false => "and neither is it the tokenizer's eos",
        };
        return Some((
            format!(
                "an answer ends with {}, {tokenizer_too}, and {} stops generation at {} only: the model learns a token at which \
                 generation goes on. Add its id to eos_token_id there",
                all(&[end]),
                stops.place,
                all(&stops.ids)
            ),
            true,
        ));
    }
    if let Some(own) = own.filter(|own| !stops_at(*own)) {
        // A template whose end stops generation is right, whatever the tokenizer calls eos.
        return Some((
            format!(
                "the tokenizer's eos is {}, and {} stops generation at {} only: what a trainer appends as eos does not end \
                 an answer",
                all(&[own]),
                stops.place,
                all(&stops.ids)
            ),
            end.is_none(),
        ));
    }
    let unlike = generation.iter().chain(model).find(|other| other.ids.iter().all(|id| !stops_at(*id)))?;
    Some((
        format!(
            "{} says eos is {}, and {} stops generation at {}: `generate` follows {}, and programs that read {} alone do not",
            unlike.place,
            all(&unlike.ids),
            stops.place,
            all(&stops.ids),
            stops.place,
            unlike.place
        ),
        false,
    ))
}

/// The same for pad and bos: nothing stops at them, and the tokenizer writes its own.
fn other(
    role: Role,
    own: TokenId,
    generation: &[Ids],
    model: &[Ids],
    all: &dyn Fn(&[TokenId]) -> String,
) -> Option<String> {
    let unlike = generation.iter().chain(model).find(|other| !other.ids.contains(&own))?;
    let follows = match role {
        Role::Pad => "batches are padded with the tokenizer's, generation pads with the other",
        _ => "texts begin with the tokenizer's, generation from nothing with the other",
    };
    Some(format!(
        "the tokenizer's {} is {}, and {} says {}: {follows}",
        role.name(),
        all(&[own]),
        unlike.place,
        all(&unlike.ids)
    ))
}

/// `ROLE_token_id` of a configuration, a number or a list, at the top and in the language model's part.
fn ids_of(files: &FileSet, name: &str, role: Role) -> Vec<Ids> {
    let Some(config) = files.json(name).ok().flatten() else { return Vec::new() };
    let key = format!("{}_id", role.attribute());
    let of = |at: &Value, place: String| {
        let id = |value: &Value| TokenId::try_from(value.as_u64()?).ok();
        let ids: Vec<TokenId> = match at.get(&key)? {
            Value::Array(list) => list.iter().filter_map(id).collect(),
            one => vec![id(one)?],
        };
        (!ids.is_empty()).then_some(Ids { place, ids })
    };
    let nested = NESTED.iter().filter_map(|key| of(config.get(key)?, format!("{name} ({key})")));
    of(&config, name.to_string()).into_iter().chain(nested).collect()
}

fn shown_id(id: Option<TokenId>) -> String {
    id.map_or_else(|| ", which is no token of this tokenizer".to_string(), |id| format!(" ({id})"))
}
