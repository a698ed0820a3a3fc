//! How ms-swift writes tools, calls and results (`agent_template/*.py`).

use serde_json::{Map, Value};

use super::format::{SwiftContext, SwiftFormat};
use super::inputs::{SwiftContent, SwiftMessage};
use super::tools::{unwrapped, wrapped};
use crate::masks::MaskError;
use crate::masks::trainers::python_json::{PythonJsonStyle, dumps, repr, str_of, truthy};

/// A way to write tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentTemplate {
    Hermes,
    Llama3,
    DeepSeekV31,
    ReactEn,
    Qwen3Coder,
}

/// The query's place in a prompt.
const QUERY: &str = "{{QUERY}}";
const ACTION: &str = "Action:";
const ACTION_INPUT: &str = "Action Input:";
const OBSERVATION: &str = "Observation:";

impl AgentTemplate {
    /// The one that a type or an option names.
    ///
    /// # Errors
    /// `ValueError` where none is named, as swift raises on a row with tools; a name that is not reproduced here.
    pub fn named(name: Option<&str>, format: &SwiftFormat) -> Result<Self, MaskError> {
        match name {
            Some("hermes") => Ok(Self::Hermes),
            Some("llama3") => Ok(Self::Llama3),
            Some("deepseek_v3_1") => Ok(Self::DeepSeekV31),
            Some("react_en") => Ok(Self::ReactEn),
            Some("qwen3_coder") => Ok(Self::Qwen3Coder),
            Some(other) => Err(MaskError::Unfit(format!(
                "ms-swift's agent template {other:?} is not reproduced here (hermes, llama3, deepseek_v3_1, react_en and \
                 qwen3_coder are)"
            ))),
            None => Err(MaskError::python(
                "ValueError",
                format!(
                    "Failed to automatically match an agent_template for template \"{}\". Please specify it manually via \
                     `--agent_template`. Available options: [{}].",
                    format.name,
                    NAMES.map(|name| format!("'{name}'")).join(", ")
                ),
            )),
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Hermes => "HermesAgentTemplate",
            Self::Llama3 => "Llama3AgentTemplate",
            Self::DeepSeekV31 => "DeepSeekV31AgentTemplate",
            Self::ReactEn => "ReactEnAgentTemplate",
            Self::Qwen3Coder => "Qwen3CoderAgentTemplate",
        }
    }

    /// The system text with the tools, or the first message with them.
    ///
    /// # Errors
    /// What the code raises on tools of another shape.
    pub fn with_tools(
        self,
        tools: &[Value],
        system: Option<String>,
        first: Option<&mut SwiftMessage>,
    ) -> Result<Option<String>, MaskError> {
        let system = system.unwrap_or_default();
        match self {
            Self::Hermes => Ok(Some(hermes_tools(tools, &system))),
            Self::Llama3 => {
                let described: Vec<String> =
                    tools.iter().map(|tool| dumps(tool, PythonJsonStyle::UNICODE_INDENT_4)).collect();
                let Some(first) = first else {
                    return Err(MaskError::python("AssertionError", ""));
                };
                let content = match &first.content {
                    SwiftContent::Text(text) => text.clone(),
                    _ => "None".into(),
                };
                first.content =
                    SwiftContent::Text(format!("{LLAMA3_TOOLS}{}\n\n{content}", described.join("\n\n")));
                Ok(Some(system))
            }
            Self::DeepSeekV31 => Ok(Some(deepseek_tools(tools, &system))),
            Self::ReactEn => react_tools(tools).map(Some),
            Self::Qwen3Coder => Ok(Some(super::qwen3_coder::tools(tools, &system))),
        }
    }

