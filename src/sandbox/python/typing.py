class _Form:
    def __init__(self, name):
        self._name = name

    def __getitem__(self, item):
        return self

    def __call__(self, *args, **kwargs):
        return self

    def __or__(self, other):
        return self

    def __ror__(self, other):
        return self

    def __mro_entries__(self, bases):
        return ()

    def __repr__(self):
        return "typing." + self._name


TYPE_CHECKING = False


def cast(kind, value):
    return value


def overload(function):
    return function


def no_type_check(function):
    return function


def final(thing):
    return thing


def runtime_checkable(thing):
    return thing


def get_type_hints(thing):
    return {}


def TypeVar(name, *args, **kwargs):
    return _Form(name)


def NamedTuple(name, fields):
    from collections import namedtuple
    return namedtuple(name, [f for f, _ in fields])


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return _Form(name)
