//! The Python of changes: a program for one `row` of a data set, as its file has it.
//!
//! ```text
//! head: row → messages     the list itself, or made of what the layout has in the place of one
//! a body for each change   works on messages, as [`super::edit`] does
//! tail: messages → row     as the layout has it, where it has a place for them
//! ```

use std::fmt::Write;

use super::edit::{RESULT_ROLES, ROLE_NAMES};
use super::kind::DataFix;
use crate::chat::{CALL_ROLES, Columns, MediaKind, REASONING_KEYS};

/// Python that makes some changes to `row`, a record of a data set with these columns.
pub fn program(changes: &[DataFix], columns: Columns) -> String {
    let mut code = String::new();
    let bodies: Vec<String> = changes.iter().map(body).collect();
    let works_on_messages = changes.iter().any(|change| !matches!(change, DataFix::Variable(..)));
    if works_on_messages {
        head(&mut code, columns, changes.iter().any(reads_system));
    }
    for body in bodies {
        code.push_str(&body);
        code.push('\n');
    }
    if works_on_messages {
        tail(&mut code, columns, changes.iter().any(makes_lists));
    }
    let imports = ["json", "re"].into_iter().filter(|module| code.contains(&format!("{module}.")));
    let imports: String = imports.map(|module| format!("import {module}\n")).collect();
    (imports + &code).trim_end().to_string()
}

/// The text of a `system` column is the first message to it.
fn reads_system(change: &DataFix) -> bool {
    use DataFix::*;
    matches!(change, SystemIntoUser | DropSystem | ToolsIntoSystem | TextAsParts | WordsAsParts)
}

/// Contents become lists: LLaVA's turns have texts only.
fn makes_lists(change: &DataFix) -> bool {
    matches!(change, DataFix::TextAsParts | DataFix::WordsAsParts | DataFix::UrlsAsImages)
}

const SYSTEM_COLUMN: &str = "system = row.pop(\"system\", None)\n\
    if system and not (messages and messages[0][\"role\"] == \"system\"):\n    \
    messages.insert(0, {\"role\": \"system\", \"content\": system})\n";

fn head(code: &mut String, columns: Columns, system: bool) {
    match columns {
        Columns::Turns(key) => {
            let names = crate::chat::SHAREGPT_ROLES.map(|(from, role)| format!("\"{from}\": \"{role}\""));
            let _ = write!(
                code,
                "roles = {{{}}}\nmessages = []\nfor turn in row[\"{key}\"]:\n    \
                 more = {{k: v for k, v in turn.items() if k not in (\"from\", \"value\") and v is not None}}\n    \
                 call = {{\"from\": \"function_call\"}} if turn[\"from\"] == \"function_call\" else {{}}\n    \
                 role = roles.get(turn[\"from\"], turn[\"from\"])\n    \
                 messages.append({{**call, \"role\": role, \"content\": turn[\"value\"], **more}})\n",
                names.join(", ")
            );
        }
        Columns::Messages(key) => {
            let _ = writeln!(code, "messages = row[\"{key}\"]");
        }
        Columns::PromptCompletion => {
            code.push_str(
                "count = len(row[\"completion\"])\nmessages = row[\"prompt\"] + row[\"completion\"]\n",
            );
        }
        Columns::Pair { question, input, answer } => {
            let question = match input {
                Some(input) => format!(
                    "\"\\n\".join(t for t in (row[\"{question}\"], row.get(\"{input}\") or \"\") if t)"
                ),
                None => format!("row[\"{question}\"]"),
            };
            let _ = write!(
                code,
                "pairs = [*(row.pop(\"history\", None) or []), ({question}, row[\"{answer}\"])]\n\
                 messages = [{{\"role\": role, \"content\": text}} for pair in pairs for role, text in zip((\"user\", \"assistant\"), pair)]\n"
            );
        }
    }
    if system || matches!(columns, Columns::Pair { .. }) {
        code.push_str(SYSTEM_COLUMN);
    }
}

