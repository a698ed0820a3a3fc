//! Conversations that a template refuses: the cause, and changes that lose nothing.

use serde_json::{Value, json};

use crate::scene::{Scene, row, turn};
use crate::{ALTERNATES, PLAIN, STRICT};

/// Writes three roles and leaves others out.
const THREE: &str = "{% for m in messages %}{% if m.role in ['system', 'user', 'assistant'] %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endif %}{% endfor %}";
/// Refuses others.
const REFUSES: &str = "{% for m in messages %}{% if m.role not in ['system', 'user', 'assistant'] %}{{ raise_exception('Unknown role ' + m.role) }}{% endif %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{% endfor %}";

fn hi() -> Value {
    turn("user", json!("Hi"))
}

fn hello() -> Value {
    turn("assistant", json!("Hello."))
}

#[test]
fn roles_that_a_template_does_not_know_are_the_cause() {
    for (messages, role) in [
        (json!([turn("developer", json!("Answer in Latin.")), hi(), hello()]), "developer"),
        (
            json!([turn("human", json!("How are you today?")), turn("gpt", json!("Very well, thank you."))]),
            "human",
        ),
        (json!([hi(), turn("model", json!("Very well, thank you."))]), "model"),
    ] {
        let dropped = Scene::new(THREE, &[row(messages.clone())]).finding("MSK054");
        let refused = Scene::new(REFUSES, &[row(messages)]).finding("MSK052");
        for finding in [&dropped, &refused] {
            assert!(finding["evidence"].to_string().contains(role), "{finding}");
            assert_eq!(finding["fix"]["effect"]["repaired"], 1, "{finding}");
            let changes = finding["fix"]["changes"].to_string();
            assert!(changes.contains("give roles the names that templates know"), "{finding}");
        }
        let cause = refused["cause"].as_str().expect("a cause");
        assert!(cause.contains("a role has a name that the template does not know"), "{cause}");
    }
}

#[test]
fn a_refusal_has_its_cause_whatever_else_is_lost() {
    let thinking = json!({"role": "assistant", "content": "Hello.", "reasoning_content": "A greeting wants a greeting."});
    for (messages, cause) in [
        (json!([turn("user", json!([{"type": "text", "text": "Hi"}])), thinking]), "list of parts"),
        (
            json!([hi(), {"role": "assistant", "content": null, "reasoning_content": "A greeting wants a greeting."}]),
            "content is null",
        ),
    ] {
        let finding = Scene::new(STRICT, &[row(messages)]).finding("MSK052");
        assert!(finding["cause"].as_str().is_some_and(|text| text.contains(cause)), "{finding}");
        assert_eq!(finding["fix"]["effect"]["repaired"], 1, "{finding}");
    }
    let messages = json!([hi(), turn("user", json!("Are you there?")), thinking]);
    let finding = Scene::new(ALTERNATES, &[row(messages)]).finding("MSK052");
    assert!(
        finding["cause"].as_str().is_some_and(|text| text.contains("two turns of one role")),
        "{finding}"
    );
}

#[test]
fn a_change_that_takes_text_out_is_the_last_resort() {
    let system = || turn("system", json!("Be brief."));
    // Moving the system text keeps it; leaving it out does not.
    let finding = Scene::new(ALTERNATES, &[row(json!([system(), hi(), hello()]))]).finding("MSK052");
    assert_eq!(
        finding["fix"]["changes"],
        json!(["move the system text into the first question"]),
        "{finding}"
    );
    // Where nothing else helps, it is proposed as what it is.
    let parts = json!([
        system(),
        turn("user", json!([{"type": "text", "text": "Hi"}, {"type": "tool_result", "content": "x"}])),
        hello()
    ]);
    let lists = "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}{% for m in messages %}{{ m.role }}{{ m.content }}{% endfor %}";
    let finding = Scene::new(lists, &[row(parts)]).finding("MSK052");
    assert_eq!(finding["fix"]["changes"], json!(["leave out the system text"]), "{finding}");
    // A lost thought is not carried by a change that leaves its turn out.
    let lost = row(
        json!([hi(), {"role": "assistant", "content": "Hello.", "reasoning_content": "A greeting wants a greeting."}]),
    );
    let finding = Scene::new(PLAIN, &[lost]).finding("MSK054");
    assert!(
        finding["fix"]["changes"].to_string().contains("write the reasoning into the content"),
        "{finding}"
    );
}

#[test]
fn the_code_of_a_fix_is_for_the_layout_of_the_data() {
    let turns = json!({"conversations": [{"from": "human", "value": "Hi"}, {"from": "human", "value": "Are you there?"}, {"from": "gpt", "value": "Hello."}]});
    let named = json!({"conversations": [hi(), hi(), hello()]});
    for (data, says) in [
        (turns, "row[\"conversations\"] = [{\"from\""),
        (named, "messages = row[\"conversations\"]"),
        (row(json!([hi(), hi(), hello()])), "messages = row[\"messages\"]"),
    ] {
        let finding = Scene::new(ALTERNATES, &[data]).finding("MSK052");
        let code = finding["fix"]["code"].as_str().expect("code");
        assert!(code.contains(says), "{code}");
    }
}

#[test]
fn the_wrong_instruction_marker_is_named() {
    let rows = [row(json!([hi(), hello(), hi(), hello()]))];
    let scene = Scene::new(PLAIN, &rows);
    for (strategy, instruction, says) in [
        (
            "trl_collator_instr",
            "### Question:",
            "the instruction marker that was given stands in none of these texts",
        ),
        (
            "trl_collator_instr",
            "<|im_start|>human\\n",
            "the instruction marker that was given stands in none of these texts",
        ),
        ("unsloth", "### Question:", "the instruction marker that was given stands in none of these texts"),
    ] {
        let options =
            [format!("instruction_part={instruction}"), "response_part=<|im_start|>assistant\\n".to_string()];
        let report = scene.run_as(
            strategy,
            &[
                "doctor",
                "-d",
                "rows.jsonl",
                "--format",
                "json",
                "--strategy-option",
                &options[0],
                "--strategy-option",
                &options[1],
            ],
        );
        let report: Value = serde_json::from_str(&report).expect("JSON");
        let finding = report["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .find(|f| f["id"] == "MSK045")
            .expect("the check")
            .clone();
        assert!(
            finding["cause"].as_str().is_some_and(|cause| cause.contains(says)),
            "{strategy} {instruction}: {finding}"
        );
        assert!(finding["evidence"].to_string().contains("instruction marker that was given"), "{finding}");
    }
}
