//! A set-up as a file that others can use: the options that ask for it, with paths from the file's folder.

use std::path::{Path, PathBuf};

use super::choice::{LabelChoice, RecipeChoice, TemplateChoice};
use super::overrides::TokenChoice;
use super::request::Request;
use crate::atomic_write;
use crate::chat::jinja::ContinueFinalMessage;
use crate::config::TomlValue;
use crate::error::{Error, Result};
use crate::labels::rules::two::{Offsets, TwoRule};
use crate::labels::{Rule, RuleChoice};
use crate::samples::SAMPLE_PREFIX;
use crate::tokenizer::{LoadOptions, Loader, Release};

/// What a set-up file may say: options of the command line, with `_` for `-`.
#[rustfmt::skip]
pub const KEYS: &[&str] = &[
    "tokenizer", "data", "layout", "template", "preprocess", "sep2", "start", "round", "instruction",
    "repo", "version", "function", "model_name", "script_arg", "setup_code",
    "chat_template", "template_kwargs", "add_generation_prompt", "continue_final_message", "clock", "strategy_option",
    "recipe", "unk", "eos", "bos", "pad", "loader", "legacy", "transformers", "split_pattern", "model_max_length",
    "mm_use_im_start_end", "image_tokens",
];
/// Those that are on or off.
pub const FLAGS: &[&str] = &["add_generation_prompt", "mm_use_im_start_end"];
/// Those that are always paths.
pub const PATHS: &[&str] = &["data", "repo", "setup_code"];

/// A set-up as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupFile {
    pub text: String,
    /// The text of an edited template, and the file beside it that the set-up names.
    pub template: Option<(PathBuf, String)>,
}

impl SetupFile {
    /// The set-up of a request, for a file at `path`; without one, paths are meant from the working folder.
    ///
    /// # Errors
    /// What no option can say.
    pub fn new(request: &Request, data: Option<&Path>, path: Option<&Path>) -> Result<Self> {
        let mut out = Writer { lines: Vec::new(), folder: path.map(folder_of) };
        out.tokenizer(&request.tokenizer);
        if let Some(data) = data {
            out.text("data", &out.path(data));
        }
        if let Some(layout) = request.layout {
            out.text("layout", layout.word());
        }
        let template = out.template(&request.template, path)?;
        out.labels(request.preprocess)?;
        if let Some(sep2) = &request.sep2 {
            out.text("sep2", sep2);
        }
        out.repository(request)?;
        out.chat(request);
        match request.recipe {
            RecipeChoice::Auto => {}
            RecipeChoice::None => out.text("recipe", super::choice::NONE),
            RecipeChoice::Named(recipe) => out.text("recipe", recipe.name),
        }
        for (role, choice) in &request.overrides {
            match choice {
                TokenChoice::Surface(token) | TokenChoice::Object(token) => out.text(role.name(), token),
                TokenChoice::CopyOf(from) => out.text(role.name(), from.name()),
            }
        }
        out.load(request);
        if let Some(length) = request.model_max_length {
            out.line("model_max_length", &TomlValue::Number(length.to_string()));
        }
        if request.mm_use_im_start_end {
            out.line("mm_use_im_start_end", &TomlValue::Flag(true));
        }
        let head = "# A set-up of maskscope: `maskscope --setup FILE`, and the same with every command.\n\
                    # Paths are meant from the folder of this file.\n";
        Ok(Self { text: format!("{head}{}", out.lines.concat()), template })
    }
}

impl SetupFile {
    /// Writes the file, and the template beside it; what is there already stays.
    ///
    /// # Errors
    /// A file that is there, and what the file system refuses.
    pub fn write(&self, path: &Path) -> Result<()> {
        if let Some((file, source)) = &self.template {
            atomic_write::write_new(file, source.as_bytes()).map_err(|e| Error::write(file, e))?;
        }
        atomic_write::write_new(path, self.text.as_bytes()).map_err(|e| Error::write(path, e))
    }
}

fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf())
}

struct Writer {
    lines: Vec<String>,
    /// The folder that paths are meant from; the working folder without one.
    folder: Option<PathBuf>,
}

