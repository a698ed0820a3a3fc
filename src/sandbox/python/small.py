# Small modules of the standard library, as far as label functions use them. One `def` a module: it fills `m`.


def abc(m):
    class ABC:
        pass

    m.ABC = ABC
    m.ABCMeta = type
    m.abstractmethod = lambda f: f
    m.abstractproperty = property


def warnings(m):
    m.warn = lambda *a, **k: None
    m.filterwarnings = m.simplefilter = lambda *a, **k: None


def logging(m):
    class Logger:
        level = 30
        handlers = ()

        def _nothing(self, *a, **k):
            return None

        debug = info = warning = warn = error = critical = exception = log = _nothing
        warning_once = info_once = setLevel = addHandler = _nothing
        warning_rank0 = info_rank0 = _nothing

        def isEnabledFor(self, level):
            return False

    root = Logger()
    m.Logger = Logger
    m.getLogger = m.get_logger = lambda *a, **k: root
    m.basicConfig = lambda *a, **k: None
    for name in ("debug", "info", "warning", "error", "critical", "exception", "log"):
        setattr(m, name, root._nothing)
    m.NOTSET, m.DEBUG, m.INFO, m.WARNING, m.ERROR, m.CRITICAL = 0, 10, 20, 30, 40, 50
    m.set_verbosity_info = m.set_verbosity_error = m.set_verbosity = lambda *a, **k: None
    m.enable_default_handler = m.enable_explicit_format = lambda *a, **k: None


def time(m):
    m.sleep = lambda seconds: None


def os(m):
    m.environ = {}
    m.getenv = lambda name, default=None: default
    m.sep = "/"
    m.linesep = "\n"
    m.name = "posix"
    m.path = _import("os.path")
    m.listdir = lambda path=".": _listdir(path)
    m.getcwd = lambda: "."
    m.PathLike = type("PathLike", (), {})


def os_path(m):
    def join(first, *rest):
        path = first
        for part in rest:
            if part.startswith("/"):
                path = part
            elif not path or path.endswith("/"):
                path += part
            else:
                path += "/" + part
        return path

    def split(path):
        head, _, tail = path.rpartition("/")
        return (head or ("/" if path.startswith("/") else ""), tail)

    def splitext(path):
        base = path.rpartition("/")[2]
        if "." not in base.lstrip("."):
            return (path, "")
        root, _, extension = path.rpartition(".")
        return (root, "." + extension)

    def normpath(path):
        out = []
        for part in path.split("/"):
            if part in ("", "."):
                continue
            if part == ".." and out and out[-1] != "..":
                out.pop()
            else:
                out.append(part)
        return ("/" if path.startswith("/") else "") + "/".join(out) or "."

    def exists(path):
        try:
            _listdir(path)
            return True
        except OSError:
            pass
        head, tail = split(path)
        try:
            return tail in _listdir(head or ".")
        except OSError:
            return False

    def isdir(path):
        try:
            _listdir(path)
            return True
        except OSError:
            return False

    m.join, m.split, m.splitext, m.normpath, m.exists, m.isdir = join, split, splitext, normpath, exists, isdir
    m.isfile = lambda path: exists(path) and not isdir(path)
    m.basename = lambda path: split(path)[1]
    m.dirname = lambda path: split(path)[0]
    m.abspath = m.realpath = normpath
    m.isabs = lambda path: path.startswith("/")
    m.expanduser = m.expandvars = lambda path: path
    m.sep = "/"


def sys(m):
    m.stdout = m.stderr = _Output()
    m.maxsize = 2 ** 63 - 1
    m.version_info = (3, 10, 14, "final", 0)
    m.version = "3.10.14"
    m.platform = "linux"
    m.byteorder = "little"
    m.argv = [""]
    m.path = ["."]
    m.modules = _modules
    m.getsizeof = _Missing("sys.getsizeof")
    m.getrecursionlimit = lambda: 1000
    m.setrecursionlimit = lambda n: None

    def exit(code=None):
        raise SystemExit(code)

    m.exit = exit


