//! `str` methods. Positions and lengths are in characters, as in Python.

use minijinja::formatting::FormatStyle;
use minijinja::{Error, ErrorKind, State, Value};

use super::call_args::{CallArgs, string_argument};
use super::error::raise;
use super::limits::{BoundedText, MAX_STRING, TooLarge, charge};
use super::python::is_space;

/// `"text".method(args)`.
pub(super) fn call(state: &State, value: &Value, method: &str, args: &[Value]) -> Result<Value, Error> {
    let text = value.as_str().unwrap_or_default();
    // Every method goes through its text.
    charge(state, text.len() / 8)?;
    if method == "format" {
        args.iter().try_for_each(|value| super::paid::pay_to_print(state, value))?;
        return format(text, args);
    }
    let args = CallArgs::new(args)?;
    if let Some(answer) = character_class(text, method) {
        return Ok(Value::from(answer));
    }
    match method {
        "strip" | "lstrip" | "rstrip" => strip(text, method, &args),
        "split" | "rsplit" => split(text, method == "rsplit", &args),
        "splitlines" => {
            let keep = args.get(0, "keepends")?.is_some_and(|v| v.is_true());
            Ok(Value::from(split_lines(text, keep)))
        }
        "startswith" => affix(text, &args, |text, part| text.starts_with(part)),
        "endswith" => affix(text, &args, |text, part| text.ends_with(part)),
        "removeprefix" => {
            let prefix = args.string(0, "prefix")?;
            Ok(Value::from(text.strip_prefix(&prefix).unwrap_or(text)))
        }
        "removesuffix" => {
            let suffix = args.string(0, "suffix")?;
            Ok(Value::from(text.strip_suffix(&suffix).unwrap_or(text)))
        }
        "replace" => replace(text, &args),
        "find" | "rfind" | "index" | "rindex" => find(text, method, &args),
        "count" => Ok(Value::from(count(text, &args.string(0, "sub")?))),
        "partition" | "rpartition" => partition(text, method == "rpartition", &args),
        "join" => join(state, text, &args),
        "upper" => Ok(Value::from(text.to_uppercase())),
        "lower" | "casefold" => Ok(Value::from(text.to_lowercase())),
        "title" => Ok(Value::from(title(text))),
        "capitalize" => Ok(Value::from(capitalize(text))),
        "swapcase" => Ok(Value::from(swap_case(text))),
        "ljust" | "rjust" | "center" | "zfill" => pad(text, method, &args),
        "expandtabs" => Ok(Value::from(text.replace('\t', "        "))),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

/// `str.format`. A width of six digits or more is refused before the engine would make room for it.
fn format(text: &str, args: &[Value]) -> Result<Value, Error> {
    let longest_number = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    if longest_number > 5 {
        return Err(TooLarge.into());
    }
    minijinja::formatting::format(FormatStyle::StrFormat, text, args).map(Value::from)
}

/// `isdigit` and its relatives; `None` when `method` is none of them.
fn character_class(text: &str, method: &str) -> Option<bool> {
    let all = |test: fn(char) -> bool| !text.is_empty() && text.chars().all(test);
    let cased =
        |same: fn(char) -> bool, other: fn(char) -> bool| text.chars().any(same) && !text.chars().any(other);
    Some(match method {
        "isspace" => all(is_space),
        "isdigit" | "isnumeric" | "isdecimal" => all(char::is_numeric),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isascii" => text.is_ascii(),
        "isupper" => cased(char::is_uppercase, char::is_lowercase),
        "islower" => cased(char::is_lowercase, char::is_uppercase),
        "istitle" => !text.is_empty() && title(text) == text,
        _ => return None,
    })
}

fn strip(text: &str, method: &str, args: &CallArgs) -> Result<Value, Error> {
    let set: Option<Vec<char>> = match args.get(0, "chars")? {
        Some(value) => Some(string_argument(&value)?.chars().collect()),
        None => None,
    };
    let drop = |c: char| set.as_ref().map_or_else(|| is_space(c), |set| set.contains(&c));
    let text = if method == "rstrip" { text } else { text.trim_start_matches(drop) };
    Ok(Value::from(if method == "lstrip" { text } else { text.trim_end_matches(drop) }))
}

fn split(text: &str, from_right: bool, args: &CallArgs) -> Result<Value, Error> {
    let max = args.integer(1, "maxsplit")?.and_then(|max| usize::try_from(max).ok());
    let separator = args.get(0, "sep")?.map(|value| string_argument(&value)).transpose()?;
    let parts = match separator.as_deref() {
        Some("") => return Err(raise("ValueError", "empty separator")),
        Some(separator) => split_on(text, separator, from_right, max),
        None => split_spaces(text, from_right, max),
    };
    Ok(Value::from(parts.into_iter().map(Value::from).collect::<Vec<_>>()))
}

fn split_on<'t>(text: &'t str, separator: &str, from_right: bool, max: Option<usize>) -> Vec<&'t str> {
    let pieces = max.map_or(usize::MAX, |max| max.saturating_add(1));
    if from_right {
        let mut parts: Vec<_> = text.rsplitn(pieces, separator).collect();
        parts.reverse();
        parts
    } else {
        text.splitn(pieces, separator).collect()
    }
}

