//! The formats of XTuner's `v1/data_proto/templates/__init__.py`.

use crate::chat::jinja::Clock;
use crate::masks::MaskError;

/// What is written around messages. `{}` is the place of a text.
#[derive(Debug, Clone, Default)]
pub struct XtunerFormat {
    system: &'static str,
    developer: Option<&'static str>,
    user: &'static str,
    assistant: &'static str,
    thinking: Option<&'static str>,
    tool_extractor: Option<&'static str>,
    /// What the system text says of tools; `{tool_text}` is their place.
    pub tool_prompt: Option<&'static str>,
    pub default_system: Option<String>,
    /// Behind every answer, never supervised.
    pub sep: &'static str,
    pub only_last_assistant_loss: bool,
    /// Replaced in answers that are supervised.
    in_supervised: Option<(&'static str, &'static str)>,
}

/// What Qwen's formats say of tools.
pub const QWEN_TOOLS: &str = "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are \
    provided with function signatures within <tools></tools> XML tags:\n<tools>{tool_text}\n</tools>\n\nFor each function \
    call, return a json object with function name and arguments within <tool_call></tool_call> XML \
    tags:\n<tool_call>\n{\"name\": <function-name>, \"arguments\": <args-json-object>}\n</tool_call>";

impl XtunerFormat {
    /// The names of all formats.
    pub const NAMES: [&'static str; 9] = [
        "qwen3",
        "qwen3-vl",
        "qwen3-vl-rl",
        "qwen3.5-vl",
        "intern-s1",
        "internvl-3.5",
        "llama3",
        "gpt-oss",
        "deepseek-v3",
    ];

    /// The format of a name.
    ///
    /// # Errors
    /// A name that is not known here; `glm5.2` has a renderer of its own that is not reproduced.
    pub fn named(name: &str, clock: Clock) -> Result<Self, MaskError> {
        let chatml = Self {
            system: "<|im_start|>system\n{}<|im_end|>\n",
            user: "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n",
            assistant: "{}<|im_end|>",
            sep: "\n",
            ..Self::default()
        };
        let qwen = Self {
            tool_prompt: Some(QWEN_TOOLS),
            tool_extractor: Some(
                "<|im_start|>user\n<tool_response>\n{}\n</tool_response><|im_end|>\n<|im_start|>assistant\n",
            ),
            ..chatml.clone()
        };
        Ok(match name {
            "qwen3" => Self { developer: Some("<|im_start|>system\n{}<|im_end|>\n"), ..qwen },
            "qwen3-vl" => qwen,
            "qwen3-vl-rl" => {
                Self { user: "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n<think>", ..qwen }
            }
            "intern-s1" => Self {
                default_system: Some(
                    "你是书生大模型，英文名是Intern-S1，是由上海人工智能实验室开发的多模态大语言模型。".into(),
                ),
                ..chatml
            },
            "internvl-3.5" => Self {
                default_system: Some(
                    "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"
                        .into(),
                ),
                ..chatml
            },
            "llama3" => Self {
                system: "<|start_header_id|>system<|end_header_id|>\n\n{}<|eot_id|>",
                user: "<|start_header_id|>user<|end_header_id|>\n\n{}<|eot_id|><|start_header_id|>assistant\
                       <|end_header_id|>\n\n",
                assistant: "{}<|eot_id|>",
                ..Self::default()
            },
            "gpt-oss" => Self {
                system: "<|start|>system<|message|>{}<|end|>",
                developer: Some("<|start|>developer<|message|># Instructions\n\n{}\n\n<|end|>"),
                user: "<|start|>user<|message|>{}<|end|><|start|>assistant",
                assistant: "<|channel|>final<|message|>{}<|end|>",
                thinking: Some("<|channel|>analysis<|message|>{}<|end|><|start|>assistant"),
                default_system: Some(format!(
                    "You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: 2024-06\nCurrent date: \
                     {}\n\nReasoning: medium\n\n# Valid channels: analysis, commentary, final. Channel must be included \
                     for every message.",
                    clock.strftime("%Y-%m-%d")
                )),
                only_last_assistant_loss: true,
                in_supervised: Some(("<|end|>", "<|return|>")),
                ..Self::default()
            },
            "deepseek-v3" => Self {
                system: "<｜begin▁of▁sentence｜>{}",
                developer: Some("<｜begin▁of▁sentence｜>{}"),
                user: "<｜User｜>{}<｜Assistant｜></think>",
                assistant: "{}<｜end▁of▁sentence｜>",
                ..Self::default()
            },
            other => {
                let known = Self::NAMES.join(", ");
                return Err(MaskError::Unfit(format!("no XTuner chat_template {other:?} is known here ({known})")));
            }
        })
    }

    pub fn system(&self, text: &str) -> String {
        self.system.replacen("{}", text, 1)
    }

    pub fn user(&self, text: &str) -> String {
        self.user.replacen("{}", text, 1)
    }

    /// A developer's message.
    ///
    /// # Errors
    /// `ValueError` where the format has no such role; the same for thinking and results.
    pub fn developer(&self, text: &str) -> Result<String, MaskError> {
        filled("developer", self.developer, text)
    }

    /// Thinking before an answer.
    ///
    /// # Errors
    /// As [`Self::developer`].
    pub fn thinking(&self, text: &str) -> Result<String, MaskError> {
        filled("thinking", self.thinking, text)
    }

    /// A tool's result.
    ///
    /// # Errors
    /// As [`Self::developer`].
    pub fn tool(&self, text: &str) -> Result<String, MaskError> {
        filled("tool_extractor", self.tool_extractor, text)
    }

    /// An answer; gpt-oss writes another end where it is supervised, wherever the text has the usual one.
    pub fn assistant(&self, text: &str, supervised: bool) -> String {
        let written = self.assistant.replacen("{}", text, 1);
        match self.in_supervised {
            Some((old, new)) if supervised => written.replace(old, new),
            _ => written,
        }
    }
}

fn filled(name: &str, format: Option<&str>, text: &str) -> Result<String, MaskError> {
    let format =
        format.ok_or_else(|| MaskError::python("ValueError", format!("{name} template is not defined.")))?;
    Ok(format.replacen("{}", text, 1))
}
