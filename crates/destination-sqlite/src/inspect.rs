//! Reading rows back: their keys, and hashes of their payloads.

use futures::{StreamExt, stream};
use protocol::{ConnectorError, InspectRequest, InspectedRows, RawJson, RowStream, StoredRow};
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task;

use crate::SqliteError;
use crate::database::Database;
use crate::layout::Layout;

/// Rows that wait to be taken.
const WAITING: usize = 64;

/// The rows that are asked for. They are read on another thread, never far ahead.
pub(crate) fn rows(path: String, request: InspectRequest) -> RowStream {
    stream::once(async { open(path, request) }).flatten().boxed()
}

fn open(path: String, request: InspectRequest) -> RowStream {
    let (sender, receiver) = channel(WAITING);
    let reading = task::spawn_blocking(move || {
        if let Err(error) = read(&path, &request, &sender) {
            // Whoever went away does not want to know.
            let _ = sender.blocking_send(Err(error));
        }
    });
    let next = |mut receiver: Receiver<_>| async { receiver.recv().await.map(|row| (row, receiver)) };
    let stopped = stream::once(reading).filter_map(|ended| async {
        let error = ended.err()?;
        Some(Err(ConnectorError::internal("reading the SQLite file stopped unexpectedly").caused_by(error)))
    });
    stream::unfold(receiver, next).chain(stopped).boxed()
}

type Rows = Sender<Result<StoredRow, ConnectorError>>;

fn read(path: &str, request: &InspectRequest, rows: &Rows) -> Result<(), ConnectorError> {
    let layout = Layout::of_stream(&request.stream.stream)?;
    let Some(database) = Database::existing(path)? else { return Ok(()) };
    let connection = database.connection();
    let refused = |cause| ConnectorError::from(database.refused(cause));
    let known: Option<i64> = connection
        .query_row(
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1 COLLATE NOCASE",
            [layout.table()],
            |row| row.get(0),
        )
        .optional()
        .map_err(refused)?;
    if known.is_none() {
        return Ok(());
    }
    let reader = Reader { connection: &connection, layout: &layout, rows, refused: &refused };
    let account = request.account_id.as_deref();
    match &request.rows {
        InspectedRows::All => {
            reader.query(&layout.inspect_all(), (account,))?;
        }
        InspectedRows::Created { gte, lt, newest: None } => {
            reader.query(&layout.inspect_created(), (account, gte, lt))?;
        }
        InspectedRows::Created { gte, lt, newest: Some(newest) } => {
            let from: Option<i64> = connection
                .query_row(&layout.inspect_newest(), (account, gte, lt, newest.saturating_sub(1)), |row| {
                    row.get(0)
                })
                .optional()
                .map_err(refused)?;
            reader.query(&layout.inspect_created(), (account, from.unwrap_or(*gte), lt))?;
        }
        InspectedRows::Keys(keys) => {
            for key in keys {
                let parameters = std::iter::once(account).chain(key.iter().map(|value| Some(value.as_str())));
                if !reader.query(&layout.inspect_key(), params_from_iter(parameters))? {
                    break;
                }
            }
        }
    }
    Ok(())
}

struct Reader<'r> {
    connection: &'r Connection,
    layout: &'r Layout,
    rows: &'r Rows,
    refused: &'r dyn Fn(rusqlite::Error) -> ConnectorError,
}

impl Reader<'_> {
    /// Sends the rows on; answers whether anybody still wants them.
    fn query(&self, sql: &str, parameters: impl rusqlite::Params) -> Result<bool, ConnectorError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(self.refused)?;
        let mut found = statement.query(parameters).map_err(self.refused)?;
        while let Some(row) = found.next().map_err(self.refused)? {
            let (key, payload) = self.parts(row).map_err(self.refused)?;
            let payload = RawJson::parse(payload).map_err(|cause| SqliteError::NotAnObject {
                stream: self.layout.stream.to_string(),
                cause,
            })?;
            let row = StoredRow::of(key, &payload, &self.layout.newer_than);
            if self.rows.blocking_send(row).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn parts(&self, row: &Row<'_>) -> rusqlite::Result<(Vec<String>, String)> {
        let key = (1..=self.layout.key.len()).map(|at| row.get(at)).collect::<Result<_, _>>()?;
        Ok((key, row.get(0)?))
    }
}
