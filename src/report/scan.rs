//! The report of a scan as lines with small bars.

use crate::diagnose::DataDeltaFit;
use crate::scan::{FixEffect, MOST_ROUNDS, ScanReport};
use crate::text;

/// Cells of a full bar.
const BAR: usize = 30;

/// The report as lines of text.
pub fn scan_lines(report: &ScanReport) -> Vec<String> {
    let mut lines = head(report);
    chart(&mut lines, "by state", report.by_state.iter().map(|(k, n)| (k.clone(), *n)), report.samples);
    causes(&mut lines, report);
    chart(
        &mut lines,
        "by rounds",
        report.by_rounds.iter().map(|(k, n)| (rounds_name(*k), *n)),
        report.samples,
    );
    delta_fit(&mut lines, report);
    chart(
        &mut lines,
        "by length in tokens",
        report.by_length.iter().map(|(k, n)| (length_name(*k), *n)),
        report.samples,
    );
    chart(
        &mut lines,
        "by share of supervised tokens",
        report.by_share.iter().map(|(k, n)| (share_name(*k), *n)),
        report.samples,
    );
    cuts(&mut lines, report);
    fixes(&mut lines, report);
    sources(&mut lines, report);
    if !report.bad.is_empty() {
        titled(&mut lines, "records that are no samples, the first");
        for bad in &report.bad {
            lines.push(format!("  {} (byte {}): {}", bad.place(), bad.byte, bad.message));
        }
    }
    lines.iter().map(|line| text::plain(line)).collect()
}

fn head(report: &ScanReport) -> Vec<String> {
    vec![
        format!(
            "{} · template {} · rule {} · model_max_length {}",
            report.tokenizer, report.template, report.preprocess, report.model_max_length
        ),
        format!(
            "{} samples, {} without supervised tokens or raising · {} records are no samples",
            report.samples,
            report.lost_samples(),
            report.bad_records
        ),
        format!(
            "{} tokens, {} supervised ({}), {} truncated by the collator, {} discarded by the length check",
            report.tokens,
            report.supervised,
            percent(report.supervised, report.tokens),
            report.truncated,
            report.lost
        ),
    ]
}

fn titled(lines: &mut Vec<String>, title: &str) {
    lines.extend([String::new(), title.to_string()]);
}

fn causes(lines: &mut Vec<String>, report: &ScanReport) {
    if report.by_cause.is_empty() {
        return;
    }
    titled(lines, "by cause");
    for (id, cause) in report.causes() {
        lines.push(format!(
            "  {id} {:<6}{:>9} {:>6}  {}",
            cause.verdict,
            cause.samples,
            percent(cause.samples, report.samples),
            cause.title
        ));
        if let Some(example) = cause.examples.first() {
            lines.push(format!("         such as {} {}", example.place(), example.id));
        }
    }
}

fn delta_fit(lines: &mut Vec<String>, report: &ScanReport) {
    let Some(delta_fit) = &report.delta_law else { return };
    titled(lines, "Δ = cur_len - total_len by rounds n");
    lines.push(format!("  {}", delta_fit_text(delta_fit)));
}

/// The line and how many samples it holds for.
pub fn delta_fit_text(delta_fit: &DataDeltaFit) -> String {
    let DataDeltaFit { line, on_line, samples } = delta_fit;
    let holds = format!("{on_line} of {samples} samples ({})", percent(*on_line, *samples));
    match (line.intercept, line.slope) {
        (0, 0) => format!("lengths agree (Δ = 0) in {holds}"),
        _ => format!("{} in {holds}", line.formula()),
    }
}

fn cuts(lines: &mut Vec<String>, report: &ScanReport) {
    if report.at_length.is_empty() {
        return;
    }
    titled(
        lines,
        "effect of truncation at max_length: samples, tokens, supervised tokens, samples whose answers are all gone",
    );
    for (cut, loss) in &report.at_length {
        lines.push(format!(
            "  {cut:>6}  {:>9} {:>12} {:>12} {:>9}",
            loss.samples, loss.tokens, loss.supervised, loss.answers_lost
        ));
    }
    lines.push(format!("  {}", cut_note(report)));
}

