//! Faults planted into sound rows: all are found, and no sound row is named.

use std::collections::{BTreeMap, BTreeSet};

use maskscope::dumps::{DumpChecks, DumpSetup, Keys, TokenDump};
use maskscope::setup::Setup;
use serde_json::{Value, json};

use crate::chatml;

const X: i64 = -100;
/// Rows with each fault.
const PLANTED: usize = 100;
const SOUND: usize = 600;

/// A change of the labels and positions of a packed row, with its ids and where its second document begins.
type PackedChange = dyn Fn(&mut Vec<i64>, &mut Vec<i64>, &[i64], usize);

/// A sound conversation: ids, labels of the answer and its end.
#[derive(Clone)]
struct Row {
    ids: Vec<i64>,
    labels: Vec<i64>,
}

struct Maker<'s> {
    setup: &'s Setup,
    /// Numbers make each row another one.
    next: usize,
}

impl Maker<'_> {
    fn ids(&self, text: &str) -> Vec<i64> {
        self.setup.tokenizer.encode(text, false).expect("encodes").ids.into_iter().map(i64::from).collect()
    }

    fn row(&mut self) -> Row {
        let n = self.next;
        self.long(&format!("What is {n} and {}?", n % 7), &format!("It is {} in all, I think.", n + n % 7))
    }

    fn long(&mut self, question: &str, answer: &str) -> Row {
        self.next += 1;
        let head = self.ids(&format!("<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"));
        let answer = self.ids(&format!("{answer}<|im_end|>"));
        let behind = self.ids("\n");
        let mut row = Row { labels: vec![X; head.len()], ids: head };
        row.labels.extend(&answer);
        row.ids.extend(answer);
        row.labels.extend(behind.iter().map(|_| X));
        row.ids.extend(behind);
        row
    }
}

/// A row of a file, filled up to a width.
fn padded(row: &Row, width: usize, pad: i64) -> Value {
    let n = row.ids.len();
    let fill = |values: &[i64], with: i64| -> Vec<i64> {
        values.iter().copied().chain(std::iter::repeat_n(with, width - n)).collect()
    };
    json!({
        "input_ids": fill(&row.ids, pad), "labels": fill(&row.labels, X), "attention_mask": fill(&vec![1; n], 0),
    })
}

