//! Other keys for acts, as a person's settings name them.

use super::binding::{Binding, KeyContext};
use super::key::Key;
use crate::config::{KeyWish, TomlFile, nearest};
use crate::error::Result;

/// The table with the keys that `wishes` give; what they do not name keeps its own.
///
/// # Errors
/// A place, an act or a key that is not known, and a key with two meanings in one place.
pub fn rebound(table: &[Binding], file: &TomlFile, wishes: &[KeyWish]) -> Result<Vec<Binding>> {
    let mut table = table.to_vec();
    for wish in wishes {
        let places: Vec<&str> = KeyContext::all().map(KeyContext::name).collect();
        let Some(context) = KeyContext::all().find(|c| c.name().eq_ignore_ascii_case(&wish.place)) else {
            return Err(unknown(file, wish.line, "place for keys", &wish.place, &places));
        };
        for key in &wish.keys {
            if Key::parse(key).is_none() {
                let message =
                    format!("{key:?} is no key: write one like x, X, ctrl-x, alt-enter, pgup or space");
                return Err(file.complain(wish.line, &message));
            }
        }
        let keys = shared(&wish.keys);
        let acts: Vec<&str> = table.iter().filter(|b| b.context == context).map(|b| b.help).collect();
        match table.iter_mut().find(|b| b.context == context && b.help == wish.act) {
            Some(binding) => binding.keys = keys,
            None => {
                return Err(unknown(
                    file,
                    wish.line,
                    &format!("act of {}", context.name()),
                    &wish.act,
                    &acts,
                ));
            }
        }
    }
    for wish in wishes {
        conflict(&table, file, wish)?;
    }
    Ok(table)
}

/// A key of a wish that another act of the same place has too.
fn conflict(table: &[Binding], file: &TomlFile, wish: &KeyWish) -> Result<()> {
    let same_place = |b: &&Binding| b.context.name().eq_ignore_ascii_case(&wish.place);
    for key in wish.keys.iter().filter_map(|key| Key::parse(key)) {
        let has = |b: &&Binding| b.keys.iter().any(|k| Key::parse(k) == Some(key));
        if let Some(other) = table.iter().filter(same_place).filter(has).find(|b| b.help != wish.act) {
            let message = format!(
                "{key} would be both {:?} and {:?} of {}: give one of them another key",
                wish.act,
                other.help,
                other.context.name()
            );
            return Err(file.complain(wish.line, &message));
        }
    }
    Ok(())
}

fn unknown(file: &TomlFile, line: usize, what: &str, name: &str, known: &[&str]) -> crate::error::Error {
    let meant = match nearest(name, known) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "`maskscope keys` lists all".to_string(),
    };
    file.complain(line, &format!("unknown {what} {name:?}; {meant}"))
}

/// Names of keys that live as long as the program: the table is read from everywhere.
fn shared(keys: &[String]) -> &'static [&'static str] {
    let keys: Vec<&'static str> = keys.iter().map(|key| &*key.clone().leak()).collect();
    keys.leak()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::bindings;
    use std::path::Path;

    fn made(place: &str, act: &str, keys: &[&str]) -> Result<Vec<Binding>> {
        let table: Vec<Binding> = bindings().copied().collect();
        let file = TomlFile { path: Path::new("c.toml").into(), entries: Vec::new() };
        let keys = keys.iter().map(|key| (*key).to_string()).collect();
        rebound(&table, &file, &[KeyWish { place: place.into(), act: act.into(), keys, line: 7 }])
    }

    #[test]
    fn an_act_gets_other_keys() {
        let table = made("everywhere", "choose a tokenizer", &["ctrl-t", "F"]).expect("a table");
        let binding = table.iter().find(|b| b.help == "choose a tokenizer").expect("the act");
        assert_eq!(binding.keys_text(), "ctrl-t F");
        assert_eq!(table.len(), bindings().count());
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (place, act, key, part) in [
            (
                "everywher",
                "next sample",
                "x",
                "line 7: unknown place for keys \"everywher\"; did you mean \"Everywhere\"?",
            ),
            (
                "Everywhere",
                "next sampl",
                "x",
                "unknown act of Everywhere \"next sampl\"; did you mean \"next sample\"?",
            ),
            ("Everywhere", "next sample", "hyper-x", "\"hyper-x\" is no key"),
            ("Everywhere", "next sample", "q", "q would be both \"next sample\" and \"quit\" of Everywhere"),
        ] {
            let error = made(place, act, &[key]).expect_err(act).to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
