//! The clock behind `strftime_now`, and Python's `strftime` in the C locale.
//!
//! Python uses local time. The standard library knows no time zones, so the system clock here is UTC; a
//! fixed clock makes a rendering reproducible.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Where `strftime_now` takes the time from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Clock {
    /// The time of the rendering, in UTC.
    #[default]
    System,
    /// Always this time.
    Fixed(DateTime),
}

/// A date and time of the Gregorian calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    pub year: i64,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
}

impl Clock {
    /// The clock at midnight of a day.
    pub fn fixed_date(year: i64, month: u32, day: u32) -> Self {
        Self::Fixed(DateTime { year, month, day, hour: 0, minute: 0, second: 0 })
    }

    /// The time now.
    pub fn now(self) -> DateTime {
        match self {
            Self::Fixed(time) => time,
            Self::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                DateTime::from_unix(i64::try_from(since.as_secs()).unwrap_or(0))
            }
        }
    }
}

impl DateTime {
    /// The UTC time that many seconds after 1970-01-01.
    pub fn from_unix(seconds: i64) -> Self {
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        let part = |value: i64| u32::try_from(value).unwrap_or(0);
        Self {
            year,
            month,
            day,
            hour: part(rest / 3600),
            minute: part(rest / 60 % 60),
            second: part(rest % 60),
        }
    }

    /// Reads `2026-11-23`, `2026-11-23T10:00` or `2026-11-23T10:00:00`; a blank for the `T` and a `Z` behind are fine.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_end_matches('Z');
        let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
        let mut date = date.splitn(3, '-');
        let (year, month, day) = (date.next()?, date.next()?, date.next()?);
        let mut time = time.splitn(3, ':');
        let mut part = |limit: u32| match time.next() {
            None => Some(0),
            Some(text) => text.parse().ok().filter(|n| *n < limit),
        };
        let time = Self {
            year: year.parse().ok()?,
            month: month.parse().ok().filter(|m| (1..=12).contains(m))?,
            day: day.parse().ok().filter(|d| (1..=31).contains(d))?,
            hour: part(24)?,
            minute: part(60)?,
            second: part(60)?,
        };
        // No 30th of February: a day that comes back as it went.
        (civil_from_days(time.days()) == (time.year, time.month, time.day)).then_some(time)
    }

    /// Days since 1970-01-01.
    fn days(self) -> i64 {
        days_from_civil(self.year, self.month, self.day)
    }

    /// 0 for Sunday.
    fn weekday(self) -> i64 {
        (self.days() + 4).rem_euclid(7)
    }

    /// 1 for January 1st.
    fn day_of_year(self) -> i64 {
        self.days() - days_from_civil(self.year, 1, 1) + 1
    }

    /// ISO 8601 year and week.
    fn iso_week(self) -> (i64, i64) {
        let monday_based = (self.weekday() + 6).rem_euclid(7);
        let thursday = self.days() - monday_based + 3;
        let (year, _, _) = civil_from_days(thursday);
        (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
    }

    /// `datetime.strftime(format)`, C locale. Unknown directives are kept, as glibc does.
    pub fn strftime(self, format: &str) -> String {
        let mut out = String::new();
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let mut flag = None;
            let mut directive = rest.next();
            if let Some(f @ ('-' | '_' | '0' | '^' | '#')) = directive {
                flag = Some(f);
                directive = rest.next();
            }
            match directive {
                Some(directive) => self.directive(&mut out, flag, directive),
                None => out.push('%'),
            }
        }
        out
    }

    fn directive(self, out: &mut String, flag: Option<char>, directive: char) {
        let hour12 = if self.hour.is_multiple_of(12) { 12 } else { self.hour % 12 };
        let weekday = self.weekday();
        let (iso_year, iso_week) = self.iso_week();
        let day_name = usize::try_from(weekday).ok().and_then(|i| DAYS.get(i)).copied().unwrap_or("");
        let month = self.month.saturating_sub(1) as usize;
        let month_name = MONTHS.get(month).copied().unwrap_or("");
        let short = |name: &str| name.chars().take(3).collect::<String>();
        let number = match directive {
            'Y' => (self.year, 1, '0'),
            'C' => (self.year.div_euclid(100), 2, '0'),
            'y' => (self.year.rem_euclid(100), 2, '0'),
            'm' => (self.month.into(), 2, '0'),
            'd' => (self.day.into(), 2, '0'),
            'e' => (self.day.into(), 2, ' '),
            'H' => (self.hour.into(), 2, '0'),
            'k' => (self.hour.into(), 2, ' '),
            'I' => (hour12.into(), 2, '0'),
            'l' => (hour12.into(), 2, ' '),
            'M' => (self.minute.into(), 2, '0'),
            'S' => (self.second.into(), 2, '0'),
            'f' => (0, 6, '0'),
            'j' => (self.day_of_year(), 3, '0'),
            'u' => (if weekday == 0 { 7 } else { weekday }, 1, '0'),
            'w' => (weekday, 1, '0'),
            'U' => ((self.day_of_year() + 6 - weekday) / 7, 2, '0'),
            'W' => ((self.day_of_year() + 6 - (weekday + 6) % 7) / 7, 2, '0'),
            'V' => (iso_week, 2, '0'),
            'G' => (iso_year, 1, '0'),
            'g' => (iso_year.rem_euclid(100), 2, '0'),
            's' => (self.unix(), 1, '0'),
            _ => {
                let text = match directive {
                    'a' => short(day_name),
                    'A' => day_name.to_string(),
                    'b' | 'h' => short(month_name),
                    'B' => month_name.to_string(),
                    'p' => if self.hour < 12 { "AM" } else { "PM" }.to_string(),
                    'P' => if self.hour < 12 { "am" } else { "pm" }.to_string(),
                    'c' => self.strftime("%a %b %e %H:%M:%S %Y"),
                    'x' | 'D' => self.strftime("%m/%d/%y"),
                    'X' | 'T' => self.strftime("%H:%M:%S"),
                    'F' => self.strftime("%Y-%m-%d"),
                    'R' => self.strftime("%H:%M"),
                    'r' => self.strftime("%I:%M:%S %p"),
                    'n' => "\n".to_string(),
                    't' => "\t".to_string(),
                    // A naive datetime has no zone.
                    'z' | 'Z' => String::new(),
                    '%' => "%".to_string(),
                    other => flag.map_or_else(|| format!("%{other}"), |f| format!("%{f}{other}")),
                };
                out.push_str(&if flag == Some('^') { text.to_uppercase() } else { text });
                return;
            }
        };
        push_number(out, number, flag);
    }

    fn unix(self) -> i64 {
        self.days() * 86_400 + i64::from(self.hour * 3600 + self.minute * 60 + self.second)
    }
}

