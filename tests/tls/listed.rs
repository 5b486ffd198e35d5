//! A server whose certificate is itself listed, or signed by nobody else.

use key0_native::http::tls::TlsEnvironment;
use rcgen::{CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa};

use crate::support::*;

#[tokio::test]
async fn a_self_signed_certificate_is_refused() {
    for is_ca in KINDS {
        let server = serve(self_signed(&with(server_params(), is_ca)), BOTH).await;
        assert_eq!(
            outcome(&TlsEnvironment::default(), server, "localhost").await,
            refused("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"),
            "{is_ca:?}",
        );
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_where_it_is_listed() {
    for is_ca in KINDS {
        let identity = self_signed(&with(server_params(), is_ca));
        let file = pem_file(&identity.pem);
        let server = serve(identity, BOTH).await;
        assert_eq!(outcome(&extra(&file), server, "localhost").await, TRUSTED, "{is_ca:?}");
    }
}

#[tokio::test]
async fn a_listed_certificate_out_of_its_dates_is_refused() {
    for is_ca in KINDS {
        let identity = self_signed(&expired(with(server_params(), is_ca)));
        let file = pem_file(&identity.pem);
        let server = serve(identity, BOTH).await;
        assert_eq!(outcome(&extra(&file), server, "localhost").await, has_expired(), "{is_ca:?}");
    }
}

#[tokio::test]
async fn a_listed_certificate_for_another_name_is_refused() {
    for is_ca in KINDS {
        let identity = self_signed(&with(server_params(), is_ca));
        let file = pem_file(&identity.pem);
        let server = serve(identity, BOTH).await;
        let seen = outcome(&extra(&file), server, "other.example").await;
        assert_eq!(seen, wrong_name(), "{is_ca:?}");
    }
}

#[tokio::test]
async fn a_listed_certificate_without_its_key_is_refused() {
    for is_ca in KINDS {
        for version in BOTH {
            let identity = self_signed(&with(server_params(), is_ca));
            let file = pem_file(&identity.pem);
            let thief = Identity { key: key(), ..identity };
            let server = serve(thief, &[version]).await;
            assert_eq!(
                outcome(&extra(&file), server, "localhost").await,
                refused("ERR_SSL_BAD_SIGNATURE", "bad signature"),
                "{is_ca:?}, {version:?}",
            );
        }
    }
}

#[tokio::test]
async fn another_self_signed_certificate_of_the_listed_name_is_refused() {
    for is_ca in KINDS {
        let listed = self_signed(&with(server_params(), is_ca));
        let server = serve(self_signed(&with(server_params(), is_ca)), BOTH).await;
        let seen = outcome(&extra(&pem_file(&listed.pem)), server, "localhost").await;
        assert!(seen.is_err(), "{is_ca:?}");
    }
}

#[tokio::test]
async fn a_listed_certificate_is_trusted_without_its_issuer() {
    let identity = issued(&server_params(), &[&ca("unlisted")]);
    let file = pem_file(&identity.pem);
    let server = serve(identity, BOTH).await;
    assert_eq!(outcome(&extra(&file), server, "localhost").await, TRUSTED);
}

#[tokio::test]
async fn a_listed_certificate_of_no_ca_vouches_for_no_other() {
    for is_ca in [IsCa::NoCa, IsCa::ExplicitNoCa] {
        let listed =
            CertifiedIssuer::self_signed(with(params("listed", &["localhost"]), is_ca), key())
                .unwrap();
        let mut forged = issued(&server_params(), &[&listed]);
        forged.chain.truncate(1);
        let server = serve(forged, BOTH).await;
        assert_eq!(
            outcome(&extra(&pem_file(&listed.pem())), server, "localhost").await,
            refused("INVALID_PURPOSE", "unsuitable certificate purpose"),
            "{is_ca:?}",
        );
    }
}

#[tokio::test]
async fn a_listed_certificate_for_clients_alone_is_refused() {
    for is_ca in KINDS {
        let mut params = with(server_params(), is_ca);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let identity = self_signed(&params);
        let file = pem_file(&identity.pem);
        let server = serve(identity, BOTH).await;
        assert_eq!(
            outcome(&extra(&file), server, "localhost").await,
            refused("INVALID_PURPOSE", "unsuitable certificate purpose"),
        );
    }
}
