//! Screen Onboard: the customization guide from its first step to its last, with the program doing the work.

use std::path::Path;
use std::sync::Arc;

use super::component::{Component, lines};
use super::doctor::CHECKED;
use crate::app::action::Action;
use crate::app::binding::{Binding, KeyContext, bind};
use crate::app::command::AppCommand;
use crate::app::geometry::Panes;
use crate::app::job::{JobKind, Outcome};
use crate::app::load::Load;
use crate::app::overlay::{Overlay, PathPrompt, PathUse};
use crate::app::screen::Screen;
use crate::app::session::Session;
use crate::chat::Sample;
use crate::diagnose::{
    Onboarding, Patch, RepositoryPatchRequest, llava_setup, onboard, patch, proposal_tokens,
    repository_patch, write_diff, write_patch,
};
use crate::error::{Result, with_causes};
use crate::setup::{Request, Setup, TokenChoice};
use crate::tokenizer::Role;

/// What the screen knows.
#[derive(Debug, Default)]
pub struct OnboardScreen {
    pub result: Load<Arc<Onboarded>>,
    /// What it was worked out for.
    made_for: Option<(Arc<Setup>, Arc<Vec<Sample>>)>,
    /// First line shown.
    pub top: usize,
}

/// A proven proposal with the code that brings it into a training repository.
#[derive(Debug)]
pub struct Onboarded {
    pub onboarding: Onboarding,
    pub patch: Patch,
    /// What the proposal gives to roles.
    pub tokens: Vec<(Role, TokenChoice)>,
}

/// What came of a job.
#[derive(Debug)]
enum OnboardOutcome {
    Onboarded(std::result::Result<Arc<Onboarded>, String>),
    /// What was written, or why not.
    Written(std::result::Result<String, String>),
}

/// Name of template and function in the patch; the command line takes another one.
const NAME: &str = "backbone";

/// Make the proposal the set-up.
const ADOPT: Action = Action::Own(Screen::Onboard, "adopt");
/// Write the patch into a folder.
const WRITE: Action = Action::Own(Screen::Onboard, "write");

const HERE: KeyContext = KeyContext::On(Screen::Onboard);

/// The keys of this screen.
#[rustfmt::skip]
pub const BINDINGS: &[Binding] = &[
    bind(HERE, &["a", "enter"], ADOPT, "make the proposal the set-up; u undoes it", Some("adopt")),
    bind(HERE, &["w"], WRITE, "write the patch into a folder", Some("write patch")),
];

impl OnboardScreen {
    /// A folder was named: writes the patch there, with a repository at hand also as a diff against it.
    pub fn write(&self, session: &Session, folder: String) -> Vec<AppCommand> {
        let (Some(onboarded), Some(samples)) = (self.result.ready(), session.samples.ready().cloned()) else {
            return Vec::new();
        };
        let (onboarded, request) = (onboarded.clone(), session.request.clone());
        vec![AppCommand::start(JobKind::Screen(Screen::Onboard), move |job| {
            let written = written(Path::new(&folder), &onboarded, &request, &samples);
            job.emit(OnboardOutcome::Written(written.map_err(|e| with_causes(&e))));
        })]
    }
}

/// Writes the pieces and the diff; a sentence about both.
fn written(folder: &Path, onboarded: &Onboarded, request: &Request, samples: &[Sample]) -> Result<String> {
    let files = write_patch(folder, &onboarded.patch, false)?.len();
    let place = folder.display();
    let Some(repository) = &request.repository else {
        return Ok(format!("wrote {files} files to {place}; with --repo DIR also a diff"));
    };
    let (setup, tokens) = (&onboarded.onboarding.setup, &onboarded.tokens);
    let wish = RepositoryPatchRequest {
        script_arguments: repository.script_arguments.clone(),
        ..RepositoryPatchRequest::new(
            &repository.repo,
            request,
            setup,
            tokens,
            samples,
            repository.model_name.clone(),
        )
    };
    let placed = repository_patch(&onboarded.patch, &wish)?;
    let Some(first) = placed.missing.first() else {
        let path = write_diff(folder, &onboarded.patch, &placed)?;
        return Ok(format!("wrote {files} files and {}, for git apply", path.display()));
    };
    let first = first.lines().next().unwrap_or_default();
    if placed.diff.is_empty() {
        return Ok(format!("wrote {files} files to {place}, and no diff: {first}"));
    }
    let path = write_diff(folder, &onboarded.patch, &placed)?;
    Ok(format!("wrote {files} files and {}; left to do: {first}", path.display()))
}

