"""Writes rows of ids and labels as trainers leave them behind, with the real libraries: every format in every convention.

    maskscope inspect -t sample:qwen -d tests/token_dumps/messages.json --template sample:chatml-think --preprocess axolotl_turn \\
        --format jsonl | python3 tests/scripts/token_dumps.py tests/token_dumps 151643      # these are the committed ones
    maskscope inspect … --format jsonl | python3 tests/scripts/token_dumps.py OUT      # needs datasets, numpy, safetensors

The number is the id that fills rows up. OUT/expected.jsonl holds the rows as they came; each other file or folder is OUT/FORMAT.CONVENTION[.ending].
"""

import json
import sys
from pathlib import Path

import numpy as np
from datasets import Dataset, DatasetDict
from safetensors.numpy import save_file

IGNORED = -100
PAD = int(sys.argv[2]) if len(sys.argv) > 2 else 0


def conventions(rows):
    """Name and rows of each convention."""
    plain = [{"input_ids": r["input_ids"], "labels": r["labels"]} for r in rows]
    yield "aligned", [dict(r, attention_mask=[1] * len(r["input_ids"])) for r in plain]
    yield "shifted", [{"input_ids": r["input_ids"], "labels": r["labels"][1:] + [IGNORED]} for r in plain]
    seen = [[int(label != IGNORED) for label in r["labels"]] for r in plain]
    yield "mask", [{"input_ids": r["input_ids"], "loss_mask": s} for r, s in zip(plain, seen)]
    yield "shifted_mask", [
        {"input_ids": r["input_ids"], "labels": r["input_ids"][1:] + [PAD], "loss_mask": s[1:] + [0]} for r, s in zip(plain, seen)
    ]
    yield "weights", [
        {"input_ids": r["input_ids"], "labels": r["labels"], "loss_scale": [0.5 * x if i % 2 else 2.0 * x for i, x in enumerate(s)]}
        for r, s in zip(plain, seen)
    ]
    width = max(len(r["input_ids"]) for r in plain)
    for side in ("left", "right"):
        yield f"{side}_padded", [padded(r, width, side) for r in plain]
    packs = [plain[i : i + 3] for i in range(0, len(plain), 3)]
    joined = [{k: sum((r[k] for r in pack), []) for k in ("input_ids", "labels")} for pack in packs]
    lengths = [[len(r["input_ids"]) for r in pack] for pack in packs]
    positions = [[i for n in ns for i in range(n)] for ns in lengths]
    yield "packed_positions", [dict(r, position_ids=p) for r, p in zip(joined, positions)]
    yield "packed_seq_lens", [dict(r, seq_lens=n) for r, n in zip(joined, lengths)]
    yield "packed_cu_seqlens", [dict(r, cu_seqlens=[0, *np.cumsum(n).tolist()]) for r, n in zip(joined, lengths)]
    yield "packed_documents", [dict(r, document_ids=[i for i, k in enumerate(n) for _ in range(k)]) for r, n in zip(joined, lengths)]
    yield "packed_attention", [
        dict(r, attention_mask=[i + 1 for i, k in enumerate(n) for _ in range(k)]) for r, n in zip(joined, lengths)
    ]


def padded(row, width, side):
    fill = {"input_ids": PAD, "labels": IGNORED, "attention_mask": 0}
    row = dict(row, attention_mask=[1] * len(row["input_ids"]))
    more = width - len(row["input_ids"])
    return {k: [fill[k]] * more + v if side == "left" else v + [fill[k]] * more for k, v in row.items()}


def batch(rows):
    """Rows as arrays, filled up on their right where lengths differ; None where a field is of another length than ids."""
    width = max(len(r["input_ids"]) for r in rows)
    arrays = {}
    for key in rows[0]:
        if any(len(r[key]) != len(r["input_ids"]) for r in rows):
            return None
        fill = {"input_ids": PAD, "labels": IGNORED, "document_ids": -1}.get(key, 0)
        values = [r[key] + [fill] * (width - len(r[key])) for r in rows]
        arrays[key] = np.array(values, dtype=np.float32 if isinstance(rows[0][key][0], float) else np.int64)
    if "attention_mask" not in arrays:
        arrays["attention_mask"] = np.array([[1] * len(r["input_ids"]) + [0] * (width - len(r["input_ids"])) for r in rows], dtype=np.uint8)
    return arrays


def main(out):
    rows = [json.loads(line) for line in sys.stdin]
    rows = [{"input_ids": r["input_ids"], "labels": r["labels"]} for r in rows if r.get("labels")]
    out.mkdir(parents=True, exist_ok=True)
    write_lines(out / "expected.jsonl", rows)
    for name, made in conventions(rows):
        write_lines(out / f"jsonl.{name}.jsonl", made)
        data = Dataset.from_list(made)
        data.to_parquet(out / f"parquet.{name}.parquet")
        data.save_to_disk(out / f"saved.{name}", num_shards=min(2, len(made)))
        arrays = batch(made)
        if arrays is not None:
            save_file(arrays, out / f"safetensors.{name}.safetensors")
            np.savez(out / f"npz.{name}.npz", **arrays)
            np.savez_compressed(out / f"npzc.{name}.npz", **{k: v.astype(np.int32) if v.dtype == np.int64 else v for k, v in arrays.items()})
            folder = out / f"npy.{name}"
            folder.mkdir(exist_ok=True)
            for key, values in arrays.items():
                np.save(folder / f"{key}.npy", values)
        # As trainers' data loaders hand batches on: lists of rows.
        if arrays is not None:
            lists = {k: v.tolist() for k, v in arrays.items()}
            halves = [{k: v[:2] for k, v in lists.items()}, {k: v[2:] for k, v in lists.items()}]
            write_lines(out / f"batches.{name}.jsonl", [h for h in halves if h["input_ids"]])
    made = dict(conventions(rows))["aligned"]
    # The layouts of folders: axolotl's last_run_prepared, LLaMA-Factory's tokenized_path, a cache file of datasets.
    Dataset.from_list(made).save_to_disk(out / "axolotl.aligned" / "0a1b2c")
    DatasetDict({"train": Dataset.from_list(made)}).save_to_disk(out / "llamafactory.aligned")
    cached = Dataset.from_list(made).map(lambda row: row, cache_file_name=str(out / "cache.aligned.arrow"))
    assert len(cached) == len(made)


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


main(Path(sys.argv[1]))
