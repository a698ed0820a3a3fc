//! `BertTokenizer`: words by rules (clean, space out Chinese characters, case, accents, punctuation), then WordPiece.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use fancy_regex::Regex;
use tokenizers::NormalizedString;
use tokenizers::normalizer::Range;

use super::{AddedTokenTables, SlowClass, WordCutter};
use crate::error::{Error, Result};
use crate::python::is_python_space;
use crate::tokenizer::core::{Core, CoreParts};
use crate::tokenizer::encoding::{Encoding, Piece, TokenId};
use crate::tokenizer::formats::word_piece;
use crate::tokenizer::special::SpecialTokens;
use crate::tokenizer::steps::set_bert;

/// A longer word is unknown as a whole.
const MAX_CHARS_OF_A_WORD: usize = 100;

/// Python's category C. Characters that its Unicode does not know yet belong to it: 14 is that of Python 3.11.
const CONTROL: &str = r"^[\p{C}\P{age:14.0}]$";

/// The switches of the class.
#[derive(Debug, Clone)]
pub struct BertOptions {
    pub lowercase: bool,
    /// `None` strips them with the case.
    pub strip_accents: Option<bool>,
    pub spaces_chinese: bool,
    /// `do_basic_tokenize`: without it words are only what white space parts.
    pub splits_words: bool,
    /// Words that are left alone.
    pub never_split: BTreeSet<String>,
}

/// The class over a `vocab.txt`.
#[derive(Debug)]
pub struct BertClass {
    tokens: Vec<String>,
    /// Of a token that is there twice the last id counts.
    ids: HashMap<String, TokenId>,
    unk: String,
    options: BertOptions,
    /// Unicode's categories, as Python's `unicodedata` names them.
    control: Regex,
    punctuation: Regex,
    nonspacing_mark: Regex,
    /// The fast class's pipeline, which explains how a word was cut.
    core: Core,
}

/// A word, and for each of its characters the bytes of the text it came from.
#[derive(Debug, Default)]
struct Word {
    chars: Vec<char>,
    sources: Vec<std::ops::Range<usize>>,
}

impl BertClass {
    /// A class over the bytes of a `vocab.txt`.
    ///
    /// # Errors
    /// A file that is no list of tokens.
    pub fn new(vocab: &[u8], path: &Path, unk: &str, options: BertOptions) -> Result<Self> {
        let tokens = word_piece::read_vocab(vocab, path)?;
        let mut parts = CoreParts::bare(word_piece::build(&tokens, unk, path)?);
        set_bert(&mut parts, options.lowercase, options.strip_accents, options.spaces_chinese)?;
        let core = parts.assemble()?.0;
        let category = |pattern: &str| Regex::new(pattern).map_err(|e| Error::Usage(e.to_string()));
        Ok(Self {
            ids: tokens.iter().cloned().zip(0..).collect(),
            tokens,
            unk: unk.to_string(),
            options,
            control: category(CONTROL)?,
            punctuation: category(r"^\p{P}$")?,
            nonspacing_mark: category(r"^\p{Mn}$")?,
            core,
        })
    }

    fn is(category: &Regex, c: char) -> bool {
        category.is_match(c.encode_utf8(&mut [0; 4])).unwrap_or(false)
    }

    fn is_control(&self, c: char) -> bool {
        !matches!(c, '\t' | '\n' | '\r') && Self::is(&self.control, c)
    }

    fn is_punctuation(&self, c: char) -> bool {
        c.is_ascii_punctuation() || (!c.is_ascii() && Self::is(&self.punctuation, c))
    }

    /// Cleaned, Chinese characters between spaces, composed (NFC); cut at white space.
    fn words(&self, text: &str) -> Vec<Word> {
        let mut normalized = NormalizedString::from(text);
        if self.options.splits_words {
            normalized.filter(|c| !matches!(c, '\0' | '\u{FFFD}') && !self.is_control(c));
            normalized.map(|c| if is_white(c) { ' ' } else { c });
            if self.options.spaces_chinese {
                let mut spaced: Vec<(char, isize)> = Vec::new();
                normalized.for_each(|c| match is_chinese(c) {
                    true => spaced.extend([(' ', 0), (c, 1), (' ', 1)]),
                    false => spaced.push((c, 0)),
                });
                normalized.transform(spaced, 0);
            }
            normalized.nfc();
        }
        let mut words: Vec<Word> = Vec::new();
        let mut inside = false;
        for (at, c) in normalized.get().char_indices() {
            if is_python_space(c) {
                inside = false;
                continue;
            }
            if !inside {
                words.push(Word::default());
                inside = true;
            }
            let source = normalized.convert_offsets(Range::Normalized(at..at + c.len_utf8()));
            if let Some(word) = words.last_mut() {
                word.chars.push(c);
                word.sources.push(source.unwrap_or(0..0));
            }
        }
        words
    }

