//! Fuel for the work that the engine does inside one operation on a value.

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use super::limits::{MAX_COMPARED, MAX_STRING, TooLarge, charge};
use super::stored::Size;

/// Charges for one comparison with a value.
///
/// # Errors
/// The value is too large or too deep, or the fuel is used up.
pub(super) fn pay(state: &State, value: &Value) -> Result<(), Error> {
    pay_times(state, value, 1)
}

/// The same for several visits.
///
/// # Errors
/// As [`pay`].
pub(super) fn pay_times(state: &State, value: &Value, times: usize) -> Result<(), Error> {
    if let Some(text) = value.as_str() {
        return match text.len() {
            0..=64 => Ok(()),
            len => charge(state, (len / 8).saturating_mul(times)),
        };
    }
    if !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) {
        return Ok(());
    }
    let size = Size::of(value, MAX_COMPARED)?;
    // A visit to a value takes as long as the work that half a unit of fuel pays for.
    charge(state, (4 * size.values + size.bytes / 8).saturating_mul(times))
}

/// Charges for what becomes a text inside the engine, which prints a value as often as it occurs.
///
/// # Errors
/// The text would be too long, or the fuel is used up.
pub(super) fn pay_to_print(state: &State, value: &Value) -> Result<(), Error> {
    if value.as_str().is_none() && Size::of(value, MAX_COMPARED)?.bytes > MAX_STRING {
        return Err(TooLarge.into());
    }
    pay(state, value)
}
