//! Forms and colours of the output.

use clap::ValueEnum;

/// Forms of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    Text,
    Json,
    Jsonl,
    /// Only of `frame`: text with terminal colours.
    Ansi,
    /// Of `scan`, `inspect` and `frame`: one page that needs nothing else.
    Html,
    /// Of `inspect` and `frame`: a picture whose text can be selected.
    Svg,
    /// Only of `doctor`: SARIF 2.1.0, for code-scanning tools.
    Sarif,
}

/// When text output has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    Auto,
    Always,
    Never,
}