    /// Case and accents of a word.
    fn folded(&self, word: Word) -> Word {
        let strips = match self.options.strip_accents {
            Some(strips) => strips,
            None => self.options.lowercase,
        };
        let mut folded = Word::default();
        // The case of a letter may depend on its neighbours (final sigma), its length in characters does not.
        let text: String = word.chars.iter().collect();
        let lower = if self.options.lowercase { text.to_lowercase() } else { text };
        let mut lower = lower.chars();
        for (c, source) in word.chars.iter().zip(word.sources) {
            let len = if self.options.lowercase { c.to_lowercase().count() } else { 1 };
            for c in lower.by_ref().take(len) {
                if !strips {
                    folded.push(c, &source);
                    continue;
                }
                let mut parts = NormalizedString::from(c.encode_utf8(&mut [0; 4]) as &str);
                parts.nfd();
                for part in parts.get().chars().filter(|c| !Self::is(&self.nonspacing_mark, *c)) {
                    folded.push(part, &source);
                }
            }
        }
        folded
    }

    /// A word cut at punctuation (each mark a word), and at white space that its changes brought.
    fn cut_at_punctuation(&self, word: &Word) -> Vec<Word> {
        let mut parts: Vec<Word> = Vec::new();
        let mut begins = true;
        for (c, source) in word.chars.iter().zip(&word.sources) {
            if is_python_space(*c) {
                begins = true;
                continue;
            }
            let alone = self.is_punctuation(*c);
            if begins || alone {
                parts.push(Word::default());
            }
            if let Some(part) = parts.last_mut() {
                part.push(*c, source);
            }
            begins = alone;
        }
        parts
    }

    /// The longest pieces from the left, or unk for the word as a whole.
    fn pieces(&self, word: &Word, encoding: &mut Encoding) {
        let whole = word.source(0..word.chars.len());
        let unknown = |encoding: &mut Encoding| self.push(encoding, &self.unk, whole.clone());
        if word.chars.len() > MAX_CHARS_OF_A_WORD {
            return unknown(encoding);
        }
        let mut found = Encoding::default();
        let mut start = 0;
        while start < word.chars.len() {
            let longest = (start + 1..=word.chars.len()).rev().find_map(|end| {
                let text: String = word.chars.get(start..end)?.iter().collect();
                let text = if start > 0 { format!("##{text}") } else { text };
                self.ids.get(&text).map(|id| (end, *id))
            });
            let Some((end, id)) = longest else { return unknown(encoding) };
            found.push(id, word.source(start..end));
            start = end;
        }
        encoding.extend_shifted(&found, 0);
    }

    fn push(&self, encoding: &mut Encoding, token: &str, span: std::ops::Range<usize>) {
        let id = self.ids.get(token).or_else(|| self.ids.get(&self.unk));
        encoding.push_optional(id.copied(), token, span);
    }
}

impl Word {
    fn push(&mut self, c: char, source: &std::ops::Range<usize>) {
        self.chars.push(c);
        self.sources.push(source.clone());
    }

    fn source(&self, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let covered = self.sources.get(range).unwrap_or(&[]);
        match (covered.iter().map(|s| s.start).min(), covered.iter().map(|s| s.end).max()) {
            (Some(start), Some(end)) => start..end,
            _ => 0..0,
        }
    }

    fn text(&self) -> String {
        self.chars.iter().collect()
    }
}

impl SlowClass for BertClass {
    fn tokenize_segment(&self, text: &str, state: AddedTokenTables<'_>) -> Result<Encoding> {
        let mut encoding = Encoding::default();
        for word in self.words(text) {
            if !self.options.splits_words {
                self.pieces(&word, &mut encoding);
                continue;
            }
            let content = word.text();
            let kept = self.options.never_split.contains(&content) || state.special.contains(&content);
            let parts = match kept {
                true => vec![word],
                false => {
                    let folded = self.folded(word);
                    let content = folded.text();
                    let kept =
                        self.options.never_split.contains(&content) || state.special.contains(&content);
                    if kept { vec![folded] } else { self.cut_at_punctuation(&folded) }
                }
            };
            for part in parts {
                let content = part.text();
                match self.options.never_split.contains(&content) {
                    true => self.push(&mut encoding, &content, part.source(0..part.chars.len())),
                    false => self.pieces(&part, &mut encoding),
                }
            }
        }
        Ok(encoding)
    }

    fn vocab_size(&self) -> usize {
        self.ids.len()
    }

    fn token_to_id(&self, token: &str) -> Option<TokenId> {
        self.ids.get(token).copied()
    }

    fn piece(&self, id: TokenId) -> Option<Piece> {
        self.tokens.get(id as usize).cloned().map(Piece::Text)
    }

    fn bytes(&self, id: TokenId) -> Option<Vec<u8>> {
        let token = self.tokens.get(id as usize)?;
        Some(token.strip_prefix("##").unwrap_or(token).as_bytes().to_vec())
    }

    fn tokens_to_string(&self, tokens: &[String], _: &SpecialTokens) -> String {
        tokens.join(" ").replace(" ##", "").trim_matches(is_python_space).to_string()
    }

    fn cutter(&self) -> WordCutter<'_> {
        WordCutter::Pipeline(&self.core)
    }
}

/// White space to this class: Unicode's space separators and the three that every text has.
fn is_white(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\n' | '\r' | '\u{A0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}'
    )
}

/// The blocks of Chinese characters; those of Japanese and Korean scripts are words like others.
fn is_chinese(c: char) -> bool {
    matches!(
        u32::from(c),
        0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x2A6DF | 0x2A700..=0x2B73F | 0x2B740..=0x2B81F
            | 0x2B820..=0x2CEAF | 0x2F800..=0x2FA1F
    )
}
