//! Accounts of small records under prompts that were written by hand.

use serde_json::{Value, json};

use super::*;
use crate::chat::{Speaker, TurnLayout};

/// Turns that begin with `<`.
fn layout(prompt: &str) -> PromptLayout {
    let starts: Vec<usize> = prompt.match_indices("<s>").map(|(at, _)| at).collect();
    let turn = |(index, start): (usize, &usize)| {
        let end = starts.get(index + 1).copied().unwrap_or(prompt.len());
        let whole = *start..end;
        TurnLayout {
            index,
            speaker: Speaker::User,
            header: *start..*start,
            content: whole.clone(),
            separator: end..end,
            whole,
        }
    };
    PromptLayout { turns: starts.iter().enumerate().map(turn).collect() }
}

fn account(messages: Value, prompt: &str) -> Vec<(String, Fate)> {
    let conversation = Conversation { messages: messages.as_array().unwrap().clone(), ..Default::default() };
    let account = Account::of(&conversation, prompt, &layout(prompt));
    account.lost().map(|entry| (entry.full_path(), entry.fate.clone())).collect()
}

fn lost(path: &str) -> (String, Fate) {
    (path.to_string(), Fate::Lost)
}

#[test]
fn a_call_that_is_a_turn_is_found_in_a_trainer_s_own_form() {
    let call = r#"{"name":"weather","arguments":{"city":"Oslo"}}"#;
    for role in ["tool_call", "function_call"] {
        let turns = json!([{"role": "user", "content": "Warm?"}, {"role": role, "content": call}]);
        let anew = "<s>user\nWarm?<s>assistant\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}\n</tool_call>";
        assert_eq!(account(turns.clone(), anew), []);
        assert_eq!(account(turns.clone(), "<s>user\nWarm?<s>assistant\n"), [lost("messages[1].content")]);
        let cut = anew.replace("Oslo", "O");
        assert!(!account(turns, &cut).is_empty(), "the city is lost");
    }
    // An answer that says such a text is a text.
    let turns = json!([{"role": "user", "content": "Warm?"}, {"role": "assistant", "content": call}]);
    assert!(!account(turns, "<s>user\nWarm?<s>assistant\n{\"name\": \"weather\"}").is_empty());
}

#[test]
fn a_thought_that_a_template_never_reads_is_lost() {
    let prompt = "<s>user\nIs 91 prime?<s>assistant\nNo.";
    let question = json!({"role": "user", "content": "Is 91 prime?"});
    for key in REASONING_KEYS {
        let answer =
            json!({"role": "assistant", key: "91 is 7 times 13, so it is composite.", "content": "No."});
        assert_eq!(account(json!([question, answer]), prompt), [lost(&format!("messages[1].{key}"))]);
    }
    let answer = json!({"role": "assistant", "content": "<think>\n91 is 7 times 13.\n</think>\n\nNo."});
    assert_eq!(account(json!([question, answer]), prompt), [lost("messages[1].content, the thought in it")]);
    let kept = "<s>user\nIs 91 prime?<s>assistant\n<think>\n91 is 7 times 13.\n</think>\n\nNo.";
    assert_eq!(account(json!([question, answer]), kept), []);
}

#[test]
fn a_text_that_stands_twice_in_the_record_stands_twice_in_the_prompt() {
    let said = json!({"role": "assistant", "content": "The answer is forty-two."});
    let prompt = "<s>The answer is forty-two.<s>";
    assert_eq!(account(json!([said, said]), prompt), [lost("messages[1].content")]);
    assert_eq!(account(json!([said, said]), "<s>The answer is forty-two.<s>The answer is forty-two."), []);
}

#[test]
fn a_short_text_may_be_merged_into_the_turn_behind_and_a_lost_one_takes_nobody_elses_place() {
    let merged = json!([{"role": "system", "content": "  Be terse.  "}, {"role": "user", "content": "Why?"}]);
    assert_eq!(account(merged, "<s><s>  Be terse.  Why?"), []);
    let thinks = |thought: &str, said: &str| json!({"role": "assistant", "reasoning_content": thought, "content": said});
    let again = json!([thinks("The user wants one word.", "Paris."), {"role": "user", "content": "Really?"},
        thinks("The user wants one word. Again.", "Yes.")]);
    let found = account(again, "<s>Paris.<s>Really?<s><think>The user wants one word. Again.</think>Yes.");
    assert_eq!(found, [lost("messages[0].reasoning_content")]);
}

