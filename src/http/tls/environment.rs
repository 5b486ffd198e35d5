//! The environment variables that TLS depends on.

/// The environment variables that choose trusted CAs, as the environment that made the call has them.
/// An empty one counts as unset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsEnvironment {
    /// `SSL_CERT_FILE`, a PEM file that takes the place of the system's certificates.
    pub ssl_cert_file: Option<String>,
    /// `SSL_CERT_DIR`, directories of PEM files that do so, separated as in `PATH`.
    pub ssl_cert_dir: Option<String>,
    /// `NODE_EXTRA_CA_CERTS`, a PEM file that is trusted as well.
    pub node_extra_ca_certs: Option<String>,
    /// `NODE_TLS_REJECT_UNAUTHORIZED`, which at exactly `0` turns verification off.
    pub node_tls_reject_unauthorized: Option<String>,
}

impl TlsEnvironment {
    /// Whether servers are verified.
    #[must_use]
    pub fn verifies(&self) -> bool {
        verifies(self.node_tls_reject_unauthorized.as_deref())
    }
}

/// Whether servers are verified where `NODE_TLS_REJECT_UNAUTHORIZED` is this.
#[must_use]
pub fn verifies(reject_unauthorized: Option<&str>) -> bool {
    reject_unauthorized != Some("0")
}
