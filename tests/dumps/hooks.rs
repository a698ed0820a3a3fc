//! The lines of `hook`: run by python3 with a stand-in for transformers, and by the real one where it is.

use std::path::Path;
use std::process::Command;

use maskscope::dumps::{DumpSetup, Keys, LabelForm, TokenDump};
use serde_json::Value;

use crate::{maskscope, setup, stdout};

fn lines(folder: &Path, trainer: &str, batches: &str) -> String {
    let out = folder.join("fed.jsonl");
    let output = maskscope(&["hook", trainer, "--out", out.to_str().expect("UTF-8"), "--batches", batches]);
    assert!(output.status.success(), "{trainer}");
    stdout(&output)
}

fn run(python: &std::ffi::OsStr, folder: &Path, script: &str) {
    let path = folder.join("train.py");
    std::fs::write(&path, script).expect("written");
    let output = Command::new(python).arg(&path).env("PYTHONPATH", folder).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A stand-in for transformers with tensors that are lists.
const STAND_IN: &str = r"
class Tensor:
    def __init__(self, values, floating=False):
        self.values, self.floating = values, floating
    def detach(self): return self
    def cpu(self): return self
    def float(self): return self
    def is_floating_point(self): return self.floating
    def dim(self):
        depth, value = 0, self.values
        while isinstance(value, list):
            depth, value = depth + 1, value[0]
        return depth
    def tolist(self): return self.values


class Trainer:
    steps = 0
    def training_step(self, model, inputs, num_items_in_batch=None):
        self.steps += 1
        return num_items_in_batch
";

const TRAINING: &str = r#"
import maskscope_hook
from transformers import Tensor, Trainer

batch = {
    "input_ids": Tensor([[5, 6, 7], [8, 9, 0]]),
    "labels": Tensor([[-100, 6, 7], [-100, 9, -100]]),
    "attention_mask": Tensor([[1, 1, 1], [1, 1, 0]]),
    "pixel_values": Tensor([[[[0.5]]], [[[0.5]]]], True),
    "cu_seq_lens_q": Tensor([0, 3]),
    "loss_kind": "sum",
}
trainer = Trainer()
assert [trainer.training_step(None, batch, n) for n in range(4)] == [0, 1, 2, 3]
assert trainer.steps == 4
"#;

#[test]
#[ignore = "needs python3 (MASKSCOPE_PYTHON)"]
fn the_lines_write_the_first_batches_of_a_stand_in() {
    let python = std::env::var_os("MASKSCOPE_PYTHON").unwrap_or_else(|| "python3".into());
    for trainer in ["transformers", "trl", "axolotl", "llamafactory", "llava"] {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("maskscope_hook.py"), lines(folder.path(), trainer, "2"))
            .expect("written");
        std::fs::write(folder.path().join("transformers.py"), STAND_IN).expect("written");
        run(&python, folder.path(), TRAINING);
        let text = std::fs::read_to_string(folder.path().join("fed.jsonl")).expect("the dump");
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(rows.len(), 4, "{trainer}: two rows of two batches");
        assert_eq!(rows[1]["labels"], serde_json::json!([-100, 9, -100]));
        assert_eq!(
            (rows[0].get("cu_seq_lens_q").is_some(), rows[1].get("cu_seq_lens_q").is_some()),
            (true, false)
        );
        assert!(rows.iter().all(|row| row.get("pixel_values").is_none() && row.get("loss_kind").is_none()));
    }
}

const REAL_TRAINING: &str = r#"
import sys, torch
from torch import nn
from transformers import DataCollatorForSeq2Seq, PretrainedConfig, PreTrainedModel, Trainer, TrainingArguments
import maskscope_hook


class Pads:
    padding_side, pad_token_id, model_input_names = "right", 151646, ["input_ids", "attention_mask"]
    def pad(self, features, padding=True, max_length=None, pad_to_multiple_of=None, return_tensors=None):
        width = max(len(f["input_ids"]) for f in features)
        fill = {"input_ids": 151646, "attention_mask": 0}
        batch = {k: [f[k] + [fill.get(k, -100)] * (width - len(f[k])) for f in features] for k in features[0]}
        return {k: torch.tensor(v) for k, v in batch.items()}


class Model(PreTrainedModel):
    config_class = PretrainedConfig
    def __init__(self):
        super().__init__(PretrainedConfig())
        self.weight = nn.Parameter(torch.zeros(1))
    def forward(self, input_ids, attention_mask=None, labels=None):
        return {"loss": self.weight.sum() + 0.0 * input_ids.float().sum()}


rows = [{"input_ids": [9707, 11 + n, 1879] + [13] * n, "labels": [-100, 11 + n, 1879] + [13] * n} for n in range(6)]
rows = [dict(r, attention_mask=[1] * len(r["input_ids"])) for r in rows]
arguments = TrainingArguments(output_dir=sys.argv[0] + ".out", per_device_train_batch_size=3, max_steps=2, report_to=[], use_cpu=True)
Trainer(model=Model(), args=arguments, train_dataset=rows, data_collator=DataCollatorForSeq2Seq(Pads())).train()
"#;

#[test]
#[ignore = "needs MASKSCOPE_TORCH_PYTHON: an interpreter that has `transformers`, `accelerate` and `torch`"]
fn the_lines_write_what_the_real_trainer_feeds() {
    let python =
        std::env::var_os("MASKSCOPE_TORCH_PYTHON").expect("MASKSCOPE_TORCH_PYTHON names an interpreter");
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("maskscope_hook.py"), lines(folder.path(), "transformers", "8"))
        .expect("written");
    run(&python, folder.path(), REAL_TRAINING);
    let setup = setup("sample:qwen");
    let dumped = DumpSetup::new(&setup);
    let mut dump =
        TokenDump::open(&[folder.path().join("fed.jsonl")], &Keys::default(), &dumped.facts).expect("opens");
    let rows = dump.next_rows(&dumped.facts).expect("rows");
    assert_eq!((rows.len(), dump.convention.labels), (6, LabelForm::Aligned));
    for checked in rows {
        let ids = &checked.row.ids[checked.fed.content.clone()];
        let n = ids.len() - 3;
        assert_eq!(ids[1], 11 + i64::try_from(n).expect("small"));
        assert_eq!(checked.fed.supervised(), n + 2);
    }
}
