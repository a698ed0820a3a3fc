//! Changing the set-up: to a new one, back to an older one, and back from one that cannot be carried out.

use std::sync::Arc;

use super::command::AppCommand;
use super::data::DataSource;
use super::fix::SuggestedFix;
use super::job::JobKind;
use super::load::Load;
use super::session::{HistoryStep, Session};
use crate::chat::Sample;
use crate::diagnose::{Change, DataFix, Fix};
use crate::setup::Request;
use crate::tokenizer::Role;

impl Session {
    /// A request that cannot be carried out: says why, and goes back to the last one that could.
    pub fn refuse(&mut self, error: String) -> Vec<AppCommand> {
        let mut commands = vec![AppCommand::complain(error)];
        if self.request == self.good_request {
            return commands;
        }
        self.history.pop();
        let request = self.good_request.clone();
        if let (Some(view), None) = (self.shown(), self.base.ready()) {
            // The tokenizer of the last good request is still there: it need not be loaded again.
            self.base = Load::Ready(view.setup.base.clone());
            (self.request, self.survey.is_stale, self.fix) = (request, true, Load::Idle);
            commands.extend(self.inspect());
        } else {
            commands.extend(self.adopt(request));
        }
        commands
    }

    /// Ends the loading of a tokenizer and goes back to the one before it.
    pub fn stop_loading(&mut self) -> Vec<AppCommand> {
        (self.base, self.progress) = (Load::Failed("cancelled".to_string()), None);
        let error = format!("loading {} was cancelled", self.request.tokenizer);
        let mut commands = vec![AppCommand::Abandon(JobKind::Tokenizer)];
        commands.extend(self.refuse(error));
        commands
    }

    /// Ends the reading of a file and goes back to the data before it.
    pub fn stop_reading(&mut self) -> Vec<AppCommand> {
        let error = format!("reading {} was cancelled", self.source.name());
        vec![AppCommand::Abandon(JobKind::Samples), self.no_samples(error)]
    }

    /// Data that could not be read: says why; the data before stays, as the tokenizer does.
    pub fn no_samples(&mut self, error: String) -> AppCommand {
        (self.samples, self.reading) = (Load::Failed(error.clone()), None);
        if let Some(former) = self.former.take() {
            self.set_data(former);
        }
        AppCommand::complain(error)
    }

    /// Changes the set-up, and remembers the old one.
    pub fn change(&mut self, request: Request) -> Vec<AppCommand> {
        if request == self.request {
            return Vec::new();
        }
        self.keep_step(HistoryStep { request: self.request.clone(), data: None, sample: None });
        self.adopt(request)
    }

    /// Changes the set-up and the data with it; undo brings back both.
    pub fn change_with_data(&mut self, request: Request, source: DataSource) -> Vec<AppCommand> {
        if request == self.request && source == self.source {
            return Vec::new();
        }
        self.keep_step(HistoryStep { request: self.request.clone(), data: self.data(), sample: None });
        let mut commands = self.adopt(request);
        commands.push(self.load_samples(source));
        commands
    }

    /// Works with another request from now on.
    pub(super) fn adopt(&mut self, request: Request) -> Vec<AppCommand> {
        let loaded = self.base.ready().is_some();
        let same_tokenizer = request.tokenizer == self.request.tokenizer && request.load == self.request.load;
        self.rows_decide |= request.tokenizer != self.request.tokenizer;
        self.request = request;
        (self.survey.is_stale, self.fix, self.before_fix) = (true, Load::Idle, None);
        if same_tokenizer && loaded { self.inspect() } else { vec![self.load_tokenizer()] }
    }

    /// Makes the suggested change.
    pub fn apply_suggested_fix(&mut self) -> Vec<AppCommand> {
        match &self.fix {
            Load::Ready(Some(SuggestedFix { request, label, .. })) => {
                let said = AppCommand::say(format!("{label} applied; {{undo}} undoes it"));
                let request = request.clone();
                [vec![said], self.change(request)].into_iter().flatten().collect()
            }
            Load::Loading => {
                self.wants_fix = true;
                vec![AppCommand::say("still trying what could help: what is found is applied; esc leaves it")]
            }
            _ if self.cause.is_none() => vec![AppCommand::say("nothing to fix: this sample is sound")],
            _ => vec![AppCommand::say("no change of the set-up repairs this sample: the data needs a look")],
        }
    }

