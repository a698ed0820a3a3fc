//! `maskscope completions` and `maskscope man`: what is written for shells and for `man`.

use std::path::Path;

use super::shared::{CommandOutcome, print, say};
use crate::atomic_write::{self, Durability};
use crate::cli::{Shell, completions, manual};
use crate::error::{Error, Result};

pub fn run_completions(shell: Shell) -> Result<CommandOutcome> {
    let script = completions(shell);
    print(|out| out.write_all(&script))?;
    Ok(CommandOutcome::Clean)
}

pub fn run_man(folder: Option<&Path>) -> Result<CommandOutcome> {
    let pages = manual().map_err(|e| Error::write("the manual pages", e))?;
    let Some(folder) = folder else {
        if let Some((_, page)) = pages.first() {
            print(|out| out.write_all(page))?;
        }
        return Ok(CommandOutcome::Clean);
    };
    std::fs::create_dir_all(folder).map_err(|e| Error::write(folder, e))?;
    for (name, page) in &pages {
        let path = folder.join(name);
        atomic_write::write(&path, page, Durability::Process).map_err(|e| Error::write(&path, e))?;
    }
    say(&format!("{} pages written into {}", pages.len(), folder.display()));
    Ok(CommandOutcome::Clean)
}
