//! A server whose certificate somebody issued.

use std::{sync::mpsc, thread, time::Duration};

use key0_native::http::tls::TlsEnvironment;
use rcgen::{
    BasicConstraints, CertifiedIssuer, CidrSubnet, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use tokio::runtime::Builder;

use crate::support::*;

#[tokio::test]
async fn a_server_of_an_extra_ca_is_trusted() {
    let ca = ca("ca");
    let server = serve(issued(&server_params(), &[&ca]), BOTH).await;
    let file = pem_file(&ca.pem());
    assert_eq!(outcome(&extra(&file), server, "localhost").await, TRUSTED);
    assert_eq!(outcome(&extra(&file), server, "127.0.0.1").await, TRUSTED);
}

#[tokio::test]
async fn a_server_below_an_intermediate_is_trusted() {
    let root = ca("root");
    let intermediate = intermediate("intermediate", &root);
    let server = serve(issued(&server_params(), &[&intermediate, &root]), BOTH).await;
    assert_eq!(outcome(&extra(&pem_file(&root.pem())), server, "localhost").await, TRUSTED);
}

#[tokio::test]
async fn a_server_of_nobody_known_is_refused_with_what_its_chain_lacks() {
    let root = ca("root");
    let intermediate = intermediate("intermediate", &root);
    let environment = TlsEnvironment::default();

    let mut alone = issued(&server_params(), &[&intermediate]);
    alone.chain.truncate(1);
    let server = serve(alone, BOTH).await;
    assert_eq!(
        outcome(&environment, server, "localhost").await,
        refused("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate"),
    );

    let server = serve(issued(&server_params(), &[&intermediate]), BOTH).await;
    assert_eq!(
        outcome(&environment, server, "localhost").await,
        refused("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unable to get local issuer certificate"),
    );

    let server = serve(issued(&server_params(), &[&intermediate, &root]), BOTH).await;
    assert_eq!(
        outcome(&environment, server, "localhost").await,
        refused("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain"),
    );
}

#[tokio::test]
async fn issuers_that_form_a_ring_are_refused() {
    let (key_a, key_b) = (key(), key());
    let a = rcgen::Issuer::new(ca_params("a"), &key_a);
    let b = rcgen::Issuer::new(ca_params("b"), &key_b);
    let a_by_b = ca_params("a").signed_by(&key_a, &b).unwrap();
    let b_by_a = ca_params("b").signed_by(&key_b, &a).unwrap();
    let leaf_key = key();
    let leaf = server_params().signed_by(&leaf_key, &a).unwrap();
    let chain = [&leaf, &a_by_b, &b_by_a].map(|it| it.der().clone()).to_vec();
    let server = serve(Identity { chain, key: leaf_key, pem: leaf.pem() }, BOTH).await;
    assert_eq!(
        outcome(&TlsEnvironment::default(), server, "localhost").await,
        refused("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unable to get local issuer certificate"),
    );
}

#[tokio::test]
async fn a_ca_of_the_same_name_with_another_key_does_not_vouch() {
    let server = serve(issued(&server_params(), &[&ca("ca")]), BOTH).await;
    assert_eq!(
        outcome(&extra(&pem_file(&ca("ca").pem())), server, "localhost").await,
        refused("CERT_SIGNATURE_FAILURE", "certificate signature failure"),
    );
}

#[tokio::test]
async fn a_certificate_out_of_its_dates_is_refused() {
    let ca = ca("ca");
    let file = pem_file(&ca.pem());

    let server = serve(issued(&expired(server_params()), &[&ca]), BOTH).await;
    assert_eq!(outcome(&extra(&file), server, "localhost").await, has_expired());

    let mut params = server_params();
    params.not_before = date_time_ymd(4000, 1, 1);
    let server = serve(issued(&params, &[&ca]), BOTH).await;
    assert_eq!(
        outcome(&extra(&file), server, "localhost").await,
        refused("CERT_NOT_YET_VALID", "certificate is not yet valid"),
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let ca = ca("ca");
    let server = serve(issued(&server_params(), &[&ca]), BOTH).await;
    let file = pem_file(&ca.pem());
    let environment = extra(&file);
    assert_eq!(outcome(&environment, server, "other.example").await, wrong_name());
    assert_eq!(outcome(&environment, server, "127.0.0.2").await, wrong_name());
}

#[tokio::test]
async fn a_common_name_is_not_read() {
    let ca = ca("ca");
    let server = serve(issued(&params("localhost", &[]), &[&ca]), BOTH).await;
    let words = "the certificate has no subjectAltName, and its common name is not read";
    assert_eq!(
        outcome(&extra(&pem_file(&ca.pem())), server, "localhost").await,
        refused("ERR_TLS_CERT_ALTNAME_INVALID", words),
    );
}

#[tokio::test]
async fn a_certificate_for_clients_alone_is_refused() {
    let ca = ca("ca");
    let mut params = server_params();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let server = serve(issued(&params, &[&ca]), BOTH).await;
    assert_eq!(
        outcome(&extra(&pem_file(&ca.pem())), server, "localhost").await,
        refused("INVALID_PURPOSE", "unsuitable certificate purpose"),
    );
}

#[tokio::test]
async fn a_ca_certificate_that_a_known_ca_issued_may_be_a_servers() {
    let ca = ca("ca");
    let server = serve(issued(&with(server_params(), AUTHORITY), &[&ca]), BOTH).await;
    assert_eq!(outcome(&extra(&pem_file(&ca.pem())), server, "localhost").await, TRUSTED);
}

#[tokio::test]
async fn a_chain_through_what_is_no_ca_is_refused() {
    let root = ca("root");
    let no_ca = CertifiedIssuer::signed_by(params("no CA", &[]), key(), &root).unwrap();
    let server = serve(issued(&server_params(), &[&no_ca]), BOTH).await;
    assert_eq!(
        outcome(&extra(&pem_file(&root.pem())), server, "localhost").await,
        refused("INVALID_PURPOSE", "unsuitable certificate purpose"),
    );
}

#[tokio::test]
async fn a_chain_longer_than_its_ca_allows_is_refused() {
    let root = ca("root");
    let short = with(params("short", &[]), IsCa::Ca(BasicConstraints::Constrained(0)));
    let short = CertifiedIssuer::signed_by(short, key(), &root).unwrap();
    let below = intermediate("below", &short);
    let server = serve(issued(&server_params(), &[&below, &short]), BOTH).await;
    assert_eq!(
        outcome(&extra(&pem_file(&root.pem())), server, "localhost").await,
        refused("PATH_LENGTH_EXCEEDED", "path length constraint exceeded"),
    );
}

#[tokio::test]
async fn a_server_far_below_its_root_is_trusted() {
    let root = ca("root");
    let mut chain = vec![root];
    for depth in 0..10 {
        chain.push(intermediate(&format!("intermediate {depth}"), &chain[depth]));
    }
    let sent: Vec<_> = chain[1..].iter().rev().collect();
    let server = serve(issued(&server_params(), &sent), BOTH).await;
    assert_eq!(outcome(&extra(&pem_file(&chain[0].pem())), server, "localhost").await, TRUSTED);
}

#[tokio::test]
async fn of_many_cas_with_one_name_and_no_key_identifiers_the_right_one_is_found() {
    let cas: Vec<_> = (0..140).map(|_| ca("ca")).collect();
    let file = pem_file(&cas.iter().map(Ca::pem).collect::<String>());
    let server = serve(issued(&server_params(), &[&cas[139]]), BOTH).await;
    assert_eq!(outcome(&extra(&file), server, "localhost").await, TRUSTED);
}

// Each may have signed each, which makes 15! ways up.
#[test]
fn a_server_that_shows_a_thicket_is_refused_soon() {
    let (tell, told) = mpsc::channel();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    thread::spawn(move || tell.send(runtime.block_on(of_thicket())));
    assert_eq!(
        told.recv_timeout(Duration::from_mins(1)).expect("an end"),
        refused("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain"),
    );
}

async fn of_thicket() -> Outcome {
    let key = key();
    let name = ca_params("thicket");
    let issuer = rcgen::Issuer::new(name.clone(), &key);
    let leaf_key = self::key();
    let leaf = server_params().signed_by(&leaf_key, &issuer).unwrap();
    let mut chain = vec![leaf.der().clone()];
    for _ in 0..15 {
        chain.push(name.clone().signed_by(&key, &issuer).unwrap().der().clone());
    }
    let server = serve(Identity { chain, key: leaf_key, pem: leaf.pem() }, BOTH).await;
    outcome(&TlsEnvironment::default(), server, "localhost").await
}

#[tokio::test]
async fn a_root_that_may_not_sign_certificates_is_refused() {
    let mut params = ca_params("root");
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let root = CertifiedIssuer::self_signed(params, key()).unwrap();
    let server = serve(issued(&server_params(), &[&root]), BOTH).await;
    assert_eq!(
        outcome(&extra(&pem_file(&root.pem())), server, "localhost").await,
        refused("UNSPECIFIED", "key usage does not include certificate signing"),
    );
}

#[tokio::test]
async fn an_expired_root_is_refused() {
    let root = CertifiedIssuer::self_signed(expired(ca_params("root")), key()).unwrap();
    let server = serve(issued(&server_params(), &[&root]), BOTH).await;
    assert_eq!(outcome(&extra(&pem_file(&root.pem())), server, "localhost").await, has_expired());
}

#[tokio::test]
async fn a_name_that_its_root_may_not_vouch_for_is_refused_in_words() {
    let loopback = GeneralSubtree::IpAddress(CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0]));
    let localhost = GeneralSubtree::DnsName("localhost".to_owned());
    let other = GeneralSubtree::DnsName("other.example".to_owned());
    for (permitted_subtrees, excluded_subtrees, expected) in [
        (vec![localhost.clone(), loopback.clone()], vec![other.clone()], TRUSTED),
        (vec![other], vec![], refused("UNSPECIFIED", "permitted subtree violation")),
        (vec![], vec![loopback], refused("UNSPECIFIED", "excluded subtree violation")),
    ] {
        let mut params = ca_params("root");
        params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees });
        let root = CertifiedIssuer::self_signed(params, key()).unwrap();
        let server = serve(issued(&server_params(), &[&root]), BOTH).await;
        let seen = outcome(&extra(&pem_file(&root.pem())), server, "localhost").await;
        assert_eq!(seen, expected);
    }
}
