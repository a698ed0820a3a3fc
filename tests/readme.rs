//! The README stays short: what is longer is a page of `docs/`. Its links, commands and pictures are checked by
//! `tests/docs.rs` together with those of the pages.

/// It is to be read in one go: the first screen of a repository, and the page of a package registry.
const MOST_LINES: usize = 140;

#[test]
fn the_readme_is_short_and_shows_pictures() {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("the README");
    let lines = readme.lines().count();
    assert!(lines <= MOST_LINES, "{lines} lines: move what is long to a page of docs/");
    let pictures = readme.matches("](docs/pictures/").count();
    assert!(pictures > 5, "{pictures} pictures");
    for command in ["cargo run --release", "cargo test"] {
        assert!(readme.contains(command), "the README has no `{command}`");
    }
}
