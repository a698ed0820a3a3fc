//! The state of the screen and how it changes: no I/O, no drawing, no terminal.
//!
//! ```text
//! Msg ─► update(&mut App, Msg) ─► Vec<Effect>     effects are values; the runtime carries them out
//!          │
//!          ├ bindings   the one table of keys
//!          ├ moves      arrows and Enter on each screen
//!          ├ overlays   lists, editor, paths, sheets
//!          ├ setups     changing the set-up, and undoing it
//!          ├ tour       four stops that show a visitor around
//!          ├ panels     the screens that work out what they show: doctor, experts, scan …
//!          ├ flow       the token stream as rows, only the window
//!          └ view       one inspected sample: sections, rounds as they really are, the first difference
//! ```

mod action;
mod bindings;
mod cause;
pub mod fix;
pub mod flow;
mod geometry;
mod job;
mod key;
mod navigation;
mod overlays;
pub mod panels;
pub mod picker;
mod request_changes;
pub mod sample_status;
mod state;
pub mod template_editor;
mod text_buffer;
pub mod tour;
mod turns;
mod update;
mod view;

pub use action::{Action, ExportForm, Screen};
pub use bindings::{Binding, Context, bindings, hints, keys_of, markdown, resolve};
pub use cause::{Cause, cause};
pub use geometry::{Area, MIN_SIZE, Panes, Tier, panes};
pub use job::{
    Data, DataSource, Effect, Fix, Job, JobKind, KnownEntry, LeftOut, Outcome, Preview, ResolvedRequest, Work,
};
pub use key::{Code, Key};
pub use state::{
    App, Background, Editor, Load, Notice, Overlay, PathPrompt, PathUse, Sheet, SpecialTable, Step,
    ViewState, first_request,
};
pub use turns::{PromptTurn, Speaker};
pub use update::{Msg, Target, act, context, update};
pub use view::{Fate, SampleView, Section, TokenKind, TokenState};
