//! Files that are no plain files, files of others, pipes that close.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::run::{Ran, folder, run};

const SOUND: &str = "{\"id\": \"s\", \"conversations\": [{\"from\": \"human\", \"value\": \"hi\"}, \
    {\"from\": \"gpt\", \"value\": \"yes\"}]}\n";

fn fifo(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().expect("mkfifo").success());
}

/// The binary with its standard input from a file, in a shell.
fn shell(name: &str, dir: &Path, line: &str) -> Ran {
    let line = format!("ulimit -v 2097152; ulimit -t 10; {line}");
    let output = Command::new("timeout")
        .args(["60", "bash", "-c", &line])
        .env("M", env!("CARGO_BIN_EXE_maskscope"))
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("bash");
    Ran::new(name, output)
}

#[test]
fn a_state_that_is_not_ours_is_left_alone() {
    let notes = b"my notes\n".to_vec();
    for (name, file) in [("named", "notes.txt"), ("default", "bad.txt.state")] {
        let dir = folder(&[("d.jsonl", SOUND.into()), (file, notes.clone())]);
        let arguments: &[&str] = match name {
            "named" => &["scan", "-d", "d.jsonl", "--state", "notes.txt"],
            _ => &["scan", "-d", "d.jsonl", "--bad-ids", "bad.txt"],
        };
        run(name, dir.path(), arguments, b"").refused(&[file]);
        assert_eq!(std::fs::read(dir.path().join(file)).expect("it is there"), notes);
        assert!(!dir.path().join("bad.txt").exists(), "no output was opened");
    }
}

#[test]
fn two_scans_into_one_file_are_kept_apart() {
    let dir = folder(&[("d.jsonl", SOUND.into())]);
    fifo(&dir.path().join("slow"));
    let line = "exec 3<>slow; $M scan --stdin --bad-ids bad.txt <slow & first=$!; \
        for n in $(seq 100); do test -e bad.txt.state -o -e bad.txt && break; sleep 0.1; done; sleep 0.3; \
        $M scan -d d.jsonl --bad-ids bad.txt; code=$?; kill $first; wait $first; exit $code";
    shell("two scans", dir.path(), line).refused(&["bad.txt"]);
}

#[test]
fn what_never_ends_is_no_file() {
    let dir = folder(&[("d.jsonl", SOUND.into())]);
    fifo(&dir.path().join("pipe"));
    for arguments in [
        &["scan", "-d", "/dev/zero"][..],
        &["inspect", "-d", "/dev/zero"],
        &["inspect", "-d", "/dev/full"],
        &["inspect", "-t", "/dev/zero"],
        &["inspect", "--template", "/dev/zero"],
        &["moe", "route", "--ids", "/dev/zero"],
        &["moe", "route", "--checkpoint", "/dev/zero"],
        &["scan", "merge", "/dev/zero"],
    ] {
        run(&arguments.join(" "), dir.path(), arguments, b"").refused(&[]);
    }
    for arguments in [
        &["inspect", "-t", "pipe"][..],
        &["inspect", "--template", "pipe"],
        &["moe", "route", "--checkpoint", "pipe"],
    ] {
        run(&arguments.join(" "), dir.path(), arguments, b"").refused(&["pipe"]);
    }
    for line in [
        "$M encode </dev/zero",
        "$M scan --stdin </dev/zero",
        "$M inspect -d - </dev/zero",
        "yes '\"a b c\"' | $M encode --format json",
    ] {
        shell(line, dir.path(), line).refused(&[]);
    }
}

#[test]
fn sparse_files_end_early() {
    let dir = folder(&[]);
    for name in ["d.jsonl", "tokenizer.json", "t.jinja", "merges.json"] {
        let file = std::fs::File::create(dir.path().join(name)).expect("made");
        file.set_len(1 << 36).expect("sparse");
    }
    for arguments in [
        &["scan", "-d", "d.jsonl"][..],
        &["inspect", "-d", "d.jsonl"],
        &["inspect", "-t", "tokenizer.json"],
        &["inspect", "--template", "t.jinja"],
        &["scan", "merge", "merges.json"],
        &["moe", "route", "--ids", "d.jsonl"],
    ] {
        run(&arguments.join(" "), dir.path(), arguments, b"").refused(&[]);
    }
}

#[test]
fn ids_are_written_without_escapes() {
    let record = SOUND.replace("\"s\"", "\"\\u001b[31m\\u202ered\\u0007\"").replace("yes", "");
    let dir = folder(&[("d.jsonl", record.into())]);
    run("escapes in an id", dir.path(), &["scan", "-d", "d.jsonl", "--bad-ids", "/dev/stdout"], b"");
    run("escapes in an id", dir.path(), &["scan", "-d", "d.jsonl", "--bad-ids", "bad.txt"], b"");
    let text = std::fs::read_to_string(dir.path().join("bad.txt")).expect("written");
    assert!(text.contains("red") && !text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text:?}");
}

#[test]
fn a_closed_pipe_hides_no_lost_sample() {
    let lost = SOUND.replace("yes", "");
    let dir = folder(&[("lost.jsonl", lost.repeat(50).into()), ("sound.jsonl", SOUND.repeat(50).into())]);
    let code = |file: &str| format!("$M scan -d {file} | true; exit ${{PIPESTATUS[0]}}");
    shell("a pipe that closes", dir.path(), &code("lost.jsonl")).found(&[]);
    shell("a pipe that closes", dir.path(), &code("sound.jsonl")).done();
}

#[test]
fn links_of_a_tokenizer_folder_stay_inside() {
    let secret = folder(&[("secret", b"token of somebody".to_vec())]);
    let dir = folder(&[("model/tokenizer.json", b"{}".to_vec())]);
    symlink(secret.path().join("secret"), dir.path().join("model/tokenizer_config.json")).expect("a link");
    let ran = run("a link out of a folder", dir.path(), &["special", "-t", "model"], b"").refused(&[]);
    assert!(!ran.stderr.contains("somebody"), "{}", ran.stderr);
}
