//! Tools and calls as LLaMA-Factory's tool formats write them (`data/tool_utils.py`, `FunctionFormatter`), all of
//! release 0.9.5.

use serde_json::{Value, json};

use super::fields::{FunctionCall, get, is_function_type, items, key};
use super::{gemma4, tool_prompts as prompts};
use crate::chat::jinja::{Clock, string_repr};
use crate::masks::trainers::python_json::{PythonJsonStyle, dumps as python_dumps, str_of, type_name};
use crate::masks::trainers::xtuner::format::QWEN_TOOLS;
use crate::masks::{MaskError, role};

/// A registered tool format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToolFormat {
    /// `Action:` and `Action Input:`, the default of templates without a format of their own.
    Default,
    /// Texts between `<|"|>`.
    Gemma4,
    Glm4,
    Glm4Moe,
    Lfm2,
    Ling,
    Llama3,
    Minimax1,
    Minimax2,
    Mistral,
    /// JSON between tags.
    Qwen,
    Qwen35,
    SeedOss,
}

/// The words around a thought and around a call that a message may hold already.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    pub thought: [&'static str; 2],
    pub call: [&'static str; 2],
}

impl ToolFormat {
    /// All with the names that `tool_format` takes.
    pub const ALL: [(&'static str, Self); 13] = [
        ("default", Self::Default),
        ("gemma4", Self::Gemma4),
        ("glm4", Self::Glm4),
        ("glm4_moe", Self::Glm4Moe),
        ("lfm2", Self::Lfm2),
        ("ling", Self::Ling),
        ("llama3", Self::Llama3),
        ("minimax1", Self::Minimax1),
        ("minimax2", Self::Minimax2),
        ("mistral", Self::Mistral),
        ("qwen", Self::Qwen),
        ("qwen3_5", Self::Qwen35),
        ("seed_oss", Self::SeedOss),
    ];

    /// The format of that name.
    ///
    /// # Errors
    /// A name that none has, with those that there are.
    pub fn by_name(name: &str) -> Result<Self, crate::Error> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format).ok_or_else(|| {
            crate::Error::UnknownName {
                kind: "LLaMA-Factory tool format",
                name: name.to_string(),
                known: Self::ALL.iter().map(|(name, _)| name.to_string()).collect(),
            }
        })
    }

    /// What stands behind the system text; nothing without tools.
    ///
    /// # Errors
    /// Python's exception for a tool that the format cannot write.
    pub fn tools(self, tools: &[Value], clock: Clock) -> Result<String, MaskError> {
        if tools.is_empty() {
            return Ok(String::new());
        }
        let wrapped = |tool: &Value| match is_function_type(tool) {
            true => tool.clone(),
            false => json!({"type": "function", "function": tool}),
        };
        let bare = |tool: &Value| match is_function_type(tool) {
            true => tool.get("function").cloned().unwrap_or_else(|| json!("")),
            false => tool.clone(),
        };
        let lines = |line: &dyn Fn(&Value) -> String| tools.iter().map(line).collect::<String>();
        let put = |prompt: &str, text: &str| prompt.replacen("{tool_text}", text, 1);
        Ok(match self {
            Self::Default => default_tools(tools.iter().map(bare))?,
            Self::Gemma4 => gemma4::tools(tools)?,
            Self::Glm4 => {
                let mut text = String::new();
                for tool in tools.iter().map(bare) {
                    let name = str_of(&key(&tool, "name")?);
                    let body = python_dumps(&tool, PythonJsonStyle::UNICODE_INDENT_4);
                    text += &format!(
                        "\n\n## {name}\n\n{body}\n在调用上述函数时，请使用 Json 格式表示调用的参数。"
                    );
                }
                put(prompts::GLM4, &text)
            }
            Self::Glm4Moe => put(prompts::GLM4_MOE, &lines(&|tool| format!("\n{}", dumps(&wrapped(tool))))),
            Self::Lfm2 => put(prompts::LFM2, &dumps(&Value::Array(tools.iter().map(bare).collect()))),
            Self::Ling => {
                let text = put(prompts::LING, &lines(&|tool| format!("\n{}", dumps(&wrapped(tool)))));
                format!("{text}\ndetailed thinking off")
            }
            Self::Llama3 => {
                let indented = lines(&|tool| {
                    format!("{}\n\n", python_dumps(&wrapped(tool), PythonJsonStyle::UNICODE_INDENT_4))
                });
                put(&prompts::LLAMA3.replacen("{date}", &clock.strftime("%d %b %Y"), 1), &indented)
            }
            Self::Minimax1 => put(prompts::MINIMAX1, &lines(&|tool| format!("{}\n", dumps(&bare(tool))))),
            Self::Minimax2 => {
                put(prompts::MINIMAX2, &lines(&|tool| format!("<tool>{}</tool>\n", dumps(&bare(tool)))))
            }
            Self::Mistral => {
                let all = Value::Array(tools.iter().map(wrapped).collect());
                format!("[AVAILABLE_TOOLS] {}[/AVAILABLE_TOOLS]", dumps(&all))
            }
            Self::Qwen => put(QWEN_TOOLS, &lines(&|tool| format!("\n{}", dumps(&wrapped(tool))))),
            Self::Qwen35 => put(prompts::QWEN3_5, &lines(&|tool| format!("\n{}", dumps(&bare(tool))))),
            Self::SeedOss => put(prompts::SEED_OSS, &format!("\n{}", dumps(&Value::Array(tools.to_vec())))),
        })
    }

    /// The calls that a function turn holds as JSON, with the thought before them. A turn that has its calls between the
    /// format's words keeps what stands around them in front. Templates that put the system text into the first question
    /// give no words (`Llama2Template`).
    ///
    /// # Errors
    /// Python's exception for what is no call.
    pub fn calls(self, content: &str, words: Option<Words>) -> Result<String, MaskError> {
        let stretch = |text: &'_ str, [open, close]: [&str; 2]| {
            let (before, rest) = text.split_once(open)?;
            let (inside, _) = rest.split_once(close)?;
            let end = before.len() + open.len() + inside.len() + close.len();
            Some((text.get(before.len()..end)?.to_string(), inside.to_string()))
        };
        let (before, text) = match words.and_then(|words| stretch(content, words.call)) {
            Some((whole, inside)) => (content.replace(&whole, ""), inside),
            None => match words.and_then(|words| stretch(content, words.thought)) {
                Some((thought, _)) => (thought.clone(), content.replace(&thought, "")),
                None => (String::new(), content.to_string()),
            },
        };
        let parsed: Value = serde_json::from_str(&text).map_err(|_| {
            let list = string_repr(content);
            MaskError::python("RuntimeError", format!("Invalid JSON format in function message: [{list}]."))
        })?;
        let calls = match parsed {
            Value::Array(calls) => calls,
            call => vec![call],
        };
        let mut parts = Vec::with_capacity(calls.len());
        for call in &calls {
            parts.push((key(call, "name")?, key(call, "arguments")?));
        }
        Ok(format!("{before}{}", self.written(&parts)?))
    }

    /// `function_formatter`.
    fn written(self, calls: &[FunctionCall]) -> Result<String, MaskError> {
        let plain = |(name, arguments): &FunctionCall| dumps(&json!({"name": name, "arguments": arguments}));
        let joined = |each: &dyn Fn(&FunctionCall) -> Result<String, MaskError>| {
            Ok(calls.iter().map(each).collect::<Result<Vec<_>, MaskError>>()?.join("\n"))
        };
        match self {
            Self::Default => joined(&|(name, arguments)| {
                Ok(format!("Action: {}\nAction Input: {}", str_of(name), dumps(arguments)))
            }),
            Self::Gemma4 => Ok(gemma4::calls(calls)),
            Self::Glm4 => match calls {
                [(name, arguments)] => Ok(format!("{}\n{}", str_of(name), dumps(arguments))),
                [] => Err(MaskError::python("IndexError", "list index out of range".to_string())),
                _ => {
                    let message = "GLM-4 does not support parallel functions.";
                    Err(MaskError::python("ValueError", message.to_string()))
                }
            },
            Self::Llama3 => {
                let all: Vec<Value> = calls
                    .iter()
                    .map(|(name, arguments)| json!({"name": name, "parameters": arguments}))
                    .collect();
                Ok(match all.as_slice() {
                    [one] => dumps(one),
                    _ => dumps(&Value::Array(all)),
                })
            }
            Self::Minimax1 => {
                Ok(format!("<tool_calls>\n{}\n</tool_calls>", joined(&|call| Ok(plain(call)))?))
            }
            Self::Mistral => {
                let all = calls.iter().map(|(name, arguments)| json!({"name": name, "arguments": arguments}));
                Ok(dumps(&all.collect()))
            }
            Self::Qwen | Self::Ling => {
                joined(&|call| Ok(format!("<tool_call>\n{}\n</tool_call>", plain(call))))
            }
            Self::Minimax2 => joined(&|(name, arguments)| {
                let parts = parameters(arguments, &|key, value| {
                    format!("\n<parameter name=\"{key}\">{value}</parameter>")
                })?;
                Ok(format!("<invoke name=\"{}\">{parts}\n</invoke>", str_of(name)))
            }),
            Self::Qwen35 => joined(&|(name, arguments)| {
                let parts = parameters(arguments, &|key, value| {
                    format!("\n<parameter={key}>\n{value}\n</parameter>")
                })?;
                Ok(format!("<tool_call>\n<function={}>{parts}\n</function>\n</tool_call>", str_of(name)))
            }),
            Self::Glm4Moe => joined(&|(name, arguments)| {
                let parts = parameters(arguments, &|key, value| {
                    format!("\n<arg_key>{key}</arg_key>\n<arg_value>{value}</arg_value>")
                })?;
                Ok(format!("\n<tool_call>{}{parts}", text_of(name)?))
            }),
            Self::SeedOss => joined(&|(name, arguments)| {
                let parts =
                    parameters(arguments, &|key, value| format!("\n<parameter={key}>{value}</parameter>"))?;
                // The library leaves the bracket behind the name out.
                let name = text_of(name)?;
                Ok(format!("\n<seed:tool_call>\n<function={name}{parts}\n</function>\n</seed:tool_call>"))
            }),
            Self::Lfm2 => {
                let mut all = Vec::with_capacity(calls.len());
                for (name, arguments) in calls {
                    let parts = items(arguments)?.into_iter().map(|(key, value)| match value {
                        Value::String(text) => format!("{key}=\"{text}\""),
                        other => format!("{key}={}", dumps(&other)),
                    });
                    let parts: Vec<String> = parts.collect();
                    all.push(format!("{}({})", str_of(name), parts.join(", ")));
                }
                Ok(format!("<|tool_call_start|>[{}]<|tool_call_end|>", all.join(", ")))
            }
        }
    }
}

