//! The JSON of the command line, as `docs/command-line.md` fixes it: other programs read it.

use serde::Serialize;
use serde_json::Value;

use crate::chat::Sample;
use crate::diagnose::{FoundPart, RecordAccount, Reserved, TokenReport, token_report};
use crate::labels::{Inspection, Labelled, Note, StatusKind};
use crate::setup::{OverrideEffect, Setup};
use crate::tokenizer::{Encoding, Piece, Role, SpecialToken, TokenId, Tokenizer};

/// A round of [`SampleJson`].
#[derive(Debug, Serialize)]
pub struct RoundJson<'a> {
    pub round_len: i64,
    pub instruction_len: i64,
    pub start: i64,
    pub end: i64,
    /// Who speaks, where a chat template made the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'a str>,
}

/// A quirk that took effect: tokens concerned, none where it is about the sample.
#[derive(Debug, Serialize)]
pub struct NoteJson<'a> {
    pub tokens: [usize; 2],
    pub text: &'a str,
}

impl<'a> From<&'a Note> for NoteJson<'a> {
    fn from(note: &'a Note) -> Self {
        Self { tokens: [note.tokens.start, note.tokens.end], text: &note.text }
    }
}

/// The exception that the training code would raise.
#[derive(Debug, Serialize)]
pub struct ErrorJson<'a> {
    #[serde(rename = "type")]
    pub kind: &'a str,
    pub message: &'a str,
}

/// One sample of `inspect`. After an error all result fields are null.
#[derive(Debug, Serialize)]
pub struct SampleJson<'a> {
    pub id: &'a str,
    pub template: &'a str,
    pub preprocess: &'a str,
    pub prompt: Option<&'a str>,
    pub input_ids: Option<&'a [i64]>,
    pub labels: Option<&'a [i64]>,
    pub cur_len: Option<i64>,
    pub total_len: Option<i64>,
    pub mismatch: Option<bool>,
    pub rounds: Option<Vec<RoundJson<'a>>>,
    pub warning: Option<&'a str>,
    pub error: Option<ErrorJson<'a>>,
    /// `sound`, `silent`, `mismatch` or `raises`.
    pub status: StatusKind,
    /// Tokens with a label that the collator cuts off.
    pub truncated: Option<usize>,
    /// Only of mask strategies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<NoteJson<'a>>,
    /// Where the parts of the record are; only of chat templates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartJson>,
    /// What of the record is not in the text, or not as it is meant; only of chat templates.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_carried: Vec<String>,
}

/// A part of the record in the text.
#[derive(Debug, Serialize)]
pub struct PartJson {
    pub path: String,
    pub tokens: [usize; 2],
    pub supervised: usize,
}

impl SampleJson<'_> {
    /// The same with what became of each part of the record.
    pub fn with_account(self, setup: &Setup, sample: &Sample, inspection: &Inspection) -> Self {
        let part = |part: FoundPart| PartJson {
            path: part.path,
            tokens: [part.tokens.start, part.tokens.end],
            supervised: part.supervised,
        };
        let account = RecordAccount::of(setup, sample, inspection);
        Self {
            parts: RecordAccount::found(setup, sample, inspection).into_iter().map(part).collect(),
            not_carried: account.map(|account| account.lines()).unwrap_or_default(),
            ..self
        }
    }
}

impl<'a> From<&'a Inspection> for SampleJson<'a> {
    fn from(inspection: &'a Inspection) -> Self {
        let labelled = inspection.result.as_ref().ok();
        let rounds = labelled.map(|l| {
            let round = |r: &'a crate::labels::Round| RoundJson {
                round_len: r.round_len,
                instruction_len: r.instruction_len,
                start: r.start,
                end: r.end,
                role: r.message.as_ref().map(|message| message.role.as_str()),
            };
            l.rounds.iter().map(round).collect()
        });
        let notes = labelled.into_iter().flat_map(|l| &l.notes);
        Self {
            notes: notes.map(NoteJson::from).collect(),
            parts: Vec::new(),
            not_carried: Vec::new(),
            id: &inspection.id,
            template: &inspection.template,
            preprocess: &inspection.preprocess,
            prompt: labelled.and(inspection.prompt.as_deref()),
            input_ids: labelled.map(|l| l.input_ids.as_slice()),
            labels: labelled.map(|l| l.labels.as_slice()),
            cur_len: labelled.and_then(|l| l.cur_len),
            total_len: labelled.and_then(|l| l.total_len),
            mismatch: labelled.map(|l| l.mismatch),
            rounds,
            warning: labelled.and_then(|l| l.warning.as_deref()),
            status: inspection.status().kind(),
            truncated: labelled.map(Labelled::truncated),
            error: inspection.result.as_ref().err().map(|e| ErrorJson { kind: &e.kind, message: &e.message }),
        }
    }
}

/// A token as Python names it: a string, or `{"hex": …}` for a `bytes` object.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum TokenJson {
    Text(String),
    Bytes { hex: String },
}

