# The tokenizer behind transformers' Python API: the ids come from maskscope, the lists and tensors are made here.
_torch = _import("torch")
__version__ = _versions["transformers"]
_ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_IDS = tuple(role + "_id" for role in _ROLES)
_HELD = ("model_max_length", "padding_side", "truncation_side", "chat_template", "legacy", "add_bos_token", "add_eos_token",
         "clean_up_tokenization_spaces")
_READ = ("vocab_size", "is_fast", "name_or_path", "additional_special_tokens", "additional_special_tokens_ids",
         "all_special_tokens", "all_special_ids", "special_tokens_map", "add_prefix_space") + _HELD + _ROLES + _IDS
_NO_PAD = ("Asking to pad but the tokenizer does not have a padding token. Please select a token to use as `pad_token` "
           "`(tokenizer.pad_token = tokenizer.eos_token e.g.)` or add a new pad token via "
           "`tokenizer.add_special_tokens({'pad_token': '[PAD]'})`.")
_RAGGED = ("Unable to create tensor, you should probably activate truncation and/or padding with 'padding=True' "
           "'truncation=True' to have batched tensors with the same length. Perhaps your features (`input_ids` in this case) "
           "have excessive nesting (inputs type `list` where type `int` is expected).")


class AddedToken:
    def __init__(self, content, single_word=False, lstrip=False, rstrip=False, normalized=None, special=False):
        self.content = content
        self.single_word = single_word
        self.lstrip = lstrip
        self.rstrip = rstrip
        self.special = special
        self.normalized = (not special) if normalized is None else normalized

    def __str__(self):
        return self.content

    def __repr__(self):
        return ("AddedToken(%r, rstrip=%r, lstrip=%r, single_word=%r, normalized=%r, special=%r)"
                % (self.content, self.rstrip, self.lstrip, self.single_word, self.normalized, self.special))

    def __eq__(self, other):
        return self.content == (other.content if isinstance(other, AddedToken) else other)

    def __hash__(self):
        return hash(self.content)


def _sent(token):
    if isinstance(token, AddedToken):
        return {"content": token.content, "lstrip": token.lstrip, "rstrip": token.rstrip, "normalized": token.normalized,
                "single_word": token.single_word, "special": token.special}
    if not isinstance(token, str):
        raise TypeError("Token %s is not a string but a %s." % (token, type(token)))
    return token


class BatchEncoding(dict):
    def __init__(self, data=None, **kwargs):
        super().__init__(data or {})

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name)

    @property
    def data(self):
        return self

    def to(self, *args, **kwargs):
        return self


