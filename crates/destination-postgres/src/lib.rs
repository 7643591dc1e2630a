//! Writes streams into PostgreSQL.
