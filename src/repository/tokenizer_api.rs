//! The tokenizer that code in the sandbox sees: each question of `python/transformers.py`, answered by a [`Tokenizer`].
//!
//! A change makes a new state and leaves the old one as it is, so a copy costs nothing, and the same change made again (a
//! function that copies the tokenizer for every sample) finds the state that it made before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value, json};

use crate::chat::jinja::{ChatTemplate, Clock, Inputs, TemplateError, TemplateQuery, TemplateSet};
use crate::error::Error;
use crate::python::PythonError;
use crate::tokenizer::{
    LoadOptions, Loader, NO_ID, PaddingSide, Piece, Role, SpecialToken, TokenId, Tokenizer, load,
};

/// States that code may make.
const MOST_STATES: usize = 2_000;
/// Bytes of one text.
const LONGEST_TEXT: usize = 4 << 20;
/// Tokens that one change may add.
const MOST_TOKENS: usize = 10_000;

/// A tokenizer as the code has made it.
#[derive(Debug, Clone)]
pub struct TokenizerState {
    pub tokenizer: Arc<Tokenizer>,
    /// What the code set `chat_template` to.
    pub chat_template: Option<String>,
}

/// All states that the code of one function has made, by number.
#[derive(Debug)]
pub struct TokenizerApi {
    states: Mutex<Vec<TokenizerState>>,
    /// (state, change) → the state that it makes, and the answer.
    changes: Mutex<HashMap<(usize, String), Value>>,
    templates: Mutex<HashMap<String, Arc<ChatTemplate>>>,
    base: Arc<Tokenizer>,
    options: LoadOptions,
    /// How the code loaded a tokenizer last.
    last_load: Mutex<Option<Loading>>,
    /// `LlamaTokenizerFast` has the attribute `legacy`, as later releases than 4.37 give it.
    fast_llama_has_legacy: bool,
}

/// A call of `from_pretrained` that was run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loading {
    /// The class; `None` for `AutoTokenizer`.
    pub class: Option<String>,
    /// `trust_remote_code=True` was among the arguments.
    pub trusts_code: bool,
}

type Answer = Result<Value, PythonError>;

impl TokenizerApi {
    /// The API of a loaded tokenizer; `options` are those it was loaded with.
    pub fn new(base: Arc<Tokenizer>, options: LoadOptions, fast_llama_has_legacy: bool) -> Self {
        let first = TokenizerState { tokenizer: base.clone(), chat_template: None };
        Self {
            fast_llama_has_legacy,
            states: Mutex::new(vec![first]),
            changes: Mutex::default(),
            templates: Mutex::default(),
            base,
            options,
            last_load: Mutex::default(),
        }
    }