fn push_number(out: &mut String, (value, width, pad): (i64, usize, char), flag: Option<char>) {
    let pad = match flag {
        Some('-') => None,
        Some('_') => Some(' '),
        Some('0') => Some('0'),
        _ => Some(pad),
    };
    // Writing to a String cannot fail.
    let _ = match pad {
        None => write!(out, "{value}"),
        Some(' ') => write!(out, "{value:>width$}"),
        Some(_) => write!(out, "{value:0>width$}"),
    };
}

/// Days since 1970-01-01 of a Gregorian date; years are counted from March so that leap days come last.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = i64::from((month + 9) % 12);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, u32::try_from(month).unwrap_or(1), u32::try_from(day).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_as_python_does() {
        let time = DateTime { year: 2026, month: 11, day: 3, hour: 0, minute: 5, second: 9 };
        for (format, expected) in [
            ("%d %b %Y", "03 Nov 2026"),
            ("%A, %B %-d", "Tuesday, November 3"),
            ("%Y-%m-%dT%H:%M:%S", "2026-11-03T00:05:09"),
            ("%I:%M %p %j %U %W %V %u %w", "12:05 AM 307 44 44 45 2 2"),
            ("%e|%y|%%|%c", " 3|26|%|Tue Nov  3 00:05:09 2026"),
        ] {
            assert_eq!(time.strftime(format), expected);
        }
    }

    #[test]
    fn times_are_read() {
        let time = DateTime::parse("2026-11-23T07:08:09Z").unwrap();
        assert_eq!(
            (time.year, time.month, time.day, time.hour, time.minute, time.second),
            (2026, 11, 23, 7, 8, 9)
        );
        assert_eq!(DateTime::parse("2026-11-23"), DateTime::parse("2026-11-23 00:00"));
        for bad in ["", "2026", "2026-02-30", "2026-11-23T24:00", "2026-11-23T1:2:3:4", "x-1-1"] {
            assert_eq!(DateTime::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn unix_time_round_trips() {
        for seconds in [0, 951_782_400, 1_795_392_000, 4_102_444_799] {
            assert_eq!(DateTime::from_unix(seconds).unix(), seconds);
        }
    }
}