def collections(m):
    class OrderedDict(dict):
        def move_to_end(self, key, last=True):
            value = self.pop(key)
            if last:
                self[key] = value
            else:
                rest = list(self.items())
                self.clear()
                self[key] = value
                self.update(rest)

        def popitem(self, last=True):
            if not self:
                raise KeyError("dictionary is empty")
            key = list(self)[-1 if last else 0]
            return key, self.pop(key)

    class defaultdict(dict):
        def __init__(self, default_factory=None, *args, **kwargs):
            self.default_factory = default_factory
            super().__init__(*args, **kwargs)

        def __missing__(self, key):
            if self.default_factory is None:
                raise KeyError(key)
            value = self[key] = self.default_factory()
            return value

    class Counter(dict):
        def __init__(self, items=(), **kwargs):
            super().__init__()
            self.update(items, **kwargs)

        def __missing__(self, key):
            return 0

        def update(self, items=(), **kwargs):
            if isinstance(items, dict):
                for key, count in items.items():
                    self[key] = self[key] + count
            else:
                for key in items:
                    self[key] = self[key] + 1
            for key, count in kwargs.items():
                self[key] = self[key] + count

        def most_common(self, n=None):
            ranked = sorted(self.items(), key=lambda kv: kv[1], reverse=True)
            return ranked if n is None else ranked[:n]

        def elements(self):
            return iter([k for k, n in self.items() for _ in range(n)])

    def namedtuple(name, fields, *, defaults=(), **kwargs):
        names = fields.replace(",", " ").split() if isinstance(fields, str) else list(fields)
        defaults = tuple(defaults or ())

        def __new__(cls, *args, **kwargs):
            values = list(args)
            for index, field in enumerate(names[len(args):], len(args)):
                if field in kwargs:
                    values.append(kwargs.pop(field))
                elif index >= len(names) - len(defaults):
                    values.append(defaults[index - len(names) + len(defaults)])
                else:
                    raise TypeError("%s() missing argument %r" % (name, field))
            if kwargs or len(values) != len(names):
                raise TypeError("%s() takes %d arguments" % (name, len(names)))
            return tuple.__new__(cls, values)

        body = {"__new__": __new__, "_fields": tuple(names), "__slots__": ()}
        for index, field in enumerate(names):
            body[field] = property(lambda self, index=index: self[index])
        body["_asdict"] = lambda self: dict(zip(names, self))
        body["_replace"] = lambda self, **k: type(self)(**{**dict(zip(names, self)), **k})
        body["__repr__"] = lambda self: name + "(" + ", ".join("%s=%r" % p for p in zip(names, self)) + ")"
        return type(name, (tuple,), body)

    m.OrderedDict, m.defaultdict, m.Counter, m.namedtuple = OrderedDict, defaultdict, Counter, namedtuple
    m.UserDict, m.UserList = dict, list
    m.deque = _native("_collections").deque
    m.abc = _import("collections.abc")


def collections_abc(m):
    def _protocol(name, *methods):
        class Meta(type):
            def __instancecheck__(cls, thing):
                return all(hasattr(thing, method) for method in methods)

            def __getitem__(cls, item):
                return cls

        return Meta(name, (), {})

    m.Sequence = _protocol("Sequence", "__getitem__", "__len__", "index", "count")
    m.MutableSequence = _protocol("MutableSequence", "append", "insert", "__setitem__")
    m.Mapping = _protocol("Mapping", "keys", "__getitem__")
    m.MutableMapping = _protocol("MutableMapping", "keys", "__setitem__")
    m.Iterable = _protocol("Iterable", "__iter__")
    m.Iterator = _protocol("Iterator", "__next__")
    m.Callable = _protocol("Callable", "__call__")
    m.Sized = _protocol("Sized", "__len__")
    m.Hashable = _protocol("Hashable", "__hash__")
    m.Container = _protocol("Container", "__contains__")
    m.Set = _protocol("Set", "isdisjoint")
    m.Generator = _protocol("Generator", "send")


def functools(m):
    native = _native("_functools")
    m.partial, m.reduce = native.partial, native.reduce

    def wraps(wrapped, *a, **k):
        def wrap(wrapper):
            for name in ("__name__", "__qualname__", "__doc__", "__module__"):
                try:
                    setattr(wrapper, name, getattr(wrapped, name))
                except AttributeError:
                    pass
            wrapper.__wrapped__ = wrapped
            return wrapper
        return wrap

    def lru_cache(maxsize=128, typed=False):
        def decorate(function):
            known = {}

            def cached(*args, **kwargs):
                key = (args, tuple(sorted(kwargs.items())))
                if key not in known:
                    known[key] = function(*args, **kwargs)
                return known[key]

            cached.cache_clear = known.clear
            return wraps(function)(cached)

        return decorate(maxsize) if callable(maxsize) else decorate

    m.wraps, m.lru_cache, m.cache = wraps, lru_cache, lru_cache(None)
    m.update_wrapper = lambda wrapper, wrapped, *a, **k: wraps(wrapped)(wrapper)
    m.cached_property = property
    m.cmp_to_key = native.cmp_to_key if hasattr(native, "cmp_to_key") else _Missing("functools.cmp_to_key")


