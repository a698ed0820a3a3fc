#!/usr/bin/env python3
"""Kills `maskscope scan --resume` and `maskscope moe convert` with SIGKILL at random moments, and asks whether anything is lost.

    kill_nine.py --maskscope PATH [--moments 60] [--samples 200000] [--megabytes 256] [--seed N]

scan: one scan is killed again and again and goes on with --resume, until it ends by itself; its report and the ids of its
lost samples must be those of a scan that nobody killed. That is repeated until so many moments are used up.
convert: each run is killed; the folder --out must be whole or not there, a half-written one beside it must be named by the
next run, and that one must write the same bytes as a run that nobody killed.

One line is printed for each; the exit status is 1 where something was lost.
"""
import argparse
import hashlib
import json
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def run_for(seconds, command, folder):
    """Runs the command, killed after so many seconds; its exit status (-9 for killed) and output."""
    child = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        out, err = child.communicate()
    return child.returncode, out, err


def samples(path, count, draw):
    with open(path, "w", encoding="utf-8") as file:
        for n in range(count):
            answer = "" if draw.random() < 0.01 else "word " * draw.randrange(1, 40)
            turns = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": answer}]
            file.write(json.dumps({"id": f"s{n}", "conversations": turns}) + "\n")


def told(report):
    """The report without what differs from run to run."""
    report = json.loads(report)
    for key in ("seconds", "elapsed", "elapsed_seconds", "speed", "resumed", "state", "outputs"):
        report.pop(key, None)
    return report


def kill_scans(options, draw, folder):
    samples(folder / "data.jsonl", options.samples, draw)
    command = [options.maskscope, "scan", "-d", "data.jsonl", "--format", "json", "--bad-ids"]
    begin = time.monotonic()
    status, out, err = run_for(None, [*command, "whole.txt"], folder)
    took = time.monotonic() - begin
    if status not in (0, 1):
        sys.exit(f"the scan does not run: {err}")
    expected, bad = told(out), (folder / "whole.txt").read_bytes()
    kills, scans, lost = 0, 0, []
    while kills < options.moments:
        for path in folder.glob("killed.txt*"):
            path.unlink()
        scans += 1
        status, out, err = run_for(draw.uniform(0, took), [*command, "killed.txt"], folder)
        while status == -9:
            kills += 1
            # The scan may have been killed before it kept anything: then there is nothing to go on with.
            resume = ["--resume"] if list(folder.glob("killed.txt.state")) else []
            limit = draw.uniform(0, took) if kills < options.moments else None
            status, out, err = run_for(limit, [*command, "killed.txt", *resume], folder)
        if status not in (0, 1):
            lost.append(f"status {status}: {err.strip()[-300:]}")
        elif told(out) != expected:
            lost.append(f"another report: {sorted(k for k, v in told(out).items() if expected.get(k) != v)}")
        elif (folder / "killed.txt").read_bytes() != bad:
            lost.append("other ids")
        left = [p.name for p in folder.iterdir() if p.name not in ("data.jsonl", "whole.txt", "killed.txt")]
        if left:
            lost.append(f"left behind: {left}")
    print(f"scan     {kills} kills in {scans} scans of {options.samples} samples ({took:.1f} s each), {len(lost)} lost")
    return lost


def checkpoint(folder, megabytes):
    """A Llama of one layer with random weights."""
    hidden = 1024
    vocabulary = max(8, megabytes * (1 << 20) // (8 * hidden))
    config = {"model_type": "llama", "vocab_size": vocabulary, "hidden_size": hidden, "intermediate_size": 64,
              "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2, "hidden_act": "silu",
              "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "torch_dtype": "float32"}
    shapes = {"model.embed_tokens.weight": [vocabulary, hidden], "lm_head.weight": [vocabulary, hidden],
              "model.norm.weight": [hidden]}
    for part in ("q", "k", "v", "o"):
        shapes[f"model.layers.0.self_attn.{part}_proj.weight"] = [hidden, hidden]
    shapes["model.layers.0.mlp.gate_proj.weight"] = shapes["model.layers.0.mlp.up_proj.weight"] = [64, hidden]
    shapes["model.layers.0.mlp.down_proj.weight"] = [hidden, 64]
    for part in ("input_layernorm", "post_attention_layernorm"):
        shapes[f"model.layers.0.{part}.weight"] = [hidden]
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    header, at = {}, 0
    for name, shape in shapes.items():
        end = at + 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(header).encode()
    block = struct.pack("<262144f", *(random.Random(1).uniform(-1, 1) for _ in range(262144)))
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for begin in range(0, at, len(block)):
            file.write(block[: min(len(block), at - begin)])


def digest(folder):
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        total.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def kill_converts(options, draw, folder):
    checkpoint(folder / "model", options.megabytes)
    command = [options.maskscope, "moe", "convert", "--checkpoint", "model", "--out"]
    begin = time.monotonic()
    status, _, err = run_for(None, [*command, "whole"], folder)
    took = time.monotonic() - begin
    if status != 0:
        sys.exit(f"the conversion does not run: {err}")
    expected = digest(folder / "whole")
    kills, whole, halves, lost = 0, 0, 0, []
    while kills < options.moments:
        status, _, _ = run_for(draw.uniform(0, took), [*command, "out"], folder)
        kills += status == -9
        halves_now = list(folder.glob(".out.*.part"))
        halves += len(halves_now)
        if (folder / "out").exists():
            whole += 1
            if digest(folder / "out") != expected:
                lost.append(f"--out is there and not whole, status {status}")
            shutil.rmtree(folder / "out")
        if halves_now:
            status, _, err = run_for(None, [*command, "out"], folder)
            if status != 0 or digest(folder / "out") != expected:
                lost.append(f"the next run writes something else: {status} {err.strip()[-300:]}")
            if not all(half.name in err for half in halves_now):
                lost.append(f"what was left is not named: {err.strip()[-300:]}")
            for path in [*halves_now, folder / "out"]:
                shutil.rmtree(path, ignore_errors=True)
    print(f"convert  {kills} kills of {options.megabytes} MB ({took:.1f} s each), {halves} left a half-written folder that the next "
          f"run named, {whole} times --out was there, {len(lost)} lost")
    return lost


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maskscope", required=True, type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--moments", type=int, default=60)
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    print(f"--seed {options.seed}")
    lost = []
    for kill in (kill_scans, kill_converts):
        with tempfile.TemporaryDirectory() as folder:
            lost += kill(options, random.Random(options.seed), Path(folder))
    for line in lost:
        print(f"LOST  {line}")
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