fn tail(code: &mut String, columns: Columns, lists: bool) {
    match columns {
        Columns::Turns(key) if lists => {
            let _ = write!(
                code,
                "row[\"messages\"] = messages   # turns of from and value have no place for parts\ndel row[\"{key}\"]\n"
            );
        }
        Columns::Turns(key) => {
            let _ = write!(
                code,
                "names = {{\"user\": \"human\", \"assistant\": \"gpt\", \"tool\": \"observation\"}}\n\
                 row[\"{key}\"] = [{{\"from\": m.pop(\"from\", None) or names.get(m[\"role\"], m[\"role\"]), \
                 \"value\": m.pop(\"content\", \"\"), **{{k: v for k, v in m.items() if k != \"role\"}}}} for m in messages]\n"
            );
        }
        Columns::Messages(key) => {
            let _ = writeln!(code, "row[\"{key}\"] = messages");
        }
        Columns::PromptCompletion => {
            code.push_str(
                "row[\"prompt\"], row[\"completion\"] = messages[:len(messages) - count], messages[len(messages) - count:]\n",
            );
        }
        Columns::Pair { question, input, answer } => {
            let keys = [Some(question), input, Some(answer)].into_iter().flatten();
            let keys: Vec<String> = keys.map(|key| format!("\"{key}\"")).collect();
            let _ = write!(
                code,
                "row[\"messages\"] = messages   # in the place of its columns\nfor key in ({}):\n    row.pop(key, None)\n",
                keys.join(", ")
            );
        }
    }
}

