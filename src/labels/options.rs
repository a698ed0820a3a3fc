//! Settings of a LLaVA training run that decide prompts and lengths.

/// Settings of the training run that change prompts or the length check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptOptions {
    /// Text prompts are cut here; the length check is skipped from here on.
    pub model_max_length: usize,
    /// Frames that one `<video>` stands for.
    pub num_frames: usize,
    /// Wrap image placeholders in `<im_start>` and `<im_end>`.
    pub mm_use_im_start_end: bool,
}

impl Default for PromptOptions {
    fn default() -> Self {
        Self { model_max_length: 2048, num_frames: 8, mm_use_im_start_end: false }
    }
}
