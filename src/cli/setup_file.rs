//! `--setup FILE` and the settings: options that were not given on the command line come from there.
//!
//! A set-up file has the options of the command line as its keys, with `_` for `-`. Each of its values is read as clap
//! reads it, so that a file can say what the command line can, and nothing else.

use std::path::Path;

use clap::Parser;

use super::{Arguments, CliCommand, SharedOptions};
use crate::config::{Settings, TomlEntry, TomlFile, TomlValue};
use crate::error::{Error, Result};
use crate::setup::{FLAGS, KEYS, PATHS};

impl Arguments {
    /// Takes what was not given from the file of `--setup`, then from a person's settings.
    ///
    /// # Errors
    /// A file that cannot be read, and one that says what nobody understands.
    pub fn complete(&mut self, settings: &Settings) -> Result<()> {
        let names_data = match &self.command {
            Some(CliCommand::Scan(scan)) => !scan.files.is_empty() || scan.stdin || scan.command.is_some(),
            _ => false,
        };
        if let Some(path) = self.shared.setup.clone() {
            let mut file = SharedOptions::of_setup(&path)?;
            file.data = file.data.filter(|_| !names_data);
            self.shared.fill(file);
        }
        let is_set =
            |names: &[&str]| names.iter().any(|name| std::env::var_os(name).is_some_and(|v| !v.is_empty()));
        let shared = &mut self.shared;
        if shared.tokenizer.is_empty() {
            shared.tokenizer.extend(settings.tokenizer.clone());
        }
        if !names_data {
            shared.data = shared.data.take().or(settings.data.clone());
        }
        // The variables that Python reads stand above a file of ours.
        if !is_set(&["HF_ENDPOINT"]) {
            shared.hub_endpoint = shared.hub_endpoint.take().or(settings.endpoint.clone());
        }
        if !is_set(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME"]) {
            shared.cache_dir = shared.cache_dir.take().or(settings.cache_dir.clone());
        }
        if !is_set(&["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]) {
            shared.offline |= settings.offline == Some(true);
        }
        Ok(())
    }
}

impl SharedOptions {
    /// The options that a set-up file names.
    ///
    /// # Errors
    /// A file that cannot be read, and one that says what nobody understands.
    pub fn of_setup(path: &Path) -> Result<Self> {
        of_file(&TomlFile::read(path)?)
    }

