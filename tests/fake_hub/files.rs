//! The files of every repository of the fake hub, and their names as git and large-file storage give them.

/// The commit that every revision stands for.
pub const COMMIT: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Name, git's SHA-1 of the blob, SHA-256: computed with `git hash-object` and `sha256sum`.
const FILES: &[(&str, &str, &str)] = &[
    (
        "README.md",
        "42ee6f791736022ff5a7f1c1687fcdeb7956908c",
        "e8cb8f639a82bde83ac571a3a8049e1763c871d037a066cc556a3a7aafe3207a",
    ),
    (
        "config.json",
        "b44ca83de3f3f4c0311f57d048cd9db556ceaa8d",
        "69e47a521e8d71aed22be7802824e35ce7e80b14d6ad6cbe3fd33faaacc3dbeb",
    ),
    (
        "sub/dir/big.bin",
        "f4e52af7c3bcfb694703d38c47dfde5b76cc6881",
        "062af9ccd890ba3d067ca7150278bcc420069bd82f6e41161029303dfd6d661e",
    ),
    (
        "tokenizer.json",
        "a116e23f7337adf6347be7ad123752dbbec3c368",
        "a70b2b211e39e885392c5ac0d0104a2d08365c097f3e1387b10ab42d29e51bfe",
    ),
];

pub fn names() -> Vec<&'static str> {
    FILES.iter().map(|(name, ..)| *name).collect()
}

pub fn content(name: &str) -> Option<Vec<u8>> {
    match name {
        "README.md" => Some(b"# toy\n".to_vec()),
        "config.json" => Some(b"{\"model_type\":\"toy\"}\n".to_vec()),
        "tokenizer.json" => Some(format!("{{\"x\":\"{}\"}}", "y".repeat(300_000)).into_bytes()),
        "sub/dir/big.bin" => Some((0..=255).cycle().take(256 * 4000).collect()),
        _ => None,
    }
}

/// The ETag without quotes: SHA-256 for files in large-file storage, else git's name of the content.
pub fn etag(name: &str, large_file_storage: bool) -> &'static str {
    let (_, git, sha256) = FILES.iter().find(|(known, ..)| *known == name).expect("a file of the list");
    if large_file_storage { sha256 } else { git }
}
