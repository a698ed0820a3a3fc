//! The prompt with what parts have claimed of it: each stretch accounts for one part.

use std::cell::{Cell, OnceCell};
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use serde_json::Value;

use super::fate::Fate;
use super::grams::Grams;
use super::spelling::spellings;
use crate::chat::jinja::value_repr;

/// A text of so many bytes is found by chance hardly ever: it may be looked for outside its turn.
const TELLING: usize = 16;
/// Characters of a Python value that are shown.
const SHOWN: usize = 60;

/// A prompt that was walked through so many times is indexed, which takes about as long as that.
const WALKS: usize = 64;
/// Of so many claims those of one text are not looked through again.
const MANY_CLAIMS: usize = 64;

/// A prompt and the stretches of it that are spoken for.
#[derive(Debug)]
pub struct Ledger<'t> {
    prompt: &'t str,
    /// Ends by starts; no two overlap.
    claims: BTreeMap<usize, usize>,
    /// For a text: where a region begins, and up to where in it every place of the text is spoken for.
    taken: HashMap<String, (usize, usize)>,
    /// Bytes that searches went through.
    walked: Cell<usize>,
    grams: OnceCell<Option<Grams>>,
}

impl<'t> Ledger<'t> {
    pub fn new(prompt: &'t str) -> Self {
        Self {
            prompt,
            claims: BTreeMap::new(),
            taken: HashMap::new(),
            walked: Cell::new(0),
            grams: OnceCell::new(),
        }
    }

    pub fn everywhere(&self) -> Range<usize> {
        0..self.prompt.len()
    }

    /// The first place in a region that has the text and is nobody's.
    pub fn find(&self, text: &str, region: &Range<usize>) -> Option<Range<usize>> {
        let mut from = region.start;
        loop {
            let at = self.next(text, from, region.end)?;
            let end = at + text.len();
            match self.claims.range(..end).next_back().filter(|(_, claimed)| **claimed > at) {
                None => return Some(at..end),
                Some((_, claimed)) => from = *claimed,
            }
        }
    }

    /// The first place of a text between two bytes, whoever has it.
    fn next(&self, text: &str, from: usize, end: usize) -> Option<usize> {
        if self.walked.get() > WALKS * self.prompt.len() + (1 << 16) {
            let grams = self.grams.get_or_init(|| Grams::new(self.prompt)).as_ref();
            if let Some(found) = grams.and_then(|grams| grams.find(self.prompt, text, from)) {
                return found.filter(|at| at + text.len() <= end);
            }
        }
        let found = self.prompt.get(from..end)?.find(text);
        self.walked.set(self.walked.get() + found.unwrap_or(end - from));
        found.map(|at| from + at)
    }

    /// The same, and the place is taken.
    pub fn claim(&mut self, text: &str, region: &Range<usize>) -> Option<Range<usize>> {
        let taken = self.taken.get(text).filter(|(start, _)| *start == region.start);
        let from = taken.map_or(region.start, |(_, end)| *end);
        let found = self.find(text, &(from..region.end)).filter(|found| !found.is_empty())?;
        self.claims.insert(found.start, found.end);
        if self.claims.len() > MANY_CLAIMS {
            self.taken.insert(text.to_string(), (region.start, found.end));
        }
        Some(found)
    }

    /// How often a word stands in a region and is nobody's, letters beside it making another word of it.
    pub fn words(&self, word: &str, region: &Range<usize>) -> usize {
        let mut count = 0;
        let mut from = region.start;
        while let Some(found) = self.find(word, &(from..region.end)) {
            let before = self.prompt.get(..found.start).and_then(|text| text.chars().next_back());
            let behind = self.prompt.get(found.end..).and_then(|text| text.chars().next());
            let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
            count += usize::from(!joins(before) && !joins(behind));
            from = found.end;
        }
        count
    }

    /// A text as it is, without white space around it, or in another spelling; in its turn, else anywhere.
    fn whole(&mut self, text: &str, region: &Range<usize>) -> Option<Range<usize>> {
        let text = text.trim();
        if let Some(found) = self.claim(text, region) {
            return Some(found);
        }
        let everywhere = self.everywhere();
        let elsewhere = if text.len() >= TELLING { self.claim(text, &everywhere) } else { None };
        elsewhere.or_else(|| spellings(text).find_map(|spelling| self.claim(&spelling, region)))
    }

