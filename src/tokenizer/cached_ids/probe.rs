//! The check of a cached encoder before it is used: texts that are cut in unexpected ways, and every added token between
//! words. With one difference it is not used.

use super::cutting::{Cutting, Uncertain};
use super::encoder::CachedEncoder;
use super::word_cache::WordCache;
use crate::tokenizer::encoding::Encoding;
use crate::tokenizer::loaded::Tokenizer;

/// Texts with what is cut in unexpected ways: runs of white space, digits, marks, scripts without spaces, emoji.
const TEXTS: &[&str] = &[
    "",
    " ",
    "  ",
    "\n",
    " \n ",
    "\t x",
    "a",
    "a ",
    " a",
    "a  b   c    d",
    "a\n b\n\n  c\r\n d\te",
    "x \u{a0}y\u{2003}z \u{3000}w",
    "It's we'll I'D they've 's 'x",
    "1 12 123 1234 12345 1,234.50 3.14e-10",
    "$ 5 % 6 (a) [b] {c} <d> \"e\" 'f' - -- --- ... .. .",
    "x= y== z=== ?! !? ;; :: ~~ @@ ## ** __ // \\\\ ||",
    "d\u{e9}j\u{e0} vu, na\u{ef}ve co\u{f6}perate \u{df} \u{c6}",
    "e\u{301} o\u{308}\u{301} \u{301}a a \u{308}b =\u{338} > \u{338}",
    "\u{212b} \u{fb01} \u{2126} \u{1e9b}\u{323} \u{ac00} \u{1100}\u{1161}",
    "\u{4f60}\u{597d}\u{ff0c}\u{4e16}\u{754c}\u{3002} \u{3053}\u{3093} \u{c548}\u{b155} \u{421}\u{43b}\u{43e}\u{432}\u{43e}",
    "\u{1f600} \u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{1f1e9}\u{1f1ea}x \u{2764}\u{fe0f} \u{1f44d}\u{1f3fd}",
    "\u{5d0}\u{5d1} \u{627}\u{644} \u{939}\u{93f} \u{e44}\u{e17}\u{e22} \u{10ffff} \u{0} \u{1} \u{1c} \u{85} \u{200b} \u{feff} x",
    "\u{2581}a \u{2581}\u{2581}b\u{2581} \u{2581}",
    "aaaaaaaaaaaa aaa aaaaa -------- ---- ======== ....",
    "def f(x):\n    return x + 1  # comment\n\n\tif a: b\n",
    "https://a.b/c?d=e&f=g#h C:\\d\\e f@g.h",
    "<|endoftext|> </s> <s> <unk> <image> <0x0A> [INST] x [/INST] ### \u{120}a",
    "A. USER: What? ASSISTANT: No.\nUSER:",
    "A long sentence, of ordinary words, that goes on for a while; and then stops.",
];

/// Most added tokens that are tried; of more, every n-th.
const MOST: usize = 512;

/// Compares with the tokenizer.
///
/// # Errors
/// What differs.
pub(super) fn check(encoder: &CachedEncoder) -> Result<(), String> {
    let mut words = WordCache::default();
    for text in TEXTS {
        compare(encoder, &mut words, text)?;
        // Two texts with a split point between them.
        compare(encoder, &mut words, &format!("x{text}. {text}"))?;
    }
    let step = encoder.cutting.added.len().div_ceil(MOST).max(1);
    for token in encoder.cutting.added.iter().step_by(step) {
        let token = &token.content;
        compare(encoder, &mut words, &format!("a{token}b {token} c,{token}\n {token}"))?;
        if encoder.cuts_at(token).is_some() {
            compare_cut(encoder, &mut words, token)?;
        }
    }
    Ok(())
}

fn compare(encoder: &CachedEncoder, words: &mut WordCache, text: &str) -> Result<(), String> {
    let mut ids = Vec::new();
    if encoder.encode(words, text, false, &mut ids).is_err() {
        return Ok(());
    }
    let own = |special: bool| {
        encoder.tokenizer.encode_whole(text, special).map(|e| e.ids).map_err(|e| e.to_string())
    };
    if ids != own(false)? {
        return Err(format!("cutting {text:?} into words gives other ids"));
    }
    let whole: Vec<_> = [encoder.before(), &ids, encoder.behind()].concat();
    if whole != own(true)? {
        return Err(format!("{text:?} gets other special tokens than \"x\""));
    }
    Ok(())
}

/// Compares both sides of a token that cuts, encoded as texts of their own.
fn compare_cut(encoder: &CachedEncoder, words: &mut WordCache, token: &str) -> Result<(), String> {
    for (left, right) in [("a b.", "USER: x"), ("1 ", "Human: \u{e9}"), ("\n\n", "<|im_start|>user")] {
        let mut ids = Vec::new();
        let cut = encoder.encode(words, left, false, &mut ids).and_then(|()| {
            ids.extend(encoder.cuts_at(token).unwrap_or_default());
            encoder.encode(words, right, false, &mut ids)
        });
        let text = format!("{left}{token}{right}");
        let own = encoder.tokenizer.encode_whole(&text, false).map_err(|e| e.to_string())?;
        if cut.is_ok() && ids != own.ids {
            return Err(format!("{text:?} is not cut at {token:?} alone"));
        }
    }
    Ok(())
}

/// Compares encodings that are put together from parts with the tokenizer's own: ids, spans and tokens around them.
///
/// # Errors
/// The text that differs.
pub(super) fn check_encodings(
    tokenizer: &Tokenizer,
    cutting: &Cutting,
    encode: &dyn Fn(&str, bool) -> Result<Encoding, Uncertain>,
) -> Result<(), String> {
    let step = cutting.added.len().div_ceil(MOST).max(1);
    let with_added = cutting.added.iter().step_by(step).map(|added| {
        let token = &added.content;
        format!("a{token}b {token} c,{token}\n {token}x\u{e9} y{token}")
    });
    let pairs = TEXTS.iter().flat_map(|text| [(*text).to_string(), format!("x{text}. {text}")]);
    for text in pairs.chain(with_added) {
        for add_special_tokens in [false, true] {
            let Ok(found) = encode(&text, add_special_tokens) else { continue };
            let own = tokenizer.encode_whole(&text, add_special_tokens).map_err(|e| e.to_string())?;
            if found != own {
                return Err(format!("cutting {text:?} into parts gives another encoding"));
            }
        }
    }
    Ok(())
}