impl From<Piece> for TokenJson {
    fn from(piece: Piece) -> Self {
        match piece {
            Piece::Text(text) => Self::Text(text),
            Piece::Bytes(bytes) => {
                Self::Bytes { hex: bytes.iter().map(|b| format!("{b:02x}")).collect::<String>() }
            }
        }
    }
}

/// One text of `encode`; `offsets` are in Unicode characters, null for classes that give none.
#[derive(Debug, Serialize)]
pub struct EncodeJson<'a> {
    pub text: &'a str,
    pub ids: Vec<Option<TokenId>>,
    pub tokens: Vec<Option<TokenJson>>,
    pub offsets: Option<Vec<(usize, usize)>>,
}

impl<'a> EncodeJson<'a> {
    /// The JSON of an encoded text; `offsets` as [`Tokenizer::char_offsets`] gives them, for fast classes.
    pub fn new(
        tokenizer: &Tokenizer,
        text: &'a str,
        encoding: &Encoding,
        offsets: Option<Vec<(usize, usize)>>,
    ) -> Self {
        let has_id = |i: &usize| !encoding.without_id.contains(i);
        let ids: Vec<Option<TokenId>> =
            encoding.ids.iter().enumerate().map(|(i, id)| has_id(&i).then_some(*id)).collect();
        let surface = |i: usize| encoding.surfaces.iter().find(|(at, _)| *at == i).map(|(_, s)| s.clone());
        let tokens = ids.iter().enumerate().map(|(i, id)| {
            surface(i).map(Piece::Text).or_else(|| tokenizer.piece((*id)?)).map(TokenJson::from)
        });
        Self { text, tokens: tokens.collect(), ids, offsets }
    }
}

/// A token of a role.
#[derive(Debug, Serialize)]
pub struct RoleJson {
    pub content: String,
    pub id: Option<TokenId>,
}

/// An added token with its flags.
#[derive(Debug, Serialize)]
pub struct AddedJson {
    pub id: TokenId,
    pub content: String,
    pub special: bool,
    pub lstrip: bool,
    pub rstrip: bool,
    pub normalized: bool,
    pub single_word: bool,
}

impl AddedJson {
    fn new(id: TokenId, token: &SpecialToken) -> Self {
        Self {
            id,
            content: token.content.clone(),
            special: token.special,
            lstrip: token.lstrip,
            rstrip: token.rstrip,
            normalized: token.normalized,
            single_word: token.single_word,
        }
    }
}

/// What an override did.
#[derive(Debug, Serialize)]
pub struct OverrideJson {
    pub role: &'static str,
    pub content: Option<String>,
    pub id: Option<TokenId>,
    pub new: bool,
    pub len: usize,
    /// Null where no config.json tells the model's number of embedding rows, or the token has no id.
    pub embedding_row_exists: Option<bool>,
}

impl OverrideJson {
    fn new(effect: &OverrideEffect, rows: Option<usize>) -> Self {
        let exists = |rows: usize| effect.id.and_then(|id| usize::try_from(id).ok()).map(|id| id < rows);
        Self {
            role: effect.role.name(),
            content: effect.content.clone(),
            id: effect.id,
            new: effect.new,
            len: effect.len_after,
            embedding_row_exists: rows.and_then(exists),
        }
    }
}

/// The table of `special`.
#[derive(Debug, Serialize)]
pub struct SpecialJson {
    pub class: String,
    pub loader: &'static str,
    pub transformers: &'static str,
    pub vocab_size: usize,
    pub len: usize,
    pub model_max_length: u128,
    pub padding_side: &'static str,
    pub truncation_side: &'static str,
    pub bos_token: Option<RoleJson>,
    pub eos_token: Option<RoleJson>,
    pub unk_token: Option<RoleJson>,
    pub sep_token: Option<RoleJson>,
    pub pad_token: Option<RoleJson>,
    pub cls_token: Option<RoleJson>,
    pub mask_token: Option<RoleJson>,
    pub additional_special_tokens: Vec<String>,
    pub added_tokens: Vec<AddedJson>,
    pub adds_bos: bool,
    pub adds_eos: bool,
    pub can_add_special_tokens: bool,
    pub overrides: Vec<OverrideJson>,
    #[serde(flatten)]
    pub truth: TruthJson,
}

