//! A change of one line of the user's file: another offset behind a length.

use std::ops::Range;

use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{Expr, Number, Operator, Stmt};
use ruff_text_size::Ranged;

use super::bounded_parse::parse;
use super::lines::Lines;

/// One line, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineEdit {
    pub file: String,
    pub line: usize,
    pub before: String,
    pub after: String,
}

impl LineEdit {
    /// The text with the change; `None` where the line is another one by now.
    pub fn apply(&self, text: &str) -> Option<String> {
        let mut lines: Vec<&str> = text.split('\n').collect();
        let line = lines.get_mut(self.line.checked_sub(1)?)?;
        if *line != self.before {
            return None;
        }
        *line = &self.after;
        Some(lines.join("\n"))
    }

    /// The change as a unified diff shows it.
    pub fn diff(&self) -> String {
        format!("{}:{}\n-{}\n+{}", self.file, self.line, self.before, self.after)
    }
}

/// `name = VALUE` on that line with `by` added to the value: the number at its end changes, or one is put there. `None`
/// where there is no such statement.
pub fn add_to_value(text: &str, file: &str, line: usize, name: &str, by: i64) -> Option<LineEdit> {
    let body = parse(text, file).ok()?;
    let lines = Lines::new(text);
    let mut finder = Finder { lines: &lines, line, name, found: None };
    body.iter().for_each(|statement| finder.visit_stmt(statement));
    let (range, replacement) = changed(text, finder.found?, by)?;
    let start = text.get(..range.start)?.rfind('\n').map_or(0, |at| at + 1);
    let end = text.get(range.end..)?.find('\n').map_or(text.len(), |at| range.end + at);
    let before = text.get(start..end)?;
    if before.contains('\n') {
        return None;
    }
    let after = format!("{}{replacement}{}", text.get(start..range.start)?, text.get(range.end..end)?);
    let line = text.get(..start)?.matches('\n').count() + 1;
    Some(LineEdit { file: file.to_string(), line, before: before.to_string(), after })
}

struct Finder<'a, 'l> {
    lines: &'l Lines,
    line: usize,
    name: &'l str,
    found: Option<&'a Expr>,
}

impl<'a> Visitor<'a> for Finder<'a, '_> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Assign(assign) = statement {
            let range = statement.range();
            let place = self.lines.line(range.start())..=self.lines.line(range.end());
            let named =
                assign.targets.iter().any(|t| t.as_name_expr().is_some_and(|n| n.id.as_str() == self.name));
            if named && place.contains(&self.line) {
                self.found = Some(&assign.value);
            }
        }
        walk_stmt(self, statement);
    }
}

/// Where the text of a value changes, and into what.
fn changed(text: &str, value: &Expr, by: i64) -> Option<(Range<usize>, String)> {
    if let Some(number) = integer(value) {
        return Some((bytes(value), (number + by).to_string()));
    }
    if let Expr::BinOp(operation) = value
        && let Some(number) = integer(&operation.right)
        && matches!(operation.op, Operator::Add | Operator::Sub)
    {
        let before = if operation.op == Operator::Add { number } else { -number };
        // From the end of the left side on, with a parenthesis that closes it.
        let left = usize::from(operation.left.range().end());
        let right = bytes(&*operation.right);
        let between = text.get(left..right.start)?;
        let sign = between.rfind(['+', '-'])?;
        let kept = between.get(..sign)?.trim_end();
        return Some((left..right.end, format!("{kept}{}", signed(before + by))));
    }
    let range = bytes(value);
    match value {
        Expr::Call(_) | Expr::Name(_) | Expr::Attribute(_) | Expr::Subscript(_) | Expr::BinOp(_) => {
            Some((range.end..range.end, signed(by)))
        }
        _ => None,
    }
}

fn bytes(node: &impl Ranged) -> Range<usize> {
    usize::from(node.range().start())..usize::from(node.range().end())
}

fn signed(number: i64) -> String {
    match number {
        0 => String::new(),
        n if n < 0 => format!(" - {}", n.unsigned_abs()),
        n => format!(" + {n}"),
    }
}

fn integer(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::NumberLiteral(literal) => match &literal.value {
            Number::Int(number) => number.as_i64(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_at_the_end_changes_or_is_put_there() {
        let text =
            "def f():\n    n = 1\n    m = len(g(a, b)) - 2  # two\n    k = len(a)\n    j = (len(a)) + 1\n";
        let after =
            |line: usize, name: &str, by: i64| add_to_value(text, "a.py", line, name, by).map(|e| e.after);
        assert_eq!(after(2, "n", -1).as_deref(), Some("    n = 0"));
        assert_eq!(after(3, "m", 1).as_deref(), Some("    m = len(g(a, b)) - 1  # two"));
        assert_eq!(after(3, "m", 2).as_deref(), Some("    m = len(g(a, b))  # two"));
        assert_eq!(after(4, "k", -2).as_deref(), Some("    k = len(a) - 2"));
        assert_eq!(after(5, "j", -3).as_deref(), Some("    j = (len(a)) - 2"));
        assert_eq!(after(4, "m", 1), None);
    }

    #[test]
    fn a_changed_file_refuses_the_edit() {
        let edit = add_to_value("n = 1\n", "a.py", 1, "n", 1).unwrap();
        assert_eq!(edit.apply("n = 1\n").as_deref(), Some("n = 2\n"));
        assert_eq!(edit.apply("n = 5\n"), None);
    }
}
