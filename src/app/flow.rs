//! The token stream as rows: laid out from a place forward, only as far as the window reaches.
//!
//! ```text
//! section start ─► title row ─► token row ─► token row … ─► next section's title row
//!                               └ a row never crosses a section or a chunk of CHUNK tokens
//! ```
//!
//! Rows of a chunk depend on nothing outside it, so walking backwards lays out one chunk again, never the whole
//! sample: a frame over a million tokens costs as much as one over a thousand.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Range;

use super::view::{SampleView, TokenKind};
use crate::labels::IMAGE_TOKEN_INDEX;
use crate::text::{Glyph, Spaces, glyphs, glyphs_of_bytes, glyphs_width};
use crate::tokenizer::{TokenId, Tokenizer};

/// Rows break at multiples of this many tokens in a section.
pub const CHUNK: usize = 512;

/// How much is shown of each token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Density {
    /// Running text.
    #[default]
    Flow,
    /// Piece, id and label in three aligned lines.
    Interlinear,
    /// One token a row.
    Table,
}

impl Density {
    /// The next one on the key.
    pub fn next(self) -> Self {
        match self {
            Self::Flow => Self::Interlinear,
            Self::Interlinear => Self::Table,
            Self::Table => Self::Flow,
        }
    }

    /// As the screen names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Interlinear => "ids and labels",
            Self::Table => "table",
        }
    }

    /// Lines that a row of tokens takes.
    fn height(self) -> u16 {
        match self {
            Self::Interlinear => 4,
            _ => 1,
        }
    }
}

/// A place where a row can begin. Rank 0 is a section's title, 1 the first row of a token, more a continuation
/// of a token that is wider than a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowStart {
    pub token: usize,
    pub rank: usize,
}

/// What stands at one spot of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlowItem {
    Token(usize),
    /// A folded stretch.
    Fold(Range<usize>),
}

impl FlowItem {
    /// The token that the cursor stands on when it is on this item.
    pub fn cursor(&self) -> usize {
        match self {
            Self::Token(index) => *index,
            Self::Fold(tokens) => tokens.start,
        }
    }
}

/// An item with its cells.
#[derive(Debug, Clone)]
pub struct Placed {
    pub item: FlowItem,
    pub x: u16,
    pub width: u16,
    pub glyphs: Vec<Glyph>,
}

/// One row.
#[derive(Debug, Clone)]
pub struct FlowRow {
    pub start: RowStart,
    /// Position in the view's sections.
    pub section: usize,
    /// `None` for a title row.
    pub items: Option<Vec<Placed>>,
    /// Lines it takes.
    pub height: u16,
    /// Where the next row begins.
    pub next: RowStart,
}

impl FlowRow {
    fn holds(&self, token: usize) -> bool {
        self.items.iter().flatten().any(|p| match &p.item {
            FlowItem::Token(index) => *index == token,
            FlowItem::Fold(tokens) => tokens.contains(&token),
        })
    }
}

/// A view with the settings that decide its rows.
#[derive(Debug)]
pub struct Flow<'a> {
    pub view: &'a SampleView,
    pub width: u16,
    pub density: Density,
    /// Sections have a title row (else the screen names them beside the rows).
    pub titles: bool,
    /// Starts of the folds that are open.
    pub unfolded: &'a BTreeSet<usize>,
    /// Tokens whose glyphs were made: what a frame costs.
    pub touched: Cell<usize>,
}

