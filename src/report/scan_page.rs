//! The report of a scan as one page: tiles, charts, causes with the masks of their examples.

use maud::{Markup, PreEscaped, html};

use super::page::{Visible, escaped, legend, page};
use super::scan::{cut_note, delta_fit_text, fix_text, length_name, percent, rounds_name, share_name};
use crate::scan::{CauseCount, Example, Mask, ScanReport};

/// Differences of one number of rounds that are listed.
const DELTAS: usize = 6;

/// A bar of a chart: CSS class, name, count.
type Row = (String, String, u64);

/// The report as a page.
pub fn scan_page(report: &ScanReport) -> String {
    let title =
        format!("{}: {} samples under template {}", report.tokenizer, report.samples, report.template);
    let body = html! {
        h1 { (Visible(&report.tokenizer)) }
        p.quiet {
            "template " (Visible(&report.template)) " · rule " (Visible(&report.preprocess))
            " · model_max_length " (report.model_max_length) " · maskscope scan"
        }
        (tiles(report))
        div.cards {
            (charts(report))
            (delta_table(report))
            (cuts(report))
            (sources(report))
        }
        (fixes(report))
        (causes(report))
        (bad(report))
    };
    page(&title, &body)
}

fn tiles(report: &ScanReport) -> Markup {
    let lost = report.lost_samples();
    let tiles = [
        (report.samples, "samples".to_string()),
        (lost, format!("without supervised tokens, or raising ({})", percent(lost, report.samples))),
        (report.tokens, "tokens".to_string()),
        (report.supervised, format!("supervised ({})", percent(report.supervised, report.tokens))),
        (report.truncated, "truncated by the collator".to_string()),
        (report.lost, "discarded by the length check".to_string()),
        (report.bad_records, "records are no samples".to_string()),
    ];
    html! {
        div.tiles {
            @for (n, what) in &tiles {
                div.tile { b { (n) } (what) }
            }
        }
    }
}

fn section(title: &str, whole: bool, body: &Markup) -> Markup {
    html! { section.whole[whole] { h2 { (title) } (body) } }
}

fn charts(report: &ScanReport) -> Markup {
    let of = report.samples;
    let by_state = report.by_state.iter().map(|(k, n)| (k.clone(), k.clone(), *n));
    let causes = report.causes().into_iter();
    let by_cause = causes.map(|(id, cause)| (cause.verdict.clone(), id.to_string(), cause.samples));
    html! {
        (chart("by state", by_state, of))
        (chart("by cause", by_cause, of))
        (chart("by rounds", report.by_rounds.iter().map(|(k, n)| unclassed(rounds_name(*k), *n)), of))
        (chart("by length in tokens", report.by_length.iter().map(|(k, n)| unclassed(length_name(*k), *n)), of))
        (chart("by share of supervised tokens", report.by_share.iter().map(|(k, n)| unclassed(share_name(*k), *n)), of))
    }
}

fn unclassed(name: String, n: u64) -> Row {
    (String::new(), name, n)
}

/// Bars, one a row. The words are HTML and keep their size when the bars shrink.
fn chart(title: &str, rows: impl Iterator<Item = Row>, of: u64) -> Markup {
    let rows: Vec<Row> = rows.collect();
    let most = rows.iter().map(|(_, _, n)| *n).max().unwrap_or(0);
    if most == 0 {
        return Markup::default();
    }
    let width = |n: u64| if n > 0 { (n.saturating_mul(1000) / most).max(4) } else { 0 };
    let bars = html! {
        @for (class, name, n) in &rows {
            div class={ "bar " (Visible(class)) } {
                span { (Visible(name)) }
                svg viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label=(n) {
                    rect width=(width(*n)) height="10" {}
                }
                span { (n) }
                span { (percent(*n, of)) }
            }
        }
    };
    section(title, false, &bars)
}

fn delta_table(report: &ScanReport) -> Markup {
    let Some(fit) = &report.delta_law else { return Markup::default() };
    let table = html! {
        p { (Visible(&delta_fit_text(fit))) }
        div.scroll {
            table {
                tr { th { "rounds" } th.words { "Δ: samples" } }
                @for (rounds, deltas) in &report.delta_by_rounds {
                    tr { td { (rounds_name(*rounds)) } td.words { (common_deltas(deltas.iter())) } }
                }
            }
        }
    };
    section("Δ = cur_len − total_len by rounds n", false, &table)
}

