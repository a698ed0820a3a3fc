"""Python's `tokenizers` beside `maskscope scan`, on one core: conversations per CPU-second, and the ratio.

    pip install tokenizers                                   # no torch, no transformers
    python3 tests/scripts/encode_rate.py BENCH.json.gz target/release/maskscope TOKENIZER_DIR TEMPLATE [TOKENIZER_DIR TEMPLATE ...]

Python does the encodes of a two-separator rule alone: the whole prompt, each round and each instruction, in texts that are
ready before the clock starts. maskscope does the whole of `scan`: it reads, renders, labels and counts, with its start and
the loading of the tokenizer in the time; `--loader fast`, as Python loads tokenizer.json. The data is given to both as
often as makes about 100,000 conversations for maskscope and 2,500 for Python.
"""

import gzip
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizers  # noqa: E402  (reads the variables above)

SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
SEP2 = {"phi": "<|endoftext|>", "qwen": "<|endoftext|>", "stablelm": "<|endoftext|>"}
MARK = " ASSISTANT: "


def pieces(record, sep2):
    """Texts that the rule encodes; chunks between image placeholders one by one, as the training code does."""
    prompt = SYSTEM + " "
    for turn in record["conversations"]:
        human = turn["from"] == "human"
        prompt += ("USER: " if human else "ASSISTANT: ") + turn["value"] + (" " if human else sep2)
    texts = [prompt]
    for piece in prompt.split(sep2):
        if piece:
            texts += [piece, piece.split(MARK)[0] + MARK]
    return [chunk for text in texts for chunk in text.split("<image>")]


def python_rate(folder, records, sep2):
    tokenizer = tokenizers.Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    samples = [pieces(record, sep2) for record in records[:2500]]
    begun = time.process_time()
    ids = sum(len(tokenizer.encode(text).ids) for sample in samples for text in sample)
    seconds = time.process_time() - begun
    return len(samples) / seconds, ids


def maskscope_rate(binary, folder, template, data, times, count):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [binary, "scan", "-t", folder, "--loader", "fast", "--template", template, "--format", "json"] + [data] * times
    run = subprocess.run(command, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if run.returncode not in (0, 1):
        sys.exit(run.stderr)
    report = json.loads(run.stdout)
    assert report["samples"] == times * count, report["samples"]
    seconds = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return report["samples"] / seconds, report["by_state"]


def main():
    data, binary, *pairs = sys.argv[1:]
    text = gzip.open(data, "rt").read() if data.endswith(".gz") else Path(data).read_text()
    records = json.loads(text)
    times = max(1, 100_000 // len(records))
    print(f"tokenizers {tokenizers.__version__}, {len(records)} conversations, one core")
    for folder, template in zip(pairs[::2], pairs[1::2]):
        theirs, ids = python_rate(folder, records, SEP2.get(template, "</s>"))
        ours, states = maskscope_rate(binary, folder, template, data, times, len(records))
        name = Path(folder).name
        print(
            f"{name} {template}: Python encodes {theirs:,.0f} per CPU-second ({ids} ids), maskscope scan {ours:,.0f} "
            f"({states}): {ours / theirs:.1f} times"
        )


if __name__ == "__main__":
    main()
