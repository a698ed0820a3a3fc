//! Placeholders against images.

use super::check::{Check, CheckOutcome};
use crate::diagnose::change::Change;
use crate::diagnose::context::Context;
use crate::diagnose::finding::Verdict;
use crate::diagnose::fix::Fix;

pub const CHECK: Check = Check { id: "MSK018", title: "placeholders and images differ in number", run };

fn run(context: &Context<'_>) -> CheckOutcome {
    let differs = |index: usize| {
        let (Some(sample), Some(facts)) = (context.samples.get(index), context.facts.get(index)) else {
            return false;
        };
        let places = facts.content.placeholders + facts.content.videos;
        if sample.has_image { places != sample.media } else { facts.content.placeholders > 0 }
    };
    let wrong: Vec<usize> = (0..context.samples.len()).filter(|i| differs(*i)).collect();
    let Some(first) = wrong.first().copied() else { return CheckOutcome::ok() };
    let places = context.facts.get(first).map_or(0, |f| f.content.placeholders + f.content.videos);
    let media = context.samples.get(first).map_or(0, |s| s.media);
    let cause = "every <image> in a turn of an image sample takes one image, and in a text sample it stays text; \
                 nothing checks that there are as many images";
    let fix = context.tried(Fix::new(vec![Change::Drop(wrong.clone())]), &wrong);
    CheckOutcome::found(Verdict::Warn, wrong, cause.to_string())
        .evidence("first", format!("{}: {places} placeholders, {media} images", context.name(first)))
        .with_fix(fix)
}
