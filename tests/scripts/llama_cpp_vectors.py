#!/usr/bin/env python3
"""Checks maskscope's GGUF reader against vocabularies and test vectors that nobody here wrote.

The source distribution of llama-cpp-python on PyPI carries llama.cpp's vocabularies as GGUF headers, most with a
file of texts (.inp) and a file of ids (.out). Nothing of it is kept in this project: the archive goes to a folder
that you name, and this script prints how many vectors come out alike, by family.

    python3 tests/scripts/llama_cpp_vectors.py FOLDER [path of the maskscope binary]
"""

import json
import pathlib
import subprocess
import sys
import tarfile
import urllib.parse
import urllib.request

PACKAGE = "llama-cpp-python"
INDEX = "https://pypi.org"
BETWEEN_TEXTS = "\n__ggml_vocab_test__\n"


def fetch(folder):
    """The vocabularies, downloaded once."""
    models = folder / "models"
    if models.is_dir():
        return models
    with urllib.request.urlopen(f"{INDEX}/pypi/{PACKAGE}/json", timeout=60) as reply:
        files = json.load(reply)["urls"]
    source = next(f["url"] for f in files if f["packagetype"] == "sdist")
    address = urllib.parse.urljoin(f"{INDEX}/simple/{PACKAGE}/", source)
    archive = folder / "source.tar.gz"
    urllib.request.urlretrieve(address, archive)
    models.mkdir()
    with tarfile.open(archive) as tar:
        for member in tar:
            name = pathlib.PurePosixPath(member.name)
            if member.isfile() and name.parent.name == "models" and name.name.startswith("ggml-vocab-"):
                (models / name.name).write_bytes(tar.extractfile(member).read())
    return models


def encode(binary, vocabulary, texts):
    """Ids of each text without special tokens, or why there are none."""
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    command = [binary, "encode", "-t", str(vocabulary), "--add-special-tokens", "false", "--format", "jsonl"]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    return [json.loads(line)["ids"] for line in done.stdout.splitlines()]


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    binary = sys.argv[2] if len(sys.argv) > 2 else "target/release/maskscope"
    alike_in_all = of_all = 0
    for vocabulary in sorted(fetch(folder).glob("*.gguf")):
        family = vocabulary.stem.removeprefix("ggml-vocab-")
        inputs = vocabulary.with_suffix(".gguf.inp")
        if not inputs.exists():
            loads = encode(binary, vocabulary, ["a"])
            print(f"{family:16} no vectors; {'loads' if isinstance(loads, list) else loads}")
            continue
        texts = inputs.read_bytes().decode("utf-8").split(BETWEEN_TEXTS)
        wanted = vocabulary.with_suffix(".gguf.out").read_text("utf-8").split("\n")
        wanted = [[int(n) for n in line.split()] for line in wanted[: len(texts)]]
        got = encode(binary, vocabulary, texts)
        of_all += len(texts)
        if not isinstance(got, list):
            print(f"{family:16} 0 of {len(texts)}: {got}")
            continue
        wrong = [(t, w, g) for t, w, g in zip(texts, wanted, got) if w != g]
        alike_in_all += len(texts) - len(wrong)
        print(f"{family:16} {len(texts) - len(wrong)} of {len(texts)}")
        for text, want, have in wrong[:3]:
            print(f"    {text!r}\n      llama.cpp {want}\n      maskscope {have}")
    print(f"{'in all':16} {alike_in_all} of {of_all}")


if __name__ == "__main__":
    main()
