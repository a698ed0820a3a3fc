//! The counts of a sound sample without labelling it: the fast path of a scan.
//!
//! A two-separator rule asks for the ids of the whole prompt, of each round and of each instruction. They are parts
//! of one another: an instruction is its round up to the mark of the answer, whose space is a joint of the encoder,
//! and the prompt is its rounds with separators between, where the separator is a token that cuts. So every text is
//! encoded once, and the lengths are read off at the places between.
//!
//! Only a sample in which nothing can go wrong is counted here: turns that alternate and say something, no separator
//! or mark in them, as many images as placeholders, a mask that is exactly the answers. Whatever else there is, the
//! answer is `None`, and the sample is labelled and diagnosed in full. So what is counted here is `sound` and has no
//! finding but one: a lone space before an answer (MSK032).

use std::ops::Range;

use memchr::memmem::Finder;

use crate::chat::{PlainRecord, PlainTurn, SeparatorStyle};
use crate::labels::multimodal::{IMAGE, MAX_IMAGES, VIDEO};
use crate::labels::rules::two::{Offsets, TwoRule, pad_is_eos};
use crate::labels::{IMAGE_TOKEN_INDEX, Labelled};
use crate::python::is_python_space;
use crate::repository::{RepositoryFunction, named_texts};
use crate::setup::Setup;
use crate::tokenizer::{CachedEncoder, NO_ID, Role, TokenId, WordCache};

/// Stands among the ids for an image.
const IMAGE_ID: TokenId = NO_ID;

/// What a scan counts of a sound sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FastCounts {
    pub rounds: usize,
    /// Ids of the prompt, images among them.
    pub tokens: usize,
    /// Of these, those that are learned.
    pub supervised: usize,
    /// Answers that a lone space opens.
    pub bare_spaces: usize,
}

/// Counts samples of one set-up.
#[derive(Debug)]
pub struct FastLabeler {
    encoder: CachedEncoder,
    rule_name: &'static str,
    /// The separators in the prompt count, or the rounds are taken off: either says that each closing token is a pad.
    adds_count: bool,
    two: TwoRule,
    /// Taken off both lengths of later rounds (newer LLaVA, not legacy).
    later: i64,
    /// The system text with its separator.
    opening: String,
    /// The names of the human and the assistant, with the colon and the space behind.
    names: [String; 2],
    sep: String,
    sep2: String,
    sep2_ids: Vec<TokenId>,
    find_sep2: Finder<'static>,
    find_mark: Finder<'static>,
    find_image: Finder<'static>,
    find_video: Finder<'static>,
    /// Bytes of the mark before the space at its end.
    mark_head: usize,
    /// Placeholders stay in the prompt as they are.
    takes_images: bool,
    /// Only an image on the first line of a sample is counted: repositories move others there, each in its own way.
    image_first: bool,
    /// Texts that the repository's code asks for: it may treat a sample that holds one in a way of its own.
    named_texts: Vec<Finder<'static>>,
    pad: TokenId,
    bos: Option<TokenId>,
    /// Ids from here on have no row in the embedding.
    rows: Option<TokenId>,
    max_length: usize,
}

/// What one thread works with, sample after sample.
#[derive(Debug, Default)]
pub struct Scratch {
    words: WordCache,
    prompt: String,
    /// For each round where it ends in the prompt, without its separator.
    ends: Vec<usize>,
    /// For each round where the mark of its answer begins.
    marks: Vec<usize>,
    images: Vec<usize>,
    ids: Vec<TokenId>,
    /// Positions that are learned.
    learned: Vec<Range<usize>>,
}

