//! The one connector that the service knows: the source whose webhooks it takes, and whose events it reads.

use protocol::ConnectorConfig;

/// Its type, as pipelines name it.
pub(crate) const STRIPE: &str = "stripe";

/// Whether the source is Stripe.
pub(crate) fn is_stripe(source: &ConnectorConfig) -> bool {
    source.connector == STRIPE
}
