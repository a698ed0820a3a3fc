//! The conversations on screen and where they come from.

use std::path::PathBuf;
use std::sync::Arc;

use super::job::JobContext;
use crate::chat::layout::Layout;
use crate::chat::{PeekedRows, ReadProgress, Sample, SampleFile, read_sound_samples};
use crate::error::Result;
use crate::samples;

/// Where conversations come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataSource {
    /// Those that are built in.
    Embedded,
    /// Those of messages, for chat templates.
    EmbeddedMessages,
    File(PathBuf),
}

impl DataSource {
    /// As a title names it.
    pub fn name(&self) -> String {
        match self {
            Self::Embedded => "built-in samples".to_string(),
            Self::EmbeddedMessages => "built-in messages".to_string(),
            Self::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        }
    }

    /// Reads the conversations, for a job; `report` is told how far it is.
    ///
    /// # Errors
    /// A file that cannot be read or holds no list of records, and a job that was cancelled.
    pub fn read(
        &self,
        layout: Option<Layout>,
        job: &JobContext<'_>,
        report: impl Fn(ReadProgress),
    ) -> Result<Data> {
        let sound = |samples| Data { samples: Arc::new(samples), left_out: None, rows: None };
        match self {
            Self::Embedded => samples::conversations().map(sound),
            Self::EmbeddedMessages => samples::messages().map(sound),
            Self::File(path) => read_sound_samples(path, layout, &mut |progress| {
                report(progress);
                job.flow()
            })
            .map(|file| Data::of_file(file, layout)),
        }
    }
}

/// The conversations of a file.
#[derive(Debug, Clone)]
pub struct Data {
    pub samples: Arc<Vec<Sample>>,
    pub left_out: Option<LeftOut>,
    /// What the rows of a file are; `None` for conversations that are built in.
    pub rows: Option<PeekedRows>,
}

impl Data {
    /// The samples of a file; `layout` is the one that was forced.
    fn of_file(file: SampleFile, layout: Option<Layout>) -> Self {
        let rows = layout.or(file.detection.map(|found| found.layout));
        let rows = rows.map(|layout| PeekedRows::of_samples(layout, &file.samples));
        let left_out =
            file.first_problem.map(|first| LeftOut { count: file.left_out, first: first.to_string() });
        Self { samples: Arc::new(file.samples), left_out, rows }
    }
}

/// Records of a file that are no samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub count: usize,
    /// What is wrong with the first of them, with its place.
    pub first: String,
}

impl LeftOut {
    /// In a sentence.
    pub fn line(&self) -> String {
        match self.count {
            1 => format!("1 record is left out: {}", self.first),
            count => format!("{count} records are left out, the first: {}", self.first),
        }
    }
}
