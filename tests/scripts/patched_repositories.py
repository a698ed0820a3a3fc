#!/usr/bin/env python3
"""Patches fresh checkouts of public training repositories with `maskscope onboard --repo`, and asks real Python what came out.

    patched_repositories.py --maskscope PATH --checkouts DIR --tokenizers DIR --conversations FILE [--python PATH]
        [--repositories NAME,...] [--names NAME,...] [--json OUT]

DIR of --checkouts holds a clone of each repository under its own name (MoE-LLaVA, LLaVA, ...). --python is an interpreter
with torch and transformers 4.37; with it every record is compared with the repository's own function there (`maskscope verify`),
and the test that comes with the diff is run. For each repository and tokenizer one line is printed:

    patched   git apply and compileall passed; records equal between real Python, the patched repository and the set-up
    refused   exit status 1 or 2 with the reason, and nothing was changed without saying so
    BROKEN    anything else; the exit status of this script is 1 then

No code of those repositories is kept here: they are copied into a temporary folder and thrown away.
"""
import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ARGUMENTS = {"Bunny": ["--script-arg", "model_type=phi-2"]}


def run(*command, cwd=None, env=None):
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def versions_of(options, root):
    status, out, err = run(options.maskscope, "repo", root, "--format", "json")
    try:
        found = json.loads(out)
    except ValueError:
        return []
    items = found if isinstance(found, list) else found.get("items", [])
    return sorted({item["name"] for item in items if item.get("kind") == "template"})


def labels(options, root, version, tokenizer, more):
    status, out, err = run(
        options.maskscope, "inspect", "--repo", root, "--version", version, "-t", tokenizer, "-d", options.conversations,
        "--format", "jsonl", *more)
    rows = []
    for line in out.splitlines():
        row = json.loads(line)
        rows.append((row.get("input_ids"), row.get("labels"), (row.get("error") or {}).get("type")))
    return rows or [err.strip().splitlines()[-1:]]


def other_model(version):
    """Stage 1 of the new backbone must change; that of any other model must not."""
    return ["--model-name", "some/model"] if version == "plain" else []


def one(options, repository, tokenizer):
    more = ARGUMENTS.get(repository, [])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / repository
        shutil.copytree(Path(options.checkouts) / repository, root, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        place = Path(options.tokenizers) / tokenizer
        status, diff, err = run(
            options.maskscope, "onboard", "--name", "mine", "-t", place, "-d", options.conversations, "--repo", root, *more)
        said = [line for line in err.splitlines() if line.strip()]
        if status != 0:
            why = next((l for l in said if "no patch" in l or "could not" in l or "makes labels" in l or l.startswith("error")), said[-1])
            return "refused" if status in (1, 2) else "BROKEN", f"exit {status}: {why[:240]}"
        if not diff:
            return "BROKEN", "exit 0 without a diff"
        before = {}
        others = versions_of(options, root)[: options.versions]
        for version in others:
            before[version] = labels(options, root, version, place, more + other_model(version))
        (Path(folder) / "mine.diff").write_text(diff)
        status, _, err = run("git", "apply", Path(folder) / "mine.diff", cwd=root)
        if status:
            return "BROKEN", "git apply: " + err[:200]
        files = [l[6:] for l in diff.splitlines() if l.startswith("+++ b/")]
        status, out, err = run(options.python or sys.executable, "-m", "compileall", "-q", *files, cwd=root)
        if status:
            return "BROKEN", "compileall: " + (out + err)[:200]
        for version in others:
            if labels(options, root, version, place, more + other_model(version)) != before[version]:
                return "BROKEN", f"--version {version} labels otherwise than before"
        mine = labels(options, root, "mine", place, more)
        supervised = sum(sum(v >= 0 for v in row[1]) for row in mine if len(row) == 3 and row[1])
        found = f"{len(mine)} records, {supervised} supervised tokens, {len(others)} other versions as before"
        if not supervised:
            return "BROKEN", "nothing is supervised: " + found
        if not options.python:
            return "patched", found
        status, out, err = run(
            options.maskscope, "verify", "--repo", root, "--version", "mine", "-t", place, "-d", options.conversations,
            "--python", options.python, *more)
        last = [l for l in (out + err).splitlines() if l.strip()]
        if status == 2:
            return "patched", found + "; real Python does not start: " + last[-1][:200]
        if status:
            return "BROKEN", "verify: " + " | ".join(last[-3:])[:400]
        equal = next((l for l in last if " of " in l), last[-1])
        env = dict(os.environ, TOKENIZER=str(place), PYTHONDONTWRITEBYTECODE="1", HF_HUB_OFFLINE="1")
        status, out, err = run(options.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", files[-1], cwd=root, env=env)
        test = [l for l in out.splitlines() if l.strip()]
        if status:
            return "BROKEN", f"its own test: {' | '.join(test[-4:])[:500]}"
        return "patched", f"{found}; real Python: {equal.strip()}; its own test: {test[-1]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("maskscope", "checkouts", "tokenizers", "conversations"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--python")
    parser.add_argument("--repositories", default="MoE-LLaVA,LLaVA,LLaVA-NeXT,Bunny,TinyLLaVA_Factory,Video-LLaVA,MGM")
    parser.add_argument("--names", default="")
    parser.add_argument("--versions", type=int, default=100, help="how many other versions are compared")
    options = parser.parse_args()
    names = options.names.split(",") if options.names else sorted(p.name for p in Path(options.tokenizers).iterdir() if p.is_dir())
    counts = {}
    for repository in options.repositories.split(","):
        for tokenizer in names:
            state, what = one(options, repository, tokenizer)
            counts[state] = counts.get(state, 0) + 1
            print(f"{state:8} {repository:18} {tokenizer:14} {what}", flush=True)
    print(", ".join(f"{count} {state}" for state, count in sorted(counts.items())))
    return int("BROKEN" in counts or not counts)


if __name__ == "__main__":
    sys.exit(main())
