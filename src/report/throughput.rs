//! How far a long run is, in words: samples, rate, share and time left.

use std::time::Duration;

/// What is known of a run that is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Throughput {
    /// Samples in all, and those of them that an earlier run counted.
    pub samples: u64,
    pub before: u64,
    pub elapsed: Duration,
    /// Bytes that were read, of how many where that is known.
    pub read: u64,
    pub total: Option<u64>,
}

impl Throughput {
    /// Samples a second.
    pub fn rate(&self) -> u64 {
        let millis = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
        self.samples.saturating_sub(self.before).saturating_mul(1000) / millis
    }

    /// Hundredths of the bytes that were read.
    pub fn percent(&self) -> Option<u64> {
        let total = self.total.filter(|total| *total > 0)?;
        Some((self.read.min(total)).saturating_mul(100) / total)
    }

    /// Seconds that the rest takes at the throughput so far; `None` before there is one.
    pub fn left(&self) -> Option<u64> {
        let total = self.total?;
        let left = u128::from(total.saturating_sub(self.read));
        let seconds = (self.elapsed.as_millis() * left).checked_div(u128::from(self.read))? / 1000;
        u64::try_from(seconds).ok()
    }
}

/// `12000 samples · 3400 a second · 41 % · 0:17 left`.
pub fn pace_text(throughput: &Throughput) -> String {
    let parts = [
        format!("{} samples", throughput.samples),
        format!("{} a second", throughput.rate()),
        share_and_left(throughput),
    ];
    parts.join(" · ").trim_end_matches(" · ").to_string()
}

/// `41 % · 0:17 left · `, or nothing where the end is not known.
pub fn share_and_left(throughput: &Throughput) -> String {
    let percent = throughput.percent().map(|percent| format!("{percent} % · "));
    let left = throughput.left().map(|left| format!("{} left · ", clock(left)));
    percent.into_iter().chain(left).collect()
}

/// `1:02:03` or `2:03`.
fn clock(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_and_time_left_follow_from_the_bytes() {
        let throughput = Throughput {
            samples: 3000,
            before: 1000,
            elapsed: Duration::from_secs(4),
            read: 250,
            total: Some(1000),
        };
        assert_eq!(pace_text(&throughput), "3000 samples · 500 a second · 25 % · 0:12 left");
        let unknown = Throughput { total: None, ..throughput };
        assert_eq!(pace_text(&unknown), "3000 samples · 500 a second");
        assert_eq!(clock(3723), "1:02:03");
        assert_eq!(Throughput::default().left(), None);
    }
}
