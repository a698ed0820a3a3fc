class _MISSING_TYPE:
    def __repr__(self):
        return "<MISSING>"


MISSING = _MISSING_TYPE()


class FrozenInstanceError(AttributeError):
    pass


class InitVar:
    def __class_getitem__(cls, item):
        return cls


class Field:
    def __init__(self, default, default_factory, init, repr, compare, metadata, kw_only):
        self.name = None
        self.type = None
        self.default = default
        self.default_factory = default_factory
        self.init = init
        self.repr = repr
        self.compare = compare
        self.metadata = metadata or {}
        self.kw_only = kw_only


def field(*, default=MISSING, default_factory=MISSING, init=True, repr=True, hash=None, compare=True, metadata=None,
          kw_only=False):
    return Field(default, default_factory, init, repr, compare, metadata, kw_only)


def _annotations(cls):
    own = cls.__dict__.get("__annotations__")
    if own is not None:
        return own
    return getattr(cls, "__annotations__", {}) if "__annotate__" in cls.__dict__ or hasattr(cls, "__annotate__") else {}


def _is_classvar(annotation):
    text = annotation if isinstance(annotation, str) else repr(annotation)
    return text.startswith("ClassVar") or text.startswith("typing.ClassVar")


def dataclass(cls=None, *, init=True, repr=True, eq=True, order=False, unsafe_hash=False, frozen=False, **other):
    def make(cls):
        found = {}
        for base in reversed(cls.__mro__[1:]):
            for f in base.__dict__.get("__dataclass_fields__", {}).values():
                found[f.name] = f
        for name, annotation in dict(_annotations(cls)).items():
            if _is_classvar(annotation):
                continue
            value = cls.__dict__.get(name, MISSING)
            f = value if isinstance(value, Field) else Field(value, MISSING, True, True, True, None, False)
            f.name = name
            f.type = annotation
            if isinstance(value, Field):
                if f.default is MISSING:
                    try:
                        delattr(cls, name)
                    except AttributeError:
                        pass
                else:
                    setattr(cls, name, f.default)
            found[name] = f
        cls.__dataclass_fields__ = found
        fields_ = list(found.values())
        if init and "__init__" not in cls.__dict__:
            cls.__init__ = _initializer(cls.__name__, [f for f in fields_ if f.init], frozen,
                                        [f for f in fields_ if not f.init])
        if repr and "__repr__" not in cls.__dict__:
            def __repr__(self):
                inner = ", ".join("%s=%r" % (f.name, getattr(self, f.name)) for f in fields_ if f.repr)
                return type(self).__qualname__ + "(" + inner + ")"
            cls.__repr__ = __repr__
        if eq and "__eq__" not in cls.__dict__:
            def __eq__(self, other):
                if other.__class__ is not self.__class__:
                    return NotImplemented
                return all(getattr(self, f.name) == getattr(other, f.name) for f in fields_ if f.compare)
            cls.__eq__ = __eq__
            if frozen:
                cls.__hash__ = lambda self: hash(tuple(getattr(self, f.name) for f in fields_ if f.compare))
            elif "__hash__" not in cls.__dict__:
                cls.__hash__ = None
        if frozen:
            def __setattr__(self, name, value):
                raise FrozenInstanceError("cannot assign to field %r" % name)
            cls.__setattr__ = __setattr__
        return cls

    return make if cls is None else make(cls)


def _initializer(name, fields_, frozen, later):
    positional = [f for f in fields_ if not f.kw_only]
    by_name = {f.name: f for f in fields_}

    def __init__(self, *args, **kwargs):
        if len(args) > len(positional):
            raise TypeError("%s.__init__() takes %d positional arguments but %d were given"
                            % (name, len(positional) + 1, len(args) + 1))
        given = {}
        for f, value in zip(positional, args):
            given[f.name] = value
        for key, value in kwargs.items():
            if key not in by_name:
                raise TypeError("%s.__init__() got an unexpected keyword argument '%s'" % (name, key))
            if key in given:
                raise TypeError("%s.__init__() got multiple values for argument '%s'" % (name, key))
            given[key] = value
        absent = []
        for f in fields_:
            if f.name in given:
                value = given[f.name]
            elif f.default is not MISSING:
                value = f.default
            elif f.default_factory is not MISSING:
                value = f.default_factory()
            else:
                absent.append(f.name)
                continue
            object.__setattr__(self, f.name, value)
        if absent:
            raise TypeError("%s.__init__() missing %d required positional argument%s: %s" % (
                name, len(absent), "" if len(absent) == 1 else "s", " and ".join("'%s'" % a for a in absent)))
        for f in later:
            if f.default_factory is not MISSING:
                object.__setattr__(self, f.name, f.default_factory())
        after = getattr(self, "__post_init__", None)
        if after is not None:
            after()

    return __init__


def fields(thing):
    return tuple(thing.__dataclass_fields__.values())


def is_dataclass(thing):
    return hasattr(thing, "__dataclass_fields__")


def asdict(thing, *, dict_factory=dict):
    def plain(value):
        if is_dataclass(value) and not isinstance(value, type):
            return dict_factory([(f.name, plain(getattr(value, f.name))) for f in fields(value)])
        if isinstance(value, (list, tuple)):
            return type(value)(plain(v) for v in value)
        if isinstance(value, dict):
            return {k: plain(v) for k, v in value.items()}
        return value
    return plain(thing)


def replace(thing, /, **changes):
    for f in fields(thing):
        if f.init and f.name not in changes:
            changes[f.name] = getattr(thing, f.name)
    return type(thing)(**changes)
