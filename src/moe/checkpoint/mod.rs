//! Checkpoints: safetensors files, tensor by tensor, never whole. Headers and single rows are read through a memory
//! map; larger parts from the file, so that pages that were read do not count as this process's memory.
//!
//! A checkpoint is one file, a folder with `model.safetensors`, a folder with shards and
//! `model.safetensors.index.json`, bytes in memory (embedded samples), or made from a seed (seeded models). Headers are untrusted: every
//! length is checked against the file before anything is read or allocated ([`header`]), so a tensor
//! can never ask for more memory than the file has bytes (times two for 16-bit weights).

mod generated;
mod header;
mod values;
mod writer;

pub use generated::Fill;
pub use header::TensorInfo;
pub use values::f16_to_f32;
pub use writer::{TensorSource, WriteWatch, write_safetensors, write_watched};

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use safetensors::Dtype;

use super::error::{MoeError, MoeResult};
use crate::guard;
use generated::Generator;

/// Bytes that a copy holds in memory.
const PIECE: usize = 1 << 20;

/// Where the bytes of a file live.
#[derive(Debug)]
enum Bytes {
    Mapped(memmap2::Mmap),
    Static(&'static [u8]),
}

/// One safetensors file.
#[derive(Debug)]
struct File {
    path: PathBuf,
    bytes: Bytes,
}

impl File {
    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Static(bytes) => bytes,
        }
    }
}

/// The tensors of a checkpoint by name. Cloning shares the maps.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    path: PathBuf,
    files: Vec<Arc<File>>,
    tensors: Arc<BTreeMap<String, (usize, TensorInfo)>>,
    /// Makes the values where there is no file.
    generator: Option<Arc<Generator>>,
}

impl Checkpoint {
    /// Opens a file or a folder; reads the headers only.
    ///
    /// # Errors
    /// Missing files, an index that names files outside the folder, headers that do not fit their file
    /// (the error names the tensor), one tensor in two files.
    pub fn open(path: &Path) -> MoeResult<Self> {
        Self::open_where(path, &|_| true)
    }

    /// The same, but of a folder with shards only those that hold a tensor for which `needed` holds: the others
    /// may be missing.
    pub fn open_where(path: &Path, needed: &dyn Fn(&str) -> bool) -> MoeResult<Self> {
        let mut this =
            Self { path: path.to_path_buf(), files: Vec::new(), tensors: Arc::default(), generator: None };
        let mut tensors = BTreeMap::new();
        for file in files_of(path, needed)? {
            let bytes = Bytes::Mapped(map(&file)?);
            this.add(File { path: file, bytes }, &mut tensors)?;
        }
        this.tensors = Arc::new(tensors);
        Ok(this)
    }

    /// A checkpoint embedded in the program; `name` is what errors call it.
    pub fn from_static(name: &str, bytes: &'static [u8]) -> MoeResult<Self> {
        let path = PathBuf::from(name);
        let mut this =
            Self { path: path.clone(), files: Vec::new(), tensors: Arc::default(), generator: None };
        let mut tensors = BTreeMap::new();
        this.add(File { path, bytes: Bytes::Static(bytes) }, &mut tensors)?;
        this.tensors = Arc::new(tensors);
        Ok(this)
    }

    /// Tensors made from `seed` when they are read; `name` is what errors call it.
    pub fn generated(name: &str, tensors: Vec<(String, Vec<usize>, Fill)>, seed: u64) -> Self {
        let info = |shape| (0, TensorInfo { dtype: Dtype::F32, shape, bytes: 0..0 });
        let fills = tensors.iter().map(|(name, _, fill)| (name.clone(), *fill)).collect();
        let tensors = tensors.into_iter().map(|(name, shape, _)| (name, info(shape))).collect();
        let generator = Some(Arc::new(Generator { fills, seed }));
        Self { path: PathBuf::from(name), files: Vec::new(), tensors: Arc::new(tensors), generator }
    }

