//! Placeholders against images.

use super::{Check, Context, Outcome, Verdict};
use crate::diagnose::fix::{Change, Fix};

pub const CHECK: Check = Check { id: "MSK018", title: "placeholders and images differ in number", run };

fn run(context: &Context<'_>) -> Outcome {
    let differs = |index: usize| {
        let (Some(sample), Some(facts)) = (context.samples.get(index), context.facts.get(index)) else {
            return false;
        };
        let places = facts.content.placeholders + facts.content.videos;
        if sample.has_image { places != sample.media } else { facts.content.placeholders > 0 }
    };
    let wrong: Vec<usize> = (0..context.samples.len()).filter(|i| differs(*i)).collect();
    let Some(first) = wrong.first().copied() else { return Outcome::ok() };
    let places = context.facts.get(first).map_or(0, |f| f.content.placeholders + f.content.videos);
    let media = context.samples.get(first).map_or(0, |s| s.media);
    let cause = "every <image> in a turn of an image sample takes one image, and in a text sample it stays text; \
                 nothing checks that there are as many images";
    let fix = context.tried(Fix::new(vec![Change::Drop(wrong.clone())]), &wrong);
    Outcome::found(Verdict::Warn, wrong, cause.to_string())
        .evidence("first", format!("{}: {places} placeholders, {media} images", context.name(first)))
        .with_fix(fix)
}
