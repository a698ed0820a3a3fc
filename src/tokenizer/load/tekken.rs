//! `tekken.json`, which Mistral's models bring along without a class.

use super::classless_format::ClasslessFormat;
use crate::error::Result;
use crate::tokenizer::files::FileSet;
use crate::tokenizer::formats::tekken;
use crate::tokenizer::special::Role;

/// Reads the file; its roles are known by their contents.
pub fn read(files: &FileSet) -> Result<ClasslessFormat> {
    let parts = tekken::read(&files.require("tekken.json")?, &files.path_of("tekken.json"))?;
    let has = |content: &str| parts.added_tokens.iter().any(|t| t.token.content == content);
    let roles = [(Role::Bos, "<s>"), (Role::Eos, "</s>"), (Role::Unk, "<unk>"), (Role::Pad, "<pad>")];
    let roles: Vec<_> = roles.into_iter().filter(|(_, t)| has(t)).map(|(r, t)| (r, t.to_string())).collect();
    let adds_bos = roles.iter().any(|(r, _)| *r == Role::Bos);
    Ok(ClasslessFormat { parts, roles, adds_bos, adds_eos: false, note: None })
}
