#!/usr/bin/env python3
"""Times rendering with a chat template, transformers beside maskscope, one core each, in one run.

    python3 tests/scripts/chat_render.py TEMPLATE.jinja [VENV [BINARY]]

Makes a virtual environment in VENV (a scratch folder without it) with transformers 5.23 and jinja2 from PyPI, writes
1,000 conversations, and alternates passes of both. Prints the best pass of each, the ratio, and whether all texts
agree. BINARY is the bench where it is built already. TEMPLATE is not part of the project; the goldens have Qwen3's as golden/chat/templates/qwen3.base.jinja.
"""

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WANTED = ["transformers==5.23.0", "jinja2>=3.1.6"]
COUNT = 1000
ROUNDS = 3
WORDS = "the a model token mask label answer question train loss template prompt of in and to is it that Zürich 東京 🙂 <b>".split()

TIMED = """
import hashlib, json, sys, time
from transformers.utils.chat_template_utils import render_jinja_template
source = open(sys.argv[1], encoding="utf-8").read()
rows = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
def one(row):
    return render_jinja_template(conversations=[row["messages"]], tools=row.get("tools"), chat_template=source,
                                 add_generation_prompt=False, **row.get("kwargs", {}))[0][0]
best = float("inf")
for _ in range(5):
    start = time.perf_counter()
    texts = [one(row) for row in rows]
    best = min(best, time.perf_counter() - start)
print(json.dumps({"conversations": len(rows), "seconds": best,
                  "sha256": hashlib.sha256("".join(texts).encode()).hexdigest()}))
"""


def text(rng, low, high):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(low, high)))


def conversation(rng, index):
    messages = [{"role": "system", "content": text(rng, 5, 20)}] if index % 3 == 0 else []
    for _ in range(rng.randint(1, 6)):
        messages.append({"role": "user", "content": text(rng, 5, 60)})
        thought = f"<think>\n{text(rng, 10, 80)}\n</think>\n\n" if index % 4 == 0 else ""
        messages.append({"role": "assistant", "content": thought + text(rng, 10, 120)})
    row = {"id": str(index), "messages": messages}
    if index % 5 == 0:
        row["tools"] = [{"type": "function", "function": {
            "name": "look_up", "description": text(rng, 4, 10),
            "parameters": {"type": "object", "properties": {"key": {"type": "string"}}}}}]
    return row


def python_of(venv):
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *WANTED], check=True)
    return python


def measured(command):
    one_core = {**os.environ, "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=one_core, cwd=ROOT)
    return json.loads([line for line in done.stdout.splitlines() if line.startswith("{")][-1])


def main():
    template = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        python = python_of(pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else scratch / "venv")
        rows = scratch / "conversations.jsonl"
        rng = random.Random(7)
        rows.write_text("".join(json.dumps(conversation(rng, i), ensure_ascii=False) + "\n" for i in range(COUNT)),
                        encoding="utf-8")
        timed = scratch / "timed.py"
        timed.write_text(TIMED, encoding="utf-8")
        cargo = ["cargo", "bench", "--quiet", "--bench", "chat_render", "--"]
        bench = [*(sys.argv[3:4] or cargo), template, rows]
        runs = [(measured([python, timed, template, rows]), measured(bench)) for _ in range(ROUNDS)]
    theirs = min(run["seconds"] for run, _ in runs)
    ours = min(run["seconds"] for _, run in runs)
    same = len({run["sha256"] for pair in runs for run in pair}) == 1
    print(f"transformers {theirs * 1e3:8.1f} ms for {COUNT} conversations")
    print(f"maskscope    {ours * 1e3:8.1f} ms")
    print(f"ratio        {theirs / ours:8.1f}    texts {'agree' if same else 'DIFFER'}")
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
