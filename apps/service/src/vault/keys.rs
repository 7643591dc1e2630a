//! The master keys, and where they come from.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::zeroize::{Zeroize, Zeroizing};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::envelope::ID_LENGTH;

/// The length of a key for AES-256, in bytes.
pub(super) const KEY_LENGTH: usize = 32;

/// The file in the data directory that keeps the master key where none is given.
pub const KEY_FILE: &str = "master.key";

/// How long a command may take to say the keys.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// The most that a file or a command may say, in bytes: hundreds of keys.
const LONGEST: u64 = 64 * 1024;

/// How a key is made, for messages.
const MAKE: &str = "`openssl rand -hex 32` makes one";

/// A key that wraps data keys. Wiped from memory when dropped, and never shown.
pub struct MasterKey {
    key: SecretBox<[u8; KEY_LENGTH]>,
    id: [u8; ID_LENGTH],
}

impl MasterKey {
    /// The key of these bytes.
    pub fn new(bytes: &[u8; KEY_LENGTH]) -> MasterKey {
        let mut id = [0; ID_LENGTH];
        id.copy_from_slice(&Sha256::digest(bytes)[..ID_LENGTH]);
        MasterKey {
            key: SecretBox::init_with_mut(|key: &mut [u8; KEY_LENGTH]| key.copy_from_slice(bytes)),
            id,
        }
    }

    /// The first eight bytes of the SHA-256 of the key, by which it is known.
    pub fn id(&self) -> &[u8; ID_LENGTH] {
        &self.id
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.key.expose_secret()
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", hex::encode(self.id))
    }
}

/// The keys of a vault.
#[derive(Debug)]
pub struct MasterKeys {
    /// Seals, and opens what it sealed.
    pub current: MasterKey,
    /// Open what they sealed, until everything is under the current one.
    pub former: Vec<MasterKey>,
}

/// Why there are no master keys.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(String);

/// What the user said about the keys; at most one of these.
#[derive(Debug, Clone, Default)]
pub struct KeyOptions {
    /// The keys themselves: `SYNC_SERVICE_MASTER_KEY`.
    pub keys: Option<SecretString>,
    /// A file that holds them: `--master-key-file`.
    pub file: Option<PathBuf>,
    /// A command of the shell that prints them: `--master-key-command`.
    pub command: Option<String>,
}

impl KeyOptions {
    /// The keys. `data_dir` is where the store is a file in it: there a key is made at the first use if none is given.
    pub async fn load(&self, data_dir: Option<&Path>) -> Result<MasterKeys, KeyError> {
        match (&self.keys, &self.file, &self.command) {
            (None, None, None) => match data_dir {
                Some(data_dir) => own_file(data_dir),
                None => Err(KeyError(format!(
                    "a store in PostgreSQL wants a master key, which all processes share: set SYNC_SERVICE_MASTER_KEY, or give \
                     --master-key-file or --master-key-command; {MAKE}"
                ))),
            },
            (Some(keys), None, None) => {
                MasterKeys::parse(keys.expose_secret(), "SYNC_SERVICE_MASTER_KEY")
            }
            (None, Some(file), None) => of_file(file, &format!("the file {}", file.display())),
            (None, None, Some(command)) => of_command(command, COMMAND_LIMIT).await,
            _ => Err(KeyError(
                "the master key is given more than once: give only one of SYNC_SERVICE_MASTER_KEY, --master-key-file and \
                 --master-key-command, with all keys in it"
                    .to_owned(),
            )),
        }
    }
}

impl MasterKeys {
    /// Reads keys that are separated by commas or line ends, the current one first. Lines that begin with `#` are
    /// comments. `place` is for messages.
    pub fn parse(text: &str, place: &str) -> Result<MasterKeys, KeyError> {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let words = lines.flat_map(|line| line.split(',')).map(str::trim).filter(|word| !word.is_empty());
        let mut keys: Vec<MasterKey> = Vec::new();
        for (number, word) in (1..).zip(words) {
            let key = parse_key(word)
                .map_err(|wrong| KeyError(format!("key {number} of {place} {wrong}; {MAKE}")))?;
            if keys.iter().all(|known| known.id() != key.id()) {
                keys.push(key);
            }
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or_else(|| KeyError(format!("{place} holds no master key; {MAKE}")))?;
        Ok(MasterKeys { current, former: keys.collect() })
    }

    /// All of them, the current one first.
    pub(super) fn all(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.former)
    }
}

