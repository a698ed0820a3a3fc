//! The turns of an ordinary record without a tree of JSON values: for scans, which read millions of them.
//!
//! A record is read here only where [`super::sample_of`] would make the same sample of it; every other one (another
//! layout, another speaker, a key twice, broken JSON) is refused without a word and goes there.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::layout;
use super::sample::Sample;

/// A turn of `human` or `gpt`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlainTurn<'a> {
    /// True for `gpt`.
    pub answer: bool,
    pub value: Cow<'a, str>,
}

/// What a sample is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlainRecord<'a> {
    /// The record's id; its index stands for it where there is none.
    pub id: Option<String>,
    pub turns: Vec<PlainTurn<'a>>,
    pub has_image: bool,
    /// A key `video`, and none `image`.
    pub has_only_video: bool,
    pub media: usize,
}

impl<'a> PlainRecord<'a> {
    /// Reads the bytes of one record; `None` where it is not an ordinary one.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// The record of a sample; `None` where a speaker is neither `human` nor `gpt`.
    pub fn of(sample: &'a Sample) -> Option<Self> {
        let turn = |t: &'a super::Turn| {
            let answer = speaker(&t.from)?;
            Some(PlainTurn { answer, value: Cow::Borrowed(&t.value) })
        };
        Some(Self {
            id: Some(sample.id.clone()),
            turns: sample.conversations.iter().map(turn).collect::<Option<_>>()?,
            has_image: sample.has_image,
            has_only_video: sample.has_only_video,
            media: sample.media,
        })
    }
}

fn speaker(from: &str) -> Option<bool> {
    match from {
        "human" => Some(false),
        "gpt" => Some(true),
        _ => None,
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for PlainRecord<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(RecordVisitor(std::marker::PhantomData))
    }
}

struct RecordVisitor<'a>(std::marker::PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for RecordVisitor<'a> {
    type Value = PlainRecord<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut record = PlainRecord::default();
        let (mut id, mut turns) = (None, None);
        let (mut image, mut video) = (None, None);
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match &*key.0 {
                "id" => once(&mut id, map.next_value::<Id>()?)?,
                "conversations" => once(&mut turns, map.next_value::<Vec<Turn<'de>>>()?)?,
                "image" => once(&mut image, map.next_value::<Any>()?)?,
                "video" => once(&mut video, map.next_value::<Any>()?)?,
                key => other_value(key, &mut map)?,
            }
        }
        record.id = id.and_then(|id| id.0);
        record.turns =
            turns.ok_or_else(|| M::Error::missing_field("conversations"))?.into_iter().map(|t| t.0).collect();
        record.has_image = image.is_some() || video.is_some();
        record.has_only_video = image.is_none() && video.is_some();
        record.media = [image, video].iter().flatten().map(|any| any.media).sum();
        Ok(record)
    }
}

/// Of a key that stands twice the last value counts: left to whoever keeps all of them.
fn once<T, E: Error>(slot: &mut Option<T>, value: T) -> Result<(), E> {
    match slot.replace(value) {
        Some(_) => Err(E::custom("a key stands twice")),
        None => Ok(()),
    }
}

/// Reads past a value that means nothing, as strictly as if it were kept.
fn other_value<'de, M: MapAccess<'de>>(key: &str, map: &mut M) -> Result<(), M::Error> {
    // serde_json reads a key of its own in another way; other layouts have keys that come before or add to LLaVA's.
    if key.starts_with('$') || layout::LAYOUT_KEYS.contains(&key) {
        return Err(M::Error::custom("a key that says more"));
    }
    map.next_value::<Any>().map(|_| ())
}

/// A string, borrowed where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_string())))
    }
}

/// A turn of the layout.
struct Turn<'a>(PlainTurn<'a>);

impl<'de> Deserialize<'de> for Turn<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TurnVisitor)
    }
}

struct TurnVisitor;

impl<'de> Visitor<'de> for TurnVisitor {
    type Value = Turn<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a turn")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let (mut from, mut value) = (None, None);
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match &*key.0 {
                "from" => once(&mut from, map.next_value::<Text<'de>>()?)?,
                "value" => once(&mut value, map.next_value::<Text<'de>>()?)?,
                key => other_value(key, &mut map)?,
            }
        }
        let answer = from.and_then(|from| speaker(&from.0)).ok_or_else(|| M::Error::missing_field("from"))?;
        let value = value.ok_or_else(|| M::Error::missing_field("value"))?.0;
        Ok(Turn(PlainTurn { answer, value }))
    }
}

