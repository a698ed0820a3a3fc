//! The fuzz targets of `fuzz/`, run on their seeds: that they compile, and that what they hold to holds for the seeds.

use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
mod targets;

#[test]
fn each_target_runs_on_its_seeds() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).expect("a manifest");
    for (name, _, _) in targets::FORMATS {
        let target = std::fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).expect("a target");
        assert!(target.contains(&format!("run(\"{name}\"")), "{name} runs another format");
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
            "{name} is not in the manifest"
        );
        let seeds = std::fs::read_dir(fuzz.join("seeds").join(name)).expect("a folder of seeds");
        let mut count = 0;
        for seed in seeds.flatten() {
            targets::run(name, &std::fs::read(seed.path()).expect("a seed"));
            count += 1;
        }
        assert!(count >= 3, "{name} has {count} seeds");
    }
}
