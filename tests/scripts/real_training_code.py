#!/usr/bin/env python3
"""Runs what `maskscope patch` writes with the real torch and transformers, on every conversation of a file.

    python3 tests/scripts/real_training_code.py MASKSCOPE CONVERSATIONS -- -t TOKENIZER_FOLDER [more options of maskscope]

In a scratch copy of the small repository of tests/patch_pytest the diff is applied and the generated pytest is run;
then ids and labels of all conversations are held against `maskscope inspect`. Needs torch, transformers and pytest
(it was run with Python 3.8, torch 1.12.1 and transformers 4.37.2). Samples whose turns the training code rewrites
(videos, more than 16 images) are left out.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent.parent / "patch_pytest"


def repository(root):
    package = root / "moellava" / "train"
    package.mkdir(parents=True)
    for folder in [package, package.parent]:
        (folder / "__init__.py").write_text("")
    (package.parent / "conversation.py").write_text((HERE / "conversation.py").read_text())
    train = (HERE / "train.py").read_text().replace("torch.Row(ids)", "torch.tensor(ids, dtype=torch.long)")
    (package / "train.py").write_text(train)


def maskscope(program, *arguments):
    done = subprocess.run([program, *arguments], stdout=subprocess.PIPE, check=False)
    assert done.returncode in (0, 1), done.returncode
    return done.stdout.decode()


def is_rewritten(sample):
    texts = [turn["value"] for turn in sample["conversations"]]
    return any("<video>" in text or text.count("<image>") > 16 for text in texts)


def compare(root, options, conversations, expected):
    sys.path.insert(0, str(root))
    import transformers
    from moellava import conversation as conversation_lib
    from moellava.train import train

    place = options[options.index("-t") + 1]
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        place, model_max_length=2048, padding_side="right", use_fast=False
    )
    exec((root / "written" / "tokenizer.py").read_text(), {"tokenizer": tokenizer})
    conversation_lib.default_conversation = conversation_lib.conv_templates["mine"]
    equal, raised, wrong = 0, 0, []
    for sample, ours in zip(conversations, expected):
        if is_rewritten(sample):
            continue
        has_image = "image" in sample
        try:
            made = train.preprocess_mine([sample["conversations"]], tokenizer, has_image=has_image)
        except Exception as error:
            same = ours["error"] is not None and ours["error"]["type"] == type(error).__name__
            raised += same
            wrong += [] if same else [(sample["id"], repr(error), ours["error"])]
            continue
        theirs = made["input_ids"][0].tolist(), made["labels"][0].tolist()
        if theirs == (ours["input_ids"], ours["labels"]):
            equal += 1
        else:
            wrong.append((sample["id"], "other ids or labels"))
    print("%d conversations equal, %d raise the same, %d differ: %s" % (equal, raised, len(wrong), wrong))
    return not wrong


def main():
    at = sys.argv.index("--")
    (program, data), options = sys.argv[1:at], sys.argv[at + 1:]
    root = pathlib.Path(tempfile.mkdtemp())
    repository(root)
    diff = maskscope(program, "patch", "--name", "mine", "--repo", str(root), *options)
    (root / "mine.diff").write_text(diff)
    subprocess.run(["git", "apply", "mine.diff"], cwd=root, check=True)
    maskscope(program, "patch", "--name", "mine", "--out", str(root / "written"), *options)
    place = options[options.index("-t") + 1]
    space = dict(os.environ, PYTHONPATH=str(root), TOKENIZER=place)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "written/test_labels.py"]
    passed = subprocess.run(command, cwd=root, env=space, check=False).returncode == 0
    records = maskscope(program, "inspect", "-d", data, "--format", "jsonl", *options)
    expected = [json.loads(line) for line in records.splitlines()]
    conversations = json.loads(pathlib.Path(data).read_text())
    sys.exit(0 if compare(root, options, conversations, expected) and passed else 1)


if __name__ == "__main__":
    main()
