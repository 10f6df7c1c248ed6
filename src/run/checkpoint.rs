use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::fs::write_atomically;
use crate::metrics::Scores;
use crate::polish::Polished;

/// First bytes of every checkpoint; the digit is the format's version.
const MAGIC: &[u8; 8] = b"ALRNNCK6";
/// What they are whatever the version.
const ANY_VERSION: &[u8] = b"ALRNNCK";

/// The best state of a member so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Epochs completed when it was scored.
    pub epoch: u32,
    pub scores: Scores,
    pub theta: Vec<f32>,
}

/// What a member was found to be at an evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// Epochs completed, and generations of polishing.
    pub epoch: u32,
    pub scores: Scores,
}

/// One member's state and history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberRecord {
    pub theta: Vec<f32>,
    pub m: Vec<f32>,
    pub v: Vec<f32>,
    pub stopped_at: Option<u32>,
    pub best: Option<Best>,
    /// The last evaluation.
    pub last: Option<Scored>,
    /// Mean loss of the last epoch.
    pub loss: f32,
    /// State of the polishing, once it has begun.
    pub polished: Option<Polished>,
}

/// All that resuming needs. Layout on disk: magic, BLAKE3 of the payload, payload (postcard).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// BLAKE3 of everything that decides the bits of the result: settings, members, data.
    pub fingerprint: String,
    pub epochs_done: u32,
    /// The state after `epochs_done` epochs is due to be scored and has not been.
    pub unscored: bool,
    /// Length of `log.csv` that belongs to this state; what follows is torn or will be written again.
    pub log_bytes: u64,
    /// In the study's order.
    pub members: Vec<MemberRecord>,
}

impl Checkpoint {
    pub fn save(&self, path: &Path) -> Result<()> {
        let payload = postcard::to_stdvec(self).expect("plain data always serialises");
        write_atomically(path, |file| {
            file.write_all(&Self::head(&payload))?;
            file.write_all(&payload)
        })
    }

    /// The bytes that stand before a payload in a checkpoint file.
    pub fn head(payload: &[u8]) -> Vec<u8> {
        [MAGIC.as_slice(), blake3::hash(payload).as_bytes()].concat()
    }

    /// Reads a checkpoint back; `None` where there is no such file.
    ///
    /// # Errors
    /// A damaged file (wrong start, wrong checksum) is named; nothing else in the folder is touched.
    pub fn load(path: &Path) -> Result<Option<Self>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("read", path, error)),
        };
        Self::decode(&bytes).map(Some).map_err(|why| {
            Error::input(format!("the checkpoint {} {why}", path.display())).with_hint(
                "the models under best/ are untouched; move the checkpoint away to train from the start",
            )
        })
    }

    /// Decodes a checkpoint's bytes, or says what is wrong with them.
    pub fn decode(bytes: &[u8]) -> std::result::Result<Self, &'static str> {
        let rest = match bytes.strip_prefix(MAGIC) {
            Some(rest) => rest,
            None if bytes.starts_with(ANY_VERSION) => {
                return Err(
                    "was written by another version of alrnn-gpu, which scored and kept members in another way",
                );
            }
            None => return Err("is no checkpoint"),
        };
        let (hash, payload) = rest.split_at_checked(blake3::OUT_LEN).ok_or("is cut short")?;
        if blake3::hash(payload).as_bytes() != hash {
            return Err("is damaged (its checksum does not match)");
        }
        postcard::from_bytes(payload).map_err(|_| "is damaged (its contents cannot be read)")
    }
}