/// The rows that each check names.
fn named(dumped: &DumpSetup<'_>, rows: &[Value]) -> BTreeMap<&'static str, BTreeSet<usize>> {
    let file = tempfile::NamedTempFile::with_suffix(".jsonl").expect("a file");
    let lines: Vec<String> = rows.iter().map(Value::to_string).collect();
    std::fs::write(file.path(), lines.join("\n")).expect("written");
    let mut dump =
        TokenDump::open(&[file.path().to_path_buf()], &Keys::default(), &dumped.facts).expect("opens");
    let mut checks = DumpChecks::default();
    loop {
        let batch = dump.next_rows(&dumped.facts).expect("rows");
        if batch.is_empty() {
            break;
        }
        batch.into_iter().for_each(|checked| checks.add(checked.look));
    }
    let findings = checks.finish(&dump.convention, &dumped.facts);
    findings.into_iter().map(|finding| (finding.id, finding.samples.into_iter().collect())).collect()
}

/// Sound rows with planted ones between them; gives the rows and where each fault is.
fn mixed(
    sound: Vec<Value>,
    planted: Vec<(&'static str, Vec<Value>)>,
) -> (Vec<Value>, BTreeMap<&'static str, BTreeSet<usize>>) {
    let mut all: Vec<(Option<&'static str>, Value)> = sound.into_iter().map(|row| (None, row)).collect();
    for (id, rows) in planted {
        all.extend(rows.into_iter().map(|row| (Some(id), row)));
    }
    // The first rows tell the convention, as they do in a file: faults lie anywhere, and some of them in front.
    let count = all.len();
    let shares = |step: usize, d: usize| step.is_multiple_of(d) && count.is_multiple_of(d);
    let step = (count / 2..).find(|step| (2..=*step).all(|d| !shares(*step, d))).expect("a step");
    let order: Vec<usize> = (0..count).map(|at| at * step % count).collect();
    let mut rows = Vec::new();
    let mut places: BTreeMap<&'static str, BTreeSet<usize>> = BTreeMap::new();
    let mut taken: Vec<Option<(Option<&'static str>, Value)>> = all.into_iter().map(Some).collect();
    for (at, from) in order.into_iter().enumerate() {
        let (id, row) = taken[from].take().expect("each once");
        if let Some(id) = id {
            places.entry(id).or_default().insert(at);
        }
        rows.push(row);
    }
    (rows, places)
}

#[test]
fn planted_faults_are_found_and_sound_rows_are_not_named() {
    let setup = chatml();
    let dumped = DumpSetup::new(&setup);
    let mut maker = Maker { setup: &setup, next: 1000 };
    // The class names none: what attention does not see tells it.
    let pad = 151_643;
    let width = 700;
    let end =
        dumped.facts.ends.iter().copied().find(|id| Some(*id) != dumped.facts.eos).expect("an end of turn");
    let sound: Vec<Value> = (0..SOUND).map(|_| padded(&maker.row(), width, pad)).collect();
    let mut each = |change: &dyn Fn(&mut Maker<'_>, Row) -> Value| -> Vec<Value> {
        (0..PLANTED)
            .map(|_| {
                let row = maker.row();
                change(&mut maker, row)
            })
            .collect()
    };
    let planted = vec![
        (
            "MSK101",
            each(&|_, row| {
                let mut labels = row.labels[1..].to_vec();
                labels.push(X);
                padded(&Row { labels, ..row }, width, pad)
            }),
        ),
        ("MSK102", each(&|_, row| padded(&Row { labels: vec![X; row.ids.len()], ..row }, width, pad))),
        (
            "MSK103",
            each(&|_, mut row| {
                let at = row.ids.iter().rposition(|id| *id == end).expect("an end");
                row.labels[at] = X;
                padded(&row, width, pad)
            }),
        ),
        (
            "MSK104",
            each(&|_, row| {
                let mut value = padded(&row, width, pad);
                value["labels"][width - 1] = json!(pad);
                value
            }),
        ),
        (
            "MSK105",
            each(&|_, mut row| {
                let at = row.labels.iter().position(|label| *label != X).expect("an answer");
                row.ids.insert(at, -200);
                row.labels.insert(at, -200);
                padded(&row, width, pad)
            }),
        ),
        (
            "MSK108",
            each(&|_, row| {
                let mut value = padded(&row, width, pad);
                value["attention_mask"] = json!(vec![1; width]);
                value
            }),
        ),
        (
            "MSK109",
            each(&|_, mut row| {
                row.ids[3] = 900_000;
                padded(&row, width, pad)
            }),
        ),
        (
            "MSK110",
            each(&|_, mut row| {
                let at = row.ids.iter().rposition(|id| *id == end).expect("an end");
                row.ids.truncate(at - 1);
                row.labels.truncate(at - 1);
                padded(&row, width, pad)
            }),
        ),
        (
            "MSK112",
            each(&|maker, _| {
                let question = format!("Is {} odd? {}", maker.next, "Think about it well. ".repeat(110));
                padded(&maker.long(&question, "No"), width, pad)
            }),
        ),
        (
            "MSK113",
            each(&|_, row| {
                let mut value = padded(&row, width, pad);
                value["labels"].as_array_mut().expect("a list").truncate(width - 3);
                value
            }),
        ),
    ];
    let (mut rows, mut places) = mixed(sound, planted);
    // Rows that are there a second time: each a copy of an earlier, sound one.
    let sound_rows: Vec<usize> =
        (0..rows.len()).filter(|at| places.values().all(|places| !places.contains(at))).collect();
    for at in sound_rows.into_iter().take(PLANTED) {
        places.entry("MSK111").or_default().insert(rows.len());
        rows.push(rows[at].clone());
    }
    let found = named(&dumped, &rows);
    for (id, found) in &found {
        let wanted = places.get(id).cloned().unwrap_or_default();
        let (missed, wrong): (Vec<_>, Vec<_>) =
            (wanted.difference(found).collect(), found.difference(&wanted).collect());
        assert!(missed.is_empty() && wrong.is_empty(), "{id}: missed {missed:?}, named wrongly {wrong:?}");
    }
    assert!(places.values().all(|places| places.len() == PLANTED));
}

#[test]
fn planted_faults_of_packed_rows_are_found() {
    let setup = chatml();
    let dumped = DumpSetup::new(&setup);
    let mut maker = Maker { setup: &setup, next: 5000 };
    let mut packed = |change: &PackedChange| {
        let parts = [maker.row(), maker.row(), maker.row()];
        let ids: Vec<i64> = parts.iter().flat_map(|part| part.ids.clone()).collect();
        let mut labels: Vec<i64> = parts.iter().flat_map(|part| part.labels.clone()).collect();
        let mut positions: Vec<i64> =
            parts.iter().flat_map(|part| (0..part.ids.len() as i64).collect::<Vec<_>>()).collect();
        let lens: Vec<usize> = parts.iter().map(|part| part.ids.len()).collect();
        change(&mut labels, &mut positions, &ids, lens[0]);
        json!({"input_ids": ids, "labels": labels, "position_ids": positions, "seq_lens": lens})
    };
    let sound: Vec<Value> = (0..SOUND / 3).map(|_| packed(&|_, _, _, _| {})).collect();
    let crossing = (0..PLANTED).map(|_| packed(&|labels, _, ids, at| labels[at] = ids[at])).collect();
    let going_on = (0..PLANTED)
        .map(|_| packed(&|_, positions, _, _| *positions = (0..positions.len() as i64).collect()))
        .collect();
    let (rows, places) = mixed(sound, vec![("MSK106", crossing), ("MSK107", going_on)]);
    for (id, found) in named(&dumped, &rows) {
        assert_eq!(found, places.get(id).cloned().unwrap_or_default(), "{id}");
    }
}

#[test]
fn an_end_that_is_never_supervised_is_an_error() {
    let setup = chatml();
    let dumped = DumpSetup::new(&setup);
    let mut maker = Maker { setup: &setup, next: 0 };
    let end = dumped.facts.ends[0];
    let ends = dumped.facts.ends.clone();
    let rows: Vec<Value> = (0..30)
        .map(|_| {
            let mut row = maker.row();
            for (id, label) in row.ids.iter().zip(&mut row.labels) {
                if ends.contains(id) {
                    *label = X;
                }
            }
            json!({"input_ids": row.ids, "labels": row.labels})
        })
        .collect();
    assert_eq!(named(&dumped, &rows)["MSK103"].len(), 30, "{end}");
}