def itertools(m):
    native = _native("itertools")
    for name in dir(native):
        if not name.startswith("_"):
            setattr(m, name, getattr(native, name))


def operator(m):
    native = _native("_operator")
    for name in dir(native):
        if not name.startswith("_"):
            setattr(m, name, getattr(native, name))


def math(m):
    m.inf, m.nan, m.pi, m.e = float("inf"), float("nan"), 3.141592653589793, 2.718281828459045

    def floor(x):
        n = int(x)
        return n - 1 if n > x else n

    def ceil(x):
        n = int(x)
        return n + 1 if n < x else n

    def prod(items, *, start=1):
        for item in items:
            start = start * item
        return start

    def gcd(a, b):
        while b:
            a, b = b, a % b
        return abs(a)

    m.floor, m.ceil, m.prod, m.gcd = floor, ceil, prod, gcd
    m.sqrt = lambda x: x ** 0.5
    m.trunc = int
    m.fabs = lambda x: float(abs(x))
    m.isnan = lambda x: x != x
    m.isinf = lambda x: x in (m.inf, -m.inf)
    m.pow = lambda a, b: float(a) ** b


def contextlib(m):
    class nullcontext:
        def __init__(self, value=None):
            self.value = value

        def __enter__(self):
            return self.value

        def __exit__(self, *a):
            return False

    class suppress:
        def __init__(self, *kinds):
            self.kinds = kinds

        def __enter__(self):
            return None

        def __exit__(self, kind, value, trace):
            return kind is not None and issubclass(kind, self.kinds)

    class _Context:
        def __init__(self, generator):
            self.generator = generator

        def __enter__(self):
            return next(self.generator)

        def __exit__(self, kind, value, trace):
            try:
                if kind is None:
                    next(self.generator)
                else:
                    self.generator.throw(value)
            except StopIteration:
                return kind is not None
            return False

    m.nullcontext, m.suppress = nullcontext, suppress
    m.contextmanager = lambda f: lambda *a, **k: _Context(f(*a, **k))


def types(m):
    class SimpleNamespace:
        def __init__(self, **kwargs):
            self.__dict__.update(kwargs)

        def __repr__(self):
            return "namespace(" + ", ".join("%s=%r" % kv for kv in self.__dict__.items()) + ")"

    m.SimpleNamespace = SimpleNamespace
    m.FunctionType = m.LambdaType = type(lambda: 0)
    m.ModuleType = _ModuleType
    m.MethodType = type(_Output().write)


def string(m):
    m.ascii_lowercase = "abcdefghijklmnopqrstuvwxyz"
    m.ascii_uppercase = m.ascii_lowercase.upper()
    m.ascii_letters = m.ascii_lowercase + m.ascii_uppercase
    m.digits = "0123456789"
    m.punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
    m.whitespace = " \t\n\r\v\f"
    m.printable = m.digits + m.ascii_letters + m.punctuation + m.whitespace


def io(m):
    class StringIO:
        def __init__(self, text=""):
            self.text = text

        def write(self, text):
            self.text += text
            return len(text)

        def getvalue(self):
            return self.text

        def read(self):
            return self.text

    m.StringIO = StringIO
    m.BytesIO = _Missing("io.BytesIO")


def importlib(m):
    m.import_module = lambda name, package=None: _import(name)
    m.reload = lambda module: module


def packaging(m):
    m.version = _import("packaging.version")


