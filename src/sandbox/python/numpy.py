# Arrays of integers over the tensors of `torch`.
_torch = _import("torch")
_T = _torch.Tensor
int64 = _torch.int64
int32 = _torch.int32
float32 = _torch.float32
bool_ = _torch._boolean


class ndarray(_T):
    _wrap = "numpy"
    shape = property(lambda self: tuple(self._shape))
    size = property(lambda self: self.numel())

    def copy(self):
        return self.clone()

    def astype(self, kind, **kwargs):
        kind = {int: int64, bool: bool_, float: float32}.get(kind, kind)
        return self._new(_torch._cast(self._list(), kind), self._shape, kind)

    def numpy(self):
        return self

    def nonzero(self):
        return tuple(_from(t) for t in _T.nonzero(self, as_tuple=True))

    def __repr__(self):
        return "array(%s)" % (self.tolist(),)

    __str__ = __repr__


def _from(tensor, kind=None):
    made = object.__new__(ndarray)
    made._data, made._shape, made._kind = tensor._data, tuple(tensor._shape), kind or tensor._kind
    made._offset, made._strides = tensor._offset, tensor._strides
    return made


def _kind(dtype):
    return {int: int64, bool: bool_, float: float32}.get(dtype, dtype)


def array(data, dtype=None):
    return _from(_torch.tensor(data, dtype=_kind(dtype)))


def asarray(data, dtype=None):
    return data if isinstance(data, ndarray) else array(data, dtype)


def full(shape, fill_value, dtype=None):
    return _from(_torch.full(shape, fill_value, dtype=_kind(dtype)))


def full_like(other, fill_value, dtype=None):
    return _from(_torch.full_like(other, fill_value, dtype=_kind(dtype)))


def zeros(shape, dtype=float):
    return _from(_torch.zeros(shape, dtype=_kind(dtype)))


def ones(shape, dtype=float):
    return _from(_torch.ones(shape, dtype=_kind(dtype)))


def arange(*args, **kwargs):
    return _from(_torch.arange(*args))


def concatenate(arrays, axis=0):
    return _from(_torch.cat([asarray(a) for a in arrays], axis))


def stack(arrays, axis=0):
    return _from(_torch.stack([asarray(a) for a in arrays], axis))


def where(condition, a=None, b=None):
    if a is None:
        return asarray(condition).nonzero()
    return _from(_torch.where(condition, a, b))


def array_equal(a, b):
    return asarray(a).equal(asarray(b))


def cumsum(a, axis=0):
    return _from(asarray(a).cumsum(axis))


__version__ = "1.26.4"


def __getattr__(name):
    if name in ("sum", "any", "all", "max", "min"):
        return lambda a, *args, **kwargs: getattr(asarray(a), name)(*args, **kwargs)
    if name.startswith("__"):
        raise AttributeError(name)
    return _Missing("numpy." + name)
