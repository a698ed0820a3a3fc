"""What LLaMA-Factory's tool formats write for tools and for function turns, and what its templates make of whole rows.

    pip download --no-deps llamafactory==0.9.5 && unzip llamafactory-0.9.5-*.whl -d LF
    python3 tests/scripts/record_llamafactory_tools.py LF > tests/golden/llamafactory/tools.jsonl
    python3 tests/scripts/record_llamafactory_tools.py LF rows > tests/golden/llamafactory/rows.jsonl

Only `data/tool_utils.py`, `data/formatter.py` and `data/template.py` are loaded, which need neither torch nor transformers;
the tokenizer has one id a character.
"""

import copy
import datetime
import enum
import importlib.util
import json
import pathlib
import sys
import types

NAMES = ["default", "gemma4", "glm4", "glm4_moe", "lfm2", "ling", "llama3", "minimax1", "minimax2", "mistral", "qwen",
         "qwen3_5", "seed_oss"]
WORDS = {"thought_words": ("<think>\n", "\n</think>\n\n"), "tool_call_words": ("<tool_call>", "</tool_call>")}


def load(folder):
    data = pathlib.Path(folder, "llamafactory", "data")

    def stub(name, **members):
        module = types.ModuleType(name)
        module.__path__ = [str(data)]
        vars(module).update(members)
        sys.modules[name] = module
        return module

    roles = enum.StrEnum("Role", [(n.upper(), n) for n in ("user", "assistant", "system", "function", "observation")])
    logging = stub("lf.extras.logging", get_logger=lambda name: None)
    stub("lf")
    stub("lf.extras", logging=logging)
    stub("lf.data")
    stub("lf.data.data_utils", SLOTS=list, Role=roles)
    stub("lf.data.mm_plugin", get_mm_plugin=lambda *names, **arguments: None)
    loaded = []
    for name in ("tool_utils", "formatter", "template"):
        spec = importlib.util.spec_from_file_location(f"lf.data.{name}", data / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[f"lf.data.{name}"] = module
        spec.loader.exec_module(module)
        loaded.append(module)
    return loaded


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2026, 11, 23, 12, 0)


WEATHER = {
    "name": "weather",
    "description": "Weather of a city, \"now\"",
    "parameters": {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Name – of the city"},
            "unit": {"type": "string", "enum": ["°C", "°F"]},
            "days": {"type": "array", "items": {"type": "integer"}, "description": "Which {days}"},
            "any": {"type": ["string", "null"], "default": None},
        },
        "required": ["city", "days"],
    },
}
PLAIN = {"name": "now", "parameters": {"type": "object", "properties": {}}}
WRAPPED = {"type": "function", "function": WEATHER}
STRICT = {"type": "function", "function": {**PLAIN, "strict": True, "x": 1.5}}
NUMBERS = {"name": "n", "parameters": {"properties": {"k": {"type": "integer", "enum": [1, 2]}}}}
BARE = {"name": "bare", "description": "No parameters"}
NAMELESS = {"description": "x", "parameters": {"properties": {}}}
ANSWERS = {"name": "answers", "parameters": {"type": "object", "required": "ab", "properties": {
    "a": {"type": "string", "description": ""}, "b": {}}}, "response": {"type": "Object", "description": "What it gives"}}
LIST = {"name": "list", "parameters": {"required": 3}, "response": {"type": "array"}}
ODD = {"name": "odd", "parameters": {"properties": {"a": "string"}}}
TOOLS = [[], [WEATHER], [PLAIN], [WRAPPED], [WEATHER, PLAIN], [WRAPPED, STRICT], [NUMBERS], [BARE], [NAMELESS], [ANSWERS], [LIST], [ODD]]

OSLO = {"name": "weather", "arguments": {"city": "Oslo – é", "days": [1, 2], "deep": {"a": None}, "n": 1.0, "b": True}}
NOW = {"name": "now", "arguments": {}}
CALLS = [
    json.dumps(OSLO),
    json.dumps(OSLO, ensure_ascii=False, indent=2),
    json.dumps(NOW),
    json.dumps([OSLO]),
    json.dumps([OSLO, NOW]),
    json.dumps([]),
    "<think>\nWhich city?\n</think>\n\n" + json.dumps(OSLO),
    "<think>\na\n</think>\n\n" + json.dumps([NOW, OSLO]),
    "I look.\n<tool_call>\n" + json.dumps(OSLO) + "\n</tool_call>",
    "<think>\na\n</think>\n\nNow.<tool_call>" + json.dumps(NOW) + "</tool_call> Done.",
    "<tool_call>" + json.dumps(NOW) + "</tool_call><tool_call>" + json.dumps(OSLO) + "</tool_call>",
    json.dumps({"name": "weather", "arguments": "{\"city\": \"Oslo\"}"}),
    json.dumps({"name": "weather", "arguments": ["Oslo"]}),
    json.dumps({"name": "weather", "arguments": None}),
    json.dumps({"name": "weather", "arguments": [1.5e20, {"b": False, "a": [None, "x"]}]}),
    json.dumps({"name": "weather"}),
    json.dumps({"arguments": {}}),
    json.dumps({"name": "q", "arguments": {"text": "line\nbreak \"x\""}, "more": 1}),
    "no JSON",
    "",
    "\"text\"",
    "3",
    "{\"name\": \"a\", \"arguments\": {}} and more",
]


