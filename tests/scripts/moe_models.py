"""Goldens for models that no one has looked at: tiny random models of transformers, in the layout of golden/moe.

    pip install torch transformers safetensors numpy
    python tests/scripts/moe_models.py OUT [--seeds 20] [--first 0] [--only mixtral] [--deepspeed sharded_moe.py]
    MASKSCOPE_CONFORMANCE=OUT cargo test --test conformance moe -- --nocapture

OUT/golden/moe/hfmoe/NAME-SEED holds what save_pretrained writes (now and then in shards, in bf16 or f16, in the
notation of transformers 4, or without the keys that stand at their defaults) and what the real class computes from
it. OUT/golden/moe/moellava/NAME-SEED is the same for the dense backbones that transformers has; with --deepspeed
(see moe_gates.py) also converted, with the real gate between the backbone's own MLPs. Weights are drawn again until
no two router logits are closer than 2e-4: beyond that, two correct programs may choose differently.
"""
import argparse
import copy
import json
import random
import shutil
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers as tf
from safetensors.torch import save_file

import moe_gates

VOCAB = 96


def common(r, heads, kv, head_dim, layers):
    hidden = r.choice([24, 32, 48])
    return dict(vocab_size=VOCAB, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=heads,
                num_key_value_heads=kv, intermediate_size=r.choice([20, 40, 56]),
                max_position_embeddings=r.choice([16, 64, 128]), pad_token_id=0, bos_token_id=1, eos_token_id=2,
                tie_word_embeddings=r.random() < 0.3, initializer_range=0.02, use_cache=False), hidden


