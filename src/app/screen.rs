//! The registry of the screens: one line a screen, in the order of the tabs.
//!
//! Everything that needs a list of all screens is made from [`with_screens`]: the names here, the state of each in
//! [`super::screens`], the tab keys in [`super::keymap`], the drawing in `ui::screens`.

/// Calls a macro with a line for each screen: its name, the key that opens it, what the help calls it, the name of its
/// file in `app/screens` and `ui/screens`, and the type of its state.
macro_rules! with_screens {
    ($made:ident) => {
        $made! {
            Labels "1" "Labels" labels LabelsScreen,
            Lengths "2" "Lengths" lengths LengthsScreen,
            Special "3" "Special tokens" special SpecialScreen,
            Prompt "4" "Prompt" prompt PromptScreen,
            Samples "5" "Samples" samples SamplesScreen,
            Doctor "6" "Doctor" doctor DoctorScreen,
            Onboard "7" "Onboard" onboard OnboardScreen,
            Experts "8" "Experts" experts ExpertsScreen,
            Compare "9" "Compare" compare CompareScreen,
            Scan "0" "Scan" scan ScanScreen,
            Strategies "S" "Strategies" strategies StrategiesScreen,
            Code "C" "Code" code CodeScreen,
            Tokens "D" "Tokens fed" tokens TokensScreen,
        }
    };
}
pub(crate) use with_screens;

macro_rules! names {
    ($($name:ident $key:literal $title:literal $file:ident $state:ident,)*) => {
        /// A screen by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Screen {
            $($name,)*
        }

        impl Screen {
            /// All screens, in the order of their tabs.
            pub const ALL: [Self; [$($key),*].len()] = [$(Self::$name),*];

            /// The tab's name; also what `frame --screen` takes, in any case.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The key that opens it, as [`super::key::Key::parse`] reads it.
            #[cfg_attr(not(feature = "internals"), allow(dead_code))]
            pub fn key(self) -> &'static str {
                match self {
                    $(Self::$name => $key,)*
                }
            }
        }
    };
}
with_screens!(names);

impl Screen {
    /// A screen by name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name().eq_ignore_ascii_case(name))
    }

    /// The screen `by` tabs further, around the ends.
    pub fn step(self, by: isize) -> Self {
        let at = Self::ALL.iter().position(|s| *s == self).unwrap_or(0);
        let next = (at + Self::ALL.len()).saturating_add_signed(by) % Self::ALL.len();
        Self::ALL.get(next).copied().unwrap_or(self)
    }
}
