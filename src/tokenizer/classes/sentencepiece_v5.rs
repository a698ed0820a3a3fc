//! What 5.x makes of a `tokenizer.model` without a `tokenizer.json`.

use serde_json::{Value, json};

use crate::error::Result;
use crate::tokenizer::config::InitArguments;
use crate::tokenizer::core::CoreParts;
use crate::tokenizer::files::FileSet;
use crate::tokenizer::formats::sentencepiece::{MergeOrder, ModelProto, PieceKind, build_bpe, build_unigram};
use crate::tokenizer::special::{Role, SpecialToken};
use crate::tokenizer::steps::{llama_decoder, part, sequence, visible_spaces};

const FILE: &str = "tokenizer.model";

/// A BPE model for a class that puts its own pipeline around it (Llama, CodeLlama, Gemma).
pub fn bpe(files: &FileSet, arguments: &mut InitArguments) -> Result<CoreParts> {
    let (model, path) = ModelProto::open(files, FILE)?;
    arguments.special.additional = declared_pieces(&model);
    Ok(CoreParts::bare(build_bpe(&model.scored_pieces(), MergeOrder::Id, &path)?))
}

/// A whole pipeline, for the class that would take a `tokenizer.json` as it is: pieces and rules of the model, no dummy
/// space, and the roles that the model names where the configuration names none.
pub fn pipeline(files: &FileSet, arguments: &mut InitArguments) -> Result<CoreParts> {
    let (model, path) = ModelProto::open(files, FILE)?;
    arguments.special.additional = declared_pieces(&model);
    let spec = model.trainer_spec.clone().unwrap_or_default();
    let roles = [
        (Role::Bos, spec.bos_id(), spec.bos_piece()),
        (Role::Eos, spec.eos_id(), spec.eos_piece()),
        (Role::Unk, spec.unk_id(), spec.unk_piece()),
    ];
    for (role, id, piece) in roles {
        if id >= 0 && !arguments.names(role.attribute()) {
            arguments.special.set(role, Some(SpecialToken::from_str(piece)));
        }
    }
    let pieces = model.scored_pieces();
    let mut parts = if model.is_bpe() {
        let mut bpe = build_bpe(&pieces, MergeOrder::Id, &path)?;
        bpe.unk_token = Some(spec.unk_piece().to_string());
        bpe.byte_fallback = spec.byte_fallback();
        CoreParts::bare(bpe)
    } else {
        CoreParts::bare(build_unigram(pieces, Some(model.unk_id()), spec.byte_fallback(), &path)?)
    };
    let steps: Vec<Value> = model.charsmap_normalizer(&path)?.into_iter().chain([visible_spaces()]).collect();
    parts.normalizer = part(sequence("normalizers", steps))?;
    parts.decoder = match spec.byte_fallback() {
        true => part(llama_decoder(false))?,
        false => part(json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}))?,
    };
    Ok(parts)
}

/// Pieces that the model declares take the place of additional special tokens: control pieces are special, those of the
/// user are not.
fn declared_pieces(model: &ModelProto) -> Vec<SpecialToken> {
    let declared = model.entries().filter_map(|(text, _, _, kind)| match kind {
        PieceKind::Control => Some(SpecialToken::added(text, false, true)),
        PieceKind::UserDefined => Some(SpecialToken::added(text, false, false)),
        _ => None,
    });
    declared.collect()
}
