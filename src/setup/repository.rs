//! `--repo` and its companions: from the user's words to a label function that is ready to run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::overrides::TokenChoice;
use crate::error::{Error, Result};
use crate::labelling::RepositoryLabelling;
use crate::labels::PromptOptions;
use crate::repository::{
    CallOptions, Checkout, FunctionChoice, LineEdit, RepositoryFunction, SetupCode, find, own_setup, read,
};
use crate::tokenizer::{LoadOptions, Role, Tokenizer};

/// What a user asks of a training repository.
#[derive(Debug, Clone)]
pub struct RepositoryRequest {
    pub repo: PathBuf,
    /// A key of its template registry.
    pub version: Option<String>,
    /// `FILE:NAME` or `FILE:CLASS.NAME`.
    pub function: Option<String>,
    pub model_name: Option<String>,
    /// Lines that make the tokenizer ready, in place of the repository's own.
    pub setup_code: Option<PathBuf>,
    /// Tokens that one image takes where the function writes them out.
    pub image_tokens: Option<usize>,
    /// The release of transformers in the user's own words.
    pub transformers: Option<String>,
    /// Arguments of the training script: name and value.
    pub script_arguments: Vec<(String, String)>,
    /// Lines of its files that are changed in memory.
    pub edits: Vec<LineEdit>,
    /// The function of the last request, with what it was made for: a set-up is made anew for every sample on screen.
    prepared: Arc<Mutex<Option<Prepared>>>,
}

/// What the rest of a request says to the function and its tokenizer.
#[derive(Debug, Clone, Copy)]
pub struct Wished<'a> {
    /// The name of the tokenizer: the model's, where no other is given.
    pub tokenizer: &'a str,
    pub load: LoadOptions,
    pub overrides: &'a BTreeMap<Role, TokenChoice>,
    pub model_max_length: Option<usize>,
    pub mm_use_im_start_end: bool,
}

#[derive(Debug)]
struct Prepared {
    base: Arc<Tokenizer>,
    /// The set-up lines and the options of the call, as text.
    made_for: String,
    labelling: RepositoryLabelling,
    setup: Option<SetupCode>,
    notes: Vec<String>,
}

impl PartialEq for RepositoryRequest {
    fn eq(&self, other: &Self) -> bool {
        let fields = |r: &Self| {
            (
                r.edits.clone(),
                r.script_arguments.clone(),
                r.repo.clone(),
                r.version.clone(),
                r.function.clone(),
                r.model_name.clone(),
                r.setup_code.clone(),
                r.image_tokens,
            )
        };
        fields(self) == fields(other)
    }
}

impl Eq for RepositoryRequest {}

impl RepositoryRequest {
    /// A request for a checkout.
    pub fn new(repo: PathBuf) -> Self {
        Self {
            repo,
            version: None,
            function: None,
            model_name: None,
            setup_code: None,
            image_tokens: None,
            transformers: None,
            script_arguments: Vec::new(),
            edits: Vec::new(),
            prepared: Arc::default(),
        }
    }