/// An id as [`super::sample_of`] writes it; `None` where it takes the index.
struct Id(Option<String>);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor).map(|any| Id(any.id))
    }
}

/// Any value: what it is as an id, and how many media it names.
#[derive(Default)]
struct Any {
    id: Option<String>,
    media: usize,
}

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Any;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Any, E> {
        Ok(Any { id: Some(text.to_string()), media: 1 })
    }
    fn visit_bool<E: Error>(self, _: bool) -> Result<Any, E> {
        Ok(Any { id: None, media: 1 })
    }
    fn visit_u64<E: Error>(self, n: u64) -> Result<Any, E> {
        Ok(Any { id: Some(n.to_string()), media: 1 })
    }
    fn visit_i64<E: Error>(self, n: i64) -> Result<Any, E> {
        Ok(Any { id: Some(n.to_string()), media: 1 })
    }
    fn visit_f64<E: Error>(self, n: f64) -> Result<Any, E> {
        Ok(Any { id: serde_json::Number::from_f64(n).map(|n| n.to_string()), media: 1 })
    }
    fn visit_unit<E: Error>(self) -> Result<Any, E> {
        Ok(Any::default())
    }
    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Any, S::Error> {
        let mut media = 0;
        while seq.next_element::<Any>()?.is_some() {
            media += 1;
        }
        Ok(Any { id: None, media })
    }
    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Any, M::Error> {
        while let Some(key) = map.next_key::<Text<'de>>()? {
            other_value(&key.0, &mut map)?;
        }
        Ok(Any { id: None, media: 1 })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::chat::sample_of;

    /// Both readings of a record agree, or this one refuses.
    fn check(text: &str) -> bool {
        let Some(plain) = PlainRecord::read(text.as_bytes()) else { return false };
        let value: serde_json::Value = serde_json::from_str(text).expect("is JSON");
        let sample = sample_of(&value, None, 7, 1, Path::new("x")).expect("is a sample");
        let id = plain.id.clone().unwrap_or_else(|| "7".to_string());
        let own = PlainRecord { id: Some(id), ..plain };
        assert_eq!(own, PlainRecord::of(&sample).expect("is plain"), "{text}");
        true
    }

    #[test]
    fn ordinary_records_are_read_as_samples_are() {
        let turns = r#""conversations": [{"from": "human", "value": "a\n\u00e9"}, {"value": "b", "from": "gpt", "x": [1]}]"#;
        for rest in [
            "",
            r#", "id": 5"#,
            r#", "id": -5.50"#,
            r#", "id": 1e400e"#,
            r#", "id": "x\"y""#,
            r#", "id": null"#,
            r#", "id": [1, {"a": 2}]"#,
            r#", "image": "a.jpg""#,
            r#", "image": ["a", null, {}], "video": null"#,
            r#", "image": true, "video": 3, "more": {"a": [[], {}]}"#,
            r#", "image": {"a": 1}"#,
        ] {
            let text = format!("{{{turns}{rest}}}");
            assert_eq!(check(&text), serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{text}");
        }
    }

    #[test]
    fn other_records_are_refused() {
        for text in [
            "{}",
            "[]",
            r#"{"conversations": [{"from": "human", "value": "x"}], "messages": [{"role": "user", "content": "y"}]}"#,
            r#"{"conversations": [], "images": ["a.jpg"]}"#,
            r#"{"conversations": [{"from": "system", "value": "x"}]}"#,
            r#"{"conversations": [{"from": "human"}]}"#,
            r#"{"conversations": [{"from": "human", "value": 1}]}"#,
            r#"{"conversations": [], "conversations": []}"#,
            r#"{"conversations": [], "x": "\ud800"}"#,
            r#"{"conversations": [], "x": 1e999}"#,
            r#"{"conversations": [], "x": {"$serde_json::private::RawValue": "1"}}"#,
            r#"{"conversations": []} x"#,
        ] {
            assert!(PlainRecord::read(text.as_bytes()).is_none(), "{text}");
        }
        let deep = format!("{{\"conversations\": [], \"x\": {}1{}}}", "[".repeat(200), "]".repeat(200));
        assert!(PlainRecord::read(deep.as_bytes()).is_none());
    }
}
