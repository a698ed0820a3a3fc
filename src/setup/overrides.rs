//! Special-token overrides: what the training script does to a tokenizer after loading it.

use crate::error::{Error, Result};
use crate::tokenizer::{Role, SpecialToken, TokenId, Tokenizer};

/// The token that a role shall have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TokenChoice {
    /// A token by its text: added if the vocabulary lacks it (`add_special_tokens`).
    Surface(String),
    /// The token of another role (`pad_token = unk_token`).
    CopyOf(Role),
    /// A token of the vocabulary, held as an `AddedToken` object in place of a string: the slow classes of 4.31
    /// swallow whitespace beside special tokens that are strings, and leave it beside objects.
    Object(String),
}

impl TokenChoice {
    /// Reads an option's value: `unk` and `eos` name roles where a role can be copied, all else is a token.
    pub fn parse(role: Role, text: &str) -> Self {
        match (role, text) {
            (Role::Pad, "unk") => Self::CopyOf(Role::Unk),
            (Role::Pad, "eos") => Self::CopyOf(Role::Eos),
            _ => Self::Surface(text.to_string()),
        }
    }
}

/// What one override did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverrideEffect {
    pub role: Role,
    /// The role's token afterwards; `None` where a role without a token was copied.
    pub content: Option<String>,
    /// Its id; `None` where the class finds none.
    pub id: Option<TokenId>,
    /// True when the token was not in the vocabulary before.
    pub new: bool,
    pub len_before: usize,
    pub len_after: usize,
}

/// Applies overrides in the given order to a copy of a tokenizer.
///
/// # Errors
/// [`Error::Refused`] where the class cannot take a token.
pub fn apply(
    base: &Tokenizer,
    overrides: &[(Role, TokenChoice)],
) -> Result<(Tokenizer, Vec<OverrideEffect>)> {
    let mut tokenizer = base.clone();
    let mut effects = Vec::new();
    for (role, choice) in overrides {
        effects.push(apply_one(&mut tokenizer, *role, choice)?);
    }
    Ok((tokenizer, effects))
}

fn apply_one(tokenizer: &mut Tokenizer, role: Role, choice: &TokenChoice) -> Result<OverrideEffect> {
    let len_before = tokenizer.len();
    let mut new = false;
    match choice {
        TokenChoice::Surface(content) if content.is_empty() => {
            return Err(Error::Usage(format!("--{} needs a token, not an empty text", role.name())));
        }
        TokenChoice::Surface(content) => {
            new = tokenizer.token_to_id(content).is_none();
            tokenizer.set_special_token(role, content)?;
        }
        TokenChoice::CopyOf(from) => {
            let copied = tokenizer.special.get(*from).map(|t| SpecialToken::from_str(&t.content));
            tokenizer.special.set(role, copied);
        }
        TokenChoice::Object(content) if tokenizer.token_to_id(content).is_none() => {
            return Err(Error::Usage(format!(
                "{content:?} is not in the vocabulary, so no object can stand for it"
            )));
        }
        TokenChoice::Object(content) => tokenizer.set_special_object(role, content)?,
    }
    Ok(OverrideEffect {
        role,
        content: tokenizer.special.get(role).map(|t| t.content.clone()),
        id: tokenizer.role_id(role),
        new,
        len_before,
        len_after: tokenizer.len(),
    })
}
