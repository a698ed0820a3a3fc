//! Releases that refuse a folder which other releases have saved: which, with what exception, and what to change.
//!
//! Measured with transformers 4.57.6 and 5.24 (`tokenization_utils_base.py`, `auto/tokenization_auto.py`); 4.31 with its
//! own. Nothing is refused here: the folder is loaded, and the note says who does not.

use serde_json::Value;

use super::files::FileSet;
use crate::error::Result;

/// Classes that only transformers 5 has.
const ONLY_IN_5: [&str; 3] = ["TokenizersBackend", "SentencePieceBackend", "PythonBackend"];

/// What of a configuration older releases stumble over, a sentence each.
pub fn of_configuration(files: &FileSet) -> Result<Vec<String>> {
    let Some(config) = files.json("tokenizer_config.json")? else { return Ok(Vec::new()) };
    let mut notes = Vec::new();
    let class = config.get("tokenizer_class").and_then(Value::as_str).unwrap_or_default();
    if ONLY_IN_5.contains(&class) {
        notes.push(format!(
            "saved by transformers 5; 4.x refuses this folder (ValueError: Tokenizer class {class} does not exist or is not \
             currently imported.): set tokenizer_class to PreTrainedTokenizerFast in tokenizer_config.json, or use \
             transformers 5"
        ));
    }
    if config.get("extra_special_tokens").is_some_and(Value::is_array) {
        notes.push(
            "saved by transformers 5; 4.57 refuses this folder (AttributeError: 'list' object has no attribute 'keys', as \
             extra_special_tokens is a list): rename it to additional_special_tokens in tokenizer_config.json, or use \
             transformers 5"
                .to_string(),
        );
    }
    Ok(notes)
}

/// The id that files give a token.
pub type KnownId<'a> = &'a dyn Fn(&str) -> Option<u32>;

/// What 4.31 says of ids in added_tokens.json: `length` is that of the vocabulary before them, and `known` gives a
/// token's id where the files come with a tokenizer.json (`None` where they do not).
pub fn of_added_tokens_4_31(
    added: &[(String, u32)],
    length: usize,
    known: Option<KnownId<'_>>,
) -> Option<String> {
    let mut sorted: Vec<&(String, u32)> = added.iter().collect();
    sorted.sort_by_key(|(_, id)| *id);
    sorted.iter().enumerate().find_map(|(position, (token, id))| {
        let expected = length + position;
        if usize::try_from(*id) == Ok(expected) {
            return None;
        }
        let error = match known {
            None => format!(
                "Non-consecutive added token '{token}' found. Should have index {expected} but has index {id} in saved \
                 vocabulary."
            ),
            Some(known) => {
                let own = known(token).filter(|own| own != id)?;
                format!("Wrong index found for {token}: should be {own} but found {id}.")
            }
        };
        Some(format!(
            "transformers 4.31 refuses this folder (ValueError: {error}): give the tokens of added_tokens.json the ids \
             from {length} on without a gap, leave out those that the vocabulary has, or use 4.34 or later"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_and_ids_of_the_vocabulary_are_refused() {
        let added =
            |list: &[(&str, u32)]| list.iter().map(|(t, id)| (t.to_string(), *id)).collect::<Vec<_>>();
        assert_eq!(of_added_tokens_4_31(&added(&[("<b>", 101), ("<a>", 100)]), 100, None), None);
        for (list, message) in [
            (added(&[("<unk>", 0)]), "'<unk>' found. Should have index 100 but has index 0"),
            (added(&[("<a>", 105)]), "'<a>' found. Should have index 100 but has index 105"),
            (added(&[("<a>", 100), ("<b>", 102)]), "'<b>' found. Should have index 101 but has index 102"),
        ] {
            let note = of_added_tokens_4_31(&list, 100, None).unwrap();
            assert!(note.contains(message), "{note}");
        }
        let known = |_: &str| Some(7);
        let wrong = of_added_tokens_4_31(&added(&[("<a>", 105)]), 100, Some(&known)).unwrap();
        assert!(wrong.contains("Wrong index found for <a>: should be 7 but found 105."), "{wrong}");
        assert_eq!(of_added_tokens_4_31(&added(&[("<a>", 7)]), 100, Some(&known)), None);
    }
}
