//! What can go wrong with a template, in Python's words where Python would raise.

use minijinja::{Error, ErrorKind};

use super::limits::TooLarge;
pub use crate::python::PythonError as PythonException;

/// Why a template gave no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The source is no template.
    #[error("{template}, line {line}: {exception}")]
    Syntax { template: String, line: usize, exception: PythonException },
    /// The template, or an operation in it, raises in Python too.
    #[error("{template}, line {line}: {exception}")]
    Raised { template: String, line: usize, exception: PythonException },
    /// transformers refuses the inputs before or after the template runs.
    #[error("{0}")]
    Inputs(PythonException),
    /// The template used up what one rendering may use; see [`super::limits`].
    #[error(
        "{template}, line {line}: stopped, {limit}; a template of a model needs far less, so do not trust this one"
    )]
    Limit { template: String, line: usize, limit: String },
}

impl TemplateError {
    /// The exception that Python raises here, if it is one.
    pub fn exception(&self) -> Option<&PythonException> {
        match self {
            Self::Syntax { exception, .. } | Self::Raised { exception, .. } | Self::Inputs(exception) => {
                Some(exception)
            }
            Self::Limit { .. } => None,
        }
    }

    /// Line of the template, from 1.
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::Syntax { line, .. } | Self::Raised { line, .. } | Self::Limit { line, .. } => Some(*line),
            Self::Inputs(_) => None,
        }
    }
}

/// A Python exception on its way out of a function, filter or method.
pub(super) fn raise(kind: &'static str, message: impl Into<String>) -> Error {
    let exception = PythonException::new(kind, message);
    Error::new(ErrorKind::InvalidOperation, exception.message.clone()).with_source(exception)
}

/// The exception inside an engine error that one of our own functions raised.
pub(super) fn raised(error: &Error) -> Option<&PythonException> {
    find_source(error)
}

fn find_source<T: std::error::Error + 'static>(error: &Error) -> Option<&T> {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(found) = inner.downcast_ref() {
            return Some(found);
        }
        source = inner.source();
    }
    None
}

/// Turns the engine's error into ours. `template` is the name that messages show.
pub(super) fn from_engine(error: &Error, template: &str) -> TemplateError {
    let template = template.to_string();
    let line = error.line().unwrap_or(0);
    if let Some(exception) = raised(error) {
        return TemplateError::Raised { template, line, exception: exception.clone() };
    }
    if let Some(limit) = exceeded_limit(error) {
        return TemplateError::Limit { template, line, limit };
    }
    let exception = translate(error);
    match error.kind() {
        ErrorKind::SyntaxError => TemplateError::Syntax { template, line, exception },
        _ => TemplateError::Raised { template, line, exception },
    }
}

fn exceeded_limit(error: &Error) -> Option<String> {
    let detail = error.detail().unwrap_or_default();
    if let Some(too_large) = find_source::<TooLarge>(error) {
        return Some(too_large.to_string());
    }
    match error.kind() {
        ErrorKind::OutOfFuel => Some("it ran too long or built too much (out of fuel)".into()),
        ErrorKind::WriteFailure => {
            Some(format!("its text is longer than {} MiB", super::limits::MAX_OUTPUT >> 20))
        }
        _ if detail.contains("recursion limit") => Some("it calls itself too deep".into()),
        _ => None,
    }
}

/// The engine's own errors in Python's words: the class always, the message where the engine tells enough.
fn translate(error: &Error) -> PythonException {
    let detail = error.detail().unwrap_or_default();
    let plain = || if detail.is_empty() { error.kind().to_string() } else { detail.to_string() };
    if let Some(name) = undefined_name(detail) {
        return PythonException::new("UndefinedError", undefined_message(name));
    }
    if let Some(exception) = unsupported_operands(detail) {
        return exception;
    }
    if let Some(exception) = known_detail(detail) {
        return exception;
    }
    match error.kind() {
        ErrorKind::SyntaxError | ErrorKind::BadEscape => PythonException::new("TemplateSyntaxError", plain()),
        ErrorKind::UndefinedError | ErrorKind::UnknownMethod | ErrorKind::UnknownFunction => {
            PythonException::new("UndefinedError", plain())
        }
        ErrorKind::UnknownFilter => PythonException::new("TemplateRuntimeError", plain()),
        ErrorKind::UnknownTest => PythonException::new("TemplateRuntimeError", plain()),
        ErrorKind::CannotUnpack => PythonException::new("ValueError", plain()),
        ErrorKind::TemplateNotFound => {
            PythonException::new("TypeError", "no loader for this environment specified")
        }
        _ => PythonException::new("TypeError", plain()),
    }
}

