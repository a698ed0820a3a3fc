"""Folders whose files contradict each other, as transformers loads them.

    V437/bin/python tests/scripts/record_contradictions.py 4.37.json     # transformers 4.37.0
    V457/bin/python tests/scripts/record_contradictions.py 4.57.json     # 4.57.6
    V5/bin/python tests/scripts/record_contradictions.py 5.json          # 5.23.0
    python3 tests/scripts/record_contradictions.py --join 4.37.json 4.57.json 5.json > tests/golden/folders/contradictions.jsonl

Each case has its files, and for each release and class the ids of three tokens, eos and pad, and the chat templates
that AutoTokenizer renders (without tools, with an empty list of tools) and that a processor is given.
"""

import json
import pathlib
import sys
import tempfile
import warnings

TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
BYTES = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
ALPHABET = sorted(chr(b) for b in BYTES) + [chr(256 + n) for n in range(256 - len(BYTES))]
FIRST = len(ALPHABET)


def entry(content):
    flags = dict(lstrip=False, rstrip=False, normalized=False, single_word=False, special=True)
    return {"content": content, **flags}


def pipeline(ids=(0, 1, 2)):
    """A byte-level tokenizer.json without merges, and the added tokens with the ids that the file says."""
    vocabulary = {c: n for n, c in enumerate(ALPHABET)}
    split = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
             "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
             "vocab": vocabulary, "merges": []}
    added = [{"id": FIRST + n, **entry(t)} for n, t in zip(ids, TOKENS)]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": split, "post_processor": None, "decoder": split, "model": model}


def decoder(ids):
    return {"added_tokens_decoder": {str(FIRST + n): entry(t) for n, t in zip(ids, TOKENS)}}


def cases():
    fast = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"}
    gpt2 = {"tokenizer_class": "GPT2Tokenizer", "eos_token": "<|im_end|>", "bos_token": "<|endoftext|>",
            "unk_token": "<|endoftext|>"}
    vocabulary = {c: n for n, c in enumerate(ALPHABET)}
    slow = {"vocab.json": vocabulary, "merges.txt": "#version: 0.2\n"}
    swapped = {t: FIRST + n for t, n in zip(TOKENS, (0, 2, 1))}
    right = {t: FIRST + n for n, t in enumerate(TOKENS)}

    def folder(config, **files):
        return {"tokenizer.json": pipeline(), "tokenizer_config.json": config, **files}

    yield "sound", folder({**gpt2, **decoder((0, 1, 2))}, **slow, **{"added_tokens.json": right})
    yield "decoder swaps two, fast class alone", folder({**fast, **decoder((0, 2, 1))})
    yield "decoder swaps two", folder({**gpt2, **decoder((0, 2, 1))}, **slow)
    yield "decoder leaves a gap", folder({**gpt2, **decoder((0, 1, 7))}, **slow)
    yield "tokenizer.json leaves a gap", {"tokenizer.json": pipeline((0, 1, 9)), "tokenizer_config.json": fast}
    yield "added_tokens.json swaps two, fast class alone", folder(fast, **{"added_tokens.json": swapped})
    yield "added_tokens.json swaps two", folder(gpt2, **slow, **{"added_tokens.json": swapped})
    yield "added_tokens.json against decoder", folder(
        {**gpt2, **decoder((0, 1, 2))}, **slow, **{"added_tokens.json": swapped})
    yield "vocab.json has another id", folder(
        gpt2, **{**slow, "vocab.json": {**vocabulary, "<|im_end|>": FIRST + 5}})
    names = {"eos_token": "<|im_end|>", "pad_token": "<|im_start|>"}
    other = {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    yield "special_tokens_map.json differs", folder({**fast, **other}, **{"special_tokens_map.json": names})
    yield "special_tokens_map.json differs from a folder with decoder", folder(
        {**fast, **other, **decoder((0, 1, 2))}, **{"special_tokens_map.json": names})
    yield "special_tokens_map.json names the same", folder(
        {**fast, **names}, **{"special_tokens_map.json": names})

    text = {**fast, "chat_template": "CONFIG"}
    both = {**fast, "chat_template": [{"name": "default", "template": "LISTED"},
                                      {"name": "tool_use", "template": "LISTED TOOLS"}]}
    jinja, legacy = {"chat_template.jinja": "FILE"}, {"chat_template.json": {"chat_template": "LEGACY"}}
    named = {"additional_chat_templates/tool_use.jinja": "FILE TOOLS"}
    processor = {"processor_config.json": {"processor_class": "X", "chat_template": "PROCESSOR"}}
    yield "one template", folder(text)
    yield "file and config agree", folder({**fast, "chat_template": "FILE"}, **jinja)
    yield "file and config", folder(text, **jinja)
    yield "file and list", folder(both, **jinja)
    yield "list and named file", folder(both, **jinja, **named)
    yield "named file without default", folder(text, **named)
    yield "config and legacy", folder(text, **legacy)
    yield "file and legacy", folder(fast, **jinja, **legacy)
    yield "file, legacy and processor", folder(fast, **jinja, **legacy, **processor)
    yield "file and processor", folder(fast, **jinja, **processor)
    yield "config and processor", folder(text, **processor)
    yield "legacy and named file", folder(text, **legacy, **named)


def tried(call):
    try:
        return call()
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:60]}"


def load(path):
    from transformers import AutoTokenizer
    from transformers.processing_utils import ProcessorMixin

    result = {}
    for fast in (False, True):
        tokenizer = AutoTokenizer.from_pretrained(path, use_fast=fast)
        result["fast" if fast else "slow"] = {
            "class": type(tokenizer).__name__,
            "ids": [tokenizer.convert_tokens_to_ids(token) for token in TOKENS],
            "eos": tokenizer.eos_token,
            "pad": tokenizer.pad_token,
        }
    messages = [{"role": "user", "content": "x"}]
    result["templates"] = [
        tried(lambda: tokenizer.apply_chat_template(messages, tokenize=False)),
        tried(lambda: tokenizer.apply_chat_template(messages, tools=[], tokenize=False)),
    ]
    processor = tried(lambda: ProcessorMixin.get_processor_dict(path)[0].get("chat_template"))
    result["processor"] = processor.replace(path, "FOLDER") if isinstance(processor, str) else processor
    return result


def main():
    if sys.argv[1] == "--join":
        parts = [json.loads(pathlib.Path(path).read_text()) for path in sys.argv[2:]]
        for name, files in cases():
            line = {"name": name, "files": files, "loaded": {part["release"]: part["cases"][name] for part in parts}}
            print(json.dumps(line, ensure_ascii=True))
        return
    import transformers

    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    results = {}
    for name, files in cases():
        with tempfile.TemporaryDirectory() as folder:
            for file, content in files.items():
                path = pathlib.Path(folder, file)
                path.parent.mkdir(exist_ok=True)
                path.write_text(content if isinstance(content, str) else json.dumps(content))
            results[name] = load(folder)
    release = ".".join(transformers.__version__.split(".")[:2])
    pathlib.Path(sys.argv[1]).write_text(json.dumps({"release": release, "cases": results}))


main()
