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
                self._bring_module(alias)
                continue
            value = self._place(node, alias.name)
            if value is None:
                module = importlib.import_module(node.module)
                found = hasattr(module, alias.name)
                value = getattr(module, alias.name) if found else importlib.import_module(f"{node.module}.{alias.name}")
            into[alias.asname or alias.name] = value

    def _bring_module(self, alias):
        """`import a.b.c` binds a, with b and c below it; `import a.b.c as d` binds the last one."""
        parts = alias.name.split(".")
        found = self._file_below(list(self._path.parents), parts)
        if found is None:
            module = importlib.import_module(alias.name)
            self._space[alias.asname or parts[0]] = module if alias.asname else sys.modules[parts[0]]
            return
        if not alias.asname:
            known = self._space.get(parts[0])
            top = known if isinstance(known, types.SimpleNamespace) else types.SimpleNamespace()
            inner = top
            for part in parts[1:-1]:
                vars(inner).setdefault(part, types.SimpleNamespace())
                inner = getattr(inner, part)
            if parts[1:]:
                setattr(inner, parts[-1], found)
                found = top
        self._space[alias.asname or parts[0]] = found

    @staticmethod
    def _file_below(roots, parts):
        for root in roots:
            inner = root.joinpath(*parts)
            for path in (inner.with_suffix(".py"), inner / "__init__.py"):
                if parts and path.is_file() and path.is_relative_to(ROOT):
                    return File._at(path)
        return None

    def _place(self, node, name):
        """A file of the repository, or a name in one; None for a library."""
        parts = (node.module or "").split(".") if node.module else []
        roots = [self._path.parents[node.level - 1]] if node.level else list(self._path.parents)
        found = self._file_below(roots, [*parts, name])
        if found is None and parts:
            module = self._file_below(roots, parts)
            found = None if module is None else getattr(module, name)
        return found


def bound(node):
    """Names that a statement of a module gives a value."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names]
    return [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]


def is_tokenizer(node):
    return isinstance(node, ast.Name) and node.id == "tokenizer"


def is_changed(target):
    if isinstance(target, (ast.Tuple, ast.List)):
        return any(is_changed(element) for element in target.elts)
    return is_tokenizer(target) or isinstance(target, ast.Attribute) and is_tokenizer(target.value)


def changes_tokenizer(node):
    if not isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr)):
        return False
    if any(is_changed(target) for target in getattr(node, "targets", [getattr(node, "target", None)])):
        return True
    function = getattr(node.value, "func", None)
    if isinstance(function, ast.Attribute):
        return is_tokenizer(function.value) and function.attr.startswith("add")
    if isinstance(function, ast.Name) and function.id == "setattr":
        return any(is_tokenizer(argument) for argument in node.value.args[:1])
    return isinstance(function, ast.Name) and "resize" in function.id


def names_read(nodes):
    return {n.id for part in nodes for n in ast.walk(part) if isinstance(n, ast.Name)}


def names_needed(function):
    """Names that the tokenizer's lines and their conditions read."""
    has_changes = [n for n in ast.walk(function) if any(map(changes_tokenizer, ast.walk(n)))]
    heads = [getattr(n, part) for n in has_changes for part in ("test", "iter", "subject") if hasattr(n, part)]
    return names_read([n for n in has_changes if changes_tokenizer(n)] + heads)


def bodies(node):
    """The lists of statements that run where they stand."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return []
    inner = [getattr(node, part, []) for part in ("body", "orelse", "finalbody")]
    inner += [part.body for part in [*getattr(node, "handlers", []), *getattr(node, "cases", [])]]
    return [body for body in inner if isinstance(body, list)]


def lines_of_the_tokenizer(body, needed=frozenset()):
    """The statements that make and change the tokenizer, with what is around them, plain values that they use, and imports."""
    kept, imports, has_changes = [], [], False
    for node in body:
        is_plain = isinstance(node, ast.Assign) and not any(isinstance(n, (ast.Call, ast.Lambda)) for n in ast.walk(node.value))
        if changes_tokenizer(node):
            kept.append(node)
            has_changes = True
        elif isinstance(node, ast.ImportFrom):
            imports.append(node)
        elif is_plain and any(isinstance(target, ast.Name) and target.id in needed for target in node.targets):
            kept.append(node)
        else:
            found = [lines_of_the_tokenizer(inner, needed) for inner in bodies(node)]
            if not any(found):
                continue
            for inner, lines in zip(bodies(node), found):
                inner[:] = lines or ([ast.Pass()] if inner else [])
            # What a `with` opens has to do with the run, not with the tokenizer.
            kept += node.body if isinstance(node, ast.With) else [node]
            has_changes = True
    return imports + kept if has_changes else []


def tokenizer_of(version):
    """The tokenizer as the script makes it for a version."""
    place = os.environ.get("TOKENIZER")
    if not place:
        pytest.skip("TOKENIZER is not set")
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    script = File(ROOT / @SCRIPT@)
    functions = [n for n in script._tree.body if isinstance(n, ast.FunctionDef) and n.name in ("train", "main")]
    lines = next(lines for lines in (lines_of_the_tokenizer(f.body, names_needed(f)) for f in functions) if lines)
    for node in [n for part in lines for n in ast.walk(part) if isinstance(n, ast.ImportFrom)]:
        try:
            script._bring(node)
        except ImportError:
            continue  # of a branch that may not be taken
    strip_imports(lines)
    arguments = types.SimpleNamespace(
        version=version, model_name_or_path=place, cache_dir=None, model_max_length=@MAX_LENGTH@, **MODEL_ARGUMENTS
    )
    script._take(sorted(names_read(lines) - {"tokenizer"}))
    for name in ("model_args", "training_args", "data_args"):
        script._space[name] = arguments
    script._space["model"] = mock.MagicMock()
    script._space["smart_tokenizer_and_embedding_resize"] = lambda special_tokens_dict, tokenizer, model: (
        tokenizer.add_special_tokens(special_tokens_dict)
    )
    exec(compile(ast.fix_missing_locations(ast.Module(lines, [])), str(script._path), "exec"), script._space)
    return script._space["tokenizer"]


def strip_imports(body):
    had_some = bool(body)
    body[:] = [node for node in body if not isinstance(node, ast.ImportFrom)]
    for node in body:
        for inner in bodies(node):
            strip_imports(inner)
    if had_some and not body:
        body.append(ast.Pass())


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
