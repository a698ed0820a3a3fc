//! One page of HTML that needs nothing but itself: the shell, the style, and the door that text goes through.
//!
//! The page has no script, and its policy forbids every request, so that text from a data set can do nothing even where
//! it got through as markup. It does not get through: [`escaped`] is the only way for text into a page.

use crate::text;

/// Follows the reader's choice of light or dark.
const STYLE: &str = include_str!("page.css");

/// A whole page; `body` is HTML.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<link rel=\"icon\" href=\"data:,\">\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escaped(title)
    )
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

/// What the looks of tokens mean.
pub const LEGEND: &str = "<p class=\"quiet\"><span class=\"t learned\">underlined</span> the loss sees this token · \
     <span class=\"masked\">plain</span> it does not · <span class=\"lost\">struck through</span> it would, had the lengths \
     agreed</p>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        assert_eq!(escaped("<script>'\"&\u{202e}\u{1b}"), "&lt;script&gt;&#39;&quot;&amp;⟨U+202E⟩␛");
        let page = page("</title><script>", "");
        assert!(page.contains("<title>&lt;/title&gt;&lt;script&gt;</title>"));
    }
}
