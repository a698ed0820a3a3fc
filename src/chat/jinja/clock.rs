//! The clock behind `strftime_now`: local time, as Python's `datetime.now()`, or a fixed one that makes a rendering
//! reproducible. The calendar is jiff's; what is here are the directives in which Python and glibc differ from it.

use jiff::civil::DateTime;
use jiff::fmt::strtime::{BrokenDownTime, Config, PosixCustom};

/// Where `strftime_now` takes the time from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Clock {
    /// The local time of the rendering.
    #[default]
    System,
    /// Always this time.
    Fixed(DateTime),
}

impl std::fmt::Display for Clock {
    /// As [`Clock::parse`] reads it; nothing for the system's.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System => Ok(()),
            Self::Fixed(time) => write!(f, "{time}"),
        }
    }
}

impl Clock {
    /// A fixed clock at `2026-11-23`, `2026-11-23T10:00` or `2026-11-23T10:00:00`; a blank for the `T` and a `Z` behind
    /// are fine. `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        text.trim().trim_end_matches('Z').parse().ok().map(Self::Fixed)
    }

    fn now(self) -> DateTime {
        match self {
            Self::Fixed(time) => time,
            Self::System => jiff::Zoned::now().datetime(),
        }
    }

    /// `datetime.now().strftime(format)` in the C locale. Unknown directives are kept, as glibc does.
    pub(crate) fn strftime(self, format: &str) -> String {
        let now = self.now();
        let mut out = String::new();
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let mut flag = None;
            let mut directive = rest.next();
            if let Some('-' | '_' | '0' | '^' | '#') = directive {
                flag = directive;
                directive = rest.next();
            }
            match directive {
                Some(directive) => out.push_str(&formatted(now, flag, directive)),
                None => out.push('%'),
            }
        }
        out
    }
}

/// One directive.
fn formatted(time: DateTime, flag: Option<char>, directive: char) -> String {
    let as_written = || flag.map_or_else(|| format!("%{directive}"), |flag| format!("%{flag}{directive}"));
    let jiff = match directive {
        // Python's are microseconds; the clock has none.
        'f' => "%6f".to_string(),
        // A naive datetime has no zone.
        'z' | 'Z' => return String::new(),
        // glibc takes a naive time for a local one.
        's' => {
            let local = time.to_zoned(jiff::tz::TimeZone::system());
            return local.map_or_else(|_| String::new(), |local| local.timestamp().as_second().to_string());
        }
        // glibc pads no year, and both digits of a century.
        'Y' | 'G' if flag.is_none() => format!("%-{directive}"),
        'C' if flag.is_none() => "%02C".to_string(),
        'A' | 'a' | 'B' | 'b' | 'h' | 'C' | 'c' | 'D' | 'd' | 'e' | 'F' | 'G' | 'g' | 'H' | 'I' | 'j'
        | 'k' | 'l' | 'M' | 'm' | 'n' | 'P' | 'p' | 'R' | 'r' | 'S' | 'T' | 't' | 'U' | 'u' | 'V' | 'W'
        | 'w' | 'X' | 'x' | 'Y' | 'y' | '%' => as_written(),
        _ => return as_written(),
    };
    let config = Config::new().custom(PosixCustom::new());
    // jiff refuses two digits of a year outside 1969 to 2068.
    BrokenDownTime::from(time).to_string_with_config(&config, &jiff).unwrap_or_else(|_| as_written())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_python_does() {
        let clock = Clock::parse("2026-11-03T00:05:09").unwrap();
        for (format, expected) in [
            ("%d %b %Y", "03 Nov 2026"),
            ("%A, %B %-d", "Tuesday, November 3"),
            ("%Y-%m-%dT%H:%M:%S", "2026-11-03T00:05:09"),
            ("%I:%M %p %j %U %W %V %u %w", "12:05 AM 307 44 44 45 2 2"),
            ("%e|%y|%%|%c", " 3|26|%|Tue Nov  3 00:05:09 2026"),
            ("%F %R %T %D %x %X %r", "2026-11-03 00:05 00:05:09 11/03/26 11/03/26 00:05:09 12:05:09 AM"),
            ("%C%g %G %k %l %h %P %f", "2026 2026  0 12 Nov am 000000"),
            ("%^a %^B %_d %-m %-H %0e", "TUE NOVEMBER  3 11 0 03"),
            ("%z%Z|%n|%t|%Q|%E|%", "|\n|\t|%Q|%E|%"),
        ] {
            assert_eq!(clock.strftime(format), expected, "{format}");
        }
        assert_eq!(Clock::parse("987-01-02"), None);
        assert_eq!(Clock::parse("0987-01-02").unwrap().strftime("%Y %C"), "987 09");
    }

    #[test]
    fn times_are_read() {
        let at = |text| Clock::parse(text).map(|clock| clock.strftime("%F %T"));
        assert_eq!(at(" 2026-11-23T07:08:09Z").as_deref(), Some("2026-11-23 07:08:09"));
        assert_eq!(at("2026-11-23 07:08").as_deref(), Some("2026-11-23 07:08:00"));
        assert_eq!(at("2026-11-23").as_deref(), Some("2026-11-23 00:00:00"));
        for bad in ["", "2026", "2026-02-30", "2026-13-01", "2026-11-23T24:00", "2026-11-23T1:2:3:4", "x-1-1"]
        {
            assert_eq!(Clock::parse(bad), None, "{bad}");
        }
    }
}