#[test]
fn a_call_is_found_in_every_form_and_lost_as_one() {
    let call = |arguments: Value| {
        json!([{"role": "assistant", "content": "I will ask for the weather in Oslo.",
            "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": arguments}}]}])
    };
    let said = "<s>I will ask for the weather in Oslo.";
    let (object, text) =
        (json!({"city": "Oslo", "days": 3, "unit": null}), json!("{\"city\": \"Oslo\", \"days\": 3}"));
    for arguments in [&object, &text] {
        let found = account(call(arguments.clone()), said);
        assert_eq!(found, [lost("messages[0].tool_calls[0].function")], "{arguments}");
        for written in [
            "{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\", \"days\": 3}}",
            "weather(city=\"Oslo\", days=3)",
            "<function=weather>\n<parameter=city>\nOslo\n</parameter><parameter=days>3",
        ] {
            assert_eq!(account(call(arguments.clone()), &format!("{said}\n{written}")), [], "{written}");
        }
    }
    let twice = format!(
        "{said}{{\"name\": \"weather\", \"arguments\": \"{{\\\"city\\\": \\\"Oslo\\\", \\\"days\\\": 3}}\"}}"
    );
    let path = "messages[0].tool_calls[0].function.arguments".to_string();
    assert_eq!(account(call(text), &twice), [(path.clone(), Fate::EscapedTwice)]);
    let python = format!("{said}weather{{'city': 'Oslo', 'days': 3, 'unit': None}}");
    assert!(matches!(&account(call(object.clone()), &python)[..], [(at, Fate::AsPython(_))] if *at == path));
    let days = format!("{said}weather(city=Oslo)");
    assert_eq!(account(call(object), &days), [(path, Fate::Partly("3".into()))]);
}

#[test]
fn what_python_prints_is_not_the_text() {
    let parts = json!([{"role": "user", "content": [{"type": "text", "text": "How many cats?"}]}]);
    let printed = "<s>[{'type': 'text', 'text': 'How many cats?'}]";
    assert!(
        matches!(&account(parts.clone(), printed)[..], [(at, Fate::AsPython(_))] if at == "messages[0].content")
    );
    assert_eq!(account(parts, "<s>How many cats?"), []);
    let null = json!([{"role": "assistant", "content": null}]);
    assert_eq!(
        account(null.clone(), "<s>None</s>"),
        [("messages[0].content".to_string(), Fate::AsPython("None".into()))]
    );
    assert_eq!(account(null, "<s></s>"), []);
}

#[test]
fn lines_that_a_template_rewrites_are_found_and_lines_that_it_cuts_are_named() {
    let text =
        json!([{"role": "user", "content": "  First line of it \n\nsecond line of it\nthird line of it"}]);
    assert_eq!(account(text.clone(), "<s>First line of it\nsecond line of it\nthird line of it"), []);
    let cut = account(text, "<s>First line of it\nsecond line of it");
    assert_eq!(cut, [("messages[0].content".to_string(), Fate::Partly("third line of it".into()))]);
    let image = json!([{"role": "user", "content": "<image>\nHow many cats are there?"}]);
    let found = account(image, "<s><|image_pad|>\nHow many cats are there?");
    assert_eq!(found, [("messages[0].content".to_string(), Fate::Partly("<image>".into()))]);
}

#[test]
fn tools_and_documents_are_looked_for_outside_of_what_is_said() {
    let tool = json!({"type": "function", "function": {"name": "weather", "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string", "description": "Its name"}}}}});
    let kwargs = json!({"documents": [{"title": "a", "text": "Oslo lies on a fjord."}]});
    let conversation = Conversation {
        messages: vec![json!({"role": "user", "content": "weather in this city?"})],
        tools: Some(vec![tool]),
        kwargs: kwargs.as_object().unwrap().clone(),
    };
    let fates = |prompt: &str| -> Vec<Fate> {
        let account = Account::of(&conversation, prompt, &layout(prompt));
        account.lost().map(|entry| entry.fate.clone()).collect()
    };
    assert_eq!(fates("<s>weather in this city?"), [Fate::Lost, Fate::Lost]);
    let told = "{\"name\": \"weather\", \"description\": \"Weather of a city\", \"city\": \"Its name\"} Oslo lies on a fjord.";
    assert_eq!(fates(&format!("{told}<s>weather in this city?")), []);
    let named = "weather(city) Oslo lies on a fjord.";
    assert_eq!(
        fates(&format!("{named}<s>weather in this city?")),
        [Fate::Partly("Weather of a city, Its name".into())]
    );
}

#[test]
fn other_keys_are_found_or_named_and_flags_and_ids_are_neither() {
    let message = json!([{"role": "tool", "tool_call_id": "c1", "name": "weather", "train": false, "weight": 0,
        "content": "3 degrees", "function_call": {"name": "ask", "arguments": "{}"}, "language": "Norwegian"}]);
    let paths: Vec<String> = account(message, "<s>3 degrees").into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["messages[0].name", "messages[0].function_call", "messages[0].language"]);
}
