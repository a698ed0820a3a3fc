# Loads the repository's modules, statement by statement and no more than is used, and calls the label function.
_real_builtins = __import__("builtins")
_sys = __import__("sys")
_getframe = _sys._getframe
_ModuleType = type(_sys)
_MOST_EVENTS = 20000
_MOST_OUTPUT = 1000000

_modules = {}
_versions = {}
_output = []
_written = [0]
_events = []
_tracing = [False]
_texts = []
_prompts = []
_native_modules = {name: _sys.modules.get(name) or __import__(name)
                   for name in ("_collections", "_functools", "itertools", "_operator")}


# --- missing.py is put here ---


def _native(name):
    return _native_modules[name]


def _spoke(text):
    if not _texts:
        _texts.append(text)


def _write(text):
    _written[0] += len(text)
    if _written[0] > _MOST_OUTPUT:
        raise MemoryError("the function prints more than the sandbox keeps")
    _output.append(text)
    return len(text)


class _Output:
    encoding = "utf-8"

    def write(self, text):
        return _write(text)

    def flush(self):
        return None

    def isatty(self):
        return False


def _shown(value):
    """`str`, with the emoji that the interpreter's tables are too old for as Python shows them."""
    text = str(value)
    if type(value) is not list or "\\U0001f" not in text:
        return text
    return "[" + ", ".join([_shown_text(v) if type(v) is str else _shown(v) for v in value]) + "]"


def _shown_text(value):
    text = repr(value)
    if "\\U0001f" not in text:
        return text
    quote, out = text[0], []
    for c in value:
        if 0x1F000 <= ord(c) <= 0x1FAFF or c in "'\"" and c != quote:
            out.append(c)
        elif c == quote:
            out.append("\\" + c)
        else:
            out.append(repr(c)[1:-1])
    return quote + "".join(out) + quote


def _print(*values, sep=" ", end="\n", file=None, flush=False):
    text = (" " if sep is None else sep).join([_shown(v) for v in values]) + ("\n" if end is None else end)
    if file is None:
        _write(text)
    else:
        file.write(text)


class _Settable:
    """A module of which only attributes are set (`ImageFile.LOAD_TRUNCATED_IMAGES = True`)."""

    def __init__(self, name):
        object.__setattr__(self, "_name", name)

    def __getattr__(self, attribute):
        return Missing(self._name + "." + attribute)


def _wrote(tensor, offset, shape, strides, value):
    if _tracing[0] and len(shape) == 1 and len(_events) < _MOST_EVENTS:
        where = user_line()
        if where is not None:
            start = offset - tensor._offset
            _events.append(["slice", where[0], where[1], start, start + shape[0],
                            value if type(value) is int else None])


def _wrote_at(tensor, positions, value):
    if _tracing[0] and len(tensor._shape) == 1 and len(_events) < _MOST_EVENTS:
        where = user_line()
        if where is not None:
            for at in positions[:1000]:
                start = at - tensor._offset
                _events.append(["slice", where[0], where[1], start, start + 1, value if type(value) is int else None])


def _noted(file, line, name, value):
    """An assignment in the user's code; the reader has put the call behind the statement."""
    if _tracing[0] and type(value) is int and len(_events) < _MOST_EVENTS:
        _events.append(["set", file, line, name, value if -2 ** 62 < value < 2 ** 62 else None])


def _listdir(path):
    answer = _host.ask({"ask": "listdir", "path": path})
    if answer.get("names") is None:
        raise FileNotFoundError("[Errno 2] No such file or directory: %r" % (path,))
    return answer["names"]


# --- the builtins that code of the repository has ---
_REFUSED = ("open", "input", "breakpoint", "exec", "eval", "compile", "exit", "quit", "help", "memoryview")
_builtins = dict(_real_builtins.__dict__)
for _name in _REFUSED:
    _builtins[_name] = Missing(_name)
_builtins["print"] = _print
_builtins["_maskscope_noted"] = _noted


