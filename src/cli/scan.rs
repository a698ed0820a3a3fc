//! Arguments of `scan`, and what its shares, shards and state file mean.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::error::{Error, Result};
use crate::scan::ScanMode;

/// Arguments of `scan`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ScanArguments {
    #[command(subcommand)]
    pub command: Option<ScanCommand>,
    /// Files (JSON array or lines, also .gz and .zst, or Parquet), folders, patterns, or - for standard input
    /// [default: --data].
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Key of a record whose values are counted one by one.
    #[arg(long, value_name = "KEY")]
    pub source_key: Option<String>,
    /// Write the ids of samples without supervised tokens, and of those that raise, one a line.
    #[arg(long, value_name = "FILE")]
    pub bad_ids: Option<PathBuf>,
    /// Write the records that have supervised tokens, one a line.
    #[arg(long, value_name = "FILE")]
    pub write_good: Option<PathBuf>,
    /// Write the other records, one a line.
    #[arg(long, value_name = "FILE")]
    pub write_bad: Option<PathBuf>,
    /// Take every n-th record only, beginning with the i-th: i/n.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
    /// Read standard input; the same as the file -.
    #[arg(long)]
    pub stdin: bool,
    /// Every line is a record, so that a bracket left open spoils its own line only.
    #[arg(long)]
    pub jsonl: bool,
    /// Keep the state of the scan in this file [default: the first output with .state behind its name].
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
    /// Go on from the state that a scan with the same options left when it was killed or stopped; begin where there is
    /// none.
    #[arg(long)]
    pub resume: bool,
    /// Seconds between two writings of the state.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    pub state_every: f64,
    /// Label this share of the samples in full as well as the quick mode, and fail on one difference: 5%, or 100% for all
    /// [default: one sample in 4096].
    #[arg(long, value_name = "PERCENT")]
    pub verify: Option<String>,
    /// Label every sample in full: the same report, in some fifty times the time.
    #[arg(long, conflicts_with = "verify")]
    pub reference: bool,
    /// Records that are worked on at once: enough for all cores, little enough to keep memory flat.
    #[arg(long, hide = true, default_value_t = 2048)]
    pub batch: usize,
}

/// What else `scan` can do.
#[derive(Debug, Clone, Subcommand)]
pub enum ScanCommand {
    /// Reports of shards (scan --format json) as the report of the whole.
    Merge {
        #[arg(value_name = "REPORT", required = true)]
        reports: Vec<PathBuf>,
    },
}

impl ScanArguments {
    /// Where the state is kept; nowhere without an output and without `--state`.
    ///
    /// # Errors
    /// `--resume` where no state was ever kept.
    pub fn state_file(&self) -> Result<Option<PathBuf>> {
        let output = [&self.bad_ids, &self.write_good, &self.write_bad].into_iter().flatten().next();
        let beside = output.map(|path| {
            let mut name = path.as_os_str().to_os_string();
            name.push(".state");
            PathBuf::from(name)
        });
        match self.state.clone().or(beside) {
            None if self.resume => Err(Error::Usage(
                "--resume needs the file that the state is kept in: --state FILE, or an output such as --bad-ids FILE"
                    .to_string(),
            )),
            file => Ok(file),
        }
    }

    /// How samples are labelled.
    ///
    /// # Errors
    /// A share that is none.
    pub fn mode(&self) -> Result<ScanMode> {
        let Some(text) = &self.verify else {
            return Ok(if self.reference { ScanMode::Reference } else { ScanMode::default() });
        };
        let percent = text.trim_end_matches('%').trim().parse::<f64>().ok();
        match percent.filter(|p| (0.0..=100.0).contains(p)) {
            Some(percent) => Ok(ScanMode::Quick { verify: percent / 100.0 }),
            None => {
                Err(Error::Usage(format!("--verify {text}: expected a share from 0% to 100%, such as 5%")))
            }
        }
    }

    /// Which part of the records, from 1, and of how many.
    ///
    /// # Errors
    /// Anything but `i/n` with i from 1 to n.
    pub fn shard(&self) -> Result<(u64, u64)> {
        let Some(text) = &self.shard else { return Ok((1, 1)) };
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        parts
            .filter(|(i, n): &(u64, u64)| (1..=*n).contains(i))
            .ok_or_else(|| Error::Usage(format!("--shard {text}: expected I/N, such as 1/4")))
    }
}
