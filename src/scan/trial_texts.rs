//! Conversations on which a rule must come to what a repository's own function comes to before it is counted by in its place:
//! the kinds of text that code may treat in a way of its own.

use crate::chat::{Sample, Turn};

/// A question and its answer.
const TEXTS: &[(&str, &str)] = &[
    ("What is seen here?", "A house."),
    ("  two spaces in front", "  and here"),
    ("spaces behind  ", "here too  "),
    ("\na line end in front", "\nhere as well"),
    ("a line end behind\n", "here as well\n"),
    ("\ttabs\t", "\there\t"),
    ("one\n\n\nthree line ends", "one\r\ntwo\r\n"),
    ("a\u{a0}space that breaks no line\u{a0}", "\u{a0}and here\u{2003}"),
    ("x", "y"),
    ("?", "!"),
    ("...", "…"),
    ("0123456789 3.14 -7 1e10", "1,000,000 and 2024-01-31 12:30"),
    ("UPPER CASE", "lower case"),
    ("user: not a role", "assistant: nor this"),
    ("Human: what?", "Assistant: this."),
    ("### Instruction: sort", "### Response: sorted"),
    ("[INST] what [/INST]", "<<SYS>> no <</SYS>>"),
    ("<b>bold</b> &amp; <br/>", "<html><body></body></html>"),
    ("`code` and ```python\nfor x in y:\n    print(x)\n```", "def f(x):\n    return {\"a\": [x, 'y', None]}"),
    ("https://example.org/a?b=c&d=%20#e", "a@b.example, C:\\folder\\file.txt"),
    ("\"quoted\" and 'single' and “curly”", "it's; it’s"),
    ("Größe, naïve, café, ﬁ", "Ærøskøbing — à la carte – 5 €"),
    ("这张图片里有什么?", "一座房子。"),
    ("この写真には何が写っていますか?", "家です。"),
    ("Что на картинке?", "Дом и дерево."),
    ("ما الذي يظهر؟", "بيت وشجرة."),
    ("यहाँ क्या है?", "एक घर।"),
    ("👩‍👩‍👧 🏳️‍🌈 😀", "👍🏽 done 🎉"),
    ("e\u{301} against \u{e9}", "\u{200b}zero width\u{200d}"),
    ("\u{feff}a mark of byte order", "\u{fffd} and \u{e000}"),
    ("x^2 + y^2 = z^2, \\frac{a}{b}", "$E = mc^2$ and \\(a_{ij}\\)"),
    ("A list:\n1. one\n2. two\n- three", "| a | b |\n|---|---|\n| 1 | 2 |"),
    ("Answer with the option's letter from the given choices directly.", "B"),
    ("Give the bounding box.", "[0.12, 0.34, 0.56, 0.78]"),
    ("system", "None"),
    ("no final stop", "no stop here either"),
];

/// Rounds of the longest conversation.
const MOST_ROUNDS: usize = 16;
/// Times that the text of the longest answer is written.
const LONG: usize = 120;

/// All of them, each with an image on its first line and without.
pub fn trial_texts() -> Vec<Sample> {
    let single = TEXTS.iter().map(|pair| vec![*pair]);
    let pairs = TEXTS.windows(2).step_by(3).map(<[_]>::to_vec);
    let all: Vec<(&str, &str)> = TEXTS.iter().copied().cycle().take(MOST_ROUNDS).collect();
    let long = "A house with four windows stands beside a tree that has lost its leaves. ".repeat(LONG);
    let mut samples: Vec<Sample> = Vec::new();
    for rounds in single.chain(pairs).chain([all, vec![("Say all.", long.trim_end())]]) {
        for has_image in [false, true] {
            let turns = rounds.iter().enumerate().flat_map(|(index, (question, answer))| {
                let place = if has_image && index == 0 { "<image>\n" } else { "" };
                [Turn::new("human", format!("{place}{question}")), Turn::new("gpt", *answer)]
            });
            let kind = if has_image { "with an image" } else { "of text" };
            let first = rounds.first().map_or("", |(question, _)| question.trim());
            let name = format!("a conversation {kind} of {} rounds that begins with {first:?}", rounds.len());
            let sample = Sample::text(name, turns.collect());
            samples.push(Sample { has_image, media: usize::from(has_image), ..sample });
        }
    }
    samples
}
