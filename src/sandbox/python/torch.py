# Integer tensors as label functions use them: shapes, views, masked assignment. Values lie flat in one list that views share.
_DTYPES = {}


class dtype:
    def __init__(self, name):
        self._name = name
        _DTYPES[name] = self

    def __repr__(self):
        return "torch." + self._name


long = int64 = dtype("int64")
int32 = dtype("int32")
int16 = dtype("int16")
int8 = dtype("int8")
uint8 = dtype("uint8")
float32 = float = dtype("float32")
float16 = half = dtype("float16")
float64 = double = dtype("float64")
bfloat16 = dtype("bfloat16")
_boolean = dtype("bool")
_FLOATS = (float32, float16, float64, bfloat16)
_float, _int, _bool = type(0.5), type(0), type(True)


class Size(tuple):
    def numel(self):
        n = 1
        for s in self:
            n *= s
        return n

    def __repr__(self):
        return "torch.Size(%r)" % (list(self),)


def _numel(shape):
    n = 1
    for s in shape:
        n *= s
    return n


def _row_major(shape):
    strides, n = [], 1
    for s in reversed(shape):
        strides.append(n)
        n *= s
    return tuple(reversed(strides))


def _plain(value):
    """A number of Python."""
    if isinstance(value, Tensor):
        return value.item()
    return value


def _shape_of(data):
    shape = []
    while True:
        if isinstance(data, Tensor):
            return tuple(shape) + tuple(data._shape)
        if not isinstance(data, (list, tuple)):
            return tuple(shape)
        shape.append(len(data))
        if not data:
            return tuple(shape)
        data = data[0]


def _flatten(data, shape, depth, out):
    if isinstance(data, Tensor):
        if tuple(data._shape) != tuple(shape[depth:]):
            raise ValueError("expected sequence of length %d at dim %d (got %d)"
                             % (shape[depth], depth, data._shape[0] if data._shape else 0))
        out.extend(data._list())
        return
    if depth == len(shape):
        if isinstance(data, (list, tuple)):
            raise ValueError("too many dimensions 'list'" if isinstance(data, list) else "too many dimensions 'tuple'")
        if not isinstance(data, (_int, _float)):
            if data is None:
                raise RuntimeError("Could not infer dtype of NoneType")
            if isinstance(data, str):
                raise TypeError("new(): invalid data type 'str'")
            data = int(data)
        out.append(data)
        return
    if not isinstance(data, (list, tuple)):
        raise TypeError("not a sequence")
    if len(data) != shape[depth]:
        raise ValueError("expected sequence of length %d at dim %d (got %d)" % (shape[depth], depth, len(data)))
    if depth + 1 == len(shape) and all(type(d) is _int for d in data):
        out.extend(data)
        return
    for item in data:
        _flatten(item, shape, depth + 1, out)


def _kind_of(values):
    kind = None
    for v in values:
        if type(v) is _float:
            return float32
        if type(v) is not _bool:
            kind = int64
    return kind or (_boolean if values else float32)


def _cast(values, kind):
    if kind in _FLOATS:
        return [_float(v) for v in values]
    if kind is _boolean:
        return [_bool(v) for v in values]
    return [int(v) for v in values]


