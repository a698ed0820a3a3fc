//! `maskscope templates`, `samples`, `keys`: what is built in.

use serde_json::{Value, json};

use super::shared::{CommandOutcome, format, print};
use crate::app::bindings;
use crate::chat::Template;
use crate::cli::{OutputFormat, SharedOptions};
use crate::error::Result;
use crate::labels::Rule;
use crate::masks::trainers::Trainer;
use crate::masks::{KEYS, Strategy};
use crate::report::{json as json_report, table};
use crate::samples::{CHAT_TEMPLATES, CONVERSATIONS, MESSAGES, TOKENIZERS};
use crate::setup::RECIPES;
use crate::text;

/// One list: its title, the names of its columns, its rows.
struct List {
    title: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

pub fn templates(shared: &SharedOptions) -> Result<CommandOutcome> {
    let templates = Template::names().into_iter().filter_map(Template::named).map(|t| {
        let rule = Rule::dispatch(&t).name().to_string();
        let style = format!("{:?}", t.style).to_lowercase();
        vec![t.name, t.version, style, quoted(&t.sep), t.sep2.as_deref().map_or(String::new(), quoted), rule]
    });
    let rules = Rule::ALL.iter().map(|r| vec![r.name().to_string(), r.summary().to_string()]);
    let strategies = Strategy::named_ones().map(|strategy| {
        let origin = strategy.origin();
        [origin.name, origin.summary, origin.source].map(String::from).to_vec()
    });
    let of_trainers = Trainer::ALL.iter().flat_map(|trainer| {
        trainer.options().iter().map(|(key, what)| [key.to_string(), format!("{}: {what}", trainer.name())])
    });
    let options = KEYS.iter().map(|(key, what)| [key.to_string(), what.to_string()]);
    let options = options.chain(of_trainers).map(|row| row.to_vec());
    let recipes =
        RECIPES.iter().map(|r| vec![r.name.to_string(), r.template.to_string(), r.summary.to_string()]);
    show(
        shared,
        &[
            List {
                title: "templates",
                columns: &["name", "version", "style", "sep", "sep2", "rule"],
                rows: templates.collect(),
            },
            List { title: "rules", columns: &["name", "summary"], rows: rules.collect() },
            List { title: "strategies", columns: &["name", "summary", "source"], rows: strategies.collect() },
            List { title: "strategy options", columns: &["key", "what it is"], rows: options.collect() },
            List { title: "recipes", columns: &["name", "template", "summary"], rows: recipes.collect() },
        ],
    )
}

pub fn samples(shared: &SharedOptions) -> Result<CommandOutcome> {
    let tokenizers = TOKENIZERS.iter().map(|t| vec![format!("sample:{}", t.name), t.summary.to_string()]);
    let conversations = CONVERSATIONS.iter().map(|c| vec![c.file.to_string(), c.summary.to_string()]);
    let chat_templates =
        CHAT_TEMPLATES.iter().map(|t| vec![format!("sample:{}", t.name), t.summary.to_string()]);
    let messages = MESSAGES.iter().map(|c| vec![c.file.to_string(), c.summary.to_string()]);
    show(
        shared,
        &[
            List { title: "tokenizers", columns: &["name", "summary"], rows: tokenizers.collect() },
            List { title: "conversations", columns: &["file", "summary"], rows: conversations.collect() },
            List { title: "chat_templates", columns: &["name", "summary"], rows: chat_templates.collect() },
            List { title: "messages", columns: &["file", "summary"], rows: messages.collect() },
        ],
    )
}

pub fn keys(shared: &SharedOptions) -> Result<CommandOutcome> {
    let rows = bindings().map(|b| vec![b.keys_text(), b.context_text().to_string(), b.help.to_string()]);
    show(shared, &[List { title: "keys", columns: &["keys", "where", "does"], rows: rows.collect() }])
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

fn show(shared: &SharedOptions, lists: &[List]) -> Result<CommandOutcome> {
    let form = format(shared, &[OutputFormat::Text, OutputFormat::Json, OutputFormat::Jsonl])?;
    print(|out| {
        if form != OutputFormat::Text {
            let all: serde_json::Map<String, Value> =
                lists.iter().map(|l| (l.title.to_string(), records(l))).collect();
            return writeln!(out, "{}", json_report::to_line(&all, form == OutputFormat::Json)?);
        }
        for (n, list) in lists.iter().enumerate() {
            let gap = if n > 0 { "\n" } else { "" };
            writeln!(out, "{gap}{}", list.title)?;
            for line in table(list.columns, &list.rows) {
                writeln!(out, "  {}", text::plain(&line))?;
            }
        }
        Ok(())
    })?;
    Ok(CommandOutcome::Clean)
}

/// The rows as objects.
fn records(list: &List) -> Value {
    let object = |row: &Vec<String>| -> Value {
        list.columns
            .iter()
            .zip(row)
            .map(|(k, v)| (k.to_string(), json!(v)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    list.rows.iter().map(object).collect()
}