impl Flow<'_> {
    /// The closed fold that token `index` lies in.
    pub fn fold_at(&self, index: usize) -> Option<Range<usize>> {
        let at = self.view.folds.partition_point(|f| f.end <= index);
        self.view.folds.get(at).filter(|f| f.contains(&index) && !self.unfolded.contains(&f.start)).cloned()
    }

    /// The row that begins at `place`; `None` behind the last token.
    pub fn row(&self, place: RowStart) -> Option<FlowRow> {
        let (section_index, section) = self.view.section_at(place.token)?;
        let first = place.token == section.tokens.start && place.rank == 0;
        if first && self.titles {
            let next = RowStart { token: place.token, rank: 1 };
            return Some(FlowRow { start: place, section: section_index, items: None, height: 1, next });
        }
        let chunk = |token: usize| token.saturating_sub(section.tokens.start) / CHUNK;
        let mut items: Vec<Placed> = Vec::new();
        let (mut x, mut at) = (0, place.token);
        let mut skip = place.rank.saturating_sub(1);
        let mut next = RowStart { token: section.tokens.end, rank: 0 };
        while at < section.tokens.end {
            let full = self.density == Density::Table && !items.is_empty();
            if full || (chunk(at) != chunk(place.token) && !items.is_empty()) {
                next = RowStart { token: at, rank: 1 };
                break;
            }
            let (item, after) = match self.fold_at(at) {
                Some(fold) => (FlowItem::Fold(at..fold.end), fold.end),
                None => (FlowItem::Token(at), at + 1),
            };
            let mut glyphs: Vec<Glyph> = self.item_glyphs(&item).into_iter().skip(skip).collect();
            let width = self.cells(&item, &glyphs);
            if x + width <= self.width || self.density == Density::Table {
                items.push(Placed { item, x, width, glyphs });
                x += width;
                at = after;
                skip = 0;
                continue;
            }
            if items.is_empty() {
                let kept = fitting(&glyphs, self.width);
                next = if kept >= glyphs.len() {
                    RowStart { token: after, rank: usize::from(after < section.tokens.end) }
                } else {
                    RowStart { token: at, rank: 1 + skip + kept }
                };
                glyphs.truncate(kept);
                items.push(Placed { item, x, width: self.width, glyphs });
            } else {
                next = RowStart { token: at, rank: 1 };
            }
            break;
        }
        // A section of one row keeps a line free, so that the gutter has room for its name and its count.
        let alone = first && next.token == section.tokens.end && self.density == Density::Flow;
        let height = self.density.height() + u16::from(alone);
        Some(FlowRow { start: place, section: section_index, items: Some(items), height, next })
    }

    /// Rows from `top` on that fill `height` lines.
    pub fn window(&self, top: RowStart, height: u16) -> Vec<FlowRow> {
        let mut rows = Vec::new();
        let (mut place, mut used) = (top, 0);
        while used < height {
            let Some(row) = self.row(place) else { break };
            used += row.height;
            place = row.next;
            rows.push(row);
        }
        rows
    }

    /// The row of tokens that holds token `index`.
    pub fn row_of(&self, index: usize) -> Option<FlowRow> {
        let index = self.fold_at(index).map_or(index, |f| f.start);
        let mut place = self.chunk_start(index);
        loop {
            let row = self.row(place)?;
            if row.holds(index) {
                return Some(row);
            }
            if row.next.token > index {
                return None;
            }
            place = row.next;
        }
    }

    /// The row before the one that begins at `place`.
    pub fn row_before(&self, place: RowStart) -> Option<FlowRow> {
        let mut start = self.chunk_start(place.token);
        if start >= place {
            let before = place.token.checked_sub(1)?;
            start = self.chunk_start(self.fold_at(before).map_or(before, |f| f.start));
        }
        let mut row = self.row(start)?;
        while row.next < place {
            row = self.row(row.next)?;
        }
        Some(row)
    }

    /// The top of a window of `height` lines that keeps `cursor` in sight and moves as little as possible.
    pub fn settle(&self, top: RowStart, cursor: usize, height: u16) -> RowStart {
        let Some(row) = self.row_of(cursor) else { return RowStart::default() };
        let top = self.row_starting(top).unwrap_or_default();
        let mut wanted = row.start;
        if wanted <= top {
            return self.with_title(wanted);
        }
        if self.window(top, height).iter().take_while(|r| r.start <= wanted).any(|r| r.start == wanted)
            && self.lines_between(top, wanted, height) + row.height <= height
        {
            return top;
        }
        let mut used = row.height;
        while let Some(before) = self.row_before(wanted) {
            used += before.height;
            if used > height {
                break;
            }
            wanted = before.start;
        }
        wanted
    }

    fn lines_between(&self, top: RowStart, end: RowStart, limit: u16) -> u16 {
        self.window(top, limit).iter().take_while(|r| r.start < end).map(|r| r.height).sum()
    }

    /// A remembered place may lie inside a row of today's layout: take that row's start.
    fn row_starting(&self, place: RowStart) -> Option<RowStart> {
        if place.rank == 0 && self.view.section_at(place.token)?.1.tokens.start == place.token {
            return Some(place);
        }
        if place.rank > 1 {
            return Some(place);
        }
        self.row_of(place.token).map(|r| r.start)
    }

    fn with_title(&self, place: RowStart) -> RowStart {
        match self.row_before(place) {
            Some(row) if row.items.is_none() => row.start,
            _ => place,
        }
    }

    /// Where the rows of the chunk around token `index` begin.
    fn chunk_start(&self, index: usize) -> RowStart {
        let Some((_, section)) = self.view.section_at(index) else { return RowStart::default() };
        let start = section.tokens.start;
        let at = start + (index - start) / CHUNK * CHUNK;
        if at == start {
            return RowStart { token: start, rank: 0 };
        }
        let token = self.fold_at(at).filter(|f| f.start < at && f.end <= index).map_or(at, |f| f.end);
        RowStart { token, rank: 1 }
    }

    fn cells(&self, item: &FlowItem, glyphs: &[Glyph]) -> u16 {
        let own = glyphs_width(glyphs);
        let cells = match (self.density, item) {
            (Density::Interlinear, FlowItem::Token(index)) => {
                let id = self.view.token(*index).map_or(0, |t| digits(t.id));
                own.max(id) + 1
            }
            (Density::Interlinear, FlowItem::Fold(_)) => own + 1,
            _ => own,
        };
        u16::try_from(cells).unwrap_or(u16::MAX)
    }

    fn item_glyphs(&self, item: &FlowItem) -> Vec<Glyph> {
        self.touched.set(self.touched.get() + 1);
        match item {
            FlowItem::Fold(tokens) => glyphs(&format!(" ⋯ {} masked ⋯ ", tokens.len()), Spaces::Blank),
            FlowItem::Token(index) => token_glyphs(self.view, *index),
        }
    }
}

