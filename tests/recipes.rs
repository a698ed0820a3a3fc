//! `samples/recipes/`: several machines give the report of one. Recipes for programs that may not be installed are
//! ignored without `--include-ignored` and fail without the program.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_maskscope");

fn recipe(name: &str) -> String {
    format!("{}/samples/recipes/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Records with every fifth answer empty, and one that is no sample.
fn data(folder: &Path) -> String {
    let record = |n: usize| {
        let answer = if n.is_multiple_of(5) { String::new() } else { format!("Answer {n}.") };
        let turns =
            json!([{"from": "human", "value": format!("Is it {n}?")}, {"from": "gpt", "value": answer}]);
        json!({"id": format!("s{n}"), "source": n % 3, "conversations": turns}).to_string()
    };
    let mut lines: Vec<String> = (0..60).map(record).collect();
    lines.insert(9, "oops".to_string());
    let path = folder.join("data set.jsonl");
    std::fs::write(&path, lines.join("\n") + "\n").expect("written");
    path.to_str().expect("UTF-8").to_string()
}

fn scan(path: &str) -> String {
    let words = ["scan", "-t", "sample:phi-2", "--source-key", "source", path, "--format", "json"];
    String::from_utf8(Command::new(PROGRAM).args(words).output().expect("runs").stdout).expect("UTF-8")
}

fn checked(output: Output, known: &[i32]) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| known.contains(&code)), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn is_there(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

#[test]
fn the_tasks_of_a_slurm_array_add_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = data(folder.path());
    let out = folder.path().join("out");
    for task in ["1", "2", "3"] {
        let done = Command::new("bash")
            .args([&recipe("slurm_array.sh"), out.to_str().expect("UTF-8"), "-t", "sample:phi-2"])
            .args(["--source-key", "source", &path])
            .envs([("MASKSCOPE", PROGRAM), ("SLURM_ARRAY_TASK_ID", task), ("SLURM_ARRAY_TASK_COUNT", "3")])
            .output()
            .expect("bash runs");
        checked(done, &[0]);
    }
    let parts = ["1", "2", "3"].map(|task| out.join(format!("{task}.json")));
    let merged =
        Command::new(PROGRAM).args(["scan", "merge"]).args(parts).args(["--format", "json"]).output();
    assert_eq!(checked(merged.expect("runs"), &[1]), scan(&path), "byte for byte");
}

#[test]
#[ignore = "needs GNU parallel (apt-get install parallel)"]
fn gnu_parallel_gives_the_report_of_one_run() {
    assert!(is_there("parallel", &["--version"]), "GNU parallel is not installed");
    let folder = tempfile::tempdir().expect("a folder");
    let path = data(folder.path());
    let done = Command::new("bash")
        .args([&recipe("gnu_parallel.sh"), "3", folder.path().join("out").to_str().expect("UTF-8")])
        .args(["-t", "sample:phi-2", "--source-key", "source", &path])
        .envs([("MASKSCOPE", PROGRAM), ("HOME", folder.path().to_str().expect("UTF-8"))])
        .output()
        .expect("bash runs");
    assert_eq!(checked(done, &[1]), scan(&path), "byte for byte");
}

#[test]
#[ignore = "needs Java and pyspark; MASKSCOPE_SPARK_PYTHON names the interpreter that has it"]
fn spark_counts_what_one_run_counts() {
    let python = std::env::var("MASKSCOPE_SPARK_PYTHON").unwrap_or_else(|_| "python3".to_string());
    assert!(is_there(&python, &["-c", "import pyspark"]), "{python} has no pyspark");
    assert!(is_there("java", &["-version"]), "there is no Java");
    let folder = tempfile::tempdir().expect("a folder");
    let path = data(folder.path());
    let out = folder.path().join("report.json");
    let done = Command::new(&python)
        .args([&recipe("spark_pipe.py"), "--out", out.to_str().expect("UTF-8"), "--partitions", "3"])
        .args(["--scan", "-t sample:phi-2 --source-key source", &path])
        .envs([("MASKSCOPE", PROGRAM), ("PYSPARK_PYTHON", &python), ("SPARK_LOCAL_IP", "127.0.0.1")])
        .output()
        .expect("python runs");
    checked(done, &[0]);
    let of = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let (spark, one) = (of(&std::fs::read_to_string(&out).expect("the report")), of(&scan(&path)));
    for key in [
        "samples",
        "bad_records",
        "by_state",
        "by_rounds",
        "by_source",
        "delta_by_rounds",
        "tokens",
        "supervised",
        "lost",
        "by_length",
        "by_share",
    ] {
        assert_eq!(spark[key], one[key], "{key}");
    }
    let causes = |report: &Value| -> Vec<(String, Value)> {
        report["by_cause"]
            .as_object()
            .expect("causes")
            .iter()
            .map(|(id, c)| (id.clone(), c["samples"].clone()))
            .collect()
    };
    assert_eq!(causes(&spark), causes(&one));
}
