//! The schema, and how an older one becomes it.

use super::StoreError;
use super::database::{Db, Dialect, SCHEMA};
use super::value::{Statement, Value};

/// Each step of the schema. A step that was released is never changed; the next one is appended.
const STEPS: &[&[&str]] = &[FIRST, HELD];

const FIRST: &[&str] = &[
    // The resources, as users see them. `sealed` holds what may be secret.
    "create table @pipelines (
        id text primary key, name text, desired_status text not null, streams text,
        source_type text not null, destination_type text not null, sealed @bytes not null, data_key @bytes not null,
        version bigint not null, config_version bigint not null, touched_at bigint not null,
        created_at bigint not null, updated_at bigint not null)",
    // How far each is; written by whoever works on it.
    "create table @standings (
        pipeline_id text primary key references @pipelines (id) on delete cascade,
        standing text not null, state text, state_at bigint)",
    // Who works on it. `fence` grows with each holder, so that one who was declared dead can write nothing more.
    "create table @leases (
        pipeline_id text primary key references @pipelines (id) on delete cascade,
        holder text not null, stage text not null, fence bigint not null, until bigint not null, asked_until bigint not null)",
    // What was delivered, in the order of its arrival. `body` goes once it is applied; the id stays for a while.
    "create table @deliveries (
        sequence @sequence, pipeline_id text not null references @pipelines (id) on delete cascade,
        event_id text not null, object_id text, body text, received_at bigint not null, applied_at bigint)",
    "create unique index deliveries_once on @deliveries (pipeline_id, event_id)",
    "create index deliveries_waiting on @deliveries (pipeline_id, sequence) where applied_at is null",
    "create index deliveries_applied on @deliveries (applied_at) where applied_at is not null",
    "create table @entries (
        sequence @sequence, pipeline_id text not null references @pipelines (id) on delete cascade,
        run_id text, at bigint not null, level text not null, message text not null, data text)",
    "create index entries_of on @entries (pipeline_id, sequence)",
    "create table @tokens (
        id text primary key, name text not null, hash text not null unique, scopes text not null,
        created_at bigint not null, last_used_at bigint, revoked_at bigint)",
    "create table @audit (
        sequence @sequence, at bigint not null, actor text not null, action text not null,
        pipeline_id text, detail text)",
    // Answers to requests that name a key, so that asking twice does once.
    "create table @answers (
        key text primary key, request text not null, status bigint not null, body text not null,
        created_at bigint not null)",
];

/// Deliveries may be held for a stream that fails; entries of the log go by their age.
const HELD: &[&str] = &[
    "alter table @deliveries add column held_for text",
    "drop index @deliveries_waiting",
    "create index deliveries_waiting on @deliveries (pipeline_id, sequence)
        where applied_at is null and held_for is null",
    "create index deliveries_held on @deliveries (pipeline_id, held_for, sequence)
        where applied_at is null and held_for is not null",
    "create index entries_at on @entries (at)",
];

/// Brings the schema up to date. Several processes may do so at once.
pub(super) async fn apply(db: &Db) -> Result<(), StoreError> {
    if db.dialect() == Dialect::Postgres {
        db.write_one(Statement::new(format!("create schema if not exists {SCHEMA}"), []))
            .await
            .or_else(already)?;
    }
    let table =
        "create table if not exists @migrations (step bigint primary key, applied_at bigint not null)";
    db.write_one(Statement::new(table, [])).await.or_else(already)?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let rows = db.read(Statement::new("select coalesce(max(step), 0) from @migrations", [])).await?;
    let reached = rows.first().map(|row| row.required_int(0)).transpose()?.unwrap_or(0);
    if reached > known {
        return Err(StoreError::broken(format!(
            "the store was written by a newer version of sync-service (its schema is at step {reached}, this program knows \
             {known}): use that version, or restore a backup"
        )));
    }
    for (number, step) in (1i64..).zip(STEPS).skip_while(|(number, _)| *number <= reached) {
        // The key of the first statement lets only one process in.
        let mark = "insert into @migrations (step, applied_at) values ($1, @now)";
        let mut statements = vec![Statement::new(mark, [Value::from(number)])];
        statements.extend(step.iter().map(|sql| Statement::new(*sql, [])));
        match db.write(statements).await {
            Ok(_) => {}
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Two processes that create the same thing at once: for one of them it is there already.
fn already(error: StoreError) -> Result<Vec<super::value::Row>, StoreError> {
    if error.is_conflict() { Ok(Vec::new()) } else { Err(error) }
}