    /// What became of a text: whole, or line by line where a template rewrites it.
    pub fn text(&mut self, text: &str, region: &Range<usize>) -> Fate {
        if let Some(found) = self.whole(text, region) {
            return Fate::Found(found);
        }
        let mut lost: Vec<&str> = Vec::new();
        let (mut place, mut kept, mut all): (Option<Range<usize>>, usize, usize) = (None, 0, 0);
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            all += line.len();
            let (found, missing) = self.line(line, region);
            if let Some(found) = found {
                kept += line.len() - missing.map_or(0, str::len);
                place = Some(place.map_or(found.clone(), |p| p.start.min(found.start)..p.end.max(found.end)));
            }
            lost.extend(missing);
        }
        match place {
            Some(place) if lost.is_empty() => Fate::Found(place),
            // A few short lines stand in any text.
            Some(_) if kept * 4 >= all => Fate::Partly(lost.join(" ⋯ ")),
            _ => Fate::Lost,
        }
    }

    /// A line, or as much of it as there is, and what is not there: templates write tokens in the place of a
    /// placeholder, and cut.
    fn line<'l>(&mut self, line: &'l str, region: &Range<usize>) -> (Option<Range<usize>>, Option<&'l str>) {
        if let Some(found) = self.whole(line, region) {
            return (Some(found), None);
        }
        // Words in their order; those that are missing are one stretch of the line.
        let (mut place, mut missing): (Option<Range<usize>>, Option<Range<usize>>) = (None, None);
        let (mut kept, mut gone) = (0, 0);
        for (at, word) in words(line) {
            // More than half is missing: the line is lost, and looking for the rest would take the square of its length.
            if gone * 2 > line.len() {
                return (None, Some(line));
            }
            let from = place.as_ref().map_or(region.start, |place: &Range<usize>| place.end);
            match self.find(word, &(from..region.end)) {
                Some(found) => {
                    kept += word.len();
                    place = Some(place.map_or(found.start, |place| place.start)..found.end);
                }
                None => {
                    gone += word.len();
                    let start = missing.as_ref().map_or(at, |missing: &Range<usize>| missing.start);
                    missing = Some(start..at + word.len());
                }
            }
        }
        if kept * 2 < line.len() {
            return (None, Some(line));
        }
        (place, missing.and_then(|missing| line.get(missing)))
    }

    /// What became of a value: a text, or every leaf of it.
    pub fn value(&mut self, value: &Value, region: &Range<usize>) -> Fate {
        if let Value::String(text) = value {
            return self.text(text, region);
        }
        if let Some(printed) = self.as_python(value, region) {
            return Fate::AsPython(printed);
        }
        let mut missing = Vec::new();
        let mut found = 0;
        leaves(value, &mut |leaf| match self.leaf(leaf, region) {
            true => found += 1,
            false => missing.push(leaf.to_string()),
        });
        match (missing.is_empty(), found) {
            (true, _) => Fate::Found(region.clone()),
            (false, 0) => Fate::Lost,
            (false, _) => Fate::Partly(missing.join(", ")),
        }
    }

    /// True where a leaf of a value stands in a region in some spelling.
    pub fn leaf(&self, leaf: &Value, region: &Range<usize>) -> bool {
        let has = |text: &str| self.find(text, region).is_some();
        match leaf {
            Value::String(text) => {
                let text = text.trim();
                text.is_empty() || has(text) || spellings(text).any(|spelling| has(&spelling))
            }
            Value::Bool(flag) => {
                has(if *flag { "true" } else { "false" }) || has(if *flag { "True" } else { "False" })
            }
            Value::Number(number) => {
                has(&number.to_string()) || value_repr(leaf).is_some_and(|text| has(&text))
            }
            _ => true,
        }
    }

    /// The value as Python prints it, where that stands in the region; a list or a dict that JSON writes alike is none.
    pub fn as_python(&mut self, value: &Value, region: &Range<usize>) -> Option<String> {
        let printed = value_repr(value).filter(|printed| printed.contains('\''))?;
        self.claim(&printed, region)?;
        let cut = printed.char_indices().nth(SHOWN).map(|(at, _)| at);
        Some(match cut.and_then(|at| printed.get(..at)) {
            Some(head) => format!("{head}…"),
            None => printed,
        })
    }
}

/// The words of a line with their bytes, placeholders and tags apart.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let start = line.as_ptr() as usize;
    line.split_whitespace().map(move |word| (word.as_ptr() as usize - start, word))
}

/// Every value that holds no others.
pub fn leaves<'v>(value: &'v Value, each: &mut dyn FnMut(&'v Value)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| leaves(item, each)),
        Value::Object(map) => map.values().for_each(|item| leaves(item, each)),
        leaf => each(leaf),
    }
}
