//! The Python side of the sandbox: our own small stand-ins for the modules that label functions import.

const MISSING: &str = include_str!("python/missing.py");
const DRIVER: &str = include_str!("python/driver.py");
/// Where [`MISSING`] goes in the driver: both share their globals.
const SLOT: &str = "# --- missing.py is put here ---";

/// The text of the driver.
pub fn driver() -> String {
    DRIVER.replacen(SLOT, MISSING, 1)
}

/// The text of a stand-in module.
pub fn module(name: &str) -> Option<&'static str> {
    Some(match name {
        "small" => include_str!("python/small.py"),
        "dataclasses" => include_str!("python/dataclasses.py"),
        "enum" => include_str!("python/enum.py"),
        "typing" => include_str!("python/typing.py"),
        "copy" => include_str!("python/copy.py"),
        "re" => include_str!("python/re.py"),
        "json" => include_str!("python/json.py"),
        "torch" => include_str!("python/torch.py"),
        "numpy" => include_str!("python/numpy.py"),
        "transformers" => include_str!("python/transformers.py"),
        _ => return None,
    })
}
