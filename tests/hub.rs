//! The hub client against a small hub of our own: every way to fail ends, with its message, and leaves no bad file.

mod fake_hub;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use fake_hub::{COMMIT, FakeHub, content, etag, names};
use maskscope::hub::{
    AccessToken, DatasetFiles, DownloadProgress, HubError, HubId, HubOptions, Stage, WantedFiles,
    cached_models, fetch,
};

/// Far more than any fetch here needs: whoever takes longer hangs.
const HANGS: Duration = Duration::from_secs(120);
/// Patience with servers that will never answer.
const SHORT: Duration = Duration::from_millis(1500);
/// Patience with servers that will.
const LONG: Duration = Duration::from_secs(30);

/// A hub, and an empty cache.
struct Scene {
    hub: FakeHub,
    cache: tempfile::TempDir,
}

/// What a fetch came to, and its reports.
struct Outcome {
    result: Result<PathBuf, HubError>,
    reports: Vec<DownloadProgress>,
}

impl Outcome {
    fn folder(self) -> PathBuf {
        self.result.unwrap()
    }

    fn error(self) -> HubError {
        self.result.unwrap_err()
    }
}

impl Scene {
    fn new() -> Self {
        Self { hub: FakeHub::start(), cache: tempfile::tempdir().unwrap() }
    }

    /// Options that owe nothing to the environment of the test.
    fn options(&self) -> HubOptions {
        HubOptions::from_env()
            .endpoint(&self.hub.endpoint())
            .cache_dir(self.cache.path())
            .token(None)
            .offline(false)
            .answer_timeout(LONG)
            .silence_timeout(LONG)
    }

    fn impatient(&self) -> HubOptions {
        self.options().answer_timeout(SHORT).silence_timeout(SHORT)
    }

    fn fetch(&self, id: &str) -> Outcome {
        run(id, &self.options(), None)
    }

    fn repo(&self, name: &str) -> PathBuf {
        self.cache.path().join(format!("models--acme--{name}"))
    }

    /// Every whole file in the cache has the content that its name promises, and every name in a snapshot leads
    /// to one.
    fn assert_no_bad_file(&self) {
        for path in files_in(self.cache.path()) {
            let text = path.to_string_lossy();
            if text.contains("/snapshots/") {
                let name = text.split(&format!("{COMMIT}/")).nth(1).unwrap();
                assert!(std::fs::read(&path).unwrap() == content(name).unwrap(), "{text} differs");
            } else if text.contains("/blobs/") && !text.ends_with(".incomplete") {
                let bytes = std::fs::read(&path).unwrap();
                assert!(names().iter().any(|name| content(name).unwrap() == bytes), "{text}");
            }
        }
    }
}

/// All files below a folder; a link to nothing counts.
fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_in(&path)) } else { found.push(path) }
    }
    found
}

fn blobs(repo: &Path) -> usize {
    files_in(&repo.join("blobs")).len()
}

/// Fetches everything but README.md, away from the test's thread, so that a hang is a failure. `stop_at` cancels at
/// the first report with that stage.
fn run(id: &str, options: &HubOptions, stop_at: Option<Stage>) -> Outcome {
    let id = HubId::parse(id).unwrap();
    let options = options.clone();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reports = Vec::new();
        let mut progress = |progress: DownloadProgress| {
            let stop = Some(progress.stage) == stop_at
                && (progress.bytes > 0 || progress.stage != Stage::Downloading);
            reports.push(progress);
            if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let takes = |file: &str| file != "README.md";
        let result = fetch(&id, &options, WantedFiles::Matching(&takes), &mut progress);
        let _ = sender.send(Outcome { result, reports });
    });
    receiver.recv_timeout(HANGS).expect("the fetch hangs")
}

fn assert_whole(folder: &Path) {
    for name in ["config.json", "tokenizer.json", "sub/dir/big.bin"] {
        assert!(std::fs::read(folder.join(name)).unwrap() == content(name).unwrap(), "{name} differs");
    }
}

