//! Looks by meaning. Every meaning differs from the others by colour *and* by a second channel (underline, bold,
//! reverse, a struck line, a marker in the text), so that nothing is lost without colour or to colour-blind eyes.
//!
//! Colours are Okabe and Ito's set, lightened or darkened for the background; never red against green.

use ratatui::style::{Color, Modifier, Style};

use crate::app::Background;

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Depth {
    /// NO_COLOR: modifiers and markers only.
    Mono,
    /// The 16 colours of every terminal.
    Basic,
    Indexed,
    #[default]
    True,
}

impl Depth {
    /// What the environment says: `NO_COLOR`, `COLORTERM`, `TERM`.
    pub fn detect(variable: impl Fn(&str) -> Option<String>) -> Self {
        let is_set = |name: &str| variable(name).is_some_and(|v| !v.is_empty());
        let (term, color) = (variable("TERM").unwrap_or_default(), variable("COLORTERM").unwrap_or_default());
        if is_set("NO_COLOR") || term == "dumb" {
            Self::Mono
        } else if color == "truecolor" || color == "24bit" || term.ends_with("-direct") {
            Self::True
        } else if term.contains("256") {
            Self::Indexed
        } else {
            Self::Basic
        }
    }
}

/// What something means on screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// Ordinary text.
    Text,
    /// Labels, hints, borders.
    Quiet,
    /// Names and numbers that matter.
    Strong,
    /// A key to press.
    Key,
    /// A token that the loss sees.
    Supervised,
    /// A token that the loss ignores.
    Masked,
    /// A token that would be supervised had the lengths agreed.
    Lost,
    /// A special token.
    Special,
    /// A token that an override made special.
    Overridden,
    /// A placeholder of an image.
    Image,
    /// A stand-in for something invisible.
    StandIn,
    /// All is well.
    Good,
    /// Something is wrong.
    Bad,
    /// Something to look at.
    Warning,
    /// The marked row of a list, the open tab.
    Selected,
    /// The token under the cursor.
    Cursor,
    /// What a search found.
    Found,
}

/// A colour in each depth: 24 bits for a dark and for a light background, and one of the 16.
#[derive(Clone, Copy)]
struct Ink {
    dark: (u8, u8, u8),
    light: (u8, u8, u8),
    basic: Color,
}

const fn ink(dark: (u8, u8, u8), light: (u8, u8, u8), basic: Color) -> Ink {
    Ink { dark, light, basic }
}

const SKY: Ink = ink((0x56, 0xb4, 0xe9), (0x00, 0x5b, 0x96), Color::Cyan);
const ORANGE: Ink = ink((0xe6, 0x9f, 0x00), (0x9a, 0x5b, 0x00), Color::Yellow);
const GREEN: Ink = ink((0x2f, 0xc0, 0x98), (0x00, 0x6b, 0x4f), Color::Green);
const VERMILLION: Ink = ink((0xf0, 0x7a, 0x30), (0xb0, 0x42, 0x00), Color::LightRed);
const PURPLE: Ink = ink((0xd9, 0x92, 0xbb), (0x99, 0x3f, 0x73), Color::Magenta);
const YELLOW: Ink = ink((0xf0, 0xe4, 0x42), (0x7a, 0x6c, 0x00), Color::LightYellow);
const GREY: Ink = ink((0x8f, 0x96, 0x9c), (0x6a, 0x70, 0x75), Color::DarkGray);
const MASKED: Ink = ink((0xb2, 0xb8, 0xbe), (0x55, 0x5b, 0x60), Color::Reset);
const BLUE: Ink = ink((0x6f, 0x9b, 0xff), (0x1f, 0x3f, 0xb0), Color::Blue);
/// Experts by number, neighbours far apart; green and vermillion are never neighbours.
const EXPERTS: [Ink; 8] = [SKY, ORANGE, GREEN, PURPLE, YELLOW, BLUE, VERMILLION, MASKED];
/// Background of every second token.
const SHADE: Ink = ink((0x2b, 0x2f, 0x36), (0xe6, 0xe8, 0xeb), Color::Reset);
const SELECTION: Ink = ink((0x26, 0x4a, 0x6b), (0xbf, 0xdd, 0xf2), Color::Reset);

/// The looks for one terminal and background.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Theme {
    pub depth: Depth,
    pub background: Background,
}

impl Theme {
    fn color(self, ink: Ink) -> Color {
        let (r, g, b) = match self.background {
            Background::Dark => ink.dark,
            Background::Light => ink.light,
        };
        match self.depth {
            Depth::True => Color::Rgb(r, g, b),
            Depth::Indexed => Color::Indexed(nearest_indexed(r, g, b)),
            Depth::Basic => ink.basic,
            Depth::Mono => Color::Reset,
        }
    }

    fn fg(self, ink: Ink) -> Style {
        match self.depth {
            Depth::Mono => Style::new(),
            _ => Style::new().fg(self.color(ink)),
        }
    }

