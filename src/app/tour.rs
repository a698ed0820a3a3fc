//! The tour: four stops that show a visitor what there is to see, each an ordinary screen with a line of text.
//!
//! One key goes on; every other key works as always, so that a visitor can look around at each stop.

use super::action::Screen;
use super::job::Effect;
use super::request_changes::apply_fix;
use super::state::{App, Load, Notice};

/// A stop: the screen, and what to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    pub screen: Screen,
    pub text: &'static str,
    /// The text where nothing is wrong with the sample, if that is another one.
    pub sound: Option<&'static str>,
}

/// All stops, in their order. The third applies the suggested fix on arrival; where nothing is wrong it is left out.
pub const STOPS: [Stop; 4] = [
    Stop {
        screen: Screen::Labels,
        text: "what is learned: struck-through tokens are lost",
        sound: Some("what is learned: the underlined tokens; this sample is sound"),
    },
    Stop {
        screen: Screen::Lengths,
        text: "why: what the code counts, beside what is there",
        sound: Some("what the code counts, beside what is there: they agree"),
    },
    Stop {
        screen: Screen::Labels,
        text: "the fix, in memory: underlined tokens are learned now; u undoes it",
        sound: None,
    },
    Stop {
        screen: Screen::Experts,
        text: "the same tokens and their experts; 7 writes the code for your model",
        sound: None,
    },
];

/// Index of the stop that applies the fix.
const CURE: usize = 2;

/// The next stop; the first where no tour is on, none behind the last.
pub(super) fn go_on(app: &mut App) -> Vec<Effect> {
    let mut next = app.tour.map_or(0, |at| at + 1);
    if next == CURE && app.cause.is_none() {
        next += 1;
    }
    if next == CURE && matches!(app.fix, Load::Loading) {
        app.notice =
            Some(Notice { text: "still trying set-ups that could help".to_string(), is_error: false });
        return Vec::new();
    }
    let Some(stop) = STOPS.get(next) else {
        app.tour = None;
        app.notice =
            Some(Notice { text: "the end of the tour; ? lists every key".to_string(), is_error: false });
        return Vec::new();
    };
    (app.tour, app.screen) = (Some(next), stop.screen);
    if next == CURE {
        let effects = apply_fix(app);
        app.notice = None;
        return effects;
    }
    Vec::new()
}

/// The line of the present stop: `tour 1/4  …`.
pub fn line(app: &App) -> Option<String> {
    let at = app.tour?;
    let stop = STOPS.get(at)?;
    let text = stop.sound.filter(|_| app.cause.is_none()).unwrap_or(stop.text);
    Some(format!("tour {}/{}  {text}", at + 1, STOPS.len()))
}
