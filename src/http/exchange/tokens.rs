//! The tokens of which requests need one, for whoever checks them: the front with each request, and
//! the page when somebody logs in.

use std::sync::Arc;

use ring::hmac;
use subtle::ConstantTimeEq;

use crate::base::tokens::NamedToken;

/// The tokens of which requests need one; without any, they need none.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Vec<Token>);

/// A secret, kept out of logs, and the name of who has it.
pub(crate) struct Token {
    secret: Vec<u8>,
    name: Option<Arc<str>>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl From<&NamedToken> for Token {
    fn from(token: &NamedToken) -> Self {
        Self { secret: token.token.as_bytes().to_vec(), name: token.name.as_deref().map(Arc::from) }
    }
}

impl Token {
    /// The name of who has it.
    pub(crate) fn name(&self) -> Option<&Arc<str>> {
        self.name.as_ref()
    }

    /// What only this token gives together with a session: who has it learns neither.
    pub(crate) fn proof(&self, session: &[u8]) -> Vec<u8> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, session);
        hmac::sign(&key, &self.secret).as_ref().to_vec()
    }
}

impl Tokens {
    /// These tokens.
    pub(crate) fn of(tokens: &[NamedToken]) -> Self {
        Self(tokens.iter().map(Token::from).collect())
    }

    /// Whether requests need none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The token that was given. All are compared, so that the time says nothing of which it is.
    pub(crate) fn find(&self, given: &[u8]) -> Option<&Token> {
        let mut found = None;
        for token in &self.0 {
            if given.ct_eq(&token.secret).into() {
                found = Some(token);
            }
        }
        found
    }

    /// The token that began a session; `None` once the operator has removed it.
    pub(crate) fn of_session(&self, session: &Session) -> Option<&Token> {
        let is_of =
            |token: &&Token| token.proof(&session.secret).ct_eq(&session.token_proof).into();
        self.0.iter().find(is_of)
    }
}

/// A session that has not ended.
pub struct Session {
    /// What the browser has.
    pub(crate) secret: Vec<u8>,
    /// The [`Token::proof`] of the token that began it.
    pub(crate) token_proof: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_belongs_to_the_token_that_began_it() {
        let named = |name: &str, token: &str| NamedToken {
            name: Some(name.to_owned()),
            token: token.to_owned(),
        };
        let tokens = Tokens::of(&[named("anna", "a"), named("ben", "b")]);
        let begun = |token: &str| {
            let token_proof = tokens.find(token.as_bytes()).unwrap().proof(b"session");
            Session { secret: b"session".to_vec(), token_proof }
        };
        let name = |tokens: &Tokens, session: &Session| {
            tokens.of_session(session).and_then(|token| token.name().map(ToString::to_string))
        };
        assert_eq!(name(&tokens, &begun("b")).as_deref(), Some("ben"));
        let other = Session { secret: b"other".to_vec(), ..begun("b") };
        assert_eq!(name(&tokens, &other), None);
        // Of a token that is removed, the sessions end; of one that is renamed, they go on.
        assert_eq!(name(&Tokens::of(&[named("anna", "a")]), &begun("b")), None);
        assert_eq!(name(&Tokens::of(&[named("bea", "b")]), &begun("b")).as_deref(), Some("bea"));
    }
}
