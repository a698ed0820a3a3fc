//! What the ids of a vocabulary are to a dump: which end an answer, fill a row up, stand for an image, have a text at all.

use std::collections::BTreeSet;

use crate::chat::MediaKind;
use crate::masks::markers::Markers;
use crate::masks::occurrences;
use crate::tokenizer::{IMAGE_TOKEN_INDEX, Role, TokenId, Tokenizer};

/// Tokens that stand for a part of an image, a video or a sound, or for the place of one.
const MEDIA: &[&str] =
    &["<image>", "<video>", "<audio>", "<|vision_start|>", "<|vision_end|>", "<|image|>", "<|placeholder|>"];

/// What an id is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TokenFact {
    known: bool,
    /// It adds something to a text.
    text: bool,
    blank: bool,
    special: bool,
}

/// What the ids of a vocabulary are.
#[derive(Debug, Clone, Default)]
pub struct TokenFacts {
    pub eos: Option<i64>,
    pub bos: Option<i64>,
    pub pad: Option<i64>,
    /// Tokens that end an answer: eos, and what the template closes an answer with.
    pub ends: Vec<i64>,
    pub media: Vec<i64>,
    /// The template's marker of an answer: what it always has, and blanks that it ends with.
    pub(super) response: Option<(Vec<i64>, usize)>,
    pub(super) kinds: Vec<TokenFact>,
    /// Rows of the model's embedding, which may be more than the vocabulary.
    pub(super) embedding_rows: Option<usize>,
}

impl TokenFacts {
    /// Of a tokenizer, and of the template's markers where there are some.
    pub fn new(tokenizer: &Tokenizer, markers: Option<&Markers>) -> Self {
        let role = |role| tokenizer.role_id(role).map(i64::from);
        let eos = role(Role::Eos);
        let end_of_turn = markers.and_then(|markers| tokenizer.token_to_id(markers.end_of_turn.as_deref()?));
        let mut ends: Vec<i64> = eos.into_iter().chain(end_of_turn.map(i64::from)).collect();
        ends.dedup();
        let names = MediaKind::ALL.iter().flat_map(|kind| kind.tokens()).chain(MEDIA);
        let media = names.filter_map(|name| tokenizer.token_to_id(name)).map(i64::from);
        let ids = |text: &str| -> Option<Vec<i64>> {
            let ids = tokenizer.encode(text, false).ok()?.ids;
            Some(ids.into_iter().map(i64::from).collect())
        };
        let response = markers.and_then(|markers| {
            let (whole, bare) = (ids(markers.response.trim_start())?, ids(markers.response.trim())?);
            let blanks = whole.len().saturating_sub(bare.len());
            (!bare.is_empty()).then_some((bare, blanks))
        });
        let most = tokenizer.len().max(tokenizer.vocab_size());
        let most = tokenizer.added.iter().map(|(id, _)| id as usize + 1).max().unwrap_or(0).max(most);
        // Closed lists of classes hold tokens that the class does not call special.
        let listed: BTreeSet<TokenId> = tokenizer.special_surfaces().into_iter().map(|(id, _)| id).collect();
        let kind = |id: usize| {
            let Some(id) = TokenId::try_from(id).ok() else { return TokenFact::default() };
            let bytes = tokenizer.token_bytes(id);
            let text = bytes.as_deref().unwrap_or_default();
            TokenFact {
                known: bytes.is_some(),
                text: !text.is_empty(),
                blank: !text.is_empty() && text.iter().all(u8::is_ascii_whitespace),
                special: listed.contains(&id) || tokenizer.is_special(id),
            }
        };
        Self {
            eos,
            bos: role(Role::Bos),
            pad: role(Role::Pad),
            ends,
            media: media.chain([IMAGE_TOKEN_INDEX]).collect(),
            response,
            kinds: (0..most).map(kind).collect(),
            embedding_rows: tokenizer.embedding_rows,
        }
    }

    /// Where answers begin, by the template's marker.
    pub(super) fn answer_starts(&self, ids: &[i64]) -> Vec<usize> {
        let Some((marker, blanks)) = &self.response else { return Vec::new() };
        let start = |at: usize| {
            let behind = ids.get(at + marker.len()..).unwrap_or_default();
            let skipped = behind.iter().take(*blanks).take_while(|id| self.is_blank(**id)).count();
            at + marker.len() + skipped
        };
        occurrences(ids, marker).map(start).collect()
    }

    fn kind(&self, id: i64) -> TokenFact {
        usize::try_from(id).ok().and_then(|id| self.kinds.get(id)).copied().unwrap_or_default()
    }

    /// Ids that no row of the model's embedding stands for: every one beyond the vocabulary, where its size is not known.
    pub(super) fn is_beyond(&self, id: i64) -> bool {
        let rows = self.embedding_rows.unwrap_or(self.kinds.len()).max(self.kinds.len());
        !self.is_media(id) && usize::try_from(id).map_or(true, |id| id >= rows)
    }

    /// Ids of the vocabulary's range that are no token: a hole, or a row of the embedding that is not used.
    pub(super) fn is_without_token(&self, id: i64) -> bool {
        !self.is_beyond(id) && !self.is_media(id) && !self.kind(id).known
    }

    pub(super) fn is_media(&self, id: i64) -> bool {
        self.media.contains(&id)
    }

    pub(super) fn is_blank(&self, id: i64) -> bool {
        self.kind(id).blank
    }

    /// True for a token that is special.
    pub fn is_special(&self, id: i64) -> bool {
        self.kind(id).special
    }

    pub(super) fn is_end(&self, id: i64) -> bool {
        self.ends.contains(&id)
    }

    /// Whether a vocabulary is known at all.
    pub(super) fn has_vocabulary(&self) -> bool {
        !self.kinds.is_empty()
    }
}