    /// The function, made once for a tokenizer and a request.
    ///
    /// # Errors
    /// The repository has no such function or version, or the set-up lines raise.
    pub fn labelling(
        &self,
        base: &Arc<Tokenizer>,
        wished: &Wished<'_>,
        notes: &mut Vec<String>,
    ) -> Result<RepositoryLabelling> {
        let given = match &self.setup_code {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
                Some(SetupCode { text, file: path.display().to_string() })
            }
            None => None,
        };
        let more = more_lines(wished);
        let made_for = format!(
            "{:?} {:?} {:?} {more} {}",
            self.fields(),
            (&self.edits, &self.script_arguments),
            given,
            wished.mm_use_im_start_end
        );
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = &*prepared
            && Arc::ptr_eq(&known.base, base)
            && known.made_for == made_for
        {
            notes.extend(known.notes.iter().cloned());
            return Ok(known.labelling.clone());
        }
        let made = self.prepare(base, wished, given, &more, made_for)?;
        notes.extend(made.notes.iter().cloned());
        let labelling = made.labelling.clone();
        *prepared = Some(made);
        Ok(labelling)
    }

    /// The same request with more lines changed.
    #[must_use]
    pub fn with_edits(&self, edits: &[LineEdit]) -> Self {
        let edits = self.edits.iter().chain(edits).cloned().collect();
        Self { edits, prepared: Arc::default(), ..self.clone() }
    }

    /// The same request with a function of its own: for a second tokenizer beside the first.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self { prepared: Arc::default(), ..self.clone() }
    }

    /// The same request for the files as they are on disk.
    #[must_use]
    pub fn without_edits(&self) -> Self {
        Self { edits: Vec::new(), ..self.detached() }
    }

    /// The same request for files that were written, with these changes in memory.
    #[must_use]
    pub fn with_other_edits(&self, edits: Vec<LineEdit>) -> Self {
        Self { edits, ..self.detached() }
    }

    /// The same request for another template of the repository.
    #[must_use]
    pub fn with_version(&self, version: &str) -> Self {
        Self { version: Some(version.to_string()), ..self.detached() }
    }

    /// The same request for another function: `FILE:NAME`.
    #[must_use]
    pub fn with_function(&self, place: &str) -> Self {
        Self { function: Some(place.to_string()), prepared: Arc::default(), ..self.clone() }
    }

    /// The lines that made the tokenizer of the last function ready.
    pub fn setup_lines(&self) -> Option<SetupCode> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.setup.clone()
    }

    fn fields(&self) -> (&Path, Option<&str>, Option<&str>, Option<&str>, Option<usize>) {
        (
            &self.repo,
            self.version.as_deref(),
            self.function.as_deref(),
            self.model_name.as_deref(),
            self.image_tokens,
        )
    }

    fn prepare(
        &self,
        base: &Arc<Tokenizer>,
        wished: &Wished<'_>,
        given: Option<SetupCode>,
        more: &str,
        made_for: String,
    ) -> Result<Prepared> {
        let checkout = Checkout::open(&self.repo)?.with_edits(&self.edits)?;
        let reading = read(&checkout)?;
        let choice = FunctionChoice { version: self.version.clone(), function: self.function.clone() };
        let entry = find(&checkout, &reading, &choice)?;
        let mut notes = entry.notes.clone();
        notes.push(format!("{}:{} {} is run in the sandbox", entry.file, entry.line, entry.name));
        let lines = given.or_else(|| own_setup(&checkout, &reading, &entry));
        notes.push(match &lines {
            Some(lines) => format!("the tokenizer is made ready by {}", lines.file),
            None => "no lines that make a tokenizer ready were found: it is taken as loaded; --setup-code FILE gives some".into(),
        });
        let setup = match (lines, more.is_empty()) {
            (lines, true) => lines,
            (Some(lines), false) => Some(SetupCode { text: format!("{}\n{more}", lines.text), ..lines }),
            (None, false) => Some(SetupCode { text: more.to_string(), file: "command line".into() }),
        };
        let call = CallOptions {
            mm_use_im_start_end: wished.mm_use_im_start_end,
            image_tokens: self.image_tokens.unwrap_or(CallOptions::default().image_tokens),
            model_name: self.model_name.clone().unwrap_or_else(|| wished.tokenizer.to_string()),
            transformers: self.transformers.clone(),
            script_arguments: self.script_arguments.clone(),
            ..CallOptions::default()
        };
        let function =
            RepositoryFunction::new(checkout, entry, base.clone(), wished.load, setup.as_ref(), call)?;
        let options = PromptOptions {
            model_max_length: function.max_length(),
            mm_use_im_start_end: wished.mm_use_im_start_end,
            ..PromptOptions::default()
        };
        let labelling = RepositoryLabelling::new(Arc::new(function), options);
        Ok(Prepared { base: base.clone(), made_for, labelling, setup, notes })
    }
}

/// The user's own changes of the tokenizer, as lines of Python behind those of the repository.
fn more_lines(wished: &Wished<'_>) -> String {
    let order = [Role::Unk, Role::Eos, Role::Bos, Role::Sep, Role::Cls, Role::Mask, Role::Pad];
    let mut lines = String::new();
    for role in order {
        let attribute = role.attribute();
        match wished.overrides.get(&role) {
            None => {}
            Some(TokenChoice::CopyOf(from)) => {
                lines.push_str(&format!("tokenizer.{attribute} = tokenizer.{}\n", from.attribute()));
            }
            Some(TokenChoice::Surface(token) | TokenChoice::Object(token)) => {
                let token = crate::python::python_repr(token);
                lines.push_str(&format!("tokenizer.add_special_tokens({{\"{attribute}\": {token}}})\n"));
            }
        }
    }
    if let Some(length) = wished.model_max_length {
        lines.push_str(&format!("tokenizer.model_max_length = {length}\n"));
    }
    lines
}
