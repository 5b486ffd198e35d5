//! TLS: which servers a call trusts, and Node's names for what fails there.

use std::sync::Arc;

use rustls::{
    ClientConfig, ConfigBuilder, WantsVerifier, WantsVersions, crypto::aws_lc_rs,
    pki_types::ServerName,
};

pub use environment::{TlsEnvironment, verifies};
pub use own::{OwnTls, TlsOptions};
pub(super) use shared_config::SharedConfig;
use trust::Trust;
pub use verdict::{detail, node_code, reason};
pub(super) use verdict::{is_for_want_of_folders, is_of_dialect, of_node};
use verifier::Verifier;

mod alerts;
mod certificate;
mod chain;
mod constraints;
mod der;
#[cfg(test)]
mod differential;
mod encrypted_key;
mod environment;
#[cfg(test)]
mod forge;
#[cfg(test)]
mod forgeries;
mod general_name;
mod host;
mod key_octets;
mod name;
mod own;
mod pem;
mod sessions;
mod shared_config;
mod trust;
mod verdict;
mod verifier;

/// TLS 1.2 and 1.3 for HTTP/1.1, trusting Mozilla's roots and what `environment` names; and the
/// warnings that go with it, each once.
///
/// Reads files, which takes milliseconds: call it off the JavaScript thread.
#[must_use]
pub fn client_config(environment: &TlsEnvironment) -> (ClientConfig, Vec<String>) {
    let mut warnings = Vec::new();
    let files = files_trust(environment, &mut warnings);
    let trust = files.map(|trust| Arc::new(trust.with_folders(&mut warnings)));
    (config_with(trust), warnings)
}

/// What is trusted before folders are read; None where servers are not verified.
fn files_trust(environment: &TlsEnvironment, warnings: &mut Vec<String>) -> Option<Trust> {
    if environment.verifies() {
        Some(Trust::of_files(environment, warnings))
    } else {
        warnings.push(UNVERIFIED.to_owned());
        None
    }
}

/// TLS 1.2 and 1.3 for HTTP/1.1 with servers that `trust` vouches for, with any where it is None.
fn config_with(trust: Option<Arc<Trust>>) -> ClientConfig {
    let provider = aws_lc_rs::default_provider();
    let verifier = Verifier { trust, algorithms: provider.signature_verification_algorithms };
    let mut config = both_versions(ClientConfig::builder_with_provider(Arc::new(provider)))
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = sessions::resumption();
    config
}

/// Whom to shake hands with at `host`, as a URL has it, and with which configuration; None for what
/// is no host of this world.
#[must_use]
pub fn target(
    config: &Arc<ClientConfig>,
    host: &str,
) -> Option<(Arc<ClientConfig>, ServerName<'static>)> {
    let (name, told) = host::server_name(host)?;
    if told {
        return Some((config.clone(), name));
    }
    let mut config = ClientConfig::clone(config);
    config.enable_sni = false;
    Some((Arc::new(config), name))
}

type Builder<State> = ConfigBuilder<ClientConfig, State>;

#[expect(clippy::expect_used, reason = "fails for a provider without cipher suites, and for none")]
fn both_versions(builder: Builder<WantsVersions>) -> Builder<WantsVerifier> {
    builder.with_safe_default_protocol_versions().expect("aws-lc-rs has suites for both")
}

/// Node's own sentence.
const UNVERIFIED: &str = "Setting the NODE_TLS_REJECT_UNAUTHORIZED environment variable to '0' \
    makes TLS connections and HTTPS requests insecure by disabling certificate verification.";
