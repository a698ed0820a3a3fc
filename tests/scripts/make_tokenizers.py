#!/usr/bin/env python3
"""Makes small tokenizers of many classes, in hub layout, for record_tokenizers.py to load with the real ones.

    V/bin/pip install transformers==4.37.0 sentencepiece==0.1.99 'numpy<2'
    V/bin/python tests/scripts/make_tokenizers.py OUT

Everything is trained on the texts of this repository (README.md, src/, the embedded conversations) and a few lines of
other scripts, so the vocabularies are free. A folder holds what the hub's folders of that class hold, no more: with and
without tokenizer.json, with the switches of the class set the unusual way in `NAME_odd`.
"""

import json
import pathlib
import random
import shutil
import sys

import sentencepiece
import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

ROOT = pathlib.Path(__file__).resolve().parents[2]
OTHER_SCRIPTS = [
    "Привет, мир! Как дела сегодня? Это предложение по-русски.", "你好，世界。今天天气很好，我们去公园吧。", "こんにちは世界。カタカナとひらがな。ｶﾞ",
    "안녕하세요 세계. 한국어 문장입니다.", "مرحبا بالعالم هذا نص عربي", "नमस्ते दुनिया यह हिन्दी है", "Γειά σου Κόσμε", "שלום עולם",
    "Füße, Äpfel, naïve café, Ærø, İstanbul, ﬁne ½ ² ™ ℃", "🙂 😂 👍🏽 ❤️ 👩‍👩‍👧", "don't I'm we've you're he'll it's 12 345 6789 3.14",
]


def corpus():
    lines = list(OTHER_SCRIPTS) * 20
    for path in [ROOT / "README.md", *sorted((ROOT / "src").rglob("*.rs"))[:60], ROOT / "tests/golden/conversations.json"]:
        lines += [line.strip() for line in path.read_text("utf-8").splitlines() if 8 < len(line) < 400]
    return lines


def write(folder, config, **files):
    folder.mkdir(parents=True, exist_ok=True)
    if config is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1))
    for name, content in files.items():
        name = {"vocab_json": "vocab.json", "merges": "merges.txt", "vocab_txt": "vocab.txt", "map": "special_tokens_map.json",
                "added": "added_tokens.json", "model_config": "config.json"}[name]
        (folder / name).write_text(content if isinstance(content, str) else json.dumps(content, ensure_ascii=False))


def byte_level_files(lines, special, size=900):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=size, special_tokens=special, initial_alphabet=alphabet, show_progress=False))
    model = json.loads(tokenizer.to_str())["model"]
    merges = [m if isinstance(m, str) else " ".join(m) for m in model["merges"]]
    return model["vocab"], "#version: 0.2\n" + "\n".join(merges) + "\n"


def convert(source, target, class_name):
    """The same files and the tokenizer.json that the fast class saves."""
    import transformers

    shutil.copytree(source, target, dirs_exist_ok=True)
    fast = getattr(transformers, class_name).from_pretrained(str(source))
    fast.backend_tokenizer.save(str(target / "tokenizer.json"))


