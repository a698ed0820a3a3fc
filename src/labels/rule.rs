//! The registry of the label rules, and the choice that the training code makes by a template's style and version.
//!
//! To add a rule: a file like `rules/phi_count.rs` and a line below (with the `mod` line in `rules/mod.rs`).

use super::rules::{self, RuleFacts};
use crate::chat::Template;

macro_rules! registry {
    ($($name:ident $file:ident,)*) => {
        /// A label rule (`preprocess_*` function); what each is stands in its file of [`rules`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rule {
            $($name,)*
        }

        impl Rule {
            /// All rules, in the order in which lists show them.
            pub const ALL: [Self; [$(stringify!($name)),*].len()] = [$(Self::$name),*];

            /// What its file says of it.
            pub fn facts(self) -> &'static RuleFacts {
                match self {
                    $(Self::$name => &rules::$file::RULE,)*
                }
            }
        }
    };
}

registry! {
    V1 v1,
    Phi phi,
    Openchat openchat,
    Llama2 llama_2,
    Mpt mpt,
    Plain plain,
    V0 v0,
    DocQwenPhi doc_qwen_phi,
    DocStablelm doc_stablelm,
    PhiCount phi_count,
    LlavaV1 llava_v1,
    LlavaMpt llava_mpt,
    MgmV1 mgm_v1,
    Bunny bunny,
    BunnyWithBos bunny_with_bos,
    LlavaNextMpt llava_next_mpt,
    MgmMpt mgm_mpt,
    LlavappLlama3 llavapp_llama3,
    LlavappPhi3 llavapp_phi3,
}

impl Rule {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// A rule by its name or another name of the same function.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name || rule.facts().aliases.contains(&name))
    }

    /// What a person should know of the rule, in a line.
    pub fn summary(self) -> &'static str {
        self.facts().summary
    }

    /// The text that must stand exactly once in a round, between instruction and answer.
    pub fn answer_mark(self, template: &Template) -> String {
        self.facts().counting.answer_mark(template)
    }

    /// The rule that the training code runs for a template: `v0` where no other is meant.
    pub fn dispatch(template: &Template) -> Self {
        Self::ALL.into_iter().find(|rule| (rule.facts().runs_for)(template)).unwrap_or(Self::V0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_template_has_one_rule() {
        let names = Rule::ALL
            .iter()
            .flat_map(|rule| [rule.name()].into_iter().chain(rule.facts().aliases.iter().copied()));
        let mut names: Vec<&str> = names.collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "{names:?}");
        for template in Template::names().into_iter().filter_map(Template::named) {
            let fits = Rule::ALL.iter().filter(|rule| (rule.facts().runs_for)(&template)).count();
            assert!(fits <= 1, "{}: {fits} rules", template.name);
        }
    }
}
