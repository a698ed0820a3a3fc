//! Which transformers is reproduced: the release, and the family of classes.

/// Which of the two Python class families is reproduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loader {
    Slow,
    Fast,
}

impl Loader {
    /// `slow` or `fast`, as the command line writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Fast => "fast",
        }
    }
}

/// The release of transformers whose behaviour is reproduced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// 4.31: the release that the customization guide recommends for Llama.
    V4_31,
    /// 4.37: the release that MoE-LLaVA pins.
    #[default]
    V4_37,
    /// 4.57: the last of 4.x. Tokenizers behave as in 4.37 as far as they were recorded; chat templates do not.
    V4_57,
    /// 5.x: one class a model, rebuilt over the `tokenizers` library.
    V5,
}

impl Release {
    /// Reads `4.31`, `4.37.2`, `5`, …; also says whether that very release was measured.
    pub fn parse(text: &str) -> Option<(Self, bool)> {
        let mut numbers = text.trim().split('.').map(str::parse::<u32>);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next().transpose().ok()?;
        match (major, minor) {
            (4, Some(31)) => Some((Self::V4_31, true)),
            (4, Some(minor)) if minor < 34 => Some((Self::V4_31, false)),
            (4, Some(37)) => Some((Self::V4_37, true)),
            (4, Some(57)) => Some((Self::V4_57, true)),
            // The generation tag and tools of templates came with 4.42.
            (4, Some(minor)) if minor >= 42 => Some((Self::V4_57, false)),
            (4, _) => Some((Self::V4_37, false)),
            (5, None | Some(23)) => Some((Self::V5, true)),
            (5, _) => Some((Self::V5, false)),
            _ => None,
        }
    }

    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::V4_31, Self::V4_37, Self::V4_57, Self::V5];

    /// As the command line writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4_31 => "4.31",
            Self::V4_37 => "4.37",
            Self::V4_57 => "4.57",
            Self::V5 => "5",
        }
    }
}

/// What the user may fix about the loading; `None` takes the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct LoadOptions {
    pub loader: Option<Loader>,
    pub legacy: Option<bool>,
    pub release: Release,
    /// How a rank file of no known class cuts texts, over what its configuration says.
    pub split_pattern: Option<&'static str>,
}
