#!/usr/bin/env python3
"""Records what the installed release of transformers makes of tokenizer folders, in the layout of the golden folder.

    V/bin/pip install transformers==4.37.0 sentencepiece==0.1.99 protobuf tiktoken 'numpy<2'    # or 4.31.0, 5.23.0
    V/bin/python tests/scripts/record_tokenizers.py TOKENIZERS OUT [--count 400] [--seed 1] [--only NAME]
    MASKSCOPE_CONFORMANCE=OUT cargo test --test conformance strings special -- --nocapture

TOKENIZERS holds one folder a tokenizer. Each is loaded slow and fast, with `legacy` as it is, true and false where the
class knows it; the texts are random and made of what tokenizers stumble over, their own special tokens among them.
Several releases write to the same OUT. Nothing of a repository is run (no trust_remote_code).
"""

import argparse
import copy
import gzip
import json
import logging
import os
import pathlib
import random

os.environ["TRANSFORMERS_VERBOSITY"] = "critical"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import transformers  # noqa: E402  (after the variables)
from transformers import AutoTokenizer  # noqa: E402

logging.disable(logging.CRITICAL)
VERSION = transformers.__version__
IS_V5 = VERSION.startswith("5.")

PIECES = (
    "a b the The THE hello Hello world's don't I'm we've you're 'll 1 12 123 1234567 3.14 1,000 - -- --- _ __ / // \\ "
    "( ) [ ] { } < > <> </ | || @ # $ % ^ & * + = ~ ` \" ' '' . .. ... , ; : ! ? ?! !! é è ü ß Ä Ö ñ ç å ø œ "
    "ﬁ ﬂ ½ ² ™ ℃ Ω Ω Å Å e\u0301 a\u0308 ş ţ İ ı ǆ 你 好 你好 中文 日本語 こんにちは カタカナ ｶﾞ 한국어 안녕 ᄒ ᆞ "
    "Привет мир Γειά שלום שָׁלוֹם مرحبا العَرَبية नमस्ते สวัสดี ไทย 🙂 😂😂 👩‍👩‍👧 🇩🇪 👍🏽 ❤️ … – — “ ” ‘ ’ « » · • → ∞ ≠ "
    "▁ ▁▁ ▁a Ġ Ċ ĠĠ ## ##a [UNK] [MASK] [CLS] [SEP] <s> </s> <unk> <pad> <mask> <bos> <eos> <0x0A> <0x41> <|endoftext|> "
    "<|im_start|> <|im_end|> <extra_id_0> <extra_id_99> <image> USER: ASSISTANT: ### #include def return http://x.y/z?q=1"
).split(" ") + [
    " ", " ", " ", " ", "  ", "   ", "    ", " " * 8, " " * 24, " " * 33, "\n", "\n", "\n\n", "\n\n\n", "\r\n", "\r", "\t", "\t\t", " \n", "\n ",
    "\u00a0", "\u2003", "\u3000", "\u200b", "\u200c", "\u200d", "\u00ad", "\ufeff", "\u2028", "\u2029", "\u202e", "\x00", "\x01", "\x07",
    "\x1b", "\x1f", "\x7f", "\u0085", "\u0301", "\u0300\u0316", "\ufffd", "\ue000", "\U000e0041", "\U0010ffff", "\ufb01", "\u1e9e", "\u0130",
    "x" * 40, "ab" * 30, "0" * 20, "aa", "ſ", "K", "\u0340", "\u0344", "\u2126", "\uff21", "\uff5e", "\u1100\u1161", "\ud7a3",
]


def own_tokens(tokenizer):
    """Contents of added and special tokens, which texts must hold to be interesting."""
    contents = [str(t) for t in tokenizer.all_special_tokens]
    decoder = getattr(tokenizer, "added_tokens_decoder", None)
    contents += [str(t) for t in decoder.values()] if decoder else list(tokenizer.get_added_vocab())
    contents = list(dict.fromkeys(contents))
    if getattr(tokenizer, "fill_token", None):
        contents.insert(0, str(tokenizer.fill_token))
    return contents[:40] + contents[-10:]


def texts_for(tokenizer, rng, count, fixed):
    own = own_tokens(tokenizer)
    vocabulary = sorted(tokenizer.get_vocab(), key=str)
    texts = list(fixed)
    while len(texts) < count:
        length = rng.choice([1, 2, 3, 4, 5, 6, 8, 12, 20, 40])
        pieces = []
        for _ in range(length):
            kind = rng.random()
            if kind < 0.2 and own:
                pieces.append(rng.choice(own))
            elif kind < 0.35 and isinstance(vocabulary[0], str):
                pieces.append(rng.choice(vocabulary))
            elif kind < 0.4:
                pieces.append(chr(rng.choice([rng.randrange(32, 0x250), rng.randrange(0x250, 0xD800), rng.randrange(0xE000, 0x1FFFF)])))
            else:
                pieces.append(rng.choice(PIECES))
            if rng.random() < 0.3:
                pieces.append(" ")
        texts.append("".join(pieces))
    return texts