    /// The calls of one turn as its answer.
    ///
    /// # Errors
    /// A call without a name or arguments.
    pub fn calls(self, messages: &[SwiftMessage]) -> Result<String, MaskError> {
        let calls = messages.iter().map(|message| parsed_call(message.text().unwrap_or_default()));
        let calls = calls.collect::<Result<Vec<(Value, Value)>, _>>()?;
        let object = |name: &Value, key: &str, arguments: &Value| {
            let fields = [("name".to_string(), name.clone()), (key.to_string(), arguments.clone())];
            dumps(&Value::Object(Map::from_iter(fields)), PythonJsonStyle::UNICODE)
        };
        let each = |write: &dyn Fn(&Value, &Value) -> String| {
            calls.iter().map(|(name, arguments)| write(name, arguments)).collect::<Vec<_>>()
        };
        Ok(match self {
            Self::Hermes => {
                let call = |name: &Value, arguments: &Value| {
                    format!("<tool_call>\n{}\n</tool_call>", object(name, "arguments", arguments))
                };
                each(&call).join("\n")
            }
            Self::Llama3 => each(&|name, arguments| object(name, "parameters", arguments)).join("\n"),
            Self::DeepSeekV31 => {
                let call = |name: &Value, arguments: &Value| {
                    let arguments = dumps(arguments, PythonJsonStyle::UNICODE);
                    format!(
                        "<｜tool▁call▁begin｜>{}<｜tool▁sep｜>{arguments}<｜tool▁call▁end｜>",
                        str_of(name)
                    )
                };
                format!("<｜tool▁calls▁begin｜>{}<｜tool▁calls▁end｜>", each(&call).concat())
            }
            Self::ReactEn => {
                let call = |name: &Value, arguments: &Value| {
                    format!("{ACTION} {}\n{ACTION_INPUT} {}\n", str_of(name), str_of(arguments))
                };
                each(&call).concat() + OBSERVATION
            }
            Self::Qwen3Coder => each(&super::qwen3_coder::call).join("\n"),
        })
    }

    /// What stands between a call's answer and what is put in front of the next one: the results as a prompt. The answer
    /// may be written to.
    pub fn results(
        self,
        answer: &mut SwiftContent,
        messages: &[SwiftMessage],
        format: &SwiftFormat,
    ) -> Vec<SwiftContext> {
        let text = |text: String| SwiftContext::Text(text);
        let contents: Vec<&str> = messages.iter().map(|message| message.text().unwrap_or_default()).collect();
        if let Some(results) = react_results(self, answer, &contents) {
            return results;
        }
        match self {
            Self::Hermes | Self::Qwen3Coder => {
                let total = self.tagged_results(&contents);
                let mut results = format.chat_sep.clone().unwrap_or_default();
                results.extend(format.prompt.iter().map(|context| match context {
                    SwiftContext::Text(prompt) => text(prompt.replace(QUERY, &total)),
                    ids => ids.clone(),
                }));
                results
            }
            Self::Llama3 => {
                let header = |role: &str| format!("<|start_header_id|>{role}<|end_header_id|>\n\n");
                let mut results = vec![text("<|eot_id|>".into())];
                results.extend(
                    contents.iter().map(|content| text(format!("{}{content}<|eot_id|>", header("tool")))),
                );
                results.push(text(header("assistant")));
                results
            }
            Self::DeepSeekV31 => {
                let output =
                    |content: &&str| format!("<｜tool▁output▁begin｜>{content}<｜tool▁output▁end｜>");
                vec![
                    text("<｜end▁of▁sentence｜>".into()),
                    text(contents.iter().map(output).collect::<Vec<_>>().concat()),
                ]
            }
            Self::ReactEn => contents.iter().map(|content| text((*content).to_string())).collect(),
        }
    }

    fn tagged_results(self, contents: &[&str]) -> String {
        let result = |content: &&str| format!("<tool_response>\n{content}\n</tool_response>");
        let results: Vec<String> = contents.iter().map(result).collect();
        match self {
            Self::Qwen3Coder => results.iter().map(|result| format!("{result}\n")).collect(),
            _ => results.join("\n"),
        }
    }

