//! What a run of a repository's function comes to in the terms of the built-in rules: rounds, segments, warning.

use std::ops::Range;

use super::function::{Event, FunctionRun, RepositoryFunction};
use super::spans::spans;
use crate::chat::{PromptLayout, Sample};
use crate::labels::{IGNORE_INDEX, Inspection, Labelled, LoopEnd, Note, Round, Segment, SegmentKind};
use crate::python::PythonError;

/// Names under which label functions keep the length of a round.
const ROUND_NAMES: [&str; 2] = ["round_len", "turn_len"];
/// The word that every label function of the family prints when its sum is wrong.
const MISMATCH: &str = "mismatch";

/// One sample through the function.
pub fn inspect(function: &RepositoryFunction, sample: &Sample) -> Inspection {
    let entry = function.entry();
    let run = function.run(sample);
    let prompt = run.as_ref().ok().and_then(|run| run.prompt.clone());
    let result = match run {
        Err(error) => Err(PythonError::new("SandboxError", error.to_string())),
        Ok(run) => match &run.result {
            Err(raised) => Err(PythonError::from(raised.clone())),
            Ok((ids, labels)) => {
                let spans = match function.tokenizer() {
                    Some(tokenizer) => spans(&tokenizer, run.prompt.as_deref(), ids),
                    None => vec![0..0; ids.len()],
                };
                Ok(labelled(&run, ids, labels, spans))
            }
        },
    };
    Inspection {
        id: sample.id.clone(),
        has_image: sample.has_image,
        template: entry.version.clone().unwrap_or_default(),
        preprocess: entry.name.clone(),
        prompt,
        layout: PromptLayout::default(),
        result,
    }
    .kept(function.max_length())
}

/// The labels of a run; `spans` are byte ranges of the prompt, one a token.
pub fn labelled(run: &FunctionRun, ids: &[i64], labels: &[i64], spans: Vec<Range<usize>>) -> Labelled {
    let mismatch = run.printed.contains(MISMATCH);
    let rounds = rounds(&run.trace);
    let before = labels_before_check(&run.trace, ids, labels, mismatch);
    Labelled {
        input_ids: ids.to_vec(),
        labels: labels.to_vec(),
        segments: segments(&before, &rounds),
        labels_before_check: before,
        kept_len: usize::MAX,
        spans,
        cur_len: last(&run.trace, "cur_len"),
        total_len: last(&run.trace, "total_len"),
        mismatch,
        warning: printed(run),
        rounds,
        stop: LoopEnd::NoLoop,
        notes: Vec::<Note>::new(),
    }
}

/// What was printed, without the last line end; `None` where nothing was.
pub fn printed(run: &FunctionRun) -> Option<String> {
    if run.printed.is_empty() { None } else { Some(run.printed.trim_end_matches('\n').to_string()) }
}

fn last(trace: &[Event], wanted: &str) -> Option<i64> {
    trace.iter().rev().find_map(|event| match event {
        Event::Set { name, value, .. } if name == wanted => Some(*value),
        _ => None,
    })?
}

/// The rounds as the function counted them: a length of the round, a length of its instruction, then a larger `cur_len`.
fn rounds(trace: &[Event]) -> Vec<Round> {
    let mut rounds = Vec::new();
    let (mut cur_len, mut round_len, mut instruction_len) = (0, None, None);
    for event in trace {
        let Event::Set { name, value: Some(value), .. } = event else { continue };
        match name.as_str() {
            name if ROUND_NAMES.contains(&name) => round_len = Some(*value),
            "instruction_len" => instruction_len = Some(*value),
            "cur_len" => {
                if let (Some(round_len), Some(instruction_len)) = (round_len.take(), instruction_len.take()) {
                    rounds.push(Round {
                        round_len,
                        instruction_len,
                        start: cur_len,
                        end: cur_len + round_len,
                        text: 0..0,
                        instruction_text: 0..0,
                        message: None,
                    });
                }
                cur_len = *value;
            }
            _ => {}
        }
    }
    rounds
}

/// The labels before the last slice threw them all away: the slices of the trace, one after another.
fn labels_before_check(trace: &[Event], ids: &[i64], labels: &[i64], mismatch: bool) -> Vec<i64> {
    if !mismatch {
        return labels.to_vec();
    }
    let slices: Vec<(i64, i64, i64)> = trace
        .iter()
        .filter_map(|event| match event {
            Event::Slice { start, end, value: Some(value), .. } => Some((*start, *end, *value)),
            _ => None,
        })
        .collect();
    let whole = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let Some(((0, end, IGNORE_INDEX), before)) = slices.split_last().filter(|((_, end, _), _)| *end >= whole)
    else {
        return labels.to_vec();
    };
    let _ = end;
    let mut replayed = ids.to_vec();
    for (start, end, value) in before {
        let range = usize::try_from(*start).unwrap_or_default()..usize::try_from(*end).unwrap_or_default();
        if let Some(part) = replayed.get_mut(range) {
            part.fill(*value);
        }
    }
    replayed
}

/// Runs of masked and supervised tokens, with the round that each begins in.
fn segments(labels: &[i64], rounds: &[Round]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    let first = rounds.first().map_or(0, |round| round.start);
    let end = rounds.last().map_or(0, |round| round.end);
    for (at, label) in labels.iter().enumerate() {
        let place = i64::try_from(at).unwrap_or(i64::MAX);
        let round = rounds.iter().position(|round| (round.start..round.end).contains(&place));
        let kind = match (*label == IGNORE_INDEX, round) {
            (false, _) => SegmentKind::Answer,
            (true, Some(_)) => SegmentKind::Instruction,
            (true, None) if place < first => SegmentKind::Start,
            (true, None) if !rounds.is_empty() && place >= end => SegmentKind::Tail,
            (true, None) => SegmentKind::Header,
        };
        match segments.last_mut() {
            Some(last) if last.kind == kind && last.round == round => last.tokens.end = at + 1,
            _ => segments.push(Segment { tokens: at..at + 1, kind, round }),
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, value: i64) -> Event {
        Event::Set { file: "a.py".into(), line: 1, name: name.into(), value: Some(value) }
    }

    fn slice(start: i64, end: i64) -> Event {
        Event::Slice { file: "a.py".into(), line: 1, start, end, value: Some(IGNORE_INDEX) }
    }

    #[test]
    fn a_trace_gives_rounds_and_the_labels_before_the_check() {
        let trace = vec![
            set("total_len", 6),
            set("cur_len", 1),
            slice(0, 1),
            set("round_len", 4),
            set("instruction_len", 2),
            slice(1, 3),
            set("cur_len", 5),
            slice(5, 6),
            slice(0, 6),
        ];
        let ids = [1, 2, 3, 4, 5, 6];
        let labels = [IGNORE_INDEX; 6];
        let printed = "WARNING: tokenization mismatch: 5 vs. 6. (ignored)\n".to_string();
        let run = FunctionRun { result: Ok((ids.to_vec(), labels.to_vec())), printed, prompt: None, trace };
        let labelled = labelled(&run, &ids, &labels, vec![0..0; 6]);
        assert_eq!((labelled.cur_len, labelled.total_len, labelled.mismatch), (Some(5), Some(6), true));
        assert_eq!(labelled.labels_before_check, [-100, -100, -100, 4, 5, -100]);
        assert_eq!((labelled.rounds[0].start, labelled.rounds[0].end), (1, 5));
        let kinds: Vec<SegmentKind> = labelled.segments.iter().map(|s| s.kind).collect();
        use SegmentKind::{Answer, Instruction, Start, Tail};
        assert_eq!(kinds, [Start, Instruction, Answer, Tail]);
    }
}