    fn add(&mut self, file: File, tensors: &mut BTreeMap<String, (usize, TensorInfo)>) -> MoeResult<()> {
        for (name, info) in header::read(&file.path, file.bytes())? {
            if tensors.contains_key(&name) {
                return Err(MoeError::tensor(&file.path, &name, "is also in another file of the checkpoint"));
            }
            tensors.insert(name, (self.files.len(), info));
        }
        self.files.push(Arc::new(file));
        Ok(())
    }

    /// All tensor names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Shape, dtype and place of a tensor.
    pub fn info(&self, name: &str) -> MoeResult<&TensorInfo> {
        self.tensors.get(name).map(|(_, info)| info).ok_or_else(|| self.error(name, "is missing"))
    }

    /// The raw little-endian bytes of a tensor.
    pub fn bytes(&self, name: &str) -> MoeResult<&[u8]> {
        if self.generator.is_some() {
            return Err(self.error(name, "is made from a seed: it has no bytes to copy"));
        }
        let missing = || self.error(name, "is missing");
        let (file, info) = self.tensors.get(name).ok_or_else(missing)?;
        let file = self.files.get(*file).ok_or_else(missing)?;
        file.bytes().get(info.bytes.clone()).ok_or_else(|| self.error(name, "lies outside its file"))
    }

    /// The raw bytes of a tensor in pieces of at most [`PIECE`], read from the file and not through the map: whoever
    /// copies a checkpoint holds one piece in memory, whatever its size.
    pub fn pieces(&self, name: &str, take: &mut dyn FnMut(&[u8]) -> MoeResult<()>) -> MoeResult<()> {
        let len = self.bytes(name)?.len();
        self.pieces_of(name, 0..len, take)
    }

    /// The same of a part of the tensor's bytes.
    fn pieces_of(
        &self,
        name: &str,
        part: Range<usize>,
        take: &mut dyn FnMut(&[u8]) -> MoeResult<()>,
    ) -> MoeResult<()> {
        let mapped = self.bytes(name)?.get(part.clone());
        let mapped = mapped.ok_or_else(|| self.error(name, "lies outside its file"))?;
        let (file, info) = self.tensors.get(name).ok_or_else(|| self.error(name, "is missing"))?;
        let path = match self.files.get(*file).map(AsRef::as_ref) {
            // A few rows are sooner had through the map than by opening the file.
            Some(File { path, bytes: Bytes::Mapped(_) }) if mapped.len() > PIECE / 4 => path,
            _ => return mapped.chunks(PIECE).try_for_each(take),
        };
        let io = |e| MoeError::io(path, e);
        let mut file = std::fs::File::open(path).map_err(io)?;
        file.seek(SeekFrom::Start((info.bytes.start + part.start) as u64)).map_err(io)?;
        let mut piece = vec![0; PIECE.min(part.len())];
        let mut left = part.len();
        while left > 0 {
            let len = left.min(PIECE);
            let piece = piece.get_mut(..len).unwrap_or_default();
            file.read_exact(piece).map_err(io)?;
            take(piece)?;
            left -= len;
        }
        Ok(())
    }

    /// A whole floating-point tensor as f32, row-major.
    ///
    /// # Errors
    /// Missing, another shape than `shape`, not F32/F16/BF16/F64, or a value that is not finite.
    pub fn f32(&self, name: &str, shape: &[usize]) -> MoeResult<Vec<f32>> {
        self.expect_shape(name, shape)?;
        self.f32_rows(name, 0, shape.first().copied().unwrap_or(1))
    }

    /// Rows `start..start + count` of the first dimension as f32 (a scalar is one row).
    pub fn f32_rows(&self, name: &str, start: usize, count: usize) -> MoeResult<Vec<f32>> {
        let info = self.info(name)?;
        let (first, rest) = info.shape.split_first().unwrap_or((&1, &[]));
        let width = rest.iter().product::<usize>();
        let element = values::element_bytes(info.dtype).map_err(|message| self.error(name, message))?;
        let row = width * element;
        let range = start
            .checked_add(count)
            .filter(|end| end <= first)
            .map(|end| start * row..end * row)
            .ok_or_else(|| self.error(name, format!("has {first} rows, wanted {count} from {start}")))?;
        if let Some(generator) = &self.generator {
            return Ok(generator.rows(name, start, count, width));
        }
        let mut values = Vec::with_capacity(range.len() / element);
        self.pieces_of(name, range, &mut |piece| {
            values::append_f32(piece, info.dtype, &mut values);
            Ok(())
        })?;
        values::expect_finite(&values).map_err(|message| self.error(name, message))?;
        Ok(values)
    }

