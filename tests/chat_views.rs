//! Chat templates with a planted fault: what the comparison of strategies, the generation prompt over the training text,
//! and the doctor say of each. Everything is built in, so nothing is needed from outside.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use maskscope::app::picker::messages_request;
use maskscope::chat::Sample;
use maskscope::diagnose::{DoctorReport, Finding, Verdict, diagnose, sarif};
use maskscope::labels::Inspection;
use maskscope::masks::Strategy;
use maskscope::masks::anatomy::MessagePart;
use maskscope::masks::compare::{StrategyComparison, StripEnd};
use maskscope::masks::overlay::{AnswerStart, AnswerStop, LabelOverlay};
use maskscope::samples;
use maskscope::setup::{Request, Setup, load_tokenizer, resolve, stop_tokens};
use maskscope::tokenizer::Tokenizer;

/// What the list of recipes asks for when a built-in template is taken.
fn request(template: &str, strategy: &str) -> Request {
    Request {
        preprocess: strategy.parse().expect("a strategy"),
        ..messages_request(template, &Request::default())
    }
}

fn tokenizer() -> Arc<Tokenizer> {
    static LOADED: OnceLock<Arc<Tokenizer>> = OnceLock::new();
    let request = request("chatml-think", "hf_generation");
    LOADED.get_or_init(|| load_tokenizer(&request, &mut |_| ControlFlow::Continue(())).unwrap()).clone()
}

/// A built-in template with a strategy.
fn setup(template: &str, strategy: &str) -> Setup {
    resolve(&tokenizer(), &request(template, strategy)).unwrap()
}

/// A built-in conversation by its id.
fn sample(id: &str) -> Sample {
    samples::messages().unwrap().into_iter().find(|sample| sample.id == id).unwrap()
}

fn report(setup: &Setup, samples: &[Sample]) -> DoctorReport {
    let inspections: Vec<Inspection> = samples.iter().map(|sample| setup.inspect(sample)).collect();
    diagnose(setup, samples, &inspections)
}

fn finding(template: &str, strategy: &str, sample_id: &str, id: &str) -> Finding {
    report(&setup(template, strategy), &[sample(sample_id)]).finding(id).unwrap().clone()
}

fn compare(setup: &Setup, sample: &Sample) -> (StrategyComparison, Vec<Option<LabelOverlay>>) {
    let method = setup.chat().unwrap();
    let stops = stop_tokens(&setup.tokenizer).ids;
    let mut overlays = Vec::new();
    let conversation = sample.conversation().unwrap().into_owned();
    let comparison =
        StrategyComparison::new(method, &*setup.tokenizer, &conversation, &mut |turns, masked| {
            overlays.push(masked.and_then(|masked| LabelOverlay::new(turns, masked, &stops)));
            true
        });
    (comparison.unwrap().unwrap(), overlays)
}

fn strip(comparison: &StrategyComparison, strategy: Strategy) -> usize {
    comparison.strips.iter().position(|strip| strip.labeller == strategy).unwrap()
}

#[test]
fn each_planted_fault_is_named() {
    let planted = [
        ("chatml-late-stop", "hf_generation", "MSK036", Verdict::Warn),
        ("chatml-learned-header", "hf_generation", "MSK040", Verdict::Warn),
        ("chatml-macro-tag", "hf_generation", "MSK039", Verdict::Error),
        ("chatml-no-tag", "hf_generation", "MSK038", Verdict::Error),
        ("chatml-forced-think", "hf_generation", "MSK051", Verdict::Warn),
        ("chatml-no-prompt", "hf_generation", "MSK050", Verdict::Warn),
    ];
    for (template, strategy, id, verdict) in planted {
        let found = finding(template, strategy, "two-rounds", id);
        assert_eq!(found.verdict, verdict, "{template}: {found:?}");
        assert!(!found.cause.is_empty());
        // The same check is content with a template that has another fault.
        let other = finding("chatml-think", strategy, "two-rounds", id);
        assert!(other.verdict <= Verdict::Ok, "{id}: {other:?}");
    }
}

#[test]
fn a_sound_set_up_raises_no_alarm() {
    for id in ["two-rounds", "thoughts-and-tool"] {
        let report = report(&setup("chatml-think", "hf_generation"), &[sample(id)]);
        let alarms: Vec<&Finding> = report.findings.iter().filter(|f| f.verdict > Verdict::Note).collect();
        assert!(alarms.is_empty(), "{alarms:?}");
    }
}

#[test]
fn a_fix_is_another_strategy_that_was_tried() {
    let found = finding("chatml-late-stop", "hf_generation", "two-rounds", "MSK036");
    let fix = found.fix.expect("a fix");
    assert!(fix.code.starts_with("--preprocess "), "{fix:?}");
    assert_eq!(fix.effect.map(|e| (e.tried, e.repaired, e.broken)), Some((1, 1, 0)));
    // No strategy mends a prompt that writes more than training text has.
    assert!(finding("chatml-forced-think", "hf_generation", "two-rounds", "MSK051").fix.is_none());
}

