//! Where a sync goes on from.
//!
//! The destination keeps the position in the transaction of the rows that it stands for; the store's own copy is some moments
//! older after a kill. That matters most in the first moments: rows without a position would be listed anew from a later time on,
//! and whatever was deleted in between would stay for ever.

use protocol::{ConnectorConfig, LogLevel, SyncState};

use super::{StepFailure, Work};
use crate::engines::Kept;

impl Work<'_> {
    /// The name under which the destination keeps the position. A new one is stored before anything is synced under it.
    pub(super) async fn position_name(&mut self) -> Result<String, StepFailure> {
        let id = &self.record.pipeline.id;
        let position = match self.standing.position.clone() {
            Some(position) => position,
            None => {
                let position = uuid::Uuid::new_v4().simple().to_string();
                self.standing.position = Some(position.clone());
                self.steps.store.save(&self.held.lease, &self.standing, None).await?;
                position
            }
        };
        Ok(format!("service/{id}/{position}"))
    }

    /// The position to go on from: of the source what the destination keeps, of the run what the store does.
    pub(super) async fn newest_position(
        &mut self,
        name: &str,
        destination: &ConnectorConfig,
        stored: Option<SyncState>,
    ) -> Result<Option<SyncState>, StepFailure> {
        Ok(match self.steps.engines.kept_position(destination, name).await? {
            Kept::Nowhere => stored,
            Kept::Position(source) => {
                Some(SyncState { source: *source, ..stored.unwrap_or_else(SyncState::empty) })
            }
            Kept::Nothing => {
                if stored.is_some() {
                    let text =
                        "the destination lost the position, and maybe the rows: everything is read again";
                    self.journal.say(LogLevel::Warn, text);
                    self.standing.backfilled = false;
                    self.standing.progress = None;
                }
                None
            }
        })
    }
}
