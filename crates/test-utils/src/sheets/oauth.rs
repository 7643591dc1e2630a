//! The token endpoint: refresh tokens, and assertions of service accounts.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

/// The private key of the service account that the server knows; of use nowhere else.
const KEY: &str = include_str!("service_account.pem");
/// Its name.
pub const SERVICE_ACCOUNT: &str = "writer@tests.iam.gserviceaccount.com";
/// The client that the server knows.
pub const CLIENT_ID: &str = "tests.apps.googleusercontent.com";
/// Its secret.
pub const CLIENT_SECRET: &str = "GOCSPX-tests";
/// The refresh token that the server knows.
pub const REFRESH_TOKEN: &str = "1//tests";

/// The key file of the service account, for a server at `url`.
pub fn service_account_key(url: &str) -> Value {
    json!({
        "type": "service_account",
        "project_id": "tests",
        "private_key_id": "key1",
        "private_key": KEY,
        "client_email": SERVICE_ACCOUNT,
        "token_uri": format!("{url}/token"),
    })
}

/// Whether a request for a token is right: how long the token lives, or the status and body of the refusal.
pub(super) fn grant(
    form: &BTreeMap<String, String>,
    audience: &str,
    revoked: bool,
) -> Result<(), (u16, Value)> {
    let refused =
        |code: u16, error: &str, text: &str| (code, json!({"error": error, "error_description": text}));
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    match field("grant_type") {
        "refresh_token" => {
            if field("client_id") != CLIENT_ID {
                return Err(refused(401, "invalid_client", "The OAuth client was not found."));
            }
            if field("client_secret") != CLIENT_SECRET {
                return Err(refused(401, "invalid_client", "Unauthorized"));
            }
            if field("refresh_token") != REFRESH_TOKEN || revoked {
                return Err(refused(400, "invalid_grant", "Token has been expired or revoked."));
            }
            Ok(())
        }
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => {
            assertion(field("assertion"), audience).map_err(|text| refused(400, "invalid_grant", &text))
        }
        other => Err(refused(400, "unsupported_grant_type", &format!("Invalid grant_type: {other}"))),
    }
}

fn assertion(text: &str, audience: &str) -> Result<(), String> {
    let (signed, signature) = text.rsplit_once('.').ok_or("Bad Request")?;
    let (header, claims) = signed.split_once('.').ok_or("Bad Request")?;
    let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| "Bad Request".to_owned());
    let json = |part: &str| -> Result<Value, String> {
        serde_json::from_slice(&decoded(part)?).map_err(|_| "Bad Request".to_owned())
    };
    if json(header)?["alg"] != "RS256" {
        return Err("Invalid JWT: unknown algorithm".to_owned());
    }
    let key = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).map_err(|_| "the server's own key")?;
    let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).map_err(|_| "the server's own key")?;
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref());
    public.verify(signed.as_bytes(), &decoded(signature)?).map_err(|_| "Invalid JWT Signature.")?;
    let claims = json(claims)?;
    let number = |name: &str| claims[name].as_i64().unwrap_or_default();
    let now = jiff::Timestamp::now().as_second();
    if claims["iss"] != SERVICE_ACCOUNT {
        return Err("Invalid grant: account not found".to_owned());
    }
    if claims["aud"] != audience
        || !claims["scope"].as_str().is_some_and(|scope| scope.contains("spreadsheets"))
    {
        return Err("Invalid JWT: wrong audience or scope".to_owned());
    }
    if number("iat") > now + 60 || number("exp") < now || number("exp") > number("iat") + 3600 {
        return Err(
            "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe."
                .to_owned(),
        );
    }
    Ok(())
}
