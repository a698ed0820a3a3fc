#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| maskscope_fuzz::run("parquet", bytes));
