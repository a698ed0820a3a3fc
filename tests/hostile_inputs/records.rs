//! Records of data sets.

use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use crate::run::{Ran, folder, run};

const SOUND: &str =
    r#"{"id": "s", "conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "yes"}]}"#;

/// A conversation with this text, as JSON.
fn conversation(text: &str) -> String {
    SOUND.replace("yes", text)
}

fn scan(name: &str, file: &str, bytes: Vec<u8>) -> Ran {
    let dir = folder(&[(file, bytes)]);
    run(name, dir.path(), &["scan", "-d", file, "--format", "json"], b"")
}

/// The record is counted as bad or lost, and the sound one behind it is counted too.
fn counted(name: &str, record: &str) {
    let ran = scan(name, "d.jsonl", format!("{record}\n{SOUND}\n").into_bytes());
    let report: serde_json::Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|e| panic!("{name}: {e}: {:?} {} {}", ran.code, ran.stdout, ran.stderr));
    let sound = report["by_state"]["sound"].as_u64().unwrap_or(0);
    assert_eq!((ran.code, sound), (Some(1), 1), "{name}: {report:#}");
}

#[test]
fn records_below_the_cap() {
    counted("a text of 60 MB", &conversation(&"many words ".repeat(60_000_000 / 11)));
    counted("a text of 20 MB", &conversation(&"many words ".repeat(20_000_000 / 11)));
    // Whether the word is labelled within its time depends on the machine: the next sample is labelled too, or the watch
    // ends the run with a sentence.
    let word = conversation(&"x".repeat(4_000_000));
    let ran = scan("a word of 4 MB", "d.jsonl", format!("{word}\n{SOUND}\n").into_bytes());
    if ran.code == Some(2) {
        assert!(ran.stderr.contains("error: "), "{}", ran.stderr);
    } else {
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a report");
        assert_eq!(report["samples"], 2, "{report:#}");
        assert!(report["by_state"]["sound"].as_u64() >= Some(1), "{report:#}");
    }
    counted("an array of 62 MB", &format!("{{\"conversations\": [{}1]}}", "1,".repeat(31_000_000)));
    let turns = r#"{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}, "#.repeat(350_000);
    counted("700,000 turns", &format!("{{\"conversations\": [{}]}}", turns.trim_end_matches(", ")));
    let keys: String = (0..1_000_000).map(|n| format!("\"{n}\": 0, ")).collect();
    counted("a million keys", &format!("{{{keys}\"conversations\": []}}"));
    counted("brackets", &format!("{{\"conversations\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000)));
}

#[test]
fn a_record_above_the_cap_is_skipped() {
    counted("a text of 80 MB", &conversation(&"many words ".repeat(80_000_000 / 11)));
    counted("an array of 80 MB", &format!("{{\"conversations\": [{}1]}}", "1,".repeat(40_000_000)));
}

#[test]
fn a_large_record_of_sound_size_is_labelled() {
    let ran = scan("a text of 1 MB", "d.jsonl", conversation(&"many words ".repeat(1 << 17)).into_bytes());
    assert!(ran.stdout.contains("\"samples\": 1"), "{} {}", ran.stdout, ran.stderr);
}

/// A file with one text column, whose cells are these.
fn parquet_texts(cells: &[Vec<u8>]) -> Vec<u8> {
    let schema =
        parse_message_type("message row { required binary conversations (UTF8); }").expect("a schema");
    parquet(schema, |column| {
        let values: Vec<ByteArray> = cells.iter().map(|c| ByteArray::from(c.clone())).collect();
        column.write_batch(&values, None, None).expect("written");
    })
}

/// A file with one row of this many turns.
fn parquet_turns(turns: usize) -> Vec<u8> {
    let schema =
        "message row { required group conversations (LIST) { repeated group list { required group element {
        required binary from (UTF8); required binary value (UTF8); } } } }";
    let schema = parse_message_type(schema).expect("a schema");
    parquet(schema, |column| {
        let values = vec![ByteArray::from("human"); turns];
        let repetition: Vec<i16> = (0..turns).map(|n| i16::from(n > 0)).collect();
        column.write_batch(&values, Some(&vec![1; turns]), Some(&repetition)).expect("written");
    })
}

