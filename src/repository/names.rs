//! Names in expressions of a syntax tree.

use ruff_python_ast::Expr;
use ruff_python_ast::visitor::{Visitor, walk_expr};

/// Names that an expression reads.
pub fn names_in(expression: &Expr) -> Vec<String> {
    struct Names(Vec<String>);
    impl<'a> Visitor<'a> for Names {
        fn visit_expr(&mut self, expression: &'a Expr) {
            if let Expr::Name(name) = expression {
                self.0.push(name.id.to_string());
            }
            walk_expr(self, expression);
        }
    }
    let mut names = Names(Vec::new());
    names.visit_expr(expression);
    names.0
}
