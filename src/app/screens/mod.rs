//! One file a screen: its state, its keys, what its keys do, its job.

pub mod code;
pub mod compare;
pub mod component;
pub mod doctor;
pub mod experts;
pub mod labels;
pub mod lengths;
pub mod onboard;
pub mod prompt;
pub mod samples;
pub mod scan;
pub mod special;
pub mod strategies;
pub mod tokens;

use component::Component;

use super::screen::{Screen, with_screens};

macro_rules! states {
    ($($name:ident $key:literal $title:literal $file:ident $state:ident,)*) => {
        /// The state of every screen.
        #[derive(Debug, Default)]
        pub struct Screens {
            $(pub $file: $file::$state,)*
        }

        impl Screens {
            /// One of them by name.
            pub fn get(&self, screen: Screen) -> &dyn Component {
                match screen {
                    $(Screen::$name => &self.$file,)*
                }
            }

            /// The same, to be changed.
            pub fn get_mut(&mut self, screen: Screen) -> &mut dyn Component {
                match screen {
                    $(Screen::$name => &mut self.$file,)*
                }
            }
        }
    };
}
with_screens!(states);
