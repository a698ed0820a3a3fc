//! Findings as SARIF 2.1.0, for the code-scanning views of CI services.
//!
//! Source of the format: OASIS, Static Analysis Results Interchange Format 2.1.0. `error`, `warning` and `note`
//! are its levels; checks that passed or were skipped become no result, skipped ones a notification.

use serde_json::{Value, json};

use super::finding::{DoctorReport, Finding, Verdict};

/// One SARIF document. `artifact` is the data file as the user gave it; `sample_ids[i]` names sample `i`.
///
/// Texts are kept as they are: JSON escapes control characters.
pub fn sarif(report: &DoctorReport, artifact: &str, sample_ids: &[&str]) -> Value {
    // A report has a finding for each check, in their order.
    let findings = &report.findings;
    let rule = |finding: &Finding| json!({"id": finding.id, "shortDescription": {"text": finding.title}});
    let rules: Vec<Value> = findings.iter().map(rule).collect();
    let results: Vec<Value> = findings
        .iter()
        .enumerate()
        .filter_map(|(rule, finding)| result(rule, finding, artifact, sample_ids))
        .collect();
    let skipped: Vec<Value> = report
        .findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Skipped)
        .map(|finding| {
            json!({"level": "note", "descriptor": {"id": finding.id}, "message": {"text": format!("skipped: {}", finding.cause)}})
        })
        .chain(report.not_checked.iter().map(|what| json!({"level": "note", "message": {"text": format!("not checked: {what}")}})))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "results": results,
            "invocations": [{"executionSuccessful": true, "toolExecutionNotifications": skipped}],
        }],
    })
}

fn result(rule: usize, finding: &Finding, artifact: &str, sample_ids: &[&str]) -> Option<Value> {
    let level = match finding.verdict {
        Verdict::Error => "error",
        Verdict::Warn => "warning",
        Verdict::Note => "note",
        Verdict::Ok | Verdict::Skipped => return None,
    };
    let names: Vec<&str> = finding.samples.iter().filter_map(|i| sample_ids.get(*i).copied()).collect();
    let evidence: Vec<String> = finding.evidence.iter().map(|e| format!("{}: {}", e.what, e.value)).collect();
    let mut text = format!("{}: {}", finding.title, finding.cause);
    if !evidence.is_empty() {
        text += &format!(" ({})", evidence.join("; "));
    }
    if let Some(fix) = &finding.fix {
        text += &format!(". Fix: {}", fix.summary);
    }
    Some(json!({
        "ruleId": finding.id,
        "ruleIndex": rule,
        "level": level,
        "message": {"text": text},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": artifact}}}],
        "partialFingerprints": {"maskscope/rule": finding.id},
        "properties": {"samples": names, "fix": finding.fix.as_ref().map(|fix| fix.code.clone())},
    }))
}