/// 64 hex digits, or 32 bytes in base64 of either alphabet. The error completes "key 1 of … ".
fn parse_key(word: &str) -> Result<MasterKey, String> {
    let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
    let is_hex = word.len() == 2 * KEY_LENGTH && hex::decode_to_slice(word, &mut bytes[..]).is_ok();
    if !is_hex {
        let alphabet = if word.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
        let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        // Room for what the decoder is careful about; what is longer is no key anyway.
        let mut room = Zeroizing::new([0; 2 * KEY_LENGTH]);
        match GeneralPurpose::new(alphabet, config).decode_slice(word, &mut room[..]) {
            Ok(KEY_LENGTH) => bytes.copy_from_slice(&room[..KEY_LENGTH]),
            _ => {
                let length = word.chars().count();
                return Err(format!(
                    "is no master key: it has {length} characters, a key is 64 hex digits, or 32 bytes in base64"
                ));
            }
        }
    }
    if bytes.iter().all(|byte| *byte == bytes[0]) {
        return Err("is no secret: all its bytes are the same".to_owned());
    }
    Ok(MasterKey::new(&bytes))
}

fn of_file(path: &Path, place: &str) -> Result<MasterKeys, KeyError> {
    let failed = |error: std::io::Error| {
        KeyError(format!(
            "{place} of the master key cannot be read ({error}): check the path and who may read it"
        ))
    };
    let length = std::fs::metadata(path).map_err(failed)?.len();
    if length > LONGEST {
        return Err(KeyError(format!("{place} holds {length} bytes: that is no list of master keys")));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?);
    MasterKeys::parse(&text, place)
}

/// The key in the data directory, made if it is not there. Processes that start at once agree on one.
fn own_file(data_dir: &Path) -> Result<MasterKeys, KeyError> {
    let path = data_dir.join(KEY_FILE);
    let place = format!("the file {}", path.display());
    if !path.exists() {
        create(data_dir, &path).map_err(|error| {
            KeyError(format!(
                "{place} of the master key cannot be made ({error}): check the data directory and who owns it"
            ))
        })?;
    }
    of_file(&path, &place)
}

/// Writes a new key beside `path` and gives it that name only once it is on the disk, and only if nothing has the name.
fn create(data_dir: &Path, path: &Path) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::create_dir_all(data_dir)?;
    let mut bytes = Zeroizing::new([0; KEY_LENGTH]);
    let random = ring::rand::SystemRandom::new();
    ring::rand::SecureRandom::fill(&random, &mut bytes[..])
        .map_err(|_| std::io::Error::other("the system gives no random bytes"))?;
    let mut text = hex::encode(&bytes[..]);
    text.push('\n');
    let draft = data_dir.join(format!("{KEY_FILE}.{}", uuid::Uuid::new_v4().simple()));
    let written = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        match std::fs::hard_link(&draft, path) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    })();
    text.zeroize();
    let removed = std::fs::remove_file(&draft);
    written.and(removed)?;
    // So that the name survives a power failure, too: without the key nothing in the store can be read.
    std::fs::File::open(data_dir)?.sync_all()
}