fn parquet(
    schema: parquet::schema::types::Type,
    fill: impl Fn(&mut parquet::column::writer::ColumnWriterImpl<'_, ByteArrayType>),
) -> Vec<u8> {
    let properties =
        WriterProperties::builder().set_compression(parquet::basic::Compression::ZSTD(Default::default()));
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::new(properties.build()))
        .expect("a writer");
    let mut group = writer.next_row_group().expect("a row group");
    while let Some(mut column) = group.next_column().expect("a column") {
        fill(column.typed::<ByteArrayType>());
        column.close().expect("closed");
    }
    group.close().expect("closed");
    writer.close().expect("closed");
    bytes
}

#[test]
fn small_parquet_files_of_much_data() {
    let cell = vec![b'a'; 300_000_000];
    scan("a cell of 300 MB", "d.parquet", parquet_texts(&[cell])).refused(&["d.parquet"]);
    scan("a row of 2,000,000 turns", "d.parquet", parquet_turns(2_000_000)).refused(&["d.parquet"]);
}

#[test]
fn damaged_parquet_files_say_so_in_one_sentence() {
    let whole = include_bytes!("../parquet/rows.zstd.parquet");
    for at in (4..whole.len()).step_by(whole.len() / 25) {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 0x55;
        let ran = scan("a damaged file", "d.parquet", bytes);
        assert!(!ran.stderr.contains("parquet-"), "the crate's own message: {}", ran.stderr);
    }
}

#[test]
fn parquet_footers_that_lie() {
    let whole = parquet_texts(&[SOUND.as_bytes().to_vec(), SOUND.as_bytes().to_vec()]);
    let trailer = whole.len() - 8;
    let footer = u32::from_le_bytes(whole[trailer..trailer + 4].try_into().expect("four bytes")) as usize;
    let size = whole.len() as u32;
    for len in [0, 1, footer as u32 - 1, footer as u32 + 1, size - 8, size, i32::MAX as u32, u32::MAX] {
        let mut bytes = whole.clone();
        bytes[trailer..trailer + 4].copy_from_slice(&len.to_le_bytes());
        scan(&format!("a footer of {len} bytes"), "d.parquet", bytes).refused(&["d.parquet"]);
    }
    // Numbers of rows, values and bytes, offsets and kinds: each is a byte or a few, and any of them may lie.
    for at in (trailer - footer..trailer).step_by(7) {
        for lie in [0x00, 0x7F, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] = lie;
            let ran = scan(&format!("byte {at} is {lie}"), "d.parquet", bytes);
            assert!(
                ran.code == Some(0) || ran.stdout.contains("samples") || ran.stderr.contains("d.parquet")
            );
        }
    }
    // A number of rows, in as many bytes as it takes, before the names of the columns' data.
    let cut = whole[..trailer - footer].len();
    for end in [cut, cut / 2, 12, 8, 4] {
        let bytes = [&whole[..end], &whole[trailer - footer..]].concat();
        scan("data that is not there", "d.parquet", bytes);
    }
}

#[test]
fn a_large_cell_behind_sound_ones() {
    let sound = SOUND.as_bytes().to_vec();
    let cells = [sound.clone(), vec![b'['; 70 << 20], vec![0; 63 << 20], sound];
    scan("cells of 70 MB", "d.parquet", parquet_texts(&cells)).refused(&["d.parquet"]);
}

#[test]
fn other_encodings_are_named() {
    let wide = |bytes: fn(u16) -> [u8; 2], mark: [u8; 2]| -> Vec<u8> {
        mark.into_iter().chain(SOUND.encode_utf16().flat_map(bytes)).collect()
    };
    for bytes in [wide(u16::to_le_bytes, [0xFF, 0xFE]), wide(u16::to_be_bytes, [0xFE, 0xFF])] {
        scan("UTF-16", "d.jsonl", bytes.clone()).refused(&["d.jsonl", "UTF-16"]);
        let dir = folder(&[("d.json", bytes)]);
        run("UTF-16", dir.path(), &["inspect", "-d", "d.json"], b"").refused(&["d.json", "UTF-16"]);
    }
}

#[test]
fn compressed_without_end() {
    let zeros = vec![b' '; 1 << 20];
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..2048 {
        std::io::Write::write_all(&mut gz, &zeros).expect("written");
    }
    let bomb = gz.finish().expect("finished");
    scan("2 GB of blanks", "d.jsonl.gz", bomb).refused(&["d.jsonl.gz"]);
}
