"""Templates of a small training repository, before the patch."""
import enum


class SeparatorStyle(enum.Enum):
    TWO = 2


class Conversation:
    def __init__(self, system, roles, version, messages, offset, sep_style, sep, sep2):
        self.system, self.roles, self.version, self.messages = system, roles, version, list(messages)
        self.offset, self.sep_style, self.sep, self.sep2 = offset, sep_style, sep, sep2

    def copy(self):
        return Conversation(
            self.system, self.roles, self.version, self.messages, self.offset, self.sep_style, self.sep, self.sep2
        )

    def append_message(self, role, message):
        self.messages.append((role, message))

    def get_prompt(self):
        text = self.system + self.sep
        for place, (role, message) in enumerate(self.messages):
            closing = self.sep2 if place % 2 else self.sep
            text += role + ": " + message + closing if message else role + ":"
        return text


conv_first = Conversation("Hello.", ("USER", "ASSISTANT"), "first", (), 0, SeparatorStyle.TWO, " ", "</s>")

default_conversation = conv_first
conv_templates = {
    "first": conv_first,
}
