# Recipes of a working day; `just --list` shows them.

# What needs nothing from outside
test *ARGS:
    cargo test --locked {{ARGS}}

# Formatting and warnings, as the gate has them
lint:
    cargo fmt --check
    cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked --lib --bins -- -D warnings

# Everything; installs what a new machine lacks
gate:
    .ci/run

# Key table, table of checks and pictures from the program itself
bless:
    MASKSCOPE_BLESS=1 cargo test --locked --test docs

# The pages as a book in target/book
book:
    mdbook build docs

# Words, licences, workflows
audit:
    typos
    cargo deny check
    actionlint

# The real code's recorded results in DIR, with the counts printed
conformance DIR *FILTER:
    MASKSCOPE_CONFORMANCE={{DIR}} cargo test --locked --test conformance -- --ignored --nocapture {{FILTER}}

# A wheel with the program, in target/wheels
wheel:
    maturin build --release --locked
