"""Runs a repository's label function in this Python environment, sample by sample, and prints the results as JSON lines.

Sent by `maskscope verify`: the request comes as one JSON document on standard input. Modules that are missing here are
replaced by empty ones and named; the label function itself, the templates and the tokenizer are the real ones.
"""
import contextlib
import copy
import importlib
import importlib.abc
import importlib.machinery
import io
import json
import os
import sys
import types

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
request = json.load(sys.stdin)
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
sys.path[:0] = request["paths"]
stubbed = []


class Stub(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__init__": lambda self, *a, **k: None})


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The last in line: whatever no one else finds."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in request["needed"]:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        stubbed.append(spec.name)
        return Stub(spec.name)

    def exec_module(self, module):
        pass


def load(name):
    """A module; packages whose own `__init__` fails here become empty ones around their files."""
    for _ in range(50):
        try:
            return importlib.import_module(name)
        except (ImportError, AttributeError, OSError) as error:
            package = failing_package(error)
            if package is None:
                raise
            stubbed.append(package + " (its __init__)")
            empty = Stub(package)
            empty.__path__ = [os.path.join(root, *package.split(".")) for root in request["paths"]]
            for known in [m for m in sys.modules if m == package or m.startswith(package + ".")]:
                if m_is_stub(known):
                    del sys.modules[known]
            sys.modules[package] = empty
    raise ImportError("too many packages fail to import")


def m_is_stub(name):
    return not isinstance(sys.modules[name], Stub)


def failing_package(error):
    trace = error.__traceback__
    found = None
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if os.path.basename(path) == "__init__.py" and any(path.startswith(root) for root in request["paths"]):
            root = max((r for r in request["paths"] if path.startswith(r)), key=len)
            found = os.path.dirname(os.path.relpath(path, root)).replace(os.sep, ".")
            break
        trace = trace.tb_next
    return found if found and found not in sys.modules or found and not isinstance(sys.modules.get(found), Stub) else None


def row(values):
    values = values.tolist() if hasattr(values, "tolist") else list(values)
    while values and isinstance(values[0], list) and len(values) == 1:
        values = values[0]
    return [int(v) for v in values]


def call(function, known):
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return function(**{name: known[name] for name in names if name in known})


def main():
    sys.meta_path.append(Finder())
    import transformers

    space = {"transformers": transformers, "TOKENIZER": request["tokenizer"], "copy": copy}
    for name in dir(transformers):
        if name.endswith("Tokenizer") or name.endswith("TokenizerFast") or name == "AddedToken":
            space[name] = getattr(transformers, name)
    for name, values in request["setup_names"].items():
        space[name] = types.SimpleNamespace(**values)
    if request["setup"] is None:
        space["tokenizer"] = transformers.AutoTokenizer.from_pretrained(
            request["tokenizer"], use_fast=request["use_fast"], padding_side="right")
    module = load(request["module"])
    if request["setup"] is not None:
        for name, value in vars(module).items():
            space.setdefault(name, value)
        exec(compile(request["setup"], "setup", "exec"), space)
    tokenizer = space["tokenizer"]
    prepare = request["prepare"]
    if prepare:
        library = load(prepare["module"])
        setattr(library, prepare["default"], getattr(library, prepare["templates"])[prepare["version"]])
    entry = request["entry"]
    target = module
    for name in entry["path"].partition(":")[2].split("."):
        target = getattr(target, name)
    if entry["kind"] == "chosen":
        target = target(types.SimpleNamespace(**entry["self"]))
    elif entry["kind"] == "text":
        target = target(tokenizer, entry["version"])
    elif entry["kind"] == "template":
        target = target()
    multimodal = request["multimodal"]
    multimodal = getattr(module, multimodal.partition(":")[2]) if multimodal else None
    options = request["options"]
    json.dump({"transformers": transformers.__version__, "stubbed": stubbed}, answers)
    answers.write("\n")
    for sample in request["samples"]:
        printed, answer = io.StringIO(), {"id": sample["id"]}
        try:
            with contextlib.redirect_stdout(printed):
                made = run(sample, target, tokenizer, multimodal, options, entry)
            answer["input_ids"], answer["labels"] = row(made["input_ids"]), row(made["labels"])
        except BaseException as error:
            answer["error"] = {"type": type(error).__name__, "message": str(error)}
        answer["printed"] = printed.getvalue()
        json.dump(answer, answers)
        answers.write("\n")
        answers.flush()


def run(sample, target, tokenizer, multimodal, options, entry):
    conversations = copy.deepcopy(sample["conversations"])
    sources = [conversations]
    known = {
        "sources": sources, "source": sources, "tokenizer": tokenizer, "has_image": sample["has_image"],
        "template_name": request["version"], "num_image_token_list": [options["image_tokens"]],
        "text_only": not sample["has_image"], "group_by_length": True, "use_packed_ds": False, "num_image": 1, "ds_name": "ds",
        "data_args": types.SimpleNamespace(**options["data_args"]),
    }
    if multimodal is not None and sample["has_image"]:
        known["sources"] = known["source"] = call(multimodal, known)
    if entry.get("image_first") and sample["has_image"] and "<image>" not in conversations[0]["value"]:
        conversations[0]["value"] = "<image>\n" + conversations[0]["value"]
    if entry["kind"] == "text":
        return target(conversations)
    if entry["kind"] == "template":
        return target.encode(conversations, tokenizer, mode="train")
    made = call(target, known)
    return {"input_ids": made["input_ids"][0], "labels": made["labels"][0]}


main()