/// Details of the engine whose exception in Python is known word for word.
fn known_detail(detail: &str) -> Option<PythonException> {
    let name = |suffix: &str| detail.strip_suffix(suffix).filter(|name| !name.contains(' '));
    if let Some(filter) = detail.strip_prefix("filter ").and_then(|f| f.strip_suffix(" is unknown")) {
        return Some(PythonException::new("TemplateAssertionError", format!("No filter named '{filter}'.")));
    }
    if let Some(test) = detail.strip_prefix("test ").and_then(|t| t.strip_suffix(" is unknown")) {
        return Some(PythonException::new("TemplateAssertionError", format!("No test named '{test}'.")));
    }
    if let Some(function) = name(" is unknown") {
        return Some(PythonException::new("UndefinedError", undefined_message(function)));
    }
    if let Some(tag) = detail.strip_prefix("unknown statement ") {
        return Some(PythonException::new(
            "TemplateSyntaxError",
            format!("Encountered unknown tag '{tag}'."),
        ));
    }
    if detail == "range has too many elements" {
        let message = "Range too big. The sandbox blocks ranges larger than MAX_RANGE (100000).";
        return Some(PythonException::new("OverflowError", message));
    }
    let calculation = detail.strip_prefix("unable to calculate ")?.strip_suffix(" 0")?;
    let message = match calculation.rsplit_once(' ')?.1 {
        "/" => "division by zero",
        "//" => "integer division or modulo by zero",
        "%" => "integer modulo by zero",
        _ => return None,
    };
    Some(PythonException::new("ZeroDivisionError", message))
}

/// The expression in a detail like "(`a.b` is undefined)".
fn undefined_name(detail: &str) -> Option<&str> {
    let before = detail.split("` is undefined").next().filter(|b| b.len() < detail.len())?;
    before.rsplit_once('`').map(|(_, name)| name)
}

/// True when the engine failed on an undefined value, as far as it can tell.
pub(super) fn is_about_undefined(error: &Error) -> bool {
    let detail = error.detail().unwrap_or_default();
    raised(error).is_none()
        && (matches!(
            error.kind(),
            ErrorKind::UndefinedError | ErrorKind::UnknownMethod | ErrorKind::UnknownFunction
        ) || detail.contains("undefined"))
}

/// The variable that the engine names as undefined, when it is a plain name.
pub(super) fn undefined_variable(error: &Error) -> Option<&str> {
    let name = undefined_name(error.detail().unwrap_or_default())?;
    name.chars().all(|c| c.is_alphanumeric() || c == '_').then_some(name)
}

fn undefined_message(expression: &str) -> String {
    format!("'{expression}' is undefined")
}

fn unsupported_operands(detail: &str) -> Option<PythonException> {
    let rest = detail.strip_prefix("tried to use ")?;
    let (operator, kinds) = rest.split_once(" operator on unsupported types ")?;
    let (left, right) = kinds.split_once(" and ")?;
    let (left, right) = (python_kind(left), python_kind(right));
    let message = match (operator, left) {
        ("+", "str" | "list") => format!("can only concatenate {left} (not \"{right}\") to {left}"),
        _ => format!("unsupported operand type(s) for {operator}: '{left}' and '{right}'"),
    };
    Some(PythonException::new("TypeError", message))
}

/// The engine's word for a kind of value, in Python's.
fn python_kind(kind: &str) -> &str {
    match kind.split_whitespace().next().unwrap_or(kind) {
        "string" => "str",
        "sequence" => "list",
        "map" => "dict",
        "number" => "int",
        "none" => "NoneType",
        "undefined" => "Undefined",
        "iterator" | "iterable" => "generator",
        other => other,
    }
}
