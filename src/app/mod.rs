//! The state of the screen and how it changes: no drawing, no terminal. Only the bodies of jobs do I/O, on threads of the
//! runtime.
//!
//! ```text
//! Msg ─► update(&mut App, Msg) ─► Vec<Effect>       effects are values; the runtime carries them out
//!          │
//!          ├ keymap     the one table of keys: Key ─► Action
//!          ├ screens    one file a screen: handle(&mut self, &Session, …, Action) ─► Vec<AppCommand>
//!          ├ overlays   the same for lists, editors, paths, sheets
//!          ├ session    what is loaded and set, and how the set-up changes
//!          └ shell      which screen, what lies over it, size, message line
//!
//! what the screens look at:
//!   view   one inspected sample: sections, rounds as they really are, the first divergence
//!   flow   its token stream as rows, only the window
//! ```
//!
//! A new screen is a line in [`screen`], a file in [`screens`] and one in `ui::screens`.

mod action;
mod attended;
mod binding;
mod cause;
mod command;
mod copied;
mod data;
mod fix;
pub mod flow;
mod geometry;
pub mod help;
mod job;
mod kept_session;
mod key;
mod keymap;
mod load;
mod overlay;
mod overlays;
mod path_completion;
pub mod picker;
mod rebinding;
mod recent;
mod request_changes;
pub mod sample_status;
pub(crate) mod screen;
pub mod screens;
mod search;
mod session;
mod session_jobs;
mod shell;
mod state;
mod target;
mod template_editor;
mod text_buffer;
pub mod tour;
mod turns;
mod update;
mod view;
mod watched;

pub use action::{Action, ExportForm};
pub use binding::{Binding, KeyContext};
pub use cause::{Cause, cause};
pub use command::{AppCommand, Notice};
pub use copied::CopyPart;
pub use data::{Data, DataSource, LeftOut};
pub use fix::{Preview, ResolvedRequest, SuggestedFix};
pub use geometry::{Area, MIN_SIZE, Panes, Tier, panes};
pub use job::{Job, JobContext, JobKind, Outcome, Work};
pub use kept_session::KeptSession;
pub use key::{Code, Key, KeyWord};
#[cfg(feature = "internals")]
pub use keymap::markdown;
pub use keymap::{bindings, hints, key_of, key_of_screen, keyed, rebind, resolve, settings_text};
pub use load::Load;
pub use overlay::{
    Editor, Help, Overlay, PathPrompt, PathUse, SearchPrompt, Sheet, TemplateEditor, TemplateProblem,
};
pub use recent::session_file;
pub use screen::Screen;
pub use search::TextSearch;
pub use session::{HistoryStep, Session, SessionOutcome, Survey};
pub use shell::{Background, Shell};
pub use state::App;
pub use target::Target;
pub use text_buffer::TextBuffer;
pub use turns::{PromptTurn, Speaker};
pub use update::{Effect, Msg, act, context, update};
pub use view::{SampleView, Section, TokenKind, TokenState};
