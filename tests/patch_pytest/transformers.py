"""A tokenizer class for the generated test.

In a folder with `recorded.json` it replays ids that maskscope recorded. In a model's folder it wraps the `tokenizers`
wheel. Either way pad is what the test's own lines make it: without them it is what the files say.
"""
import json
import os
import types

import torch

ATTRIBUTES = ["bos_token", "eos_token", "unk_token", "pad_token"]


class Recorded:
    """Ids of texts, and ids of special tokens, as maskscope gave them."""

    def __init__(self, folder):
        with open(os.path.join(folder, "recorded.json"), encoding="utf-8") as file:
            record = json.load(file)
        self.texts, self.surfaces, self.roles = record["texts"], record["surfaces"], record["roles"]
        self.closed = not record["can_add_tokens"]

    def encode(self, text):
        return list(self.texts[text])

    def add(self, surface):
        if self.closed:
            raise ValueError("Adding unknown special tokens is not supported")
        assert surface in self.surfaces, surface

    def token_to_id(self, surface):
        return self.surfaces.get(surface)


class Wheel:
    """The `tokenizers` wheel over the model's own tokenizer.json."""

    def __init__(self, folder):
        import tokenizers

        self.inner = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        with open(os.path.join(folder, "tokenizer_config.json"), encoding="utf-8") as file:
            config = json.load(file)
        named = {key: config.get(key) for key in ATTRIBUTES}
        self.roles = {key: value["content"] if isinstance(value, dict) else value for key, value in named.items()}

    def encode(self, text):
        return self.inner.encode(text).ids

    def add(self, surface):
        self.inner.add_special_tokens([surface])

    def token_to_id(self, surface):
        return self.inner.token_to_id(surface)


class Tokenizer:
    def __init__(self, engine, model_max_length):
        self.engine, self.model_max_length = engine, model_max_length
        for key in ATTRIBUTES:
            setattr(self, key, engine.roles.get(key))

    def add_special_tokens(self, wanted):
        for key, surface in wanted.items():
            assert key in ATTRIBUTES, key
            self.engine.add(surface)
            setattr(self, key, surface)

    def __getattr__(self, name):
        if name.endswith("_id") and name[:-3] in ATTRIBUTES:
            surface = getattr(self, name[:-3])
            return None if surface is None else self.engine.token_to_id(surface)
        raise AttributeError(name)

    def __call__(self, text, **wishes):
        if isinstance(text, str):
            return types.SimpleNamespace(input_ids=self.engine.encode(text))
        if self.pad_token is None:
            raise ValueError("Asking to pad but the tokenizer does not have a padding token")
        rows = [torch.Row(self.engine.encode(one)[: wishes["max_length"]]) for one in text]
        assert len({len(row.ids) for row in rows}) == 1, "one conversation at a time here"
        return types.SimpleNamespace(input_ids=torch.Table(rows))


class AutoTokenizer:
    @staticmethod
    def from_pretrained(place, model_max_length, padding_side, use_fast, trust_remote_code=False):
        assert padding_side == "right"
        recorded = os.path.exists(os.path.join(place, "recorded.json"))
        return Tokenizer(Recorded(place) if recorded else Wheel(place), model_max_length)
