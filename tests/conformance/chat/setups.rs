//! The goldens through the path of the command line: a folder of files, a [`Request`], [`resolve`], `Setup::inspect`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use maskscope::chat::{Sample, sample_of};
use maskscope::labels::Inspection;
use maskscope::masks::StrategySettings;
use maskscope::setup::{ChatOptions, Request, Setup, TemplateChoice, load_tokenizer, resolve};
use maskscope::tokenizer::{LoadOptions, Release, Tokenizer};
use serde_json::{Value, json};

use super::clock;
use super::tokenizer::Tokenizers;

/// The goldens keep this many characters of an error.
const ERROR_CHARS: usize = 190;

/// Tokenizers as a user has them: folders that `save_pretrained` would write, loaded as chat templates take them.
pub struct Setups {
    made: Tokenizers,
    folders: tempfile::TempDir,
    loaded: RefCell<BTreeMap<String, Arc<Tokenizer>>>,
}

/// What is asked for beside the tokenizer.
#[derive(Default)]
pub struct ResolvedRequest<'a> {
    /// `--template`: a path, or empty.
    pub template: &'a str,
    /// A template's text instead.
    pub source: Option<&'a str>,
    pub preprocess: &'a str,
    /// `--strategy-option`.
    pub options: Vec<String>,
    pub model_max_length: Option<usize>,
}

impl Setups {
    pub fn new(root: &Path) -> Self {
        let folders = tempfile::tempdir().unwrap();
        Self { made: Tokenizers::new(root), folders, loaded: RefCell::default() }
    }

    /// The folder of a tokenizer, written at the first call.
    pub fn folder(&self, name: &str) -> std::path::PathBuf {
        let folder = self.folders.path().join(name);
        if !folder.exists() {
            std::fs::create_dir(&folder).unwrap();
            let made = self.made.get(name);
            std::fs::write(folder.join("tokenizer.json"), made.json()).unwrap();
            let mut config = made.special_tokens.clone();
            config.insert("tokenizer_class".into(), json!("PreTrainedTokenizerFast"));
            std::fs::write(folder.join("tokenizer_config.json"), Value::Object(config).to_string()).unwrap();
        }
        folder
    }

    fn tokenizer(&self, name: &str) -> Arc<Tokenizer> {
        let load = || {
            let request = Request {
                tokenizer: self.folder(name).display().to_string(),
                load: LoadOptions { release: Release::V5, ..LoadOptions::default() },
                ..Request::default()
            };
            load_tokenizer(&request, &mut |_| ControlFlow::Continue(())).unwrap()
        };
        self.loaded.borrow_mut().entry(name.into()).or_insert_with(load).clone()
    }

    /// One sample under a wish.
    pub fn inspect(&self, tokenizer: &str, wish: &ResolvedRequest, sample: &Sample) -> Inspection {
        self.setup(tokenizer, wish).inspect(sample)
    }

    /// What a wish comes to.
    pub fn setup(&self, tokenizer: &str, wish: &ResolvedRequest) -> Setup {
        let request = Request {
            template: match (wish.source, wish.template) {
                (Some(source), _) => TemplateChoice::Text(source.to_string()),
                (None, "") => TemplateChoice::Auto,
                (None, word) => word.into(),
            },
            preprocess: wish.preprocess.parse().unwrap(),
            chat: ChatOptions {
                clock: clock(),
                settings: StrategySettings::parse(&wish.options).unwrap(),
                ..ChatOptions::default()
            },
            model_max_length: wish.model_max_length,
            ..Request::default()
        };
        resolve(&self.tokenizer(tokenizer), &request).unwrap()
    }
}

/// The sample of a golden record.
pub fn sample(record: &Value) -> Sample {
    sample_of(record, None, 0, 1, Path::new("golden")).unwrap()
}

/// What came out, in the goldens' words: ids and labels, or the error.
pub fn outcome(inspection: &Inspection) -> Result<(Vec<i64>, Vec<i64>), String> {
    match &inspection.result {
        Ok(labelled) => Ok((labelled.input_ids.clone(), labelled.labels.clone())),
        Err(error) => Err(error.to_string().chars().take(ERROR_CHARS).collect()),
    }
}

/// What a golden says came out; `ids` are those of the record around it.
pub fn expected(record: &Value, ids: &Value) -> Result<(Vec<i64>, Vec<i64>), String> {
    if let Some(error) = record["error"].as_str() {
        return Err(error.to_string());
    }
    let ids = if record["input_ids"].is_array() { &record["input_ids"] } else { ids };
    let ids: Vec<u32> = super::u32s(ids);
    let labels = super::records::labels_of(record, &ids);
    Ok((ids.into_iter().map(i64::from).collect(), labels))
}