    /// How the code loaded a tokenizer last; `None` where it has not.
    pub fn last_load(&self) -> Option<Loading> {
        self.last_load.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The state of a number.
    pub fn state(&self, handle: usize) -> Option<TokenizerState> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner).get(handle).cloned()
    }

    /// What the sandbox is told of a state: its number and its class.
    pub fn described(&self, handle: usize) -> Value {
        let class = self.state(handle).map(|state| state.tokenizer.facts.name.clone());
        json!({"handle": handle, "class": class})
    }

    /// The answer to a question; `None` where it is no question about a tokenizer.
    pub fn answer(&self, question: &Value) -> Option<Value> {
        let asked = question.get("ask")?.as_str()?;
        let answer = match asked {
            "load" => self.load(question),
            _ => {
                let handle = question.get("handle").and_then(Value::as_u64)?;
                let handle = usize::try_from(handle).ok()?;
                let state = self.state(handle)?;
                self.answer_of(asked, handle, &state, question)?
            }
        };
        Some(answer.unwrap_or_else(|error| json!({"raise": [error.kind, error.message]})))
    }

    fn answer_of(
        &self,
        asked: &str,
        handle: usize,
        state: &TokenizerState,
        question: &Value,
    ) -> Option<Answer> {
        let tokenizer = &*state.tokenizer;
        let text = |key: &str| question.get(key).and_then(Value::as_str).unwrap_or_default();
        let flag = |key: &str| question.get(key).and_then(Value::as_bool).unwrap_or(false);
        Some(match asked {
            "get" => Ok(get(state, text("name"))),
            "encode" => encode(tokenizer, text("text"), flag("special"), question.get("limit")),
            "token_to_id" => Ok(json!({"value": tokenizer.resolve(text("token"))})),
            "id_to_token" => {
                let names =
                    ids(question).into_iter().filter(|id| !flag("skip") || !tokenizer.is_special(*id));
                Ok(json!({"value": names.map(|id| piece(tokenizer, id)).collect::<Vec<_>>()}))
            }
            "decode" => {
                let decoded = tokenizer.decode(&ids(question), flag("skip"));
                decoded.map(|text| json!({"value": text})).map_err(PythonError::from)
            }
            "vocab" => Ok(json!({"value": vocabulary(tokenizer)})),
            "added_vocab" => {
                let added: Map<String, Value> =
                    tokenizer.added.iter().map(|(id, token)| (token.content.clone(), id.into())).collect();
                Ok(json!({"value": added}))
            }
            "chat" => self.chat(state, question),
            "role" | "additional" | "hold" | "add" | "add_additional" | "add_role" | "post_processor" => {
                self.change(asked, handle, state, question)
            }
            _ => return None,
        })
    }

    fn keep(&self, state: TokenizerState) -> Result<usize, PythonError> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if states.len() >= MOST_STATES {
            return Err(refused(format!(
                "more than {MOST_STATES} changes of the tokenizer are not made here"
            )));
        }
        states.push(state);
        Ok(states.len() - 1)
    }

    fn change(&self, asked: &str, handle: usize, state: &TokenizerState, question: &Value) -> Answer {
        let key = (handle, question.to_string());
        let known = self.changes.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let mut changed = state.clone();
        let before = changed.tokenizer.len();
        apply(&mut changed, asked, question)?;
        let added = changed.tokenizer.len().saturating_sub(before);
        let answer = json!({"handle": self.keep(changed)?, "added": added});
        self.changes.lock().unwrap_or_else(PoisonError::into_inner).insert(key, answer.clone());
        Ok(answer)
    }

    /// `from_pretrained`: the same files, loaded with the arguments of the call.
    fn load(&self, question: &Value) -> Answer {
        let empty = Map::new();
        let arguments = question.get("kwargs").and_then(Value::as_object).unwrap_or(&empty);
        let class = question.get("class").and_then(Value::as_str);
        *self.last_load.lock().unwrap_or_else(PoisonError::into_inner) = Some(Loading {
            class: class.map(String::from),
            trusts_code: arguments.get("trust_remote_code").and_then(Value::as_bool) == Some(true),
        });
        let fast = match (class, arguments.get("use_fast").and_then(Value::as_bool)) {
            (Some(class), _) => class.ends_with("Fast"),
            (None, wish) => wish.unwrap_or(true),
        };
        let loader = if fast { Loader::Fast } else { Loader::Slow };
        let legacy = arguments.get("legacy").and_then(Value::as_bool).or(self.options.legacy);
        let options = LoadOptions { loader: Some(loader), legacy, ..self.options };
        let same = self.base.facts.loader == loader && options.legacy == self.options.legacy;
        let mut tokenizer = match same {
            true => (*self.base).clone(),
            false => load(&self.base.name, &self.base.files, options)
                .or_else(|_| load(&self.base.name, &self.base.files, LoadOptions { loader: None, ..options }))
                .map_err(|error| PythonError::new("OSError", error.to_string()))?,
        };
        let is_llama = tokenizer.facts.name == "LlamaTokenizerFast" && tokenizer.facts.legacy.is_none();
        if is_llama && self.fast_llama_has_legacy {
            tokenizer.facts.legacy = Some(legacy.unwrap_or(true));
        }
        if question.get("files_only").and_then(Value::as_bool) == Some(true) {
            class_defaults(&mut tokenizer, class.unwrap_or_default()).map_err(change_error)?;
        }
        let mut rest: Vec<(&String, &Value)> = arguments.iter().collect();
        // Roles first, as the class's `__init__` takes them before anything is added.
        rest.sort_by_key(|(key, _)| !key.ends_with("_token"));
        for (key, value) in rest {
            argument(&mut tokenizer, key, value)?;
        }
        let handle = self.keep(TokenizerState { tokenizer: Arc::new(tokenizer), chat_template: None })?;
        Ok(self.described(handle))
    }

    fn chat(&self, state: &TokenizerState, question: &Value) -> Answer {
        let source = match question.get("template").and_then(Value::as_str).or(state.chat_template.as_deref())
        {
            Some(source) => source.to_string(),
            None => {
                let set = TemplateSet::discover(&state.tokenizer.files)?;
                let chosen = set.choose(&TemplateQuery::default());
                chosen
                    .map_err(|error| PythonError::new(error.kind.clone(), error.message.clone()))?
                    .text
                    .clone()
            }
        };
        let known = self.templates.lock().unwrap_or_else(PoisonError::into_inner).get(&source).cloned();
        let template = match known {
            Some(template) => template,
            None => {
                let made =
                    ChatTemplate::new("chat template", &source, Clock::System).map_err(template_error)?;
                let made = Arc::new(made);
                self.templates.lock().unwrap_or_else(PoisonError::into_inner).insert(source, made.clone());
                made
            }
        };
        let messages = question.get("messages").and_then(Value::as_array).cloned().unwrap_or_default();
        let special = special_tokens_map(&state.tokenizer);
        let inputs = Inputs {
            messages: &messages,
            special_tokens: Some(&special),
            kwargs: question.get("kwargs").and_then(Value::as_object),
            add_generation_prompt: question.get("generation").and_then(Value::as_bool).unwrap_or(false),
            ..Inputs::default()
        };
        let rendered = template.render(&inputs).map_err(template_error)?;
        Ok(json!({"value": rendered.text}))
    }
}

