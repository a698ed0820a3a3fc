//! Pages and pictures: self-contained, hostile text stays text; and what a real browser makes of them.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

const HOSTILE: &str = "</title></style><script>document.title='owned'</script><img src=https://example.invalid/x onerror=\"document.title='owned'\">&amp;\u{202e}";

fn maskscope(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_maskscope")).args(arguments).output().expect("runs");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Sound, lost and broken records whose every text is hostile.
fn data(folder: &Path) -> String {
    let record = |n: usize| {
        let answer = if n.is_multiple_of(3) { String::new() } else { format!("{HOSTILE} {n}") };
        let turns = json!([{"from": "human", "value": HOSTILE}, {"from": "gpt", "value": answer}]);
        json!({"id": format!("{HOSTILE}{n}"), "source": format!("{HOSTILE}{}", n % 2), "conversations": turns}).to_string()
    };
    let mut lines: Vec<String> = (0..20).map(record).collect();
    lines.push(format!("{HOSTILE} is no record"));
    lines.push(json!({"id": HOSTILE, "conversations": [{"from": HOSTILE, "value": "x"}]}).to_string());
    let path = folder.join("data.jsonl");
    std::fs::write(&path, lines.join("\n")).expect("written");
    path.to_str().expect("UTF-8").to_string()
}

/// Each page and picture with its name.
fn exports(folder: &Path) -> Vec<(&'static str, String)> {
    let path = data(folder);
    let samples = folder.join("samples.jsonl");
    let text = std::fs::read_to_string(&path).expect("the data");
    std::fs::write(
        &samples,
        text.lines().filter(|l| !l.ends_with("no record")).collect::<Vec<_>>().join("\n"),
    )
    .expect("written");
    let samples = samples.to_str().expect("UTF-8");
    vec![
        ("scan.html", maskscope(&["scan", &path, "--source-key", "source", "--format", "html"])),
        ("inspect.html", maskscope(&["inspect", "-d", samples, "--format", "html"])),
        ("inspect.svg", maskscope(&["inspect", "-d", samples, "--format", "svg"])),
        ("frame.html", maskscope(&["frame", "-d", samples, "--keys", "n", "--format", "html"])),
        ("frame.svg", maskscope(&["frame", "-d", samples, "--keys", "n", "--format", "svg"])),
    ]
}

#[test]
fn nothing_from_outside_becomes_markup_and_nothing_is_asked_of_the_net() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in exports(folder.path()) {
        for bad in ["<script", "<img", "<iframe", "<link rel=\"style", "\u{202e}", "@import", "url("] {
            assert!(!text.contains(bad), "{name} has {bad}");
        }
        let addresses: Vec<&str> =
            text.match_indices("\"http").map(|(at, _)| text[at..].split('"').nth(1).unwrap_or("")).collect();
        assert!(addresses.iter().all(|a| *a == "http://www.w3.org/2000/svg"), "{name}: {addresses:?}");
        assert!(text.contains("&lt;") && text.contains("script"), "{name} shows the text");
    }
}

#[test]
fn masks_have_a_second_channel() {
    let folder = tempfile::tempdir().expect("a folder");
    let exports = exports(folder.path());
    let of = |name: &str| &exports.iter().find(|(n, _)| *n == name).expect("the export").1;
    for class in ["class=\"t supervised\"", "class=\"t masked\""] {
        assert!(of("inspect.html").contains(class), "{class}");
    }
    assert!(of("inspect.html").contains("text-decoration: underline"));
    assert!(
        of("inspect.svg").contains("class=\"supervised\"")
            && of("inspect.svg").contains("text-decoration: underline")
    );
    assert!(
        of("frame.svg").contains("text-decoration:underline")
            && of("frame.html").contains("text-decoration:underline")
    );
    let scan = of("scan.html");
    assert!(
        scan.contains("<svg")
            && scan.contains("class=\"tokens\"")
            && scan.contains("prefers-color-scheme: dark")
    );
}

/// Runs a page in headless Chromium: its DOM, what its console said, and the addresses that it asked for.
fn browse(page: &Path, folder: &Path) -> (String, Vec<String>, Vec<String>) {
    let log = folder.join("net.json");
    let profile = folder.join("profile");
    let output = Command::new("chromium")
        .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync", "--no-first-run", "--enable-logging=stderr"])
        .args(["--disable-features=OptimizationHints,MediaRouter,Translate", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--log-net-log={}", log.display()))
        .args(["--dump-dom", &format!("file://{}", page.display())])
        .output()
        .expect("chromium runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let console = stderr.lines().filter(|line| line.contains("CONSOLE")).map(String::from).collect();
    // The log of a browser that ended early has no closing bracket.
    let text = std::fs::read_to_string(&log).expect("the log of requests");
    let log: Value = serde_json::from_str(&text)
        .or_else(|_| serde_json::from_str(&format!("{}]}}", text.trim_end().trim_end_matches(','))))
        .expect("JSON");
    // What the browser asks for itself (updates, the time) has no page for an initiator.
    let of_page =
        |event: &&Value| event["params"]["initiator"].as_str().is_some_and(|i| i != "not an origin");
    let events = log["events"].as_array().expect("events").iter().filter(of_page);
    let urls = events.filter_map(|event| event["params"]["url"].as_str().map(String::from)).collect();
    (String::from_utf8_lossy(&output.stdout).into_owned(), console, urls)
}

#[test]
#[ignore = "needs Chromium (apt-get install chromium)"]
fn a_browser_shows_the_pages_without_an_error_and_without_a_request() {
    let folder = tempfile::tempdir().expect("a folder");
    // First a page that does what ours must not: it has to be noticed.
    let bad = folder.path().join("bad.html");
    std::fs::write(&bad, "<img src='http://127.0.0.1:9/x.png'><script>console.error('boo')</script>")
        .expect("written");
    let (_, console, urls) = browse(&bad, folder.path());
    assert!(console.iter().any(|line| line.contains("boo")), "{console:?}");
    assert!(urls.iter().any(|url| url.contains("127.0.0.1:9")), "{urls:?}");
    for (name, text) in exports(folder.path()) {
        let page = folder.path().join(name);
        std::fs::write(&page, text).expect("written");
        let (dom, console, urls) = browse(&page, folder.path());
        assert_eq!(console, Vec::<String>::new(), "{name}: the console is silent");
        let outside: Vec<&String> = urls.iter().filter(|url| !url.starts_with("data:")).collect();
        assert!(outside.is_empty(), "{name} asks for {outside:?}");
        assert!(!dom.contains("<script") && !dom.contains("<img") && !dom.contains("<title>owned"), "{name}");
        assert!(dom.contains("&lt;"), "{name}: hostile text is text");
        if name == "scan.html" {
            assert!(dom.matches("<rect").count() > 5 && dom.matches("<svg").count() > 5, "charts");
            assert!(dom.matches("class=\"t ").count() > 30, "masks");
        }
    }
}
