//! Encrypting the connection.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use secrecy::{ExposeSecret, SecretString};

use crate::{PostgresError, TlsMode};

/// Where certificates come from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Certificates {
    /// Authorities to trust, PEM text.
    pub(crate) authorities: Option<String>,
    /// Authorities to trust, PEM file.
    pub(crate) authorities_file: Option<PathBuf>,
    /// Our own certificate and key.
    pub(crate) identity: Option<ClientIdentity>,
}

/// A certificate by which we prove who we are, and its key; both PEM.
#[derive(Debug, Clone)]
pub(crate) enum ClientIdentity {
    /// In files.
    Files { certificate: PathBuf, key: PathBuf },
    /// As text.
    Texts { certificate: String, key: SecretString },
}

impl ClientIdentity {
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), PostgresError> {
        let unreadable = |what: String, error: rustls::pki_types::pem::Error| {
            PostgresError::config(format!("{what} is not a readable PEM file: {error}"))
        };
        match self {
            ClientIdentity::Files { certificate, key } => {
                let chain = CertificateDer::pem_file_iter(certificate)
                    .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                    .map_err(|error| unreadable(certificate.display().to_string(), error))?;
                let key = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| unreadable(key.display().to_string(), error))?;
                Ok((chain, key))
            }
            ClientIdentity::Texts { certificate, key } => {
                let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|error| unreadable("ssl_cert_pem".to_owned(), error))?;
                let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes())
                    .map_err(|error| unreadable("ssl_key_pem".to_owned(), error))?;
                Ok((chain, key))
            }
        }
    }

    fn name(&self) -> String {
        match self {
            ClientIdentity::Files { certificate, .. } => certificate.display().to_string(),
            ClientIdentity::Texts { .. } => "ssl_cert_pem".to_owned(),
        }
    }
}

/// The TLS settings of `mode`. Verifying modes trust the given authorities, else the system's.
pub(crate) fn client_config(
    mode: TlsMode,
    certificates: &Certificates,
) -> Result<ClientConfig, PostgresError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| PostgresError::config("TLS cannot be set up").caused_by(error))?;
    let given = certificates.authorities.is_some() || certificates.authorities_file.is_some();
    let builder = match mode {
        TlsMode::VerifyFull => builder.with_root_certificates(authorities(certificates)?),
        // As in libpq: who names an authority wants it checked.
        TlsMode::VerifyCa | TlsMode::Require if mode == TlsMode::VerifyCa || given => {
            let authorities = authorities(certificates)?;
            let verifier = Verifier { provider, authorities: Some(authorities) };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
        _ => {
            let verifier = Verifier { provider, authorities: None };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    let Some(identity) = &certificates.identity else {
        return Ok(builder.with_no_client_auth());
    };
    let (chain, key) = identity.read()?;
    builder.with_client_auth_cert(chain, key).map_err(|error| {
        let text = format!("the client certificate {} cannot be used: {error}", identity.name());
        PostgresError::config(text).caused_by(error)
    })
}

fn authorities(certificates: &Certificates) -> Result<RootCertStore, PostgresError> {
    let mut store = RootCertStore::empty();
    let (from, given) = match (&certificates.authorities, &certificates.authorities_file) {
        (Some(text), _) => {
            ("ssl_ca_pem".to_owned(), CertificateDer::pem_slice_iter(text.as_bytes()).collect())
        }
        (None, Some(path)) => {
            let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            (format!("sslrootcert {}", path.display()), read)
        }
        (None, None) => {
            let native = rustls_native_certs::load_native_certs();
            ("the system's certificate store".to_owned(), Ok(native.certs))
        }
    };
    let given =
        given.map_err(|error| PostgresError::config(format!("{from} is not readable PEM: {error}")))?;
    store.add_parsable_certificates(given);
    if store.is_empty() {
        let text = format!("{from} holds no certificate; give the authority's certificate as ssl_ca_pem");
        return Err(PostgresError::config(text));
    }
    Ok(store)
}

/// Checks that the certificate was issued by one of the authorities, whatever host it names; checks
/// nothing without authorities.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    authorities: Option<RootCertStore>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _host: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Some(authorities) = &self.authorities {
            let parsed = ParsedCertificate::try_from(certificate)?;
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, authorities, intermediates, now, algorithms)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