class _Names:
    """What a module's code finds beyond its globals: imports not yet made, definitions not yet compiled, builtins."""

    def __init__(self, module):
        self.module = module
        self.globals = module.__dict__
        self.waiting = {}
        self.stars = []
        self.failed = {}

    def find(self, name):
        waiting = self.waiting.pop(name, None)
        if waiting is not None:
            try:
                return waiting()
            except BaseException:
                self.waiting[name] = waiting
                raise
        if name in self.globals:
            return self.globals[name]
        if name in self.failed:
            return Missing(name, self.failed[name])
        missing = None
        for star in reversed(self.stars):
            module = star()
            if isinstance(module, Missing):
                continue
            exported = module.__dict__.get("__all__")
            if exported is not None and name not in exported:
                continue
            if name.startswith("_") and exported is None:
                continue
            try:
                value = _own(module, name)
            except AttributeError:
                continue
            if isinstance(value, Missing):
                # A stand-in has no list of its names: the module before may have this one.
                missing = missing or [value]
                continue
            self.globals[name] = value
            return value
        if missing is not None:
            return missing[0]
        raise KeyError(name)

    def __getitem__(self, name):
        if name in self.waiting:
            return self.find(name)
        if name in _builtins:
            value = self.globals[name] = _builtins[name]
            return value
        return self.find(name)


def _own(module, name):
    """An attribute of a module that its own code gives it, not a builtin that came to lie among its globals."""
    names = module.__dict__.get("__builtins__")
    if isinstance(names, _Names):
        if name in names.waiting:
            return names.find(name)
        value = module.__dict__.get(name, names)
        if value is not names and not (name in _builtins and value is _builtins[name]):
            return value
        try:
            return names.find(name)
        except KeyError:
            raise AttributeError(name)
    return getattr(module, name)


class _RepositoryModule(_ModuleType):
    def __getattr__(self, name):
        if name.startswith("__") and name != "__all__":
            raise AttributeError(name)
        names = self.__dict__["__builtins__"]
        try:
            return names.find(name)
        except KeyError:
            pass
        if self.__dict__.get("__path__") is not None:
            found = _import(self.__name__ + "." + name)
            if not isinstance(found, Missing):
                self.__dict__[name] = found
                return found
        raise AttributeError("module '%s' has no attribute '%s'" % (self.__name__, name))


class _ShimModule(_ModuleType):
    def __getattr__(self, name):
        own = self.__dict__.get("__getattr__")
        if own is not None:
            return own(name)
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing(self.__name__ + "." + name)


_SHIM_GLOBALS = {}


def _shim(name, source):
    module = _ShimModule(name)
    module.__dict__.update(_SHIM_GLOBALS)
    _modules[name] = module
    exec(compile(source, "<maskscope %s>" % name, "exec"), module.__dict__)
    return module


def _small(name):
    functions = _modules.get("<small>")
    if functions is None:
        functions = _shim("<small>", _host.source("small"))
    function = functions.__dict__.get(name.replace(".", "_"))
    if function is None or name.startswith("_") and name != "__future__":
        return None
    module = _ShimModule(name)
    _modules[name] = module
    function(module)
    return module


_WHOLE = ("dataclasses", "enum", "typing", "copy", "re", "json", "torch", "numpy", "transformers")
_SMALL = ("abc", "warnings", "logging", "time", "os", "os.path", "sys", "collections", "collections.abc", "functools",
          "itertools", "operator", "math", "contextlib", "types", "string", "io", "importlib", "packaging", "packaging.version",
          "distutils", "distutils.version", "tokenizers", "tokenizers.processors", "traceback", "PIL", "__future__", "inspect")
_STAND_INS = {"llava.constants": "llava_constants", "llava.mm_utils": "llava_mm_utils"}
_ALIASES = {"typing_extensions": "typing", "transformers.utils.logging": "logging", "loguru": None}


