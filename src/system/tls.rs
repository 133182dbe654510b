//! TLS towards others, with the certificates that this system trusts.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{WebPkiServerVerifier, verify_server_name};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    crypto,
};

/// How servers are trusted: by the certificates of the system (`SSL_CERT_FILE` and
/// `SSL_CERT_DIR` name others).
///
/// # Errors
/// Why no server can be trusted.
pub(crate) fn client() -> Result<ClientConfig, String> {
    client_trusting(None)
}

/// The same, trusting also the certificates in a file of PEM.
///
/// # Errors
/// As [`client`], or why the file cannot be read.
pub(crate) fn client_trusting(authority: Option<&Path>) -> Result<ClientConfig, String> {
    let mut loaded = rustls_native_certs::load_native_certs();
    if let Some(path) = authority {
        let unreadable =
            |error| format!("cannot read certificates from {}: {error}", path.display());
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            loaded.certs.push(certificate.map_err(unreadable)?);
        }
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(loaded.certs.iter().cloned());
    if roots.is_empty() {
        let why = loaded.errors.first().map(|error| format!(": {error}")).unwrap_or_default();
        return Err(format!("this system trusts no certificates{why}; SSL_CERT_FILE names some"));
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .map_err(|error| error.to_string())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let verifier = Arc::new(Verifier { verifier, trusted: loaded.certs });
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// What connects to servers of HTTP/1.1 over TLS.
///
/// # Errors
/// As [`client`].
pub(crate) fn http_connector() -> Result<TlsConnector, String> {
    let mut config = client()?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Verifies as webpki does, and in addition, as OpenSSL does, trusts a server whose certificate is
/// itself trusted. webpki rejects server certificates that may sign others, which is true of most
/// self-signed ones, and ignores names outside of the extension.
#[derive(Debug)]
struct Verifier {
    verifier: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match verified {
            Err(error) if self.trusted.iter().any(|trusted| trusted == end_entity) => {
                trusted_itself(error, end_entity, server_name)
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Decides about a certificate that is itself trusted and was refused as an issuer. webpki checks
/// its dates before it checks whether it may sign others, so the dates are valid.
fn trusted_itself(
    error: Error,
    certificate: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
) -> Result<ServerCertVerified, Error> {
    let refused = match error {
        // The error of webpki has no name here.
        Error::InvalidCertificate(CertificateError::Other(ref other))
            if format!("{other:?}").contains("CaUsedAsEndEntity") =>
        {
            let parsed = ParsedCertificate::try_from(certificate)?;
            verify_server_name(&parsed, server_name)
        }
        error => Err(error),
    };
    match refused {
        Err(error) if !(has_no_names(&error) && has_common_name(certificate, server_name)) => {
            Err(error)
        }
        _ => Ok(ServerCertVerified::assertion()),
    }
}

/// Whether the certificate was refused since it has no names in the extension.
fn has_no_names(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })
            if presented.is_empty()
    )
}

/// The attribute `commonName` of X.520 in DER.
const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];

/// Whether the server's name is the common name of a certificate that is its own issuer.
fn has_common_name(certificate: &[u8], server_name: &ServerName<'_>) -> bool {
    let wanted = server_name.to_str();
    let mut names =
        certificate.windows(COMMON_NAME.len()).enumerate().filter_map(|(at, window)| {
            let after = certificate.get(at + COMMON_NAME.len()..)?;
            let [_, length @ 1..0x80, text @ ..] = after else { return None };
            (window == COMMON_NAME).then(|| text.get(..usize::from(*length))).flatten()
        });
    names.any(|name| name.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// Why a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The certificate of the server is not trusted, is of another name, or is out of date.
    Certificate,
    /// The server does not speak TLS as it should.
    Handshake,
    /// Not for TLS.
    Other,
}

impl Failure {
    /// Of an error of a connection.
    #[must_use]
    pub(crate) fn of(error: &std::io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => {
                Self::Certificate
            }
            Some(_) => Self::Handshake,
            None => Self::Other,
        }
    }
}