/// `DefaultToolUtils.tool_formatter`.
fn default_tools(tools: impl Iterator<Item = Value>) -> Result<String, MaskError> {
    let (mut text, mut names) = (String::new(), Vec::new());
    for tool in tools {
        let parameters = key(&tool, "parameters")?;
        let required = parameters.get("required");
        let mut arguments = String::new();
        for (name, parameter) in items(&key(&parameters, "properties")?)? {
            get(&parameter, "enum")?;
            let field = |key: &str| parameter.get(key).map(str_of).unwrap_or_default();
            let is_required = if is_in(&name, required)? { ", required" } else { "" };
            let choice = match parameter.get("enum").and_then(Value::as_array) {
                Some(choices) if !choices.is_empty() => {
                    let choices = choices.iter().enumerate().map(|(at, choice)| {
                        let other = || {
                            let kind = type_name(choice);
                            let message = format!("sequence item {at}: expected str instance, {kind} found");
                            MaskError::python("TypeError", message)
                        };
                        choice.as_str().ok_or_else(other)
                    });
                    let choices = choices.collect::<Result<Vec<_>, _>>()?;
                    format!(", should be one of [{}]", choices.join(", "))
                }
                _ => String::new(),
            };
            let each = match parameter.get("items").and_then(Value::as_object) {
                Some(items) if !items.is_empty() => {
                    let kind = items.get("type").map(str_of).unwrap_or_default();
                    format!(", where each item should be {kind}")
                }
                _ => String::new(),
            };
            let (kind, description) = (field("type"), field("description"));
            arguments += &format!("  - {name} ({kind}{is_required}): {description}{choice}{each}\n");
        }
        let name = str_of(&key(&tool, "name")?);
        let description = tool.get("description").map(str_of).unwrap_or_default();
        text += &format!("> Tool Name: {name}\nTool Description: {description}\nTool Args:\n{arguments}\n");
        names.push(name);
    }
    // Texts that say a placeholder themselves stay as they are.
    let (before, behind) = prompts::DEFAULT.split_once("{tool_text}").unwrap_or_default();
    Ok(format!("{before}{text}{}", behind.replacen("{tool_names}", &names.join(", "), 1)))
}