def rope(r, head_dim, longest, partial=None, kinds=("default", "linear", "dynamic", "llama3", "yarn", "longrope")):
    """A rotary set-up in the notation of transformers 5."""
    kind = r.choice(kinds)
    out = {"rope_type": kind, "rope_theta": r.choice([100.0, 10000.0, 500000.0])}
    dim = int(head_dim * (partial or 1.0))
    if partial is not None:
        out["partial_rotary_factor"] = partial
    if kind in ("linear", "dynamic", "llama3", "yarn"):
        out["factor"] = r.choice([2.0, 4.0, 2.5])
    if kind == "llama3":
        out |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": longest // 2}
    if kind == "yarn":
        out["original_max_position_embeddings"] = longest // 2
        if r.random() < 0.4:
            out |= {"mscale": r.choice([0.7, 1.0]), "mscale_all_dim": r.choice([0.7, 1.0])}
        elif r.random() < 0.4:
            out["attention_factor"] = 1.3
        if r.random() < 0.3:
            out |= {"beta_fast": 16.0, "beta_slow": 2.0}
        if r.random() < 0.3:
            out["truncate"] = False
    if kind == "longrope":
        out |= {"short_factor": [round(1 + r.random(), 3) for _ in range(dim // 2)],
                "long_factor": [round(2 + 4 * r.random(), 3) for _ in range(dim // 2)],
                "original_max_position_embeddings": longest // 2}
        if r.random() < 0.5:
            out["factor"] = 2.0
        if r.random() < 0.3:
            out["attention_factor"] = 1.2
    return out


def heads_of(r):
    kv = r.choice([1, 2, 4])
    return kv * r.choice([1, 2]), kv


def mixtral(r):
    (h, kv), layers = heads_of(r), r.choice([1, 2, 3])
    c, hidden = common(r, h, kv, None, layers)
    hd = r.choice([None, 8, 16])
    if hd is None:
        hd_real, c["hidden_size"] = 8, 8 * h
    else:
        hd_real, c["head_dim"] = hd, hd
    e = r.choice([2, 4, 6, 8])
    # transformers 5 cannot scale the angles of a config whose head_dim is null.
    kinds = ("default", "linear", "dynamic", "llama3", "yarn", "longrope") if hd else ("default",)
    c |= dict(num_local_experts=e, num_experts_per_tok=r.randint(1, min(e, 3)), sliding_window=r.choice([None, 4, 9]),
              rope_parameters=rope(r, hd_real, c["max_position_embeddings"], kinds=kinds), rms_norm_eps=r.choice([1e-5, 1e-3]))
    return tf.MixtralConfig(**c), tf.MixtralForCausalLM


def qwen2_moe(r):
    (h, kv), layers = heads_of(r), r.choice([2, 3, 4])
    c, hidden = common(r, h, kv, None, layers)
    c["hidden_size"] = 8 * h
    e = r.choice([4, 8])
    c |= dict(num_experts=e, num_experts_per_tok=r.randint(1, 4), moe_intermediate_size=r.choice([12, 24]),
              shared_expert_intermediate_size=r.choice([16, 40]), norm_topk_prob=r.random() < 0.5,
              decoder_sparse_step=r.choice([1, 1, 2]), mlp_only_layers=r.choice([[], [], [0]]),
              qkv_bias=r.random() < 0.7, use_sliding_window=r.random() < 0.5, sliding_window=r.choice([4, 9]),
              max_window_layers=r.choice([0, 1, 2, 28]), rope_parameters=rope(r, 8, c["max_position_embeddings"]))
    return tf.Qwen2MoeConfig(**c), tf.Qwen2MoeForCausalLM


def qwen3_moe(r):
    (h, kv), layers = heads_of(r), r.choice([2, 3])
    c, hidden = common(r, h, kv, None, layers)
    e, hd = r.choice([4, 8]), r.choice([8, 16])
    c |= dict(head_dim=hd, num_experts=e, num_experts_per_tok=r.randint(1, 4), moe_intermediate_size=r.choice([12, 24]),
              norm_topk_prob=r.random() < 0.5, decoder_sparse_step=r.choice([1, 1, 2]),
              mlp_only_layers=r.choice([[], [], [0]]), attention_bias=r.random() < 0.4,
              use_sliding_window=r.random() < 0.4, sliding_window=r.choice([4, 9]),
              rope_parameters=rope(r, hd, c["max_position_embeddings"]))
    return tf.Qwen3MoeConfig(**c), tf.Qwen3MoeForCausalLM


def olmoe(r):
    (h, kv), layers = heads_of(r), r.choice([1, 2])
    c, hidden = common(r, h, kv, None, layers)
    c["hidden_size"] = 8 * h
    e = r.choice([4, 8])
    c |= dict(num_experts=e, num_experts_per_tok=r.randint(1, 4), norm_topk_prob=r.random() < 0.5,
              attention_bias=r.random() < 0.4, clip_qkv=r.choice([None, 0.5]),
              rope_parameters=rope(r, 8, c["max_position_embeddings"]))
    return tf.OlmoeConfig(**c), tf.OlmoeForCausalLM


def phimoe(r):
    (h, kv), layers = heads_of(r), r.choice([1, 2])
    c, hidden = common(r, h, kv, None, layers)
    c["hidden_size"] = 8 * h
    e = r.choice([2, 4, 8])
    c |= dict(num_local_experts=e, num_experts_per_tok=2, attention_bias=r.random() < 0.5,
              lm_head_bias=r.random() < 0.5, router_jitter_noise=r.choice([0.01, 0.1]),
              sliding_window=r.choice([None, 4, 9]), tie_word_embeddings=False)
    longest = c["max_position_embeddings"]
    if r.random() < 0.5:
        c["rope_parameters"] = {
            "rope_type": "longrope", "rope_theta": 10000.0, "short_mscale": 1.2, "long_mscale": 1.3,
            "short_factor": [round(1 + r.random(), 3) for _ in range(4)],
            "long_factor": [round(2 + r.random(), 3) for _ in range(4)], "original_max_position_embeddings": longest // 2}
    return tf.PhimoeConfig(**c), tf.PhimoeForCausalLM


def deepseek(r, config, model, v3):
    h, layers = r.choice([2, 4]), r.choice([2, 3])
    c, hidden = common(r, h, h, None, layers)
    groups = r.choice([1, 2, 4])
    e = groups * r.choice([2, 4])
    kept = r.randint(1, groups)
    rot = r.choice([4, 8])
    c |= dict(n_routed_experts=e, n_group=groups, topk_group=kept, num_experts_per_tok=r.randint(1, min(4, kept * e // groups)),
              n_shared_experts=r.choice([1, 2]), moe_intermediate_size=r.choice([12, 24]),
              first_k_dense_replace=r.choice([0, 1]), kv_lora_rank=r.choice([8, 16]), q_lora_rank=r.choice([None, 12]),
              qk_nope_head_dim=r.choice([4, 8]), qk_rope_head_dim=rot, v_head_dim=r.choice([6, 8]),
              routed_scaling_factor=r.choice([1.0, 2.5]), attention_bias=r.random() < 0.3)
    kinds = ("default", "yarn", "linear")
    c["rope_parameters"] = rope(r, rot, c["max_position_embeddings"], kinds=kinds)
    if v3:
        c |= dict(norm_topk_prob=r.random() < 0.5, rope_interleave=r.random() < 0.7)
    else:
        c["topk_method"] = r.choice(["greedy", "group_limited_greedy"])
    return config(**c), model


def gpt_oss(r):
    (h, kv), layers = heads_of(r), r.choice([2, 3])
    c, hidden = common(r, h, kv, None, layers)
    e, hd = r.choice([2, 4, 8]), r.choice([8, 16])
    c |= dict(head_dim=hd, num_local_experts=e, num_experts_per_tok=r.randint(1, min(4, e)), sliding_window=r.choice([4, 9]),
              attention_bias=r.random() < 0.8, swiglu_limit=r.choice([7.0, 0.2]))
    if r.random() < 0.6:
        c["rope_parameters"] = rope(r, hd, c["max_position_embeddings"], kinds=("default", "yarn"))
    return tf.GptOssConfig(**c), tf.GptOssForCausalLM


def granitemoe(r):
    (h, kv), layers = heads_of(r), r.choice([1, 2])
    c, hidden = common(r, h, kv, None, layers)
    c["hidden_size"] = 8 * h
    e = r.choice([2, 4, 8])
    c |= dict(num_local_experts=e, num_experts_per_tok=r.randint(1, min(4, e)), embedding_multiplier=r.choice([1.0, 6.0]),
              logits_scaling=r.choice([1.0, 3.0]), residual_multiplier=r.choice([1.0, 0.4]),
              attention_multiplier=r.choice([1.0, 0.2]), attention_bias=r.random() < 0.4,
              rope_parameters=rope(r, 8, c["max_position_embeddings"]))
    return tf.GraniteMoeConfig(**c), tf.GraniteMoeForCausalLM


def llama4(r):
    (h, kv), layers = heads_of(r), r.choice([2, 4])
    c, hidden = common(r, h, kv, None, layers)
    e = r.choice([2, 4])
    c |= dict(head_dim=8, num_local_experts=e, num_experts_per_tok=r.randint(1, 2), intermediate_size_mlp=56,
              interleave_moe_layer_step=r.choice([1, 2]), use_qk_norm=r.random() < 0.6,
              no_rope_layer_interval=r.choice([2, 4]), attention_chunk_size=r.choice([4, 10, 64]),
              attn_temperature_tuning=r.random() < 0.5, floor_scale=r.choice([4, 8192]), attn_scale=r.choice([0.1, 0.5]),
              attention_bias=r.random() < 0.3,
              rope_parameters=rope(r, 8, c["max_position_embeddings"], kinds=("default", "llama3", "linear")))
    return tf.Llama4TextConfig(**c), tf.Llama4ForCausalLM


def llama(r):
    (h, kv), layers = heads_of(r), r.choice([1, 3])
    c, hidden = common(r, h, kv, None, layers)
    hd = r.choice([8, 16])
    c |= dict(head_dim=hd, attention_bias=r.random() < 0.4, mlp_bias=r.random() < 0.4,
              rope_parameters=rope(r, hd, c["max_position_embeddings"]))
    return tf.LlamaConfig(**c), tf.LlamaForCausalLM


def mistral(r):
    (h, kv), layers = heads_of(r), r.choice([1, 3])
    c, hidden = common(r, h, kv, None, layers)
    hd = r.choice([8, 16])
    c |= dict(head_dim=hd, sliding_window=r.choice([None, 4, 9]), rope_parameters=rope(r, hd, c["max_position_embeddings"]))
    return tf.MistralConfig(**c), tf.MistralForCausalLM


def qwen2(r):
    (h, kv), layers = heads_of(r), r.choice([2, 4])
    c, hidden = common(r, h, kv, None, layers)
    c["hidden_size"] = 8 * h
    c |= dict(use_sliding_window=r.random() < 0.6, sliding_window=r.choice([4, 9]), max_window_layers=r.choice([0, 1, 28]),
              rope_parameters=rope(r, 8, c["max_position_embeddings"]))
    return tf.Qwen2Config(**c), tf.Qwen2ForCausalLM


def phi(r):
    (h, kv), layers = heads_of(r), r.choice([1, 3])
    c, hidden = common(r, h, kv, None, layers)
    c["hidden_size"] = 16 * h
    partial = r.choice([0.25, 0.4, 0.5, 1.0])
    c |= dict(qk_layernorm=r.random() < 0.3, hidden_act=r.choice(["gelu_new", "gelu"]), tie_word_embeddings=False,
              rope_parameters=rope(r, 16, c["max_position_embeddings"], partial, ("default", "linear", "dynamic")))
    return tf.PhiConfig(**c), tf.PhiForCausalLM


def stablelm(r):
    (h, kv), layers = heads_of(r), r.choice([1, 3])
    c, hidden = common(r, h, kv, None, layers)
    c["hidden_size"] = 16 * h
    partial = r.choice([0.25, 0.5, 1.0])
    c |= dict(use_qkv_bias=r.random() < 0.5, layer_norm_eps=r.choice([1e-5, 1e-3]),
              rope_parameters=rope(r, 16, c["max_position_embeddings"], partial, ("default", "linear", "dynamic")))
    return tf.StableLmConfig(**c), tf.StableLmForCausalLM


MIXTURES = {
    "mixtral": mixtral, "qwen2_moe": qwen2_moe, "qwen3_moe": qwen3_moe, "olmoe": olmoe, "phimoe": phimoe,
    "deepseek_v2": lambda r: deepseek(r, tf.DeepseekV2Config, tf.DeepseekV2ForCausalLM, False),
    "deepseek_v3": lambda r: deepseek(r, tf.DeepseekV3Config, tf.DeepseekV3ForCausalLM, True),
    "gpt_oss": gpt_oss, "granitemoe": granitemoe, "llama4": llama4,
}
DENSE = {"llama": llama, "mistral": mistral, "qwen2": qwen2, "phi": phi, "stablelm": stablelm}


def randomise(model, seed, dtype):
    """Weights large enough that experts differ and gates decide, rounded to what the file will hold."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in list(model.named_parameters()) + list(model.named_buffers()):
            if "inv_freq" in name or not p.is_floating_point():
                continue
            if "norm" in name and name.endswith("weight"):
                p.copy_(1 + 0.2 * torch.randn(p.shape, generator=g))
            elif p.ndim == 1:
                p.copy_(0.3 * torch.randn(p.shape, generator=g))
            elif "embed" in name:
                p.copy_(torch.randn(p.shape, generator=g))
            else:
                p.copy_(torch.randn(p.shape, generator=g) / p.shape[-1] ** 0.5 * 1.3)
            p.copy_(p.to(dtype).float())


def capture(model, kind):
    """Hooks on the routers: {layer: [(logits, idx, w)]}."""
    seen = {}

    def hook(layer):
        def f(_, __, out):
            if kind == "llama4":
                scores, logits = out
                _, idx = torch.topk(logits, model.config.num_experts_per_tok, dim=1)
                w = scores.gather(1, idx)
            else:
                logits, w, idx = out
            order = torch.argsort(w, dim=1, descending=True, stable=True)
            row = (logits.float(), idx.gather(1, order).to(torch.int16), w.gather(1, order).float())
            seen.setdefault(layer, []).append(row)
        return f

    for n, layer in enumerate(model.model.layers):
        for name, module in layer.named_modules():
            if type(module).__name__.lower().endswith("router"):
                module.register_forward_hook(hook(n))
    return seen


def to_v4(config):
    """The rotary keys at the top level, as transformers 4 wrote them."""
    v5 = config.pop("rope_parameters", None) or {}
    config["rope_theta"] = v5.pop("rope_theta")
    if "partial_rotary_factor" in v5:
        config["partial_rotary_factor"] = v5.pop("partial_rotary_factor")
    kind = v5.pop("rope_type", "default")
    # PhiMoE's own class and transformers put the original length at the top as well.
    if kind == "longrope" and "original_max_position_embeddings" in v5 and config["model_type"] == "phimoe":
        config["original_max_position_embeddings"] = v5["original_max_position_embeddings"]
    config["rope_scaling"] = {"type" if kind in ("linear", "dynamic") else "rope_type": kind, **v5} if kind != "default" else None
    config["torch_dtype"] = config.pop("dtype", "float32")
    config.pop("layer_types", None)


# Sizes: what is absent here is an error of ours, and no checkpoint leaves it out.
KEPT = {"model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "rope_parameters",
        "num_key_value_heads", "architectures", "head_dim"}


def drop_defaults(config, real):
    """Leaves out what stands at its default: the reader must know the defaults."""
    defaults = type(real)().to_dict()
    for key in list(config):
        if key not in KEPT and key in defaults and defaults[key] == config[key]:
            del config[key]


class Upcycled(torch.nn.Module):
    """MoE-LLaVA's layer on one device: DeepSpeed's gate, experts, optionally the dense MLP beside them."""

    def __init__(self, gates, layer, mlp, parts, case, num_experts):
        super().__init__()
        self.gates, self.layer, self.mlp, self.case, self.parts = gates, layer, mlp, case, parts
        self.wg = parts[f"model.layers.{layer}.mlp.deepspeed_moe.gate.wg.weight"][:num_experts]
        self.experts = torch.nn.ModuleList()
        for e in range(num_experts):
            expert = copy.deepcopy(mlp)
            if case["variant"] == "perturbed":
                prefix = f"model.layers.{layer}.mlp.deepspeed_moe.experts.deepspeed_experts.{e}."
                expert.load_state_dict({n: parts[prefix + n] for n in mlp.state_dict()})
            self.experts.append(expert)
        self.runs = []

    def forward(self, hidden):
        x = hidden.reshape(-1, hidden.shape[-1])
        k, logits = self.case["k"], F.linear(x.float(), self.wg)
        falling = torch.linspace(0.99, 0.01, len(x)).unsqueeze(1).expand_as(logits).contiguous()
        gate = {"cf": self.case["cf"], "min_capacity": self.case["mc"], "drop": True, "noise": False, "policy": "probs"}
        l_aux, combine, _, counts = moe_gates.call(self.gates, k, logits, gate, falling)
        dense, probs = combine.sum(2), logits.softmax(1)
        idx = torch.topk(probs, k, dim=1)[1]
        slot = torch.where(dense > 0, combine.argmax(2), -1).gather(1, idx)
        first = torch.bincount(probs.argmax(1), minlength=logits.shape[1])
        counts = first if k <= 2 else counts
        self.runs.append((logits, idx, dense.gather(1, idx), slot, float(l_aux), combine.shape[2], first.tolist(), int((slot < 0).sum())))
        out = sum(dense[:, e : e + 1] * expert(x) for e, expert in enumerate(self.experts))
        if self.case["residual"]:
            name = f"model.layers.{self.layer}.mlp.coefficient."
            c = F.linear(x, self.parts[name + "weight"], self.parts[name + "bias"]).softmax(1)
            out = out * c[:, :1] + self.mlp(x) * c[:, 1:]
        return out.reshape(hidden.shape)


def conversions(r, model, ids, gates, seed):
    """Cases of conversion with what they give: (parts, cases, arrays); parts are shared by all."""
    g = torch.Generator().manual_seed(seed + 1000)
    layers, width = model.config.num_hidden_layers, model.config.hidden_size
    experts, parts = r.choice([2, 4, 5]), {}
    for n, layer in enumerate(model.model.layers):
        prefix = f"model.layers.{n}.mlp."
        parts[prefix + "deepspeed_moe.gate.wg.weight"] = torch.randn(experts, width, generator=g) * 0.5
        parts[prefix + "coefficient.weight"] = torch.randn(2, width, generator=g) * 0.3
        parts[prefix + "coefficient.bias"] = torch.randn(2, generator=g)
        for e in range(experts):
            for name, p in layer.mlp.state_dict().items():
                parts[f"{prefix}deepspeed_moe.experts.deepspeed_experts.{e}.{name}"] = p + 0.3 * p.std() * torch.randn(p.shape, generator=g)
    dense_mlps = [layer.mlp for layer in model.model.layers]
    cases, arrays = [], {}
    for n in range(12):
        mode = r.choice(["first_half", "second_half", "sparse", "dense", "custom"])
        case = {"id": n, "mode": mode, "k": r.randint(1, min(4, experts)), "cf": r.choice([0.5, 1.0, 1.2, 1.5, 4.0]), "mc": r.choice([0, 0, 1]),
                "variant": r.choice(["perturbed", "perturbed", "copy"]), "residual": r.random() < 0.3, "noise": "none",
                "batch": r.choice(["single", "single", "padded2"])}
        at = {"first_half": range(layers // 2), "second_half": range(layers // 2, layers), "sparse": range(0, layers, 2), "dense": range(layers),
              "custom": r.sample(range(layers), r.randint(1, layers))}[mode]
        at = list(at)
        if not at:
            continue
        numbers = [experts] * len(at)
        if mode == "custom":
            numbers = [r.randint(case["k"], experts) for _ in at]
            case["layers"] = at
        case |= {"ne_list": numbers, "moe_layers": sorted(at)}
        for layer, number in zip(at, numbers):
            model.model.layers[layer].mlp = Upcycled(gates, layer, dense_mlps[layer], parts, case, number)
        bias = model.lm_head.bias
        model.lm_head.bias = None
        hidden, last = [], []
        with torch.no_grad():
            if case["batch"] == "single":
                for seq in ids:
                    o = model(torch.tensor([seq]), output_hidden_states=True, use_cache=False)
                    hidden.append(o.hidden_states[-1][0])
                    last.append(o.logits[:, -1])
                case["lens"] = [len(s) for s in ids]
            else:
                batch = torch.zeros(2, len(ids[2]), dtype=torch.long)
                mask = torch.ones_like(batch)
                batch[0, : len(ids[1])], batch[1] = torch.tensor(ids[1]), torch.tensor(ids[2])
                mask[0, len(ids[1]) :] = 0
                o = model(batch, attention_mask=mask, output_hidden_states=True, use_cache=False)
                hidden, last, case["lens"] = [o.hidden_states[-1].flatten(0, 1)], [o.logits[:, -1]], [batch.numel()]
        model.lm_head.bias = bias
        arrays |= {f"c{n}/hidden": torch.cat(hidden), f"c{n}/last_logits": torch.cat(last)}
        case["layers_meta"] = []
        for layer in sorted(at):
            runs = list(zip(*model.model.layers[layer].mlp.runs))
            for part, values in zip(("logits", "idx", "w", "slot"), runs):
                values = torch.cat(values)
                arrays[f"c{n}/L{layer}/{part}"] = values.to(torch.int16) if part in ("idx", "slot") else values
            case["layers_meta"].append({"layer": layer, "l_aux": runs[4], "capacity": runs[5], "exp_counts": runs[6], "dropped": runs[7]})
        case["moe_loss"] = [0.01 * sum(m["l_aux"][run] for m in case["layers_meta"]) for run in range(len(case["lens"]))]
        tied = ties([model.model.layers[layer].mlp for layer in at])
        for layer, mlp in enumerate(dense_mlps):
            model.model.layers[layer].mlp = mlp
        if not tied:
            cases.append(case)
    return parts, cases, arrays


def ties(mlps):
    """Whether an expert keeps one token and drops another of the same probability: torch.topk leaves open which."""
    for mlp in mlps:
        for logits, idx, _, slot, *_ in mlp.runs:
            probs = logits.softmax(1).gather(1, idx)
            for e in range(logits.shape[1]):
                kept, dropped = probs[(idx == e) & (slot >= 0)], probs[(idx == e) & (slot < 0)]
                if mlp.case["k"] > 2 and len(kept) and len(dropped) and kept.min() - dropped.max() < 1e-6:
                    return True
    return False


def closest(logits):
    """The smallest gap between two logits of a row."""
    gaps = logits.sort(dim=1).values.diff(dim=1)
    return float(gaps.min()) if gaps.numel() else float("inf")


def write(name, build, seed, root, dense, gates, again=0):
    r = random.Random(f"{name}-{seed}")
    config, cls = build(r)
    dtype = r.choice([torch.float32, torch.float32, torch.bfloat16, torch.float16])
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    torch.manual_seed(seed)
    model = cls(config).float().eval()
    randomise(model, seed + 7919 * again, dtype)
    folder = root / ("moellava" if dense else "hfmoe") / f"{name}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shards = r.random() < 0.3
    model.to(dtype)
    model.save_pretrained(folder, **({"max_shard_size": "20KB"} if shards else {}))
    model.float()
    note = []
    path = folder / "config.json"
    written = json.loads(path.read_text())
    if r.random() < 0.3:
        drop_defaults(written, config)
        note.append("defaults left out")
    if r.random() < 0.4 and written.get("rope_parameters"):
        to_v4(written)
        note.append("v4")
    path.write_text(json.dumps(written, indent=1))
    # What Python makes of the file that is left: the reference, not the object that wrote it.
    model = cls.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager").eval()
    seen = capture(model, name)
    lens = [r.randint(1, 8), r.randint(9, 20), r.randint(21, 40)]
    ids = [[r.randrange(3, VOCAB) for _ in range(n)] for n in lens]
    out = {"hidden": [], "logits": [], "last": [], "layers": []}
    runs = []
    with torch.no_grad():
        for n, seq in enumerate(ids):
            kw = {} if dense else {"output_router_logits": name not in ("deepseek_v2", "deepseek_v3", "llama4")}
            o = model(torch.tensor([seq]), output_hidden_states=True, use_cache=False, **kw)
            out["hidden"].append(o.hidden_states[-1][0])
            out["logits"].append(o.logits[0])
            if n == 1:
                out["layers"] = torch.stack([h[0] for h in o.hidden_states])
            aux = getattr(o, "aux_loss", None)
            runs.append({"kind": "single", "len": len(seq), "aux_loss": None if aux is None else float(aux)})
    golden = {"model": name, "cls": cls.__name__, "input_ids": ids, "seed": seed, "transformers": tf.__version__,
              "note": note, "dtype": str(dtype), "shards": shards}
    arrays = {}
    if dense:
        arrays |= {"dense/hidden": torch.cat(out["hidden"]), "dense/logits": torch.cat(out["logits"]),
                   "dense/seq1_layer_hidden": out["layers"]}
        golden |= {"backbone": name, "cases": []}
        parts, cases, more = conversions(r, model, ids, gates, seed + 7919 * again) if gates else ({"none": torch.zeros(1)}, [], {})
        golden["cases"] = cases
        arrays |= more
        save_file({k: v.contiguous() for k, v in parts.items()}, folder / "moe_parts.safetensors")
        gap = min((closest(v) for k, v in more.items() if k.endswith("/logits")), default=9.0)
    else:
        gap = 9.0
        for layer, rows in seen.items():
            logits, idx, w = (torch.cat(t) for t in zip(*rows[:3]))
            arrays |= {f"L{layer}/logits": logits, f"L{layer}/idx": idx, f"L{layer}/w": w}
            gap = min(gap, closest(logits))
        arrays |= {"hidden": torch.cat(out["hidden"]), "logits": torch.cat(out["logits"])}
        batch = torch.zeros(3, max(lens), dtype=torch.long)
        mask = torch.zeros_like(batch)
        for b, seq in enumerate(ids):
            batch[b, : len(seq)], mask[b, : len(seq)] = torch.tensor(seq), 1
        with torch.no_grad():
            o = model(batch, attention_mask=mask, output_hidden_states=True, use_cache=False, **kw)
        # Real rows only; where the rotary angles depend on the length of the call they are not those of the single runs.
        arrays["padded3/hidden"] = torch.cat([o.hidden_states[-1][b, : len(seq)] for b, seq in enumerate(ids)])
        aux = getattr(o, "aux_loss", None)
        runs.append({"kind": "padded3", "aux_loss": None if aux is None else float(aux)})
        golden |= {"runs": runs, "moe_layers": sorted(seen), "min_adjacent_logit_gap": gap}
    if gap < 2e-4:
        return write(name, build, seed, root, dense, gates, again + 1)
    save_file({k: v.contiguous() for k, v in arrays.items()}, folder / "golden.safetensors")
    (folder / "golden.json").write_text(json.dumps(golden))
    print(folder.name, written.get("rope_parameters", written.get("rope_scaling")), note, dtype, "shards" if shards else "",
          f"gap {gap:.1e}")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out", type=Path)
    p.add_argument("--first", type=int, default=0)
    p.add_argument("--seeds", type=int, default=20)
    p.add_argument("--only")
    p.add_argument("--deepspeed", type=Path, help="DeepSpeed's sharded_moe.py: also converts the dense models")
    a = p.parse_args()
    gates = moe_gates.load(a.deepspeed) if a.deepspeed else None
    tf.logging.set_verbosity_error()
    for table, dense in ((MIXTURES, False), (DENSE, True)):
        for name, build in table.items():
            if a.only and name != a.only:
                continue
            for seed in range(a.first, a.first + a.seeds):
                write(name, build, seed, a.out / "golden" / "moe", dense, gates)


main()
