//! Null content and reasoning under releases of transformers.

use serde_json::{Value, json};

use crate::scene::{Scene, row, turn};
use crate::{FULL, LOOSE, PLAIN, STRICT};

fn null() -> Value {
    row(json!([turn("user", json!("Hi")), turn("assistant", json!(null))]))
}

fn finding(scene: &Scene, release: &str, id: &str) -> Value {
    let report = scene.run(&[
        "doctor",
        "-d",
        "rows.jsonl",
        "--format",
        "json",
        "--transformers",
        release,
        "--loader",
        "fast",
    ]);
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let findings = report["findings"].as_array().expect("findings");
    findings.iter().find(|finding| finding["id"] == id).expect("the check").clone()
}

#[test]
fn a_null_is_printed_or_raises_before_5() {
    let loose = Scene::new(LOOSE, &[null()]);
    let strict = Scene::new(STRICT, &[null()]);
    for release in ["4.37", "4.57", "4.57.6"] {
        let text = loose.run(&[
            "inspect",
            "-d",
            "rows.jsonl",
            "--format",
            "jsonl",
            "--transformers",
            release,
            "--loader",
            "fast",
        ]);
        assert!(text.contains("content is printed as a Python value: None"), "{release}: {text}");
        let refused = finding(&strict, release, "MSK052");
        assert!(
            refused["evidence"]
                .to_string()
                .contains("can only concatenate str (not \\\"NoneType\\\") to str"),
            "{refused}"
        );
        assert!(
            refused["cause"].as_str().is_some_and(|cause| cause.contains("content is null")),
            "{refused}"
        );
        assert_eq!(refused["fix"]["effect"]["repaired"], 1);
    }
    let text = loose.run(&["inspect", "-d", "rows.jsonl", "--format", "jsonl", "--transformers", "5"]);
    assert!(!text.contains("None"), "{text}");
}

#[test]
fn the_doctor_says_between_which_releases_a_text_differs() {
    let thinking = |key: &str| {
        row(
            json!([turn("user", json!("Hi")), {"role": "assistant", "content": "Hello.", key: "A greeting."}]),
        )
    };
    for (template, data, verdict) in [
        (LOOSE, null(), "note"),
        (STRICT, null(), "note"),
        (FULL, thinking("thinking"), "note"),
        (FULL, thinking("reasoning_content"), "ok"),
        (PLAIN, thinking("thinking"), "ok"),
        (PLAIN, row(json!([turn("user", json!("Hi")), turn("assistant", json!("Hello."))])), "ok"),
    ] {
        let scene = Scene::new(template, std::slice::from_ref(&data));
        for release in ["5", "4.57"] {
            let found = finding(&scene, release, "MSK058");
            assert_eq!(found["verdict"], verdict, "{data} under {release}: {found}");
            let evidence = found["evidence"].to_string();
            assert!(
                verdict == "ok"
                    || (evidence.contains("transformers 4.57") && evidence.contains("transformers 5")),
                "{found}"
            );
            let counts = |labels: &str| evidence.contains(labels);
            match (template, verdict) {
                // The null is an answer: a token of None is learned, or the row raises.
                (LOOSE, "note") => assert!(counts("supervised tokens; "), "{found}"),
                (STRICT, "note") => assert!(counts("4.57: 0 supervised tokens, and 1 raise"), "{found}"),
                _ => {}
            }
        }
    }
}

#[test]
fn tags_of_later_releases_are_refused_by_4_37() {
    let rows = [row(json!([turn("user", json!("Hi")), turn("assistant", json!("Hello."))]))];
    let tagged = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' }}{% generation %}{{ m.content + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}{% endfor %}";
    let breaks = format!("{PLAIN}{{% for m in messages %}}{{% break %}}{{% endfor %}}");
    for (template, tag) in [(tagged, "generation"), (&breaks, "break")] {
        let scene = Scene::new(template, &rows);
        let refused = finding(&scene, "4.37", "MSK052");
        assert!(refused["evidence"].to_string().contains(&format!("unknown tag '{tag}'")), "{refused}");
        assert_eq!(finding(&scene, "4.57", "MSK052")["verdict"], "ok");
    }
    let scene = Scene::new(PLAIN, &rows);
    let none = finding(&scene, "4.31", "MSK052");
    assert!(none["evidence"].to_string().contains("apply_chat_template"), "{none}");
}
