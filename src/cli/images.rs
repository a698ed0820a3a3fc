//! Arguments of `images`: sizes in pixels.

use clap::Args;

use crate::error::{Error, Result};
use crate::masks::image_tokens::ImageSize;

/// Arguments of `images`.
#[derive(Debug, Clone, Args)]
pub struct ImagesArguments {
    /// Size of an image in pixels; several for the images of a sample in order, the last for all that are left.
    #[arg(long, value_name = "WIDTHxHEIGHT", required = true)]
    pub image_size: Vec<String>,
}

impl ImagesArguments {
    /// The sizes.
    ///
    /// # Errors
    /// A size that is not two numbers.
    pub fn sizes(&self) -> Result<Vec<ImageSize>> {
        let size = |text: &String| {
            let parts = text.split_once(['x', 'X', '×']);
            parts.and_then(|(width, height)| {
                Some(ImageSize { width: width.trim().parse().ok()?, height: height.trim().parse().ok()? })
            })
        };
        let read = |text: &String| {
            size(text).ok_or_else(|| {
                Error::Usage(format!(
                    "--image-size {text}: expected WIDTHxHEIGHT in pixels, such as 1344x672"
                ))
            })
        };
        self.image_size.iter().map(read).collect()
    }
}
