//! What a service account signs to get an access token.
//! <https://developers.google.com/identity/protocols/oauth2/service-account>

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

/// What the destination may do with the token: change the spreadsheets that are shared with the account, and make and
/// remove its own.
pub(crate) const SCOPE: &str =
    "https://www.googleapis.com/auth/spreadsheets https://www.googleapis.com/auth/drive.file";
/// Longest life of what is signed, in seconds.
const LIFE: i64 = 3600;

/// The key of a service account, as in its key file.
#[derive(Debug, Deserialize)]
pub struct ServiceAccountKey {
    /// The account's address; a spreadsheet is shared with it.
    pub client_email: String,
    private_key: SecretString,
    private_key_id: Option<String>,
    /// Where the signed text is exchanged for a token.
    pub token_uri: String,
}

impl ServiceAccountKey {
    /// Reads the JSON text of a key file. Fails with a sentence.
    pub fn parse(text: &str) -> Result<ServiceAccountKey, String> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| format!("the service account key is not JSON: {error}"))?;
        if value["type"] != "service_account" {
            let found = &value["type"];
            return Err(format!(
                "the service account key is of type {found}. Create a key of type JSON for a service account in the Google \
                 Cloud console"
            ));
        }
        serde_json::from_value(value)
            .map_err(|error| format!("the service account key is not whole: {error}"))
    }

    /// The signed text, good for an hour from `now`, which is in unix seconds. Fails with a sentence.
    pub fn assertion(&self, now: i64) -> Result<String, String> {
        let unusable = "the private key of the service account key cannot be used. Download the key again";
        let pem = self.private_key.expose_secret().as_bytes();
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|error| format!("{unusable} ({error})"))?;
        let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der())
            .map_err(|error| format!("{unusable} ({error})"))?;
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.private_key_id});
        let claims = json!({
            "iss": self.client_email, "scope": SCOPE, "aud": self.token_uri, "iat": now, "exp": now + LIFE,
        });
        let encoded = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encoded(&header), encoded(&claims));
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| unusable.to_owned())?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}