    /// Applies a fix of the doctor in memory: a change of the request, and samples that are left out.
    pub fn adopt_fix(&mut self, fix: &Fix, before: Option<(usize, usize)>) -> Vec<AppCommand> {
        let Some(setup) = self.shown().map(|view| view.setup.clone()) else { return Vec::new() };
        if fix.changes.is_empty() {
            let text = format!("{}: that is a change of the template's own text", fix.summary);
            return vec![AppCommand::say(text)];
        }
        let of_code = |change: &Change| {
            !matches!(change, Change::Token(..) | Change::MaxLength(_) | Change::Drop(_) | Change::Data(_))
        };
        if setup.repository().is_some() && fix.changes.iter().any(of_code) {
            let text =
                "this changes the repository's code: {fix} tries its own lines changed, where that helps";
            return vec![AppCommand::say(text)];
        }
        let (request, dropped) = fix.request(&self.request, &setup);
        let mut commands = vec![AppCommand::say(format!("{} applied; {{undo}} undoes it", fix.summary))];
        let of_data: Vec<&DataFix> = fix.changes.iter().filter_map(Change::of_data).collect();
        let changes_data = !dropped.is_empty() || !of_data.is_empty();
        let left = self.samples.ready().filter(|_| changes_data).map(|samples| {
            let kept = samples.iter().enumerate().filter(|(i, _)| !dropped.contains(i));
            let changed =
                |sample: &Sample| of_data.iter().fold(sample.clone(), |now, fix| fix.apply_to(&now));
            kept.map(|(_, sample)| changed(sample)).collect::<Vec<Sample>>()
        });
        match left {
            None => commands.extend(self.change(request)),
            Some(kept) => {
                self.keep_step(HistoryStep {
                    request: self.request.clone(),
                    data: self.data(),
                    sample: None,
                });
                self.samples = Load::Ready(Arc::new(kept));
                (self.current, self.draft) = (0, None);
                commands.extend(self.adopt(request));
            }
        }
        self.before_fix = before;
        commands
    }

    /// Goes back to the request, and the data, before the last change, and says what that undid.
    pub fn undo(&mut self) -> Vec<AppCommand> {
        let Some(step) = self.history.pop() else {
            self.before_fix = None;
            return vec![AppCommand::say("nothing to undo")];
        };
        let (left, commands) = self.go_to(step, "undone");
        self.undone.push(left);
        commands
    }

    /// Takes back the last undo.
    pub fn redo(&mut self) -> Vec<AppCommand> {
        let Some(step) = self.undone.pop() else { return vec![AppCommand::say("nothing to do again")] };
        let (left, commands) = self.go_to(step, "done again");
        self.history.push(left);
        commands
    }

    /// Goes to a step; gives the present one, to come back to.
    fn go_to(&mut self, step: HistoryStep, word: &str) -> (HistoryStep, Vec<AppCommand>) {
        let HistoryStep { request, data, sample } = step;
        let changed = match &sample {
            Some((index, _)) => format!("the edit of sample {}", index + 1),
            None => changed_parts(&self.request, &request, data.is_some()),
        };
        let mut left = HistoryStep {
            request: self.request.clone(),
            data: data.as_ref().and_then(|_| self.data()),
            sample: None,
        };
        let mut commands = Vec::new();
        if let (Some((index, before)), Load::Ready(samples)) = (sample, &mut self.samples) {
            if let Some(sample) = Arc::make_mut(samples).get_mut(index) {
                left.sample = Some((index, std::mem::replace(sample, before)));
            }
            (self.current, self.draft) = (index, None);
        }
        if let Some(data) = data {
            self.set_data(data);
            (self.current, self.draft) = (0, None);
            commands.push(AppCommand::Abandon(JobKind::Samples));
        }
        commands.extend(self.adopt(request));
        commands.push(AppCommand::say(format!("{word}: {changed}")));
        (left, commands)
    }

    /// Remembers a state to go back to.
    pub(super) fn keep_step(&mut self, step: HistoryStep) {
        self.undone.clear();
        self.history.push(step);
    }
}

/// What differs between two set-ups, in the words of the header.
fn changed_parts(from: &Request, to: &Request, data: bool) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut part = |name: &'static str, differs: bool| parts.extend(differs.then_some(name));
    part("tokenizer", from.tokenizer != to.tokenizer);
    part("class or release", from.load != to.load);
    part("template", from.template != to.template);
    part("rule", from.preprocess != to.preprocess);
    part("recipe", from.recipe != to.recipe);
    for role in Role::ALL {
        part(role.name(), from.overrides.get(&role) != to.overrides.get(&role));
    }
    part("settings of the chat template", from.chat != to.chat);
    part("repository: its template, function or lines", from.repository != to.repository);
    part("data", data);
    match parts.as_slice() {
        [] => "a setting".to_string(),
        parts => parts.join(", "),
    }
}
