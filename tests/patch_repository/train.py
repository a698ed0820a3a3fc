"""A training script in the manner of LLaVA."""
from typing import Dict, Sequence

import torch
import transformers

from pkg import conversation as conversation_lib

IGNORE_INDEX = -100
IMAGE_TOKEN_INDEX = -200


def tokenizer_image_token(prompt, tokenizer, return_tensors=None):
    chunks = [tokenizer(chunk).input_ids for chunk in prompt.split("<image>")]
    has_bos = len(chunks[0]) > 0 and chunks[0][0] == tokenizer.bos_token_id
    ids = chunks[0][:1] if has_bos else []
    for number, chunk in enumerate(chunks):
        ids = ids + ([IMAGE_TOKEN_INDEX] if number else []) + chunk[int(has_bos):]
    return torch.tensor(ids, dtype=torch.long) if return_tensors == "pt" else ids


def preprocess_one(sources, tokenizer: transformers.PreTrainedTokenizer, has_image: bool = False) -> Dict:
    conv = conversation_lib.default_conversation.copy()
    for turn, role in zip(sources[0], conv.roles * len(sources[0])):
        conv.append_message(role, turn["value"])
    ids = tokenizer_image_token(conv.get_prompt(), tokenizer, return_tensors="pt")
    return dict(input_ids=torch.stack([ids]), labels=torch.stack([ids]))


def preprocess_plain(sources, tokenizer):
    texts = [source[0]["value"] + source[1]["value"] + conversation_lib.default_conversation.sep2 for source in sources]
    ids = [tokenizer_image_token(text, tokenizer, return_tensors="pt") for text in texts]
    return dict(input_ids=ids, labels=ids)


def preprocess(
    sources: Sequence[str],
    tokenizer: transformers.PreTrainedTokenizer,
    has_image: bool = False
) -> Dict:
    """Chooses by the template."""
    if conversation_lib.default_conversation.sep_style == conversation_lib.SeparatorStyle.PLAIN:
        return preprocess_plain(sources, tokenizer)
    if conversation_lib.default_conversation.version.startswith("one"):
        return preprocess_one(sources, tokenizer, has_image=has_image)
    raise ValueError(conversation_lib.default_conversation.version)


def train():
    model = transformers.AutoModelForCausalLM.from_pretrained(model_args.model_name_or_path)
    if "special" in model_args.model_name_or_path:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            model_args.model_name_or_path,
            cache_dir=training_args.cache_dir,
            model_max_length=training_args.model_max_length,
            use_fast=True,
        )
    else:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            model_args.model_name_or_path,
            cache_dir=training_args.cache_dir,
            model_max_length=training_args.model_max_length,
            use_fast=False,
        )

    if model_args.version == "v0":
        if tokenizer.pad_token is None:
            smart_tokenizer_and_embedding_resize(
                special_tokens_dict=dict(pad_token="[PAD]"),
                tokenizer=tokenizer,
                model=model,
            )
    else:
        tokenizer.pad_token = tokenizer.unk_token
        if model_args.version in conversation_lib.conv_templates:
            conversation_lib.default_conversation = conversation_lib.conv_templates[model_args.version]
    model.config.pad_token_id = tokenizer.pad_token_id
