//! A patched repository is run in the sandbox before it is offered: its own set-up lines, its dispatch and its label function, on
//! samples, against what the set-up promises.

use std::sync::Arc;

use crate::chat::Sample;
use crate::error::Error;
use crate::labels::Inspection;
use crate::repository::{
    self, CallOptions, Checkout, DispatchEntry, FunctionChoice, Reading, RepositoryFunction, SetupCode, find,
    own_setup, read,
};
use crate::setup::LlavaSetup;
use crate::tokenizer::{LoadOptions, Role, Tokenizer};

/// How the script is called.
#[derive(Debug, Clone)]
pub struct ScriptCall {
    /// The tokenizer's files as the script loads them, without the user's wishes.
    pub base: Arc<Tokenizer>,
    pub load: LoadOptions,
    pub model_name: String,
    pub mm_use_im_start_end: bool,
    pub script_arguments: Vec<(String, String)>,
}

impl ScriptCall {
    fn function(
        &self,
        checkout: Checkout,
        entry: DispatchEntry,
        setup: Option<&SetupCode>,
    ) -> Result<RepositoryFunction, Error> {
        let options = CallOptions {
            model_name: self.model_name.clone(),
            mm_use_im_start_end: self.mm_use_im_start_end,
            script_arguments: self.script_arguments.clone(),
            ..CallOptions::default()
        };
        RepositoryFunction::new(checkout, entry, self.base.clone(), self.load, setup, options)
    }
}

/// Why a patched repository is not known to do what is promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unproven {
    /// It does something else, in words.
    Differs(String),
    /// The sandbox lacks something, or ended the code: nothing is known.
    NotRun(String),
}

impl Unproven {
    /// The reason, in words.
    pub fn why(&self) -> &str {
        match self {
            Self::Differs(why) | Self::NotRun(why) => why,
        }
    }
}

impl From<Error> for Unproven {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        // What the sandbox lacks is raised by name, with what the user can do; all else is the code's own exception.
        let lacks = ["sandbox", "--script-arg", "--setup-code"].iter().any(|word| text.contains(word));
        match error {
            Error::Usage(_) if !lacks => Self::Differs(text),
            _ => Self::NotRun(text),
        }
    }
}

/// The function that a version leads to in a changed checkout, its tokenizer made by the repository's own lines.
///
/// # Errors
/// The lines raise, use something that the sandbox does not have, or make no tokenizer.
pub fn reached(checkout: Checkout, version: &str, call: &ScriptCall) -> Result<RepositoryFunction, Unproven> {
    let reading = read(&checkout)?;
    let entry = entry_of(&checkout, &reading, version)?;
    // In the script there is no tokenizer before its own lines.
    let setup = own_setup(&checkout, &reading, &entry)
        .map(|lines| SetupCode { text: format!("tokenizer = None\n{}", lines.text), ..lines });
    Ok(call.function(checkout, entry, setup.as_ref())?)
}

fn entry_of(checkout: &Checkout, reading: &Reading, version: &str) -> Result<DispatchEntry, Error> {
    find(checkout, reading, &FunctionChoice { version: Some(version.to_string()), function: None })
}

/// Labels of one sample, or the exception's kind.
type SampleLabels = Result<Vec<i64>, String>;

/// What a version makes of samples with the tokenizer as it is loaded; `None` where it cannot be run.
pub fn labels_of(
    checkout: &Checkout,
    reading: &Reading,
    version: &str,
    call: &ScriptCall,
    samples: &[Sample],
) -> Option<Vec<SampleLabels>> {
    let entry = entry_of(checkout, reading, version).ok()?;
    let function = call.function(checkout.clone(), entry, None).ok()?;
    let labels = |sample| match repository::inspect(&function, sample).result {
        Ok(labelled) => Ok(labelled.labels),
        Err(error) => Err(error.kind.to_string()),
    };
    Some(samples.iter().map(labels).collect())
}

/// Roles whose tokens the lines left otherwise than the set-up has them.
pub fn other_roles(function: &RepositoryFunction, promised: &Tokenizer) -> Vec<Role> {
    let Some(tokenizer) = function.tokenizer() else { return Role::ALL.to_vec() };
    let content =
        |tokenizer: &Tokenizer, role: Role| tokenizer.special.get(role).map(|token| token.content.clone());
    Role::ALL.into_iter().filter(|role| content(&tokenizer, *role) != content(promised, *role)).collect()
}