    /// Takes the options of a file that were not given.
    fn fill(&mut self, file: Self) {
        fn list<T>(own: &mut Vec<T>, file: Vec<T>) {
            if own.is_empty() {
                *own = file;
            }
        }
        fn one<T>(own: &mut Option<T>, file: Option<T>) {
            *own = own.take().or(file);
        }
        list(&mut self.tokenizer, file.tokenizer);
        one(&mut self.data, file.data);
        one(&mut self.layout, file.layout);
        one(&mut self.template, file.template);
        one(&mut self.preprocess, file.preprocess);
        one(&mut self.numbers.sep2, file.numbers.sep2);
        one(&mut self.numbers.start, file.numbers.start);
        one(&mut self.numbers.round, file.numbers.round);
        one(&mut self.numbers.instruction, file.numbers.instruction);
        list(&mut self.repository.repo, file.repository.repo);
        list(&mut self.repository.version, file.repository.version);
        list(&mut self.repository.function, file.repository.function);
        one(&mut self.repository.model_name, file.repository.model_name);
        list(&mut self.repository.script_arg, file.repository.script_arg);
        one(&mut self.repository.setup_code, file.repository.setup_code);
        one(&mut self.chat.chat_template, file.chat.chat_template);
        one(&mut self.chat.template_kwargs, file.chat.template_kwargs);
        self.chat.add_generation_prompt |= file.chat.add_generation_prompt;
        one(&mut self.chat.continue_final_message, file.chat.continue_final_message);
        one(&mut self.chat.clock, file.chat.clock);
        list(&mut self.chat.strategy_option, file.chat.strategy_option);
        one(&mut self.recipe, file.recipe);
        one(&mut self.unk, file.unk);
        one(&mut self.eos, file.eos);
        one(&mut self.bos, file.bos);
        one(&mut self.pad, file.pad);
        list(&mut self.loader, file.loader);
        list(&mut self.legacy, file.legacy);
        list(&mut self.transformers, file.transformers);
        one(&mut self.split_pattern, file.split_pattern);
        one(&mut self.model_max_length, file.model_max_length);
        self.mm_use_im_start_end |= file.mm_use_im_start_end;
        one(&mut self.image_tokens, file.image_tokens);
    }
}

/// The options that a file names.
fn of_file(file: &TomlFile) -> Result<SharedOptions> {
    let mut all = parsed(&[]).map_err(|e| Error::Usage(e.to_string()))?;
    for entry in &file.entries {
        if !KEYS.contains(&entry.key.as_str()) {
            return Err(file.unknown(entry, KEYS));
        }
        let one = parsed(&words(file, entry)?).map_err(|error| {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            file.complain(entry.line, first.trim_start_matches("error: "))
        })?;
        all.fill(one);
    }
    Ok(all)
}

fn parsed(words: &[String]) -> std::result::Result<SharedOptions, clap::Error> {
    let line = ["maskscope".to_string()].into_iter().chain(words.iter().cloned());
    Ok(Arguments::try_parse_from(line)?.shared)
}

/// An entry as the command line has it.
fn words(file: &TomlFile, entry: &TomlEntry) -> Result<Vec<String>> {
    let key = entry.key.as_str();
    let option = key.replace('_', "-");
    let one = |value: &str| vec![format!("--{option}={}", located(file, key, value))];
    Ok(match &entry.value {
        TomlValue::Flag(true) if FLAGS.contains(&key) => vec![format!("--{option}")],
        TomlValue::Flag(false) if FLAGS.contains(&key) => Vec::new(),
        _ if FLAGS.contains(&key) => return Err(file.wrong(entry, "true or false")),
        TomlValue::Text(text) => one(text),
        TomlValue::Flag(flag) => one(&flag.to_string()),
        TomlValue::Number(number) => one(number),
        TomlValue::Texts(texts) => texts.iter().flat_map(|text| one(text)).collect(),
        TomlValue::Table(_) | TomlValue::Other => {
            return Err(file.wrong(entry, "a text, a number or a list of texts"));
        }
    })
}

/// A path of a set-up is meant from the file's folder; the names of embedded samples and of the hub are no paths.
fn located(file: &TomlFile, key: &str, value: &str) -> String {
    let beside = file.path.parent().unwrap_or(Path::new("")).join(value);
    let is_path = match key {
        "tokenizer" => beside.exists(),
        "template" => value.ends_with(".jinja") || beside.is_file(),
        key => PATHS.contains(&key) && value != "-" && !value.contains("://"),
    };
    if is_path { beside.display().to_string() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Args;

    fn read(text: &str) -> Result<SharedOptions> {
        of_file(&TomlFile::parse(Path::new("/s/setup.toml"), text)?)
    }

    #[test]
    fn every_key_is_an_option_and_every_option_but_a_persons_own_is_a_key() {
        let all = SharedOptions::augment_args(clap::Command::new("x"));
        let own = [
            "offline",
            "cache_dir",
            "hub_endpoint",
            "hub_token",
            "device",
            "format",
            "color",
            "setup",
            "config",
        ];
        let ids: Vec<&str> = all.get_arguments().map(|argument| argument.get_id().as_str()).collect();
        for id in &ids {
            assert!(KEYS.contains(id) != own.contains(id), "{id}");
        }
        assert!(KEYS.iter().all(|key| ids.contains(key)));
    }

    #[test]
    fn a_file_says_what_the_command_line_says() {
        let text = "tokenizer = 'org/name'\ndata = 'rows.jsonl'\npad = 'unk'\nlegacy = false\nmodel_max_length = 512\n\
                    transformers = '4.37'\nadd_generation_prompt = true\nstrategy_option = ['a=b']\nstart = -1\n";
        let options = read(text).expect("options");
        assert_eq!(
            (options.tokenizer, options.data),
            (vec!["org/name".into()], Some("/s/rows.jsonl".into()))
        );
        assert_eq!(
            (options.pad.as_deref(), options.legacy, options.numbers.start),
            (Some("unk"), vec![false], Some(-1))
        );
        assert_eq!(options.model_max_length, Some(512));
        assert!(options.chat.add_generation_prompt);
    }

    #[test]
    fn what_is_not_understood_is_named_with_its_line() {
        for (text, part) in [
            (
                "\ntokeniser = 'x'",
                "setup.toml: line 2: unknown key \"tokeniser\"; did you mean \"tokenizer\"?",
            ),
            ("model_max_length = 'long'", "line 1: invalid value 'long'"),
            ("add_generation_prompt = 'x'", "line 1: \"add_generation_prompt\" takes true or false"),
            ("hub_token = 'x'", "unknown key \"hub_token\""),
        ] {
            let error = read(text).expect_err(text).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