impl Writer {
    fn line(&mut self, key: &str, value: &TomlValue) {
        self.lines.push(format!("{key} = {}\n", value.written()));
    }

    fn text(&mut self, key: &str, text: &str) {
        self.line(key, &TomlValue::Text(text.to_string()));
    }

    fn texts(&mut self, key: &str, texts: &[String]) {
        if !texts.is_empty() {
            self.line(key, &TomlValue::Texts(texts.to_vec()));
        }
    }

    /// A path as it is meant from the file's folder, where both have a folder in common.
    fn path(&self, path: &Path) -> String {
        let (Some(folder), Ok(whole)) = (&self.folder, path.canonicalize()) else {
            return path.display().to_string();
        };
        let (mut a, mut b) = (folder.components().peekable(), whole.components().peekable());
        let mut shared = 0;
        while a.peek().is_some() && a.peek() == b.peek() {
            a.next();
            b.next();
            shared += 1;
        }
        // Two drives have no way from one to the other, and a way over the root is no better than the whole path.
        if shared < 2 {
            return whole.display().to_string();
        }
        let up = a.map(|_| "..".to_string());
        let down = b.map(|part| part.as_os_str().to_string_lossy().into_owned());
        let parts: Vec<String> = up.chain(down).collect();
        if parts.is_empty() { ".".to_string() } else { parts.join("/") }
    }

    fn tokenizer(&mut self, spec: &str) {
        let path = Path::new(spec);
        let is_path = !spec.starts_with(SAMPLE_PREFIX) && path.exists();
        let written = if is_path { self.path(path) } else { spec.to_string() };
        self.text("tokenizer", &written);
    }

    /// Names the template; an edited one goes into a file of its own.
    fn template(
        &mut self,
        template: &TemplateChoice,
        path: Option<&Path>,
    ) -> Result<Option<(PathBuf, String)>> {
        match template {
            TemplateChoice::Auto => {}
            TemplateChoice::File(file) => self.text("template", &self.path(file)),
            TemplateChoice::Text(source) => {
                let Some(path) = path else {
                    return Err(Error::Usage(
                        "an edited template needs a file: name one for the set-up".to_string(),
                    ));
                };
                let file = path.with_extension("jinja");
                let name =
                    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                self.text("template", &name);
                return Ok(Some((file, source.clone())));
            }
            named => self.text("template", &named.to_string()),
        }
        Ok(None)
    }

    fn labels(&mut self, labels: LabelChoice) -> Result<()> {
        match labels {
            LabelChoice::Auto => {}
            LabelChoice::Strategy(strategy) => self.text("preprocess", strategy.name()),
            LabelChoice::Rule(RuleChoice::Named(rule)) => self.text("preprocess", rule.name()),
            LabelChoice::Rule(RuleChoice::CustomGrouped(_)) => {
                let text =
                    "no options say these numbers: they are of a repository's function, which --repo takes";
                return Err(Error::Usage(text.to_string()));
            }
            LabelChoice::Rule(RuleChoice::Custom(two)) => {
                let (rule, numbers) = numbers_of(two).ok_or_else(|| {
                    Error::Usage(
                        "no options say these numbers: offsets that differ for images and texts".to_string(),
                    )
                })?;
                self.text("preprocess", rule.name());
                for (key, number) in numbers {
                    self.line(key, &TomlValue::Number(number.to_string()));
                }
            }
        }
        Ok(())
    }

    fn repository(&mut self, request: &Request) -> Result<()> {
        let Some(repository) = &request.repository else { return Ok(()) };
        if !repository.edits.is_empty() {
            let text = "lines of the repository were changed in memory, which no option says: write them into the checkout";
            return Err(Error::Usage(text.to_string()));
        }
        self.text("repo", &self.path(&repository.repo));
        let named = [
            ("version", &repository.version),
            ("function", &repository.function),
            ("model_name", &repository.model_name),
        ];
        for (key, value) in named {
            if let Some(value) = value {
                self.text(key, value);
            }
        }
        let arguments: Vec<String> =
            repository.script_arguments.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.texts("script_arg", &arguments);
        if let Some(file) = &repository.setup_code {
            self.text("setup_code", &self.path(file));
        }
        if let Some(tokens) = repository.image_tokens {
            self.line("image_tokens", &TomlValue::Number(tokens.to_string()));
        }
        Ok(())
    }