/// The special tokens that a class has where it is made from a vocabulary file alone, without a configuration.
fn class_defaults(tokenizer: &mut Tokenizer, class: &str) -> Result<(), Error> {
    let defaults: &[(Role, &str)] = match class.trim_end_matches("Fast") {
        "GemmaTokenizer" => {
            &[(Role::Bos, "<bos>"), (Role::Eos, "<eos>"), (Role::Unk, "<unk>"), (Role::Pad, "<pad>")]
        }
        "LlamaTokenizer" => &[(Role::Bos, "<s>"), (Role::Eos, "</s>"), (Role::Unk, "<unk>")],
        _ => &[],
    };
    for (role, content) in defaults {
        if tokenizer.special.get(*role).is_none() && tokenizer.token_to_id(content).is_some() {
            tokenizer.special.set(*role, Some(SpecialToken::from_str(content)));
        }
    }
    // The pipeline may add a bos that had no role before.
    tokenizer.measure_bos_and_eos()
}

fn template_error(error: TemplateError) -> PythonError {
    match error.exception() {
        Some(exception) => PythonError::new(exception.kind.clone(), exception.message.clone()),
        None => PythonError::new("TemplateError", error.to_string()),
    }
}

/// What the sandbox does not do: an error of ours, not of Python.
fn refused(message: String) -> PythonError {
    PythonError::new("NotAvailable", message)
}

fn special_tokens_map(tokenizer: &Tokenizer) -> Map<String, Value> {
    let set = |role: &Role| {
        let token = tokenizer.special.get(*role)?;
        Some((role.attribute().to_string(), Value::from(token.content.clone())))
    };
    Role::ALL.iter().filter_map(set).collect()
}

fn ids(question: &Value) -> Vec<TokenId> {
    let ids = question.get("ids").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    ids.iter().map(|id| id.as_u64().and_then(|id| TokenId::try_from(id).ok()).unwrap_or(NO_ID)).collect()
}

fn piece(tokenizer: &Tokenizer, id: TokenId) -> Option<String> {
    tokenizer.piece(id).map(|piece| match piece {
        Piece::Text(text) => text,
        Piece::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
    })
}

fn vocabulary(tokenizer: &Tokenizer) -> Map<String, Value> {
    let top = TokenId::try_from(tokenizer.len()).unwrap_or(TokenId::MAX);
    (0..top).filter_map(|id| Some((piece(tokenizer, id)?, id.into()))).collect()
}

fn encode(tokenizer: &Tokenizer, text: &str, special: bool, limit: Option<&Value>) -> Answer {
    if text.len() > LONGEST_TEXT {
        return Err(refused(format!(
            "a text of {} bytes is longer than the tokenizer takes here",
            text.len()
        )));
    }
    let limit = limit.and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    let encoding = match limit {
        Some(limit) if special => tokenizer.encode_truncated(text, limit)?,
        Some(limit) => {
            let mut all = tokenizer.encode(text, false)?;
            if all.len() > limit {
                match tokenizer.facts.truncation_side {
                    PaddingSide::Right => all.truncate(limit),
                    PaddingSide::Left => all = all.without_head(all.len() - limit, 0),
                }
            }
            all
        }
        None => tokenizer.encode(text, special)?,
    };
    let id = |(at, id): (usize, &TokenId)| match encoding.without_id.contains(&at) {
        true => Value::Null,
        false => Value::from(*id),
    };
    Ok(json!({"value": encoding.ids.iter().enumerate().map(id).collect::<Vec<_>>()}))
}