#[test]
fn a_model_comes_once_into_pythons_layout() {
    let scene = Scene::new();
    let outcome = scene.fetch("acme/ok");
    let last = outcome.reports.last().unwrap().clone();
    let total =
        ["config.json", "tokenizer.json", "sub/dir/big.bin"].map(|n| content(n).unwrap().len() as u64);
    assert_eq!((last.files_done, last.files), (3, 3));
    assert_eq!((last.bytes, last.total), (total.iter().sum(), Some(total.iter().sum())));
    assert!(outcome.reports.windows(2).all(|pair| pair[0].bytes <= pair[1].bytes));
    let folder = outcome.folder();
    assert_whole(&folder);
    assert!(!folder.join("README.md").exists(), "only what was asked for");
    assert_eq!(folder, scene.repo("ok").join("snapshots").join(COMMIT));
    assert_eq!(std::fs::read_to_string(scene.repo("ok").join("refs/main")).unwrap(), COMMIT);
    let blob = scene.repo("ok").join("blobs").join(etag("tokenizer.json", false));
    assert_eq!(std::fs::canonicalize(folder.join("tokenizer.json")).unwrap(), blob.canonicalize().unwrap());
    assert_eq!(scene.hub.downloads().len(), 3);

    assert_eq!(scene.fetch("acme/ok").folder(), folder);
    assert_eq!(scene.hub.downloads().len(), 3, "nothing is downloaded twice");
}

