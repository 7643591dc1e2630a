//! Amazon RDS: the password is a token that IAM credentials sign, good for fifteen minutes.

use std::error::Error as StdError;
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig, sts::AssumeRoleProvider};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tokio::sync::{Mutex, OnceCell};

use crate::{FailureKind, PostgresError};

/// Credentials are replaced this long before they end.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// How long RDS accepts a token.
const TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);

/// Name of the session in AWS's own logs, as upstream's.
const SESSION: &str = "sync-engine";

/// A database of Amazon RDS or Aurora, and who logs in to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsDatabase {
    /// Host name of the instance or cluster. The token is signed for this name.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Name of the database.
    pub database: String,
    /// Role in the database, which has been granted `rds_iam`.
    pub user: String,
    /// Region, such as `eu-central-1`.
    pub region: String,
    /// The role to take on before signing; without it the ambient credentials sign.
    pub role_arn: Option<String>,
    /// The external id that the role demands.
    pub external_id: Option<String>,
}

/// Signs tokens for one database. Credentials are kept for as long as they are good, here and nowhere
/// else: two configurations never share them.
pub(crate) struct TokenSource {
    database: AwsDatabase,
    provider: OnceCell<SharedCredentialsProvider>,
    kept: Mutex<Option<Credentials>>,
}

impl TokenSource {
    /// Tokens for a database. Nothing is asked yet.
    pub(crate) fn new(database: AwsDatabase) -> TokenSource {
        TokenSource { database, provider: OnceCell::new(), kept: Mutex::new(None) }
    }

    /// A token that is good from now on for fifteen minutes, or for as long as its credentials.
    pub(crate) async fn token(&self) -> Result<String, PostgresError> {
        let now = SystemTime::now();
        let credentials = self.credentials(now).await?;
        sign_token(&self.database, credentials, now).map_err(|error| {
            PostgresError::config("a token for the database cannot be signed").caused_by(error)
        })
    }

    async fn credentials(&self, now: SystemTime) -> Result<Credentials, PostgresError> {
        // Held while they are fetched: connections that open together ask once.
        let mut kept = self.kept.lock().await;
        if let Some(credentials) = kept.as_ref().filter(|credentials| is_good(credentials, now)) {
            return Ok(credentials.clone());
        }
        let provider = self.provider.get_or_try_init(|| provider(&self.database)).await?;
        let credentials = provider.provide_credentials().await.map_err(|error| self.refused(error))?;
        *kept = Some(credentials.clone());
        Ok(credentials)
    }

    fn refused(&self, error: aws_credential_types::provider::error::CredentialsError) -> PostgresError {
        use aws_credential_types::provider::error::CredentialsError;
        let kind = match &error {
            CredentialsError::CredentialsNotLoaded(_) | CredentialsError::InvalidConfiguration(_) => {
                FailureKind::Config
            }
            CredentialsError::ProviderTimedOut(_) => FailureKind::Transient,
            _ => FailureKind::Auth,
        };
        let said = std::iter::successors(StdError::source(&error), |cause| (*cause).source()).last();
        let said = said.map_or_else(|| error.to_string(), ToString::to_string);
        let text = match &self.database.role_arn {
            Some(role) => format!(
                "AWS does not let us take on the role {role}: {said}. Check `aws.role_arn`, `aws.external_id` \
                 and the role's trust policy, and that the ambient credentials (environment, profile, \
                 container or instance) may call sts:AssumeRole."
            ),
            None => format!(
                "no AWS credentials were found: {said}. Give them by the environment (AWS_ACCESS_KEY_ID …), a \
                 profile, or the role of the container or instance."
            ),
        };
        PostgresError::new(kind, text).caused_by(error)
    }
}

/// Whether credentials can be used for a while yet. Those without an end are asked for each time: they
/// cost nothing, and a changed file is noticed.
fn is_good(credentials: &Credentials, now: SystemTime) -> bool {
    credentials.expiry().is_some_and(|expiry| now + AHEAD < expiry)
}

/// The ambient credentials of the SDK's chain, or those of the role.
async fn provider(database: &AwsDatabase) -> Result<SharedCredentialsProvider, PostgresError> {
    let http =
        aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let ambient = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(database.region.clone()))
        .http_client(http)
        .load()
        .await;
    provider_from(&ambient, database).await
}

async fn provider_from(
    ambient: &SdkConfig,
    database: &AwsDatabase,
) -> Result<SharedCredentialsProvider, PostgresError> {
    let Some(role) = &database.role_arn else {
        return ambient.credentials_provider().ok_or_else(|| {
            PostgresError::config("there is no way to AWS credentials: set `aws.role_arn` or a profile")
        });
    };
    let mut builder = AssumeRoleProvider::builder(role).session_name(SESSION).configure(ambient);
    if let Some(external_id) = &database.external_id {
        builder = builder.external_id(external_id);
    }
    Ok(SharedCredentialsProvider::new(builder.build().await))
}

/// A signed URL of the action `connect`, without its scheme.
fn sign_token(
    database: &AwsDatabase,
    credentials: Credentials,
    now: SystemTime,
) -> Result<String, Box<dyn StdError + Send + Sync>> {
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(TOKEN_LIFE);
    settings.signature_location = SignatureLocation::QueryParams;
    let identity = credentials.into();
    let signing = v4::SigningParams::builder()
        .identity(&identity)
        .region(&database.region)
        .name("rds-db")
        .time(now)
        .settings(settings)
        .build()?;
    let user = percent_encoding::utf8_percent_encode(&database.user, percent_encoding::NON_ALPHANUMERIC);
    let url = format!("https://{}:{}/?Action=connect&DBUser={user}", database.host, database.port);
    let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]))?;
    let (instructions, _) = sign(request, &signing.into())?.into_parts();
    let encode = |text: &str| percent_encoding::utf8_percent_encode(text, UNRESERVED).to_string();
    let signature: Vec<String> = instructions
        .params()
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    Ok(format!("{}&{}", url.trim_start_matches("https://"), signature.join("&")))
}

/// What a signed URL encodes: all but letters, digits and `-_.~`.
const UNRESERVED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

#[cfg(test)]
#[path = "aws_tests.rs"]
mod tests;
