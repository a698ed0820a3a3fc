//! Whose vocabulary it is, told from ids: files travel under wrong names.

use super::check::{Check, CheckOutcome};
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;

pub const CHECK: Check = Check { id: "MSK063", title: "the vocabulary is not what the name says", run };

/// What the models of one family call themselves, and the ids of `This is first sentence` in their vocabulary.
const FAMILIES: [(&str, &[&str], &[u32]); 2] = [
    ("Llama 1 and 2", &["llama-2", "llama2", "llama_2", "vicuna"], &[910, 338, 937, 10541]),
    ("Mistral", &["mistral", "mixtral"], &[851, 349, 907, 12271]),
];

const PROBE: &str = "This is first sentence";

fn run(context: &Context<'_>) -> CheckOutcome {
    let tokenizer = &context.setup.tokenizer;
    let Ok(encoding) = tokenizer.encode(PROBE, false) else {
        return CheckOutcome::skipped("the probe cannot be encoded");
    };
    // A folder's name says something; where it lies does not.
    let name = tokenizer.name.trim_end_matches(['/', '\\']).to_lowercase();
    let name = name.rsplit_once(['/', '\\']).map_or(name.as_str(), |(_, last)| last);
    let named = FAMILIES.iter().find(|(_, words, _)| words.iter().any(|word| name.contains(word)));
    let real = FAMILIES.iter().find(|(.., ids)| *ids == encoding.ids);
    match (named, real) {
        (Some((said, ..)), Some((is, ..))) if said != is => {
            let cause = format!(
                "the name speaks of {said}, but the ids are those of {is}'s vocabulary: with the weights of {said} every \
                 id would mean another token"
            );
            CheckOutcome::found(Verdict::Warn, Vec::new(), cause)
                .evidence("name", tokenizer.name.clone())
                .evidence(PROBE, format!("{:?}", encoding.ids))
        }
        (_, Some(_)) => CheckOutcome::ok(),
        (_, None) => CheckOutcome::skipped(
            "the ids of the vocabularies that share one class are known for Llama and Mistral only",
        ),
    }
}
