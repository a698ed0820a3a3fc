//! How many values a JSON text holds, before it is parsed: a parsed value takes 72 bytes, its text perhaps two.

use memchr::memchr2;

/// At most how many values a JSON text holds: places where one can begin. Strings are skipped.
pub fn json_values(text: &[u8]) -> usize {
    let (mut count, mut at) = (1usize, 0);
    while let Some(byte) = text.get(at) {
        match byte {
            b',' | b':' | b'[' | b'{' => count += 1,
            b'"' => {
                at += 1;
                while let Some(found) = text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
                    at += found;
                    if text.get(at) == Some(&b'"') {
                        break;
                    }
                    at += 2;
                }
            }
            _ => {}
        }
        at += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_outside_of_strings() {
        for (text, most) in
            [("{}", 2), (r#"{"a, [{": [1, 2], "b\\": "\", ,"}"#, 7), (r#""open"#, 1), ("", 1), ("[[[[", 5)]
        {
            assert_eq!(json_values(text.as_bytes()), most, "{text}");
        }
    }
}