def _import(name, importer=None):
    """The module of that name: a shim, a module of the repository, or a Missing."""
    known = _modules.get(name)
    if known is not None:
        return known
    if name in _WHOLE:
        return _shim(name, _host.source(name))
    if name in _SMALL:
        return _small(name)
    if _ALIASES.get(name):
        return _import(_ALIASES[name])
    head = name.split(".")[0]
    if head in ("torch", "transformers", "numpy", "PIL"):
        return _part_of_shim(name)
    answer = _host.ask({"ask": "module", "name": name, "importer": importer})
    if answer.get("code") is None:
        if name in _STAND_INS:
            module = _ShimModule(name)
            _modules[name] = module
            _small("llava_constants")
            _modules["<small>"].__dict__[_STAND_INS[name]](module)
            _modules[name] = module
            return module
        module = _modules[name] = Missing(name, answer.get("why") or "is not available in the sandbox")
        return module
    return _repository_module(name, answer)


def _part_of_shim(name):
    parts = name.split(".")
    if parts[0] == "torch":
        torch = _import("torch")
        if name in ("torch.nn.functional", "torch.utils.data", "torch.nn", "torch.utils", "torch.nn.utils", "torch.nn.utils.rnn"):
            module = _ShimModule(name)
            _modules[name] = module
            if name == "torch.nn.functional":
                module.pad = torch._pad
            elif name == "torch.nn":
                module.Module = torch._Module
                module.functional = _import("torch.nn.functional")
                module.utils = _import("torch.nn.utils")
            elif name == "torch.nn.utils":
                module.rnn = _import("torch.nn.utils.rnn")
            elif name == "torch.nn.utils.rnn":
                module.pad_sequence = torch.pad_sequence
            elif name == "torch.utils":
                module.data = _import("torch.utils.data")
            else:
                module.Dataset = module.IterableDataset = torch._Dataset
                module.default_collate = torch._default_collate
            return module
    elif parts[0] == "transformers":
        # transformers.trainer_pt_utils, transformers.tokenization_utils, ...: the same names lie in one module here.
        module = _ShimModule(name)
        transformers = _import("transformers")
        module.__getattr__ = lambda attribute: getattr(transformers, attribute)
        _modules[name] = module
        return module
    value = _import(parts[0])
    for part in parts[1:]:
        value = getattr(value, part)
    return value


def _repository_module(name, answer):
    package, _, last = name.rpartition(".")
    module = _RepositoryModule(name)
    names = _Names(module)
    module.__dict__.update({
        "__builtins__": names, "__name__": name, "__file__": answer["file"],
        "__package__": name if answer["is_package"] else package, "__annotations__": {},
    })
    if answer["is_package"]:
        module.__dict__["__path__"] = [answer["file"].rpartition("/")[0]]
    _modules[name] = module
    if package and package in _modules and not isinstance(_modules[package], Missing):
        _modules[package].__dict__.setdefault(last, module)
    for piece in answer["code"]:
        _take(module, names, answer, piece)
    return module


def _absolute(module, level, target):
    if not level:
        return target
    package = module.__dict__["__package__"]
    for _ in range(level - 1):
        package = package.rpartition(".")[0]
    return package + "." + target if target else package


def _take(module, names, answer, piece):
    kind = piece["kind"]
    globals_ = module.__dict__
    if kind == "import":
        target, bound = piece["module"], piece["as"]
        if bound is None:
            bound = target.split(".")[0]

            def make(target=target, bound=bound):
                value = _import(bound, answer["file"])
                if "." in target:
                    _attach(value, target, answer["file"])
                if names.waiting.get(bound) is None:
                    globals_[bound] = value
                return value
        else:
            def make(target=target, bound=bound):
                value = globals_[bound] = _import(target, answer["file"])
                return value
        globals_.pop(bound, None)
        _wait(names, bound, make)
    elif kind == "from":
        target = _absolute(module, piece["level"], piece["module"])
        if piece["name"] == "*":
            names.stars.append(lambda: _import(target, answer["file"]))
            return
        bound = piece["as"]

        def make(target=target, wanted=piece["name"], bound=bound):
            value = globals_[bound] = _from(target, wanted, answer["file"])
            return value

        globals_.pop(bound, None)
        _wait(names, bound, make)
    elif kind == "define":
        bound = piece["binds"][0]

        def make(piece=piece, bound=bound):
            try:
                _execute(globals_, answer, piece)
            except NotAvailable as e:
                names.failed[bound] = "could not be defined: " + str(e)
                used.clear()
                return Missing(bound, names.failed[bound])
            value = globals_[bound]
            _watch(bound, value)
            return value

        globals_.pop(bound, None)
        names.waiting[bound] = make
    else:
        try:
            _execute(globals_, answer, piece)
        except Exception as e:
            used.clear()
            place = "%s:%d" % (answer["file"], piece["line"])
            for bound in piece["binds"]:
                if bound not in globals_:
                    names.failed[bound] = "has no value here, as line %s raised %s: %s" % (place, type(e).__name__, e)
        for bound in piece["binds"]:
            if bound in globals_:
                names.waiting.pop(bound, None)
                _watch(bound, globals_[bound])


