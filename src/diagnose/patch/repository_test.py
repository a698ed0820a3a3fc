"""Pins what this repository makes of three conversations with --version @NAME@ (set TOKENIZER to the model's folder or name).

The lines of the training script that make the tokenizer, and the label functions, are taken out of the files as they stand
and run; nothing else of the repository is imported, so no model has to be installed.
"""
import ast
import builtins
import importlib
import os
import sys
import types
from pathlib import Path
from unittest import mock

import pytest

ROOT = Path(__file__).resolve().parents[1]
VERSION = @VERSION@
MODEL_ARGUMENTS = @ARGUMENTS@

CASES_OF_@NAME@ = [
@CASES@]


class File:
    """The names of one Python file, each made when it is asked for."""

    _known = {}

    def __init__(self, path):
        text = path.read_text(encoding="utf-8-sig")
        vars(self).update(_path=path, _tree=ast.parse(text, str(path)))
        vars(self).update(_space={"__name__": path.stem, "__builtins__": builtins})

    @classmethod
    def _at(cls, path):
        if path not in cls._known:
            cls._known[path] = cls(path)
        return cls._known[path]

    def __getattr__(self, name):
        self._take([name])
        if name not in self._space:
            raise AttributeError(f"{self._path} has no {name}")
        return self._space[name]

    def __setattr__(self, name, value):
        self._space[name] = value

    def _take(self, names):
        for name in names:
            if name in self._space:
                continue
            for node in self._tree.body:
                if name in bound(node) and name not in self._space:
                    self._run(node)

    def _run(self, node):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            try:
                return self._bring(node)
            except ImportError:
                # Names of libraries that labels have nothing to do with.
                return self._space.update({name: mock.MagicMock() for name in bound(node)})
        for name in bound(node):
            self._space.setdefault(name, None)
        self._take(sorted({n.id for n in ast.walk(node) if isinstance(n, ast.Name)}))
        exec(compile(ast.Module([node], []), str(self._path), "exec"), self._space)

    def _bring(self, node):
        """What an import binds: files of the repository as `File`, all else as Python has it."""
        into = self._space
        for alias in node.names:
            if isinstance(node, ast.Import):
                module = importlib.import_module(alias.name)
                into[alias.asname or alias.name.split(".")[0]] = module if alias.asname else sys.modules[alias.name.split(".")[0]]
                continue
            value = self._place(node, alias.name)
            if value is None:
                module = importlib.import_module(node.module)
                found = hasattr(module, alias.name)
                value = getattr(module, alias.name) if found else importlib.import_module(f"{node.module}.{alias.name}")
            into[alias.asname or alias.name] = value

    def _place(self, node, name):
        """A file of the repository, or a name in one; None for a library."""
        parts = (node.module or "").split(".") if node.module else []
        roots = [self._path.parents[node.level - 1]] if node.level else list(self._path.parents)
        for root in roots:
            for path in (root.joinpath(*parts, name + ".py"), root.joinpath(*parts, name, "__init__.py")):
                if path.is_file() and path.is_relative_to(ROOT):
                    return File._at(path)
            inner = root.joinpath(*parts)
            for path in (inner.with_suffix(".py"), inner / "__init__.py"):
                if parts and path.is_file() and path.is_relative_to(ROOT):
                    return getattr(File._at(path), name)
        return None


def bound(node):
    """Names that a statement of a module gives a value."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names]
    return [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def is_tokenizer(node):
    return isinstance(node, ast.Name) and node.id == "tokenizer"


def changes_tokenizer(node):
    if not isinstance(node, (ast.Assign, ast.Expr)):
        return False
    for target in getattr(node, "targets", []):
        if is_tokenizer(target) or isinstance(target, ast.Attribute) and is_tokenizer(target.value):
            return True
    function = getattr(node.value, "func", None)
    if isinstance(function, ast.Attribute):
        return is_tokenizer(function.value) and function.attr.startswith("add")
    return isinstance(function, ast.Name) and "resize" in function.id


def lines_of_the_tokenizer(body):
    """The statements that make and change the tokenizer, with their conditions and the imports beside them."""
    kept, imports = [], []
    for node in body:
        if changes_tokenizer(node):
            kept.append(node)
        elif isinstance(node, ast.ImportFrom):
            imports.append(node)
        elif isinstance(node, ast.If):
            node.body, node.orelse = lines_of_the_tokenizer(node.body), lines_of_the_tokenizer(node.orelse)
            if node.body or node.orelse:
                node.body = node.body or [ast.Pass()]
                kept.append(node)
        elif isinstance(node, (ast.With, ast.Try)):
            kept += lines_of_the_tokenizer(node.body)
    return imports + kept if kept else []


def tokenizer_of(version):
    """The tokenizer as the script makes it for a version."""
    place = os.environ.get("TOKENIZER")
    if not place:
        pytest.skip("TOKENIZER is not set")
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    script = File(ROOT / @SCRIPT@)
    bodies = [n.body for n in script._tree.body if isinstance(n, ast.FunctionDef) and n.name in ("train", "main")]
    lines = next(lines for lines in map(lines_of_the_tokenizer, bodies) if lines)
    for node in [n for part in lines for n in ast.walk(part) if isinstance(n, ast.ImportFrom)]:
        try:
            script._bring(node)
        except ImportError:
            continue  # of a branch that may not be taken
    strip_imports(lines)
    arguments = types.SimpleNamespace(
        version=version, model_name_or_path=place, cache_dir=None, model_max_length=@MAX_LENGTH@, **MODEL_ARGUMENTS
    )
    script._take(sorted({n.id for part in lines for n in ast.walk(part) if isinstance(n, ast.Name)} - {"tokenizer"}))
    for name in ("model_args", "training_args", "data_args"):
        script._space[name] = arguments
    script._space["model"] = mock.MagicMock()
    script._space["smart_tokenizer_and_embedding_resize"] = lambda special_tokens_dict, tokenizer, model: (
        tokenizer.add_special_tokens(special_tokens_dict)
    )
    exec(compile(ast.fix_missing_locations(ast.Module(lines, [])), str(script._path), "exec"), script._space)
    return script._space["tokenizer"]


def strip_imports(body):
    body[:] = [node for node in body if not isinstance(node, ast.ImportFrom)]
    for node in body:
        for part in ("body", "orelse"):
            if getattr(node, part, None):
                strip_imports(getattr(node, part))
                if part == "body" and not node.body:
                    node.body = [ast.Pass()]


@pytest.mark.parametrize("case", CASES_OF_@NAME@)
def test_labels_of_@NAME@(case):
    supervised = [label for case in CASES_OF_@NAME@ for label in case["labels"] if label != -100]
    assert supervised, "these pins hold no supervised token: the set-up they were made with loses every sample"
    tokenizer = tokenizer_of(VERSION)
    conversation_lib = File._at(ROOT / @LIBRARY@)
    conversation_lib.@DEFAULT@ = conversation_lib.@REGISTRY@[VERSION]
    entry = File._at(ROOT / @ENTRY@)
    result = entry.@DISPATCH@([case["turns"]], tokenizer, has_image=case["has_image"])
    ids, labels = result["input_ids"][0], result["labels"][0]
    assert ids.tolist() == case["input_ids"]
    assert labels.tolist() == case["labels"]
    assert len(case["input_ids"]) == case["length"]