    /// # Errors
    /// Missing, or another shape.
    pub fn expect_shape(&self, name: &str, shape: &[usize]) -> MoeResult<()> {
        let info = self.info(name)?;
        if info.shape == shape {
            return Ok(());
        }
        Err(self.error(name, format!("has shape {:?}, the config asks for {shape:?}", info.shape)))
    }

    /// An error about one tensor of this checkpoint.
    pub fn error(&self, name: &str, message: impl Into<String>) -> MoeError {
        MoeError::tensor(&self.path, name, message)
    }
}

/// Largest config or index that is read: a thousand times the usual.
const SMALL_FILE: u64 = 64 << 20;

/// JSON values of such a file.
const SMALL_VALUES: usize = 4_000_000;

/// Reads a config or an index.
///
/// # Errors
/// Not a plain file (opening a pipe would wait forever), too large, or not UTF-8.
pub(super) fn read_small(path: &Path) -> MoeResult<String> {
    let size = plain_file(path)?;
    if size > SMALL_FILE {
        return Err(MoeError::checkpoint(path, format!("has {size} bytes, more than {SMALL_FILE}")));
    }
    let text = std::fs::read_to_string(path).map_err(|e| MoeError::io(path, e))?;
    let values = guard::json_values(text.as_bytes());
    match values > SMALL_VALUES {
        true => {
            Err(MoeError::checkpoint(path, format!("has {values} JSON values, more than {SMALL_VALUES}")))
        }
        false => Ok(text),
    }
}

/// The size of a plain file.
fn plain_file(path: &Path) -> MoeResult<u64> {
    let metadata = std::fs::metadata(path).map_err(|e| MoeError::io(path, e))?;
    if !metadata.is_file() {
        return Err(MoeError::checkpoint(path, "is no plain file"));
    }
    Ok(metadata.len())
}

/// Maps a file into memory.
#[allow(unsafe_code)]
fn map(path: &Path) -> MoeResult<memmap2::Mmap> {
    plain_file(path)?;
    let file = std::fs::File::open(path).map_err(|e| MoeError::io(path, e))?;
    // SAFETY: the map is read-only and private to this process. Should another process truncate the
    // file meanwhile, the system ends this one (SIGBUS); safetensors readers everywhere accept that.
    unsafe { memmap2::Mmap::map(&file) }.map_err(|e| MoeError::io(path, e))
}

/// The safetensors files that `path` stands for.
fn files_of(path: &Path, needed: &dyn Fn(&str) -> bool) -> MoeResult<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let inside = |file: PathBuf| refuse_outside(path, &file).map(|()| file);
    let single = path.join("model.safetensors");
    if single.exists() {
        return Ok(vec![inside(single)?]);
    }
    let index = inside(path.join("model.safetensors.index.json"))?;
    if !index.exists() {
        return Err(MoeError::checkpoint(
            path,
            "holds neither model.safetensors nor model.safetensors.index.json; convert a .bin checkpoint \
             with save_pretrained(safe_serialization=True)",
        ));
    }
    shard_names(&index, needed)?.into_iter().map(|name| inside(path.join(name))).collect()
}

/// Refuses a link that leads out of a checkpoint's folder.
pub(super) fn refuse_outside(folder: &Path, file: &Path) -> MoeResult<()> {
    guard::check_inside(folder, file).map_err(|refusal| MoeError::checkpoint(file, refusal.to_string()))
}