def _wait(names, bound, make):
    """A second import of a name that waits still binds the last one; `import a.b` after `import a.c` makes both."""
    before = names.waiting.get(bound)
    if before is None:
        names.waiting[bound] = make
        return

    def both():
        before()
        return make()

    names.waiting[bound] = both


def _attach(value, target, importer):
    parts = target.split(".")
    path = parts[0]
    for part in parts[1:]:
        path += "." + part
        inner = _import(path, importer)
        if isinstance(value, Missing):
            return
        try:
            value.__dict__.setdefault(part, inner)
        except AttributeError:
            return
        value = inner


def _from(target, wanted, importer):
    module = _import(target, importer)
    if isinstance(module, Missing):
        # A single file of a package that is not here may lie beside the importing one.
        inner = _import(target + "." + wanted, importer)
        return getattr(module, wanted) if isinstance(inner, Missing) else inner
    try:
        return _own(module, wanted)
    except AttributeError:
        pass
    inner = _import(target + "." + wanted, importer)
    if isinstance(inner, Missing):
        return Missing(target + "." + wanted)
    return inner


_HELPERS = ("tokenizer_image_token", "_tokenize_fn", "tokenizer_multimodal_token", "tokenizer_image_audio_token")


def _watch(name, value):
    """Notes what prompt a class makes and what text is tokenized, to show it beside the ids."""
    if isinstance(value, type):
        for method in ("get_prompt", "tokenizer_image_token"):
            own = value.__dict__.get(method)
            if own is None:
                continue
            inner = getattr(own, "__func__", own)
            if getattr(inner, "_maskscope", False) or not hasattr(inner, "__code__"):
                continue
            watched = _watched_prompt(inner) if method == "get_prompt" else _watched_text(inner, 1)
            if isinstance(own, classmethod):
                watched = classmethod(watched)
            elif isinstance(own, staticmethod):
                watched = staticmethod(_watched_text(inner, 0))
            setattr(value, method, watched)


def _watched_prompt(function):
    def get_prompt(*args, **kwargs):
        made = function(*args, **kwargs)
        if isinstance(made, str):
            _prompts.append(made)
        return made
    get_prompt._maskscope = True
    get_prompt.__name__ = function.__name__
    return get_prompt


def _watched_text(function, at):
    def tokenized(*args, **kwargs):
        text = args[at] if len(args) > at else kwargs.get("prompt")
        if isinstance(text, str):
            _spoke(text)
        return function(*args, **kwargs)
    tokenized._maskscope = True
    return tokenized


def _execute(globals_, answer, piece):
    exec(compile(piece["text"], answer["file"], "exec"), globals_)
    for bound in piece["binds"]:
        if bound in _HELPERS:
            value = globals_.get(bound)
            if hasattr(value, "__code__"):
                globals_[bound] = _watched_helper(value)


def _watched_helper(function):
    def helper(*args, **kwargs):
        first = args[0] if args else kwargs.get("prompt")
        if isinstance(first, (list, tuple)) and first:
            first = first[0]
        if isinstance(first, str):
            _spoke(first)
        return function(*args, **kwargs)
    helper._maskscope = True
    helper.__name__ = function.__name__
    helper.__wrapped__ = function
    return helper


