//! The report of a scan as lines with small bars.

use crate::scan::Report;
use crate::text;

/// Cells of a full bar.
const BAR: usize = 30;

/// The report as lines of text.
pub fn scan_lines(report: &Report) -> Vec<String> {
    let mut lines =
        vec![format!("{} · template {} · rule {}", report.tokenizer, report.template, report.preprocess)];
    lines.push(format!(
        "{} samples, {} train on nothing or are replaced · {} records are no samples",
        report.samples,
        report.lost_samples(),
        report.bad_records
    ));
    lines.push(format!(
        "{} tokens, {} learned ({}), {} thrown away by the length check",
        report.tokens,
        report.supervised,
        percent(report.supervised, report.tokens),
        report.lost
    ));
    chart(&mut lines, "by state", report.by_state.iter().map(|(k, n)| (k.clone(), *n)), report.samples);
    if !report.by_cause.is_empty() {
        lines.push(String::new());
        lines.push("by cause".to_string());
        let mut causes: Vec<_> = report.by_cause.iter().collect();
        causes.sort_by_key(|(id, cause)| (std::cmp::Reverse(cause.samples), id.as_str()));
        for (id, cause) in causes {
            lines.push(format!(
                "  {id} {:<6}{:>9} {:>6}  {}",
                cause.verdict,
                cause.samples,
                percent(cause.samples, report.samples),
                cause.title
            ));
            if let Some(example) = cause.examples.first() {
                lines.push(format!("         such as {}:{} {}", example.file, example.line, example.id));
            }
        }
    }
    chart(&mut lines, "by rounds", report.by_rounds.iter().map(|(k, n)| (k.to_string(), *n)), report.samples);
    let length = |start: u64| match start {
        0 => "0".to_string(),
        start => format!("{start}–{}", start * 2 - 1),
    };
    chart(
        &mut lines,
        "by length in tokens",
        report.by_length.iter().map(|(k, n)| (length(*k), *n)),
        report.samples,
    );
    let share = |tenth: u64| {
        if tenth >= 10 { "all".to_string() } else { format!("{}–{} %", tenth * 10, tenth * 10 + 10) }
    };
    chart(
        &mut lines,
        "by share of learned tokens",
        report.by_share.iter().map(|(k, n)| (share(*k), *n)),
        report.samples,
    );
    if report.beyond_length.values().any(|n| *n > 0) {
        lines.push(String::new());
        lines.push("tokens beyond a model_max_length of".to_string());
        for (cut, tokens) in &report.beyond_length {
            lines.push(format!("  {cut:>6}  {tokens:>12} {:>6}", percent(*tokens, report.tokens)));
        }
    }
    if !report.by_source.is_empty() {
        lines.push(String::new());
        lines.push("sources that lose the most".to_string());
        for (source, count) in report.worst_sources() {
            lines.push(format!(
                "  {:>9} of {:>9} {:>6}  {source}",
                count.lost,
                count.samples,
                percent(count.lost, count.samples)
            ));
        }
    }
    if !report.bad.is_empty() {
        lines.push(String::new());
        lines.push("records that are no samples, the first".to_string());
        for bad in &report.bad {
            lines.push(format!("  {}:{} (byte {}): {}", bad.file, bad.line, bad.byte, bad.message));
        }
    }
    lines.iter().map(|line| text::plain(line)).collect()
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
fn percent(part: u64, of: u64) -> String {
    match part.saturating_mul(1000).checked_div(of) {
        Some(thousandths) => format!("{}.{}%", thousandths / 10, thousandths % 10),
        None => "–".to_string(),
    }
}
