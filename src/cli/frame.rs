//! Arguments of `frame`: which screen, how large, after which keys.

use clap::Args;

use crate::error::{Error, Result};

/// Arguments of `frame`.
#[derive(Debug, Clone, Args)]
pub struct FrameArguments {
    /// Screen, by its name in the tabs: labels, lengths, special, prompt, samples, doctor, onboard, experts, compare, scan,
    /// strategies, code or tokens.
    #[arg(long, default_value = "labels", value_name = "NAME")]
    pub screen: String,
    /// Columns x rows.
    #[arg(long, default_value = "120x40", value_name = "WxH")]
    pub size: String,
    /// What a trainer fed, for screen tokens.
    #[arg(long, value_name = "FILE")]
    pub dump: Option<std::path::PathBuf>,
    /// Keys pressed before the frame is taken, with spaces between: "n n enter o".
    #[arg(long, default_value = "", value_name = "KEYS")]
    pub keys: String,
}

impl FrameArguments {
    /// Columns and rows.
    ///
    /// # Errors
    /// A size that is not two numbers from 1 to 500.
    pub fn dimensions(&self) -> Result<(u16, u16)> {
        let number = |text: &str| text.parse().ok().filter(|n| (1..=500).contains(n));
        let parts = self.size.split_once(['x', 'X']);
        parts.and_then(|(w, h)| Some((number(w)?, number(h)?))).ok_or_else(|| {
            Error::Usage(format!("--size {}: expected WIDTHxHEIGHT, each 1 to 500", self.size))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_checked() {
        let frame = |size: &str| FrameArguments {
            screen: "labels".into(),
            size: size.into(),
            keys: String::new(),
            dump: None,
        };
        assert_eq!(frame("80x24").dimensions().expect("good"), (80, 24));
        for bad in ["80", "0x5", "80x501", "axb", ""] {
            assert!(frame(bad).dimensions().is_err(), "{bad}");
        }
    }
}