    /// The look of a meaning.
    pub fn style(self, meaning: Meaning) -> Style {
        match meaning {
            Meaning::Text => Style::new(),
            Meaning::Quiet => self.quiet(),
            Meaning::Strong => Style::new().add_modifier(Modifier::BOLD),
            Meaning::Key => self.fg(ORANGE).add_modifier(Modifier::BOLD),
            Meaning::Supervised => self.fg(SKY).add_modifier(Modifier::UNDERLINED),
            Meaning::Masked => self.fg(MASKED),
            Meaning::Lost => self.fg(VERMILLION).add_modifier(Modifier::CROSSED_OUT),
            Meaning::Special => self.fg(PURPLE),
            Meaning::Overridden => self.fg(YELLOW).add_modifier(Modifier::BOLD),
            Meaning::Image => self.fg(GREEN).add_modifier(Modifier::ITALIC),
            Meaning::StandIn => self.quiet(),
            Meaning::Good => self.fg(GREEN).add_modifier(Modifier::BOLD),
            Meaning::Bad => self.fg(VERMILLION).add_modifier(Modifier::BOLD),
            Meaning::Warning => self.fg(YELLOW),
            Meaning::Selected => match self.depth {
                Depth::Mono | Depth::Basic => Style::new().add_modifier(Modifier::REVERSED),
                _ => Style::new().bg(self.color(SELECTION)).add_modifier(Modifier::BOLD),
            },
            Meaning::Found => self.fg(YELLOW).add_modifier(Modifier::REVERSED),
            Meaning::Cursor => Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD),
        }
    }

    /// The colour of an expert, the stronger the larger the weight (0 to 1) of the choice. Colours repeat after eight
    /// experts and there is none under NO_COLOR: whoever draws also writes the expert's letter.
    pub fn expert(self, expert: usize, weight: f32) -> Style {
        let ink = EXPERTS.get(expert % EXPERTS.len()).copied().unwrap_or(GREY);
        let strong = weight >= 0.5;
        let style = match self.depth {
            Depth::Mono => Style::new(),
            Depth::Basic => Style::new().fg(ink.basic),
            Depth::Indexed | Depth::True => {
                // Towards the background, but never so far that it cannot be read.
                let share = 0.45 + 0.55 * weight.clamp(0.0, 1.0);
                let fade = |(r, g, b): (u8, u8, u8), to: u8| {
                    let mix = |c: u8| (f32::from(c) * share + f32::from(to) * (1.0 - share)).round() as u8;
                    (mix(r), mix(g), mix(b))
                };
                let faded =
                    Ink { dark: fade(ink.dark, 0x30), light: fade(ink.light, 0xe0), basic: ink.basic };
                Style::new().fg(self.color(faded))
            }
        };
        match (self.depth, strong) {
            (_, true) => style.add_modifier(Modifier::BOLD),
            (Depth::Mono | Depth::Basic, false) => style.add_modifier(Modifier::DIM),
            _ => style,
        }
    }

    fn quiet(self) -> Style {
        match self.depth {
            Depth::Mono => Style::new().add_modifier(Modifier::DIM),
            _ => self.fg(GREY),
        }
    }

    /// Two neighbouring tokens are told apart by shade: `odd` ones lie on a tinted ground, or differ in weight
    /// where there is no such colour.
    pub fn shade(self, style: Style, odd: bool) -> Style {
        match (self.depth, odd) {
            (_, false) => style,
            (Depth::True | Depth::Indexed, true) => style.bg(self.color(SHADE)),
            (Depth::Basic | Depth::Mono, true) => style.add_modifier(Modifier::BOLD),
        }
    }
}

/// The nearest of the 216 cube colours and 24 greys.
fn nearest_indexed(r: u8, g: u8, b: u8) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let level = |v: u8| {
        let near = LEVELS.iter().enumerate().min_by_key(|(_, l)| l.abs_diff(v));
        near.map_or((0, 0), |(i, l)| (u8::try_from(i).unwrap_or(0), *l))
    };
    let ((ri, rl), (gi, gl), (bi, bl)) = (level(r), level(g), level(b));
    let distance = |x: u8, y: u8, z: u8| {
        let d = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
        d(x, r) + d(y, g) + d(z, b)
    };
    let mean = (u16::from(r) + u16::from(g) + u16::from(b)) / 3;
    let step = u8::try_from((mean.saturating_sub(3) / 10).min(23)).unwrap_or(23);
    let grey = 8 + step * 10;
    if distance(grey, grey, grey) < distance(rl, gl, bl) { 232 + step } else { 16 + 36 * ri + 6 * gi + bi }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: [Meaning; 6] = [
        Meaning::Supervised,
        Meaning::Masked,
        Meaning::Lost,
        Meaning::Image,
        Meaning::Cursor,
        Meaning::Overridden,
    ];

    #[test]
    fn token_meanings_differ_in_every_depth_and_background() {
        for depth in [Depth::Mono, Depth::Basic, Depth::Indexed, Depth::True] {
            for background in [Background::Dark, Background::Light] {
                let theme = Theme { depth, background };
                for (i, a) in TOKENS.iter().enumerate() {
                    for b in TOKENS.iter().skip(i + 1) {
                        assert_ne!(theme.style(*a), theme.style(*b), "{a:?} and {b:?} at {depth:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn no_color_means_no_color() {
        let theme = Theme { depth: Depth::Mono, background: Background::Dark };
        for meaning in TOKENS {
            let style = theme.shade(theme.style(meaning), true);
            assert_eq!((style.fg, style.bg), (None, None), "{meaning:?}");
        }
    }

    #[test]
    fn the_environment_decides_the_depth() {
        let with = |pairs: &'static [(&str, &str)]| {
            Depth::detect(move |name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| v.to_string()))
        };
        assert_eq!(with(&[("COLORTERM", "truecolor"), ("NO_COLOR", "1")]), Depth::Mono);
        assert_eq!(with(&[("COLORTERM", "truecolor"), ("NO_COLOR", "")]), Depth::True);
        assert_eq!(with(&[("TERM", "xterm-256color")]), Depth::Indexed);
        assert_eq!(with(&[("TERM", "linux")]), Depth::Basic);
    }

    #[test]
    fn indexed_colours_are_near() {
        assert_eq!(nearest_indexed(255, 0, 0), 196);
        assert_eq!(nearest_indexed(0x80, 0x80, 0x80), 244);
    }
}
