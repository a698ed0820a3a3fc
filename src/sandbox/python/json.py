class JSONDecodeError(ValueError):
    pass


def loads(text, **kwargs):
    answer = _host.json_loads(text if isinstance(text, str) else text.decode())
    if answer[0] is None:
        raise JSONDecodeError(answer[1])
    return answer[1]


def _string(text, ascii_only):
    out = ['"']
    for c in text:
        if c == '"':
            out.append('\\"')
        elif c == "\\":
            out.append("\\\\")
        elif c == "\n":
            out.append("\\n")
        elif c == "\r":
            out.append("\\r")
        elif c == "\t":
            out.append("\\t")
        elif c == "\b":
            out.append("\\b")
        elif c == "\f":
            out.append("\\f")
        elif ord(c) < 32 or (ascii_only and ord(c) > 126):
            n = ord(c)
            if n > 0xFFFF:
                n -= 0x10000
                out.append("\\u%04x\\u%04x" % (0xD800 + (n >> 10), 0xDC00 + (n & 0x3FF)))
            else:
                out.append("\\u%04x" % n)
        else:
            out.append(c)
    out.append('"')
    return "".join(out)


def dumps(value, *, indent=None, ensure_ascii=True, separators=None, sort_keys=False, default=None, **kwargs):
    if isinstance(indent, int):
        indent = " " * indent
    comma, colon = separators or ((", ", ": ") if indent is None else (",", ": "))

    def write(value, level):
        if value is None:
            return "null"
        if value is True:
            return "true"
        if value is False:
            return "false"
        if isinstance(value, str):
            return _string(value, ensure_ascii)
        if isinstance(value, int):
            return int.__repr__(value)
        if isinstance(value, float):
            return float.__repr__(value)
        inner = "" if indent is None else "\n" + indent * (level + 1)
        outer = "" if indent is None else "\n" + indent * level
        if isinstance(value, (list, tuple)):
            if not value:
                return "[]"
            return "[" + inner + (comma + inner).join(write(v, level + 1) for v in value) + outer + "]"
        if isinstance(value, dict):
            if not value:
                return "{}"
            items = sorted(value.items()) if sort_keys else value.items()
            return "{" + inner + (comma + inner).join(
                _string(k if isinstance(k, str) else write(k, level), ensure_ascii) + colon + write(v, level + 1)
                for k, v in items) + outer + "}"
        if default is not None:
            return write(default(value), level)
        raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)

    return write(value, 0)
