//! Tokens (JWT) of an issuer of its own, and the filter of Envoy that verifies them.

use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};
use serde_json::{Value, json};

/// Who issues tokens.
pub const ISSUER: &str = "https://issuer.test";

/// An issuer and its key.
pub struct Issuer {
    key: KeyPair,
}

impl Default for Issuer {
    fn default() -> Self {
        Self::new()
    }
}

impl Issuer {
    /// A new one.
    ///
    /// # Panics
    /// When no key can be made.
    pub fn new() -> Self {
        Self { key: KeyPair::generate_for(&PKCS_ED25519).expect("a key") }
    }

    /// The value of an `authorization` header with these claims (and the issuer's own).
    ///
    /// # Panics
    /// When it cannot be signed, or the claims are no object.
    pub fn bearer(&self, mut claims: Value) -> String {
        claims["iss"] = json!(ISSUER);
        claims["exp"] = json!(4_000_000_000u64);
        let head = base64url(json!({ "alg": "EdDSA", "typ": "JWT", "kid": "1" }).to_string().as_bytes());
        let signed = format!("{head}.{}", base64url(claims.to_string().as_bytes()));
        let signature = self.key.sign(signed.as_bytes()).expect("a signature");
        format!("Bearer {signed}.{}", base64url(&signature))
    }

    /// Envoy's filter: it verifies a token where there is one, and leaves its claims for filters after it.
    pub fn filter(&self) -> Value {
        let key =
            json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "1", "x": base64url(self.key.der_bytes()) });
        let any = json!([{ "provider_name": "issuer" }, { "allow_missing": {} }]);
        json!({ "name": "envoy.filters.http.jwt_authn", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": { "issuer": {
                "issuer": ISSUER,
                "local_jwks": { "inline_string": json!({ "keys": [key] }).to_string() },
                "payload_in_metadata": "payload",
            } },
            "rules": [{ "match": { "prefix": "/" }, "requires": { "requires_any": { "requirements": any } } }],
        } })
    }
}

/// Base 64 for URLs, without padding (RFC 4648, 5).
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            out.push(char::from(LETTERS[(word >> (18 - 6 * place) & 63) as usize]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy"), ("\u{fb}?>", "w7s_Pg")]
        {
            assert_eq!(super::base64url(bytes.as_bytes()), text);
        }
    }
}