class PreTrainedTokenizerBase:
    def __init__(self, *args, **kwargs):
        made = type(self)._load(kwargs)
        object.__setattr__(self, "_handle", made["handle"])
        object.__setattr__(self, "_known", {})

    @classmethod
    def _load(cls, kwargs):
        if not _setting_up():
            # A tokenizer of the repository's own choice: it would come from the hub, which cannot be reached.
            raise OSError("We couldn't connect to 'https://huggingface.co' to load this file: there is no network here")
        sent = {}
        for key, value in kwargs.items():
            if key in ("trust_remote_code", "cache_dir", "revision", "token", "use_auth_token", "tokenizer_file", "vocab_file",
                       "subfolder", "local_files_only", "device_map", "torch_dtype", "version", "config"):
                continue
            if isinstance(value, (list, tuple)):
                value = [_sent(v) for v in value]
            elif isinstance(value, AddedToken):
                value = _sent(value)
            elif isinstance(value, _Missing):
                continue
            sent[key] = value
        name = None if cls.__name__ in ("AutoTokenizer", "PreTrainedTokenizerBase") else cls.__name__
        return _asked(_host.ask({"ask": "load", "class": name, "files_only": "tokenizer_file" in kwargs, "kwargs": sent}))

    @classmethod
    def from_pretrained(cls, path=None, *args, **kwargs):
        made = cls._load(kwargs)
        return _of_handle(made)

    # attributes
    def __getattr__(self, name):
        known = self._known
        if name in known:
            value = known[name]
            return list(value) if type(value) is list else value
        if name not in _READ:
            if name.startswith("__") and name.endswith("__"):
                raise AttributeError(name)
            if hasattr(_Known, name):
                return _Missing("tokenizer." + name)
            raise AttributeError(self._absent(name))
        answer = self._ask("get", name=name)
        if "absent" in answer:
            raise AttributeError(answer["absent"])
        value = known[name] = answer["value"]
        if type(value) is list:
            return list(value)
        return value

    def _absent(self, name):
        return "'%s' object has no attribute '%s'" % (type(self).__name__, name)

    def __setattr__(self, name, value):
        if name in _ROLES:
            if value is not None and not isinstance(value, (str, AddedToken)):
                raise ValueError("Cannot set a non-string value as the %s" % name[:-6].upper())
            self._change("role", role=name[:-6], token=None if value is None else _sent(value))
        elif name in _IDS:
            token = None if value is None else self.convert_ids_to_tokens(value)
            self._change("role", role=name[:-9], token=token)
        elif name == "additional_special_tokens":
            self._change("additional", tokens=[_sent(t) for t in value or []])
        elif name in _HELD:
            if isinstance(value, _torch.Tensor):
                value = value.item()
            self._change("hold", name=name, value=value)
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name):
        self.__dict__.pop(name, None)

    def _ask(self, op, **more):
        more["ask"] = op
        more["handle"] = self._handle
        return _asked(_host.ask(more))

    def _change(self, op, **more):
        answer = self._ask(op, **more)
        object.__setattr__(self, "_handle", answer["handle"])
        object.__setattr__(self, "_known", {})
        return answer

    def __deepcopy__(self, memo):
        made = object.__new__(type(self))
        for key, value in self.__dict__.items():
            object.__setattr__(made, key, value)
        object.__setattr__(made, "_known", dict(self._known))
        return made

    __copy__ = lambda self: self.__deepcopy__({})

    def __len__(self):
        known = self._known.get("len")
        if known is None:
            known = self._known["len"] = self._ask("get", name="len")["value"]
        return known

    def __bool__(self):
        return True

    def __repr__(self):
        return "%s(vocab_size=%d)" % (type(self).__name__, self.vocab_size)

    def num_special_tokens_to_add(self, pair=False):
        return len(self._encode("", True))

    @property
    def _tokenizer(self):
        if not self.is_fast:
            raise AttributeError(self._absent("_tokenizer"))
        return _Backend(self)

    backend_tokenizer = _tokenizer

    # vocabulary
    def add_tokens(self, new_tokens, special_tokens=False):
        if not new_tokens:
            return 0
        if not isinstance(new_tokens, (list, tuple)):
            new_tokens = [new_tokens]
        return self._change("add", tokens=[_sent(t) for t in new_tokens], special=bool(special_tokens))["added"]

    def add_special_tokens(self, special_tokens_dict, replace_additional_special_tokens=True):
        if not special_tokens_dict:
            return 0
        added = 0
        for key, value in special_tokens_dict.items():
            if key == "additional_special_tokens":
                added += self._change("add_additional", tokens=[_sent(t) for t in value],
                                      replace=bool(replace_additional_special_tokens))["added"]
            elif key in _ROLES:
                if not isinstance(value, (str, AddedToken)):
                    raise AssertionError("Token %s for key %s should be a str or an AddedToken instance" % (value, key))
                added += self._change("add_role", role=key[:-6], token=_sent(value))["added"]
            else:
                raise AssertionError("Key %s is not a special token" % key)
        return added

    def convert_tokens_to_ids(self, tokens):
        if tokens is None:
            return None
        one = isinstance(tokens, str)
        sent = [tokens] if one else list(tokens)
        known = self._known.setdefault("ids", {})
        for token in sent:
            if token not in known:
                known[token] = self._ask("token_to_id", token=str(token))["value"]
        ids = [known[token] for token in sent]
        return ids[0] if one else ids

    def convert_ids_to_tokens(self, ids, skip_special_tokens=False):
        if isinstance(ids, _torch.Tensor):
            ids = ids.tolist()
        one = isinstance(ids, int)
        answer = self._ask("id_to_token", ids=[ids] if one else [int(i) for i in ids], skip=bool(skip_special_tokens))
        return answer["value"][0] if one else answer["value"]

    def tokenize(self, text, pair=None, add_special_tokens=False, **kwargs):
        return self.convert_ids_to_tokens(self._encode(text, add_special_tokens))

    def get_vocab(self):
        return self._ask("vocab")["value"]

    vocab = property(get_vocab)

    def get_added_vocab(self):
        return self._ask("added_vocab")["value"]

    # texts to ids
    def _encode(self, text, add_special_tokens=True, limit=None):
        if not isinstance(text, str):
            raise ValueError("text input must be of type `str` (single example), `List[str]` (batch or single pretokenized "
                             "example) or `List[List[str]]` (batch of pretokenized examples).")
        known = self._known.setdefault("texts", {})
        key = (text, add_special_tokens, limit)
        ids = known.get(key)
        if ids is None:
            ids = self._ask("encode", text=text, special=bool(add_special_tokens), limit=limit)["value"]
            if len(known) < 256:
                known[key] = ids
        _spoke(text)
        return ids[:]

    def encode(self, text, text_pair=None, add_special_tokens=True, padding=False, truncation=None, max_length=None, stride=0,
               return_tensors=None, **kwargs):
        made = self(text, text_pair, add_special_tokens=add_special_tokens, padding=padding, truncation=truncation,
                    max_length=max_length, return_tensors=return_tensors, **kwargs)
        return made["input_ids"]

    def __call__(self, text=None, text_pair=None, text_target=None, text_pair_target=None, add_special_tokens=True,
                 padding=False, truncation=None, max_length=None, stride=0, is_split_into_words=False, pad_to_multiple_of=None,
                 padding_side=None, return_tensors=None, return_token_type_ids=None, return_attention_mask=None,
                 return_overflowing_tokens=False, return_special_tokens_mask=False, return_offsets_mapping=False,
                 return_length=False, verbose=True, **kwargs):
        for name, value in (("text_pair", text_pair), ("text_target", text_target), ("stride", stride),
                            ("is_split_into_words", is_split_into_words), ("return_overflowing_tokens", return_overflowing_tokens),
                            ("return_offsets_mapping", return_offsets_mapping)):
            if value:
                _refuse("tokenizer(%s=...)" % name)
        if text is None:
            raise ValueError("You need to specify either `text` or `text_target`.")
        one = isinstance(text, str)
        if not one and not isinstance(text, (list, tuple)):
            raise ValueError("text input must be of type `str` (single example), `List[str]` (batch or single pretokenized "
                             "example) or `List[List[str]]` (batch of pretokenized examples).")
        texts = [text] if one else list(text)
        if padding is None:
            padding = False
        if padding not in (False, "do_not_pad") and (not self.pad_token or self.pad_token_id < 0):
            raise ValueError(_NO_PAD)
        cut = truncation not in (None, False, "do_not_truncate")
        if truncation is None and max_length is not None and padding in (False, "do_not_pad"):
            cut = True
        limit = None
        if cut:
            limit = self.model_max_length if max_length is None else max_length
            if limit > 10 ** 20:
                limit = None
        rows = [self._encode(t, add_special_tokens, limit) for t in texts]
        masks = [[1] * len(r) for r in rows]
        if padding not in (False, "do_not_pad"):
            wide = max([len(r) for r in rows]) if rows else 0
            if padding == "max_length":
                top = self.model_max_length if max_length is None else max_length
                wide = top if top < 10 ** 20 else wide
            if pad_to_multiple_of:
                wide = -(-wide // pad_to_multiple_of) * pad_to_multiple_of
            left = (padding_side or self.padding_side) == "left"
            pad = self.pad_token_id
            for i, row in enumerate(rows):
                fill = max(0, wide - len(row))
                rows[i] = [pad] * fill + row if left else row + [pad] * fill
                masks[i] = [0] * fill + masks[i] if left else masks[i] + [0] * fill
        made = BatchEncoding()
        made["input_ids"] = rows
        if return_token_type_ids:
            made["token_type_ids"] = [[0] * len(r) for r in rows]
        if return_attention_mask is not False:
            made["attention_mask"] = masks
        if return_special_tokens_mask:
            special = set(self.all_special_ids)
            made["special_tokens_mask"] = [[int(i in special) for i in r] for r in rows]
        if return_length:
            made["length"] = [len(r) for r in rows]
        if return_tensors is None:
            if one:
                for key in list(made):
                    made[key] = made[key][0]
            return made
        return self._as_tensors(made, return_tensors)

    def _as_tensors(self, made, kind):
        if kind not in ("pt", "np"):
            _refuse("return_tensors=%r" % (kind,))
        for key in list(made):
            rows = made[key]
            if kind == "np":
                numpy = _import("numpy")
                arrays = [numpy.array(r, dtype=numpy.int64) for r in rows] if isinstance(rows[0], list) else numpy.array(rows)
                same = not isinstance(arrays, list) or all(len(a) == len(arrays[0]) for a in arrays)
                made[key] = (numpy.stack(arrays) if isinstance(arrays, list) else arrays) if same else arrays
                continue
            try:
                made[key] = _torch.tensor(rows)
            except ValueError as e:
                raise ValueError(_RAGGED) from e
        return made

    def pad(self, encoded, padding=True, max_length=None, return_tensors=None, **kwargs):
        if isinstance(encoded, (list, tuple)):
            encoded = {key: [e[key] for e in encoded] for key in encoded[0]}
        if not self.pad_token or self.pad_token_id < 0:
            raise ValueError(_NO_PAD)
        rows = [r.tolist() if isinstance(r, _torch.Tensor) else list(r) for r in encoded["input_ids"]]
        wide = max([len(r) for r in rows]) if padding != "max_length" else (max_length or self.model_max_length)
        left = self.padding_side == "left"
        made = BatchEncoding()
        made["input_ids"], made["attention_mask"] = [], []
        for row in rows:
            fill = max(0, wide - len(row))
            made["input_ids"].append([self.pad_token_id] * fill + row if left else row + [self.pad_token_id] * fill)
            made["attention_mask"].append([0] * fill + [1] * len(row) if left else [1] * len(row) + [0] * fill)
        return made if return_tensors is None else self._as_tensors(made, return_tensors)

    batch_encode_plus = encode_plus = __call__

    def build_inputs_with_special_tokens(self, ids, pair=None):
        around = self._encode("", True)
        if not around:
            return list(ids)
        before = [around[0]] if around[0] == self.bos_token_id else []
        return before + list(ids) + around[len(before):]

    # ids to texts
    def decode(self, token_ids, skip_special_tokens=False, clean_up_tokenization_spaces=None, **kwargs):
        if isinstance(token_ids, _torch.Tensor):
            token_ids = token_ids.tolist()
        if isinstance(token_ids, int):
            token_ids = [token_ids]
        return self._ask("decode", ids=[int(i) for i in token_ids], skip=bool(skip_special_tokens))["value"]

    def batch_decode(self, sequences, **kwargs):
        return [self.decode(s, **kwargs) for s in sequences]

    # chat templates
    def apply_chat_template(self, conversation, tools=None, documents=None, chat_template=None, add_generation_prompt=False,
                            continue_final_message=False, tokenize=True, padding=False, truncation=False, max_length=None,
                            return_tensors=None, return_dict=False, return_assistant_tokens_mask=False, tokenizer_kwargs=None,
                            **kwargs):
        if tools or documents or continue_final_message or return_assistant_tokens_mask:
            _refuse("apply_chat_template with tools, documents or masks")
        many = bool(conversation) and isinstance(conversation[0], (list, tuple))
        texts = []
        for talk in (conversation if many else [conversation]):
            answer = self._ask("chat", messages=list(talk), template=chat_template, generation=bool(add_generation_prompt),
                               kwargs=kwargs)
            texts.append(answer["value"])
        if not tokenize:
            return texts if many else texts[0]
        made = self(texts if many else texts[0], add_special_tokens=False, padding=padding, truncation=truncation,
                    max_length=max_length, return_tensors=return_tensors)
        return made if return_dict else made["input_ids"]


class _Backend:
    """The library's tokenizer inside a fast class: only its post-processor can be set here."""

    def __init__(self, owner):
        self.__dict__["_owner"] = owner

    def __setattr__(self, name, value):
        if name != "post_processor" or not hasattr(value, "_description"):
            _refuse("tokenizer._tokenizer.%s = ..." % name)
        self._owner._change("post_processor", description=value._description)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Missing("tokenizer._tokenizer." + name)


class _Known:
    """Names that the real classes have and this one lacks: using them says so in place of an AttributeError."""

    save_pretrained = push_to_hub = prepare_for_model = sp_model = convert_tokens_to_string = None
    init_kwargs = added_tokens_decoder = added_tokens_encoder = truncate_sequences = get_special_tokens_mask = None
    create_token_type_ids_from_sequences = prepare_seq2seq_batch = as_target_tokenizer = None


class PreTrainedTokenizer(PreTrainedTokenizerBase):
    pass


class PreTrainedTokenizerFast(PreTrainedTokenizerBase):
    pass


class AutoTokenizer(PreTrainedTokenizerBase):
    pass


_classes = {"PreTrainedTokenizer": PreTrainedTokenizer, "PreTrainedTokenizerFast": PreTrainedTokenizerFast}


def _class(name):
    if name not in _classes:
        base = PreTrainedTokenizerFast if name.endswith("Fast") else PreTrainedTokenizer
        _classes[name] = type(name, (base,), {})
    return _classes[name]


def _asked(answer):
    raised = answer.get("raise")
    if raised is None:
        return answer
    kind, message = raised
    if kind == "NotAvailable":
        _refuse(message, "")
    kind = _PYTHON.get(kind) or type(kind, (Exception,), {})
    raise kind(message)


_PYTHON = {e.__name__: e for e in (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, AssertionError,
                                   NotImplementedError, OverflowError)}


def _of_handle(answer):
    kind = _class(answer["class"])
    made = object.__new__(kind)
    object.__setattr__(made, "_handle", answer["handle"])
    object.__setattr__(made, "_known", {})
    return made


class LabelSmoother:
    ignore_index = -100


class HfArgumentParser:
    def __init__(self, *args, **kwargs):
        _refuse("transformers.HfArgumentParser")


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    if name.endswith("Tokenizer") or name.endswith("TokenizerFast"):
        return _class(name)
    if name == "logging":
        return _import("logging")
    return _Missing("transformers." + name)
