//! CodeLlama's infilling: a text with `<FILL_ME>` in it becomes the prompt that asks the model for what belongs there.
//!
//! ```text
//! a b<FILL_ME>c d    →    ▁<PRE> ▁a ▁b ▁<SUF> c ▁d ▁<MID>
//! ```
//!
//! The class takes the text apart before anything else sees it, whether special tokens were asked for or not (`encode.rs`
//! does it). The fast class of 5.x stays changed after such a text (it puts a space before every stretch from then on);
//! here every text is the first.

use super::config::InitArguments;
use super::release::Release;
use crate::error::{Error, Result};

/// What a text is taken apart at, and what its parts are put between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Infilling {
    pub fill: String,
    prefix: Option<String>,
    suffix: Option<String>,
    middle: Option<String>,
}

/// A text around its fill token.
#[derive(Debug, Clone, Copy)]
pub struct FillParts<'t> {
    pub text: &'t str,
    pub before: &'t str,
    pub behind: &'t str,
}

impl Infilling {
    /// The tokens that the configuration names; `None` where it has taken the fill token away.
    pub fn named(arguments: &InitArguments, release: Release) -> Option<Self> {
        let token = |name, default| arguments.infilling_token(name, default, release);
        Some(Self {
            fill: token("fill", "<FILL_ME>")?,
            prefix: token("prefix", "▁<PRE>"),
            suffix: token("suffix", "▁<SUF>"),
            middle: token("middle", "▁<MID>"),
        })
    }

    /// The parts of a text with a fill token; `None` for one without. `class` is what a message names.
    ///
    /// # Errors
    /// More than one fill token, which Python refuses.
    pub fn parts<'t>(&self, text: &'t str, class: &str) -> Result<Option<FillParts<'t>>> {
        let fill = self.fill.as_str();
        let Some((before, behind)) = text.split_once(fill).filter(|_| !fill.is_empty()) else {
            return Ok(None);
        };
        if behind.contains(fill) {
            return Err(Error::Encode(format!("{class} takes one {fill} in a text, not more")));
        }
        Ok(Some(FillParts { text, before, behind }))
    }

    /// The tokens before the first part, between the two, and behind the second.
    ///
    /// # Errors
    /// A token that the configuration has taken away.
    pub fn tokens(&self) -> Result<[&str; 3]> {
        match (&self.prefix, &self.suffix, &self.middle) {
            (Some(prefix), Some(suffix), Some(middle)) => Ok([prefix, suffix, middle]),
            _ => Err(Error::Encode(
                "a fill token asks for infilling, but a prefix, suffix or middle token is missing"
                    .to_string(),
            )),
        }
    }
}