impl FastLabeler {
    /// A tallier of a set-up, or why its samples must be labelled one by one.
    ///
    /// # Errors
    /// The reason, in a sentence for people.
    pub fn new(setup: &Setup) -> Result<Self, String> {
        let own_function = setup.repository();
        let llava = match own_function {
            Some(repository) => repository.known().ok_or(
                "the repository's function is no rule that is known here: it is run for each sample",
            )?,
            None => setup.llava().ok_or("a chat template is labelled by its strategy")?,
        };
        let (template, rule) = (&llava.template, llava.rule);
        let two = rule.two().ok_or_else(|| format!("the rule {} is no two-separator rule", rule.name()))?;
        let (SeparatorStyle::Two, Some(sep2)) = (template.style, template.sep2.clone()) else {
            return Err(format!("the template {} has not two separators", template.name));
        };
        let tokenizer = &setup.tokenizer;
        let encoder = CachedEncoder::new(tokenizer)?;
        let sep2_ids = encoder.cuts_at(&sep2);
        let sep2_ids = sep2_ids.ok_or_else(|| format!("{sep2:?} is no token that cuts every text"))?;
        let names = template.roles.clone().map(|name| format!("{name}: "));
        let [_, answer] = &names;
        let mark = format!("{}{answer}", template.sep);
        let opening = format!("{}{}", template.system, template.sep);
        let bos = tokenizer.role_id(Role::Bos);
        let around: Vec<_> = encoder.before().iter().map(|id| Some(*id)).collect();
        if !encoder.behind().is_empty() || !(around.is_empty() || around == [bos]) {
            return Err("its class puts other tokens around a text than bos".to_string());
        }
        if !encoder.splits_behind(mark.trim_end_matches(' '))
            || holds_placeholder(&opening, &names, &template.sep, &sep2)
        {
            return Err(format!("texts of the template {} cannot be taken apart", template.name));
        }
        let pad = tokenizer.role_id(Role::Pad).ok_or("there is no pad token")?;
        let legacy = tokenizer.facts.legacy.or(two.missing_legacy_is_new.then_some(false));
        if two.looks_at_legacy && legacy.is_none() {
            return Err("the rule asks for an attribute that the class does not have".to_string());
        }
        let corrects = two.looks_at_legacy && legacy == Some(false) && tokenizer.joins_after_special();
        let rows = tokenizer.embedding_rows.filter(|rows| *rows < tokenizer.len());
        Ok(Self {
            rule_name: rule.name(),
            adds_count: two.adds_sep2_count || (two.takes_rounds_off && pad_is_eos(tokenizer)),
            two,
            later: i64::from(corrects),
            opening,
            names,
            sep: template.sep.clone(),
            find_sep2: Finder::new(&sep2).into_owned(),
            find_mark: Finder::new(&mark).into_owned(),
            find_image: Finder::new(IMAGE).into_owned(),
            find_video: Finder::new(VIDEO).into_owned(),
            mark_head: mark.len() - 1,
            sep2,
            sep2_ids,
            takes_images: !llava.options.mm_use_im_start_end && !template.version.contains("mmtag"),
            image_first: own_function.is_some(),
            named_texts: own_function.map(|own| finders(&own.function)).unwrap_or_default(),
            pad,
            bos,
            rows: rows.and_then(|rows| TokenId::try_from(rows).ok()),
            max_length: llava.options.model_max_length,
            encoder,
        })
    }