/// `name in values`; nothing is in a list that is not there.
fn is_in(name: &str, values: Option<&Value>) -> Result<bool, MaskError> {
    match values {
        None => Ok(false),
        Some(Value::Array(names)) => Ok(names.iter().any(|known| known == name)),
        Some(Value::Object(names)) => Ok(names.contains_key(name)),
        Some(Value::String(text)) => Ok(text.contains(name)),
        Some(other) => {
            let message = format!("argument of type '{}' is not iterable", type_name(other));
            Err(MaskError::python("TypeError", message))
        }
    }
}

/// Every argument in a format's words: texts as they are, everything else as JSON.
fn parameters(arguments: &Value, write: &dyn Fn(&str, &str) -> String) -> Result<String, MaskError> {
    let all = items(arguments)?.into_iter().map(|(key, value)| match value {
        Value::String(text) => write(&key, &text),
        other => write(&key, &dumps(&other)),
    });
    Ok(all.collect())
}

/// A name that is put behind a text by `+`.
fn text_of(value: &Value) -> Result<&str, MaskError> {
    value.as_str().ok_or_else(|| {
        let message = format!("can only concatenate str (not \"{}\") to str", type_name(value));
        MaskError::python("TypeError", message)
    })
}

/// True for a turn that calls: ShareGPT's `function_call`, a role of its own, or OpenAI's `tool_calls`.
pub fn is_function(message: &Value) -> bool {
    message.get("from").is_some_and(|from| from == "function_call")
        || role(message) == "function"
        || calls_as_json(message).is_some()
}

