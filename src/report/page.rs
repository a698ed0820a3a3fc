//! One page of HTML that needs nothing but itself: the shell, the style, and the type that text goes through.
//!
//! The page has no script, and its policy forbids every request, so that text from a data set can do nothing even where
//! it got through as markup. It does not get through: `maud` escapes markup, and [`Visible`] what a reader cannot see.

use maud::{DOCTYPE, Markup, PreEscaped, Render, html};

use crate::text;

/// Follows the reader's choice of light or dark.
const STYLE: &str = include_str!("page.css");

/// A policy under which a page can ask for nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/// A whole page.
pub fn page(title: &str, body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                link rel="icon" href="data:,";
                title { (Visible(title)) }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    };
    page.into_string()
}

/// Text in a page, element or attribute: see [`escaped`].
#[derive(Debug)]
pub struct Visible<'a>(pub &'a str);

impl Render for Visible<'_> {
    fn render_to(&self, out: &mut String) {
        out.push_str(&escaped(self.0));
    }
}

/// Text as HTML or XML shows it: what is hidden becomes a visible stand-in, what would be markup a character.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text::plain(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// What the marks of tokens mean.
pub fn legend() -> Markup {
    html! {
        p.quiet {
            span.t.supervised { "underlined" } " supervised: the loss sees this token · "
            span.masked { "plain" } " masked: it does not · "
            span.discarded { "struck through" } " discarded by the length check, or truncated by the collator"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escaped("<script>'\"&\u{202e}\u{1b}"), "&lt;script&gt;&#39;&quot;&amp;⟨U+202E⟩␛");
        let page =
            page("</title><script>", &html! { p title=(Visible("\"><b>\u{200b}")) { (Visible("<i>")) } });
        assert!(page.contains("<title>&lt;/title&gt;&lt;script&gt;</title>"));
        assert!(page.contains("<p title=\"&quot;&gt;&lt;b&gt;⟨U+200B⟩\">&lt;i&gt;</p>"), "{page}");
    }
}
