//! Arguments as other SDKs send them: several, the last of them optional, or none at all.

use serde::Serialize;
use serde::de::DeserializeOwned;
use temporalio_common::data_converters::{
    GenericPayloadConverter, PayloadConversionError, SerializationContext, TemporalDeserializable,
    TemporalSerializable,
};
use temporalio_common::protos::temporal::api::common::v1::Payload;

/// A pipeline's id, and options that may be left out: `f(id)` or `f(id, options)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<T> {
    /// The pipeline.
    pub id: String,
    /// What else is asked for; its default when it is absent.
    pub options: T,
}

impl<T> Call<T> {
    /// A call about the pipeline `id`.
    pub fn new(id: impl Into<String>, options: T) -> Call<T> {
        Call { id: id.into(), options }
    }
}

impl<T: Serialize + 'static> TemporalSerializable for Call<T> {
    fn to_payloads(
        &self,
        context: &SerializationContext<'_>,
    ) -> Result<Vec<Payload>, PayloadConversionError> {
        let converter = context.converter;
        Ok(vec![converter.to_payload(context, &self.id)?, converter.to_payload(context, &self.options)?])
    }
}

impl<T: DeserializeOwned + Default + 'static> TemporalDeserializable for Call<T> {
    fn from_payloads(
        context: &SerializationContext<'_>,
        payloads: Vec<Payload>,
    ) -> Result<Call<T>, PayloadConversionError> {
        let mut payloads = payloads.into_iter();
        let Some(id) = payloads.next() else {
            return Err(PayloadConversionError::EncodingError("the pipeline's id is missing".into()));
        };
        let id = context.converter.from_payload(context, id)?;
        let options = match payloads.next() {
            // `null` is how other SDKs write an argument that is left out.
            Some(payload) => {
                context.converter.from_payload::<Option<T>>(context, payload)?.unwrap_or_default()
            }
            None => T::default(),
        };
        Ok(Call { id, options })
    }
}

/// Whatever a signal carries: it is not looked at, since what it is about is in the store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anything;

impl TemporalSerializable for Anything {
    fn to_payloads(&self, _: &SerializationContext<'_>) -> Result<Vec<Payload>, PayloadConversionError> {
        Ok(Vec::new())
    }
}

impl TemporalDeserializable for Anything {
    fn from_payloads(
        _: &SerializationContext<'_>,
        _: Vec<Payload>,
    ) -> Result<Anything, PayloadConversionError> {
        Ok(Anything)
    }
}

#[cfg(test)]
mod tests {
    use temporalio_common::data_converters::{PayloadConverter, SerializationContextData};

    use super::*;
    use crate::temporal::PipelineOptions;

    fn read(payloads: &[&str]) -> Result<Call<PipelineOptions>, PayloadConversionError> {
        let converter = PayloadConverter::default();
        let context = SerializationContext::new(&SerializationContextData::None, &converter);
        let payloads = payloads.iter().map(|text| {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            converter.to_payload(&context, &value).unwrap()
        });
        Call::from_payloads(&context, payloads.collect())
    }

    #[test]
    fn options_may_be_left_out() {
        let default = Call::new("pipe_a", PipelineOptions::default());
        assert_eq!(read(&["\"pipe_a\""]).unwrap(), default);
        assert_eq!(read(&["\"pipe_a\"", "null"]).unwrap(), default);
        let upstream = r#"{"syncState": {"source": {}}, "inputQueue": [1], "state": {"backfillCount": 2}, "paused": true}"#;
        let call = read(&["\"pipe_a\"", upstream]).unwrap();
        assert_eq!((call.options.state.backfill_count, call.options.operations_limit), (2, 1_000));
        assert!(read(&[]).is_err() && read(&["7"]).is_err());
    }

    #[test]
    fn a_call_is_read_as_it_was_written() {
        let converter = PayloadConverter::default();
        let context = SerializationContext::new(&SerializationContextData::None, &converter);
        let call = Call::new("pipe_a", PipelineOptions { steps_limit: 3, ..PipelineOptions::default() });
        let payloads = call.to_payloads(&context).unwrap();
        assert_eq!(payloads.len(), 2);
        assert_eq!(Call::from_payloads(&context, payloads).unwrap(), call);
    }
}
