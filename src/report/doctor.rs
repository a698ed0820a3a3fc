//! The doctor's report as text: verdict, evidence, cause and fix of each check, then what was not checked.

use std::io::Write;

use super::Paint;
use super::onboard::effect_text;
use super::paint::PaintMeaning;
use super::sample::summary_line;
use crate::diagnose::{DoctorReport, Finding, Fix, Verdict};
use crate::text;

/// Sample ids listed with a finding before they are only counted.
const SHOWN_SAMPLES: usize = 8;

/// Writes a report. `ids` are the samples' ids; checks that found nothing are one line at the end unless `all`.
pub fn doctor_text(
    out: &mut dyn Write,
    report: &DoctorReport,
    ids: &[String],
    all: bool,
    paint: Paint,
) -> std::io::Result<()> {
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by_key(|f| std::cmp::Reverse(f.verdict));
    let shown = |f: &&&Finding| all || f.verdict > Verdict::Ok;
    for finding in findings.iter().filter(shown) {
        finding_text(out, finding, &|index| ids.get(index).cloned(), paint)?;
    }
    writeln!(out, "{}", verdicts_line(&report.findings))?;
    writeln!(out, "{}", summary_line(&report.by_state))?;
    for line in &report.not_checked {
        writeln!(out, "not checked: {}", text::plain(line))?;
    }
    Ok(())
}

/// Writes a finding; `name` is what a sample is called.
pub(super) fn finding_text(
    out: &mut dyn Write,
    finding: &Finding,
    name: &dyn Fn(usize) -> Option<String>,
    paint: Paint,
) -> std::io::Result<()> {
    let meaning = match finding.verdict {
        Verdict::Error | Verdict::Warn => PaintMeaning::Bad,
        Verdict::Note => PaintMeaning::Heading,
        Verdict::Ok => PaintMeaning::Good,
        Verdict::Skipped => PaintMeaning::Masked,
    };
    let mark = finding.verdict.symbol();
    let title = format!("{mark} {} {:<7} {}", finding.id, finding.verdict.name(), finding.title);
    writeln!(out, "{}", paint.paint(&text::plain(&title), meaning, false))?;
    writeln!(out, "    cause     {}", text::plain(&finding.cause))?;
    for evidence in &finding.evidence {
        writeln!(out, "    evidence  {}: {}", text::plain(&evidence.what), text::plain(&evidence.value))?;
    }
    if !finding.samples.is_empty() {
        let named =
            finding.samples.iter().take(SHOWN_SAMPLES).filter_map(|i| name(*i)).map(|id| text::plain(&id));
        let more = finding.samples.len().saturating_sub(SHOWN_SAMPLES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        writeln!(out, "    samples   {}{more}", named.collect::<Vec<_>>().join(", "))?;
    }
    if let Some(fix) = &finding.fix {
        fix_text(out, fix, paint)?;
    }
    writeln!(out)
}

/// Writes a fix: what it is, what it did when it was tried, and what to paste.
pub fn fix_text(out: &mut dyn Write, fix: &Fix, paint: Paint) -> std::io::Result<()> {
    writeln!(out, "    fix       {}", paint.paint(&text::plain(&fix.summary), PaintMeaning::Good, false))?;
    if let Some(effect) = effect_text(fix) {
        writeln!(out, "    tried on  {effect}")?;
    }
    for line in fix.code.lines() {
        writeln!(out, "              {}", text::plain(line))?;
    }
    Ok(())
}

/// `40 checks: 1 error, 2 warn, 0 note, 30 ok, 7 skipped`.
pub fn verdicts_line(findings: &[Finding]) -> String {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    format!(
        "{} checks: {} error, {} warn, {} note, {} ok, {} skipped",
        findings.len(),
        count(Verdict::Error),
        count(Verdict::Warn),
        count(Verdict::Note),
        count(Verdict::Ok),
        count(Verdict::Skipped)
    )
}
