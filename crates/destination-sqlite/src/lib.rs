//! Writes streams into a SQLite file.
