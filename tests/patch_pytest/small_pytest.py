"""Runs a generated test file where there is no pytest: just the parts of pytest that such a file uses.

    python small_pytest.py test_labels.py
"""
import importlib
import sys
import traceback
import types


class Skipped(Exception):
    pass


def skip(reason):
    raise Skipped(reason)


def importorskip(name):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Skipped(str(error))


def fixture(scope):
    return lambda function: function


def parametrize(argument, values):
    def mark(function):
        function.cases = (argument, values)
        return function

    return mark


class MonkeyPatch:
    def __init__(self):
        self.before = []

    def setattr(self, target, name, value):
        self.before.append((target, name, getattr(target, name)))
        setattr(target, name, value)

    def undo(self):
        for target, name, value in reversed(self.before):
            setattr(target, name, value)


def main(path):
    sys.modules["pytest"] = types.SimpleNamespace(
        skip=skip, importorskip=importorskip, fixture=fixture, mark=types.SimpleNamespace(parametrize=parametrize)
    )
    space = {"__name__": "generated", "__file__": path}
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        with open(path, encoding="utf-8") as file:
            exec(compile(file.read(), path, "exec"), space)
        made = space["tokenizer"]() if "tokenizer" in space else None
    except Skipped as reason:
        print("skipped:", reason)
        return 5
    for name, function in list(space.items()):
        if not name.startswith("test_"):
            continue
        argument, values = function.cases
        for value in values:
            monkeypatch = MonkeyPatch()
            try:
                wanted = function.__code__.co_varnames[: function.__code__.co_argcount]
                known = {"tokenizer": made, argument: value, "monkeypatch": monkeypatch}
                function(**{name: known[name] for name in wanted})
                counts["passed"] += 1
            except Exception:
                traceback.print_exc(file=sys.stdout)
                counts["failed"] += 1
            finally:
                monkeypatch.undo()
    print(", ".join("%d %s" % (count, what) for what, count in counts.items() if count))
    return int(counts["failed"] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
