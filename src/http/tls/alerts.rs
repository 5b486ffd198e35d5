//! The alerts with which a server ends a handshake, under the names that OpenSSL, and so Node, has
//! for them.

use rustls::AlertDescription;

/// Node's code and OpenSSL's words; None for what OpenSSL does not know.
pub(super) fn node(alert: AlertDescription) -> Option<(&'static str, &'static str)> {
    let number = u8::from(alert);
    ALERTS.iter().find(|(known, ..)| *known == number).map(|&(_, code, words)| (code, words))
}

/// OpenSSL's words for Node's `code`, and the code; OpenSSL 3.2 has another name for some.
pub(super) fn words(code: &str) -> Option<(&'static str, &'static str)> {
    let code = code.replace("_SSL/TLS_ALERT", "_SSLV3_ALERT");
    ALERTS.iter().find(|(_, known, _)| *known == code).map(|&(_, code, words)| (words, code))
}

/// By number (RFC 8446 §6). All were sent to Node 20.
const ALERTS: [(u8, &str, &str); 32] = [
    (10, "ERR_SSL_SSLV3_ALERT_UNEXPECTED_MESSAGE", "sslv3 alert unexpected message"),
    (20, "ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC", "sslv3 alert bad record mac"),
    (22, "ERR_SSL_TLSV1_ALERT_RECORD_OVERFLOW", "tlsv1 alert record overflow"),
    (30, "ERR_SSL_SSLV3_ALERT_DECOMPRESSION_FAILURE", "sslv3 alert decompression failure"),
    (40, "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "sslv3 alert handshake failure"),
    (41, "ERR_SSL_SSLV3_ALERT_NO_CERTIFICATE", "sslv3 alert no certificate"),
    (42, "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "sslv3 alert bad certificate"),
    (43, "ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE", "sslv3 alert unsupported certificate"),
    (44, "ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED", "sslv3 alert certificate revoked"),
    (45, "ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED", "sslv3 alert certificate expired"),
    (46, "ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN", "sslv3 alert certificate unknown"),
    (47, "ERR_SSL_SSLV3_ALERT_ILLEGAL_PARAMETER", "sslv3 alert illegal parameter"),
    (48, "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "tlsv1 alert unknown ca"),
    (49, "ERR_SSL_TLSV1_ALERT_ACCESS_DENIED", "tlsv1 alert access denied"),
    (50, "ERR_SSL_TLSV1_ALERT_DECODE_ERROR", "tlsv1 alert decode error"),
    (51, "ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR", "tlsv1 alert decrypt error"),
    (60, "ERR_SSL_TLSV1_ALERT_EXPORT_RESTRICTION", "tlsv1 alert export restriction"),
    (70, "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "tlsv1 alert protocol version"),
    (71, "ERR_SSL_TLSV1_ALERT_INSUFFICIENT_SECURITY", "tlsv1 alert insufficient security"),
    (80, "ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR", "tlsv1 alert internal error"),
    (86, "ERR_SSL_TLSV1_ALERT_INAPPROPRIATE_FALLBACK", "tlsv1 alert inappropriate fallback"),
    (90, "ERR_SSL_TLSV1_ALERT_USER_CANCELLED", "tlsv1 alert user cancelled"),
    (100, "ERR_SSL_TLSV1_ALERT_NO_RENEGOTIATION", "tlsv1 alert no renegotiation"),
    (109, "ERR_SSL_TLSV13_ALERT_MISSING_EXTENSION", "tlsv13 alert missing extension"),
    (110, "ERR_SSL_TLSV1_UNSUPPORTED_EXTENSION", "tlsv1 unsupported extension"),
    (111, "ERR_SSL_TLSV1_CERTIFICATE_UNOBTAINABLE", "tlsv1 certificate unobtainable"),
    (112, "ERR_SSL_TLSV1_UNRECOGNIZED_NAME", "tlsv1 unrecognized name"),
    (113, "ERR_SSL_TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE", "tlsv1 bad certificate status response"),
    (114, "ERR_SSL_TLSV1_BAD_CERTIFICATE_HASH_VALUE", "tlsv1 bad certificate hash value"),
    (115, "ERR_SSL_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY", "tlsv1 alert unknown psk identity"),
    (116, "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "tlsv13 alert certificate required"),
    (120, "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "tlsv1 alert no application protocol"),
];