/// `split()` without a separator: runs of white space, none at the ends.
fn split_spaces(text: &str, from_right: bool, max: Option<usize>) -> Vec<&str> {
    let max = max.unwrap_or(usize::MAX);
    let mut parts = Vec::new();
    let mut rest =
        if from_right { text.trim_end_matches(is_space) } else { text.trim_start_matches(is_space) };
    while !rest.is_empty() {
        let cut = if parts.len() >= max {
            None
        } else if from_right {
            rest.rfind(is_space)
        } else {
            rest.find(is_space)
        };
        let Some(at) = cut else {
            let ends = |c: char| is_space(c);
            parts.push(if from_right { rest.trim_start_matches(ends) } else { rest });
            break;
        };
        let (left, right) = rest.split_at(at);
        if from_right {
            parts.push(right.trim_start_matches(is_space));
            rest = left.trim_end_matches(is_space);
        } else {
            parts.push(left);
            rest = right.trim_start_matches(is_space);
        }
    }
    if from_right {
        parts.retain(|part| !part.is_empty());
        parts.reverse();
    }
    parts
}

/// `splitlines`: more line ends than Rust's `lines` knows.
fn split_lines(text: &str, keep: bool) -> Vec<String> {
    let is_end = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if !is_end(c) {
            line.push(c);
            continue;
        }
        if keep {
            line.push(c);
        }
        if c == '\r' && rest.peek() == Some(&'\n') {
            rest.next();
            if keep {
                line.push('\n');
            }
        }
        lines.push(std::mem::take(&mut line));
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

fn affix(text: &str, args: &CallArgs, test: fn(&str, &str) -> bool) -> Result<Value, Error> {
    let text = slice(text, args.integer(1, "start")?, args.integer(2, "end")?);
    let Some(wanted) = args.get(0, "prefix")? else {
        return Err(raise("TypeError", "first arg must be str or a tuple of str, not NoneType"));
    };
    if wanted.is_tuple() {
        for option in wanted.try_iter()? {
            if test(text, &string_argument(&option)?) {
                return Ok(Value::from(true));
            }
        }
        return Ok(Value::from(false));
    }
    match wanted.as_str() {
        Some(part) => Ok(Value::from(test(text, part))),
        None => {
            let kind = super::python::type_name(&wanted);
            Err(raise("TypeError", format!("first arg must be str or a tuple of str, not {kind}")))
        }
    }
}

/// `text[start:end]` in characters.
fn slice(text: &str, start: Option<i64>, end: Option<i64>) -> &str {
    if start.is_none() && end.is_none() {
        return text;
    }
    let len = text.chars().count();
    let clamp = |index: i64| {
        let from_front = if index < 0 { index.saturating_add(len as i64) } else { index };
        usize::try_from(from_front.max(0)).unwrap_or(0).min(len)
    };
    let (start, end) = (clamp(start.unwrap_or(0)), clamp(end.unwrap_or(i64::MAX)));
    let byte = |index: usize| text.char_indices().nth(index).map_or(text.len(), |(at, _)| at);
    text.get(byte(start)..byte(end)).unwrap_or("")
}

pub(super) fn replace(text: &str, args: &CallArgs) -> Result<Value, Error> {
    let (old, new) = (args.string(0, "old")?, args.string(1, "new")?);
    let count = args.integer(2, "count")?.and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX);
    let hits = if old.is_empty() { text.chars().count() + 1 } else { text.matches(&old).count() };
    if text.len().saturating_add(hits.min(count).saturating_mul(new.len())) > MAX_STRING {
        return Err(TooLarge.into());
    }
    Ok(Value::from(text.replacen(&old, &new, count)))
}

