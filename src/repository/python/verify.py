"""Runs a repository's label function in this Python environment, sample by sample, and prints the results as JSON lines.

Sent by `maskscope verify`: the request comes as one JSON document on standard input. Modules that are missing here are
replaced by empty ones and named; the label function itself, the templates and the tokenizer are the real ones.
"""
import ast
import builtins
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
request["paths"] = [os.path.normpath(path) for path in request["paths"]]
sys.path[:0] = request["paths"]
stubbed = []


class Arguments(types.SimpleNamespace):
    """Arguments of the training script; those that are not known are None. A decision on one of them has already been
    refused in the sandbox."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)


class Stub(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if self.__path__:
            # `from package import module`: the files around a broken __init__ are there.
            try:
                return importlib.import_module(f"{self.__name__}.{name}")
            except ModuleNotFoundError as error:
                if error.name != f"{self.__name__}.{name}":
                    raise
        return type(name, (), {"__init__": lambda self, *a, **k: None})


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """The last in line: what the repository's own files import and no one else finds. Libraries that look for something
    optional get their ImportError."""

    def __init__(self, forced=None):
        self.forced = forced

    def find_spec(self, name, path=None, target=None):
        top = name.split(".")[0]
        if self.forced is not None:
            wanted = top in self.forced
        else:
            wanted = top not in request["needed"] and not is_own(top) and in_repository(importing_file())
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if wanted else None

    def create_module(self, spec):
        stubbed.append(spec.name)
        return Stub(spec.name)

    def exec_module(self, module):
        pass


def is_own(name):
    """A package of the repository."""
    places = [os.path.join(root, name) for root in request["paths"]]
    return any(os.path.isdir(place) or os.path.isfile(place + ".py") for place in places)


def in_repository(path):
    return any(path.startswith(root + os.sep) for root in request["paths"])


def importing_file():
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    return "" if frame is None else frame.f_code.co_filename


broken = set()


def load(name):
    """A module. Other modules of the repository that fail here become empty ones (packages: around their files), and so
    do libraries that are here and cannot be imported."""
    for _ in range(50):
        try:
            return importlib.import_module(name)
        except Exception as error:
            library = failing_library(error)
            package = failing_package(error)
            if library is not None and library not in broken:
                broken.add(library)
                forget(library)
            elif package is not None:
                folders = [os.path.join(root, *package.split(".")) for root in request["paths"]]
                empty = Stub(package)
                empty.__path__ = [folder for folder in folders if os.path.isdir(folder)]
                stubbed.append(package + (" (its __init__)" if empty.__path__ else "") + ": " + str(error))
                forget(package)
                sys.modules[package] = empty
            else:
                raise
    raise ImportError("too many packages fail to import")


def forget(package):
    for known in [m for m in sys.modules if m == package or m.startswith(package + ".")]:
        if m_is_stub(known):
            del sys.modules[known]


def failing_library(error):
    """The library that an import in the repository's own code failed in."""
    trace, inside, found = error.__traceback__, False, None
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if in_repository(path):
            inside, found = True, None
        elif inside and found is None and not path.startswith("<"):
            found = trace.tb_frame.f_globals.get("__name__", "").split(".")[0]
        trace = trace.tb_next
    return found if found and found not in request["needed"] else None


def m_is_stub(name):
    return not isinstance(sys.modules[name], Stub)


def failing_package(error):
    """The repository's own module whose import failed, unless the label function is in it."""
    trace, found = error.__traceback__, None
    while trace is not None:
        frame = trace.tb_frame
        if in_repository(frame.f_code.co_filename) and frame.f_code.co_name == "<module>":
            found = frame.f_globals.get("__name__")
        trace = trace.tb_next
    kept = {request["module"], (request["prepare"] or {}).get("module")}
    return None if found in kept or isinstance(sys.modules.get(found), Stub) else found


def row(values):
    values = values.tolist() if hasattr(values, "tolist") else list(values)
    while values and isinstance(values[0], list) and len(values) == 1:
        values = values[0]
    return [int(v) for v in values]


def call(function, known):
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return function(**{name: known[name] for name in names if name in known})


def take_the_tokenizer(transformers):
    """Whatever a script names, the tokenizer in question is loaded."""
    def loads(method):
        def from_pretrained(cls, name, *arguments, **keywords):
            return method.__func__(cls, request["tokenizer"], *arguments, **keywords)
        return classmethod(from_pretrained)

    for owner in (transformers.AutoTokenizer, transformers.PreTrainedTokenizerBase):
        owner.from_pretrained = loads(owner.__dict__["from_pretrained"])


class Names(dict):
    """What the lines bind, over the names that they know: a class of tokenizers that a branch imports is any class here."""

    def __init__(self, space):
        self.space = space

    def __setitem__(self, name, value):
        self.space[name] = value

    def __missing__(self, name):
        import transformers

        if name not in self.space and not hasattr(builtins, name) and name.endswith(("Tokenizer", "TokenizerFast")):
            return transformers.AutoTokenizer
        raise KeyError(name)


def loads_tokenizer(text):
    """The lines make `tokenizer` themselves."""
    return any(
        isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "tokenizer" for t in node.targets)
        for node in ast.walk(ast.parse(text)))


def resized(special_tokens_dict, tokenizer, model=None):
    """LLaVA's helper without the model: the rows of the embedding are no matter here."""
    tokenizer.add_special_tokens(special_tokens_dict)


def main():
    sys.meta_path.insert(0, Finder(broken))
    sys.meta_path.append(Finder())
    import transformers

    take_the_tokenizer(transformers)

    space = {"transformers": transformers, "TOKENIZER": request["tokenizer"], "copy": copy}
    for name in dir(transformers):
        if name.endswith("Tokenizer") or name.endswith("TokenizerFast") or name == "AddedToken":
            space[name] = getattr(transformers, name)
    for name, values in request["setup_names"].items():
        space[name] = Arguments(**values)
    space["tokenizer"] = None
    if request["setup"] is None or not loads_tokenizer(request["setup"]):
        space["tokenizer"] = transformers.AutoTokenizer.from_pretrained(
            request["tokenizer"], use_fast=request["use_fast"], padding_side="right")
    module = load(request["module"])
    if request["setup"] is not None:
        for name, value in vars(module).items():
            space.setdefault(name, value)
        space["smart_tokenizer_and_embedding_resize"] = resized
        space.setdefault("model", None)
        exec(compile(request["setup"], "setup", "exec"), space, Names(space))
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
        target = target(Arguments(**entry["self"]))
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
        "data_args": Arguments(**options["data_args"]),
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