async fn of_command(command: &str, limit: Duration) -> Result<MasterKeys, KeyError> {
    let place = "what --master-key-command prints";
    let failed = |error: std::io::Error| KeyError(format!("--master-key-command cannot be run: {error}"));
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let mut said = Zeroizing::new(Vec::with_capacity(1024));
    let stdout = child.stdout.take();
    let ended = tokio::time::timeout(limit, async {
        if let Some(stdout) = stdout {
            stdout.take(LONGEST).read_to_end(&mut said).await?;
        }
        child.wait().await
    });
    let status = ended.await.map_err(|_| {
        KeyError(format!(
            "--master-key-command did not end within {} seconds: run it by hand and see what it waits for",
            limit.as_secs()
        ))
    })?;
    let status = status.map_err(failed)?;
    if !status.success() {
        return Err(KeyError(format!(
            "--master-key-command failed ({status}): run it by hand and see what it says on stderr"
        )));
    }
    let text = std::str::from_utf8(&said).map_err(|_| {
        KeyError(format!("{place} is no text: it has to print the key as 64 hex digits or in base64"))
    })?;
    MasterKeys::parse(text, place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn keys_are_read_in_either_form() {
        let of = |text: &str| MasterKeys::parse(text, "here").map(|keys| *keys.current.id());
        let id = of(HEX).unwrap();
        for same in
            [BASE64, BASE64.trim_end_matches('='), &HEX.to_uppercase(), &format!("# mine\n\n {HEX} \n")]
        {
            assert_eq!(of(same).unwrap(), id, "{same}");
        }
        let url_safe = "-_".to_owned() + &"A".repeat(41);
        assert_eq!(of(&url_safe).unwrap(), of(&url_safe.replace('-', "+").replace('_', "/")).unwrap());
        let several = MasterKeys::parse(&format!("{url_safe},{HEX},{BASE64}"), "here").unwrap();
        assert_eq!(several.former.iter().map(|key| *key.id()).collect::<Vec<_>>(), [id]);
    }

    #[test]
    fn what_is_no_key_is_told_without_showing_it() {
        for (text, told) in [
            ("", "here holds no master key"),
            ("hunter2hunter2", "key 1 of here is no master key: it has 14 characters"),
            (&format!("{HEX},{}", &HEX[1..]), "key 2 of here is no master key: it has 63 characters"),
            (&"ab".repeat(32), "all its bytes are the same"),
            (&"z".repeat(64), "64 characters"),
            (&"A".repeat(4096), "4096 characters"),
        ] {
            let error = MasterKeys::parse(text, "here").unwrap_err().to_string();
            assert!(error.contains(told) && error.contains("openssl rand -hex 32"), "{error}");
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
    }

    #[tokio::test]
    async fn a_key_is_made_once_and_for_its_owner_only() {
        let root = tempfile::tempdir().unwrap();
        let data_dir = root.path().join("new");
        let made = KeyOptions::default().load(Some(&data_dir)).await.unwrap();
        let again = KeyOptions::default().load(Some(&data_dir)).await.unwrap();
        assert_eq!(made.current.id(), again.current.id());
        let mode = std::fs::metadata(data_dir.join(KEY_FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&data_dir).unwrap().count(), 1, "no draft is left");
        create(&data_dir, &data_dir.join(KEY_FILE)).unwrap();
        let kept = KeyOptions::default().load(Some(&data_dir)).await.unwrap();
        assert_eq!(kept.current.id(), made.current.id(), "whoever comes second takes the first one's");
        let error = KeyOptions::default().load(None).await.unwrap_err();
        assert!(error.to_string().contains("openssl rand -hex 32"), "{error}");
    }

    #[tokio::test]
    async fn keys_come_from_where_the_user_says() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("keys");
        std::fs::write(&file, format!("{HEX}\n{}\n", "5a5b".repeat(16))).unwrap();
        let given = KeyOptions { keys: Some(SecretString::from(HEX.to_owned())), ..KeyOptions::default() };
        let of_file = KeyOptions { file: Some(file.clone()), ..KeyOptions::default() };
        let command = format!("cat '{}'", file.display());
        let of_command = KeyOptions { command: Some(command), ..KeyOptions::default() };
        let id = *given.load(None).await.unwrap().current.id();
        for options in [&of_file, &of_command] {
            let keys = options.load(None).await.unwrap();
            assert_eq!((keys.current.id(), keys.former.len()), (&id, 1));
        }
        let twice = KeyOptions { file: Some(file), ..given };
        assert!(twice.load(None).await.unwrap_err().to_string().contains("more than once"));
        let missing = KeyOptions { file: Some(root.path().join("none")), ..KeyOptions::default() };
        assert!(
            missing
                .load(None)
                .await
                .unwrap_err()
                .to_string()
                .contains("none of the master key cannot be read")
        );
    }

    #[tokio::test]
    async fn a_command_fails_with_a_reason() {
        for (command, limit, told) in [
            ("exit 3", 30_000, "exit status: 3"),
            ("true", 30_000, "holds no master key"),
            ("printf '\\377'", 30_000, "is no text"),
            ("sleep 60", 20, "did not end"),
        ] {
            let error = of_command(command, Duration::from_millis(limit)).await.unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
