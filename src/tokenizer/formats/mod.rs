//! The file formats of the hub, one file each: bytes in, parts of a tokenization pipeline out.
//!
//! A format knows nothing of Python classes, overrides or where its bytes came from.

pub mod bpe_files;
pub mod charsmap;
pub mod gguf;
pub mod gguf_split;
pub mod merges;
pub mod sentencepiece;
pub mod step_checks;
pub mod tekken;
pub mod tiktoken;
pub mod tokenizer_json;
pub mod word_piece;
