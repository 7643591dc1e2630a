//! Values as the server takes them, without a detour.

use std::error::Error;

use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use super::plan::Upsert;

/// The seconds that a version is told by `_updated_at`: from the beginning of `timestamptz` to the end of the year
/// 9999, where the server still computes exactly. Beyond, only the payload's number tells.
pub(super) const EARLIEST: i64 = -210_866_803_200;
pub(super) const LATEST: i64 = 253_402_300_799;

/// A value and its type: sent along, a statement takes one round trip, and none to be prepared.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// A JSON text as `jsonb`: the server parses it, as it does any.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json<'a>(pub(super) &'a str);

impl ToSql for Json<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        // The version of the format.
        out.extend_from_slice(&[1]);
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::JSONB
    }

    to_sql_checked!();
}

impl Upsert {
    /// The payload as a value.
    pub(super) fn json(&self) -> Json<'_> {
        Json(self.payload.as_str())
    }
}