    /// The rule that is counted by.
    pub fn rule_name(&self) -> &'static str {
        self.rule_name
    }

    /// The counts of a record; `None` where it must be labelled in full.
    pub fn tally(&self, scratch: &mut Scratch, record: &PlainRecord<'_>) -> Option<FastCounts> {
        let rounds = record.turns.chunks_exact(2);
        if record.turns.is_empty()
            || !rounds.remainder().is_empty()
            || (record.has_image && !self.takes_images)
        {
            return None;
        }
        // A video alone is a text to one repository, and frames to another.
        let is_left_alone = || begins_with_image(&record.turns) && !record.has_only_video;
        if record.has_image && self.image_first && !is_left_alone() {
            return None;
        }
        if record.turns.iter().any(|turn| self.names_text(turn)) {
            return None;
        }
        self.render(scratch, &record.turns)?;
        self.check_places(scratch, record)?;
        self.encode(scratch, record.has_image)?;
        self.count(scratch)
    }

    fn names_text(&self, turn: &PlainTurn<'_>) -> bool {
        self.named_texts.iter().any(|text| text.find(turn.value.as_bytes()).is_some())
    }

    /// Writes the prompt; `None` where turns do not alternate or say nothing.
    fn render(&self, scratch: &mut Scratch, turns: &[PlainTurn<'_>]) -> Option<()> {
        let prompt = &mut scratch.prompt;
        prompt.clear();
        scratch.ends.clear();
        scratch.marks.clear();
        prompt.push_str(&self.opening);
        let [human, assistant] = &self.names;
        for round in turns.chunks_exact(2) {
            let [question, answer] = round else { return None };
            if question.answer || !answer.answer || question.value.is_empty() || answer.value.is_empty() {
                return None;
            }
            prompt.push_str(human);
            prompt.push_str(&question.value);
            scratch.marks.push(prompt.len());
            prompt.push_str(&self.sep);
            prompt.push_str(assistant);
            prompt.push_str(&answer.value);
            scratch.ends.push(prompt.len());
            prompt.push_str(&self.sep2);
        }
        Some(())
    }

    /// Separators, marks and images stand where the template puts them, and nowhere else.
    fn check_places(&self, scratch: &mut Scratch, record: &PlainRecord<'_>) -> Option<()> {
        let prompt = scratch.prompt.as_bytes();
        let as_written = self.find_sep2.find_iter(prompt).eq(scratch.ends.iter().copied())
            && self.find_mark.find_iter(prompt).eq(scratch.marks.iter().copied());
        if !as_written || self.find_video.find(prompt).is_some() {
            return None;
        }
        scratch.images.clear();
        scratch.images.extend(self.find_image.find_iter(prompt));
        let images = scratch.images.len();
        let fits =
            if record.has_image { images == record.media && images <= MAX_IMAGES } else { images == 0 };
        fits.then_some(())
    }

    /// The ids of the prompt, and the positions that the rule leaves to learn where they are exactly the answers.
    fn encode(&self, scratch: &mut Scratch, has_image: bool) -> Option<()> {
        let Scratch { words, prompt, ends, marks, images, ids, learned } = scratch;
        ids.clear();
        learned.clear();
        ids.extend_from_slice(self.encoder.before());
        let around = i64::try_from(self.encoder.before().len()).ok()?;
        let Offsets { round, instruction } = if has_image { self.two.image } else { self.two.text };
        let mut images = images.iter().copied().peekable();
        let mut cur_len = self.two.start;
        let mut at = 0;
        for (index, (end, mark)) in ends.iter().zip(marks.iter()).enumerate() {
            let first = ids.len();
            let cut = mark + self.mark_head;
            while let Some(image) = images.next_if(|image| *image < cut) {
                self.encoder.encode(words, prompt.get(at..image)?, false, ids).ok()?;
                ids.push(IMAGE_ID);
                at = image + IMAGE.len();
            }
            self.encoder.encode(words, prompt.get(at..cut)?, false, ids).ok()?;
            let answer = ids.len();
            self.encoder.encode(words, prompt.get(cut..*end)?, true, ids).ok()?;
            // An image text gives an id away where it begins with a bos that is not the class's own.
            if has_image && around == 0 && ids.get(first).copied() == self.bos && self.bos.is_some() {
                return None;
            }
            let later = if index > 0 { self.later } else { 0 };
            let len = |from: usize, to: usize| i64::try_from(to - from).ok();
            let round_len = around + len(first, ids.len())? + round - later;
            // The mark's space is an id of its own where the instruction ends with it.
            let instruction_len = around + len(first, answer)? + 1 + instruction - later;
            let begins = usize::try_from(cur_len + instruction_len).ok()?;
            cur_len += round_len;
            ids.extend_from_slice(&self.sep2_ids);
            if begins != answer || usize::try_from(cur_len).ok()? != ids.len() {
                return None;
            }
            learned.push(answer..ids.len());
            at = end + self.sep2.len();
        }
        // A placeholder in an answer would be learned: it lies before the next round's text, or is left over here.
        images.next().is_none().then_some(())
    }

    /// Holds the lengths against each other, and counts.
    fn count(&self, scratch: &Scratch) -> Option<FastCounts> {
        let ids = &scratch.ids;
        let pads = ids.iter().filter(|id| **id == self.pad).count();
        let added = if self.adds_count { scratch.ends.len() } else { 0 };
        // The last round ends where the ids do, so that `cur_len` is their number.
        let agrees = pads == added;
        let has_rows = self.rows.is_none_or(|rows| ids.iter().all(|id| *id < rows || *id == IMAGE_ID));
        let twice = matches!((self.bos, ids.as_slice()), (Some(bos), [a, b, ..]) if *a == bos && *b == bos);
        if !agrees || ids.len() >= self.max_length || !has_rows || twice {
            return None;
        }
        let space = self.encoder.space();
        let bare = |range: &&Range<usize>| ids.get(range.start) == Some(&space);
        Some(FastCounts {
            rounds: scratch.learned.len(),
            tokens: ids.len(),
            supervised: scratch.learned.iter().map(Range::len).sum(),
            bare_spaces: scratch.learned.iter().filter(bare).count(),
        })
    }
}

