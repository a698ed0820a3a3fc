//! The lines that give tokens to roles.

use super::python::{python_added, python_object, python_string};
use crate::setup::{LlavaSetup, TokenChoice};
use crate::tokenizer::{Role, Tokenizer};

/// Tokens that a set-up gives to roles, in the order of assignment.
pub type TokenLines = [(Role, TokenChoice)];

/// Assignments in the guide's manner: added where the class can, set where its list is closed.
pub fn tokenizer_lines(setup: &LlavaSetup, tokens: &TokenLines) -> String {
    python_token_lines(setup.tokenizer.facts.can_add_tokens, tokens)
}

/// The same for a class that can add tokens, or cannot.
pub fn python_token_lines(can_add: bool, tokens: &TokenLines) -> String {
    let mut lines = String::new();
    for (role, choice) in tokens {
        let attribute = role.attribute();
        lines += &match choice {
            TokenChoice::CopyOf(from) => format!("tokenizer.{attribute} = tokenizer.{}\n", from.attribute()),
            TokenChoice::Surface(text) if can_add => python_added(*role, text) + "\n",
            TokenChoice::Surface(text) => format!("tokenizer.{attribute} = {}\n", python_string(text)),
            TokenChoice::Object(text) => format!("tokenizer.{attribute} = {}\n", python_object(text)),
        };
    }
    lines
}

/// The token that a tokenizer has in a role, as an assignment: for a role that a script sets otherwise.
pub fn role_line(tokenizer: &Tokenizer, role: Role) -> String {
    let token = tokenizer.special.get(role).map_or("None".to_string(), |token| python_string(&token.content));
    format!("tokenizer.{} = {token}\n", role.attribute())
}

/// True where the tokens bring ids that the files do not have: the embedding may want more rows.
pub fn adds_ids(setup: &LlavaSetup) -> bool {
    setup.tokenizer.len() > setup.base.len()
}
