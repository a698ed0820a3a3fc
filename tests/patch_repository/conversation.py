"""Templates of a small training repository."""
import dataclasses
from enum import Enum, auto


class SeparatorStyle(Enum):
    TWO = auto()
    PLAIN = auto()


@dataclasses.dataclass
class Conversation:
    system: str
    roles: tuple
    messages: list
    offset: int
    sep_style: SeparatorStyle = SeparatorStyle.TWO
    sep: str = " "
    sep2: str = None
    version: str = "Unknown"

    def get_prompt(self):
        if self.sep_style == SeparatorStyle.PLAIN:
            return "".join((message or "") + (self.sep2 if i % 2 else self.sep) for i, (_, message) in enumerate(self.messages))
        text = self.system + self.sep
        for i, (role, message) in enumerate(self.messages):
            text += role + ": " + message + (self.sep2 if i % 2 else self.sep) if message else role + ":"
        return text

    def append_message(self, role, message):
        self.messages.append([role, message])

    def copy(self):
        return Conversation(
            system=self.system,
            roles=self.roles,
            messages=[[role, message] for role, message in self.messages],
            offset=self.offset,
            sep_style=self.sep_style,
            sep=self.sep,
            sep2=self.sep2,
            version=self.version,
        )


conv_one = Conversation("Hello.", ("USER", "ASSISTANT"), (), 0, SeparatorStyle.TWO, " ", "</s>", "one")
conv_plain = Conversation("", ("", ""), (), 0, SeparatorStyle.PLAIN, "", "\n", "plain")

default_conversation = conv_one
# All templates by name.
conv_templates = {
    "one": conv_one,
    "plain": conv_plain,  # image pre-training
}
