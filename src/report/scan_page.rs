//! The report of a scan as one page: tiles, charts, causes with the masks of their examples.

use std::fmt::Write;

use super::page::{LEGEND, escaped, page};
use super::scan::{cut_note, fix_text, law_text, length_name, percent, rounds_name, share_name};
use crate::scan::{CauseCount, Example, Mask, Report};

/// Differences of one number of rounds that are listed.
const DELTAS: usize = 6;

/// The report as a page.
pub fn scan_page(report: &Report) -> String {
    let title =
        format!("{}: {} samples under template {}", report.tokenizer, report.samples, report.template);
    let sections = [
        heading(report),
        tiles(report),
        "<div class=\"cards\">\n".to_string(),
        chart("by state", report.by_state.iter().map(|(k, n)| (k.clone(), k.clone(), *n)), report.samples),
        chart(
            "by cause",
            report
                .causes()
                .into_iter()
                .map(|(id, cause)| (cause.verdict.clone(), id.to_string(), cause.samples)),
            report.samples,
        ),
        chart(
            "by rounds",
            plain(report.by_rounds.iter().map(|(k, n)| (rounds_name(*k), *n))),
            report.samples,
        ),
        chart(
            "by length in tokens",
            plain(report.by_length.iter().map(|(k, n)| (length_name(*k), *n))),
            report.samples,
        ),
        chart(
            "by share of learned tokens",
            plain(report.by_share.iter().map(|(k, n)| (share_name(*k), *n))),
            report.samples,
        ),
        law(report),
        cuts(report),
        sources(report),
        "</div>\n".to_string(),
        fixes(report),
        causes(report),
        bad(report),
    ];
    page(&title, &sections.concat())
}

fn plain(rows: impl Iterator<Item = (String, u64)>) -> impl Iterator<Item = (String, String, u64)> {
    rows.map(|(name, n)| (String::new(), name, n))
}

fn heading(report: &Report) -> String {
    format!(
        "<h1>{}</h1>\n<p class=\"quiet\">template {} · rule {} · model_max_length {} · maskscope scan</p>\n",
        escaped(&report.tokenizer),
        escaped(&report.template),
        escaped(&report.preprocess),
        report.model_max_length
    )
}

fn tiles(report: &Report) -> String {
    let lost = report.lost_samples();
    let tiles = [
        (report.samples.to_string(), "samples".to_string()),
        (lost.to_string(), format!("train on nothing or are replaced ({})", percent(lost, report.samples))),
        (report.tokens.to_string(), "tokens".to_string()),
        (report.supervised.to_string(), format!("learned ({})", percent(report.supervised, report.tokens))),
        (report.lost.to_string(), "thrown away by the length check".to_string()),
        (report.bad_records.to_string(), "records are no samples".to_string()),
    ];
    let tile =
        |(n, what): &(String, String)| format!("<div class=\"tile\"><b>{n}</b>{}</div>\n", escaped(what));
    format!("<div class=\"tiles\">\n{}</div>\n", tiles.iter().map(tile).collect::<String>())
}

fn section(title: &str, body: &str) -> String {
    format!("<section>\n<h2>{}</h2>\n{body}</section>\n", escaped(title))
}

fn whole_section(title: &str, body: &str) -> String {
    format!("<section class=\"whole\">\n<h2>{}</h2>\n{body}</section>\n", escaped(title))
}

/// Bars, one a row: class, name, count. The words are HTML and keep their size when the bars shrink.
fn chart(title: &str, rows: impl Iterator<Item = (String, String, u64)>, of: u64) -> String {
    let rows: Vec<(String, String, u64)> = rows.collect();
    let most = rows.iter().map(|(_, _, n)| *n).max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let mut body = String::new();
    for (class, name, n) in rows {
        let share = n.saturating_mul(1000) / most;
        // Writing to a String cannot fail.
        let _ = writeln!(
            body,
            "<div class=\"bar {}\"><span>{}</span><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" role=\"img\" \
             aria-label=\"{n}\"><rect width=\"{}\" height=\"10\"/></svg><span>{n}</span><span>{}</span></div>",
            escaped(&class),
            escaped(&name),
            if n > 0 { share.max(4) } else { 0 },
            percent(n, of)
        );
    }
    section(title, &body)
}

fn law(report: &Report) -> String {
    let Some(law) = &report.delta_law else { return String::new() };
    let mut body = format!("<p>{}</p>\n<div class=\"scroll\"><table>\n", escaped(&law_text(law)));
    body += "<tr><th>rounds</th><th class=\"words\">Δ: samples</th></tr>\n";
    for (rounds, deltas) in &report.delta_by_rounds {
        let mut common: Vec<(&i64, &u64)> = deltas.iter().collect();
        common.sort_by_key(|(delta, n)| (std::cmp::Reverse(**n), **delta));
        let shown = common
            .iter()
            .take(DELTAS)
            .map(|(delta, n)| if **delta == 0 { format!("0: {n}") } else { format!("{delta:+}: {n}") });
        let mut shown: Vec<String> = shown.collect();
        if common.len() > DELTAS {
            shown.push(format!("{} others", common.len() - DELTAS));
        }
        let _ = writeln!(
            body,
            "<tr><td>{}</td><td class=\"words\">{}</td></tr>",
            rounds_name(*rounds),
            escaped(&shown.join(" · "))
        );
    }
    body += "</table></div>\n";
    section("Δ = cur_len − total_len by rounds n", &body)
}

