//! What a person can ask for, whatever key, click or palette entry it came from.

use super::panels::PanelAct;

/// A screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Screen {
    #[default]
    Labels,
    Lengths,
    Special,
    Prompt,
    Samples,
    Doctor,
    Onboard,
    Experts,
    Compare,
    Scan,
    Strategies,
}

impl Screen {
    /// All screens, in the order of their tabs.
    pub const ALL: [Screen; 11] = [
        Self::Labels,
        Self::Lengths,
        Self::Special,
        Self::Prompt,
        Self::Samples,
        Self::Doctor,
        Self::Onboard,
        Self::Experts,
        Self::Compare,
        Self::Scan,
        Self::Strategies,
    ];

    /// True for a screen that works out what it shows when it is opened ([`super::panels`]).
    pub fn is_panel(self) -> bool {
        !matches!(self, Self::Labels | Self::Lengths | Self::Special | Self::Prompt | Self::Samples)
    }

    /// The tab's name; also what `frame --screen` takes, in any case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Labels => "Labels",
            Self::Lengths => "Lengths",
            Self::Special => "Special",
            Self::Prompt => "Prompt",
            Self::Samples => "Samples",
            Self::Doctor => "Doctor",
            Self::Onboard => "Onboard",
            Self::Experts => "Experts",
            Self::Compare => "Compare",
            Self::Scan => "Scan",
            Self::Strategies => "Strategies",
        }
    }

    /// A screen by name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name().eq_ignore_ascii_case(name))
    }

    /// The screen `by` tabs further, around the ends.
    pub fn step(self, by: isize) -> Self {
        let at = Self::ALL.iter().position(|s| *s == self).unwrap_or(0);
        let len = isize::try_from(Self::ALL.len()).unwrap_or(1);
        let next = (isize::try_from(at).unwrap_or(0) + by).rem_euclid(len);
        usize::try_from(next).ok().and_then(|at| Self::ALL.get(at)).copied().unwrap_or_default()
    }
}

/// What the present screen is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExportForm {
    /// HTML.
    Page,
    /// SVG.
    Picture,
}

impl ExportForm {
    /// Ending of the file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Page => "html",
            Self::Picture => "svg",
        }
    }
}

/// One act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    Quit,
    Suspend,
    Help,
    Palette,
    Back,
    Open(Screen),
    NextScreen,
    PreviousScreen,
    NextSample,
    PreviousSample,
    PickTokenizer,
    PickTemplate,
    PickRule,
    PickRecipe,
    PickLoading,
    OpenFile,
    Edit,
    /// The chat template, with the result beside it.
    EditTemplate,
    ApplyFix,
    Undo,
    /// The next stop of the tour.
    Tour,
    Density,
    /// Why the token under the cursor is what it is.
    Explain,
    ToggleTheme,
    ToggleImageMarks,
    /// The present screen into a file.
    Export(ExportForm),
    Left,
    Right,
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    NextRound,
    PreviousRound,
    /// Enter: unfold, open, choose.
    Accept,
    /// Take the override of the chosen role away.
    RemoveOverride,
    /// A line break in the editor.
    LineBreak,
    DeleteBack,
    DeleteForward,
    DeleteWord,
    ClearLine,
    /// An act that only one screen knows.
    Panel(PanelAct),
}
