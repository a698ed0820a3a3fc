"""PyTorch beside maskscope on one machine and one model: the 43.7 M-parameter Mixtral of benches/moe_forward.rs.

    pip install torch transformers safetensors numpy
    OMP_NUM_THREADS=1 python tests/scripts/moe_forward_torch.py DIR
    RAYON_NUM_THREADS=1 MASKSCOPE_BENCH_CHECKPOINT=DIR cargo bench --bench moe_forward

The first writes the model to DIR (once) and times it; the second times the same weights, and checks the last logits.
Wall and CPU time are the best of seven runs: on a shared machine the CPU time is the one to compare.
"""
import json
import os
import resource
import sys
import time
from pathlib import Path

import torch
import transformers as tf
from safetensors.torch import save_file

VOCAB = 32_000


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def best(run, times=7):
    run()
    wall = used = float("inf")
    for _ in range(times):
        w, c = time.perf_counter(), cpu()
        run()
        wall, used = min(wall, time.perf_counter() - w), min(used, cpu() - c)
    return wall * 1e3, used * 1e3


def main():
    folder = Path(sys.argv[1])
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    torch.set_num_threads(threads)
    if not (folder / "model.safetensors").exists():
        config = tf.MixtralConfig(
            vocab_size=VOCAB, hidden_size=256, num_hidden_layers=8, num_attention_heads=8, num_key_value_heads=8,
            intermediate_size=512, num_local_experts=8, num_experts_per_tok=2, initializer_range=0.06,
            sliding_window=None, rope_parameters={"rope_type": "default", "rope_theta": 10000.0})
        torch.manual_seed(0)
        tf.MixtralForCausalLM(config).save_pretrained(folder)
    model = tf.MixtralForCausalLM.from_pretrained(folder, dtype=torch.float32, experts_implementation="eager").eval()
    print(f"torch {torch.__version__}, transformers {tf.__version__}, {threads} thread(s), attention {model.config._attn_implementation}")
    last = {}
    with torch.no_grad():
        for n in (128, 512, 2048):
            ids = torch.tensor([[(i * 7919 + 13) % VOCAB for i in range(n)]])
            last[f"last_logits/{n}"] = model(ids, use_cache=False, logits_to_keep=1).logits[0, 0].contiguous()
            for what, run in (("backbone", lambda: model.model(ids, use_cache=False)), ("with head", lambda: model(ids, use_cache=False))):
                wall, used = best(run)
                print(f"S={n}: {what} wall {wall:.0f} ms, CPU {used:.0f} ms, CPU per 1k tokens {used * 1000 / n:.0f} ms")
    save_file(last, folder / "last_logits.safetensors")


main()
