//! A password in a file, as container platforms mount secrets.

use std::path::Path;

use crate::PostgresError;

/// The file's content without the line break at its end.
pub(super) async fn read(path: &Path) -> Result<Vec<u8>, PostgresError> {
    let text = tokio::fs::read(path).await.map_err(|error| {
        let text = format!(
            "`password_file` {} cannot be read: {error}. Correct the path, or its permissions.",
            path.display()
        );
        PostgresError::config(text).caused_by(error)
    })?;
    let text = text.strip_suffix(b"\n").unwrap_or(&text);
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if text.is_empty() {
        return Err(PostgresError::config(format!("`password_file` {} is empty", path.display())));
    }
    Ok(text.to_vec())
}
