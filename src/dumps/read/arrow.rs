//! Record batches of an Arrow file: the stream that `datasets` writes, and the file that others write, which is the same
//! stream behind eight bytes.
//!
//! Bytes are pushed into the decoder as they are read. A message that claims more than the file has left is refused before
//! anything is set aside for it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;

use super::columns::batch_rows;
use super::raw::{RawRows, contained};
use crate::data::ByteCounter;
use crate::dumps::keys::Keys;
use crate::error::{Error, Result};

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;
/// Bytes of the largest record batch: it is held in memory whole. `datasets` writes a thousand rows.
const MOST_GATHERED: usize = 1 << 30;
/// What a file of the other form begins with.
const FILE_MAGIC: &[u8] = b"ARROW1\0\0";

/// The rows of an Arrow file.
pub(super) fn rows(path: &Path, keys: &Keys, counter: &ByteCounter) -> Result<RawRows> {
    let batches = Batches::open(path, counter)?;
    Ok(batch_rows(path, "Arrow", Box::new(batches), keys))
}

struct Batches {
    path: PathBuf,
    file: File,
    decoder: StreamDecoder,
    /// What was read and not decoded yet.
    buffer: Buffer,
    is_file: bool,
    counter: ByteCounter,
    /// Bytes since the last batch.
    gathered: usize,
    ended: bool,
}

impl Batches {
    fn open(path: &Path, counter: &ByteCounter) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let mut batches = Self {
            path: path.to_path_buf(),
            file,
            decoder: StreamDecoder::new(),
            buffer: Buffer::from(Vec::<u8>::new()),
            is_file: false,
            counter: counter.clone(),
            gathered: 0,
            ended: false,
        };
        batches.read()?;
        if batches.buffer.as_slice().starts_with(FILE_MAGIC) {
            batches.buffer.advance(FILE_MAGIC.len());
            batches.is_file = true;
        }
        Ok(batches)
    }

    /// Reads on; nothing is left in the buffer at the end of the file.
    fn read(&mut self) -> Result<()> {
        let mut bytes = vec![0; PIECE];
        let got = loop {
            match self.file.read(&mut bytes) {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                result => break result.map_err(|e| Error::io(&self.path, e))?,
            }
        };
        bytes.truncate(got);
        self.counter.add(u64::try_from(got).unwrap_or(0));
        self.ended = got == 0;
        self.gathered += got;
        self.buffer = Buffer::from(bytes);
        if self.gathered > MOST_GATHERED {
            let text = format!(
                "a record batch of this Arrow file is larger than {MOST_GATHERED} bytes: write smaller batches"
            );
            return Err(Error::format(&self.path, text));
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.buffer.is_empty() {
                self.read()?;
            }
            if self.ended {
                // The end of a file of the other form is a footer, which the stream's own end stands before.
                let is_file = self.is_file;
                let decoder = &mut self.decoder;
                return contained(&self.path, "Arrow", || match decoder.finish() {
                    Err(error) if !is_file => Err(error.to_string()),
                    _ => Ok(None),
                });
            }
            let (decoder, buffer) = (&mut self.decoder, &mut self.buffer);
            let is_file = self.is_file;
            let decoded = contained(&self.path, "Arrow", || match decoder.decode(buffer) {
                // Behind the end of the stream stands the footer.
                Err(error) if is_file && error.to_string().contains("Unexpected EOS") => {
                    *buffer = Buffer::from(Vec::<u8>::new());
                    Ok(None)
                }
                Err(error) => Err(error.to_string()),
                Ok(batch) => Ok(batch),
            });
            match decoded {
                Ok(Some(batch)) => {
                    self.gathered = 0;
                    return Ok(Some(batch));
                }
                Ok(None) => {}
                Err(error) => {
                    self.ended = true;
                    self.buffer = Buffer::from(Vec::<u8>::new());
                    return Err(error);
                }
            }
        }
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