impl From<&Setup> for SpecialJson {
    fn from(setup: &Setup) -> Self {
        let tokenizer = &*setup.tokenizer;
        let facts = &tokenizer.facts;
        let role = |role: Role| {
            let token = tokenizer.special.get(role)?;
            Some(RoleJson { content: token.content.clone(), id: tokenizer.role_id(role) })
        };
        Self {
            class: facts.name.clone(),
            loader: facts.loader.name(),
            transformers: facts.release.name(),
            vocab_size: tokenizer.vocab_size(),
            len: tokenizer.len(),
            model_max_length: facts.model_max_length,
            padding_side: facts.padding_side.name(),
            truncation_side: facts.truncation_side.name(),
            bos_token: role(Role::Bos),
            eos_token: role(Role::Eos),
            unk_token: role(Role::Unk),
            sep_token: role(Role::Sep),
            pad_token: role(Role::Pad),
            cls_token: role(Role::Cls),
            mask_token: role(Role::Mask),
            additional_special_tokens: tokenizer
                .special
                .additional
                .iter()
                .map(|t| t.content.clone())
                .collect(),
            added_tokens: tokenizer.added.iter().map(|(id, t)| AddedJson::new(id, t)).collect(),
            adds_bos: facts.adds_bos,
            adds_eos: facts.adds_eos,
            can_add_special_tokens: facts.can_add_tokens,
            overrides: setup.effects.iter().map(|e| OverrideJson::new(e, tokenizer.embedding_rows)).collect(),
            truth: TruthJson::from(&token_report(setup)),
        }
    }
}

/// What the table of roles does not say by itself (the derived part of `special` in docs/command-line.md).
#[derive(Debug, Serialize)]
pub struct TruthJson {
    /// Null where no config.json was there.
    pub embedding_rows: Option<usize>,
    pub max_id: Option<TokenId>,
    /// Ids below `max_id` without a token, as `[start, end)`.
    pub holes: Vec<[TokenId; 2]>,
    /// Added tokens whose id is `len` or more.
    pub beyond_len: Vec<TokenId>,
    pub shared_ids: Vec<SharedJson>,
    /// Ids that encoding a text really puts before and behind it.
    pub put_before: Vec<TokenId>,
    pub put_behind: Vec<TokenId>,
    pub separator: Option<SeparatorJson>,
    /// Special tokens without a role, the best for reuse first.
    pub reserved: Vec<ReservedJson>,
    pub remarks: Vec<RemarkJson>,
}

/// Roles with one id.
#[derive(Debug, Serialize)]
pub struct SharedJson {
    pub id: TokenId,
    pub roles: Vec<&'static str>,
}

/// The template's last separator as ids.
#[derive(Debug, Serialize)]
pub struct SeparatorJson {
    pub text: String,
    pub ids: Vec<TokenId>,
    pub is_eos: bool,
}

/// A token that is free for reuse.
#[derive(Debug, Serialize)]
pub struct ReservedJson {
    pub id: TokenId,
    pub content: String,
    pub reason: &'static str,
}

/// A fact that a person should know.
#[derive(Debug, Serialize)]
pub struct RemarkJson {
    pub weight: &'static str,
    pub text: String,
}

impl From<&TokenReport> for TruthJson {
    fn from(truth: &TokenReport) -> Self {
        let shared = |(id, roles): &(TokenId, Vec<Role>)| SharedJson {
            id: *id,
            roles: roles.iter().map(|r| r.name()).collect(),
        };
        let reserved = |t: &Reserved| ReservedJson { id: t.id, content: t.content.clone(), reason: t.reason };
        Self {
            embedding_rows: truth.embedding_rows,
            max_id: truth.id_statistics.max_id,
            holes: truth.id_statistics.holes.iter().map(|h| [h.start, h.end]).collect(),
            beyond_len: truth.id_statistics.beyond_len.clone(),
            shared_ids: truth.shared.iter().map(shared).collect(),
            put_before: truth.id_statistics.around.before.clone(),
            put_behind: truth.id_statistics.around.behind.clone(),
            separator: truth.separator.as_ref().map(|s| SeparatorJson {
                text: s.text.clone(),
                ids: s.ids.clone(),
                is_eos: s.is_eos,
            }),
            reserved: truth.reserved.iter().map(reserved).collect(),
            remarks: truth
                .notes
                .iter()
                .map(|r| RemarkJson { weight: r.weight.name(), text: r.text.clone() })
                .collect(),
        }
    }
}

/// A JSON value on one line, or indented.
///
/// Control characters inside strings are escaped by JSON itself; format characters (bidi controls, zero
/// widths) are escaped here, so that JSON printed to a terminal cannot steer it.
pub fn to_line(value: &impl Serialize, indented: bool) -> Result<String, serde_json::Error> {
    let text = if indented { serde_json::to_string_pretty(value)? } else { serde_json::to_string(value)? };
    Ok(escape_format_characters(&text))
}

fn escape_format_characters(json: &str) -> String {
    if json.is_ascii() && !json.contains('\u{7f}') {
        return json.to_string();
    }
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if crate::text::is_hidden(c) && c != '\n' {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// A JSON string or the `text` of a JSON object, as `encode` reads them.
pub fn text_of_line(line: &str) -> Result<String, String> {
    match serde_json::from_str(line) {
        Ok(Value::String(text)) => Ok(text),
        Ok(Value::Object(map)) => match map.get("text") {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err("the object has no string \"text\"".to_string()),
        },
        Ok(_) => Err("expected a JSON string or an object with \"text\"".to_string()),
        Err(e) => Err(e.to_string()),
    }
}