impl Scratch {
    /// The positions that the last sample learns, one stretch a round.
    pub fn learned(&self) -> &[Range<usize>] {
        &self.learned
    }

    /// What the last tally was made of differs from the labels of the same sample.
    ///
    /// # Errors
    /// The difference.
    pub fn compare(&self, labelled: &Labelled) -> Result<(), String> {
        let id = |id: &TokenId| if *id == IMAGE_ID { IMAGE_TOKEN_INDEX } else { i64::from(*id) };
        if !self.ids.iter().map(id).eq(labelled.input_ids.iter().copied()) {
            return Err("other input_ids".to_string());
        }
        let mut learned = vec![false; self.ids.len()];
        for at in self.learned.iter().cloned().flatten() {
            learned.get_mut(at).into_iter().for_each(|l| *l = true);
        }
        let differs = |(l, label): (&bool, &i64)| *l != (*label != crate::labels::IGNORE_INDEX);
        match learned.iter().zip(&labelled.labels).position(differs) {
            Some(at) => Err(format!("another label at token {at}")),
            None if labelled.mismatch => Err("a mismatch".to_string()),
            // A function of a repository may count under names that nobody knows: its lengths are not seen then.
            None if labelled.cur_len.is_none() || labelled.cur_len != labelled.total_len => {
                Err("other lengths".to_string())
            }
            None if labelled.kept_len < self.ids.len() => Err("a cut".to_string()),
            None => Ok(()),
        }
    }
}

/// What the function's code asks for; the placeholders are looked at apart.
fn finders(function: &RepositoryFunction) -> Vec<Finder<'static>> {
    let texts = named_texts(function)
        .into_iter()
        .filter(|text| !text.contains(IMAGE) && !IMAGE.contains(text.as_str()));
    texts.map(|text| Finder::new(&text).into_owned()).collect()
}

/// True where the first turn is an image, a line end and a text without space around it, and no other turn names an image:
/// what the repositories' own rewriting leaves as it is.
fn begins_with_image(turns: &[PlainTurn<'_>]) -> bool {
    let Some((first, others)) = turns.split_first() else { return false };
    let rest = first.value.strip_prefix(IMAGE).and_then(|rest| rest.strip_prefix('\n'));
    rest.is_some_and(|rest| {
        !rest.is_empty() && rest.trim_matches(is_python_space) == rest && !rest.contains(IMAGE)
    }) && others.iter().all(|turn| !turn.value.contains(IMAGE))
}

/// True where a placeholder stands in the template's own text, or could come about between it and a turn.
fn holds_placeholder(opening: &str, names: &[String; 2], sep: &str, sep2: &str) -> bool {
    let texts = [opening, sep, sep2].into_iter().chain(names.iter().map(String::as_str));
    let meets = |text: &str, placeholder: &str| {
        (1..placeholder.len()).any(|at| {
            let (head, tail) = placeholder.split_at(at);
            text.ends_with(head) || text.starts_with(tail)
        })
    };
    texts.into_iter().any(|text| [IMAGE, VIDEO].iter().any(|p| text.contains(p) || meets(text, p)))
}
