//! What trainers leave behind opens as the labels that it was made of, in every format and convention.
//!
//! `tests/token_dumps/` was written by `tests/scripts/token_dumps.py` with the real libraries; the ignored test has it written
//! again, of all strategies' labels.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use maskscope::dumps::{DumpSetup, Keys, LabelForm, MaskForm, Packing, Padding, TokenDump};
use maskscope::error::Error;
use serde_json::Value;

use crate::{here, setup};

type Rows = Vec<(Vec<i64>, Vec<i64>)>;

/// Every document of a dump, and how the file labels.
fn opened(paths: &[PathBuf], dumped: &DumpSetup<'_>) -> Result<(maskscope::dumps::Convention, Rows), Error> {
    let mut dump = TokenDump::open(paths, &Keys::default(), &dumped.facts)?;
    let mut rows = Rows::new();
    loop {
        let batch = dump.next_rows(&dumped.facts)?;
        if batch.is_empty() {
            return Ok((dump.convention, rows));
        }
        for checked in batch {
            for document in &checked.fed.documents {
                rows.push((
                    checked.row.ids[document.clone()].to_vec(),
                    checked.fed.labels[document.clone()].to_vec(),
                ));
            }
        }
    }
}

fn expected(folder: &Path) -> Rows {
    let text = std::fs::read_to_string(folder.join("expected.jsonl")).expect("the rows");
    let ids = |row: &Value, key: &str| -> Vec<i64> {
        row[key].as_array().expect("a list").iter().map(|id| id.as_i64().expect("a number")).collect()
    };
    let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    rows.map(|row| (ids(&row, "input_ids"), ids(&row, "labels"))).collect()
}

/// Compares every dump of a folder with the rows that it was made of; gives how many there were.
fn compare(folder: &Path, dumped: &DumpSetup<'_>) -> usize {
    let rows = expected(folder);
    let mut dumps = 0;
    for entry in std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path()) {
        let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(convention) =
            name.split('.').nth(1).filter(|_| !name.starts_with("expected") && !name.starts_with("messages"))
        else {
            continue;
        };
        dumps += 1;
        let (told, found) =
            opened(std::slice::from_ref(&entry), dumped).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(found.len(), rows.len(), "{name}: {}", told.summary());
        for (at, ((ids, labels), (wanted_ids, wanted))) in found.iter().zip(&rows).enumerate() {
            assert_eq!(ids, wanted_ids, "{name}, row {at}: {}", told.summary());
            // What a shifted row says of its first token, it cannot say.
            let from = usize::from(convention.starts_with("shifted"));
            assert_eq!(labels[from..], wanted[from..], "{name}, row {at}: {}", told.summary());
        }
        let labels = match convention {
            "shifted" | "shifted_mask" => LabelForm::Shifted,
            "mask" => LabelForm::None,
            _ => LabelForm::Aligned,
        };
        assert_eq!(told.labels, labels, "{name}");
        let mask = told.mask.as_ref().map(|mask| (mask.form, mask.shifted));
        let wanted = match convention {
            "mask" => Some((MaskForm::Binary, false)),
            "shifted_mask" => Some((MaskForm::Binary, true)),
            "weights" => Some((MaskForm::Weights, false)),
            _ => None,
        };
        assert_eq!(mask, wanted, "{name}");
        let packing = match convention {
            "packed_positions" => Packing::Positions,
            "packed_seq_lens" => Packing::SeqLens,
            "packed_cu_seqlens" => Packing::CuSeqLens,
            "packed_documents" => Packing::DocumentIds,
            "packed_attention" => Packing::AttentionNumbers,
            _ => Packing::None,
        };
        assert_eq!(told.packing, packing, "{name}");
        let padding = match convention {
            "left_padded" => Some(Padding::Left),
            "right_padded" => Some(Padding::Right),
            // Batches are filled up by the script.
            _ => None,
        };
        assert!(padding.is_none_or(|padding| told.padding == padding), "{name}: {:?}", told.padding);
    }
    dumps
}

#[test]
fn every_format_and_convention_opens_as_what_it_was_made_of() {
    let setup = setup("sample:qwen");
    let dumps = compare(&here("tests/token_dumps"), &DumpSetup::new(&setup));
    assert!(dumps >= 80, "{dumps} dumps were found");
}