#[test]
fn only_tokenizer_files_by_default_and_the_cache_lists_them() {
    let scene = Scene::new();
    let id = HubId::parse("acme/ok@v1/x").unwrap();
    let folder =
        fetch(&id, &scene.options(), WantedFiles::tokenizer(), &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(files_in(&folder).len(), 2);
    let models = cached_models(&scene.options());
    assert_eq!(models.len(), 1);
    assert_eq!((&models[0].id, models[0].commit.as_str()), (&id, COMMIT));
    assert_eq!(models[0].files, ["config.json", "tokenizer.json"]);
}

#[test]
fn servers_that_differ_but_are_sound() {
    // Redirect to storage, moved repository, no commit header, an ETag that is no hash, large-file hashes, no length.
    for repo in ["redir", "renamed", "nocommit", "opaque", "lfs", "nolength"] {
        let scene = Scene::new();
        assert_whole(&scene.fetch(&format!("acme/{repo}")).folder());
        scene.assert_no_bad_file();
        assert_eq!(blobs(&scene.repo(repo)), 3, "{repo}");
    }
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let scene = Scene::new();
    let options = scene.options().token(AccessToken::new("good"));
    run("acme/redir", &options, None).folder();
    let requests = scene.hub.requests();
    assert!(requests.iter().any(|r| r.at_storage));
    for request in requests {
        let sent = request.authorization.as_deref();
        assert_eq!(sent, (!request.at_storage).then_some("Bearer good"), "{}", request.path);
    }
}

#[test]
fn each_refusal_has_its_message_and_next_step() {
    let scene = Scene::new();
    let none = scene.options();
    let unknown = scene.options().token(AccessToken::new("unknown"));
    let bad = scene.options().token(AccessToken::new("bad"));
    let good = scene.options().token(AccessToken::new("good"));
    let broken = scene.options().token(AccessToken::new("go od"));
    let cases: &[(&str, &HubOptions, &[&str])] = &[
        ("acme/gated", &none, &["acme/gated is gated", "accept its terms", "HF_TOKEN", "/acme/gated"]),
        ("acme/gated", &bad, &["acme/gated is gated", "no access", "ask for it at"]),
        ("acme/none", &none, &["acme/none does not exist or is private", "HF_TOKEN"]),
        ("acme/none", &good, &["no repository acme/none", "spelling"]),
        ("acme/restricted", &good, &["private or restricted", "may not read", "[token] lacks a scope"]),
        ("acme/disabled", &none, &["disabled"]),
        ("acme/ok", &unknown, &["does not accept the hub token", "HF_TOKEN"]),
        ("acme/ok", &broken, &["characters that no token has", "--hub-token"]),
        ("acme/ok@nope", &none, &["no revision \"nope\"", "main"]),
        ("acme/liar", &none, &["no file \"vocab.json\"", "check its name"]),
        ("acme/flaky", &none, &["status 503", "try again"]),
        ("acme/busy", &none, &["fewer requests", "wait"]),
        ("acme/get403", &none, &["describe", "403", "nothing was kept"]),
        ("acme/get503", &none, &["status 503", "try again"]),
        ("acme/portal", &none, &["something a hub would not send", "HF_ENDPOINT"]),
        ("acme/listcut", &none, &["something a hub would not send", "HF_ENDPOINT"]),
        ("acme/loop", &none, &["redirects"]),
        ("acme/noetag", &none, &["no ETag"]),
        ("acme/moving", &none, &["changed while", "run again"]),
    ];
    for (id, options, parts) in cases {
        let error = run(id, options, None).error();
        let message = error.to_string();
        for part in *parts {
            assert!(message.contains(part), "{id}: {part:?} is not in {message:?}");
        }
        for secret in ["good", "bad", "go od", "unknown"] {
            assert!(!message.contains(secret) && !format!("{error:?}").contains(secret), "{message}");
        }
    }
    let left = std::fs::read_dir(scene.cache.path()).unwrap().map(|e| e.unwrap().file_name());
    assert!(left.into_iter().all(|name| name == ".locks"), "refused repositories leave no folder");
    assert_whole(&run("acme/gated", &good, None).folder());
}

#[test]
fn a_file_asked_for_by_name_must_be_there() {
    let scene = Scene::new();
    let fetch = |names: &[&str]| {
        fetch(&HubId::parse("acme/ok").unwrap(), &scene.options(), WantedFiles::Named(names), &mut |_| {
            ControlFlow::Continue(())
        })
    };
    let message = fetch(&["config.json", "vocab.json"]).unwrap_err().to_string();
    assert!(message.contains("no file \"vocab.json\"") && message.contains("tokenizer.json"), "{message}");
    assert!(fetch(&["config.json"]).unwrap().join("config.json").is_file());
    let nothing = WantedFiles::Matching(&|_| false);
    let id = HubId::parse("acme/ok").unwrap();
    let error = maskscope::hub::fetch(&id, &scene.options(), nothing, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(error, Err(HubError::NothingWanted { .. })));
}

#[test]
fn a_cut_download_goes_on_where_it_broke_off() {
    for repo in ["trunc", "trunc2"] {
        let scene = Scene::new();
        assert_whole(&scene.fetch(&format!("acme/{repo}")).folder());
        scene.assert_no_bad_file();
        let downloads = scene.hub.downloads();
        let resumed = downloads.iter().filter(|r| r.range.is_some()).count();
        let begun = downloads.len() - resumed;
        assert_eq!(begun, 3, "{repo}: each file is begun once");
        assert!(resumed >= 2, "{repo}: the two large files are cut");
    }
}

#[test]
fn a_body_that_always_ends_early_is_never_taken_for_a_file() {
    // With Content-Length, without, chunked; a server that knows no Range, and one that does not go on.
    for repo in ["closetrunc", "chunktrunc", "norange", "stuck"] {
        let scene = Scene::new();
        let message = scene.fetch(&format!("acme/{repo}")).error().to_string();
        assert!(message.contains("broke off after") && message.contains("run again"), "{repo}: {message}");
        scene.assert_no_bad_file();
        assert!(!scene.repo(repo).join("snapshots").exists(), "{repo}: nothing is published");
        assert!(!scene.repo(repo).join("refs").exists(), "{repo}");
    }
}

#[test]
fn what_arrives_damaged_is_deleted() {
    let cases = [
        ("damaged", "its hash is"),
        ("toolong", "more than 21 bytes"),
        ("nolengthcut", "its hash is"),
        ("unverifiable", "neither a size nor a hash"),
    ];
    for (repo, part) in cases {
        let scene = Scene::new();
        let message = scene.fetch(&format!("acme/{repo}")).error().to_string();
        assert!(message.contains("deleted") && message.contains(part), "{repo}: {message}");
        assert_eq!(blobs(&scene.repo(repo)), 0, "{repo}: nothing is left");
        assert!(!scene.repo(repo).join("snapshots").exists(), "{repo}");
    }
}

#[test]
fn a_second_run_resumes_and_bad_leftovers_are_replaced() {
    let whole = content("tokenizer.json").unwrap();
    let good_start = whole[..100_000].to_vec();
    let too_long = [whole.as_slice(), b"more"].concat();
    for leftover in [good_start, vec![b'x'; 100_000], vec![b'x'; whole.len()], too_long] {
        let scene = Scene::new();
        let partial = scene
            .repo("ok")
            .join("blobs")
            .join(format!("{}.maskscope.incomplete", etag("tokenizer.json", false)));
        std::fs::create_dir_all(partial.parent().unwrap()).unwrap();
        std::fs::write(&partial, &leftover).unwrap();
        assert_whole(&scene.fetch("acme/ok").folder());
        scene.assert_no_bad_file();
        assert!(!partial.exists());
        let ranges: Vec<_> = scene.hub.downloads().into_iter().filter_map(|r| r.range).collect();
        assert_eq!(ranges.contains(&"bytes=100000-".to_string()), leftover.len() == 100_000);
    }
}

#[test]
fn a_short_blob_of_another_program_is_replaced() {
    let scene = Scene::new();
    let blob = scene.repo("ok").join("blobs").join(etag("tokenizer.json", false));
    std::fs::create_dir_all(blob.parent().unwrap()).unwrap();
    std::fs::write(&blob, "{\"x\":\"yyy").unwrap();
    assert_whole(&scene.fetch("acme/ok").folder());
    scene.assert_no_bad_file();
}

#[test]
fn a_silent_server_ends_at_its_deadline() {
    for (repo, what) in [
        ("silent", "the file list"),
        ("listdrip", "the file list"),
        ("stall", "sub/dir/big.bin"),
        ("drip", "sub/dir/big.bin"),
    ] {
        let scene = Scene::new();
        let message = run(&format!("acme/{repo}"), &scene.impatient(), None).error().to_string();
        assert!(
            message.contains("sent nothing or next to nothing of") && message.contains(what),
            "{repo}: {message}"
        );
        assert!(message.contains("HF_HUB_DOWNLOAD_TIMEOUT"), "{repo}: {message}");
        scene.assert_no_bad_file();
    }
}

#[test]
fn a_server_that_is_gone_with_and_without_a_copy() {
    let scene = Scene::new();
    let folder = scene.fetch("acme/ok").folder();
    // A port that nobody listens on: one that was just given back.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = scene.options().endpoint(&format!("http://{gone}"));

    let with_copy = run("acme/ok", &options, None);
    let last = with_copy.reports.last().unwrap();
    assert_eq!(last.stage, Stage::FromCache);
    assert!(last.note.as_ref().unwrap().contains("cannot reach http://127.0.0.1"), "{:?}", last.note);
    assert_eq!(with_copy.folder(), folder);

    let message = run("acme/other", &options, None).error().to_string();
    for part in ["cannot reach http://127.0.0.1", "check the network", "HF_ENDPOINT"] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!scene.repo("other").exists());
}

