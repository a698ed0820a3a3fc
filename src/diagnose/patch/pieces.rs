//! The pieces of a patch, each with the place it belongs to.

/// The pieces, each with the place it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Patch {
    /// Key of the template, `--version`, and part of the function's name.
    pub name: String,
    /// After the tokenizer is made (`train.py`).
    pub tokenizer_lines: String,
    /// Beside the other preprocess functions (`train.py`).
    pub function: String,
    /// In `preprocess`, before the other choices (`train.py`).
    pub dispatch: String,
    /// In `conversation.py`.
    pub template: String,
    /// In the table of templates (`conversation.py`).
    pub registration: String,
    /// For the scripts of stages 2 and 3; stage 1 keeps `--version plain`.
    pub flags: String,
    /// A test file that pins ids, labels and lengths.
    pub pytest: String,
}

impl Patch {
    /// The pieces: file name, the place that it belongs to, and the text.
    pub fn pieces(&self) -> [(&'static str, &'static str, &str); 7] {
        [
            ("tokenizer.py", "train.py, after the tokenizer is made", &self.tokenizer_lines),
            ("preprocess.py", "train.py, beside the other preprocess functions", &self.function),
            ("dispatch.py", "train.py, in preprocess(), before the other choices", &self.dispatch),
            ("template.py", "conversation.py", &self.template),
            ("registration.py", "conversation.py, in conv_templates", &self.registration),
            ("flags.txt", "the scripts of the stages", &self.flags),
            ("test_labels.py", "a test of your own", &self.pytest),
        ]
    }
}