/// What one change does to `messages`.
fn body(change: &DataFix) -> String {
    let each = |body: &str| format!("for m in messages:\n    {}", body.replace('\n', "\n    "));
    let functions = |body: &str| {
        each(&format!(
            "for c in m.get(\"tool_calls\") or []:\n    f = c[\"function\"] if isinstance(c.get(\"function\"), dict) else c\n    {}",
            body.replace('\n', "\n    ")
        ))
    };
    match change {
        DataFix::ParseArguments => functions(
            "if isinstance(f.get(\"arguments\"), str):\n    try:\n        value = json.loads(f[\"arguments\"])\n    except ValueError:\n        continue\n    if isinstance(value, dict):\n        f[\"arguments\"] = value",
        ),
        DataFix::DumpArguments => functions(
            "if isinstance(f.get(\"arguments\"), dict):\n    f[\"arguments\"] = json.dumps(f[\"arguments\"], ensure_ascii=False)",
        ),
        DataFix::JoinParts => {
            let words = MediaKind::PART_TYPES.map(|(kind, name)| format!("\"{name}\": \"{}\"", kind.word()));
            format!(
                "words = {{{}}}\n{}",
                words.join(", "),
                each(
                    "if isinstance(m.get(\"content\"), list):\n    texts = [words.get(p.get(\"type\"), p.get(\"text\")) if isinstance(p, dict) else p for p in m[\"content\"]]\n    if all(isinstance(t, str) for t in texts):\n        m[\"content\"] = \"\".join(texts)"
                )
            )
        }
        DataFix::TextAsParts => each(
            "if isinstance(m.get(\"content\"), str):\n    m[\"content\"] = [{\"type\": \"text\", \"text\": m[\"content\"]}]",
        ),
        DataFix::EmptyContent => each("if m.get(\"content\") is None:\n    m[\"content\"] = \"\""),
        DataFix::Variable(name, value) => {
            let value = if *value { "True" } else { "False" };
            format!(
                "kwargs = row.get(\"chat_template_kwargs\") or {{}}   # or apply_chat_template(…, {name}={value})\n\
                 kwargs = json.loads(kwargs) if isinstance(kwargs, str) else kwargs\n\
                 row[\"chat_template_kwargs\"] = {{**kwargs, \"{name}\": {value}}}"
            )
        }
        DataFix::ThoughtIntoContent => {
            let keys = REASONING_KEYS.map(|key| format!("\"{key}\"")).join(", ");
            each(&format!(
                "keys = [k for k in ({keys}) if k in m and (m[k] is None or isinstance(m[k], str))]\n\
                 thought = next((m[k] for k in keys if m[k] and m[k].strip()), None)\n\
                 if thought and (m.get(\"content\") is None or isinstance(m[\"content\"], str)):\n    \
                 m[\"content\"] = f\"<think>\\n{{thought}}\\n</think>\\n\\n{{m.get('content') or ''}}\"\n    \
                 for k in keys:\n        del m[k]"
            ))
        }
        DataFix::CallsIntoContent => each(
            "if m.get(\"tool_calls\") and (m.get(\"content\") is None or isinstance(m[\"content\"], str)):\n    calls = [c[\"function\"] if isinstance(c.get(\"function\"), dict) else c for c in m.pop(\"tool_calls\")]\n    blocks = [f\"<tool_call>\\n{json.dumps(c, ensure_ascii=False)}\\n</tool_call>\" for c in calls]\n    m[\"content\"] = \"\\n\".join(([m[\"content\"]] if m.get(\"content\") else []) + blocks)",
        ),
        DataFix::ToolsIntoSystem => "tools = row.get(\"tools\")\ntools = json.loads(tools) if isinstance(tools, str) and tools.strip() else tools\nif tools:\n    lines = \"\\n\".join(json.dumps(t, ensure_ascii=False) for t in tools)\n    if not (messages and messages[0][\"role\"] == \"system\"):\n        messages.insert(0, {\"role\": \"system\", \"content\": \"\"})\n    text = messages[0].get(\"content\") or \"\"\n    if isinstance(text, str):\n        messages[0][\"content\"] = (text + \"\\n\\n\" if text else \"\") + f\"<tools>\\n{lines}\\n</tools>\"\n        del row[\"tools\"]".into(),
        DataFix::MergeTurns => "merged = []\nfor m in messages:\n    texts = [x.get(\"content\") or \"\" for x in (merged[-1:] + [m])]\n    says = {k for k, v in m.items() if v is not None}\n    plain = all(isinstance(t, str) for t in texts) and says <= {\"role\", \"content\"} and m[\"role\"] != \"tool\"\n    if plain and merged and merged[-1][\"role\"] == m[\"role\"]:\n        merged[-1][\"content\"] = \"\\n\\n\".join(texts)\n    else:\n        merged.append(m)\nmessages = merged".into(),
        DataFix::SystemIntoUser => "if [m[\"role\"] for m in messages[:2]] == [\"system\", \"user\"]:\n    texts = [m.get(\"content\") or \"\" for m in messages[:2]]\n    if all(isinstance(t, str) for t in texts):\n        messages[1][\"content\"] = \"\\n\\n\".join(texts)\n        messages = messages[1:]".into(),
        DataFix::DropSystem => "messages = [m for m in messages if m[\"role\"] != \"system\"]".into(),
        DataFix::DropLeadingAnswers => "first = next((i for i, m in enumerate(messages) if m[\"role\"] == \"user\"), 0)\nmessages = [m for i, m in enumerate(messages) if i >= first or m[\"role\"] != \"assistant\"]".into(),
        DataFix::DropOpenQuestion => "while len(messages) > 1 and messages[-1][\"role\"] == \"user\":\n    messages = messages[:-1]".into(),
        DataFix::WordsAsParts => each(
            "if isinstance(m.get(\"content\"), str) and \"<image>\" in m[\"content\"]:\n    texts = re.split(r\"<image>\\n?\", m[\"content\"])\n    m[\"content\"] = [p for i, t in enumerate(texts) for p in ([{\"type\": \"image\"}] if i else []) + ([{\"type\": \"text\", \"text\": t}] if t else [])]",
        ),
        DataFix::UrlsAsImages => each(
            "for i, p in enumerate(m[\"content\"] if isinstance(m.get(\"content\"), list) else []):\n    if isinstance(p, dict) and p.get(\"type\") == \"image_url\":\n        url = p.get(\"image_url\")\n        m[\"content\"][i] = {\"type\": \"image\", \"image\": url.get(\"url\", url) if isinstance(url, dict) else url}",
        ),
        DataFix::CallTurns => {
            let names = |roles: &[&str]| roles.iter().map(|role| format!("\"{role}\"")).collect::<Vec<_>>().join(", ");
            format!(
                "def call_of(m):\n    try:\n        c = json.loads(m[\"content\"]) if m[\"role\"] in ({}) else None\n        \
                 return {{\"type\": \"function\", \"function\": {{\"name\": c[\"name\"], \"arguments\": c.get(\"arguments\", {{}})}}}}\n    \
                 except (AttributeError, KeyError, TypeError, ValueError):\n        return None\n\n\
                 turned = []\n\
                 for m in messages if any(call_of(m) for m in messages) else []:\n    \
                 c = call_of(m)\n    \
                 if c and turned and turned[-1][\"role\"] == \"assistant\" and isinstance(turned[-1].setdefault(\"tool_calls\", []), list):\n        \
                 turned[-1][\"tool_calls\"].append(c)\n    \
                 elif c:\n        \
                 turned.append({{\"role\": \"assistant\", \"content\": \"\", \"tool_calls\": [c]}})\n    \
                 else:\n        \
                 turned.append({{**m, \"role\": \"tool\"}} if m[\"role\"] in ({}) else m)\n\
                 messages = turned or messages",
                names(&CALL_ROLES),
                names(&RESULT_ROLES)
            )
        }
        DataFix::UsualRoles => {
            let names = ROLE_NAMES.map(|(other, usual)| format!("\"{other}\": \"{usual}\""));
            format!(
                "usual = {{{}}}\n{}",
                names.join(", "),
                each("m[\"role\"] = usual.get(m[\"role\"], m[\"role\"])")
            )
        }
    }
}