/// The number N of the layer that a tensor belongs to, from `….layers.N.…` or `….h.N.…`.
pub fn layer_of(tensor: &str) -> Option<usize> {
    let parts: Vec<&str> = tensor.split('.').collect();
    let numbers = parts.windows(2).filter_map(|pair| match pair {
        ["layers" | "h", n] => n.parse().ok(),
        _ => None,
    });
    numbers.into_iter().next()
}

/// The names of the shard files in which an index places the tensors for which `needed` holds, sorted.
///
/// # Errors
/// No JSON, no `weight_map`, a name that is no bare file name.
pub fn shard_names(index: &Path, needed: &dyn Fn(&str) -> bool) -> MoeResult<Vec<String>> {
    let text = read_small(index)?;
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| MoeError::checkpoint(index, e.to_string()))?;
    let map = json
        .get("weight_map")
        .and_then(|m| m.as_object())
        .ok_or_else(|| MoeError::config(index, "weight_map", "is missing or no object"))?;
    let mut files = std::collections::BTreeSet::new();
    for (tensor, file) in map {
        let name = file.as_str().unwrap_or_default();
        // A bare file name: an index from a stranger must not make us open files elsewhere.
        if name.is_empty() || Path::new(name).file_name() != Some(std::ffi::OsStr::new(name)) {
            return Err(MoeError::tensor(index, tensor, format!("{name:?} is no file name of this folder")));
        }
        if needed(tensor) {
            files.insert(name.to_owned());
        }
    }
    Ok(files.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(header: &str, data: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    #[test]
    fn malformed_files_are_errors_that_name_the_tensor() {
        for (header, said) in [
            (r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}}"#, "w"),
            (r#"{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,8]}}"#, "w"),
            (
                r#"{"w":{"dtype":"F32","shape":[18446744073709551615,18446744073709551615],"data_offsets":[0,8]}}"#,
                "w",
            ),
            (r#"{"w":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}}"#, "F99"),
            (r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, "w"),
            (r#"{"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, "w"),
            (
                r#"{"v":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#,
                "w",
            ),
            (r#"[1]"#, "object"),
            (r#"{"w":"#, "JSON"),
        ] {
            let (_dir, path) = write(header, &[0; 8]);
            let text = Checkpoint::open(&path).unwrap_err().to_string();
            assert!(text.contains(said), "{header}: {text}");
        }
    }

    #[test]
    fn a_header_longer_than_the_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        for bytes in [vec![], vec![1, 2, 3], u64::MAX.to_le_bytes().to_vec(), 100u64.to_le_bytes().to_vec()] {
            let path = dir.path().join("model.safetensors");
            std::fs::write(&path, bytes).unwrap();
            assert!(Checkpoint::open(&path).is_err());
        }
    }

    #[test]
    fn values_must_be_finite_and_floating() {
        let header = r#"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"i":{"dtype":"I32","shape":[1],"data_offsets":[8,12]}}"#;
        let mut data = 1.5f32.to_le_bytes().to_vec();
        data.extend(f32::NAN.to_le_bytes());
        data.extend(1i32.to_le_bytes());
        let (_dir, path) = write(header, &data);
        let file = Checkpoint::open(&path).unwrap();
        assert!(file.f32("w", &[2]).unwrap_err().to_string().contains("NaN"));
        assert_eq!(file.f32_rows("w", 0, 1).unwrap(), [1.5]);
        assert!(file.f32_rows("w", 1, usize::MAX).is_err());
        assert!(file.f32("i", &[1]).unwrap_err().to_string().contains("I32"));
        assert!(file.f32("w", &[1, 2]).unwrap_err().to_string().contains("[1, 2]"));
        assert!(file.f32("x", &[1]).unwrap_err().to_string().contains("missing"));
    }

    #[test]
    fn an_index_cannot_point_outside_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["../x.safetensors", "/etc/passwd", "a/b", ".."] {
            let index = format!(r#"{{"weight_map":{{"w":{name:?}}}}}"#);
            std::fs::write(dir.path().join("model.safetensors.index.json"), index).unwrap();
            let text = Checkpoint::open(dir.path()).unwrap_err().to_string();
            assert!(text.contains("no file name"), "{text}");
        }
    }
}
