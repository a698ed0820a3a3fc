"""Training code of a small repository, before the patch."""
import torch
import transformers

from moellava import conversation as conversation_lib

IGNORE_INDEX = -100
IMAGE_TOKEN_INDEX = -200


def tokenizer_image_token(prompt, tokenizer, return_tensors=None):
    chunks = [tokenizer(chunk).input_ids for chunk in prompt.split("<image>")]
    has_bos = bool(chunks[0]) and chunks[0][0] == tokenizer.bos_token_id
    ids = chunks[0][:1] if has_bos else []
    for number, chunk in enumerate(chunks):
        ids += ([IMAGE_TOKEN_INDEX] if number else []) + chunk[int(has_bos):]
    return torch.tensor(ids) if return_tensors == "pt" else ids


def preprocess(sources, tokenizer, has_image=False):
    if conversation_lib.default_conversation.version == "first":
        raise NotImplementedError("the first template has no function here")
    raise ValueError(conversation_lib.default_conversation.version)


def train():
    model = transformers.AutoModelForCausalLM.from_pretrained(model_args.model_name_or_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        model_args.model_name_or_path,
        model_max_length=2048,
        padding_side="right",
        use_fast=False,
    )
    tokenizer.pad_token = tokenizer.unk_token
    if model_args.version in conversation_lib.conv_templates:
        conversation_lib.default_conversation = conversation_lib.conv_templates[model_args.version]
    return tokenizer
