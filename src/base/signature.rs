//! The signature of Standard Webhooks, by which a receiver knows who sent an alert
//! (<https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

const PREFIX: &str = "whsec_";

/// A secret shared by the sender and the receiver.
#[derive(Clone)]
pub struct Secret(hmac::Key);

/// The text is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("after `whsec_` comes no base64")]
pub struct ParseSecretError;

impl Secret {
    /// The value of `webhook-signature`: `v1,` and base64 of the HMAC-SHA256 of
    /// `id.timestamp.body`; the timestamp is in seconds.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(format!("{id}.{timestamp}.").as_bytes());
        context.update(body);
        format!("v1,{}", STANDARD.encode(context.sign()))
    }
}

impl FromStr for Secret {
    type Err = ParseSecretError;

    /// `whsec_` and base64 of the key, as the specification has it. A text without the prefix
    /// is the key itself.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let key = match text.strip_prefix(PREFIX) {
            Some(encoded) => STANDARD.decode(encoded).map_err(|_| ParseSecretError)?,
            None => text.as_bytes().to_vec(),
        };
        if key.is_empty() {
            return Err(ParseSecretError);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_specification_shows() {
        // The example of the libraries of Standard Webhooks.
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        assert_eq!(
            secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn what_is_no_secret_is_refused_and_none_is_shown() {
        for text in ["", " ", "whsec_", "whsec_!!!", "whsec_MfKQ9r8"] {
            assert!(text.parse::<Secret>().is_err(), "{text}");
        }
        let (encoded, plain) = ("whsec_a2V5".parse::<Secret>(), "key".parse::<Secret>());
        let signed = |secret: Result<Secret, _>| secret.unwrap().sign("id", 1, b"body");
        assert_eq!(signed(encoded), signed(plain.clone()));
        assert_eq!(format!("{plain:?}"), "Ok(Secret)");
    }
}
