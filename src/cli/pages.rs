//! Completions for shells and pages for `man`, written from the definition of the command line.

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::Arguments;
use super::help::examples;

/// The definition without help texts of its own: every option stands in each page.
fn full() -> Command {
    Arguments::command().version(env!("CARGO_PKG_VERSION")).disable_version_flag(true)
}

/// The script that completes commands and options in a shell.
pub fn completions(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut full(), "maskscope", &mut script);
    script
}

/// The pages of `man`, each with the name of its file; the program's own is the first.
///
/// # Errors
/// None in practice: the pages are written into memory.
pub fn manual() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = full();
    command.build();
    let mut pages = Vec::new();
    add_page(&command, "", &mut pages)?;
    Ok(pages)
}

fn add_page(command: &Command, path: &str, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let man = Man::new(command.clone()).manual("maskscope");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    let lines = examples(path);
    if !lines.is_empty() {
        let mut roff = Roff::new();
        roff.control("SH", ["EXAMPLES"]);
        for line in lines {
            roff.control("TP", []).text([roman("")]).text([roman(line)]);
        }
        roff.to_writer(&mut page)?;
    }
    man.render_options_section(&mut page)?;
    if command.get_subcommands().any(|inner| !inner.is_hide_set()) {
        man.render_subcommands_section(&mut page)?;
    }
    pages.push((man.get_filename(), page));
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        add_page(inner, format!("{path} {}", inner.get_name()).trim_start(), pages)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn each_shell_and_each_command_has_its_text() {
        for shell in Shell::value_variants() {
            let script = String::from_utf8(completions(*shell)).expect("UTF-8");
            for word in ["inspect", "model-max-length", "moe"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
        let pages = manual().expect("pages");
        assert_eq!(pages[0].0, "maskscope.1");
        let scan = pages.iter().find(|(name, _)| name == "maskscope-scan.1").expect("a page");
        let text = String::from_utf8_lossy(&scan.1);
        assert!(text.contains("EXAMPLES") && text.contains("bad\\-ids") && text.contains("hub\\-endpoint"));
        assert!(pages.iter().any(|(name, _)| name == "maskscope-moe-route.1"));
        assert!(!pages.iter().any(|(name, _)| name.contains("sandbox")), "hidden commands have no page");
    }
}
