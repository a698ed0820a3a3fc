class auto:
    def __init__(self, value=None):
        self.value = value


class _Names(dict):
    def __init__(self):
        super().__init__()
        self.order = []
        self.last = 0

    def __setitem__(self, key, value):
        if not (key.startswith("__") and key.endswith("__")) and not key.startswith("_"):
            plain = not callable(value) and not hasattr(value, "__get__")
            if isinstance(value, auto) or plain:
                if isinstance(value, auto):
                    value = self.generate(key)
                if isinstance(value, int):
                    self.last = value
                self.order.append(key)
        super().__setitem__(key, value)

    def generate(self, key):
        own = self.get("_generate_next_value_")
        if own is not None:
            own = getattr(own, "__func__", own)
            return own(key, 1, len(self.order), [self[k] for k in self.order])
        if self.lower:
            return key.lower()
        return self.last + 1

    lower = False


class EnumMeta(type):
    @classmethod
    def __prepare__(meta, name, bases, **kwargs):
        names = _Names()
        names.lower = any(issubclass(b, str) for b in bases if isinstance(b, type)) and any(
            b.__name__ == "StrEnum" for b in bases)
        return names

    def __new__(meta, name, bases, names, **kwargs):
        members = {key: names[key] for key in getattr(names, "order", [])}
        rest = {key: value for key, value in names.items() if key not in members}
        cls = super().__new__(meta, name, bases, rest)
        cls._member_map_ = {}
        cls._value2member_map_ = {}
        for key, value in members.items():
            twin = None
            for member in cls._member_map_.values():
                if member._value_ == value:
                    twin = member
            if twin is None:
                if issubclass(cls, int):
                    twin = int.__new__(cls, value)
                elif issubclass(cls, str):
                    twin = str.__new__(cls, value)
                else:
                    twin = object.__new__(cls)
                twin._name_ = key
                twin._value_ = value
            cls._member_map_[key] = twin
            try:
                cls._value2member_map_[value] = twin
            except TypeError:
                pass
            type.__setattr__(cls, key, twin)
        return cls

    def __call__(cls, value, *rest):
        for member in cls._member_map_.values():
            if member is value or member._value_ == value:
                return member
        own = getattr(cls, "_missing_", None)
        found = own(value) if own is not None else None
        if found is not None:
            return found
        raise ValueError("%r is not a valid %s" % (value, cls.__qualname__))

    def __iter__(cls):
        seen = []
        for member in cls._member_map_.values():
            if not any(member is s for s in seen):
                seen.append(member)
        return iter(seen)

    def __len__(cls):
        return len(list(iter(cls)))

    def __getitem__(cls, name):
        return cls._member_map_[name]

    def __contains__(cls, value):
        return any(member is value or member._value_ == value for member in cls._member_map_.values())

    @property
    def __members__(cls):
        return dict(cls._member_map_)

    def __repr__(cls):
        return "<enum %r>" % cls.__name__


EnumType = EnumMeta


class Enum(metaclass=EnumMeta):
    @property
    def name(self):
        return self._name_

    @property
    def value(self):
        return self._value_

    def __repr__(self):
        return "<%s.%s: %r>" % (type(self).__name__, self._name_, self._value_)

    def __str__(self):
        return "%s.%s" % (type(self).__name__, self._name_)

    def __format__(self, spec):
        return format(str(self), spec)

    def __hash__(self):
        return hash(self._name_)

    def __eq__(self, other):
        return self is other

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


class IntEnum(int, Enum):
    __hash__ = int.__hash__
    __eq__ = int.__eq__
    __str__ = int.__repr__
    __format__ = int.__format__


class StrEnum(str, Enum):
    __hash__ = str.__hash__
    __eq__ = str.__eq__
    __str__ = str.__str__
    __format__ = str.__format__


def unique(cls):
    return cls