def _import_statement(name, globals=None, locals=None, fromlist=(), level=0):
    """`import` where code of the repository runs it: inside functions and in `try` blocks."""
    globals = globals or {}
    if level:
        package = globals.get("__package__") or ""
        for _ in range(level - 1):
            package = package.rpartition(".")[0]
        name = package + "." + name if name else package
    importer = globals.get("__file__")
    module = _import(name, importer)
    if isinstance(module, Missing) and _strict[0]:
        raise ModuleNotFoundError("No module named %r" % name)
    if fromlist:
        if isinstance(module, Missing):
            return module
        if "*" in fromlist:
            return module
        return _Picked(name, importer, fromlist)
    head = name.split(".")[0]
    top = _import(head, importer)
    if "." in name:
        _attach(top, name, importer)
    return top


class _Picked:
    def __init__(self, name, importer, wanted):
        for one in wanted:
            self.__dict__[one] = _from(name, one, importer)


_strict = [False]
_builtins["__import__"] = _import_statement
_real_import = _real_builtins.__import__


def _any_import(name, globals=None, locals=None, fromlist=(), level=0):
    inside = globals is not None and str(globals.get("__name__", "")) == "__driver__"
    if inside:
        return _real_import(name, globals, locals, fromlist, level)
    return _import_statement(name, globals, locals, fromlist, level)


_real_builtins.__import__ = _any_import
_SHIM_GLOBALS.update({
    "_host": _host, "_import": _import, "_native": _native, "_listdir": _listdir, "_modules": _modules,
    "_ModuleType": _ModuleType, "_Output": _Output, "_Settable": _Settable, "_versions": _versions, "_Missing": Missing,
    "_refuse": refuse, "_wrote": _wrote, "_wrote_at": _wrote_at, "_spoke": _spoke, "_getframe": _getframe,
    "_numpy": lambda: _import("numpy"), "_setting_up": lambda: _state.get("sets_up", False),
})


# --- what the parent asks for ---
_state = {}


class _Arguments:
    """data_args, model_args and the like: what is known of them, and nothing else."""

    def __init__(self, values, name):
        self.__dict__.update(values)
        self.__dict__["_name"] = name

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing("%s.%s" % (self._name, name), "is an argument of the training script that is not known here: --script-arg %s=VALUE gives it, or "
                       "--setup-code FILE the lines that make the tokenizer ready" % name)


class _Model:
    """The model of a training script, of which nothing is loaded here; the tokenizer that it brings is the given one."""

    def __init__(self, tokenizer):
        self.__dict__["tokenizer"] = tokenizer

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Missing("model." + name, "is not loaded here")


def _resolve(path):
    """`module:name.name` to the object."""
    module_name, _, names = path.partition(":")
    # Several projects of one repository may have a module of that name: the one of the entry's own file is meant.
    value = _import(module_name, _state.get("entry_file"))
    if isinstance(value, Missing):
        refuse(module_name, value._why)
    for name in names.split(".") if names else ():
        try:
            value = getattr(value, name)
        except AttributeError:
            refuse(path, "is not there")
        if isinstance(value, Missing):
            refuse(value._name, value._why)
    return value