fn cuts(report: &Report) -> String {
    if report.at_length.is_empty() {
        return String::new();
    }
    let mut body = "<div class=\"scroll\"><table>\n<tr><th>at</th><th>samples cut</th><th>tokens gone</th><th>learned tokens \
                    gone</th><th>answers all gone</th></tr>\n"
        .to_string();
    for (cut, loss) in &report.at_length {
        let _ = writeln!(
            body,
            "<tr><td>{cut}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            loss.samples, loss.tokens, loss.supervised, loss.answers_lost
        );
    }
    let _ = writeln!(body, "</table></div>\n<p class=\"quiet\">{}</p>", escaped(&cut_note(report)));
    section("what a cut takes", &body)
}

fn sources(report: &Report) -> String {
    if report.by_source.is_empty() {
        return String::new();
    }
    let mut body =
        "<div class=\"scroll\"><table>\n<tr><th>source</th><th>samples</th><th>lost</th><th></th></tr>\n"
            .to_string();
    let others = (report.other_sources.samples > 0).then_some(("(all others)", &report.other_sources));
    for (source, count) in report.worst_sources().into_iter().chain(others) {
        let _ = writeln!(
            body,
            "<tr><td class=\"words\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(source),
            count.samples,
            count.lost,
            percent(count.lost, count.samples)
        );
    }
    body += "</table></div>\n";
    section("sources that lose the most", &body)
}

fn fixes(report: &Report) -> String {
    if report.fixes.is_empty() {
        return String::new();
    }
    let mut body =
        "<p class=\"quiet\">Tried on samples drawn by lot; what they stand for is an estimate.</p>\n"
            .to_string();
    for fix in &report.fixes {
        let lines: Vec<String> = fix.code.lines().map(escaped).collect();
        let _ = writeln!(
            body,
            "<h3>{}</h3>\n<p>{}</p>\n<pre>{}</pre>",
            escaped(&fix.summary),
            escaped(&fix_text(fix)),
            lines.join("\n")
        );
    }
    whole_section("what each fix would do", &body)
}

fn causes(report: &Report) -> String {
    if report.by_cause.is_empty() {
        return String::new();
    }
    let mut body = LEGEND.to_string();
    for (n, (id, cause)) in report.causes().into_iter().enumerate() {
        let open = if n == 0 { " open" } else { "" };
        let _ = writeln!(
            body,
            "<details{open}><summary><b>{}</b> <span class=\"{}\">{}</span> {} · {} of all samples: {}</summary>\n{}</details>",
            escaped(id),
            escaped(&cause.verdict),
            escaped(&cause.verdict),
            escaped(&cause.title),
            percent(cause.samples, report.samples),
            cause.samples,
            examples(cause)
        );
    }
    whole_section("by cause", &body)
}

fn examples(cause: &CauseCount) -> String {
    let (shown, named): (Vec<&Example>, Vec<&Example>) =
        cause.examples.iter().partition(|e| e.mask.is_some());
    let mut out = String::new();
    for example in shown {
        let _ = writeln!(
            out,
            "<h3>{} <span class=\"quiet\">{}</span></h3>",
            escaped(&example.id),
            escaped(&example.place())
        );
        if let Some(mask) = &example.mask {
            out += &mask_html(mask);
        }
    }
    if !named.is_empty() {
        let places: Vec<String> =
            named.iter().map(|e| escaped(&format!("{} ({})", e.id, e.place()))).collect();
        let _ = writeln!(out, "<p class=\"quiet\">further: {}</p>", places.join(", "));
    }
    out
}

fn mask_html(mask: &Mask) -> String {
    let mut out = format!("<p>{}</p>\n<div class=\"tokens\">", escaped(&mask.summary));
    let half = mask.stretches.iter().map(|s| s.tokens.len()).sum::<usize>() / 2;
    let mut written = 0;
    for stretch in &mask.stretches {
        if mask.left_out > 0 && written == half {
            let _ = write!(out, "<span class=\"quiet\"> ⋯ {} tokens ⋯ </span>", mask.left_out);
        }
        for token in &stretch.tokens {
            let _ = write!(out, "<span class=\"t {}\">{}</span><wbr>", stretch.look.name(), escaped(token));
        }
        written += stretch.tokens.len();
    }
    out + "</div>\n"
}

fn bad(report: &Report) -> String {
    if report.bad.is_empty() {
        return String::new();
    }
    let row = |bad: &crate::scan::BadRecord| {
        let place = format!("{} (byte {}): {}", bad.place(), bad.byte, bad.message);
        format!("<p>{}</p>\n", escaped(&place))
    };
    whole_section("records that are no samples, the first", &report.bad.iter().map(row).collect::<String>())
}