    /// What is put between an answer's text and its calls; the text may be trimmed.
    pub fn call_prefix(self, before: Option<&mut SwiftMessage>) -> &'static str {
        let Some(SwiftMessage { role, content: SwiftContent::Text(text), .. }) = before else { return "" };
        if self != Self::Qwen3Coder || role != "assistant" {
            return "";
        }
        *text = text.trim_matches(crate::python::is_python_space).to_string();
        if text.is_empty() { "" } else { "\n\n" }
    }

    /// Results that follow a user's message, as a text behind it.
    ///
    /// # Errors
    /// `NotImplementedError` where swift has no form for that.
    pub fn standalone_results(
        self,
        messages: &[SwiftMessage],
        format: &SwiftFormat,
    ) -> Result<Vec<SwiftContext>, MaskError> {
        let contents: Vec<&str> = messages.iter().map(|message| message.text().unwrap_or_default()).collect();
        match self {
            Self::Hermes | Self::Qwen3Coder => {
                let mut results = format.chat_sep.clone().unwrap_or_default();
                for context in &format.prompt {
                    match context.text().and_then(|prompt| prompt.split_once(QUERY)) {
                        Some((before, _)) => {
                            if !before.is_empty() {
                                results.push(SwiftContext::Text(before.into()));
                            }
                            results.push(SwiftContext::Text(self.tagged_results(&contents)));
                            return Ok(results);
                        }
                        None => results.push(context.clone()),
                    }
                }
                Err(MaskError::python("ValueError", "Template prompt does not contain {{QUERY}}"))
            }
            Self::ReactEn => {
                let result = |content: &&str| SwiftContext::Text(format!("\n{OBSERVATION}\n{content}"));
                Ok(contents.iter().map(result).collect())
            }
            Self::Llama3 | Self::DeepSeekV31 => Err(MaskError::python(
                "NotImplementedError",
                format!("Agent template {} does not support standalone tool responses.", self.class()),
            )),
        }
    }
}

/// Results behind an answer in ReAct's words; `None` where the answer is not in them.
fn react_results(
    agent: AgentTemplate,
    answer: &mut SwiftContent,
    contents: &[&str],
) -> Option<Vec<SwiftContext>> {
    let answer = match answer {
        SwiftContent::Text(text) => text,
        // Merged answers are looked at as a list of texts, where only ReAct's own template takes the last one.
        SwiftContent::Answers(answers) if agent == AgentTemplate::ReactEn => {
            answers.last_mut()?.text.as_mut()?
        }
        _ => return None,
    };
    if !(answer.contains(ACTION) && answer.contains(ACTION_INPUT)) {
        return None;
    }
    if !answer.ends_with(OBSERVATION) {
        if !answer.ends_with('\n') {
            answer.push('\n');
        }
        answer.push_str(OBSERVATION);
    }
    let mut results = Vec::new();
    for (index, content) in contents.iter().enumerate() {
        if index > 0 {
            results.push(SwiftContext::Text(OBSERVATION.into()));
        }
        results.push(SwiftContext::Text((*content).to_string()));
        if !content.ends_with('\n') {
            results.push(SwiftContext::Text("\n".into()));
        }
    }
    Some(results)
}

/// Name and arguments of a call.
fn parsed_call(content: &str) -> Result<(Value, Value), MaskError> {
    let call: Value = serde_json::from_str(content).unwrap_or_default();
    if call.is_null() {
        return Err(MaskError::python("TypeError", "'NoneType' object is not subscriptable"));
    }
    let name = call.get("name").cloned().ok_or_else(|| MaskError::python("KeyError", "'name'"))?;
    let given = |key: &str| call.get(key).filter(|value| !value.is_null());
    let arguments = match given("arguments").or(given("parameters")) {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        Some(arguments) => arguments.clone(),
        None => Value::Null,
    };
    if arguments.is_null() {
        return Err(MaskError::python("AssertionError", format!("content: {content}")));
    }
    Ok((name, arguments))
}

fn hermes_tools(tools: &[Value], system: &str) -> String {
    let described: Vec<String> =
        tools.iter().map(|tool| dumps(&wrapped(tool), PythonJsonStyle::UNICODE)).collect();
    format!(
        "{system}\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with \
         function signatures within <tools></tools> XML tags:\n<tools>\n{}\n</tools>\n\nFor each function call, return a \
         json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{{\"name\": \
         <function-name>, \"arguments\": <args-json-object>}}\n</tool_call>",
        described.join("\n")
    )
}

/// What Llama 3.1's format says before the tools.
const LLAMA3_TOOLS: &str = "Given the following functions, please respond with a JSON for a function call with its proper \
    arguments that best answers the given prompt.\n\nRespond in the format {\"name\": function name, \"parameters\": \
    dictionary of argument name and its value}. Do not use variables.\n\n";