class Tensor:
    def __init__(self, data=(), shape=None, kind=None, offset=0, strides=None):
        if shape is None:
            shape = _shape_of(data)
            flat = []
            _flatten(data, shape, 0, flat)
            data = flat
            kind = kind or _kind_of(data)
            data = _cast(data, kind)
        self._data = data
        self._shape = shape
        self._kind = kind
        self._offset = offset
        self._strides = _row_major(shape) if strides is None else strides

    _wrap = None

    def _new(self, data, shape, kind=None, offset=0, strides=None):
        made = object.__new__(type(self))
        made._data = data
        made._shape = shape
        made._kind = kind or self._kind
        made._offset = offset
        made._strides = _row_major(shape) if strides is None else strides
        return made

    def _view(self, offset, shape, strides):
        return self._new(self._data, tuple(shape), self._kind, offset, tuple(strides))

    def _is_flat(self):
        return self._strides == _row_major(self._shape)

    def _positions(self):
        """Where the elements lie in the shared list, in order."""
        if len(self._shape) == 1:
            step = self._strides[0]
            return range(self._offset, self._offset + self._shape[0] * step, step) if step else [self._offset] * self._shape[0]
        if self._is_flat():
            return range(self._offset, self._offset + _numel(self._shape))
        out = [self._offset]
        for size, stride in zip(self._shape, self._strides):
            out = [at + i * stride for at in out for i in range(size)]
        return out

    def _list(self):
        if self._is_flat():
            if self._offset == 0 and len(self._data) == _numel(self._shape):
                return self._data[:]
            return self._data[self._offset:self._offset + _numel(self._shape)]
        data = self._data
        return [data[at] for at in self._positions()]

    # shape
    @property
    def shape(self):
        return Size(self._shape)

    def size(self, dim=None):
        return Size(self._shape) if dim is None else self._shape[dim]

    def dim(self):
        return len(self._shape)

    ndim = property(lambda self: len(self._shape))
    ndimension = dim

    def numel(self):
        return _numel(self._shape)

    nelement = numel
    dtype = property(lambda self: self._kind)
    device = property(lambda self: device("cpu"))
    is_cuda = False
    T = property(lambda self: self.transpose(0, 1) if len(self._shape) == 2 else self)

    def __len__(self):
        if not self._shape:
            raise TypeError("len() of a 0-d tensor")
        return self._shape[0]

    def __iter__(self):
        if not self._shape:
            raise TypeError("iteration over a 0-d tensor")
        return iter([self[i] for i in range(self._shape[0])])

    def stride(self, dim=None):
        return self._strides if dim is None else self._strides[dim]

    def is_contiguous(self):
        return self._is_flat()

    def contiguous(self):
        return self if self._is_flat() else self.clone()

    def unsqueeze(self, dim):
        n = len(self._shape) + 1
        dim = dim + n if dim < 0 else dim
        shape, strides = list(self._shape), list(self._strides)
        shape.insert(dim, 1)
        strides.insert(dim, strides[dim] * shape[dim + 1] if dim < len(strides) else 1)
        return self._view(self._offset, shape, strides)

    def squeeze(self, dim=None):
        keep = [i for i, s in enumerate(self._shape)
                if s != 1 or (dim is not None and i != dim % max(len(self._shape), 1))]
        return self._view(self._offset, [self._shape[i] for i in keep], [self._strides[i] for i in keep])

    def reshape(self, *shape):
        if len(shape) == 1 and isinstance(shape[0], (list, tuple)):
            shape = tuple(shape[0])
        n = self.numel()
        if -1 in shape:
            rest = 1
            for s in shape:
                if s != -1:
                    rest *= s
            shape = tuple(n // rest if s == -1 else s for s in shape)
        if _numel(shape) != n:
            raise RuntimeError("shape '%s' is invalid for input of size %d" % (list(shape), n))
        if self._is_flat():
            return self._view(self._offset, shape, _row_major(shape))
        return self._new(self._list(), tuple(shape))

    view = reshape

    def flatten(self, start_dim=0, end_dim=-1):
        return self.reshape(-1)

    ravel = flatten

    def transpose(self, a, b):
        shape, strides = list(self._shape), list(self._strides)
        shape[a], shape[b] = shape[b], shape[a]
        strides[a], strides[b] = strides[b], strides[a]
        return self._view(self._offset, shape, strides)

    def t(self):
        return self.transpose(0, 1)

    def expand(self, *sizes):
        if len(sizes) == 1 and isinstance(sizes[0], (list, tuple)):
            sizes = tuple(sizes[0])
        lead = len(sizes) - len(self._shape)
        shape, strides = [], []
        for i, size in enumerate(sizes):
            own = self._shape[i - lead] if i >= lead else 1
            step = self._strides[i - lead] if i >= lead else 0
            shape.append(own if size == -1 else size)
            strides.append(0 if own == 1 and size not in (-1, 1) else step)
        return self._view(self._offset, shape, strides)

    def expand_as(self, other):
        return self.expand(*other._shape)

    def repeat(self, *times):
        if len(times) == 1 and isinstance(times[0], (list, tuple)):
            times = tuple(times[0])
        if len(self._shape) == 1 and len(times) == 1:
            return self._new(self._list() * times[0], (self._shape[0] * times[0],))
        if len(times) == 2:
            rows = self if len(self._shape) == 2 else self.unsqueeze(0)
            line = [r._list() * times[1] for r in rows]
            flat = [v for _ in range(times[0]) for r in line for v in r]
            return self._new(flat, (len(line) * times[0], len(line[0]) if line else 0))
        return _refuse("Tensor.repeat over so many dimensions")

    # values
    def tolist(self):
        def nest(at, depth):
            if depth == len(self._shape):
                return self._data[at]
            step = self._strides[depth]
            return [nest(at + i * step, depth + 1) for i in range(self._shape[depth])]
        return nest(self._offset, 0)

    def item(self):
        if _numel(self._shape) != 1:
            raise RuntimeError("a Tensor with %d elements cannot be converted to Scalar" % _numel(self._shape))
        return self._data[self._offset]

    def clone(self, **kwargs):
        return self._new(self._list(), self._shape)

    def __deepcopy__(self, memo):
        return self.clone()

    __copy__ = clone

    def detach(self):
        return self

    def to(self, *args, **kwargs):
        kind = kwargs.get("dtype")
        for a in args:
            if isinstance(a, dtype):
                kind = a
        return self if kind is None or kind is self._kind else self._new(_cast(self._list(), kind), self._shape, kind)

    def type(self, kind=None):
        return "torch.LongTensor" if kind is None else self.to(kind)

    def long(self):
        return self.to(int64)

    def int(self):
        return self.to(int32)

    def bool(self):
        return self.to(_boolean)

    def float(self):
        return self.to(float32)

    def cpu(self):
        return self

    def cuda(self, *a, **k):
        return self

    def requires_grad_(self, *a):
        return self

    def numpy(self):
        return _numpy()._from(self)

    def __array__(self, *a):
        return self.numpy()

    def type_as(self, other):
        return self.to(other._kind)

    def new_tensor(self, data):
        return Tensor(data)

    def new_full(self, shape, value, **kwargs):
        return full(shape, value, dtype=kwargs.get("dtype") or self._kind)

    def new_zeros(self, *shape, **kwargs):
        return zeros(*shape, dtype=kwargs.get("dtype") or self._kind)

    def new_ones(self, *shape, **kwargs):
        return ones(*shape, dtype=kwargs.get("dtype") or self._kind)

    def __int__(self):
        return int(self.item())

    def __index__(self):
        value = self.item()
        if not isinstance(value, _int):
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(value)

    def __float__(self):
        return _float(self.item())

    def __bool__(self):
        n = _numel(self._shape)
        if n > 1:
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")
        return _bool(self._data[self._offset]) if n else False

    def __hash__(self):
        return id(self)

    def __contains__(self, value):
        return _plain(value) in self._list()

    def __format__(self, spec):
        if not self._shape:
            return format(self.item(), spec)
        return format(repr(self), spec)

    # indexing
    def _select(self, key):
        """(offset, shape, strides) of a basic index, or None where the key holds tensors or lists."""
        keys = key if isinstance(key, tuple) else (key,)
        offset, shape, strides = self._offset, [], []
        used = sum(1 for k in keys if k is not None and k is not Ellipsis)
        dim = 0
        for k in keys:
            if k is None:
                shape.append(1)
                strides.append(0)
                continue
            if k is Ellipsis:
                skip = len(self._shape) - used
                shape.extend(self._shape[dim:dim + skip])
                strides.extend(self._strides[dim:dim + skip])
                dim += skip
                continue
            if isinstance(k, Tensor) and not k._shape and k._kind is not _boolean:
                k = k.item()
            if isinstance(k, (Tensor, list, _bool)):
                return None
            if dim >= len(self._shape):
                if not self._shape:
                    raise IndexError("invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim tensor to a number")
                raise IndexError("too many indices for tensor of dimension %d" % len(self._shape))
            size, step = self._shape[dim], self._strides[dim]
            if isinstance(k, slice):
                start, stop, jump = slice(*[None if p is None else _plain(p) for p in (k.start, k.stop, k.step)]).indices(size)
                if jump < 0:
                    raise ValueError("step must be greater than zero")
                shape.append(max(0, (stop - start + jump - 1) // jump))
                strides.append(step * jump)
                offset += start * step
            elif isinstance(k, _int) or hasattr(k, "__index__"):
                at = k.__index__()
                if not -size <= at < size:
                    raise IndexError("index %d is out of bounds for dimension %d with size %d" % (at, dim, size))
                offset += (at + size if at < 0 else at) * step
            else:
                raise TypeError("only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got %s)" % type(k).__name__)
            dim += 1
        shape.extend(self._shape[dim:])
        strides.extend(self._strides[dim:])
        return offset, tuple(shape), tuple(strides)

    def _picked(self, key):
        """Positions that a mask or a list of indices picks, and their shape."""
        if isinstance(key, tuple):
            if len(key) == 1:
                return self._picked(key[0])
            if len(key) == 2 and not isinstance(key[0], slice):
                rows, columns = [k._list() if isinstance(k, Tensor) else list(k) if isinstance(k, (list, tuple)) else k
                                 for k in key]
                if isinstance(columns, slice):
                    return self[key[0]]._picked(columns)
                n = len(rows) if isinstance(rows, list) else len(columns)
                rows = rows if isinstance(rows, list) else [rows] * n
                columns = columns if isinstance(columns, list) else [columns] * n
                (h, w), (a, b) = self._shape, self._strides
                return [self._offset + (r + h if r < 0 else r) * a + (c + w if c < 0 else c) * b
                        for r, c in zip(rows, columns)], (n,)
            if len(key) == 2 and key[0] == slice(None) and len(self._shape) == 2 and self._shape[0] == 1:
                positions, shape = self[0]._picked(key[1])
                return positions, (1,) + shape
            _refuse("indexing a tensor in this way")
        if isinstance(key, list):
            key = Tensor(key)
        if isinstance(key, _bool):
            return (list(self._positions()) if key else []), (self.numel() if key else 0,)
        if key._kind is _boolean:
            if tuple(key._shape) == tuple(self._shape):
                picked = [at for at, on in zip(self._positions(), key._list()) if on]
                return picked, (len(picked),)
            if len(key._shape) == 1 and key._shape[0] == self._shape[0]:
                out = []
                for i, on in enumerate(key._list()):
                    if on:
                        out.extend(self[i]._positions())
                return out, (sum(key._list()),) + tuple(self._shape[1:])
            raise IndexError("The shape of the mask %s at index 0 does not match the shape of the indexed tensor %s at index 0"
                             % (list(key._shape), list(self._shape)))
        if key._kind in _FLOATS and key.numel():
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        out = []
        for i in key._list():
            size = self._shape[0]
            if not -size <= i < size:
                raise IndexError("index %d is out of bounds for dimension 0 with size %d" % (i, size))
            at = self._offset + (i + size if i < 0 else i) * self._strides[0]
            out.extend([at] if len(self._shape) == 1 else self[i]._positions())
        return out, tuple(key._shape) + tuple(self._shape[1:])

    def __getitem__(self, key):
        basic = self._select(key)
        if basic is not None:
            return self._view(*basic)
        positions, shape = self._picked(key)
        data = self._data
        return self._new([data[at] for at in positions], shape)

    def __setitem__(self, key, value):
        basic = self._select(key)
        if basic is not None:
            if type(value) is _int and len(basic[1]) == 1 and basic[2][0] == 1 and self._kind is int64:
                offset, n = basic[0], basic[1][0]
                self._data[offset:offset + n] = [value] * n
            else:
                self._view(*basic)._assign(value)
            _wrote(self, basic[0], basic[1], basic[2], value)
            return
        positions, shape = self._picked(key)
        data = self._data
        if isinstance(value, (list, tuple)):
            value = Tensor(value)
        if isinstance(value, Tensor) and value.numel() != 1:
            if value.numel() != len(positions):
                raise RuntimeError("shape mismatch: value tensor of shape %s cannot be broadcast to indexing result of shape %s"
                                   % (list(value._shape), list(shape)))
            for at, v in zip(positions, _cast(value._list(), self._kind)):
                data[at] = v
        else:
            one = _cast([_plain(value)], self._kind)[0]
            for at in positions:
                data[at] = one
        _wrote_at(self, positions, value)

    def _assign(self, value):
        if isinstance(value, (list, tuple)):
            value = Tensor(value)
        if isinstance(value, Tensor):
            values = _broadcast_to(value, self._shape)
            if values is None:
                raise RuntimeError("The expanded size of the tensor (%d) must match the existing size (%d) at non-singleton dimension 0.  Target sizes: %s.  Tensor sizes: %s"
                                   % (self._shape[0] if self._shape else 1, value._shape[0] if value._shape else 1,
                                      list(self._shape), list(value._shape)))
            values = _cast(values, self._kind)
        else:
            if value is None or isinstance(value, str):
                raise TypeError("can't assign a %s to a torch.%sTensor" % (type(value).__name__, "Long"))
            values = _cast([value], self._kind) * _numel(self._shape)
        data = self._data
        for at, v in zip(self._positions(), values):
            data[at] = v

    def fill_(self, value):
        self._assign(value)
        _wrote(self, self._offset, self._shape, self._strides, value)
        return self

    def zero_(self):
        return self.fill_(0)

    def copy_(self, other):
        self._assign(other)
        return self

    def masked_fill_(self, mask, value):
        self[mask] = value
        return self

    def masked_fill(self, mask, value):
        made = self.clone()
        if tuple(mask._shape) != tuple(made._shape):
            mask = Tensor(_broadcast_to(mask, made._shape), made._shape, _boolean)
        made[mask] = value
        return made

    def masked_select(self, mask):
        return self[mask]

    def index_fill_(self, dim, index, value):
        self[index] = value
        return self

    # arithmetic
    def _pairs(self, other, name):
        if isinstance(other, (list, tuple)) and self._wrap == "numpy":
            other = Tensor(other)
        if isinstance(other, Tensor):
            if tuple(other._shape) == tuple(self._shape):
                return self._list(), other._list(), self._shape
            shape = _broadcast(self._shape, other._shape)
            return _broadcast_to(self, shape), _broadcast_to(other, shape), shape
        if not isinstance(other, (_int, _float)):
            kind = type(other).__name__
            raise TypeError(
                "%s() received an invalid combination of arguments - got (%s), but expected one of:\n * (Tensor other)\n"
                "      didn't match because some of the arguments have invalid types: (!%s!)\n * (Number other)\n"
                "      didn't match because some of the arguments have invalid types: (!%s!)\n" % (name, kind, kind, kind))
        return self._list(), None, self._shape

    def _compare(self, other, name, one, both):
        a, b, shape = self._pairs(other, name)
        return self._new(one(a, other) if b is None else both(a, b), shape, _boolean)

    def eq(self, other):
        return self._compare(other, "eq", lambda a, o: [v == o for v in a], lambda a, b: [v == w for v, w in zip(a, b)])

    def ne(self, other):
        return self._compare(other, "ne", lambda a, o: [v != o for v in a], lambda a, b: [v != w for v, w in zip(a, b)])

    not_equal = ne

    def lt(self, other):
        return self._compare(other, "lt", lambda a, o: [v < o for v in a], lambda a, b: [v < w for v, w in zip(a, b)])

    def le(self, other):
        return self._compare(other, "le", lambda a, o: [v <= o for v in a], lambda a, b: [v <= w for v, w in zip(a, b)])

    def gt(self, other):
        return self._compare(other, "gt", lambda a, o: [v > o for v in a], lambda a, b: [v > w for v, w in zip(a, b)])

    def ge(self, other):
        return self._compare(other, "ge", lambda a, o: [v >= o for v in a], lambda a, b: [v >= w for v, w in zip(a, b)])

    def __eq__(self, other):
        return False if other is None or isinstance(other, str) else self.eq(other)

    def __ne__(self, other):
        return True if other is None or isinstance(other, str) else self.ne(other)

    __lt__, __le__, __gt__, __ge__ = lt, le, gt, ge

    def equal(self, other):
        return tuple(self._shape) == tuple(other._shape) and self._list() == other._list()

    def _math(self, other, name, apply):
        a, b, shape = self._pairs(other, name)
        values = [apply(v, other) for v in a] if b is None else [apply(v, w) for v, w in zip(a, b)]
        kind = _kind_of(values) if values else self._kind
        if kind is int64 and self._kind in (int32, int16, int8):
            kind = self._kind
        return self._new(values, shape, kind)

    def __add__(self, other):
        return self._math(other, "add", lambda a, b: a + b)

    __radd__ = add = __add__

    def __sub__(self, other):
        return self._math(other, "sub", lambda a, b: a - b)

    sub = __sub__

    def __rsub__(self, other):
        return self._math(other, "rsub", lambda a, b: b - a)

    def __mul__(self, other):
        return self._math(other, "mul", lambda a, b: a * b)

    __rmul__ = mul = __mul__

    def __truediv__(self, other):
        return self._math(other, "div", lambda a, b: a / b)

    def __floordiv__(self, other):
        return self._math(other, "floor_divide", lambda a, b: a // b)

    def __mod__(self, other):
        return self._math(other, "remainder", lambda a, b: a % b)

    def __neg__(self):
        return self._new([-v for v in self._list()], self._shape)

    def abs(self):
        return self._new([abs(v) for v in self._list()], self._shape)

    def _in_place(self, made):
        self._assign(made)
        return self

    def __iadd__(self, other):
        return self._in_place(self + other)

    add_ = __iadd__

    def __isub__(self, other):
        return self._in_place(self - other)

    def __imul__(self, other):
        return self._in_place(self * other)

    def _bits(self, other, name, apply):
        a, b, shape = self._pairs(other, name)
        values = [apply(v, other) for v in a] if b is None else [apply(v, w) for v, w in zip(a, b)]
        return self._new(values, shape, self._kind)

    def __and__(self, other):
        return self._bits(other, "bitwise_and", lambda a, b: a & b)

    def __or__(self, other):
        return self._bits(other, "bitwise_or", lambda a, b: a | b)

    def __xor__(self, other):
        return self._bits(other, "bitwise_xor", lambda a, b: a ^ b)

    __rand__, __ror__, logical_and, logical_or = __and__, __or__, __and__, __or__

    def __invert__(self):
        if self._kind is _boolean:
            return self._new([not v for v in self._list()], self._shape)
        return self._new([~v for v in self._list()], self._shape)

    logical_not = __invert__

    # reductions
    def _reduce(self, dim, keepdim, apply, kind):
        if dim is None:
            return self._new([apply(self._list())], (), kind)
        n = len(self._shape)
        dim = dim + n if dim < 0 else dim
        moved = [i for i in range(n) if i != dim]
        shape = [self._shape[i] for i in moved]
        starts = [self._offset]
        for i in moved:
            starts = [at + j * self._strides[i] for at in starts for j in range(self._shape[i])]
        step, size, data = self._strides[dim], self._shape[dim], self._data
        values = [apply([data[at + j * step] for j in range(size)]) for at in starts]
        if keepdim:
            shape.insert(dim, 1)
        return self._new(values, tuple(shape), kind)

    def sum(self, dim=None, keepdim=False, axis=None, dtype=None):
        dim = axis if dim is None else dim
        if dim is None and self._kind is _boolean:
            return self._new([self._list().count(True)], (), int64)
        return self._reduce(dim, keepdim, sum, self._kind if self._kind in _FLOATS else int64)

    def any(self, dim=None, keepdim=False):
        return self._reduce(dim, keepdim, any, _boolean)._as_bool()

    def all(self, dim=None, keepdim=False):
        return self._reduce(dim, keepdim, all, _boolean)._as_bool()

    def _as_bool(self):
        self._data = [_bool(v) for v in self._data]
        return self

    def max(self, dim=None, keepdim=False):
        if dim is None:
            return self._reduce(None, False, max, self._kind)
        return self._pair(dim, keepdim, max)

    def min(self, dim=None, keepdim=False):
        if dim is None:
            return self._reduce(None, False, min, self._kind)
        return self._pair(dim, keepdim, min)

    def _pair(self, dim, keepdim, apply):
        values = self._reduce(dim, keepdim, apply, self._kind)
        indices = self._reduce(dim, keepdim, lambda v: v.index(apply(v)), int64)
        return (values, indices)

    def argmax(self, dim=None, keepdim=False):
        return self._reduce(dim, keepdim, lambda v: v.index(max(v)), int64)

    def argmin(self, dim=None, keepdim=False):
        return self._reduce(dim, keepdim, lambda v: v.index(min(v)), int64)

    def count_nonzero(self, dim=None):
        return self._reduce(dim, False, lambda v: sum(1 for x in v if x), int64)

    def cumsum(self, dim=0):
        if len(self._shape) != 1:
            return _refuse("Tensor.cumsum over several dimensions")
        out, total = [], 0
        for v in self._list():
            total += v
            out.append(total)
        return self._new(out, self._shape, int64)

    def nonzero(self, as_tuple=False):
        if len(self._shape) == 1:
            found = [[i] for i, v in enumerate(self._list()) if v]
        else:
            found = []
            for i in range(self._shape[0]):
                found.extend([[i] + rest for rest in self[i].nonzero().tolist()])
        n = len(self._shape)
        if as_tuple:
            return tuple(Tensor([f[d] for f in found], (len(found),), int64) for d in range(n))
        return Tensor([v for f in found for v in f], (len(found), n), int64)

    def flip(self, *dims):
        if len(self._shape) == 1:
            return self._new(self._list()[::-1], self._shape)
        return _refuse("Tensor.flip over several dimensions")

    def unbind(self, dim=0):
        return tuple(self)

    def split(self, size, dim=0):
        return split(self, size, dim)

    def unique(self, **kwargs):
        values = sorted(set(self._list()))
        return Tensor(values, (len(values),), self._kind)

    def __repr__(self):
        return _shown(self)

    __str__ = __repr__

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Missing("Tensor." + name)


LongTensor = IntTensor = Tensor


def _broadcast(a, b):
    out = []
    for i in range(1, max(len(a), len(b)) + 1):
        x = a[-i] if i <= len(a) else 1
        y = b[-i] if i <= len(b) else 1
        if x != y and 1 not in (x, y):
            raise RuntimeError("The size of tensor a (%d) must match the size of tensor b (%d) at non-singleton dimension %d"
                               % (x, y, max(len(a), len(b)) - i))
        out.append(y if x == 1 else x)
    return tuple(reversed(out))


def _broadcast_to(tensor, shape):
    if tuple(tensor._shape) == tuple(shape):
        return tensor._list()
    if tensor.numel() == 1:
        return tensor._list() * _numel(shape)
    own = list(tensor._shape)
    while len(own) > len(shape) and own[0] == 1:
        own.pop(0)
    if len(own) > len(shape):
        return None
    for x, y in zip(reversed(own), reversed(shape)):
        if x != y and x != 1:
            return None
    flat = tensor.reshape(*own)
    lead = len(shape) - len(own)
    strides = [0] * lead + [0 if x == 1 and y != 1 else s
                            for x, y, s in zip(own, shape[lead:], flat._strides)]
    return flat._view(flat._offset, shape, strides)._list()


def _shown(tensor):
    if tensor._kind in _FLOATS and tensor.numel():
        return "tensor(%s, dtype=%r)" % (tensor.tolist(), tensor._kind)
    values = tensor._list()
    suffix = "" if tensor._kind in (int64, _boolean) else ", dtype=%r" % tensor._kind
    if not tensor._shape:
        return "tensor(%s%s)" % (values[0], suffix)
    if not values:
        extra = "" if tensor._shape == (0,) else ", size=%r" % (tuple(tensor._shape),)
        tail = ", dtype=%r" % tensor._kind if tensor._kind is not float32 else ""
        return "tensor([]%s%s)" % (extra, tail)
    summarize = tensor.numel() > 1000
    shown = values if not summarize else None
    if summarize:
        shown = _edges(tensor)
    width = max(len(str(v)) for v in shown)

    def rows(t, indent):
        if len(t._shape) == 1:
            n = t._shape[0]
            cells = [str(v).rjust(width) for v in
                     (t._list() if not (summarize and n > 6) else t._list()[:3] + t._list()[-3:])]
            if summarize and n > 6:
                cells.insert(3, " ...")
            a_line = max(1, (80 - indent) // (width + 2))
            lines = [", ".join(cells[i:i + a_line]) for i in range(0, len(cells), a_line)]
            return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
        inner = [rows(t[i], indent + 1) for i in range(t._shape[0])]
        return "[" + (",\n" + "\n" * (len(t._shape) - 2) + " " * (indent + 1)).join(inner) + "]"

    return "tensor(" + rows(tensor, 7) + suffix + ")"


def _edges(tensor):
    if len(tensor._shape) == 1:
        values = tensor._list()
        return values[:3] + values[-3:] if len(values) > 6 else values
    return [v for i in range(tensor._shape[0]) for v in _edges(tensor[i])]


# functions
def tensor(data, dtype=None, device=None, requires_grad=False):
    if isinstance(data, Tensor):
        made = Tensor(data._list(), data._shape, data._kind)
        return made if dtype is None else made.to(dtype)
    if isinstance(data, (_int, _float)):
        kind = dtype or _kind_of([data])
        return Tensor(_cast([data], kind), (), kind)
    return Tensor(data, None, dtype)


as_tensor = tensor


def from_numpy(array):
    return Tensor(array._data, array._shape, array._kind, array._offset, array._strides)


def is_tensor(thing):
    return isinstance(thing, Tensor) and thing._wrap is None


def _sizes(shape):
    if len(shape) == 1 and isinstance(shape[0], (list, tuple)):
        shape = shape[0]
    return tuple(int(_plain(s)) for s in shape)


_MOST = 50_000_000


def full(size, fill_value, dtype=None, device=None, **kwargs):
    size = _sizes((size,)) if isinstance(size, (list, tuple)) else (int(_plain(size)),)
    if _numel(size) > _MOST:
        raise RuntimeError("[enforce fail] the sandbox makes no tensor of %d elements" % _numel(size))
    value = _plain(fill_value)
    kind = dtype or _kind_of([value])
    return Tensor(_cast([value], kind) * _numel(size), size, kind)


def zeros(*size, dtype=None, **kwargs):
    return full(_sizes(size or (kwargs.get("size"),)), 0, dtype or float32)


def ones(*size, dtype=None, **kwargs):
    return full(_sizes(size or (kwargs.get("size"),)), 1, dtype or float32)


def empty(*size, dtype=None, **kwargs):
    return zeros(*size, dtype=dtype)


def full_like(other, fill_value, dtype=None, **kwargs):
    return full(other._shape, fill_value, dtype or other._kind)


def zeros_like(other, dtype=None, **kwargs):
    return full_like(other, 0, dtype)


def ones_like(other, dtype=None, **kwargs):
    return full_like(other, 1, dtype)


empty_like = zeros_like


def arange(start, end=None, step=1, dtype=None, **kwargs):
    start, end = (0, start) if end is None else (start, end)
    values = list(range(_plain(start), _plain(end), _plain(step)))
    return Tensor(values, (len(values),), dtype or int64)


def stack(tensors, dim=0):
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0]._shape
    for i, t in enumerate(tensors):
        if tuple(t._shape) != tuple(first):
            raise RuntimeError("stack expects each tensor to be equal size, but got %s at entry 0 and %s at entry %d"
                               % (list(first), list(t._shape), i))
    flat = []
    for t in tensors:
        flat.extend(t._list())
    made = Tensor(flat, (len(tensors),) + tuple(first), tensors[0]._kind)
    return made if dim == 0 else made.transpose(0, dim).contiguous()


def cat(tensors, dim=0, axis=None):
    tensors = [t for t in tensors]
    dim = dim if axis is None else axis
    if not tensors:
        raise RuntimeError("torch.cat(): expected a non-empty list of Tensors")
    kept = [t for t in tensors if tuple(t._shape) != (0,)] or tensors[:1]
    n = len(kept[0]._shape)
    dim = dim + n if dim < 0 else dim
    kind = kept[0]._kind
    for t in kept:
        if t._kind in _FLOATS:
            kind = t._kind
    if dim == 0:
        flat = []
        for t in kept:
            if tuple(t._shape[1:]) != tuple(kept[0]._shape[1:]):
                raise RuntimeError("Sizes of tensors must match except in dimension 0. Expected size %s but got size %s"
                                   % (list(kept[0]._shape[1:]), list(t._shape[1:])))
            flat.extend(t._list())
        return Tensor(_cast(flat, kind), (sum(t._shape[0] for t in kept),) + tuple(kept[0]._shape[1:]), kind)
    if n == 2:
        rows = []
        for i in range(kept[0]._shape[0]):
            for t in kept:
                rows.extend(t[i]._list())
        return Tensor(rows, (kept[0]._shape[0], sum(t._shape[1] for t in kept)), kind)
    return _refuse("torch.cat over dimension %d" % dim)


concat = concatenate = cat


def where(condition, a=None, b=None):
    if a is None:
        return condition.nonzero(as_tuple=True)
    shape = tuple(condition._shape)
    for other in (a, b):
        if isinstance(other, Tensor):
            shape = _broadcast(shape, other._shape)
    left = _broadcast_to(a, shape) if isinstance(a, Tensor) else [a] * _numel(shape)
    right = _broadcast_to(b, shape) if isinstance(b, Tensor) else [b] * _numel(shape)
    values = [x if c else y for c, x, y in zip(_broadcast_to(condition, shape), left, right)]
    return Tensor(values, shape, _kind_of(values))


def isin(elements, test_elements):
    wanted = set(test_elements._list() if isinstance(test_elements, Tensor) else test_elements)
    return Tensor([v in wanted for v in elements._list()], elements._shape, _boolean)


def split(tensor, size, dim=0):
    out, at, n = [], 0, tensor._shape[dim]
    sizes = size if isinstance(size, (list, tuple)) else [size] * ((n + size - 1) // size)
    for s in sizes:
        out.append(tensor[at:at + s] if dim == 0 else tensor[:, at:at + s])
        at += s
    return tuple(out)


def _of_method(name):
    def call(tensor, *args, **kwargs):
        return getattr(tensor, name)(*args, **kwargs)
    call.__name__ = name
    return call


# Under names that Python has of its own: they are found as attributes, and this module keeps Python's.
_FUNCTIONS = {"int": int32, "bool": _boolean}
for _name in ("eq", "ne", "lt", "le", "gt", "ge", "sum", "any", "all", "max", "min", "argmax", "argmin", "nonzero", "cumsum",
              "equal", "clone", "unsqueeze", "squeeze", "flatten", "reshape", "transpose", "flip", "unique", "logical_and",
              "logical_or", "logical_not", "masked_fill", "masked_select", "count_nonzero", "numel", "abs", "add", "sub",
              "mul", "unbind"):
    _FUNCTIONS[_name] = _of_method(_name)


class device:
    def __init__(self, name="cpu", index=None):
        self.type = str(name).split(":")[0]

    def __repr__(self):
        return "device(type='%s')" % self.type


class no_grad:
    def __call__(self, function):
        return function

    def __enter__(self):
        return self

    def __exit__(self, *a):
        return False


inference_mode = no_grad


def manual_seed(seed):
    return None


def pad_sequence(sequences, batch_first=False, padding_value=0, padding_side="right"):
    sequences = list(sequences)
    longest = max(s._shape[0] for s in sequences)
    flat = []
    for s in sequences:
        fill = [_plain(padding_value)] * (longest - s._shape[0])
        flat.extend(fill + s._list() if padding_side == "left" else s._list() + fill)
    made = Tensor(flat, (len(sequences), longest), sequences[0]._kind)
    return made if batch_first else made.transpose(0, 1)


def _default_collate(batch):
    """`torch.utils.data.default_collate`: samples of one make become one of batches."""
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch), 0)
    if isinstance(first, (_bool, _int, _float)):
        return tensor(list(batch))
    if isinstance(first, str):
        return list(batch)
    if isinstance(first, dict):
        return {key: _default_collate([sample[key] for sample in batch]) for key in first}
    if isinstance(first, (list, tuple)):
        if any([len(sample) != len(first) for sample in batch]):
            raise RuntimeError("each element in list of batch should be of equal size")
        made = [_default_collate([sample[at] for sample in batch]) for at in range(len(first))]
        return made if isinstance(first, list) else tuple(made)
    raise TypeError("default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found " + str(type(first)))


def _pad(input, pad, mode="constant", value=0):
    if len(pad) != 2 or mode != "constant":
        return _refuse("torch.nn.functional.pad in this form")
    left, right = pad
    rows = [input] if len(input._shape) == 1 else list(input)
    out = []
    for r in rows:
        line = r._list()
        line = [value] * left + line if left >= 0 else line[-left:]
        line = line + [value] * right if right >= 0 else line[:right]
        out.append(line)
    made = [v for line in out for v in line]
    return Tensor(_cast(made, input._kind), (len(out[0]),) if len(input._shape) == 1 else (len(out), len(out[0])), input._kind)


class _Dataset:
    def __class_getitem__(cls, item):
        return cls

    def __getitem__(self, index):
        raise NotImplementedError


class _Module:
    """The base class of layers: it can be derived from, not run."""


__version__ = "2.1.2"


def __getattr__(name):
    if name in _FUNCTIONS:
        return _FUNCTIONS[name]
    if name.startswith("__"):
        raise AttributeError(name)
    return _Missing("torch." + name)