def start(request):
    """Makes the tokenizer ready and finds the function."""
    _versions.update(request["versions"])
    _state.update(request)
    transformers = _import("transformers")
    tokenizer = transformers._of_handle(request["tokenizer"])
    setup = request.get("setup")
    if setup is not None:
        answer = {"file": request.get("setup_file") or "<setup>", "is_package": False, "code": []}
        module = _repository_module("<setup>", answer)
        module.__dict__.update({"TOKENIZER": "TOKENIZER", "tokenizer": tokenizer})
        for name, value in (request.get("setup_names") or {}).items():
            module.__dict__[name] = _Arguments(value, name) if isinstance(value, dict) else value
        for piece in (
            {"kind": "import", "module": "transformers", "as": "transformers"},
            {"kind": "import", "module": "tokenizers", "as": "tokenizers"},
            {"kind": "import", "module": "torch", "as": "torch"},
            {"kind": "import", "module": "copy", "as": "copy"},
            {"kind": "from", "module": "transformers", "level": 0, "name": "*", "as": "*"},
        ):
            _take(module, module.__dict__["__builtins__"], answer, piece)
        for star in request.get("setup_stars") or ():
            module.__dict__["__builtins__"].stars.append(lambda star=star: _import(star, request.get("entry_file")))
        names = module.__dict__["__builtins__"]
        module.__dict__["model"] = _Model(tokenizer)
        module.__dict__["smart_tokenizer_and_embedding_resize"] = _resized
        _state["sets_up"] = True
        for piece in setup:
            exec(compile(piece["text"], answer["file"], "exec"), module.__dict__)
        _state["sets_up"] = False
        tokenizer = module.__dict__["tokenizer"]
    _state["tokenizer"] = tokenizer
    prepare = request.get("prepare")
    if prepare is not None:
        _prepare(prepare)
    if request["entry"]["kind"] != "none":
        _state["function"] = _entry(request["entry"])
    if used:
        raise NotAvailable(used[0])
    return {"handle": tokenizer._handle, "template": None if prepare is None else _template_in_force(prepare)}


def _template_in_force(prepare):
    """The texts of a LLaVA conversation; None for a class of another make."""
    conv = _import(prepare["module"], prepare["importer"]).__dict__[prepare["default"]]
    made = {"style": getattr(getattr(conv, "sep_style", None), "name", None), "roles": list(getattr(conv, "roles", ()))}
    for name in ("system", "version", "sep", "sep2"):
        made[name] = getattr(conv, name, None)
    texts = [made["style"], made["system"], made["version"], made["sep"]] + made["roles"]
    plain = all(type(t) is str for t in texts) and (made["sep2"] is None or type(made["sep2"]) is str)
    return made if plain and len(made["roles"]) == 2 else None


def _resized(special_tokens_dict, tokenizer, model=None):
    """LLaVA's helper without the model: the rows of the embedding are no matter here."""
    tokenizer.add_special_tokens(special_tokens_dict)


def _prepare(prepare):
    """`conversation_lib.default_conversation = conversation_lib.conv_templates[version]`."""
    library = _import(prepare["module"], prepare["importer"])
    if isinstance(library, Missing):
        refuse(prepare["module"], library._why)
    templates = getattr(library, prepare["templates"])
    version = prepare["version"]
    if version not in templates:
        raise KeyError(version)
    library.__dict__[prepare["default"]] = templates[version]


def _entry(entry):
    kind = entry["kind"]
    if kind == "function":
        return _resolve(entry["path"])
    if kind == "chosen":
        # InternVL: a method of the data set that looks only at the template's name.
        owner, _, method = entry["path"].rpartition(".")
        chooser = getattr(_resolve(owner), method)
        return chooser(_Arguments(entry["self"], "self"))
    if kind == "text":
        return _resolve(entry["path"])(_state["tokenizer"], entry["version"])
    if kind == "template":
        made = _resolve(entry["path"])
        return made() if isinstance(made, type) else made
    refuse("entry " + kind)


def _call(function, known):
    """Calls by parameter name; what has a default and no known value keeps its default."""
    plain = getattr(function, "__wrapped__", function)
    code = getattr(plain, "__code__", None)
    if code is None:
        refuse(getattr(function, "__name__", "the function"), "is no function that can be called here")
    count = code.co_argcount
    names = code.co_varnames[:count]
    only = code.co_varnames[count:count + code.co_kwonlyargcount]
    defaults = len(plain.__defaults__ or ())
    given = {}
    for index, name in enumerate(names):
        if name in known:
            given[name] = known[name]
        elif index < count - defaults:
            refuse("parameter %r of %s" % (name, plain.__name__), "has no default and is not known")
    for name in only:
        if name in known:
            given[name] = known[name]
        elif name not in (plain.__kwdefaults__ or {}):
            refuse("parameter %r of %s" % (name, plain.__name__), "has no default and is not known")
    return function(**given)


