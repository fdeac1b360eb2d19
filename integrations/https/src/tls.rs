//! What rustls is told: who we are, whom we trust, and which versions of HTTP we speak.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures_rustls::pki_types::pem::PemObject;
use futures_rustls::pki_types::{CertificateDer, PrivateKeyDer};
use futures_rustls::rustls::crypto::{CryptoProvider, ring};
use futures_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use futures_rustls::{TlsAcceptor, TlsConnector};
use rcgen::{CertifiedKey, generate_simple_self_signed};

/// ALPN's names, the best first.
const VERSIONS: [&[u8]; 2] = [HTTP2, b"http/1.1"];
pub(crate) const HTTP2: &[u8] = b"h2";

/// A new key, and a certificate of it as the text of a file.
pub(crate) fn acceptor(names: &[&str]) -> Result<(TlsAcceptor, String)> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)?;
    config.alpn_protocols = VERSIONS.map(<[u8]>::to_vec).into();
    Ok((Arc::new(config).into(), cert.pem()))
}

/// Trusts the certificate in `file` and nothing else.
pub(crate) async fn connector(file: &Path) -> Result<TlsConnector> {
    let text = petla::fs::read(file).await;
    let text = text.with_context(|| format!("cannot read the certificate {}", file.display()))?;
    let certificate = CertificateDer::from_pem_slice(&text);
    let certificate = certificate.map_err(|error| anyhow::anyhow!("{error:?}"));
    let no_certificate = || format!("{} holds no certificate", file.display());
    let mut roots = RootCertStore::empty();
    roots
        .add(certificate.with_context(no_certificate)?)
        .with_context(no_certificate)?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = VERSIONS.map(<[u8]>::to_vec).into();
    Ok(Arc::new(config).into())
}

/// By name: what rustls takes by default depends on the features that others turn on.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
