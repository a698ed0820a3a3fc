//! Slot templates: the text around each kind of turn, as data.

use super::tools::ToolFormat;
use crate::masks::MaskError;
use crate::masks::encoder::Encoder;
use crate::tokenizer::TokenId;

/// A piece of a turn; pieces are encoded one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Text; `{{content}}` stands for the message.
    Text(&'static str),
    /// The bos token, if there is one.
    Bos,
    /// The eos token, if there is one.
    Eos,
}

/// Where a system message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fusion {
    /// In front of the first turn, encoded by itself.
    OwnTurn,
    /// Into the text of the first user turn (`Llama2Template`).
    IntoFirstUser,
}

/// One registered template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotTemplate {
    pub name: &'static str,
    pub prefix: &'static [Slot],
    pub system: &'static [Slot],
    pub user: &'static [Slot],
    pub assistant: &'static [Slot],
    /// The answer of a tool.
    pub observation: &'static [Slot],
    pub default_system: &'static str,
    /// Token that replaces the tokenizer's eos (`replace_eos` with `stop_words[0]`).
    pub replaced_eos: Option<&'static str>,
    pub fusion: Fusion,
    pub efficient_eos: bool,
    /// Adds and removes thoughts (`ReasoningTemplate`).
    pub reasoning: bool,
    pub thought_words: [&'static str; 2],
    /// How tools and calls are written.
    pub tool_format: ToolFormat,
    /// A turn that calls; `None` writes it as an answer.
    pub function: Option<&'static [Slot]>,
    /// Words around a call that a turn may hold already.
    pub tool_call_words: [&'static str; 2],
}

const CONTENT: &str = "{{content}}";
const THOUGHT_WORDS: [&str; 2] = ["<think>\n", "\n</think>\n\n"];

/// What `register_template` gives a template that says nothing else: content, and eos behind an answer.
const DEFAULTS: SlotTemplate = SlotTemplate {
    name: "default",
    prefix: &[],
    system: &[Slot::Text(CONTENT)],
    user: &[Slot::Text(CONTENT)],
    assistant: &[Slot::Text(CONTENT), Slot::Eos],
    observation: &[Slot::Text(CONTENT)],
    default_system: "",
    replaced_eos: None,
    fusion: Fusion::OwnTurn,
    efficient_eos: false,
    reasoning: false,
    thought_words: THOUGHT_WORDS,
    tool_format: ToolFormat::Default,
    function: None,
    tool_call_words: ["<tool_call>", "</tool_call>"],
};

const CHATML: SlotTemplate = SlotTemplate {
    name: "chatml",
    system: &[Slot::Text("<|im_start|>system\n{{content}}<|im_end|>\n")],
    user: &[Slot::Text("<|im_start|>user\n{{content}}<|im_end|>\n<|im_start|>assistant\n")],
    assistant: &[Slot::Text("{{content}}<|im_end|>\n")],
    observation: &[Slot::Text("<|im_start|>tool\n{{content}}<|im_end|>\n<|im_start|>assistant\n")],
    replaced_eos: Some("<|im_end|>"),
    ..DEFAULTS
};

const QWEN: SlotTemplate = SlotTemplate {
    name: "qwen",
    observation: &[Slot::Text(
        "<|im_start|>user\n<tool_response>\n{{content}}\n</tool_response><|im_end|>\n<|im_start|>assistant\n",
    )],
    default_system: "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    tool_format: ToolFormat::Qwen,
    ..CHATML
};

const GEMMA: SlotTemplate = SlotTemplate {
    name: "gemma",
    prefix: &[Slot::Bos],
    system: &[Slot::Text("{{content}}\n\n")],
    user: &[Slot::Text("<start_of_turn>user\n{{content}}<end_of_turn>\n<start_of_turn>model\n")],
    assistant: &[Slot::Text("{{content}}<end_of_turn>\n")],
    observation: &[Slot::Text("<start_of_turn>tool\n{{content}}<end_of_turn>\n<start_of_turn>model\n")],
    replaced_eos: Some("<end_of_turn>"),
    fusion: Fusion::IntoFirstUser,
    ..DEFAULTS
};

const GEMMA4: SlotTemplate = SlotTemplate {
    name: "gemma4",
    prefix: &[Slot::Bos],
    system: &[Slot::Text("<|turn>system\n<|think|>{{content}}<turn|>\n")],
    user: &[Slot::Text("<|turn>user\n{{content}}<turn|>\n<|turn>model\n")],
    assistant: &[Slot::Text("{{content}}<turn|>\n")],
    observation: &[Slot::Text("<|turn>tool\n{{content}}<turn|>\n<|turn>model\n")],
    default_system: "You are a helpful assistant.",
    replaced_eos: Some("<turn|>"),
    reasoning: true,
    thought_words: ["<|channel>thought\n", "<channel|>"],
    tool_format: ToolFormat::Gemma4,
    function: Some(&[Slot::Text("<|tool>{{content}}<tool|>")]),
    ..DEFAULTS
};

const DEEPSEEK3: SlotTemplate = SlotTemplate {
    name: "deepseek3",
    prefix: &[Slot::Bos],
    user: &[Slot::Text("<｜User｜>{{content}}<｜Assistant｜>")],
    observation: &[Slot::Text("<｜User｜>{{content}}<｜Assistant｜>")],
    ..DEFAULTS
};

const GLM4: SlotTemplate = SlotTemplate {
    name: "glm4",
    prefix: &[Slot::Text("[gMASK]<sop>")],
    system: &[Slot::Text("<|system|>\n{{content}}")],
    user: &[Slot::Text("<|user|>\n{{content}}<|assistant|>")],
    assistant: &[Slot::Text("\n{{content}}")],
    observation: &[Slot::Text("<|observation|>\n{{content}}<|assistant|>")],
    tool_format: ToolFormat::Glm4,
    function: Some(&[Slot::Text(CONTENT)]),
    efficient_eos: true,
    ..DEFAULTS
};

const GPT_OSS: SlotTemplate = SlotTemplate {
    name: "gpt_oss",
    system: &[Slot::Text("<|start|>system<|message|>{{content}}<|end|>")],
    user: &[Slot::Text("<|start|>user<|message|>{{content}}<|end|><|start|>assistant")],
    assistant: &[Slot::Text(CONTENT)],
    observation: &[Slot::Text("<|start|>user<|message|>{{content}}<|end|><|start|>assistant")],
    default_system: "You are ChatGPT, a large language model trained by OpenAI.",
    efficient_eos: true,
    reasoning: true,
    thought_words: ["<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"],
    ..DEFAULTS
};

const PHI4: SlotTemplate = SlotTemplate {
    name: "phi4",
    system: &[Slot::Text("<|im_start|>system<|im_sep|>{{content}}<|im_end|>")],
    user: &[Slot::Text("<|im_start|>user<|im_sep|>{{content}}<|im_end|><|im_start|>assistant<|im_sep|>")],
    assistant: &[Slot::Text("{{content}}<|im_end|>")],
    observation: &[Slot::Text(
        "<|im_start|>user<|im_sep|>{{content}}<|im_end|><|im_start|>assistant<|im_sep|>",
    )],
    replaced_eos: Some("<|im_end|>"),
    ..DEFAULTS
};

const LFM2: SlotTemplate = SlotTemplate {
    name: "lfm2",
    observation: &[Slot::Text(
        "<|im_start|>tool\n<|tool_response_start|>{{content}}<|tool_response_end|><|im_end|>\n\
         <|im_start|>assistant\n",
    )],
    default_system: "You are a helpful AI assistant.",
    tool_format: ToolFormat::Lfm2,
    tool_call_words: ["<|tool_call_start|>", "<|tool_call_end|>"],
    ..CHATML
};

/// The templates that are known by name; [`SlotTemplate`] is public for others.
pub const TEMPLATES: &[SlotTemplate] = &[
    // Its answers have nothing behind them, not even eos.
    SlotTemplate { name: "empty", assistant: &[Slot::Text(CONTENT)], ..DEFAULTS },
    CHATML,
    QWEN,
    SlotTemplate { name: "qwen3", default_system: "", reasoning: true, ..QWEN },
    SlotTemplate { name: "qwen3_nothink", default_system: "", ..QWEN },
    GEMMA,
    SlotTemplate { name: "qwen3_vl", default_system: "", reasoning: true, ..QWEN },
    SlotTemplate {
        name: "qwen3_5",
        default_system: "",
        reasoning: true,
        tool_format: ToolFormat::Qwen35,
        ..QWEN
    },
    SlotTemplate { name: "qwen2_vl", default_system: "You are a helpful assistant.", ..QWEN },
    SlotTemplate { name: "gemma3", ..GEMMA },
    SlotTemplate { name: "gemma2", replaced_eos: None, efficient_eos: true, ..GEMMA },
    GLM4,
    SlotTemplate { name: "glm4_moe", reasoning: true, tool_format: ToolFormat::Glm4Moe, ..GLM4 },
    GPT_OSS,
    PHI4,
    LFM2,
    DEEPSEEK3,
    SlotTemplate { name: "deepseekr1", reasoning: true, ..DEEPSEEK3 },
    SlotTemplate {
        name: "llama3",
        prefix: &[Slot::Bos],
        system: &[Slot::Text("<|start_header_id|>system<|end_header_id|>\n\n{{content}}<|eot_id|>")],
        user: &[Slot::Text(
            "<|start_header_id|>user<|end_header_id|>\n\n{{content}}<|eot_id|><|start_header_id|>assistant\
             <|end_header_id|>\n\n",
        )],
        assistant: &[Slot::Text("{{content}}<|eot_id|>")],
        observation: &[Slot::Text(
            "<|start_header_id|>ipython<|end_header_id|>\n\n{{content}}<|eot_id|><|start_header_id|>assistant\
             <|end_header_id|>\n\n",
        )],
        replaced_eos: Some("<|eot_id|>"),
        tool_format: ToolFormat::Llama3,
        ..DEFAULTS
    },
    SlotTemplate {
        name: "phi",
        system: &[Slot::Text("<|system|>\n{{content}}<|end|>\n")],
        user: &[Slot::Text("<|user|>\n{{content}}<|end|>\n<|assistant|>\n")],
        assistant: &[Slot::Text("{{content}}<|end|>\n")],
        observation: &[Slot::Text("<|user|>\n{{content}}<|end|>\n<|assistant|>\n")],
        replaced_eos: Some("<|end|>"),
        ..DEFAULTS
    },
    SlotTemplate {
        name: "mistral",
        prefix: &[Slot::Bos],
        system: &[Slot::Text("{{content}}\n\n")],
        user: &[Slot::Text("[INST] {{content}}[/INST]")],
        assistant: &[Slot::Text(" {{content}}"), Slot::Eos],
        observation: &[Slot::Text("[TOOL_RESULTS] {\"content\": {{content}}}[/TOOL_RESULTS]")],
        tool_format: ToolFormat::Mistral,
        function: Some(&[Slot::Text("[TOOL_CALLS] {{content}}"), Slot::Eos]),
        fusion: Fusion::IntoFirstUser,
        ..DEFAULTS
    },
    SlotTemplate {
        name: "llama2",
        system: &[Slot::Text("<<SYS>>\n{{content}}\n<</SYS>>\n\n")],
        user: &[Slot::Bos, Slot::Text("[INST] {{content}} [/INST]")],
        observation: &[Slot::Bos, Slot::Text("[INST] {{content}} [/INST]")],
        fusion: Fusion::IntoFirstUser,
        ..DEFAULTS
    },
    SlotTemplate {
        name: "vicuna",
        user: &[Slot::Text("USER: {{content}} ASSISTANT:")],
        observation: &[Slot::Text("USER: {{content}} ASSISTANT:")],
        default_system: "A chat between a curious user and an artificial intelligence assistant. The assistant gives \
                         helpful, detailed, and polite answers to the user's questions.",
        ..DEFAULTS
    },
    SlotTemplate {
        name: "default",
        system: &[Slot::Text("System: {{content}}"), Slot::Eos, Slot::Text("\n")],
        user: &[Slot::Text("Human: {{content}}"), Slot::Eos, Slot::Text("\nAssistant:")],
        assistant: &[Slot::Text(CONTENT), Slot::Eos, Slot::Text("\n")],
        observation: &[Slot::Text("Human: {{content}}"), Slot::Eos, Slot::Text("\nAssistant:")],
        ..DEFAULTS
    },
    GEMMA4,
    SlotTemplate { name: "gemma4n", ..GEMMA4 },
];

impl SlotTemplate {
    /// The template of that name.
    pub fn by_name(name: &str) -> Result<Self, crate::Error> {
        TEMPLATES.iter().find(|template| template.name == name).copied().ok_or_else(|| {
            crate::Error::UnknownName {
                kind: "LLaMA-Factory template",
                name: name.to_string(),
                known: TEMPLATES.iter().map(|template| template.name.to_string()).collect(),
            }
        })
    }

    /// The slots of a turn that calls. A tool format that was asked for brings slots of its own.
    pub(super) fn function_slots(&self, is_asked_for: bool) -> &'static [Slot] {
        match (is_asked_for, self.efficient_eos) {
            (true, true) => &[Slot::Text(CONTENT)],
            (true, false) => &[Slot::Text(CONTENT), Slot::Eos],
            (false, _) => self.function.unwrap_or(self.assistant),
        }
    }

    /// The eos token that the template gives the tokenizer.
    pub fn eos(&self) -> Option<&'static str> {
        self.replaced_eos
    }

    /// Encodes slots piece by piece, the message put into `{{content}}`.
    pub(super) fn encode(
        &self,
        encoder: &dyn Encoder,
        slots: &[Slot],
        content: &str,
    ) -> Result<Vec<TokenId>, MaskError> {
        let mut ids = Vec::new();
        for slot in slots {
            match slot {
                Slot::Text(text) => {
                    let text = text.replacen(CONTENT, content, 1);
                    ids.extend(self.encode_text(encoder, &text)?);
                }
                Slot::Bos => ids.extend(encoder.bos_id()),
                Slot::Eos => ids.extend(match self.replaced_eos {
                    Some(token) => encoder.token_to_id(token),
                    None => encoder.eos_id(),
                }),
            }
        }
        Ok(ids)
    }

    /// Ids of one piece. `fix_special_tokens` declares the eos token anew, and a flag that made it eat the white
    /// space behind it is lost thereby (Phi-3's `<|end|>`): the text is then cut at the token.
    fn encode_text(&self, encoder: &dyn Encoder, text: &str) -> Result<Vec<TokenId>, MaskError> {
        let Some((eos, id)) = self.replaced_eos.and_then(|eos| Some((eos, encoder.token_to_id(eos)?))) else {
            return Ok(if text.is_empty() { Vec::new() } else { encoder.ids(text)? });
        };
        if !text.contains(eos) || encoder.ids(&format!("{eos}\n"))? != [id] {
            return Ok(if text.is_empty() { Vec::new() } else { encoder.ids(text)? });
        }
        let mut ids = Vec::new();
        for (index, piece) in text.split(eos).enumerate() {
            if index > 0 {
                ids.push(id);
            }
            if !piece.is_empty() {
                ids.extend(encoder.ids(piece)?);
            }
        }
        Ok(ids)
    }

    /// The system slot as text, for templates that put it into the first user turn.
    pub(super) fn system_text(&self, system: &str) -> String {
        match self.system.first() {
            Some(Slot::Text(text)) => text.replacen(CONTENT, system, 1),
            _ => system.to_string(),
        }
    }

    /// `remove_thought`: every thought is cut out, then newlines in front.
    pub(super) fn without_thought(&self, text: &str) -> String {
        let [open, close] = self.thought_words;
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(open) {
            let Some((_, behind)) = after.split_once(close) else { break };
            out.push_str(before);
            rest = behind;
        }
        out.push_str(rest);
        out.trim_start_matches('\n').to_string()
    }
}