/// Roles whose token is the promised one and has another id.
pub fn other_ids(function: &RepositoryFunction, promised: &Tokenizer) -> Vec<Role> {
    let Some(tokenizer) = function.tokenizer() else { return Vec::new() };
    Role::ALL.into_iter().filter(|role| tokenizer.role_id(*role) != promised.role_id(*role)).collect()
}

/// True where the lines loaded the class that the set-up was made with, in its way.
pub fn is_loaded_alike(function: &RepositoryFunction, promised: &Tokenizer) -> bool {
    let Some(tokenizer) = function.tokenizer() else { return false };
    let facts = |tokenizer: &Tokenizer| {
        (tokenizer.facts.name.clone(), tokenizer.facts.loader, tokenizer.facts.legacy)
    };
    let comes_as_code = !promised.facts.can_add_tokens;
    let can_load = !comes_as_code
        || function
            .last_load()
            .is_some_and(|load| load.trusts_code || load.class.as_ref() == Some(&promised.facts.name));
    facts(&tokenizer) == facts(promised) && can_load
}

/// What comparing all samples came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Agreement {
    /// Samples whose ids and labels are equal.
    pub equal: usize,
    /// Samples whose placeholders the repository writes in its own way: another prompt, of which nothing is promised.
    pub other_prompt: usize,
}

/// Compares samples until one differs.
///
/// # Errors
/// The first sample that differs, and how.
pub fn compared(
    function: &RepositoryFunction,
    setup: &LlavaSetup,
    samples: &[Sample],
) -> Result<Agreement, Unproven> {
    let mut found = Agreement::default();
    // How long a sample may be is the script's to say, and no part of the promise.
    let mut setup = setup.clone();
    setup.labelling.options.model_max_length = function.max_length();
    for sample in samples {
        let (own, promised) = (repository::inspect(function, sample), setup.inspect(sample));
        let of_sample = |what: String| Unproven::Differs(format!("sample {}: {what}", sample.id));
        if let Err(error) = &own.result
            && matches!(error.kind.as_ref(), "SandboxError" | "NotAvailable")
        {
            return Err(Unproven::NotRun(format!("sample {}: {}", sample.id, error.message)));
        }
        match difference(&own, &promised) {
            Difference::None => found.equal += 1,
            // Placeholders of images are what repositories rewrite; nothing else may change.
            Difference::Prompt
                if sample.has_image || sample.conversations.iter().any(|t| t.value.contains('<')) =>
            {
                found.other_prompt += 1;
            }
            Difference::Prompt => return Err(of_sample("another prompt".to_string())),
            Difference::Labels(what) => return Err(of_sample(what)),
        }
    }
    Ok(found)
}

enum Difference {
    None,
    Prompt,
    Labels(String),
}

fn difference(own: &Inspection, promised: &Inspection) -> Difference {
    if own.prompt.is_some() && promised.prompt.is_some() && own.prompt != promised.prompt {
        return Difference::Prompt;
    }
    match (&own.result, &promised.result) {
        (Ok(own), Ok(promised)) if own.input_ids != promised.input_ids => {
            let at =
                own.input_ids.iter().zip(&promised.input_ids).take_while(|(own, promised)| own == promised);
            Difference::Labels(format!(
                "{} ids, and {} are promised; the first other one is number {}",
                own.input_ids.len(),
                promised.input_ids.len(),
                at.count() + 1
            ))
        }
        (Ok(own), Ok(promised)) if own.labels != promised.labels => {
            let count = |labels: &[i64]| labels.iter().filter(|label| **label >= 0).count();
            Difference::Labels(format!(
                "{} supervised tokens, and {} are promised",
                count(&own.labels),
                count(&promised.labels)
            ))
        }
        (Ok(_), Ok(_)) => Difference::None,
        (Err(own), Err(promised)) if own.kind == promised.kind => Difference::None,
        (Err(own), _) => Difference::Labels(format!("{}: {}", own.kind, own.message)),
        (Ok(_), Err(promised)) => Difference::Labels(format!("labels, and {} is promised", promised.kind)),
    }
}
