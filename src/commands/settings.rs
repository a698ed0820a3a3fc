//! `maskscope config` and `maskscope setup`: files that say what is asked for, and where they are.

use std::path::Path;

use super::shared::{CommandOutcome, print, say};
use crate::app::settings_text;
use crate::cli::SharedOptions;
use crate::config::ConfigPlace;
use crate::error::Result;
use crate::setup::SetupFile;

/// The default settings, with comments.
pub fn run_config(shared: &SharedOptions) -> Result<CommandOutcome> {
    let place = ConfigPlace::find(shared.config.clone());
    let found = match place.path() {
        None => "# Looked for: nowhere (MASKSCOPE_CONFIG is empty, or there is no home folder).".to_string(),
        Some(path) => {
            let state = if path.exists() { "is there" } else { "is not there yet" };
            format!("# Looked for: {} ({state}); MASKSCOPE_CONFIG or --config names another.", path.display())
        }
    };
    let found = crate::text::plain(&found).to_string();
    print(|out| {
        write!(
            out,
            "# Settings of maskscope. Every line that is commented out says what is so without it.\n{found}\n\
             # Order: options of the command line, --setup, variables of Python's hub library, this file.\n\n\
             # Colours for which background: \"auto\", \"dark\" or \"light\".\n# theme = \"auto\"\n\n\
             # What opens without -t and -d; paths are meant from the folder of this file. Without both, a demo.\n\
             # tokenizer = \"sample:phi-2\"\n# data = \"train.jsonl\"\n\n[hub]\n\
             # offline = false\n# cache_dir = \"/home/me/.cache/huggingface/hub\"\n\
             # endpoint = \"https://huggingface.co\"\n\n\
             # Keys: acts by their names in `maskscope keys`, each with a key or a list of keys.\n{}",
            settings_text()
        )
    })?;
    Ok(CommandOutcome::Clean)
}

/// The set-up of the options as a file.
pub fn run_setup(shared: &SharedOptions, file: Option<&Path>) -> Result<CommandOutcome> {
    let (request, _) = shared.request()?;
    let setup = SetupFile::new(&request, shared.data.as_deref(), file)?;
    let Some(file) = file else {
        print(|out| out.write_all(setup.text.as_bytes()))?;
        return Ok(CommandOutcome::Clean);
    };
    setup.write(file)?;
    say(&format!("{} written; maskscope --setup {} opens it", file.display(), file.display()));
    Ok(CommandOutcome::Clean)
}
