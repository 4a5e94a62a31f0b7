//! Files that are whole or not there, and tables that grow and can be cut back.

use std::{
    fs::{self, File, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::Error;

/// Writes a file so that it is there completely or not at all, whenever the process or the
/// machine stops: to a temporary name, onto the disk, then renamed.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let temporary = temporary(path);
    let result = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if result.is_err() {
        // Best effort: the error that matters is the one above.
        let _ = fs::remove_file(&temporary);
    }
    result.map_err(Error::file("write", path))?;
    // A folder can be flushed only where it can be opened like a file; elsewhere the rename is all.
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Where [`write_atomically`] writes first; a killed process may leave it behind.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

/// A file that is only ever appended to, and knows its length.
pub(crate) struct Appender {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Appender {
    /// Opens the file, makes it where it is absent, and cuts it back to `length` bytes. Errors
    /// when it is shorter than that: then something that had been written is lost.
    pub(crate) fn open(path: PathBuf, length: u64) -> Result<Self, Error> {
        let mut options = OpenOptions::new();
        let mut file = options
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::file("open", &path))?;
        let found = file.metadata().map_err(Error::file("read", &path))?.len();
        if found < length {
            return Err(Error::damaged(
                &path,
                format!("it has {found} bytes, but the checkpoint was written after {length}"),
            ));
        }
        file.set_len(length)
            .and_then(|()| file.seek(SeekFrom::Start(length)))
            .map_err(Error::file("cut back", &path))?;
        Ok(Appender { path, file, length })
    }

    /// Appends bytes; other programs see them at once.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all(bytes).map_err(Error::file("write", &self.path))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Appends one line of comma-separated values.
    pub(crate) fn append_row<I, T>(&mut self, fields: I) -> Result<(), Error>
    where
        I: IntoIterator<Item = T>,
        T: AsRef<[u8]>,
    {
        let mut writer = csv::WriterBuilder::new().buffer_capacity(1 << 10).from_writer(Vec::new());
        writer.write_record(fields).map_err(|e| Error::file("write", &self.path)(e.into()))?;
        let bytes = writer.into_inner().map_err(|e| Error::file("write", &self.path)(e.into_error()))?;
        self.append(&bytes)
    }

    /// The file's length in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Makes sure that everything is on the disk, so that a checkpoint may count on it.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.file.sync_data().map_err(Error::file("write", &self.path))
    }
}

/// A number as text that reads back as the same number; nothing for NaN, which stands for "not
/// there".
pub(crate) fn number(value: f64) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_atomic_write_replaces_the_file_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_atomically(&path, b"first").unwrap();
        write_atomically(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_atomic_write_keeps_the_old_file_and_names_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("inside"), "kept").unwrap();
        let message = write_atomically(&path, b"new").unwrap_err().to_string();
        assert!(message.contains("taken"), "{message}");
        assert_eq!(fs::read_to_string(path.join("inside")).unwrap(), "kept");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_appender_continues_where_the_checkpoint_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        let mut table = Appender::open(path.clone(), 0).unwrap();
        table.append_row(["a", "b,c"]).unwrap();
        let length = table.length();
        table.append_row(["lost", "row"]).unwrap();
        drop(table);
        Appender::open(path.clone(), length).unwrap().append(b"1,2\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "a,\"b,c\"\n1,2\n");
        let message = Appender::open(path, 99).err().unwrap().to_string();
        assert!(message.contains("12 bytes") || message.contains("99"), "{message}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_with_the_systems_words() {
        let path = PathBuf::from("/dev/full");
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let message = Appender { path, file, length: 0 }.append(b"x").unwrap_err().to_string();
        assert!(message.contains("/dev/full") && message.contains("No space left"), "{message}");
    }
}
