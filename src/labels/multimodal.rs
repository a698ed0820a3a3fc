//! The multimodal pre-step: what happens to `<image>` and `<video>` in the turns before a prompt is made.

use super::{PromptOptions, PythonError};
use crate::chat::{ImagePlaces, Template, Turn};
use crate::python::is_python_space;

/// Placeholder of an image in a turn.
pub const IMAGE: &str = "<image>";
/// Placeholder of a video in a turn.
pub const VIDEO: &str = "<video>";
/// More images than this in one turn are cut (where they are adjacent).
pub const MAX_IMAGES: usize = 16;
/// A turn with more videos than this raises.
pub const MAX_VIDEOS: usize = 1;

/// Rewrites the turns of a sample that has an image or a video.
///
/// # Errors
/// `ValueError` with the turn's text where it names more than one video.
pub fn rewrite(
    turns: &[Turn],
    template: &Template,
    options: &PromptOptions,
) -> Result<Vec<Turn>, PythonError> {
    turns
        .iter()
        .map(|turn| Ok(Turn::new(&*turn.from, rewrite_turn(&turn.value, template, options)?)))
        .collect()
}

/// LLaVA's `preprocess_multimodal`: one image in front of the turn's text, wherever and however often it stood.
fn moved(value: &str, template: &Template, options: &PromptOptions) -> String {
    let mut value = value.to_string();
    if value.contains(IMAGE) {
        let text = value.replace(IMAGE, "");
        value = format!("{IMAGE}\n{}", text.trim_matches(is_python_space));
        value = value.trim_matches(is_python_space).to_string();
        if template.version.contains("mmtag") {
            value = value.replace(IMAGE, "<Image><image></Image>");
        }
    }
    match options.mm_use_im_start_end {
        true => value.replace(IMAGE, &format!("<im_start>{IMAGE}<im_end>")),
        false => value,
    }
}

fn rewrite_turn(value: &str, template: &Template, options: &PromptOptions) -> Result<String, PythonError> {
    if template.images == ImagePlaces::Moved {
        return Ok(moved(value, template, options));
    }
    let mut value = value.to_string();
    if value.starts_with(IMAGE) || value.starts_with(VIDEO) {
        if template.version.contains("mmtag") {
            value = value.replace(IMAGE, "<Image><image></Image>");
        }
        let images = value.matches(IMAGE).count();
        if images > MAX_IMAGES {
            let cut = value.replace(&IMAGE.repeat(images), &IMAGE.repeat(MAX_IMAGES));
            value = cut.trim_matches(is_python_space).to_string();
        }
        if value.matches(VIDEO).count() > MAX_VIDEOS {
            return Err(PythonError::new("ValueError", value));
        }
    }
    let frames = IMAGE.repeat(options.num_frames);
    let (image, video) = if options.mm_use_im_start_end {
        (format!("<im_start>{IMAGE}<im_end>"), format!("<vid_start>{frames}<vid_end>"))
    } else {
        (IMAGE.to_string(), frames)
    };
    Ok(value.replace(IMAGE, &image).replace(VIDEO, &video))
}
