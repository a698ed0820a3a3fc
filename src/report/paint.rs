//! Colour in text output: by meaning, and never the only channel.

/// Whether text output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Ansi,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The loss sees it.
    Supervised,
    /// The loss ignores it.
    Masked,
    /// It was supervised until the length check threw it away.
    Lost,
    Good,
    Bad,
    Heading,
}

impl Paint {
    /// `text` with the colours of a meaning; `odd` alternates the shade of neighbouring tokens.
    ///
    /// The colours are Okabe and Ito's sky blue and vermilion, in the nearest of the 256-colour palette;
    /// supervised text is underlined and lost text struck through, for eyes and screens without colour.
    pub fn paint(self, text: &str, meaning: Meaning, odd: bool) -> String {
        if self == Paint::Plain {
            return text.to_string();
        }
        let code = match (meaning, odd) {
            (Meaning::Supervised, false) => "4;38;5;74",
            (Meaning::Supervised, true) => "4;38;5;117",
            (Meaning::Masked, false) => "38;5;245",
            (Meaning::Masked, true) => "38;5;250",
            (Meaning::Lost, false) => "9;38;5;166",
            (Meaning::Lost, true) => "9;38;5;208",
            (Meaning::Good, _) => "1;38;5;74",
            (Meaning::Bad, _) => "1;38;5;166",
            (Meaning::Heading, _) => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}