/// What the table of cuts cannot see.
pub fn cut_note(report: &ScanReport) -> String {
    let most = report.model_max_length;
    format!(
        "an image is one token here; text is cut at {most} already by a LLaVA rule: a larger --model-max-length shows what lies behind"
    )
}

fn fixes(lines: &mut Vec<String>, report: &ScanReport) {
    if report.fixes.is_empty() {
        return;
    }
    titled(lines, "what each fix would do, tried on a random draw of samples");
    for fix in &report.fixes {
        lines.push(format!("  {}: {}", fix.summary, fix_text(fix)));
    }
}

/// What a fix did to the drawn samples, and about how many of all lost ones that is.
pub fn fix_text(fix: &FixEffect) -> String {
    let in_all = match fix.repaired_estimate {
        exact if exact == fix.repaired => String::new(),
        estimate => format!(" (about {estimate} in all)"),
    };
    format!(
        "repairs {} of {} lost{in_all}, breaks {} of {} sound; supervised tokens {} → {}",
        fix.repaired,
        fix.lost_tried,
        fix.broken,
        fix.sound_tried,
        fix.supervised_before,
        fix.supervised_after
    )
}

fn sources(lines: &mut Vec<String>, report: &ScanReport) {
    if report.by_source.is_empty() {
        return;
    }
    titled(lines, "sources that lose the most");
    let others = (report.other_sources.samples > 0).then_some(("(all others)", &report.other_sources));
    for (source, count) in report.worst_sources().into_iter().chain(others) {
        let share = percent(count.lost, count.samples);
        lines.push(format!("  {:>9} of {:>9} {share:>6}  {source}", count.lost, count.samples));
    }
}

/// `3`, or `256+` where larger numbers are counted together.
pub fn rounds_name(rounds: u64) -> String {
    if rounds >= MOST_ROUNDS { format!("{rounds}+") } else { rounds.to_string() }
}

/// `64–127` for the bucket that begins at 64.
pub fn length_name(start: u64) -> String {
    match start {
        0 | 1 => start.to_string(),
        start => format!("{start}–{}", start * 2 - 1),
    }
}

/// `20–30 %` for the third tenth.
pub fn share_name(tenth: u64) -> String {
    if tenth >= 10 { "all".to_string() } else { format!("{}–{} %", tenth * 10, tenth * 10 + 10) }
}

fn chart(lines: &mut Vec<String>, title: &str, rows: impl Iterator<Item = (String, u64)>, of: u64) {
    let rows: Vec<(String, u64)> = rows.collect();
    if rows.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(title.to_string());
    let wide = rows.iter().map(|(name, _)| text::width(name)).max().unwrap_or(0);
    let most = rows.iter().map(|(_, n)| *n).max().unwrap_or(1).max(1);
    for (name, count) in rows {
        let cells = usize::try_from(count.saturating_mul(BAR as u64) / most).unwrap_or(0);
        let bar = "█".repeat(if count > 0 { cells.max(1) } else { 0 });
        let pad = " ".repeat(wide - text::width(&name));
        lines.push(format!("  {name}{pad}  {count:>9} {:>6}  {bar}", percent(count, of)));
    }
}

/// `12.3%` in whole arithmetic, so that every machine prints the same.
pub fn percent(part: u64, of: u64) -> String {
    match part.saturating_mul(1000).checked_div(of) {
        // A few are not none, and most are not all.
        Some(0) if part > 0 => "<0.1%".to_string(),
        Some(1000) if part < of => ">99.9%".to_string(),
        Some(thousandths) => format!("{}.{}%", thousandths / 10, thousandths % 10),
        None => "–".to_string(),
    }
}
