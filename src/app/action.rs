//! What a person can ask for, whatever key, click or palette entry it came from.

use super::screen::Screen;

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

/// What a key asks for. Screens and overlays give those of movement and text their meaning.
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
    /// The next sample that is not sound.
    NextFault,
    PreviousFault,
    Search,
    /// The next match of the search; the next sample where nothing is searched for.
    NextMatch,
    PreviousMatch,
    /// A part of the sample to the clipboard.
    Copy,
    PickTokenizer,
    PickTemplate,
    PickRule,
    PickRecipe,
    PickLoading,
    OpenFile,
    /// What was open when the program ended last.
    OpenKept,
    Edit,
    /// An empty turn behind the one under the cursor, in the editor.
    AddTurn,
    RemoveTurn,
    /// The next role for the turn under the cursor.
    NextRole,
    /// The chat template, with the result beside it.
    EditTemplate,
    ApplyFix,
    Undo,
    Redo,
    /// The next stop of the tour.
    Tour,
    /// The next way to show the same things.
    NextView,
    ToggleTheme,
    ToggleImageMarks,
    /// The present set-up into a file that `--setup` takes.
    SaveSetup,
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
    /// A line break in the editor.
    LineBreak,
    DeleteBack,
    DeleteForward,
    DeleteWord,
    ClearLine,
    /// Tab: goes on with a path as far as one can.
    Complete,
    /// What only one screen knows, by the name that its file gives it.
    Own(Screen, &'static str),
}
