//! What one field of a row holds: numbers, numbers in lists, text.
//!
//! JSON is read into this form directly: a row of ids as JSON values would take nine times the memory.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Deepest nesting that means something: routes of a batch are `[row, token, layer, k]`.
const MOST_NESTED: usize = 6;

/// A list of numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    Ints(Vec<i64>),
    /// With NaN for null.
    Floats(Vec<f32>),
}

impl Numbers {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Ints(values) => values.len(),
            Self::Floats(values) => values.len(),
        }
    }

    /// True where there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whole numbers; `None` where one is none.
    pub fn ints(self) -> Option<Vec<i64>> {
        match self {
            Self::Ints(values) => Some(values),
            Self::Floats(values) => values.into_iter().map(whole).collect(),
        }
    }

    /// As floats.
    pub fn floats(self) -> Vec<f32> {
        match self {
            Self::Ints(values) => values.into_iter().map(|value| value as f32).collect(),
            Self::Floats(values) => values,
        }
    }

    fn push_float(&mut self, value: f32) {
        if let Self::Ints(values) = self {
            *self = Self::Floats(values.iter().map(|value| *value as f32).collect());
        }
        if let Self::Floats(values) = self {
            values.push(value);
        }
    }

    fn push_int(&mut self, value: i64) {
        match self {
            Self::Ints(values) => values.push(value),
            Self::Floats(values) => values.push(value as f32),
        }
    }
}

fn whole(value: f32) -> Option<i64> {
    // Above 2^24 a float has no room for each whole number: such ids were damaged when they were written.
    (value.fract() == 0.0 && value.abs() <= 16_777_216.0).then_some(value as i64)
}

/// One field of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum DumpCell {
    Flat(Numbers),
    Nested(Vec<DumpCell>),
    Number(f64),
    Text(String),
    /// Null, an object, or whatever else is no array of numbers.
    Other,
}

impl DumpCell {
    /// No values.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Flat(numbers) => numbers.is_empty(),
            Self::Nested(cells) => cells.is_empty(),
            Self::Other => true,
            Self::Number(_) | Self::Text(_) => false,
        }
    }

    /// All numbers of the lists one after another; `None` where something else is among them.
    pub fn flattened(self) -> Option<Numbers> {
        match self {
            Self::Flat(numbers) => Some(numbers),
            Self::Number(value) => Some(Numbers::Floats(vec![value as f32])),
            Self::Nested(cells) => {
                let mut all = Numbers::Ints(Vec::new());
                for cell in cells {
                    match cell.flattened()? {
                        Numbers::Ints(values) => values.into_iter().for_each(|value| all.push_int(value)),
                        Numbers::Floats(values) => values.into_iter().for_each(|value| all.push_float(value)),
                    }
                }
                Some(all)
            }
            Self::Text(_) | Self::Other => None,
        }
    }

    /// Lengths along the dimensions, by the first element of each.
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Flat(numbers) => vec![numbers.len()],
            Self::Nested(cells) => {
                let mut shape = vec![cells.len()];
                shape.extend(cells.first().map(Self::shape).unwrap_or_default());
                shape
            }
            _ => Vec::new(),
        }
    }
}

impl<'de> Deserialize<'de> for DumpCell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CellVisitor)
    }
}

struct CellVisitor;

impl<'de> Visitor<'de> for CellVisitor {
    type Value = DumpCell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("numbers, lists of numbers, or a text")
    }

    fn visit_bool<E>(self, value: bool) -> Result<DumpCell, E> {
        Ok(DumpCell::Number(f64::from(u8::from(value))))
    }

    fn visit_i64<E>(self, value: i64) -> Result<DumpCell, E> {
        Ok(DumpCell::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<DumpCell, E> {
        Ok(DumpCell::Number(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<DumpCell, E> {
        Ok(DumpCell::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<DumpCell, E> {
        Ok(DumpCell::Text(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<DumpCell, E> {
        Ok(DumpCell::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DumpCell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(DumpCell::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<DumpCell, A::Error> {
        let mut numbers = Numbers::Ints(Vec::new());
        let mut cells: Vec<DumpCell> = Vec::new();
        while let Some(element) = list.next_element::<Element>()? {
            match element {
                Element::Int(value) if cells.is_empty() => numbers.push_int(value),
                Element::Float(value) if cells.is_empty() => numbers.push_float(value),
                Element::Int(value) => cells.push(DumpCell::Number(value as f64)),
                Element::Float(value) => cells.push(DumpCell::Number(f64::from(value))),
                Element::DumpCell(DumpCell::Other) if cells.is_empty() => numbers.push_float(f32::NAN),
                Element::DumpCell(cell) => cells.push(cell),
            }
        }
        Ok(match (cells.is_empty(), numbers.len()) {
            (true, _) => DumpCell::Flat(numbers),
            (false, 0) => DumpCell::Nested(cells),
            // Numbers and lists side by side are no array.
            (false, _) => DumpCell::Other,
        })
    }
}

/// An element of a list: numbers need no cell of their own.
enum Element {
    Int(i64),
    Float(f32),
    DumpCell(DumpCell),
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ElementVisitor)
    }
}

struct ElementVisitor;

impl<'de> Visitor<'de> for ElementVisitor {
    type Value = Element;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        CellVisitor.expecting(f)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Element, E> {
        Ok(Element::Int(i64::from(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Element, E> {
        Ok(Element::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Element, E> {
        Ok(Element::Int(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Element, E> {
        Ok(Element::Float(value as f32))
    }

    fn visit_str<E>(self, value: &str) -> Result<Element, E> {
        Ok(Element::DumpCell(DumpCell::Text(value.to_string())))
    }

    fn visit_unit<E>(self) -> Result<Element, E> {
        Ok(Element::DumpCell(DumpCell::Other))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
        CellVisitor.visit_map(map).map(Element::DumpCell)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Element, A::Error> {
        CellVisitor.visit_seq(list).map(Element::DumpCell)
    }
}

/// Whether the nesting is one that a dump has.
pub(super) fn is_shallow(cell: &DumpCell) -> bool {
    cell.shape().len() <= MOST_NESTED
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> DumpCell {
        serde_json::from_str(text).expect("a cell")
    }

    #[test]
    fn json_becomes_numbers() {
        assert_eq!(cell("[1, -100, true]"), DumpCell::Flat(Numbers::Ints(vec![1, -100, 1])));
        assert_eq!(cell("[1, 0.5]"), DumpCell::Flat(Numbers::Floats(vec![1.0, 0.5])));
        assert_eq!(cell("[[1, 2], [3]]").shape(), [2, 2]);
        assert_eq!(cell("[[1, 2], [3]]").flattened(), Some(Numbers::Ints(vec![1, 2, 3])));
        assert_eq!(cell("[1, [2]]"), DumpCell::Other);
        assert_eq!(cell("{\"a\": [1]}"), DumpCell::Other);
        let DumpCell::Flat(Numbers::Floats(values)) = cell("[null, -0.25]") else { panic!("floats") };
        assert!(values[0].is_nan() && values[1] == -0.25);
    }

    #[test]
    fn floats_are_ids_only_where_they_are_exact() {
        assert_eq!(Numbers::Floats(vec![3.0, -100.0]).ints(), Some(vec![3, -100]));
        assert_eq!(Numbers::Floats(vec![0.5]).ints(), None);
        assert_eq!(Numbers::Floats(vec![f32::NAN]).ints(), None);
    }
}
