#!/usr/bin/env python3
"""Two set-ups that `doctor --fix-search` proposes for slow classes of transformers 4.31, tried with that release.

    python3 -m venv V && V/bin/pip install transformers==4.31.0 sentencepiece 'numpy<2'
    V/bin/python tests/scripts/slow_classes_4_31.py samples/tokenizers

1. Mistral: whitespace beside `</s>` is swallowed while the token is a string, and stays once it is an AddedToken.
2. phi-2: a new unk gets no id, so a pad that copies it is None; a new pad of its own gets the next id.
"""

import pathlib
import sys

import transformers


def main(folder):
    assert transformers.__version__ == "4.31.0", transformers.__version__
    mistral = transformers.LlamaTokenizer.from_pretrained(folder / "mistral", legacy=True)
    alone = mistral("two \n", add_special_tokens=False).input_ids
    as_string = mistral("two \n</s>", add_special_tokens=False).input_ids
    mistral.eos_token = transformers.AddedToken("</s>", lstrip=False, rstrip=False, normalized=False)
    as_object = mistral("two \n</s>", add_special_tokens=False).input_ids
    print("mistral: alone", alone, "string", as_string, "object", as_object)
    assert len(as_string) < len(alone) + 1
    assert as_object == alone + [mistral.eos_token_id]

    phi = transformers.CodeGenTokenizer.from_pretrained(folder / "phi-2")
    phi.add_special_tokens({"unk_token": "<|extra_0|>"})
    phi.pad_token = phi.unk_token
    copied = phi.pad_token_id
    phi.add_special_tokens({"pad_token": "<|pad|>"})
    print("phi-2: pad as a copy of unk", copied, "pad of its own", phi.pad_token_id)
    assert copied is None and phi.pad_token_id == 50295


main(pathlib.Path(sys.argv[1]))
