//! What a single file is, by what is in it: a tokenizer that someone saved under another name loads all the same.

use crate::error::{Error, Result};
use crate::tokenizer::files::FileSet;
use crate::tokenizer::formats::tiktoken;

/// Enough of a file to tell its kind.
const HEAD_BYTES: u64 = 64 << 10;

/// What a `tokenizer.model` that holds ranks is called from here on.
pub const RANKS_IN_MODEL: &str = "tokenizer.model.tiktoken";

/// Gives a lone file the name that its kind has on the hub, and a rank file its ending; other sets stay as they are.
///
/// # Errors
/// A lone file that is no tokenizer file.
pub fn recognize(files: &FileSet) -> Result<FileSet> {
    if files.has("tokenizer.model") && tiktoken::looks_like_ranks(&files.head("tokenizer.model", HEAD_BYTES)?)
    {
        return Ok(files.clone().renamed("tokenizer.model", RANKS_IN_MODEL));
    }
    let mut names = files.names();
    let (Some(name), None) = (names.next(), names.next()) else { return Ok(files.clone()) };
    let kind = match kind_of(&files.head(name, HEAD_BYTES)?) {
        Some(Kind::Json) => json_kind(files, name)?,
        Some(Kind::Ranks) if name.ends_with(".tiktoken") => return Ok(files.clone()),
        Some(Kind::Ranks) => "ranks.tiktoken",
        Some(Kind::Gguf) => "model.gguf",
        // Both kinds of SentencePiece file look alike; the name tells them apart.
        Some(Kind::Proto) if matches!(name, "spiece.model" | "sentencepiece.bpe.model") => {
            return Ok(files.clone());
        }
        Some(Kind::Proto) => "tokenizer.model",
        Some(Kind::Lines) => "vocab.txt",
        None => {
            return Err(Error::format(
                files.path_of(name),
                "this is no kind of tokenizer file that is known here",
            ));
        }
    };
    let name = name.to_string();
    Ok(files.clone().renamed(&name, kind))
}

enum Kind {
    Json,
    Ranks,
    Gguf,
    Proto,
    Lines,
}

fn kind_of(head: &[u8]) -> Option<Kind> {
    if head.starts_with(b"GGUF") {
        return Some(Kind::Gguf);
    }
    if head.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{') {
        return Some(Kind::Json);
    }
    if tiktoken::looks_like_ranks(head) {
        return Some(Kind::Ranks);
    }
    // A protobuf of pieces begins with field 1, length-delimited, and a piece inside begins the same way.
    if let [0x0A, _, 0x0A, ..] | [0x0A, _, _, 0x0A, ..] = head {
        return Some(Kind::Proto);
    }
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The head may end inside a character.
        Err(e) if e.error_len().is_none() => std::str::from_utf8(head.get(..e.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    (!text.is_empty() && text.contains('\n') && !text.contains('\0')).then_some(Kind::Lines)
}

/// Which of the hub's JSON files this is.
fn json_kind(files: &FileSet, name: &str) -> Result<&'static str> {
    let json = files.json(name)?.unwrap_or_default();
    let has = |key: &str| json.get(key).is_some();
    if has("model") {
        Ok("tokenizer.json")
    } else if has("config") && has("vocab") {
        Ok("tekken.json")
    } else if has("tokenizer_class") || has("model_max_length") || has("added_tokens_decoder") {
        Err(Error::format(
            files.path_of(name),
            "this is the configuration of a tokenizer, without its vocabulary: put tokenizer.json (or \
             tokenizer.model, vocab.json and merges.txt, *.tiktoken) beside it and give the folder",
        ))
    } else if json.as_object().is_some_and(|o| o.values().all(|v| v.is_u64())) {
        Err(Error::format(
            files.path_of(name),
            "this is a vocabulary (vocab.json) without its merges: put merges.txt beside it and give the folder",
        ))
    } else {
        Err(Error::format(files.path_of(name), "this JSON is no tokenizer file that is known here"))
    }
}