/// The token above or below token `at`: in the next row of tokens, at the nearest column.
pub fn vertical(flow: &Flow<'_>, at: usize, direction: i8) -> usize {
    let Some(row) = flow.row_of(at) else { return at };
    let is_alone = row.items.as_ref().is_some_and(|items| items.len() == 1);
    let here = row.items.iter().flatten().find(|p| p.item.cursor() == at || is_alone);
    let x = here.map_or(0, |p| p.x + p.width / 2);
    let beside = |row: &FlowRow| if direction < 0 { flow.row_before(row.start) } else { flow.row(row.next) };
    let mut other = beside(&row);
    while let Some(candidate) = other {
        let nearest = candidate.items.iter().flatten().min_by_key(|p| (p.x + p.width / 2).abs_diff(x));
        if let Some(placed) = nearest.filter(|p| p.item.cursor() != at) {
            return placed.item.cursor();
        }
        other = beside(&candidate);
    }
    at
}

fn digits(id: i64) -> usize {
    id.unsigned_abs().checked_ilog10().map_or(1, |d| usize::try_from(d).unwrap_or(0) + 1)
        + usize::from(id < 0)
}

/// How many glyphs fit in `width` cells; at least one.
fn fitting(glyphs: &[Glyph], width: u16) -> usize {
    let mut used = 0;
    let kept = glyphs.iter().take_while(|g| {
        used += g.width;
        used <= width
    });
    kept.count().max(1)
}

/// A token as itself: the bytes it adds to a text, brackets around special tokens and images.
pub fn token_glyphs(view: &SampleView, index: usize) -> Vec<Glyph> {
    let Some(token) = view.token(index) else { return Vec::new() };
    if token.id == IMAGE_TOKEN_INDEX {
        return glyphs("⟦image⟧", Spaces::Shown);
    }
    match TokenId::try_from(token.id) {
        Ok(id) => {
            let special = matches!(token.kind, TokenKind::Special | TokenKind::Overridden);
            glyphs_of_id(&view.setup.tokenizer, id, special)
        }
        Err(_) => glyphs("⟨⟩", Spaces::Shown),
    }
}

/// The same for an id by itself.
pub fn glyphs_of_id(tokenizer: &Tokenizer, id: TokenId, special: bool) -> Vec<Glyph> {
    let bytes = tokenizer.token_bytes(id).unwrap_or_default();
    if bytes.is_empty() {
        return glyphs("⟨⟩", Spaces::Shown);
    }
    match std::str::from_utf8(&bytes) {
        Ok(content) if special => glyphs(&bracketed(content), Spaces::Shown),
        _ => glyphs_of_bytes(&bytes, Spaces::Shown),
    }
}

/// `<s>` as `⟨s⟩`; anything else gets the brackets added.
pub fn bracketed(content: &str) -> String {
    match content.strip_prefix('<').and_then(|c| c.strip_suffix('>')) {
        Some(inner) if !inner.is_empty() => format!("⟨{inner}⟩"),
        _ => format!("⟨{content}⟩"),
    }
}
