//! The code that a user adds to a MoE-LLaVA-style training repository for a tokenizer.
//!
//! It is written from the set-up that was proven, so it gives the labels that are shown: tokens after the
//! tokenizer is made, a `preprocess_NAME` function, the template and its registration, the dispatch line, the
//! flags of the stages, and a pytest that pins three conversations. Nothing here is run by maskscope.

mod files;
mod function;
mod insertion;
mod notes;
mod pieces;
mod pins;
mod places;
mod proof;
mod python;
mod repository;
mod request;
mod stage_1;
mod texts;
mod tokens;
mod work;

pub use files::{write_diff, write_patch};
pub use pieces::Patch;
pub use pins::pins_are_supervised;
pub use python::{python_added, python_object, python_string};
pub use repository::repository_patch;
pub use request::RepositoryPatchRequest;
pub use work::RepositoryPatch;

use super::arithmetic::{Arithmetic, has_two_separators};
use crate::chat::Template;
use crate::error::{Error, Result};
use crate::setup::LlavaSetup;
use crate::tokenizer::Role;
pub(super) use tokens::{TokenLines, python_token_lines};
use tokens::{role_line, tokenizer_lines};

/// Letters of a name.
const LONGEST_NAME: usize = 64;

/// Writes the patch of a set-up with a two-separator rule. `tokens` are the overrides that lead to it.
///
/// # Errors
/// [`Error::Usage`] for rules or templates of another family, or a name that is no Python identifier.
pub fn patch(setup: &LlavaSetup, name: &str, tokens: &TokenLines) -> Result<Patch> {
    let identifier = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !identifier {
        return Err(Error::Usage(format!("{name:?} cannot be part of a Python function's name")));
    }
    if name.len() > LONGEST_NAME {
        return Err(Error::Usage(format!(
            "--name: at most {LONGEST_NAME} letters, since files are named after it"
        )));
    }
    if name.contains("mmtag") {
        let text = format!(
            "{name:?}: LLaVA's code puts tags around images for every version with mmtag in its name"
        );
        return Err(Error::Usage(text));
    }
    let two = setup.labelling.rule.two().filter(|_| has_two_separators(setup));
    let Some(two) = two else {
        let rule = setup.labelling.rule.name();
        return Err(Error::Usage(format!("a patch needs a two-separator rule and template, not {rule}")));
    };
    Ok(Patch {
        name: name.to_string(),
        tokenizer_lines: own_lines(setup, tokens),
        function: function::function(
            two,
            Arithmetic::of(setup, false).map_or(0, |a| a.later),
            &function::plain_signature(name),
        ),
        dispatch: format!(
            "    if conversation_lib.default_conversation.version == {}:\n        \
             return preprocess_{name}(sources, tokenizer, has_image=has_image)\n",
            python_string(name)
        ),
        template: template(&setup.labelling.template, name),
        registration: format!("    {}: conv_{name},\n", python_string(name)),
        flags: format!(
            "# stage 1 (image pre-training) keeps: --version plain\n# stages 2 and 3: --version {name}\n"
        ),
        pytest: pins::pytest(setup, name, tokens),
    })
}

/// The lines for a script in the manner of LLaVA, which sets pad from unk for every version: behind those.
fn own_lines(setup: &LlavaSetup, tokens: &TokenLines) -> String {
    let mut lines = tokenizer_lines(setup, tokens);
    if !tokens.iter().any(|(role, _)| *role == Role::Pad) {
        lines += &match setup.tokenizer.special.get(Role::Pad) {
            Some(_) => role_line(&setup.tokenizer, Role::Pad),
            None => {
                "# the collator needs a pad token, and this tokenizer has none: see `maskscope onboard`\n"
                    .to_string()
            }
        };
    }
    lines
}

fn template(template: &Template, name: &str) -> String {
    let [user, assistant] = &template.roles;
    format!(
        "conv_{name} = Conversation(\n    system={},\n    roles=({}, {}),\n    version={},\n    messages=(),\n    \
         offset=0,\n    sep_style=SeparatorStyle.TWO,\n    sep={},\n    sep2={},\n)\n",
        python_string(&template.system),
        python_string(user),
        python_string(assistant),
        python_string(name),
        python_string(&template.sep),
        python_string(template.sep2.as_deref().unwrap_or("")),
    )
}