/// The proposal for a set-up, proven on as many samples as the doctor looks at, and its patch.
fn onboarded(setup: &Setup, samples: &[Sample]) -> Result<Arc<Onboarded>> {
    let setup = llava_setup(setup)?;
    let onboarding = onboard(&setup, samples.get(..CHECKED).unwrap_or(samples))?;
    let tokens = proposal_tokens(&setup, &onboarding);
    let patch = patch(&onboarding.setup, NAME, &tokens)?;
    Ok(Arc::new(Onboarded { onboarding, patch, tokens }))
}

impl Component for OnboardScreen {
    fn refresh(&mut self, session: &Session) -> Vec<AppCommand> {
        let (Some(view), Some(samples)) = (session.shown(), session.samples.ready().cloned()) else {
            return Vec::new();
        };
        let same = |(setup, known): &(Arc<Setup>, Arc<Vec<Sample>>)| {
            Arc::ptr_eq(setup, &view.setup) && Arc::ptr_eq(known, &samples)
        };
        if self.made_for.as_ref().is_some_and(same) {
            return Vec::new();
        }
        let setup = view.setup.clone();
        self.made_for = Some((setup.clone(), samples.clone()));
        (self.result, self.top) = (Load::Loading, 0);
        vec![AppCommand::start(JobKind::Screen(Screen::Onboard), move |job| {
            let made = onboarded(&setup, &samples).map_err(|error| with_causes(&error));
            job.emit(OnboardOutcome::Onboarded(made));
        })]
    }

    fn handle(&mut self, _session: &Session, panes: &Panes, action: Action) -> Option<Vec<AppCommand>> {
        // The drawing knows how many lines there are; far beyond any is the last page.
        const MOST: usize = 400;
        match action {
            Action::Back if self.result.is_loading() => {
                (self.result, self.made_for) = (Load::Failed("cancelled".to_string()), None);
                return Some(vec![AppCommand::Abandon(JobKind::Screen(Screen::Onboard))]);
            }
            ADOPT => {
                let fix = self.result.ready().map(|onboarded| &onboarded.onboarding.fix);
                return Some(match fix {
                    Some(fix) if fix.changes.is_empty() => {
                        vec![AppCommand::say("the set-up is the proposal already")]
                    }
                    Some(fix) => vec![AppCommand::AdoptFix(Box::new(fix.clone()), None)],
                    None => Vec::new(),
                });
            }
            WRITE => {
                let prompt = AppCommand::Over(Overlay::Path(PathPrompt::new(PathUse::Patch)));
                return Some(self.result.ready().map(|_| prompt).into_iter().collect());
            }
            action => self.top = self.top.saturating_add_signed(lines(panes, action)?).min(MOST),
        }
        Some(Vec::new())
    }

    fn done(&mut self, _session: &Session, outcome: Outcome) -> Vec<AppCommand> {
        match outcome.downcast::<OnboardOutcome>().map(|outcome| *outcome) {
            Ok(OnboardOutcome::Onboarded(made)) => self.result = made.into(),
            Ok(OnboardOutcome::Written(Ok(text))) => return vec![AppCommand::say(text)],
            Ok(OnboardOutcome::Written(Err(error))) => return vec![AppCommand::complain(error)],
            Err(_) => {}
        }
        Vec::new()
    }

    fn broken(&mut self, error: String) {
        self.result = Load::Failed(error);
    }
}
