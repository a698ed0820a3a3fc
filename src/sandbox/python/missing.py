# What the sandbox does not have: every use is recorded, so that no label is made without it in silence.


class NotAvailable(Exception):
    """The code used something that the sandbox does not have."""


used = []


def user_line():
    """(file, line) of the innermost frame that is the user's own code."""
    try:
        frame = _getframe(1)
    except Exception:
        return None
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith("<"):
            return (name, frame.f_lineno)
        frame = frame.f_back
    return None


def refuse(what, why="is not available in the sandbox"):
    where = user_line()
    place = "" if where is None else "%s:%d: " % where
    message = "%s%s %s" % (place, what, why)
    used.append(message)
    raise NotAvailable(message)


class MissingBase:
    """The base of classes whose own base is missing: they can be defined, not made."""

    def __new__(cls, *args, **kwargs):
        refuse("class " + cls.__name__, "rests on a class that is not available in the sandbox")


class Missing:
    """Stands for a module, class or function that is not there."""

    __slots__ = ("_name", "_why")

    def __init__(self, name, why="is not available in the sandbox"):
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_why", why)

    def __getattr__(self, attribute):
        if attribute.startswith("__") and attribute.endswith("__"):
            raise AttributeError(attribute)
        return Missing(self._name + "." + attribute, self._why)

    def __mro_entries__(self, bases):
        for base in bases:
            if isinstance(base, Missing):
                return (MissingBase,) if base is self else ()
        return (MissingBase,)

    def __instancecheck__(self, instance):
        # Nothing in the sandbox can be an instance of a class that is not there.
        return False

    def __subclasscheck__(self, subclass):
        return False

    def __or__(self, other):
        return self

    def __ror__(self, other):
        return self

    def __getitem__(self, key):
        return Missing(self._name + "[...]", self._why)

    def __repr__(self):
        return "<missing %s>" % self._name

    def _refuse(self, *args, **kwargs):
        refuse(self._name, self._why)

    # A comparison that is false without a word would choose a branch of the user's code.
    __call__ = __bool__ = __len__ = __iter__ = __int__ = __float__ = __index__ = __contains__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __mod__ = __neg__ = _refuse
    __hash__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __setattr__ = __setitem__ = __enter__ = __exit__ = __str__ = _refuse