def piece(token):
    return {"hex": token.hex()} if isinstance(token, bytes) else token


def string_records(tokenizer, texts):
    first = tokenizer
    for i, text in enumerate(texts):
        # CodeLlama's class of 5.x is another one after it has filled a gap.
        tokenizer = copy.deepcopy(first) if IS_V5 and getattr(first, "fill_token", None) else first
        try:
            ids = tokenizer(text)["input_ids"]
            record = {
                "i": i, "text": text, "ids": ids, "ids_nospecial": tokenizer(text, add_special_tokens=False)["input_ids"],
                "tokens": [piece(t) for t in tokenizer.convert_ids_to_tokens(ids)],
            }
            if tokenizer.is_fast:
                record["offsets"] = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
            record["decoded"] = tokenizer.decode(ids)
            record["decoded_skip_special"] = tokenizer.decode(ids, skip_special_tokens=True)
        except Exception as error:  # what Python cannot do is no golden
            print(f"    text {i} {text!r:.80}: {type(error).__name__} {str(error):.120}")
            continue
        yield record


def table(tokenizer):
    def optional(name):
        try:
            value = getattr(tokenizer, name, None)
        except Exception:
            return None
        return value if value is None or isinstance(value, (bool, int, str)) else str(value)

    result = {}
    for role in ("bos", "eos", "unk", "pad", "sep", "cls", "mask"):
        result[f"{role}_token"] = optional(f"{role}_token")
        result[f"{role}_token_id"] = optional(f"{role}_token_id")
    result["additional_special_tokens"] = None if IS_V5 else [str(t) for t in tokenizer.additional_special_tokens]
    for name in (
        "model_max_length", "padding_side", "truncation_side", "vocab_size", "is_fast", "legacy", "add_bos_token",
        "add_eos_token", "add_prefix_space", "clean_up_tokenization_spaces",
    ):
        result[name] = optional(name)
    result["len"] = len(tokenizer)
    result["class"] = type(tokenizer).__name__
    if VERSION.startswith("4.31"):
        decoder = getattr(tokenizer, "added_tokens_decoder", None) or {}
        added = [{"id": i, "content": str(t)} for i, t in sorted(decoder.items())]
    else:
        added = [
            {
                "id": i, "content": t.content, "lstrip": t.lstrip, "rstrip": t.rstrip, "normalized": t.normalized,
                "single_word": t.single_word, "special": t.special,
            }
            for i, t in sorted(tokenizer.added_tokens_decoder.items())
        ]
    result["added_tokens"] = added[:400]
    result["n_added_tokens"] = len(added)
    return result


def load(folder, fast, options):
    return AutoTokenizer.from_pretrained(str(folder), use_fast=fast, **options)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tokenizers", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument("--fixed", type=pathlib.Path, help="a JSON list of texts that every tokenizer gets first")
    arguments = parser.parse_args()
    strings = arguments.out / "golden" / "strings"
    strings.mkdir(parents=True, exist_ok=True)
    here = arguments.out / "tokenizers"
    if not here.exists():
        here.symlink_to(arguments.tokenizers.resolve())
    fixed = json.loads(arguments.fixed.read_text()) if arguments.fixed else []
    tables_path = arguments.out / "golden" / "special_tokens.json.gz"
    tables = json.loads(gzip.open(tables_path, "rt").read()) if tables_path.exists() else {}
    for folder in sorted(p for p in arguments.tokenizers.iterdir() if p.is_dir() and arguments.only in p.name):
        for fast in [True] if IS_V5 else [False, True]:
            for suffix, options in [("", {}), ("_legacyT", {"legacy": True}), ("_legacyF", {"legacy": False})]:
                try:
                    tokenizer = load(folder, fast, options)
                except Exception as error:
                    if not suffix:
                        name = f"{folder.name}.{'fast' if fast else 'slow'}.tf{VERSION}"
                        tables[name] = {"error": f"{type(error).__name__}: {str(error):.300}"}
                        print(f"{name}: {tables[name]['error']}")
                    continue
                if suffix and getattr(tokenizer, "legacy", None) is None:
                    continue
                if not fast and tokenizer.is_fast:
                    continue  # no slow class: Python gives the fast one, which is recorded as fast
                name = f"{folder.name}{suffix}.{'fast' if fast else 'slow'}.tf{VERSION}"
                # Goldens are named for what was asked; a tokenizer that is not what its name says would mislead.
                tables[name] = table(tokenizer)
                rng = random.Random(f"{arguments.seed} {name}")
                texts = texts_for(tokenizer, rng, arguments.count, fixed)
                count = 0
                with gzip.open(strings / f"strings.{name}.jsonl.gz", "wt") as out:
                    for record in string_records(tokenizer, texts):
                        out.write(json.dumps(record) + "\n")
                        count += 1
                print(f"{name}: {type(tokenizer).__name__}, {count} texts", flush=True)
    with gzip.open(tables_path, "wt") as out:
        out.write(json.dumps(tables))
    (arguments.out / "golden" / "labels").mkdir(exist_ok=True)


if __name__ == "__main__":
    main()