#[test]
fn an_outage_is_served_from_the_cache_and_a_refusal_is_not() {
    let scene = Scene::new();
    let folder = scene.fetch("acme/ok").folder();
    for (repo, from_cache) in [
        ("flaky", true),
        ("silent", true),
        ("portal", true),
        ("gated", false),
        ("none", false),
        ("disabled", false),
    ] {
        copy_folder(&scene.repo("ok"), &scene.repo(repo));
        let options = if repo == "silent" { scene.impatient() } else { scene.options() };
        let outcome = run(&format!("acme/{repo}"), &options, None);
        assert_eq!(outcome.result.is_ok(), from_cache, "{repo}: {:?}", outcome.result);
    }
    assert_whole(&folder);
}

fn copy_folder(from: &Path, to: &Path) {
    for path in files_in(from) {
        let copy = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(&path, copy).unwrap();
    }
}

#[test]
fn offline_uses_the_cache_and_never_the_network() {
    let scene = Scene::new();
    let offline = scene.options().offline(true);
    let message = run("acme/ok", &offline, None).error().to_string();
    for part in
        ["acme/ok is not in the cache", &*scene.cache.path().to_string_lossy(), "HF_HUB_OFFLINE", "--offline"]
    {
        assert!(message.contains(part), "{message}");
    }
    assert!(scene.hub.requests().is_empty());
    assert!(files_in(scene.cache.path()).is_empty());

    let folder = scene.fetch("acme/ok").folder();
    let asked = scene.hub.requests().len();
    for id in ["acme/ok".to_string(), format!("acme/ok@{COMMIT}")] {
        assert_eq!(run(&id, &offline, None).folder(), folder);
    }
    assert!(matches!(run("acme/ok@v2", &offline, None).error(), HubError::NotCached { .. }));
    assert_eq!(scene.hub.requests().len(), asked);
}

