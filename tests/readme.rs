//! The README's key table is the program's own; `MASKSCOPE_BLESS=1 cargo test --test readme` writes it.

const BEGIN: &str = "<!-- keys: written by tests/readme.rs -->\n";
const END: &str = "<!-- end of keys -->";

#[test]
fn the_key_table_is_the_programs_own() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).expect("the README");
    let (before, rest) = readme.split_once(BEGIN).expect("the table's beginning");
    let (table, after) = rest.split_once(END).expect("the table's end");
    let wanted = maskscope::app::markdown();
    if std::env::var_os("MASKSCOPE_BLESS").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{wanted}{END}{after}")).expect("the README is written");
    } else {
        assert_eq!(table, wanted, "run MASKSCOPE_BLESS=1 cargo test --test readme");
    }
}
