//! The texts of `--help` and of the manual pages: examples first, then a command's own options. What every command
//! takes is a list of its own, `maskscope help options`, so that the help of a command fits a screen.

use clap::{Arg, ArgAction, Args, Command, CommandFactory, FromArgMatches};

use super::{Arguments, CliCommand, SharedOptions};

/// The topic of `maskscope help` that is no command.
const OPTIONS: &str = "options";

/// Shared options that most calls have: the help of each command shows them too.
const COMMON: &[&str] = &["tokenizer", "data", "template"];

const TEMPLATE: &str = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

const MORE: &str = "The options that every command takes: maskscope help options";

/// Example calls of a command, by its name; the empty name is the program itself.
#[rustfmt::skip]
pub const EXAMPLES: &[(&str, &[(&str, &str)])] = &[
    ("", &[
        ("maskscope", "the screen, on a demo"),
        ("maskscope -t llama3/ -d train.jsonl", "your tokenizer and your data"),
        ("maskscope doctor -t org/name -d train.jsonl", "what is wrong, why, and what helps"),
        ("maskscope scan -t org/name data/", "a whole data set, counted"),
        ("maskscope help scan", "a command; help options: what all of them take"),
    ]),
    ("inspect", &[
        ("maskscope inspect -t llama3/ -d train.jsonl", "each sample: tokens, rounds, warnings"),
        ("maskscope inspect -d train.jsonl --format jsonl", "ids and labels, for a program"),
        ("maskscope inspect -d train.jsonl --check", "exit status 1 where a sample is lost"),
    ]),
    ("encode", &[
        ("echo 'Hello world' | maskscope encode -t llama3/", "a line is a text"),
        (r#"echo '"two\nlines"' | maskscope encode --format jsonl"#, "or a string of JSON"),
        ("maskscope encode --add-special-tokens false < texts.txt", "without bos and eos"),
    ]),
    ("doctor", &[
        ("maskscope doctor -t llama3/ -d train.jsonl", "every check that found something"),
        ("maskscope doctor --fix-search -d train.jsonl", "look for the smallest change that works"),
        ("maskscope doctor --format sarif > report.sarif", "for code scanning"),
    ]),
    ("onboard", &[
        ("maskscope onboard -t org/new-model", "template, rule and tokens, proven"),
        ("maskscope onboard -t org/new-model --repo LLaVA/ > new.patch", "as a patch of a repository"),
    ]),
    ("patch", &[
        ("maskscope patch -t org/model --repo LLaVA/ > fix.patch", "a diff for git apply"),
        ("maskscope patch -t org/model --out pieces/", "a file a piece"),
    ]),
    ("special", &[
        ("maskscope special -t llama3/ --pad unk", "the table, and what pad = unk changes"),
    ]),
    ("scan", &[
        ("maskscope scan -t llama3/ data/", "the data files of a folder"),
        ("maskscope scan 'data/*.jsonl.gz' --format html > report.html", "a page to send around"),
        ("maskscope scan data/ --bad-ids bad.txt --write-good good.jsonl", "the lost ones, and the others"),
    ]),
    ("compare", &[
        ("maskscope compare -t llama2/ -t llama3/ -d train.jsonl", "two tokenizers"),
        ("maskscope compare -t llama2/ --loader slow --loader fast", "two classes of one"),
    ]),
    ("strategies", &[
        ("maskscope strategies -t org/name --template chat -d chats.jsonl", "each trainer's labels, side by side"),
    ]),
    ("images", &[
        ("maskscope images -t org/model --image-size 1344x672", "how many tokens one image takes"),
    ]),
    ("repo", &[("maskscope repo LLaVA/", "templates, dispatch and label functions of a checkout")]),
    ("trace", &[("maskscope trace --repo LLaVA/ --version v1 -d train.json", "what its label function counted")]),
    ("verify", &[("maskscope verify --repo LLaVA/ --python venv/bin/python", "the same ids and labels there?")]),
    ("frame", &[
        ("maskscope frame --screen doctor --size 100x30", "a screen as text"),
        ("maskscope frame --keys 'f n n' --format svg > fixed.svg", "after some keys, as a picture"),
        ("maskscope frame --keys 't mistral enter'", "a word is typed where something is open to type into"),
    ]),
    ("completions", &[
        ("maskscope completions bash > ~/.local/share/bash-completion/completions/maskscope", ""),
        ("maskscope completions zsh > ~/.zfunc/_maskscope", "a folder of $fpath"),
        ("maskscope completions fish > ~/.config/fish/completions/maskscope.fish", ""),
    ]),
    ("man", &[
        ("maskscope man | man -l -", "read the first page"),
        ("maskscope man ~/.local/share/man/man1", "install all"),
    ]),
    ("moe route", &[
        ("maskscope moe route -d train.json", "the built-in model on your samples"),
        ("maskscope moe route --checkpoint org/moe --layers 0..4", "a model's first layers"),
    ]),
    ("moe convert", &[
        ("maskscope moe convert --checkpoint dense/ --out moe/", "every second layer, four experts"),
    ]),
];

/// The examples of a command as lines; nothing for one that has none.
pub(super) fn examples(path: &str) -> Vec<String> {
    let Some((_, lines)) = EXAMPLES.iter().find(|(name, _)| *name == path) else { return Vec::new() };
    let width = lines.iter().map(|(line, _)| line.len()).max().unwrap_or(0);
    let one = |(line, what): &(&str, &str)| match what.is_empty() {
        true => (*line).to_string(),
        false => format!("{line:width$}  # {what}"),
    };
    lines.iter().map(one).collect()
}

impl Arguments {
    /// The process's own arguments.
    ///
    /// # Errors
    /// Bad usage, and the texts of `--help` and `--version`.
    pub fn from_process() -> Result<Self, clap::Error> {
        let matches = definition().try_get_matches()?;
        let arguments = Self::from_arg_matches(&matches)?;
        match &arguments.command {
            Some(CliCommand::Help { topic }) => Err(of_topic(topic)),
            _ => Ok(arguments),
        }
    }
}

/// The definition that arguments are read by, with its help.
fn definition() -> Command {
    let mut command = Arguments::command();
    for id in shared_ids().into_iter().filter(|id| !COMMON.contains(&id.as_str())) {
        command = command.mut_arg(id, |argument| argument.hide(true));
    }
    with_examples(command, "")
}

/// The names of the options that every command takes.
fn shared_ids() -> Vec<String> {
    let all = SharedOptions::augment_args(Command::new(OPTIONS));
    all.get_arguments().map(|argument| argument.get_id().to_string()).collect()
}

fn with_examples(command: Command, path: &str) -> Command {
    let lines: String = examples(path).iter().map(|line| format!("\n  {line}")).collect();
    let command = match lines.is_empty() {
        true => command,
        false => command.before_help(format!("Examples:{lines}")),
    };
    let path = path.to_string();
    // One text for -h and --help: the long form puts every option on lines of its own.
    let help = Arg::new("help").short('h').long("help").help("This help").action(ArgAction::HelpShort);
    command.disable_help_flag(true).arg(help).help_template(TEMPLATE).after_help(MORE).mut_subcommands(
        move |inner| {
            let path = format!("{path} {}", inner.get_name());
            with_examples(inner, path.trim_start())
        },
    )
}

/// What `maskscope help TOPIC` prints, or why it cannot.
fn of_topic(topic: &[String]) -> clap::Error {
    let (command, words) = match topic {
        [only] if only == OPTIONS => {
            let options = Command::new("maskscope help options").max_term_width(110);
            let about = "Options that every command and the screen take. Those of one command: maskscope help COMMAND";
            (
                SharedOptions::augment_args(options.about(about))
                    .help_template("{about-with-newline}\n{all-args}"),
                &[][..],
            )
        }
        topic => (definition(), topic),
    };
    let line = ["maskscope"].into_iter().chain(words.iter().map(String::as_str)).chain(["--help"]);
    match command.clone().try_get_matches_from(line) {
        Err(help) => help,
        Ok(_) => command.clone().error(clap::error::ErrorKind::InvalidSubcommand, "no such topic of help"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of a line as a shell has them, without pipes and redirections around the program.
    fn words(line: &str) -> Vec<String> {
        let from = line.find("maskscope").expect("the program");
        let line = &line[from..];
        let mut words = vec![String::new()];
        let mut quote = false;
        for c in line.chars() {
            match c {
                '\'' => quote = !quote,
                '|' | '<' | '>' if !quote => break,
                ' ' if !quote => words.push(String::new()),
                c => words.last_mut().expect("a word").push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn every_example_is_a_call_and_every_command_of_the_list_exists() {
        for (path, lines) in EXAMPLES {
            let mut command = definition();
            for word in path.split_whitespace() {
                command = command.find_subcommand(word).unwrap_or_else(|| panic!("{path}")).clone();
            }
            for (line, _) in *lines {
                if line.contains("maskscope help") {
                    continue;
                }
                let matches = definition().try_get_matches_from(words(line));
                let matches = matches.unwrap_or_else(|error| panic!("{line}: {error}"));
                Arguments::from_arg_matches(&matches).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
        }
    }

    #[test]
    fn the_help_of_a_command_fits_a_screen_and_begins_with_examples() {
        fn check(command: &Command, path: &str) {
            let words: Vec<String> = path.split_whitespace().map(String::from).collect();
            let text = of_topic(&words).to_string();
            let lines = text.lines().count();
            let room = if path.is_empty() { 72 } else { 52 };
            assert!(lines <= room, "{path}: {lines} lines\n{text}");
            assert!(text.contains("maskscope help options"), "{path}");
            if let Some((first, _)) =
                EXAMPLES.iter().find(|(name, _)| *name == path).and_then(|(_, l)| l.first())
            {
                assert!(
                    text.find(first).expect("an example") < text.find("Usage:").expect("a usage"),
                    "{path}"
                );
            }
            for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
                check(inner, format!("{path} {}", inner.get_name()).trim_start());
            }
        }
        definition().debug_assert();
        check(&definition(), "");
    }

    #[test]
    fn every_shared_option_stands_in_the_topic_options() {
        let text = of_topic(&[OPTIONS.to_string()]).to_string();
        for id in shared_ids() {
            assert!(text.contains(&format!("--{}", id.replace('_', "-"))), "{id}");
        }
        assert!(of_topic(&["nonsense".to_string()]).use_stderr());
    }
}