/// `0: 12 · +1: 3 · 2 others`, the most common first.
fn common_deltas<'a>(deltas: impl Iterator<Item = (&'a i64, &'a u64)>) -> String {
    let mut common: Vec<(&i64, &u64)> = deltas.collect();
    common.sort_by_key(|(delta, n)| (std::cmp::Reverse(**n), **delta));
    let name = |(delta, n): &(&i64, &u64)| match **delta {
        0 => format!("0: {n}"),
        delta => format!("{delta:+}: {n}"),
    };
    let mut shown: Vec<String> = common.iter().take(DELTAS).map(name).collect();
    if common.len() > DELTAS {
        shown.push(format!("{} others", common.len() - DELTAS));
    }
    shown.join(" · ")
}

fn cuts(report: &ScanReport) -> Markup {
    if report.at_length.is_empty() {
        return Markup::default();
    }
    let heads = ["at", "samples cut", "tokens gone", "supervised tokens gone", "answers all gone"];
    let table = html! {
        div.scroll {
            table {
                tr { @for head in heads { th { (head) } } }
                @for (cut, loss) in &report.at_length {
                    tr {
                        td { (cut) } td { (loss.samples) } td { (loss.tokens) } td { (loss.supervised) }
                        td { (loss.answers_lost) }
                    }
                }
            }
        }
        p.quiet { (Visible(&cut_note(report))) }
    };
    section("effect of truncation at max_length", false, &table)
}

fn sources(report: &ScanReport) -> Markup {
    if report.by_source.is_empty() {
        return Markup::default();
    }
    let others = (report.other_sources.samples > 0).then_some(("(all others)", &report.other_sources));
    let table = html! {
        div.scroll {
            table {
                tr { th { "source" } th { "samples" } th { "lost" } th {} }
                @for (source, count) in report.worst_sources().into_iter().chain(others) {
                    tr {
                        td.words { (Visible(source)) } td { (count.samples) } td { (count.lost) }
                        td { (percent(count.lost, count.samples)) }
                    }
                }
            }
        }
    };
    section("sources that lose the most", false, &table)
}

fn fixes(report: &ScanReport) -> Markup {
    if report.fixes.is_empty() {
        return Markup::default();
    }
    let list = html! {
        p.quiet { "Tried on a random draw of samples; what they stand for is an estimate." }
        @for fix in &report.fixes {
            h3 { (Visible(&fix.summary)) }
            p { (Visible(&fix_text(fix))) }
            pre { (lines(&fix.code)) }
        }
    };
    section("what each fix would do", true, &list)
}

/// Code with its line ends; within a line all that is hidden is made visible.
fn lines(code: &str) -> Markup {
    PreEscaped(code.lines().map(escaped).collect::<Vec<_>>().join("\n"))
}

fn causes(report: &ScanReport) -> Markup {
    if report.by_cause.is_empty() {
        return Markup::default();
    }
    let list = html! {
        (legend())
        @for (n, (id, cause)) in report.causes().into_iter().enumerate() {
            details open[n == 0] {
                summary {
                    b { (Visible(id)) } " "
                    span class=(Visible(&cause.verdict)) { (Visible(&cause.verdict)) }
                    " " (Visible(&cause.title)) " · " (percent(cause.samples, report.samples))
                    " of all samples: " (cause.samples)
                }
                (examples(cause))
            }
        }
    };
    section("by cause", true, &list)
}

fn examples(cause: &CauseCount) -> Markup {
    let (shown, named): (Vec<&Example>, Vec<&Example>) =
        cause.examples.iter().partition(|e| e.mask.is_some());
    let named: Vec<String> = named.iter().map(|e| format!("{} ({})", e.id, e.place())).collect();
    html! {
        @for example in shown {
            h3 { (Visible(&example.id)) " " span.quiet { (Visible(&example.place())) } }
            @if let Some(mask) = &example.mask { (tokens(mask)) }
        }
        @if !named.is_empty() {
            p.quiet { "further: " (Visible(&named.join(", "))) }
        }
    }
}

fn tokens(mask: &Mask) -> Markup {
    let half = mask.stretches.iter().map(|s| s.tokens.len()).sum::<usize>() / 2;
    let mut written = 0;
    let stretches = mask.stretches.iter().map(|stretch| {
        let begins_at = written;
        written += stretch.tokens.len();
        (stretch, mask.left_out > 0 && begins_at == half)
    });
    html! {
        p { (Visible(&mask.summary)) }
        div.tokens {
            @for (stretch, after_gap) in stretches {
                @if after_gap { span.quiet { " ⋯ " (mask.left_out) " tokens ⋯ " } }
                @for token in &stretch.tokens {
                    span class={ "t " (stretch.label.name()) } { (Visible(token)) }
                    wbr;
                }
            }
        }
    }
}

fn bad(report: &ScanReport) -> Markup {
    if report.bad.is_empty() {
        return Markup::default();
    }
    let list = html! {
        @for bad in &report.bad {
            p { (Visible(&format!("{} (byte {}): {}", bad.place(), bad.byte, bad.message))) }
        }
    };
    section("records that are no samples, the first", true, &list)
}
