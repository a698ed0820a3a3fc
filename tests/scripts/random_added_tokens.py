"""Records of real Python tokenizers with random added tokens, for tests/conformance/added_tokens.rs.

usage: random_added_tokens.py TOKENIZERS OUT.jsonl

TOKENIZERS is the golden folder's tokenizers/. Run it once with each release of transformers (4.31.0, 4.37.0, 5.23.0)
and name the results 431.jsonl, 437.jsonl and 523.jsonl. The seed is fixed: a release gives the same file each time.
"""

import json
import os
import random
import sys

os.environ["TRANSFORMERS_VERBOSITY"] = "error"

from transformers import AddedToken, AutoTokenizer  # noqa: E402  (after the variable)

PIECES = ["a", "b", " ", "  ", "\n", "é", "<x>", "cat", "dog", "</s>", "<|endoftext|>", "▁", ".", "A", "Ä"]
CONTENTS = ["<x>", "cat", "dog", "b", "é ", "A."]
LOADS = [
    ("phi2", False, {}),
    ("gpt2", False, {}),
    ("vicuna_v15", False, {}),
    ("vicuna_v15", False, {"legacy": True}),
    ("t5_seqio", False, {}),
    ("phi2", True, {}),
    ("llama2", True, {}),
    ("vicuna_v15", True, {}),
]


def add_random(tokenizer, rng):
    added = []
    for content in rng.sample(CONTENTS, 3):
        flags = {name: rng.random() < 0.4 for name in ("lstrip", "rstrip", "single_word")}
        flags["normalized"] = rng.random() < 0.5
        special = rng.random() < 0.3
        added.append([{"content": content, **flags}, special])
        tokenizer.add_tokens([AddedToken(content, **flags)], special_tokens=special)
    return added


def main(folder, path):
    rng = random.Random(7)
    with open(path, "w") as out:
        for name, fast, options in LOADS:
            for _ in range(6):
                try:
                    tokenizer = AutoTokenizer.from_pretrained(os.path.join(folder, name), use_fast=fast, **options)
                except Exception as error:
                    print(name, error, file=sys.stderr)
                    break
                added = add_random(tokenizer, rng)
                for _ in range(25):
                    text = "".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 9)))
                    try:
                        ids = tokenizer(text)["input_ids"]
                        record = {
                            "tok": name, "fast": fast, "legacy": options.get("legacy"), "adds": added, "text": text,
                            "ids": ids, "decoded": tokenizer.decode(ids),
                            "skipped": tokenizer.decode(ids, skip_special_tokens=True), "len": len(tokenizer),
                        }
                    except Exception as error:
                        print(name, repr(text), error, file=sys.stderr)
                        continue
                    out.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