def _known_values(sample, sources):
    options = _state["options"]
    images = max(1, options.get("num_image", 1))
    return {
        "sources": sources, "source": sources, "conversations": sources, "messages": sources[0],
        "tokenizer": _state["tokenizer"], "has_image": sample["has_image"], "has_video": sample["has_video"],
        "template_name": _state.get("version"), "conv_name": _state.get("version"), "version": _state.get("version"),
        "num_image_token_list": [options["image_tokens"]] * images, "num_image_token": options["image_tokens"],
        "text_only": not sample["has_image"], "group_by_length": True, "use_packed_ds": False, "num_image": images, "ds_name": "ds",
        "data_args": _Arguments(options["data_args"], "data_args"),
    }


def run(request):
    """One sample: ids, labels, what was printed, and the exception where one was raised."""
    del _output[:], _events[:], _texts[:], _prompts[:], used[:]
    _written[0] = 0
    _tracing[0] = request.get("trace", True)
    copied = _import("copy").deepcopy
    result = {}
    try:
        made = _run(request["sample"], copied)
        result["input_ids"] = _row(made["input_ids"])
        result["labels"] = _row(made["labels"])
    except BaseException as e:
        result["error"] = _described(e)
    if used:
        result["error"] = {"type": "NotAvailable", "message": used[0]}
        result.pop("input_ids", None)
        result.pop("labels", None)
    _tracing[0] = False
    result["printed"] = "".join(_output)
    result["prompt"] = _prompts[-1] if _prompts else _texts[0] if _texts else None
    result["trace"] = _events[:]
    return result


def _described(e):
    where = None
    trace = e.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith("<"):
            where = [name, trace.tb_lineno]
        trace = trace.tb_next
    try:
        message = str(e)
    except BaseException:
        message = ""
    if type(e) is ValueError and message.startswith("too many values to unpack (expected") and ", got " in message:
        # Newer Pythons than those of training environments say how many there were.
        message = message[:message.index(", got ")] + ")"
    return {"type": type(e).__name__, "message": message, "where": where}


def _run(sample, copied):
    entry = _state["entry"]
    conversations = copied(sample["conversations"])
    sources = [conversations]
    before = _state.get("multimodal_function")
    if before is None and _state.get("multimodal"):
        before = _state["multimodal_function"] = _resolve(_state["multimodal"])
    if before is not None and sample["has_image"]:
        values = _known_values(sample, sources)
        if _state["options"].get("video_frames"):
            values["num_frames"] = _state["options"]["video_frames"]
        sources = _call(before, values)
    if entry.get("image_first") and sample["has_image"] and conversations:
        # As the data set does: the first message gets the placeholder that it lacks.
        if "<image>" not in conversations[0]["value"]:
            conversations[0]["value"] = "<image>\n" + conversations[0]["value"]
    function = _state["function"]
    if entry["kind"] == "text":
        made = function(conversations)
    elif entry["kind"] == "template":
        made = function.encode(conversations, _state["tokenizer"], mode="train")
    else:
        made = _call(function, _known_values(sample, sources))
    if entry["kind"] in ("text", "template"):
        return made
    return {"input_ids": made["input_ids"][0], "labels": made["labels"][0]}


def _row(values):
    torch = _import("torch")
    if isinstance(values, torch.Tensor):
        if len(values._shape) == 2 and values._shape[0] == 1:
            values = values[0]
        values = values._list() if len(values._shape) == 1 else values.tolist()
    out = []
    for v in values:
        if isinstance(v, torch.Tensor):
            v = v.item()
        if not isinstance(v, (int, float)):
            raise TypeError("labels are no list of integers: %s among them" % type(v).__name__)
        out.append(int(v))
    return out


def handle(request):
    try:
        if request["op"] == "start":
            return start(request)
        if request["op"] == "run":
            return run(request)
        return {"error": {"type": "ValueError", "message": "unknown request"}}
    except BaseException as e:
        if used:
            return {"error": {"type": "NotAvailable", "message": used[0]}}
        return {"error": _described(e)}
