//! A chat template in several files of one folder, and which of them each reader takes.
//!
//! | reader | order |
//! | --- | --- |
//! | AutoTokenizer 4.37 | tokenizer_config.json, one text; a list raises |
//! | AutoTokenizer 4.57, 5 | chat_template.jinja and additional_chat_templates, else tokenizer_config.json |
//! | AutoProcessor 4.57 | chat_template.json, else chat_template.jinja and additional ones, else processor_config.json |
//! | AutoProcessor 5 | processor_config.json, else chat_template.json, else chat_template.jinja and additional ones |

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::jinja::{PythonException, TemplateQuery, TemplateSet};
use crate::error;
use crate::tokenizer::FileSet;

/// The template that a reader takes of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Taken {
    /// File and, where it has several, the name.
    place: String,
    text: String,
}

/// Chat templates of one folder that differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateConflict {
    /// Each file that has templates, with the names of those it has.
    pub places: Vec<(String, String)>,
    /// Each reader with what it takes.
    pub readers: Vec<(String, String)>,
    /// Readers of today take different texts, or raise; else only an older one does.
    pub is_fault: bool,
}

/// Files that hold templates, in the order in which they are shown.
const CONFIGS: [&str; 3] = ["tokenizer_config.json", "chat_template.json", "processor_config.json"];

/// The templates of a folder, where two files have different ones of the same name.
///
/// # Errors
/// Files that cannot be read.
pub fn template_conflict(files: &FileSet) -> error::Result<Option<TemplateConflict>> {
    let raw = TemplateSet::of_jinja_files(files)?;
    let mut configured = BTreeMap::new();
    for name in CONFIGS {
        configured.insert(name, TemplateSet::of_config_file(files, name)?);
    }
    let has_processor = files.has("processor_config.json")
        || files.has("preprocessor_config.json")
        || files.has("chat_template.json");
    let [tokenizer, legacy, processor] = CONFIGS.map(|name| configured.remove(name).unwrap_or_default());
    let sets = [&raw, &tokenizer, &legacy, &processor];
    if sets.iter().filter(|set| !set.is_empty()).count() < 2 {
        return Ok(None);
    }
    let first = |order: &[&TemplateSet]| {
        order.iter().find(|set| !set.is_empty()).map(|set| taken(set)).unwrap_or(Err(none()))
    };
    // A reader that finds a legacy file beside named ones refuses both.
    let clash = !legacy.is_empty() && raw.names().any(|name| name != "default");
    let of_processor = |order: &[&TemplateSet]| match clash {
        true => Err("ValueError: Cannot load chat template due to conflicting files".to_string()),
        false => first(order),
    };
    let mut readers = vec![
        ("AutoTokenizer 4.57 and 5".to_string(), first(&[&raw, &tokenizer])),
        ("AutoTokenizer 4.37".to_string(), of_4_37(&tokenizer)),
    ];
    if has_processor {
        readers.push(("AutoProcessor 4.57".into(), of_processor(&[&legacy, &raw, &processor])));
        readers.push(("AutoProcessor 5".into(), of_processor(&[&processor, &legacy, &raw])));
    }
    let filled: Vec<BTreeMap<&str, &str>> =
        sets.iter().filter(|set| !set.is_empty()).map(|set| trimmed(set)).collect();
    let same = filled.windows(2).all(|pair| pair.first() == pair.get(1));
    let today: Vec<&Result<Taken, String>> =
        readers.iter().filter(|(name, _)| !name.ends_with("4.37")).map(|(_, taken)| taken).collect();
    let shared = today.iter().filter_map(|taken| taken.as_ref().ok()).map(|taken| &taken.text);
    let is_fault = today.iter().any(|taken| taken.is_err()) || shared.collect::<BTreeSet<_>>().len() > 1;
    let without_default = sets.iter().any(|set| !set.is_empty() && taken(set).is_err());
    if same && !without_default && !clash {
        return Ok(None);
    }
    let named = |set: &TemplateSet| set.names().collect::<Vec<_>>().join(", ");
    let raw_names = ["chat_template.jinja and additional_chat_templates"].into_iter().chain(CONFIGS);
    let places = raw_names.zip(sets).filter(|(_, set)| !set.is_empty());
    let shown = |(name, taken): (String, Result<Taken, String>)| match taken {
        Ok(taken) => (name, taken.place),
        Err(error) => (name, error),
    };
    Ok(Some(TemplateConflict {
        places: places.map(|(place, set)| (place.to_string(), named(set))).collect(),
        readers: readers.into_iter().map(shown).collect(),
        is_fault,
    }))
}

/// The template for conversations without tools.
fn taken(set: &TemplateSet) -> Result<Taken, String> {
    let source = set.choose(&TemplateQuery::default()).map_err(|error: PythonException| error.to_string())?;
    let place = source.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Taken { place, text: without_break(&source.text).to_string() })
}

fn trimmed(set: &TemplateSet) -> BTreeMap<&str, &str> {
    set.texts().map(|(name, text)| (name, without_break(text))).collect()
}

/// Jinja drops one line break at the end.
fn without_break(text: &str) -> &str {
    text.strip_suffix('\n').unwrap_or(text)
}

/// 4.37 knows the key of tokenizer_config.json, one text.
fn of_4_37(tokenizer: &TemplateSet) -> Result<Taken, String> {
    match tokenizer.is_empty() {
        true => Err("the class's own default: it reads none of these files".to_string()),
        false if tokenizer.is_single() => taken(tokenizer),
        false => Err("TypeError: unhashable type: 'list'".to_string()),
    }
}

fn none() -> String {
    "none".to_string()
}
