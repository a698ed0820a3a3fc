"""Goldens for DeepSpeed's gates on random shapes, from the real functions, in the layout of golden/moe/gating.

    pip install torch numpy safetensors
    pip download --no-deps --no-binary :all: deepspeed && tar xzf deepspeed-*.tar.gz
    python tests/scripts/moe_gates.py deepspeed-*/deepspeed/moe/sharded_moe.py OUT [--cases 2000] [--seed 0]
    MASKSCOPE_CONFORMANCE=OUT cargo test --test conformance moe::gating -- --nocapture

Only what needs several machines is stubbed: communication, groups, timers, logging.
"""
import argparse
import json
import random
import sys
import types
from pathlib import Path

import torch
from safetensors.torch import save_file


def load(path):
    """sharded_moe.py as a module, its neighbours replaced by stubs."""
    class Anything(types.ModuleType):
        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (), {})

    for name in ("deepspeed", "deepspeed.utils", "deepspeed.utils.timer", "deepspeed.utils.bwc", "deepspeed.comm",
                 "deepspeed.moe", "deepspeed.moe.mappings"):
        sys.modules[name] = Anything(name)
        sys.modules[name].__path__ = []
    groups = types.SimpleNamespace(mpu=None, _get_expert_model_parallel_world_size=lambda: 1)
    sys.modules["deepspeed"].comm = sys.modules["deepspeed.comm"]
    sys.modules["deepspeed.utils"].groups = groups
    sys.modules["deepspeed.comm"].pg_utils = types.SimpleNamespace(is_parallel=lambda group: False)
    module = types.ModuleType("deepspeed.moe.sharded_moe")
    module.__package__ = "deepspeed.moe"
    exec(compile(path.read_text(), str(path), "exec"), module.__dict__)
    return module


def call(ds, k, logits, case, noise):
    """One call of the real gate: (l_aux, combine weights [T, E, C], exp_counts)."""
    device = logits.device
    args = (logits.clone(), case["cf"], case["min_capacity"])
    if k == 1:
        # Without noise the recorded uniform numbers fall with the position: earliest first.
        ds.exp_selection_uniform_map[device] = lambda shape: noise
        return ds.top1gating(*args, drop_tokens=case["drop"])
    if k == 2:
        ds.gumbel_map[device] = lambda shape: noise
        return ds.top2gating(*args, drop_tokens=case["drop"], top2_2nd_expert_sampling=case["noise"])
    return ds.topkgating(args[0], k, *args[1:], drop_tokens=case["drop"], drop_policy=case["policy"])


def main():
    p = argparse.ArgumentParser()
    p.add_argument("source", type=Path)
    p.add_argument("out", type=Path)
    p.add_argument("--cases", type=int, default=2000)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    ds, r = load(a.source), random.Random(a.seed)
    g = torch.Generator().manual_seed(a.seed)
    cases, arrays = [], {}
    for n in range(a.cases):
        tokens, experts = r.choice([1, 2, 3, 7, 16, 33, 50, 120, 257]), r.choice([2, 3, 4, 5, 8, 16, 60])
        k = r.randint(1, min(experts, 6))
        case = {"id": n, "input": f"in{n}", "S": tokens, "E": experts, "k": k,
                "cf": r.choice([0.1, 0.25, 0.5, 0.75, 1.0, 1.1, 1.2, 1.25, 1.5, 2.0, 3.3, 4.0]),
                "min_capacity": r.choice([0, 0, 1, 4, 8]), "drop": r.random() < 0.85, "noise": k <= 2 and r.random() < 0.5}
        case["policy"] = r.choice(["probs", "position"]) if k > 2 else None
        logits = torch.randn(tokens, experts, generator=g) * r.choice([0.2, 1.0, 5.0])
        # Random and in a skewed direction, so that some experts overflow.
        logits += torch.randn(experts, generator=g) * r.choice([0.0, 1.0, 3.0])
        uniform, gumbel = torch.rand(tokens, experts, generator=g), -(-torch.rand(tokens, experts, generator=g).log()).log()
        falling = torch.linspace(0.99, 0.01, tokens).unsqueeze(1).expand(tokens, experts).contiguous()
        arrays[f"in{n}/logits"], arrays[f"in{n}/gumbel"] = logits, gumbel
        arrays[f"in{n}/uniform"] = uniform
        noise = {1: uniform if case["noise"] else falling, 2: gumbel}.get(k)
        try:
            l_aux, combine, _, counts = call(ds, k, logits, case, noise)
        except Exception as error:
            case["new_error"] = repr(error)[:120]
        else:
            case |= {"l_aux": float(l_aux), "capacity": combine.shape[2], "exp_counts_new": counts.tolist(), "arrays": True}
            weights, slot = combine.sum(2), torch.full((tokens, experts), -1, dtype=torch.int16)
            for t, e, c in (combine > 0).nonzero().tolist():
                slot[t, e] = c
            arrays[f"g{n}/W"], arrays[f"g{n}/slot"] = weights, slot
        cases.append(case)
    folder = a.out / "golden" / "moe" / "gating"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gating.json").write_text(json.dumps(cases))
    save_file({k: v.contiguous() for k, v in arrays.items()}, folder / "gating.safetensors")
    print(len(cases), "cases,", sum("new_error" in c for c in cases), "errors", {c["new_error"] for c in cases if "new_error" in c})


if __name__ == "__main__":
    main()
