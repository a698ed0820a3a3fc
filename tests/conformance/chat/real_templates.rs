//! Real templates against real jinja2: `MASKSCOPE_TEMPLATES` names the file that
//! `tests/scripts/render_real_templates.py` wrote. The templates are not part of the project.

use std::collections::BTreeMap;

use maskscope::chat::jinja::{ChatTemplate, Inputs};
use serde_json::{Value, json};

use super::records::json_lines;
use super::{clock, sample};

/// Templates that differ, and must: why stands in `src/chat/jinja/mod.rs`.
const KNOWN_RESIDUE: [&str; 2] =
    ["SvalTek-Q3-CharThink-9B-temp.jinja", "meetkai-functionary-medium-v3.1.jinja"];

#[test]
#[ignore = "needs MASKSCOPE_TEMPLATES: what tests/scripts/render_real_templates.py has written"]
fn real_templates() {
    let file = std::env::var_os("MASKSCOPE_TEMPLATES").expect("MASKSCOPE_TEMPLATES names a file");
    let mut templates: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut same_errors, mut errors) = (0, 0);
    for record in json_lines(file.as_ref()) {
        let id = record["id"].as_str().unwrap();
        let (name, case) = id.rsplit_once('/').unwrap();
        let misses = templates.entry(name.to_string()).or_default();
        let found = render(&record);
        match (record["error"].as_str(), found) {
            (Some(expected), Err(found)) => {
                errors += 1;
                same_errors += usize::from(found == expected);
                if found != expected && std::env::var_os("SHOW_ERRORS").is_some() {
                    eprintln!("ERROR {id}\n    found    {found}\n    expected {expected}");
                }
            }
            (Some(expected), Ok(found)) => {
                misses.push(format!("{case}: {found:?} instead of error {expected}"))
            }
            (None, Err(found)) => misses.push(format!("{case}: error {found}")),
            (None, Ok((text, spans))) => {
                let expected = record["text"].as_str().unwrap();
                if text != expected {
                    let at = text.chars().zip(expected.chars()).take_while(|(a, b)| a == b).count();
                    let tail =
                        |text: &str| text.chars().skip(at.saturating_sub(20)).take(80).collect::<String>();
                    misses.push(format!("{case}: {:?} instead of {:?}", tail(&text), tail(expected)));
                } else if spans != record["spans"] {
                    misses.push(format!("{case}: spans {spans} instead of {}", record["spans"]));
                }
            }
        }
    }
    let wrong: Vec<_> = templates.iter().filter(|(_, misses)| !misses.is_empty()).collect();
    for (name, misses) in &wrong {
        eprintln!("{name}\n    {}", misses.join("\n    "));
    }
    eprintln!(
        "real templates: {} of {} as jinja2 renders them",
        templates.len() - wrong.len(),
        templates.len()
    );
    eprintln!("real templates: {same_errors} of {errors} errors word for word");
    let wrong: Vec<&str> = wrong.into_iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(wrong, KNOWN_RESIDUE, "templates that differ / that are known to differ");
}

fn render(record: &Value) -> Result<(String, Value), String> {
    let sample = sample(record);
    let inputs = Inputs {
        messages: &sample.messages,
        tools: sample.tools.as_deref(),
        special_tokens: record["special_tokens"].as_object(),
        kwargs: Some(&sample.kwargs),
        add_generation_prompt: record["add_generation_prompt"] == true,
        ..Inputs::default()
    };
    let rendered = ChatTemplate::new("template", record["source"].as_str().unwrap(), clock())
        .and_then(|template| template.render(&inputs))
        .map_err(|e| e.exception().map(ToString::to_string).unwrap_or(e.to_string()))?;
    let spans: Vec<Value> = rendered.spans.iter().map(|s| json!([s.chars.start, s.chars.end])).collect();
    Ok((rendered.text, Value::Array(spans)))
}
