class Error(Exception):
    pass


_ATOMS = (type(None), int, float, bool, complex, bytes, str, type, type(Ellipsis), type(lambda: 0), type(len), range)


def copy(value):
    if isinstance(value, _ATOMS) and type(value) in _ATOMS:
        return value
    own = getattr(type(value), "__copy__", None)
    if own is not None:
        return own(value)
    if type(value) in (list, dict, set):
        return value.copy()
    if type(value) in (tuple, frozenset):
        return value
    if isinstance(value, type) or isinstance(value, type(lambda: 0)):
        return value
    return _rebuilt(value, lambda v: v)


def deepcopy(value, memo=None):
    kind = type(value)
    if kind is str or kind is int:
        return value
    if memo is None:
        memo = {}
    known = memo.get(id(value))
    if known is not None:
        return known[0]
    if kind is list:
        result = []
        memo[id(value)] = (result, value)
        for item in value:
            result.append(deepcopy(item, memo))
        return result
    if kind is dict:
        result = {}
        memo[id(value)] = (result, value)
        for key, item in value.items():
            result[deepcopy(key, memo)] = deepcopy(item, memo)
        return result
    if kind is tuple:
        result = tuple(deepcopy(item, memo) for item in value)
        return value if all(a is b for a, b in zip(result, value)) else result
    if kind is set or kind is frozenset:
        return kind(deepcopy(item, memo) for item in value)
    if kind in _ATOMS or isinstance(value, type):
        return value
    own = getattr(kind, "__deepcopy__", None)
    if own is not None:
        result = own(value, memo)
        memo[id(value)] = (result, value)
        return result
    result = _rebuilt(value, None)
    memo[id(value)] = (result, value)
    for key, item in value.__dict__.items():
        object.__setattr__(result, key, deepcopy(item, memo))
    if isinstance(value, list):
        for item in value:
            list.append(result, deepcopy(item, memo))
    elif isinstance(value, dict):
        for key, item in value.items():
            dict.__setitem__(result, deepcopy(key, memo), deepcopy(item, memo))
    return result


def _rebuilt(value, same):
    if not hasattr(value, "__dict__"):
        raise Error("cannot copy a %s in the sandbox" % type(value).__name__)
    kind = type(value)
    if isinstance(value, list):
        result = list.__new__(kind)
        if same is not None:
            list.extend(result, value)
    elif isinstance(value, dict):
        result = dict.__new__(kind)
        if same is not None:
            dict.update(result, value)
    else:
        result = object.__new__(kind)
    if same is not None:
        for key, item in value.__dict__.items():
            object.__setattr__(result, key, item)
    return result


def replace(value, /, **changes):
    from dataclasses import replace as changed
    return changed(value, **changes)