#[test]
fn a_cancel_keeps_what_came_for_the_next_run() {
    let scene = Scene::new();
    for stage in [Stage::Listing, Stage::Checking, Stage::Verifying] {
        assert!(
            matches!(run("acme/ok", &scene.options(), Some(stage)).error(), HubError::Cancelled),
            "{stage:?}"
        );
        assert!(!scene.repo("ok").join("snapshots").exists());
    }
    // The stalling server keeps the download in its middle until the cancel.
    let options = scene.impatient();
    assert!(matches!(run("acme/stall", &options, Some(Stage::Downloading)).error(), HubError::Cancelled));
    scene.assert_no_bad_file();
    assert_whole(&scene.fetch("acme/ok").folder());
    assert!(matches!(
        run("acme/ok", &scene.options().offline(true), Some(Stage::FromCache)).error(),
        HubError::Cancelled
    ));
}

#[test]
fn a_file_that_another_program_holds_is_waited_for() {
    let scene = Scene::new();
    let locks = scene.cache.path().join(".locks/models--acme--ok");
    std::fs::create_dir_all(&locks).unwrap();
    let lock = std::fs::File::create(locks.join(format!("{}.lock", etag("config.json", false)))).unwrap();
    lock.lock().unwrap();
    assert!(matches!(run("acme/ok", &scene.options(), Some(Stage::Waiting)).error(), HubError::Cancelled));
    assert!(scene.hub.downloads().is_empty());
    drop(lock);
    assert_whole(&scene.fetch("acme/ok").folder());
}

#[test]
fn many_fetches_of_one_model_at_once() {
    let scene = Scene::new();
    std::thread::scope(|scope| {
        let fetches: Vec<_> = (0..6).map(|_| scope.spawn(|| scene.fetch("acme/trunc").folder())).collect();
        fetches.into_iter().for_each(|fetch| assert_whole(&fetch.join().unwrap()));
    });
    scene.assert_no_bad_file();
    assert_eq!(blobs(&scene.repo("trunc")), 3);
    let begun = scene.hub.downloads().iter().filter(|r| r.range.is_none()).count();
    assert_eq!(begun, 3, "the others wait for the first");
}

#[test]
fn names_that_lead_out_of_the_cache_are_not_followed() {
    let scene = Scene::new();
    assert_whole(&scene.fetch("acme/evil").folder());
    assert!(scene.hub.requests().iter().all(|r| !r.path.contains("evil.model")));
    assert_eq!(blobs(&scene.repo("evil")), 3);
}

#[test]
fn files_of_a_data_set_come_into_a_folder_of_their_own() {
    let scene = Scene::new();
    let fits = |pattern: &str, name: &str| maskscope::data::fits_pattern(pattern, name);
    let fetched = |address: &str| {
        let files = DatasetFiles::parse(address).expect("an address").expect("a name");
        files.fetch(&scene.options(), &fits, &mut |_| ControlFlow::Continue(()))
    };
    let path = fetched("hf://datasets/acme/ok/sub/dir/*.bin").expect("fetched");
    assert!(path.to_string_lossy().contains("datasets--acme--ok"), "{}", path.display());
    assert!(path.parent().expect("a folder").join("big.bin").is_file());
    let asked: Vec<String> = scene.hub.requests().into_iter().map(|request| request.path).collect();
    assert!(asked.iter().any(|path| path.starts_with("/api/datasets/acme/ok/revision/main")), "{asked:?}");
    assert!(asked.iter().all(|path| !path.contains("README")), "{asked:?}");
    let all = fetched("hf://datasets/acme/ok@v1%2Fx").expect("fetched");
    assert!(all.ends_with("**/*.json"), "{}", all.display());
    assert!(fetched("hf://datasets/acme/none/x.json").is_err());
}