/// OpenAI's calls as the converter writes them; what the message says beside them is lost there.
pub fn calls_as_json(message: &Value) -> Option<String> {
    let calls = message.get("tool_calls")?.as_array().filter(|calls| !calls.is_empty())?;
    let functions: Vec<Value> = calls.iter().filter_map(|call| call.get("function").cloned()).collect();
    Some(dumps(&Value::Array(functions)))
}

fn dumps(value: &Value) -> String {
    python_dumps(value, PythonJsonStyle::UNICODE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: Words =
        Words { thought: ["<think>\n", "\n</think>\n\n"], call: ["<tool_call>", "</tool_call>"] };

    /// Recorded with LLaMA-Factory 0.9.5 by `tests/scripts/record_llamafactory_tools.py`.
    #[test]
    fn every_format_writes_what_it_was_seen_to_write() {
        let golden = include_str!("../../../tests/golden/llamafactory/tools.jsonl");
        let clock = Clock::parse("2026-11-23T12:00").unwrap();
        let mut compared = [0; ToolFormat::ALL.len()];
        for line in golden.lines() {
            let case: Value = serde_json::from_str(line).unwrap();
            let name = case["format"].as_str().unwrap();
            let at = ToolFormat::ALL.iter().position(|(known, _)| *known == name).unwrap();
            let format = ToolFormat::ALL[at].1;
            let written = match (case.get("tools"), case["content"].as_str()) {
                (Some(tools), _) => format.tools(tools.as_array().unwrap(), clock),
                (None, Some(content)) => {
                    format.calls(content, case["words"].as_bool().unwrap().then_some(WORDS))
                }
                _ => unreachable!("{line}"),
            };
            let written = match written {
                Ok(text) => json!({"text": text}),
                Err(error) => json!({"error": error.to_string()}),
            };
            assert_eq!(written, case["result"], "{name}: {line}");
            compared[at] += 1;
        }
        assert!(compared.iter().all(|count| *count >= 20), "{compared:?}");
    }
}