def packaging_version(m):
    def numbers(text):
        out = []
        for part in str(text).lstrip("v").split("+")[0].split("."):
            digits = ""
            for c in part:
                if not c.isdigit():
                    break
                digits += c
            if not digits:
                break
            out.append(int(digits))
            if digits != part:
                break
        while out and out[-1] == 0:
            out.pop()
        return tuple(out)

    class Version:
        def __init__(self, text):
            self.text = str(text)
            self.key = numbers(text)
            # A release candidate or development version comes before the release that it leads to.
            self.rank = -1 if any(mark in self.text for mark in ("dev", "rc", "a", "b")) else 0

        def _pair(self):
            return (self.key, self.rank)

        def __lt__(self, other):
            return self._pair() < other._pair()

        def __le__(self, other):
            return self._pair() <= other._pair()

        def __gt__(self, other):
            return self._pair() > other._pair()

        def __ge__(self, other):
            return self._pair() >= other._pair()

        def __eq__(self, other):
            return self._pair() == other._pair()

        def __hash__(self):
            return hash(self._pair())

        def __str__(self):
            return self.text

        @property
        def release(self):
            return tuple(int(p) for p in self.text.split(".") if p.isdigit())

        @property
        def major(self):
            return self.key[0] if self.key else 0

        @property
        def minor(self):
            return self.key[1] if len(self.key) > 1 else 0

        @property
        def base_version(self):
            return ".".join(str(n) for n in self.release)

    m.Version = m.LegacyVersion = Version
    m.parse = Version


def distutils(m):
    m.version = _import("distutils.version")


def distutils_version(m):
    packaging_version(m)
    m.LooseVersion = m.StrictVersion = m.Version


def tokenizers(m):
    m.__version__ = _versions["tokenizers"]
    m.processors = _import("tokenizers.processors")
    m.AddedToken = _import("transformers").AddedToken


def tokenizers_processors(m):
    def pieces(template):
        """`<s> $A:0 </s>:1` as the library writes it down."""
        parts = template.split() if isinstance(template, str) else template
        out = []
        for part in parts:
            name, colon, kind = part.rpartition(":")
            if not colon or not kind.isdigit():
                name, kind = part, "0"
            if name.startswith("$"):
                out.append({"Sequence": {"id": name[1:] or "A", "type_id": int(kind)}})
            else:
                out.append({"SpecialToken": {"id": name, "type_id": int(kind)}})
        return out

    class TemplateProcessing:
        def __init__(self, single="$A", pair="$A:0 $B:1", special_tokens=()):
            special = {}
            for token in special_tokens:
                if isinstance(token, dict):
                    special[token["id"]] = token
                else:
                    content, number = token if isinstance(token[0], str) else (token[1], token[0])
                    special[content] = {"id": content, "ids": [number], "tokens": [content]}
            self._description = {"type": "TemplateProcessing", "single": pieces(single), "pair": pieces(pair),
                                 "special_tokens": special}

    m.TemplateProcessing = TemplateProcessing


def traceback(m):
    m.print_exc = lambda *a, **k: None
    m.format_exc = lambda *a, **k: ""


def PIL(m):
    m.Image = _Missing("PIL.Image")
    m.ImageFile = _Settable("PIL.ImageFile")


def __future__(m):
    m.annotations = None


def inspect(m):
    m.signature = _Missing("inspect.signature")
    m.isclass = lambda thing: isinstance(thing, type)
    m.isfunction = lambda thing: isinstance(thing, type(lambda: 0))


def llava_constants(m):
    m.IGNORE_INDEX = -100
    m.IMAGE_TOKEN_INDEX = -200
    m.DEFAULT_IMAGE_TOKEN = "<image>"
    m.DEFAULT_IMAGE_PATCH_TOKEN = "<im_patch>"
    m.DEFAULT_IM_START_TOKEN = "<im_start>"
    m.DEFAULT_IM_END_TOKEN = "<im_end>"
    m.IMAGE_PLACEHOLDER = "<image-placeholder>"


def llava_mm_utils(m):
    torch = _import("torch")

    def tokenizer_image_token(prompt, tokenizer, image_token_index=-200, return_tensors=None):
        """One id stands for each placeholder; a bos in front of the first piece is kept once, all others are dropped."""
        pieces = [tokenizer(piece).input_ids for piece in prompt.split("<image>")]
        has_bos = bool(pieces[0]) and pieces[0][0] == tokenizer.bos_token_id
        ids = pieces[0][:1] if has_bos else []
        for index, piece in enumerate(pieces):
            if index:
                ids.append(image_token_index)
            ids.extend(piece[1:] if has_bos else piece)
        if return_tensors is None:
            return ids
        if return_tensors == "pt":
            return torch.tensor(ids, dtype=torch.long)
        raise ValueError("Unsupported tensor type: " + str(return_tensors))

    m.tokenizer_image_token = tokenizer_image_token