fn find(text: &str, method: &str, args: &CallArgs) -> Result<Value, Error> {
    let (start, end) = (args.integer(1, "start")?, args.integer(2, "end")?);
    let part = args.string(0, "sub")?;
    let window = slice(text, start, end);
    let before = window.as_ptr() as usize - text.as_ptr() as usize;
    let found = if method.starts_with('r') { window.rfind(&part) } else { window.find(&part) };
    match found.and_then(|at| text.get(..before + at)) {
        Some(head) => Ok(Value::from(head.chars().count())),
        None if method.ends_with("index") => Err(raise("ValueError", "substring not found")),
        None => Ok(Value::from(-1)),
    }
}

fn count(text: &str, part: &str) -> usize {
    if part.is_empty() { text.chars().count() + 1 } else { text.matches(part).count() }
}

fn partition(text: &str, from_right: bool, args: &CallArgs) -> Result<Value, Error> {
    let separator = args.string(0, "sep")?;
    if separator.is_empty() {
        return Err(raise("ValueError", "empty separator"));
    }
    let cut = if from_right { text.rsplit_once(&separator) } else { text.split_once(&separator) };
    let parts = match cut {
        Some((left, right)) => [left, &separator, right],
        None if from_right => ["", "", text],
        None => [text, "", ""],
    };
    Ok(Value::from(minijinja::value::Tuple::from(parts.map(Value::from).to_vec())))
}

fn join(state: &State, separator: &str, args: &CallArgs) -> Result<Value, Error> {
    let Some(items) = args.get(0, "iterable")? else {
        return Err(raise("TypeError", "can only join an iterable"));
    };
    let mut out = BoundedText::new();
    for (index, item) in items.try_iter()?.enumerate() {
        if index > 0 {
            out.push_str(separator)?;
        }
        charge(state, 1)?;
        match item.as_str() {
            Some(text) => out.push_str(text)?,
            None => {
                let kind = super::python::type_name(&item);
                let message = format!("sequence item {index}: expected str instance, {kind} found");
                return Err(raise("TypeError", message));
            }
        }
    }
    Ok(Value::from(out.into_string()))
}

/// `str.title`: every run of letters begins with a capital.
pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

/// `str.capitalize`.
pub(super) fn capitalize(text: &str) -> String {
    let mut rest = text.chars();
    match rest.next() {
        Some(first) => first.to_uppercase().chain(rest.as_str().to_lowercase().chars()).collect(),
        None => String::new(),
    }
}

fn swap_case(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_uppercase() {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
    }
    out
}

fn pad(text: &str, method: &str, args: &CallArgs) -> Result<Value, Error> {
    let width = args.integer(0, "width")?.and_then(|w| usize::try_from(w).ok()).unwrap_or(0);
    let fill = match args.positional().get(1) {
        Some(value) => string_argument(value)?,
        None => if method == "zfill" { "0" } else { " " }.to_string(),
    };
    let missing = width.saturating_sub(text.chars().count());
    if missing.saturating_mul(fill.len()) > MAX_STRING {
        return Err(TooLarge.into());
    }
    let (left, right) = match method {
        "ljust" => (0, missing),
        "center" => {
            let left = missing / 2 + (missing & width & 1);
            (left, missing - left)
        }
        _ => (missing, 0),
    };
    let (sign, digits) = match text.strip_prefix(['+', '-']) {
        Some(digits) if method == "zfill" => (text.get(..1).unwrap_or(""), digits),
        _ => ("", text),
    };
    Ok(Value::from(format!("{sign}{}{digits}{}", fill.repeat(left), fill.repeat(right))))
}
