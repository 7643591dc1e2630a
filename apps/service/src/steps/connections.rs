//! Set-up and teardown.

use engine::{EngineStream, Setup, Side};
use futures::StreamExt;
use protocol::{ConnectionState, Control, LogLevel, Payload};

use super::{StepFailure, StepReport, Work};

impl Work<'_> {
    /// Sets both sides up.
    pub(super) async fn set_up(&mut self) -> Result<StepReport, StepFailure> {
        self.journal.say(LogLevel::Info, "Setting up");
        let discovered = self.steps.discovered(&self.record).await?;
        let pipeline = self.record.pipeline.config();
        let request = Setup { pipeline, side: Side::Both, discovered: Some(discovered) };
        let messages = self.steps.engines.set_up(request);
        self.hear(messages).await?;
        self.standing.is_set_up(self.record.config_version);
        Ok(StepReport::default())
    }

    /// Removes what setup made, then forgets the pipeline.
    pub(super) async fn tear_down(&mut self) -> Result<StepReport, StepFailure> {
        self.journal.say(LogLevel::Info, "Tearing down");
        let messages = self.steps.engines.tear_down(self.record.pipeline.config(), Side::Both)?;
        self.hear(messages).await?;
        self.steps.store.forget(&self.record.pipeline.id).await?;
        Ok(StepReport::default())
    }

    /// Takes over what connectors say of themselves; a connection that failed is a failure.
    async fn hear(&mut self, mut messages: EngineStream) -> Result<(), StepFailure> {
        while let Some(message) = messages.next().await {
            let message = message?;
            match &message.payload {
                Payload::Log(log) => self.journal.add(log, message.ts),
                Payload::Control(control) => self.adopt(control).await?,
                Payload::ConnectionStatus(status) if status.status == ConnectionState::Failed => {
                    let text = status.message.as_deref().unwrap_or("the connection failed");
                    let message = logger::redact_text(text).into_owned();
                    return Err(StepFailure::Failed { message, lasting: false });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Stores a configuration that a connector changed, at once: what it tells may be told only once.
    pub(super) async fn adopt(&mut self, control: &Control) -> Result<(), StepFailure> {
        let pipeline = &mut self.record.pipeline;
        let config = match control {
            Control::SourceConfig { source_config } => (&mut pipeline.source.config, source_config),
            Control::DestinationConfig { destination_config } => {
                (&mut pipeline.destination.config, destination_config)
            }
        };
        if config.0 == config.1 {
            return Ok(());
        }
        config.0.clone_from(config.1);
        self.steps.store.adopt(&self.held.lease, &self.record.pipeline).await?;
        Ok(())
    }
}
