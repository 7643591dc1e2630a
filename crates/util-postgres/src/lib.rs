//! Connecting to PostgreSQL, quoting names, building statements.