def byte_level(out, lines):
    vocab, merges = byte_level_files(lines, ["<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>"])
    base = {"tokenizer_class": "GPT2Tokenizer", "model_max_length": 1024}
    files = {"vocab_json": vocab, "merges": merges}
    write(out / "gpt2_files", base, **files)
    convert(out / "gpt2_files", out / "gpt2_json", "GPT2TokenizerFast")
    write(out / "gpt2_bare", None, **files, model_config={"model_type": "gpt2"})
    write(out / "gpt2_odd", {**base, "add_prefix_space": True, "add_bos_token": True, "pad_token": "<|pad|>", "clean_up_tokenization_spaces": False}, **files)
    shutil.copytree(out / "gpt2_json", out / "gpt2_json_odd", dirs_exist_ok=True)
    write(out / "gpt2_json_odd", {**base, "add_prefix_space": True, "add_bos_token": True, "padding_side": "left"})
    # OPT: GPT-2's class with its own special tokens and bos.
    opt_vocab, opt_merges = byte_level_files(lines, ["<s>", "<pad>", "</s>", "<unk>"])
    opt = {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "add_prefix_space": False, "errors": "replace"}
    for role, token in [("unk", "</s>"), ("bos", "</s>"), ("eos", "</s>")]:
        opt[f"{role}_token"] = {"content": token, "single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "__type": "AddedToken"}
    opt["pad_token"] = {**opt["unk_token"], "content": "<pad>"}
    write(out / "opt", opt, vocab_json=opt_vocab, merges=opt_merges, map={"bos_token": opt["bos_token"], "eos_token": opt["eos_token"], "unk_token": opt["unk_token"], "pad_token": opt["pad_token"]})
    convert(out / "opt", out / "opt_json", "GPT2TokenizerFast")
    codegen = {"tokenizer_class": "CodeGenTokenizer", "add_prefix_space": False, "return_token_type_ids": False}
    write(out / "codegen_old", codegen, **files, added={"    ": len(vocab), "  ": len(vocab) + 1, "\t\t": len(vocab) + 2, "<extra>": len(vocab) + 3},
          map={"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"})
    qwen_vocab, qwen_merges = byte_level_files(lines, [])
    top = len(qwen_vocab)
    decoder = {str(top + i): {"content": t, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}
               for i, t in enumerate(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])}
    qwen = {"tokenizer_class": "Qwen2Tokenizer", "added_tokens_decoder": decoder, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"], "bos_token": None,
            "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "unk_token": None, "add_prefix_space": False, "errors": "replace",
            "model_max_length": 32768, "split_special_tokens": False, "clean_up_tokenization_spaces": False}
    write(out / "qwen2_files", qwen, vocab_json=qwen_vocab, merges=qwen_merges)
    convert(out / "qwen2_files", out / "qwen2_json", "Qwen2TokenizerFast")
    for name in ["roberta", "bart", "longformer", "led", "mvp", "blenderbot"]:
        vocab_r, merges_r = byte_level_files(lines, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
        cls = {"roberta": "Roberta", "bart": "Bart", "longformer": "Longformer", "led": "LED", "mvp": "Mvp", "blenderbot": "Blenderbot"}[name]
        write(out / f"{name}_files", {"tokenizer_class": f"{cls}Tokenizer", "model_max_length": 512}, vocab_json=vocab_r, merges=merges_r)
        convert(out / f"{name}_files", out / f"{name}_json", f"{cls}TokenizerFast")
        if name in ("roberta", "bart"):
            shutil.copytree(out / f"{name}_json", out / f"{name}_json_odd", dirs_exist_ok=True)
            write(out / f"{name}_json_odd", {"tokenizer_class": f"{cls}Tokenizer", "add_prefix_space": True, "trim_offsets": False, "cls_token": "<s>", "mask_token": "<mask>"})


def only_json(out, lines):
    """Classes that have nothing but tokenizer.json."""
    def save(name, tokenizer, config, **files):
        write(out / name, config, **files)
        tokenizer.save(str(out / name / "tokenizer.json"))

    vocab, merges = byte_level_files(lines, ["<|endoftext|>", "<|padding|>"])
    pairs = [tuple(line.split(" ")) for line in merges.splitlines()[1:]]

    def byte_pairs(**options):
        tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=pairs, **options))
        tokenizer.decoder = decoders.ByteLevel()
        tokenizer.add_special_tokens(["<|endoftext|>", "<|padding|>"])
        return tokenizer

    neox = byte_pairs()
    neox.normalizer = normalizers.NFC()
    neox.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True)
    neox.post_processor = processors.ByteLevel(trim_offsets=True)
    neox.add_tokens([AddedToken(" " * n, normalized=True) for n in range(24, 1, -1)])
    tokens = {"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    save("gpt_neox", neox, {"tokenizer_class": "GPTNeoXTokenizer", "add_prefix_space": False, **tokens}, map=tokens)
    save("gpt_neox_odd", neox, {"tokenizer_class": "GPTNeoXTokenizerFast", "add_prefix_space": True, "add_bos_token": True, "add_eos_token": True, **tokens})
    bloom = byte_pairs()
    bloom.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(tokenizers.Regex(r" ?[^(\s|[.,!?…。，、।۔،])]+"), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    bloom.post_processor = processors.ByteLevel(trim_offsets=False)
    bloom.add_special_tokens(["<unk>", "<s>", "</s>", "<pad>"])
    save("bloom", bloom, {"tokenizer_class": "BloomTokenizerFast", "add_prefix_space": False, "padding_side": "left", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"})
    save("bloom_odd", bloom, {"tokenizer_class": "BloomTokenizerFast", "add_prefix_space": True})
    falcon = byte_pairs()
    falcon.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Digits(False),
        pre_tokenizers.Split(tokenizers.Regex("[0-9][0-9][0-9]"), "isolated")])
    falcon.post_processor = processors.ByteLevel(add_prefix_space=True, trim_offsets=False)
    save("falcon", falcon, {"tokenizer_class": "PreTrainedTokenizerFast", "add_prefix_space": False, "eos_token": "<|endoftext|>", "model_input_names": ["input_ids"]})
    cohere = byte_pairs()
    cohere.normalizer = normalizers.NFC()
    cohere.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True)])
    cohere.add_special_tokens(["<PAD>", "<UNK>", "<BOS_TOKEN>", "<EOS_TOKEN>", "<|END_OF_TURN_TOKEN|>"])
    cohere.post_processor = processors.TemplateProcessing(single="<BOS_TOKEN>:0 $A:0", pair="<BOS_TOKEN>:0 $A:0 <BOS_TOKEN>:1 $B:1", special_tokens=[("<BOS_TOKEN>", cohere.token_to_id("<BOS_TOKEN>"))])
    save("cohere", cohere, {"tokenizer_class": "CohereTokenizer", "add_bos_token": True, "add_eos_token": False, "bos_token": "<BOS_TOKEN>", "eos_token": "<|END_OF_TURN_TOKEN|>", "pad_token": "<PAD>", "unk_token": None, "use_default_system_prompt": False})
    starcoder = byte_pairs()
    starcoder.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    starcoder.add_special_tokens(["<fim_prefix>", "<fim_middle>"])
    save("starcoder", starcoder, {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False, **tokens, "additional_special_tokens": ["<fim_prefix>", "<fim_middle>", "<repo>"], "vocab_size": 900}, vocab_json=vocab, merges=merges)
    words = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    words.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip()])
    words.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.UnicodeScripts(), pre_tokenizers.Digits(True)])
    words.train_from_iterator(lines, trainers.WordLevelTrainer(vocab_size=700, special_tokens=["[UNK]", "[CLS]", "[SEP]", "[PAD]"], show_progress=False))
    words.post_processor = processors.BertProcessing(("[SEP]", 2), ("[CLS]", 1))
    save("word_level", words, {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]"})
    metaspace = Tokenizer(models.Unigram())
    metaspace.normalizer = normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.NFKD(), normalizers.Lowercase()])
    metaspace.pre_tokenizer = pre_tokenizers.Metaspace()
    metaspace.decoder = decoders.Metaspace()
    metaspace.train_from_iterator(lines, trainers.UnigramTrainer(vocab_size=600, unk_token="<unk>", special_tokens=["<unk>", "<s>", "</s>"], show_progress=False))
    metaspace.post_processor = processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> $B </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    save("unigram_json", metaspace, {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>", "clean_up_tokenization_spaces": True})
    save("no_config", metaspace, None, model_config={"model_type": "xlm-roberta", "vocab_size": 640})
    clip = Tokenizer(models.BPE(unk_token="<|endoftext|>", end_of_word_suffix="</w>"))
    clip.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(tokenizers.Regex(r"\s+"), " "), normalizers.Lowercase()])
    clip.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(tokenizers.Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    clip.decoder = decoders.ByteLevel()
    clip.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=900, special_tokens=["<|startoftext|>", "<|endoftext|>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), end_of_word_suffix="</w>", show_progress=False))
    clip.post_processor = processors.RobertaProcessing(("<|endoftext|>", 1), ("<|startoftext|>", 0), trim_offsets=False, add_prefix_space=False)
    save("clip_json", clip, {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "<|endoftext|>", "errors": "replace", "do_lower_case": True})
    # Added tokens with every flag, in a pipeline with a normalizer.
    rng = random.Random(3)
    flags = byte_pairs()
    flags.normalizer = normalizers.Lowercase()
    flags.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    for content in ["<X>", "cat", "Dog", "b ", " the", "é", "A.", "[IMG]", "\n\n", "İ"]:
        options = {key: rng.random() < 0.4 for key in ("lstrip", "rstrip", "single_word", "normalized")}
        token = AddedToken(content, **options)
        flags.add_special_tokens([token]) if rng.random() < 0.4 else flags.add_tokens([token])
    save("flags", flags, {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>", "additional_special_tokens": ["[IMG]", "<X>"]})


def word_piece(out, lines):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(lines, trainers.WordPieceTrainer(vocab_size=900, special_tokens=special, show_progress=False))
    ids = tokenizer.get_vocab()
    vocab = "".join(t + "\n" for t in sorted(ids, key=ids.get))
    write(out / "bert_bare", None, vocab_txt=vocab, model_config={"model_type": "bert"})
    write(out / "bert_files", {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 512}, vocab_txt=vocab)
    convert(out / "bert_files", out / "bert_json", "BertTokenizerFast")
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.train_from_iterator(lines, trainers.WordPieceTrainer(vocab_size=900, special_tokens=special, show_progress=False))
    ids = tokenizer.get_vocab()
    cased = "".join(t + "\n" for t in sorted(ids, key=ids.get))
    odd = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "tokenize_chinese_chars": False, "strip_accents": None, "never_split": ["<image>", "USER:"],
           "unk_token": "[UNK]", "additional_special_tokens": ["[CLS]", "[NEW]"]}
    write(out / "bert_odd", odd, vocab_txt=cased, added={"[NEW]": 900, "new word": 901}, map={"mask_token": {"content": "[MASK]", "lstrip": True, "rstrip": False, "normalized": False, "single_word": False}})
    shutil.copytree(out / "bert_json", out / "bert_json_odd", dirs_exist_ok=True)
    write(out / "bert_json_odd", {**odd, "strip_accents": True})
    write(out / "bert_accents", {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "strip_accents": True}, vocab_txt=cased)
    write(out / "bert_keeps_accents", {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": False}, vocab_txt=vocab)
    write(out / "bert_words", {"tokenizer_class": "BertTokenizer", "do_basic_tokenize": False}, vocab_txt=vocab)
    for name, cls in [("distilbert", "DistilBertTokenizer"), ("electra", "ElectraTokenizer"), ("mpnet", "MPNetTokenizer"), ("mobilebert", "MobileBertTokenizer")]:
        words = vocab
        if name == "mpnet":
            words = "<s>\n<pad>\n</s>\n[UNK]\n<mask>\n" + vocab
        write(out / f"{name}_files", {"tokenizer_class": cls, "do_lower_case": True}, vocab_txt=words)


def sentence_piece(out, lines):
    text = out.parent / "corpus.txt"
    text.write_text("\n".join(lines), "utf-8")

    def train(name, **options):
        prefix = out.parent / name
        defaults = {"vocab_size": 700, "character_coverage": 0.999, "hard_vocab_limit": False, "minloglevel": 2, "num_threads": 1}
        sentencepiece.SentencePieceTrainer.train(input=str(text), model_prefix=str(prefix), **{**defaults, **options})
        return prefix.with_suffix(".model")

    def put(model, folder, file, config, **files):
        write(out / folder, config, **files)
        shutil.copy(model, out / folder / file)

    unigram = train("unigram", model_type="unigram")
    xlmr = {"tokenizer_class": "XLMRobertaTokenizer", "model_max_length": 512}
    put(unigram, "xlmr_files", "sentencepiece.bpe.model", xlmr)
    put(unigram, "xlmr_bare", "sentencepiece.bpe.model", None, model_config={"model_type": "xlm-roberta"})
    convert(out / "xlmr_files", out / "xlmr_json", "XLMRobertaTokenizerFast")
    nmt = train("nmt", model_type="unigram", normalization_rule_name="nmt_nfkc_cf", remove_extra_whitespaces=False, user_defined_symbols=["<image>", "▁cat", "##"], control_symbols=["<ctrl>"], byte_fallback=True)
    put(nmt, "xlmr_odd", "sentencepiece.bpe.model", {**xlmr, "mask_token": {"content": "<mask>", "lstrip": True, "rstrip": False, "normalized": True, "single_word": False, "__type": "AddedToken"}, "additional_special_tokens": ["<x>"]})
    t5 = train("t5", model_type="unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    put(t5, "t5_files", "spiece.model", {"tokenizer_class": "T5Tokenizer", "extra_ids": 100})
    convert(out / "t5_files", out / "t5_json", "T5TokenizerFast")
    put(t5, "t5_odd", "spiece.model", {"tokenizer_class": "T5Tokenizer", "extra_ids": 3, "legacy": False, "additional_special_tokens": ["<extra_id_0>", "<extra_id_1>", "<extra_id_2>"]})
    put(t5, "mt5_files", "spiece.model", {"tokenizer_class": "MT5Tokenizer", "extra_ids": 0, "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"})
    llama_options = dict(model_type="bpe", byte_fallback=True, split_digits=True, normalization_rule_name="identity", remove_extra_whitespaces=False, allow_whitespace_only_pieces=True)
    llama = train("llama", **llama_options)
    base = {"tokenizer_class": "LlamaTokenizer", "model_max_length": 4096, "sp_model_kwargs": {}, "clean_up_tokenization_spaces": False, "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": None}
    put(llama, "llama_files", "tokenizer.model", base)
    convert(out / "llama_files", out / "llama_json", "LlamaTokenizerFast")
    top = sentencepiece.SentencePieceProcessor(str(llama)).vocab_size()
    token = lambda content, **flags: {"content": content, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True, **flags}
    # Phi-3: tokens behind the vocabulary that take the white space to their right.
    decoder = {"0": token("<unk>"), "1": token("<s>"), "2": token("</s>", rstrip=True, special=False)}
    decoder.update({str(top + i): token(t, rstrip=i > 0) for i, t in enumerate(["<|endoftext|>", "<|assistant|>", "<|placeholder1|>", "<|system|>", "<|end|>", "<|user|>"])})
    phi3 = {**base, "added_tokens_decoder": decoder, "add_bos_token": True, "add_eos_token": False, "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "legacy": False, "padding_side": "left"}
    put(llama, "phi3_files", "tokenizer.model", phi3)
    convert(out / "phi3_files", out / "phi3_json", "LlamaTokenizerFast")
    yi = train("yi", **{**llama_options, "add_dummy_prefix": False}, user_defined_symbols=["<|startoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    put(yi, "yi_files", "tokenizer.model", {**base, "add_bos_token": False, "add_eos_token": False, "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "<unk>"})
    unigram_llama = train("unigram_llama", model_type="unigram", normalization_rule_name="identity", byte_fallback=True, user_defined_symbols=["<image>", "▁▁", "\n"])
    put(unigram_llama, "llama_unigram", "tokenizer.model", {**base, "legacy": True, "add_eos_token": True})
    put(llama, "llama_odd", "tokenizer.model", {**base, "legacy": False, "add_bos_token": False, "add_eos_token": True, "additional_special_tokens": ["<image>", "<a b>"]},
        added={"<image>": top, "<a b>": top + 1, "extra": top + 2}, map={"bos_token": "<s>", "eos_token": {k: v for k, v in token("</s>", rstrip=True).items() if k != "special"}, "unk_token": "<unk>", "pad_token": "<unk>"})
    put(llama, "llama_bare", "tokenizer.model", None, model_config={"model_type": "llama"})
    code = train("code", **llama_options, user_defined_symbols=["▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"])
    put(code, "code_llama", "tokenizer.model", {**base, "tokenizer_class": "CodeLlamaTokenizer", "fill_token": "<FILL_ME>", "prefix_token": "▁<PRE>", "middle_token": "▁<MID>", "suffix_token": "▁<SUF>", "eot_token": "▁<EOT>"})
    gemma = train("gemma", **{**llama_options, "add_dummy_prefix": False}, pad_id=0, eos_id=1, bos_id=2, unk_id=3, user_defined_symbols=["<mask>", "<start_of_turn>", "<end_of_turn>", "\n", "\n\n", "▁▁"])
    put(gemma, "gemma_files", "tokenizer.model", {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True, "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>"})
    albert = train("albert", model_type="unigram", pad_id=0, unk_id=1, bos_id=2, eos_id=3, bos_piece="[CLS]", eos_piece="[SEP]", control_symbols=["[MASK]"])
    put(albert, "albert", "spiece.model", {"tokenizer_class": "AlbertTokenizer", "do_lower_case": True, "remove_space": True, "keep_accents": False})
    put(albert, "debertav2", "spm.model", {"tokenizer_class": "DebertaV2Tokenizer", "do_lower_case": False})
    put(unigram, "camembert", "sentencepiece.bpe.model", {"tokenizer_class": "CamembertTokenizer"})
    put(unigram, "mbart", "sentencepiece.bpe.model", {"tokenizer_class": "MBartTokenizer", "src_lang": "en_XX", "tgt_lang": "ro_RO"})
    put(unigram, "nllb", "sentencepiece.bpe.model", {"tokenizer_class": "NllbTokenizer", "src_lang": "eng_Latn", "tgt_lang": "deu_Latn"})
    put(unigram, "xlnet", "spiece.model", {"tokenizer_class": "XLNetTokenizer", "do_lower_case": False})


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    lines = corpus()
    byte_level(out, lines)
    only_json(out, lines)
    word_piece(out, lines)
    sentence_piece(out, lines)
    print(len(list(out.iterdir())), "tokenizers in", out)


if __name__ == "__main__":
    main()