fn get(state: &TokenizerState, name: &str) -> Value {
    let tokenizer = &*state.tokenizer;
    let facts = &tokenizer.facts;
    let value = |value: Value| json!({"value": value});
    let optional = |flag: Option<bool>| match flag {
        Some(flag) => value(flag.into()),
        None => json!({"absent": facts.missing_attribute(name)}),
    };
    let contents = |tokens: Vec<&SpecialToken>| tokens.iter().map(|t| t.content.clone()).collect::<Vec<_>>();
    let resolved =
        |tokens: Vec<&SpecialToken>| tokens.iter().map(|t| tokenizer.resolve(&t.content)).collect::<Vec<_>>();
    let additional = || tokenizer.special.additional.iter().collect::<Vec<_>>();
    if let Some(role) = Role::ALL.iter().find(|role| role.attribute() == name) {
        return value(tokenizer.special.get(*role).map(|token| token.content.clone()).into());
    }
    if let Some(role) = Role::ALL.iter().find(|role| name.strip_suffix("_id") == Some(role.attribute())) {
        return value(tokenizer.role_id(*role).into());
    }
    match name {
        "len" => value(tokenizer.len().into()),
        "vocab_size" => value(tokenizer.vocab_size().into()),
        "is_fast" => value((!tokenizer.is_slow()).into()),
        "name_or_path" => value(tokenizer.name.clone().into()),
        "model_max_length" => value(match u64::try_from(facts.model_max_length) {
            Ok(length) => length.into(),
            Err(_) => 1e30.into(),
        }),
        "padding_side" => value(facts.padding_side.name().into()),
        "truncation_side" => value(facts.truncation_side.name().into()),
        "clean_up_tokenization_spaces" => value(facts.clean_up_tokenization_spaces.into()),
        "legacy" => optional(facts.legacy),
        "add_bos_token" => optional(facts.add_bos_token),
        "add_eos_token" => optional(facts.add_eos_token),
        "add_prefix_space" => optional(facts.add_prefix_space),
        "additional_special_tokens" => value(contents(additional()).into()),
        "additional_special_tokens_ids" => value(resolved(additional()).into()),
        "all_special_tokens" => value(contents(tokenizer.special.all()).into()),
        "all_special_ids" => value(resolved(tokenizer.special.all()).into()),
        "special_tokens_map" => value(special_tokens_map(tokenizer).into()),
        "chat_template" => {
            let own = || {
                let set = TemplateSet::discover(&tokenizer.files).ok()?;
                Some(set.choose(&TemplateQuery::default()).ok()?.text.clone())
            };
            value(state.chat_template.clone().or_else(own).into())
        }
        _ => json!({"absent": facts.missing_attribute(name)}),
    }
}

fn role_named(question: &Value) -> Result<Role, PythonError> {
    let name = question.get("role").and_then(Value::as_str).unwrap_or_default();
    let found = Role::ALL.into_iter().find(|role| role.name() == name);
    found.ok_or_else(|| PythonError::new("AttributeError", format!("there is no role {name}")))
}

fn token_of(value: &Value) -> Result<SpecialToken, PythonError> {
    SpecialToken::from_json(value, false)
        .ok_or_else(|| PythonError::new("TypeError", "a token is a str or an AddedToken"))
}

fn tokens_of(question: &Value) -> Result<Vec<SpecialToken>, PythonError> {
    let tokens = question.get("tokens").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if tokens.len() > MOST_TOKENS {
        return Err(refused(format!("no more than {MOST_TOKENS} tokens are added at once here")));
    }
    tokens.iter().map(token_of).collect()
}

fn change_error(error: Error) -> PythonError {
    match error {
        Error::Refused { what, .. } => {
            PythonError::new("ValueError", format!("Adding unknown special tokens is not supported: {what}"))
        }
        other => PythonError::from(other),
    }
}

