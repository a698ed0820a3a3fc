//! The tour: four stops that show a visitor what there is to see, each an ordinary screen with a line of text.
//!
//! One key goes on; every other key works as always, so that a visitor can look around at each stop.

use super::command::AppCommand;
use super::load::Load;
use super::screen::Screen;
use super::session::Session;
use super::shell::Shell;

/// A stop: the screen, and what to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TourStop {
    screen: Screen,
    text: &'static str,
    /// The text where nothing is wrong with the sample, if that is another one.
    sound: Option<&'static str>,
}

/// All stops, in their order. The third applies the suggested fix on arrival; where nothing is wrong it is left out.
const STOPS: [TourStop; 4] = [
    TourStop {
        screen: Screen::Labels,
        text: "what is supervised: struck-through tokens are discarded",
        sound: Some("what is supervised: the underlined tokens; this sample is sound"),
    },
    TourStop {
        screen: Screen::Lengths,
        text: "why: what the code counts, beside what is there",
        sound: Some("what the code counts, beside what is there: they agree"),
    },
    TourStop {
        screen: Screen::Labels,
        text: "the fix, in memory: underlined tokens are supervised now; {undo} undoes it",
        sound: None,
    },
    TourStop {
        screen: Screen::Experts,
        text: "the same tokens and their experts; {onboard} writes the code for your model",
        sound: None,
    },
];

/// Index of the stop that applies the fix.
const CURE: usize = 2;

/// The next stop; the first where no tour is on, none behind the last.
pub fn go_on(shell: &mut Shell, session: &Session) -> Vec<AppCommand> {
    let mut next = shell.tour.map_or(0, |at| at + 1);
    if next == CURE && session.cause.is_none() {
        next += 1;
    }
    if next == CURE && session.fix.is_loading() {
        return vec![AppCommand::say("still trying set-ups that could help")];
    }
    let Some(stop) = STOPS.get(next) else {
        shell.tour = None;
        return vec![AppCommand::say("the end of the tour; {help} lists every key")];
    };
    (shell.tour, shell.screen) = (Some(next), stop.screen);
    match &session.fix {
        // What it says is in the line of the stop.
        Load::Ready(Some(fix)) if next == CURE => vec![AppCommand::Change(Box::new(fix.request.clone()))],
        _ => Vec::new(),
    }
}

/// The line of the present stop: `tour 1/4  …`.
pub fn line(shell: &Shell, session: &Session) -> Option<String> {
    let at = shell.tour?;
    let stop = STOPS.get(at)?;
    let text = stop.sound.filter(|_| session.cause.is_none()).unwrap_or(stop.text);
    Some(format!("tour {}/{}  {text}", at + 1, STOPS.len()))
}