#[test]
fn thoughts_that_are_stripped_explain_why_prefixes_fail() {
    let sample = sample("thoughts-and-tool");
    let setup = setup("chatml-think", "oi_legacy_mask_labels");
    let (comparison, _) = compare(&setup, &sample);
    let (message, parting) = comparison.turns.first_divergence().expect("a parting");
    assert_eq!(message, 1);
    assert!(parting.alone.starts_with("<think>") && !parting.whole.starts_with("<think>"), "{parting:?}");
    let (counts, tags) =
        (strip(&comparison, Strategy::OiLegacyMaskLabels), strip(&comparison, Strategy::HfGeneration));
    let differs = comparison.differences.iter().find(|run| {
        run.supervised_by.contains(&tags) != run.supervised_by.contains(&counts)
            && (run.supervised_by.contains(&counts) || run.masked_by.contains(&counts))
    });
    let token = differs.expect("a difference").tokens.start;
    let why = comparison.why(counts, token, &*setup.tokenizer);
    assert!(why.contains("<think>") && why.contains("character"), "{why}");
    let found = report(&setup, &[sample]).finding("MSK043").unwrap().clone();
    assert_eq!(found.verdict, Verdict::Error);
    assert!(found.fix.is_some());
}

#[test]
fn strategies_that_do_not_apply_say_why() {
    let (comparison, _) = compare(&setup("chatml-think", "hf_generation"), &sample("two-rounds"));
    let gemma = &comparison.strips[strip(&comparison, Strategy::LlavaNextGemma)];
    assert_eq!(gemma.end, StripEnd::Unfit("the vocabulary has no <start_of_turn>".into()));
    let qwen = &comparison.strips[strip(&comparison, Strategy::LlavaNextQwen)];
    // Its own system text has no place on the line, the rounds have.
    assert!(qwen.elsewhere > 0 && qwen.cells.iter().any(|cell| cell.is_supervised()));
}

#[test]
fn every_token_has_its_part() {
    let (comparison, _) = compare(&setup("chatml-think", "hf_generation"), &sample("thoughts-and-tool"));
    let turns = &comparison.turns;
    let text = |message: usize, part: MessagePart| {
        let tokens: Vec<usize> = turns.tokens_of(message, part).collect();
        let start = turns.encoded.offsets[tokens[0]].0;
        turns.slice(start..turns.encoded.offsets[*tokens.last().unwrap()].1)
    };
    assert_eq!(text(5, MessagePart::Header), "<|im_start|>assistant\n");
    // A thought of the data is the answer's own.
    assert_eq!(text(5, MessagePart::Body), "<think>\n4 degrees is cold.\n</think>\n\nYes, take a warm one.");
    assert!(turns.places.iter().all(|place| place.part != MessagePart::Inserted));
    assert_eq!(text(5, MessagePart::End), "<|im_end|>");
    assert_eq!(text(5, MessagePart::After), "\n");
    assert!(text(1, MessagePart::Body).starts_with("<tool_call>"));
    assert_eq!(text(2, MessagePart::Body), "{\"celsius\": 4}");
}

#[test]
fn the_prompt_lies_over_the_training_text() {
    let at = |template: &str| {
        let (comparison, overlays) = compare(&setup(template, "hf_generation"), &sample("two-rounds"));
        overlays[strip(&comparison, Strategy::HfGeneration)].clone().unwrap().answers[0].clone()
    };
    let right = at("chatml-think");
    assert_eq!(right.start, AnswerStart::Exact);
    assert!(matches!(right.stop, AnswerStop::Supervised(_)) && right.is_right());
    assert_eq!(at("chatml-learned-header").start, AnswerStart::Early(4));
    assert!(matches!(at("chatml-late-stop").stop, AnswerStop::Masked(_)));
}

#[test]
fn findings_of_chat_templates_are_in_the_file_for_code_scanning() {
    let report = report(&setup("chatml-late-stop", "hf_generation"), &[sample("two-rounds")]);
    let file = sarif(&report, "data.json", &["two-rounds"]);
    let run = &file["runs"][0];
    let result =
        run["results"].as_array().unwrap().iter().find(|r| r["ruleId"] == "MSK036").expect("a result");
    let index = result["ruleIndex"].as_u64().unwrap() as usize;
    assert_eq!(run["tool"]["driver"]["rules"][index]["id"], "MSK036");
}

#[test]
fn a_boundary_inside_an_answer_is_found() {
    let found = finding("chatml-think", "hf_generation", "thoughts-and-tool", "MSK053");
    assert!(found.verdict <= Verdict::Ok, "{found:?}");
    // Token counts of prefixes shift the boundary into the answer.
    let found = finding("chatml-think", "oi_legacy_mask_labels", "thoughts-and-tool", "MSK053");
    assert_eq!(found.verdict, Verdict::Warn, "{found:?}");
    assert!(found.evidence[0].value.contains("tokens: "), "{found:?}");
}

#[test]
fn a_cap_that_cuts_the_answer_is_found() {
    let request = Request { model_max_length: Some(16), ..request("chatml-think", "hf_generation") };
    let setup = resolve(&tokenizer(), &request).unwrap();
    let found = report(&setup, &[sample("two-rounds")]).finding("MSK047").unwrap().clone();
    assert_eq!(found.verdict, Verdict::Error, "{found:?}");
    let fix = found.fix.expect("a longer cap was tried");
    assert_eq!(fix.effect.unwrap().repaired, 1);
}