#[test]
#[ignore = "needs MASKSCOPE_DATASETS_PYTHON: an interpreter that has `datasets`, `numpy` and `safetensors`"]
fn the_real_libraries_write_what_opens() {
    let python = std::env::var_os("MASKSCOPE_DATASETS_PYTHON")
        .expect("MASKSCOPE_DATASETS_PYTHON names an interpreter");
    let strategies = [
        "hf_generation",
        "oi_prefix",
        "oi_prefix_last",
        "oi_legacy_mask_labels",
        "oi_mask_out_prompt",
        "trl_collator_instr",
        "trl_collator_resp",
        "unsloth",
        "unsloth_last",
        "axolotl_turn",
        "axolotl_last",
        "axolotl_all",
        "llamafactory",
        "torchtune",
        "preprocess_qwen",
        "trl_sft",
        "verl",
        "openrlhf",
        "swift",
        "xtuner",
        "renderers",
        "nanochat",
    ];
    let phi = ["-t", "sample:phi-2", "--loader", "fast", "--template", "sample:chatml-think", "--preprocess"];
    let rule = |tokenizer: &'static str, template: &'static str| {
        (tokenizer, vec!["-t", tokenizer, "--template", template])
    };
    let rules = [
        rule("sample:phi-2", "phi"),
        rule("sample:qwen", "qwen"),
        rule("sample:stablelm-2", "stablelm"),
        rule("sample:mistral", "mistral"),
        rule("sample:mistral", "v1"),
        rule("sample:mistral", "llama_2"),
        rule("sample:phi-2", "mpt"),
        rule("sample:phi-2", "v0"),
        rule("sample:phi-2", "plain"),
    ];
    let of_chat = strategies.map(|strategy| ("sample:phi-2", [&phi[..], &[strategy]].concat()));
    let mut labelled = 0;
    let mut compared = 0;
    for (tokenizer, arguments) in rules.into_iter().chain(of_chat) {
        let folder = tempfile::tempdir().expect("a folder");
        let labels = Command::new(env!("CARGO_BIN_EXE_maskscope"))
            .arg("inspect")
            .args(&arguments)
            .args(["--format", "jsonl"])
            .output()
            .expect("runs");
        // A strategy that does not apply here labels nothing.
        if !String::from_utf8_lossy(&labels.stdout).contains("\"labels\":[") {
            continue;
        }
        labelled += 1;
        let setup = setup(tokenizer);
        let pad = setup.tokenizer.role_id(maskscope::Role::Pad).unwrap_or(0).to_string();
        let mut child = Command::new(&python)
            .arg(here("tests/scripts/token_dumps.py"))
            .args([folder.path().to_str().expect("UTF-8"), &pad])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Python runs");
        std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), &labels.stdout).expect("written");
        assert!(child.wait().expect("ends").success(), "{arguments:?}");
        compared += compare(folder.path(), &DumpSetup::new(&setup));
    }
    assert!(labelled >= 20 && compared > 1500, "{labelled} strategies and rules, {compared} dumps");
}

#[test]
fn damage_ends_in_an_error_or_in_rows_never_in_a_panic() {
    let setup = setup("sample:qwen");
    let dumped = DumpSetup::new(&setup);
    let folder = tempfile::tempdir().expect("a folder");
    let mut errors = 0;
    for name in [
        "cache.aligned.arrow",
        "parquet.aligned.parquet",
        "safetensors.aligned.safetensors",
        "npz.aligned.npz",
        "npzc.aligned.npz",
    ] {
        let whole = std::fs::read(here("tests/token_dumps").join(name)).expect("the fixture");
        let path = folder.path().join(name);
        for at in (0..whole.len()).step_by(whole.len() / 40 + 1) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            for damaged in [&bytes[..], &whole[..at]] {
                std::fs::write(&path, damaged).expect("written");
                errors += usize::from(opened(std::slice::from_ref(&path), &dumped).is_err());
            }
        }
    }
    assert!(errors > 100, "{errors} damages were noticed");
}

#[test]
fn what_is_no_dump_says_what_to_do() {
    let setup = setup("sample:qwen");
    let dumped = DumpSetup::new(&setup);
    let folder = tempfile::tempdir().expect("a folder");
    let told = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        opened(&[path], &dumped).expect_err("no dump").to_string()
    };
    assert!(told("batch.pt", b"\x80\x02}q\x00.").contains("maskscope hook"));
    assert!(told("rows.jsonl", b"{\"words\": [1]}\n").contains("--key ids=NAME"));
    assert!(told("rows.jsonl", b"{\"input_ids\": [0.5]}\n").contains("whole numbers"));
    assert!(told("x.npy", b"\x93NUMPY\x01\x00\x46\x00{'descr': '|O', 'fortran_order': False, 'shape': (3,), }             \n").contains("pickle"));
    let huge = b"\x93NUMPY\x01\x00\x46\x00{'descr': '<i8', 'fortran_order': False, 'shape': (9999999999999,), }    \n";
    assert!(told("x.npy", huge).contains("too large") || told("x.npy", huge).contains("ends within"));
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).expect("a folder");
    assert!(opened(&[empty], &dumped).expect_err("no dump").to_string().contains("save_to_disk"));
    assert!(opened(&[folder.path().join("none.jsonl")], &dumped).is_err());
}
