//! The parser, on text that may mean harm: brackets that lie too deep in each other would use up its stack.

use ruff_python_ast::Stmt;
use ruff_python_parser::parse_module;

use super::lines::Lines;

/// Brackets and prefix operators that may lie in each other.
const DEEPEST: usize = 200;
/// Stack of the thread that parses.
const STACK: usize = 256 << 20;
/// Operators in one statement: each may be a level of the tree.
const MOST_OPERATORS: usize = 5_000;

/// The statements of a module.
///
/// # Errors
/// `FILE:LINE: message` for text that is no Python, or is nested deeper than any program.
pub fn parse(text: &str, file: &str) -> Result<Vec<Stmt>, String> {
    if let Some(line) = too_deep(text) {
        return Err(format!("{file}:{line}: this is nested too deeply to be read"));
    }
    std::thread::scope(|scope| {
        let parse = || match parse_module(text) {
            Ok(parsed) => Ok(parsed.into_syntax().body.to_vec()),
            Err(error) => {
                let line = Lines::new(text).line(error.location.start());
                Err(format!("{file}:{line}: {}", error.error))
            }
        };
        let thread = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, parse);
        let joined = thread.map(|thread| thread.join());
        match joined {
            Ok(Ok(result)) => result,
            _ => Err(format!("{file}: cannot be read")),
        }
    })
}

/// The line where brackets lie too deep, or where one statement has more operators than a person writes. Texts and comments
/// are counted along: this is a bound, not a parser.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut operators, mut line) = (0usize, 0usize, 1usize);
    let mut word = String::new();
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '+' | '-' | '*' | '/' | '~' | '@' | '.' | ':' | '|' | '&' | '^' | '%' | '<' | '>' | '=' => {
                operators += 1
            }
            '\n' => {
                line += 1;
                if depth == 0 {
                    operators = 0;
                }
            }
            _ => {}
        }
        if c.is_alphabetic() {
            word.push(c);
        } else {
            operators += usize::from(matches!(
                word.as_str(),
                "not" | "await" | "lambda" | "and" | "or" | "in" | "is" | "if" | "else"
            ));
            word.clear();
        }
        if depth > DEEPEST || (depth == 0 && operators > MOST_OPERATORS) {
            return Some(line);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_text_is_refused_and_plain_text_is_read() {
        assert_eq!(parse("x = 1\ndef f(): pass\n", "a.py").unwrap().len(), 2);
        let deep = format!("x = {}1{}", "(".repeat(1000), ")".repeat(1000));
        assert_eq!(parse(&deep, "a.py").unwrap_err(), "a.py:1: this is nested too deeply to be read");
        assert!(parse(&format!("x = {}1", "not ".repeat(100_000)), "a.py").is_err());
    }
}
