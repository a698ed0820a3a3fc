"""Records what releases of transformers 4.x make of chat templates that meet nulls, reasoning, tools and newer tags.

Run with one interpreter a release, each in a virtual environment of its own:

    python3 -m venv tf4_57 && tf4_57/bin/pip install transformers==4.57.6 jinja2 tokenizers
    python3 -m venv tf4_37 && tf4_37/bin/pip install transformers==4.37.2 jinja2 tokenizers
    tf4_57/bin/python tests/scripts/record_chat_releases.py > tests/golden/chat_releases/4.57.jsonl
    tf4_37/bin/python tests/scripts/record_chat_releases.py > tests/golden/chat_releases/4.37.jsonl

and with transformers 5.23.0 for `tests/golden/chat_releases/5.jsonl`. The first line holds templates,
conversations and options by name; then one line a (template x conversation x options): the text that
`apply_chat_template(..., tokenize=False)` returns, or the exception. No torch is needed. Run on 2026-11-27 with Python 3.11.7.
"""

import json
import sys

from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

HEAD = "{% for m in messages %}{{ '<|im_start|>' }}{{ m['role'] }}{{ '\\n' }}"
TAIL = "{{ '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
TEMPLATES = {
    "loose": HEAD + "{{ m['content'] }}" + TAIL,
    "strict": "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{% endfor %}",
    "attribute": HEAD + "{{ m.content }}" + TAIL,
    "guarded": HEAD + "{% if m.content %}{{ m.content }}{% endif %}" + TAIL,
    "defined": HEAD + "{% if m.content is defined %}{{ m.content }}{% else %}nothing{% endif %}" + TAIL,
    "in": HEAD + "{% if 'tool_calls' in m %}calls: {{ m.tool_calls }}{% else %}{{ m.content }}{% endif %}" + TAIL,
    "parts": HEAD + "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}" + TAIL,
    "reasoning": HEAD + "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}" + TAIL,
    "thinking": HEAD + "{% if m.thinking is defined %}<think>{{ m.thinking }}</think>{% endif %}{{ m.content }}" + TAIL,
    "tools": "{% if tools %}{% for t in tools %}{{ t.function.name }} {% endfor %}{% endif %}{% if tools is not none %}given{% endif %}" + HEAD + "{{ m.content }}" + TAIL,
    "kwargs": "{% if enable_thinking is defined %}{{ enable_thinking }}{% else %}unset{% endif %}" + HEAD + "{{ m.content }}" + TAIL,
    "keys": "{% for m in messages %}{% for k, v in m.items() %}{{ k }}={{ v }};{% endfor %}{% endfor %}",
    "generation": "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}{% endfor %}",
    "break": "{% for m in messages %}{{ m.content }}{% if loop.index == 1 %}{% break %}{% endif %}{% endfor %}",
    "tojson": "{% for m in messages %}{{ m | tojson }}{% endfor %}",
    "clock": "{% if strftime_now is defined %}clock{% else %}none{% endif %}",
    "special": "{{ bos_token }}" + HEAD + "{{ m.content }}" + TAIL,
}
USER = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "weather", "description": "Weather", "parameters": {}}}
CALLS = [{"function": {"name": "weather", "arguments": {"b": "<x> & 'y'", "a": None}}}]
OPTIONS = {"none": {}, "all": {"tools": [TOOL], "enable_thinking": False, "add_generation_prompt": True}}
CONVERSATIONS = {
    "plain": [USER, {"role": "assistant", "content": "Hello."}],
    "null": [USER, {"role": "assistant", "content": None}],
    "null_keys": [{**USER, "name": None, "tool_calls": None}, {"role": "assistant", "content": "Hello.", "tool_calls": None}],
    "missing": [USER, {"role": "assistant"}],
    "list": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, {"role": "assistant", "content": "Hello."}],
    "null_part": [{"role": "user", "content": [{"type": "text", "text": None}]}, {"role": "assistant", "content": "Hello."}],
    "reasoning_content": [USER, {"role": "assistant", "content": "Hello.", "reasoning_content": "why"}],
    "reasoning": [USER, {"role": "assistant", "content": "Hello.", "reasoning": "why"}],
    "thinking": [USER, {"role": "assistant", "content": "Hello.", "thinking": "why"}],
    "two_names": [USER, {"role": "assistant", "content": "Hello.", "reasoning_content": "", "reasoning": "why"}],
    "calls": [USER, {"role": "assistant", "content": None, "tool_calls": CALLS}, {"role": "tool", "content": "3"}],
    "umlaut": [{"role": "user", "content": "Grüße <b>"}],
    "empty": [],
}


def main():
    core = Tokenizer(models.WordLevel({"[UNK]": 0, "<s>": 1}, unk_token="[UNK]"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]", bos_token="<s>")
    write({"templates": TEMPLATES, "conversations": CONVERSATIONS, "options": OPTIONS})
    for name, template in TEMPLATES.items():
        for conversation, messages in CONVERSATIONS.items():
            for chosen, options in OPTIONS.items():
                record = {"template": name, "conversation": conversation, "options": chosen}
                try:
                    record["text"] = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False, **options)
                except Exception as error:
                    record["error"] = type(error).__name__
                    record["message"] = str(error)
                write(record)


def write(record):
    json.dump(record, sys.stdout, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
