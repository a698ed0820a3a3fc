//! Conversations per CPU-second of a whole scan: reading, rendering, labelling, counting. Nothing is asserted.
//!
//! ```text
//! cargo bench --bench scan -- FILE TOKENIZER…      such as golden/bench/bench_5000.json.gz sample:phi-2
//! ```
//!
//! The file is read again and again until it gave enough records. A tokenizer is whatever `--tokenizer` takes; `,fast`
//! behind it chooses the fast class. RAYON_NUM_THREADS sets the number of cores. The time that the tokenizer takes to
//! load and to be probed is given by itself.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use maskscope::data::{RecordSource, Records};
use maskscope::scan::{ScanMode, Scanner};
use maskscope::setup::{Request, load_tokenizer, resolve};
use maskscope::tokenizer::{LoadOptions, Loader};

/// Records of a batch.
const BATCH: usize = 4096;
/// Records of one measurement.
const RECORDS: u64 = 100_000;
/// Records of one measurement of the reference way.
const FEW: u64 = 2_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let Some((file, tokenizers)) = arguments.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        println!("usage: cargo bench --bench scan -- FILE TOKENIZER…");
        return;
    };
    let cores = rayon::current_num_threads();
    println!("{cores} thread(s); conversations per CPU-second, and per second, of {RECORDS} from {file}");
    for spec in tokenizers {
        if let Err(error) = measure(file, spec) {
            println!("{spec}: {error}");
        }
    }
}

fn measure(file: &str, spec: &str) -> maskscope::Result<()> {
    let (tokenizer, loader) = match spec.strip_suffix(",fast") {
        Some(tokenizer) => (tokenizer, Some(Loader::Fast)),
        None => (spec, None),
    };
    let load = LoadOptions { loader, ..LoadOptions::default() };
    let request = Request { tokenizer: tokenizer.to_string(), load, ..Request::default() };
    let mut watch = |_| std::ops::ControlFlow::Continue(());
    let base = load_tokenizer(&request, &mut watch)?;
    let setup = Arc::new(resolve(&base, &request)?);
    let begun = Instant::now();
    let scanner = Scanner::new(setup.clone(), None, None);
    let probed = begun.elapsed();
    println!(
        "{spec}: template {}, rule {}, class {}",
        setup.template_name(),
        setup.rule_name(),
        setup.tokenizer.facts.name
    );
    if let Some(reason) = scanner.slow_because() {
        println!("  no quick way: {reason}");
    }
    report("scan", file, &scanner, RECORDS)?;
    report("scan, every sample in full", file, &scanner.with_mode(ScanMode::Reference), FEW)?;
    println!("  probing the quick way took {} ms", probed.as_millis());
    Ok(())
}

fn report(what: &str, file: &str, scanner: &Scanner, most: u64) -> maskscope::Result<()> {
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let mut whole = scanner.empty();
    while whole.samples < most {
        let records = Records::open(&RecordSource::File(PathBuf::from(file)))?;
        let left = usize::try_from(most - whole.samples).unwrap_or(0);
        whole.merge(scanner.scan_all(records.take(left), BATCH)?)?;
    }
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let rate = |seconds: f64| whole.samples as f64 / seconds;
    println!(
        "  {what}: {:.0} per CPU-second, {:.0} per second ({} samples, {} ids, {} learned, {:?})",
        rate(cpu),
        rate(wall),
        whole.samples,
        whole.tokens,
        whole.supervised,
        whole.by_state
    );
    Ok(())
}

/// User and system time of this process: fields 14 and 15 of its stat line, in hundredths of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}
