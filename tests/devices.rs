//! The binary where a GPU is asked for and there is none: no loader, a loader without a driver, no such number.
//!
//! What a GPU does that fails in the middle is in `src/moe/backbone/gpu/tests.rs`.

use std::process::Output;

use assert_cmd::Command;

const ONE: &str = "samples/conversations/02-one-round.json";

/// A system without Vulkan: `libvulkan.so.1` is found and is no library.
struct System(tempfile::TempDir);

impl System {
    fn without_loader() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("libvulkan.so.1"), "no library").unwrap();
        std::fs::write(folder.path().join("libvulkan.so"), "no library").unwrap();
        Self(folder)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::cargo_bin("maskscope").expect("the binary");
        command.current_dir(env!("CARGO_MANIFEST_DIR")).env("MASKSCOPE_CONFIG", "");
        command.env("LD_LIBRARY_PATH", self.0.path()).args(arguments).output().expect("runs")
    }
}

/// A system with a Vulkan loader, where it has one, and no driver.
fn run_without_driver(arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("maskscope").expect("the binary");
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env("MASKSCOPE_CONFIG", "");
    command.env("VK_ICD_FILENAMES", "/nonexistent").env("VK_DRIVER_FILES", "/nonexistent");
    command.args(arguments).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a run on the CPU gives, once the device that it names is the same.
fn routed(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON line")
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_gpu_the_cpu_routes_and_the_reason_is_said() {
    let arguments = |device| ["moe", "route", "-d", ONE, "--format", "jsonl", "--device", device];
    let bare = System::without_loader();
    let cpu = routed(&bare.run(&arguments("cpu")));
    for output in [bare.run(&arguments("gpu")), run_without_driver(&arguments("gpu:0"))] {
        assert!(routed(&output) == cpu, "the rows differ");
        let said = text(&output.stderr);
        assert!(said.contains("gpu:0: no GPU was found") && said.contains("the CPU is used"), "{said}");
    }
    // Nothing was asked for, so there is nothing to say.
    let auto = bare.run(&arguments("auto"));
    assert!(routed(&auto) == cpu && !text(&auto.stderr).contains("GPU"), "{}", text(&auto.stderr));
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_gpu_the_program_starts_and_lists_what_there_is() {
    for output in [System::without_loader().run(&["moe", "devices"]), run_without_driver(&["moe", "devices"])]
    {
        let listed = text(&output.stdout);
        assert!(output.status.success() && listed.contains("cpu"), "{listed}");
        let gpu = listed.lines().find(|line| line.starts_with("gpu:0")).expect("a line");
        assert!(gpu.contains("built in") && gpu.contains("no GPU was found"), "{gpu}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_gpu_the_panel_works_and_shows_the_reason() {
    let arguments = ["frame", "--screen", "experts", "--size", "200x60", "-d", ONE, "--device", "gpu"];
    for output in [System::without_loader().run(&arguments), run_without_driver(&arguments)] {
        let frame = text(&output.stdout);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(frame.contains("no GPU was found") && frame.contains("on cpu"), "{frame}");
    }
}
