//! Durable sync state in PostgreSQL.