fn apply(state: &mut TokenizerState, asked: &str, question: &Value) -> Result<(), PythonError> {
    if asked == "hold" && question.get("name").and_then(Value::as_str) == Some("chat_template") {
        state.chat_template = question.get("value").and_then(Value::as_str).map(String::from);
        return Ok(());
    }
    let tokenizer = Arc::make_mut(&mut state.tokenizer);
    let null = Value::Null;
    let token = question.get("token").unwrap_or(&null);
    match asked {
        "role" => {
            let token = if token.is_null() { None } else { Some(token_of(token)?) };
            tokenizer.special.set(role_named(question)?, token);
        }
        "add_role" => {
            let role = role_named(question)?;
            match token {
                Value::String(content) => tokenizer.set_special_token(role, content),
                other => {
                    let token = token_of(other)?;
                    tokenizer.special.set(role, Some(token.clone()));
                    tokenizer.add_tokens(&[token], true)
                }
            }
            .map_err(change_error)?;
        }
        "additional" => tokenizer.special.additional = tokens_of(question)?,
        "add_additional" => {
            let tokens = tokens_of(question)?;
            let added: Vec<SpecialToken> = tokens
                .iter()
                .map(|t| if t.plain_str { SpecialToken::added(&t.content, false, true) } else { t.clone() })
                .collect();
            if question.get("replace").and_then(Value::as_bool) == Some(true) {
                tokenizer.special.additional.clear();
            }
            for token in &added {
                if !tokenizer.special.additional.iter().any(|t| t.content == token.content) {
                    tokenizer.special.additional.push(token.clone());
                }
            }
            tokenizer.add_tokens(&added, true).map_err(change_error)?;
        }
        "add" => {
            let special = question.get("special").and_then(Value::as_bool).unwrap_or(false);
            tokenizer.add_tokens(&tokens_of(question)?, special).map_err(change_error)?;
        }
        "hold" => {
            let name = question.get("name").and_then(Value::as_str).unwrap_or_default();
            argument(tokenizer, name, question.get("value").unwrap_or(&null))?;
        }
        "post_processor" => {
            let description = question.get("description").cloned().unwrap_or_default();
            tokenizer.replace_post_processor(description).map_err(change_error)?;
        }
        _ => return Err(refused(format!("{asked} is no change that is made here"))),
    }
    Ok(())
}

/// One keyword argument of `from_pretrained`, or an attribute that is set.
fn argument(tokenizer: &mut Tokenizer, name: &str, value: &Value) -> Result<(), PythonError> {
    let side = || match value.as_str() {
        Some("left") => Ok(PaddingSide::Left),
        Some("right") => Ok(PaddingSide::Right),
        _ => Err(PythonError::new(
            "ValueError",
            format!("Padding side should be selected between 'right' and 'left', current value: {value}"),
        )),
    };
    if let Some(role) = Role::ALL.iter().find(|role| role.attribute() == name) {
        let token = if value.is_null() { None } else { Some(token_of(value)?) };
        tokenizer.special.set(*role, token.clone());
        if let Some(token) = token {
            let token = SpecialToken { special: true, ..token };
            tokenizer.add_tokens(&[token], true).map_err(change_error)?;
        }
        return Ok(());
    }
    match name {
        "use_fast" => {}
        "legacy" => {
            if value.as_bool() != tokenizer.facts.legacy && tokenizer.facts.legacy.is_some() {
                tokenizer.facts.legacy = value.as_bool();
            }
        }
        "model_max_length" => {
            if let Some(length) = value.as_u64() {
                tokenizer.facts.model_max_length = length.into();
            }
        }
        "padding_side" => tokenizer.facts.padding_side = side()?,
        "truncation_side" => tokenizer.facts.truncation_side = side()?,
        "clean_up_tokenization_spaces" => {
            tokenizer.facts.clean_up_tokenization_spaces = value.as_bool().unwrap_or(false);
        }
        "add_bos_token" | "add_eos_token" => set_end(tokenizer, name, value.as_bool().unwrap_or(false))?,
        "additional_special_tokens" => {
            let tokens = value.as_array().map(Vec::as_slice).unwrap_or_default();
            let tokens = tokens.iter().map(token_of).collect::<Result<Vec<_>, _>>()?;
            let tokens: Vec<SpecialToken> = tokens
                .into_iter()
                .map(|t| if t.plain_str { SpecialToken::added(&t.content, false, true) } else { t })
                .collect();
            tokenizer.special.additional = tokens.clone();
            tokenizer.add_tokens(&tokens, true).map_err(change_error)?;
        }
        other => {
            return Err(refused(format!(
                "the argument or attribute {other} of a tokenizer is not known here"
            )));
        }
    }
    Ok(())
}

/// `add_bos_token` and `add_eos_token` decide in the slow classes of the Llama family; elsewhere they are only attributes.
fn set_end(tokenizer: &mut Tokenizer, name: &str, value: bool) -> Result<(), PythonError> {
    let is_slow = tokenizer.is_slow();
    let facts = &mut tokenizer.facts;
    let (attribute, done) = match name {
        "add_bos_token" => (&mut facts.add_bos_token, &mut facts.adds_bos),
        _ => (&mut facts.add_eos_token, &mut facts.adds_eos),
    };
    let decides = attribute.is_some();
    if decides && !is_slow && *done != value {
        return Err(refused(format!("{name} of a fast class is not changed here")));
    }
    *attribute = Some(value);
    if decides && is_slow {
        *done = value;
    }
    Ok(())
}
