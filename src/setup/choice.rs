//! What a user may ask for as template, labels and recipe. Words are read here once; whoever decides later matches on
//! these types.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::recipe::Recipe;
use crate::chat::Template;
use crate::error::Error;
use crate::labels::{Rule, RuleChoice};
use crate::masks::Strategy;
use crate::samples::SAMPLE_PREFIX;

/// The word for a choice that follows something else.
pub const AUTO: &str = "auto";
/// The word for the recipe that changes nothing.
pub const NONE: &str = "none";
/// The word for the tokenizer's own chat template; `chat:NAME` is one of several.
pub const CHAT: &str = "chat";

/// Which template makes prompts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TemplateChoice {
    /// The recipe's, or by the tokenizer's eos; the tokenizer's own where a strategy is asked for.
    #[default]
    Auto,
    /// A LLaVA template by name.
    Llava(String),
    /// The tokenizer's own chat template; by name where it has several, else as transformers chooses.
    Chat(Option<String>),
    /// A built-in chat template by name, without `sample:`.
    Sample(String),
    /// A Jinja file.
    File(PathBuf),
    /// The text of a chat template, as a user edits it.
    Text(String),
}

impl TemplateChoice {
    /// Reads `--template`. A word that is neither a template's name nor a file is taken for a LLaVA template, which
    /// [`super::resolve()`] then does not find.
    pub fn parse(word: &str) -> Self {
        let own = word.strip_prefix(CHAT).map(|rest| (rest.is_empty(), rest.strip_prefix(':')));
        match (word, own) {
            (AUTO, _) => Self::Auto,
            (_, Some((true, _))) => Self::Chat(None),
            (_, Some((_, Some(name)))) => Self::Chat(Some(name.to_string())),
            _ => match word.strip_prefix(SAMPLE_PREFIX) {
                Some(name) => Self::Sample(name.to_string()),
                None if is_file(word) => Self::File(PathBuf::from(word)),
                None => Self::Llava(word.to_string()),
            },
        }
    }

    /// True for a chat template that was named or written.
    fn is_chat(&self) -> bool {
        !matches!(self, Self::Auto | Self::Llava(_))
    }

    /// True for a chat template of this program, which is shown on built-in messages.
    pub fn is_built_in(&self) -> bool {
        matches!(self, Self::Sample(_))
    }
}

impl From<&str> for TemplateChoice {
    fn from(word: &str) -> Self {
        Self::parse(word)
    }
}

/// What ends as template files do, or is a file and no LLaVA template's name.
fn is_file(word: &str) -> bool {
    [".jinja", ".jinja2", ".j2"].iter().any(|ending| word.ends_with(ending))
        || (Template::named(word).is_none() && Path::new(word).is_file())
}

impl std::fmt::Display for TemplateChoice {
    /// As `--template` takes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str(AUTO),
            Self::Llava(name) => f.write_str(name),
            Self::Chat(None) => f.write_str(CHAT),
            Self::Chat(Some(name)) => write!(f, "{CHAT}:{name}"),
            Self::Sample(name) => write!(f, "{SAMPLE_PREFIX}{name}"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Text(_) => f.write_str("an edited template"),
        }
    }
}

/// What decides which tokens are supervised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LabelChoice {
    /// The rule that the training code runs for the template; for a chat template the strategy that fits it.
    #[default]
    Auto,
    /// A label rule of LLaVA's templates.
    Rule(RuleChoice),
    /// A mask strategy of chat templates.
    Strategy(Strategy),
}

impl FromStr for LabelChoice {
    type Err = Error;

    /// Reads `--preprocess`.
    fn from_str(word: &str) -> Result<Self, Error> {
        let rule = Rule::named(word).map(|rule| Self::Rule(rule.into()));
        let found = rule.or_else(|| Strategy::named(word).map(Self::Strategy));
        found.or((word == AUTO).then_some(Self::Auto)).ok_or_else(|| {
            let rules = Rule::ALL.iter().map(|r| r.name());
            let known = rules.chain(Strategy::named_ones().map(Strategy::name)).map(String::from).collect();
            Error::UnknownName { kind: "rule or strategy", name: word.to_string(), known }
        })
    }
}

/// Which known backbone's set-up is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RecipeChoice {
    /// The one that fits the tokenizer; none with a chat template.
    #[default]
    Auto,
    /// The tokenizer as it was loaded.
    None,
    Named(&'static Recipe),
}

impl FromStr for RecipeChoice {
    type Err = Error;

    /// Reads `--recipe`.
    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            AUTO => Ok(Self::Auto),
            NONE => Ok(Self::None),
            name => Recipe::named(name).map(Self::Named).ok_or_else(|| {
                let known = [AUTO, NONE].into_iter().chain(Recipe::names()).map(String::from).collect();
                Error::UnknownName { kind: "recipe", name: name.to_string(), known }
            }),
        }
    }
}

/// True when template and labels together are of a chat template, and not LLaVA's.
pub(super) fn wants_chat(template: &TemplateChoice, labels: LabelChoice) -> bool {
    template.is_chat() || (*template == TemplateChoice::Auto && matches!(labels, LabelChoice::Strategy(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written_back() {
        for (word, choice) in [
            ("auto", TemplateChoice::Auto),
            ("phi", TemplateChoice::Llava("phi".into())),
            ("chat", TemplateChoice::Chat(None)),
            ("chat:tool_use", TemplateChoice::Chat(Some("tool_use".into()))),
            ("chatml", TemplateChoice::Llava("chatml".into())),
            ("sample:chatml", TemplateChoice::Sample("chatml".into())),
            ("a/b.jinja", TemplateChoice::File("a/b.jinja".into())),
        ] {
            assert_eq!(TemplateChoice::parse(word), choice, "{word}");
            assert_eq!(choice.to_string(), word);
        }
    }

    #[test]
    fn a_strategy_alone_asks_for_a_chat_template() {
        let labels = |word: &str| word.parse::<LabelChoice>().expect("a name");
        assert!(wants_chat(&TemplateChoice::Auto, labels("oi_prefix")));
        assert!(!wants_chat(&TemplateChoice::Auto, labels("phi")));
        assert!(!wants_chat(&"v1".into(), labels("oi_prefix")), "LLaVA's template is named");
        assert!("nothing".parse::<LabelChoice>().is_err() && "nothing".parse::<RecipeChoice>().is_err());
    }
}