def tried(call):
    try:
        return {"text": call()}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


class Characters:
    """One id a character; eos has an id of its own, and there is no bos."""

    bos_token_id, eos_token_id = None, -1

    def __init__(self, template):
        self.eos_token = template.stop_words[0] if template.replace_eos else "<|im_end|>"

    def encode(self, text, add_special_tokens=False):
        return [ord(c) for c in text]

    def decode(self, ids):
        return "".join(self.eos_token if i < 0 else chr(i) for i in ids)


TEMPLATES = ["empty", "chatml", "qwen", "qwen3", "qwen3_nothink", "qwen3_5", "gemma", "gemma3", "gemma2", "glm4",
             "glm4_moe", "phi4", "lfm2", "deepseek3", "deepseekr1", "llama3", "phi", "mistral", "llama2", "vicuna",
             "default", "gemma4", "gemma4n"]


def turn(role, content):
    return {"role": role, "content": content}


ROWS = [
    {"system": "Be brief.", "tools": [WEATHER], "messages": [
        turn("user", "Weather in Oslo?"), turn("function", json.dumps(OSLO)),
        turn("observation", "{\"t\": 3}"), turn("assistant", "Three degrees.")]},
    {"system": "", "tools": [PLAIN, WRAPPED], "messages": [
        turn("user", "Now?"), turn("function", "<think>\nA call.\n</think>\n\n" + json.dumps(NOW)),
        turn("observation", "noon"), turn("assistant", "Noon."),
        turn("user", "And?"), turn("assistant", "<think>\nNothing.\n</think>\n\nNo.")]},
    {"system": "", "tools": [], "messages": [turn("user", "Hi"), turn("assistant", "Hello.")]},
    {"system": "", "tools": [], "messages": [
        turn("observation", "noon"), turn("function", json.dumps(NOW)),
        turn("observation", "one"), turn("assistant", "One.")]},
    {"system": "Sys", "tools": [PLAIN], "messages": [
        turn("observation", "noon"), turn("assistant", "Noon it is.")]},
]


def rows(templates, formatter):
    for name in TEMPLATES:
        for asked in (None, "llama3"):
            template = copy.deepcopy(templates.TEMPLATES[name])
            if asked is not None:
                slots = ["{{content}}"] if template.efficient_eos else ["{{content}}", {"eos_token"}]
                template.format_function = formatter.FunctionFormatter(slots=slots, tool_format=asked)
                template.format_tools = formatter.ToolFormatter(tool_format=asked)
            for row in ROWS:
                tokenizer = Characters(template)

                def pairs():
                    tools = json.dumps(row["tools"]) if row["tools"] else ""
                    messages = copy.deepcopy(row["messages"])
                    encoded = template.encode_multiturn(tokenizer, messages, row["system"], tools)
                    return [[tokenizer.decode(source), tokenizer.decode(target)] for source, target in encoded]

                line = {"template": name, "tool_format": asked, "row": row, "result": tried(pairs)}
                print(json.dumps(line, ensure_ascii=False))


def main():
    tool_utils, formatter, templates = load(sys.argv[1])
    if sys.argv[2:] == ["rows"]:
        tool_utils.datetime = Clock
        rows(templates, formatter)
        return
    tool_utils.datetime = Clock
    for name in NAMES:
        tools = formatter.ToolFormatter(tool_format=name)
        for given in TOOLS:
            result = tried(lambda: tools.apply(content=json.dumps(given))[0])
            print(json.dumps({"format": name, "tools": given, "result": result}, ensure_ascii=False))
        function = formatter.FunctionFormatter(slots=["{{content}}"], tool_format=name)
        for content in CALLS:
            for words in (True, False):
                result = tried(lambda: function.apply(content=content, **(WORDS if words else {}))[0])
                line = {"format": name, "content": content, "words": words, "result": result}
                print(json.dumps(line, ensure_ascii=False))


main()
