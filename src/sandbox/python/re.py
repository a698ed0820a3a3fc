NOFLAG = 0
I = IGNORECASE = 2
M = MULTILINE = 8
S = DOTALL = 16
U = UNICODE = 32
X = VERBOSE = 64
A = ASCII = 256

_compiled = {}


class error(Exception):
    pass


class Match:
    def __init__(self, pattern, string, spans):
        self.re = pattern
        self.string = string
        self._spans = spans

    def span(self, group=0):
        span = self._spans[self._index(group)]
        return (-1, -1) if span is None else (span[0], span[1])

    def start(self, group=0):
        return self.span(group)[0]

    def end(self, group=0):
        return self.span(group)[1]

    def _index(self, group):
        if isinstance(group, str):
            if group not in self.re.groupindex:
                raise IndexError("no such group")
            return self.re.groupindex[group]
        if group < 0 or group >= len(self._spans):
            raise IndexError("no such group")
        return group

    def _text(self, group, default=None):
        span = self._spans[self._index(group)]
        return default if span is None else self.string[span[0]:span[1]]

    def group(self, *groups):
        if not groups:
            return self._text(0)
        if len(groups) == 1:
            return self._text(groups[0])
        return tuple(self._text(g) for g in groups)

    __getitem__ = _text

    def groups(self, default=None):
        return tuple(self._text(g, default) for g in range(1, len(self._spans)))

    def groupdict(self, default=None):
        return {name: self._text(g, default) for name, g in self.re.groupindex.items()}

    def expand(self, template):
        return _expand(template, self)


class Pattern:
    def __init__(self, pattern, flags):
        self.pattern = pattern
        self.flags = flags
        answer = _host.regex(pattern, flags)
        if isinstance(answer, str):
            raise error(answer)
        self._id, names = answer
        self.groupindex = {name: index for index, name in names}

    def _find(self, string, mode):
        if not isinstance(string, str):
            raise TypeError("expected string or bytes-like object, got '%s'" % type(string).__name__)
        found = _host.regex_find(self._id, string, mode)
        if isinstance(found, str):
            raise error(found)
        return [Match(self, string, spans) for spans in found]

    def search(self, string, pos=0):
        found = self._find(string, "first")
        return found[0] if found else None

    def match(self, string):
        found = self._find(string, "start")
        return found[0] if found else None

    def fullmatch(self, string):
        found = self._find(string, "full")
        return found[0] if found else None

    def finditer(self, string):
        return iter(self._find(string, "all"))

    def findall(self, string):
        result = []
        for match in self._find(string, "all"):
            groups = match.groups("")
            result.append(match.group() if not groups else groups[0] if len(groups) == 1 else groups)
        return result

    def split(self, string, maxsplit=0):
        result, last = [], 0
        for count, match in enumerate(self._find(string, "all")):
            if maxsplit and count >= maxsplit:
                break
            result.append(string[last:match.start()])
            result.extend(match.groups())
            last = match.end()
        result.append(string[last:])
        return result

    def subn(self, repl, string, count=0):
        result, last, done = [], 0, 0
        for match in self._find(string, "all"):
            if count and done >= count:
                break
            result.append(string[last:match.start()])
            result.append(repl(match) if callable(repl) else _expand(repl, match))
            last = match.end()
            done += 1
        result.append(string[last:])
        return "".join(result), done

    def sub(self, repl, string, count=0):
        return self.subn(repl, string, count)[0]


_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "f": "\f", "v": "\v", "a": "\a"}


def _expand(template, match):
    if "\\" not in template:
        return template
    out, i = [], 0
    while i < len(template):
        c = template[i]
        if c != "\\" or i + 1 >= len(template):
            out.append(c)
            i += 1
            continue
        d = template[i + 1]
        if d == "g" and template[i + 2:i + 3] == "<":
            end = template.index(">", i)
            name = template[i + 3:end]
            out.append(match._text(int(name) if name.isdigit() else name, ""))
            i = end + 1
        elif d.isdigit():
            j = i + 1
            while j < len(template) and j < i + 3 and template[j].isdigit():
                j += 1
            out.append(match._text(int(template[i + 1:j]), ""))
            i = j
        elif d in _PLAIN:
            out.append(_PLAIN[d])
            i += 2
        else:
            raise error("bad escape \\%s" % d)
    return "".join(out)


def compile(pattern, flags=0):
    if isinstance(pattern, Pattern):
        return pattern
    known = _compiled.get((pattern, flags))
    if known is None:
        known = _compiled[(pattern, flags)] = Pattern(pattern, int(flags))
    return known


def search(pattern, string, flags=0):
    return compile(pattern, flags).search(string)


def match(pattern, string, flags=0):
    return compile(pattern, flags).match(string)


def fullmatch(pattern, string, flags=0):
    return compile(pattern, flags).fullmatch(string)


def findall(pattern, string, flags=0):
    return compile(pattern, flags).findall(string)


def finditer(pattern, string, flags=0):
    return compile(pattern, flags).finditer(string)


def split(pattern, string, maxsplit=0, flags=0):
    return compile(pattern, flags).split(string, maxsplit)


def sub(pattern, repl, string, count=0, flags=0):
    return compile(pattern, flags).sub(repl, string, count)


def subn(pattern, repl, string, count=0, flags=0):
    return compile(pattern, flags).subn(repl, string, count)


_SPECIAL = frozenset("()[]{}?*+-|^$\\.&~# \t\n\r\v\f")


def escape(pattern):
    return "".join("\\" + c if c in _SPECIAL else c for c in pattern)