fn tool_name(tool: &Value) -> String {
    let name = tool.get("name_for_model").filter(|name| truthy(name)).or(tool.get("name"));
    name.map_or("None".into(), str_of)
}

fn deepseek_tools(tools: &[Value], system: &str) -> String {
    let described = |tool: &Value| {
        let tool = unwrapped(tool);
        let description = tool.get("description").map(str_of).unwrap_or_default();
        let parameters = tool.get("parameters").cloned().unwrap_or(Value::Object(Map::new()));
        format!(
            "### {}\nDescription: {description}\n\nParameters: {}",
            tool_name(tool),
            dumps(&parameters, PythonJsonStyle::UNICODE)
        )
    };
    let described: Vec<String> = tools.iter().map(described).collect();
    format!(
        "{system}\n\n## Tools\nYou have access to the following tools:\n\n{}\n\nIMPORTANT: ALWAYS adhere to this exact format \
         for tool use:\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>tool_call_name<｜tool▁sep｜>tool_call_arguments\
         <｜tool▁call▁end｜>{{additional_tool_calls}}<｜tool▁calls▁end｜>\n\nWhere:\n- `tool_call_name` must be an exact \
         match to one of the available tools\n- `tool_call_arguments` must be valid JSON that strictly follows the tool's \
         Parameters Schema\n- For multiple tool calls, chain them directly without separators or spaces",
        described.join("\n\n")
    )
}

/// The tools in ReAct's words; the system text is lost.
fn react_tools(tools: &[Value]) -> Result<String, MaskError> {
    let mut names = Vec::new();
    let mut described = Vec::new();
    for tool in tools.iter().map(unwrapped) {
        let name = tool_name(tool);
        let human = tool.get("name_for_human").filter(|name| truthy(name)).map_or(name.clone(), str_of);
        let description = ["description", "description_for_model"]
            .iter()
            .find_map(|key| tool.get(*key).filter(|value| !value.is_null()))
            .ok_or_else(|| MaskError::python("AssertionError", format!("tool_desc: {}", repr(tool))))?;
        let parameters = match tool.get("parameters") {
            Some(Value::String(text)) => text.clone(),
            Some(parameters) if truthy(parameters) => dumps(parameters, PythonJsonStyle::UNICODE),
            _ => "{}".into(),
        };
        described.push(format!(
            "{name}: Call this tool to interact with the {human} API. What is the {human} API useful for? {} Parameters: \
             {parameters} SwiftFormat the arguments as a JSON object.",
            str_of(description)
        ));
        names.push(name);
    }
    Ok(format!(
        "Answer the following questions as best you can. You have access to the following tools:\n\n{}\n\nUse the \
         following format:\n\nQuestion: the input question you must answer\nThought: you should always think about what to \
         do\nAction: the action to take, should be one of [{}]\nAction Input: the input to the action\nObservation: the \
         result of the action\n... (this Thought/Action/Action Input/Observation can be repeated zero or more \
         times)\nThought: I now know the final answer\nFinal Answer: the final answer to the original input \
         question\n\nBegin!\n",
        described.join("\n\n"),
        names.join(",")
    ))
}

/// The names that swift has.
const NAMES: [&str; 36] = [
    "react_en",
    "react_zh",
    "qwen_en",
    "qwen_zh",
    "qwen_en_parallel",
    "qwen_zh_parallel",
    "qwen3_coder",
    "qwen3_5",
    "hermes",
    "hunyuan_hermes",
    "hy_v3_preview",
    "hy_v3",
    "toolbench",
    "chatglm4",
    "glm4",
    "glm4_5",
    "glm4_7",
    "glm5_1",
    "llama3",
    "llama4",
    "deepseek_v3_1",
    "deepseek_v4",
    "deepseek_v41",
    "minimax_m2",
    "minimax_m3",
    "seed_oss",
    "spark2_5",
    "xing4_0",
    "gemma4",
    "react_grpo",
    "mistral",
    "youtu",
    "kimi_k25",
    "kimi_k3",
    "ling3",
    "minicpm5",
];