    fn chat(&mut self, request: &Request) {
        let chat = &request.chat;
        if let Some(name) = &chat.name {
            self.text("chat_template", name);
        }
        if !chat.rendering.kwargs.is_empty() {
            let object = serde_json::Value::Object(chat.rendering.kwargs.clone());
            self.text("template_kwargs", &object.to_string());
        }
        if chat.rendering.add_generation_prompt {
            self.line("add_generation_prompt", &TomlValue::Flag(true));
        }
        match &chat.rendering.continue_final_message {
            ContinueFinalMessage::No => {}
            ContinueFinalMessage::Content => self.text("continue_final_message", "content"),
            ContinueFinalMessage::Field(field) => self.text("continue_final_message", field),
        }
        let clock = chat.clock.to_string();
        if !clock.is_empty() {
            self.text("clock", &clock);
        }
        // A fix of the doctor may have found the texts around an answer.
        let settings = &chat.settings;
        let found =
            [("instruction_part", &settings.instruction_part), ("response_part", &settings.response_part)];
        let is_one = |pair: &String| {
            let key = pair.split_once('=').map_or("", |(key, _)| key.trim());
            ["instruction_part", "instruction_template", "response_part", "response_template"].contains(&key)
        };
        let mut pairs: Vec<String> = chat.option_pairs.iter().filter(|pair| !is_one(pair)).cloned().collect();
        pairs.extend(found.iter().filter_map(|(key, text)| {
            let text = text.as_ref()?.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t");
            Some(format!("{key}={text}"))
        }));
        self.texts("strategy_option", &pairs);
    }

    fn load(&mut self, request: &Request) {
        let load = &request.load;
        match load.loader {
            None => {}
            Some(Loader::Slow) => self.text("loader", "slow"),
            Some(Loader::Fast) => self.text("loader", "fast"),
        }
        if let Some(legacy) = load.legacy {
            self.line("legacy", &TomlValue::Flag(legacy));
        }
        // What is taken without a wish is not written: it is taken again.
        let assumed = if request.wants_chat() { Release::V5 } else { LoadOptions::default().release };
        let said = request.repository.as_ref().and_then(|repository| repository.transformers.clone());
        if let Some(release) = said {
            self.text("transformers", &release);
        } else if request.chat.release.is_some() || load.release != assumed {
            self.text("transformers", load.release.name());
        }
        if let Some(pattern) = load.split_pattern {
            self.text("split_pattern", pattern);
        }
    }
}

/// The named rule, and the options that make these numbers of it.
fn numbers_of(two: TwoRule) -> Option<(Rule, Vec<(&'static str, i64)>)> {
    let rules = Rule::ALL.iter().filter_map(|rule| Some((*rule, RuleChoice::Named(*rule).two()?)));
    let mut best: Option<(Rule, Vec<(&'static str, i64)>)> = None;
    for (rule, own) in rules {
        let wanted = [
            ("start", two.start, own.start == two.start),
            (
                "round",
                two.image.round,
                own.image.round == two.image.round && own.text.round == two.text.round,
            ),
            (
                "instruction",
                two.image.instruction,
                own.image.instruction == two.image.instruction
                    && own.text.instruction == two.text.instruction,
            ),
        ];
        let changed: Vec<(&'static str, i64)> =
            wanted.into_iter().filter(|(.., same)| !same).map(|(key, number, _)| (key, number)).collect();
        let number = |key: &str| changed.iter().find(|(k, _)| *k == key).map(|(_, number)| *number);
        let offsets = |own: Offsets| Offsets {
            round: number("round").unwrap_or(own.round),
            instruction: number("instruction").unwrap_or(own.instruction),
        };
        let made = TwoRule {
            start: number("start").unwrap_or(own.start),
            image: offsets(own.image),
            text: offsets(own.text),
            ..own
        };
        if made == two && best.as_ref().is_none_or(|(_, numbers)| changed.len() < numbers.len()) {
            best = Some((rule, changed));
        }
    }
    best
}
