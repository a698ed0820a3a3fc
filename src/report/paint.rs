//! Colour in text output: by meaning, and never the only channel.

use anstyle::{Ansi256Color, Style};

/// Whether text output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Ansi,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaintMeaning {
    /// The loss sees it.
    Supervised,
    /// The loss ignores it.
    Masked,
    /// It was supervised until the length check discarded it.
    Lost,
    Good,
    Bad,
    Heading,
}

impl PaintMeaning {
    /// Okabe and Ito's sky blue and vermilion, in the nearest of the 256-colour palette; supervised text is underlined
    /// and lost text struck through, for eyes and screens without colour.
    fn style(self, odd: bool) -> Style {
        let color = |even: u8, other: u8| {
            Style::new().fg_color(Some(Ansi256Color(if odd { other } else { even }).into()))
        };
        match self {
            Self::Supervised => color(74, 117).underline(),
            Self::Masked => color(245, 250),
            Self::Lost => color(166, 208).strikethrough(),
            Self::Good => color(74, 74).bold(),
            Self::Bad => color(166, 166).bold(),
            Self::Heading => Style::new().bold(),
        }
    }
}

impl Paint {
    /// `text` in the style of a meaning; `odd` alternates the shade of neighbouring tokens. The text itself has to be
    /// safe for a terminal already.
    pub fn paint(self, text: &str, meaning: PaintMeaning, odd: bool) -> String {
        match self {
            Self::Plain => text.to_string(),
            Self::Ansi => {
                let style = meaning.style(odd);
                format!("{style}{text}{style:#}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_differ_and_every_style_ends() {
        let painted = |odd| Paint::Ansi.paint("x", PaintMeaning::Supervised, odd);
        assert_ne!(painted(false), painted(true));
        assert_eq!(painted(false), "\u{1b}[4m\u{1b}[38;5;74mx\u{1b}[0m");
        assert_eq!(Paint::Plain.paint("x", PaintMeaning::Lost, true), "x");
    }
}
