//! One attempt at one mail: a connection of its own, which lettre bounds in time and in bytes.

use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use tokio::runtime::Handle;
use tokio::task;

use super::attempt::{ATTEMPT_TIME, Failure};
use super::channel::{Email, Encryption};
use super::receivers::Mail;
use crate::base::timestamp::Timestamp;

/// Sends a mail.
///
/// # Errors
/// Why the server did not accept it.
pub(super) async fn send(email: &Email, mail: &Mail) -> Result<(), Failure> {
    let final_failure = |why: String| Failure { why, wait: None, is_final: true };
    let message = message(email, mail).map_err(final_failure)?;
    let mut transport =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(email.host.as_str())
            .port(email.port)
            .timeout(Some(ATTEMPT_TIME))
            .hello_name(hello())
            .tls(tls(email).map_err(|error| Failure::passing(reason(&error)))?);
    if let Some((user, password)) = &email.login {
        transport = transport.credentials(Credentials::new(user.clone(), password.0.clone()));
    }
    let transport = transport.build();
    // lettre reads an answer from its beginning with each of its lines. One of very many lines occupies a
    // thread for seconds: not one that has other things to do.
    let runtime = Handle::current();
    let sent = task::spawn_blocking(move || runtime.block_on(transport.send(message)));
    match sent.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            let (why, is_final) = (reason(&error), error.is_permanent());
            Err(Failure { why, wait: None, is_final })
        }
        Err(fault) if fault.is_panic() => std::panic::resume_unwind(fault.into_panic()),
        Err(_) => Err(Failure::passing("wfx ended".to_owned())),
    }
}

/// The innermost cause, on one line: a server decides what it says.
fn reason(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    let mut text = cause.to_string();
    while let Some(source) = cause.source() {
        cause = source;
        text = cause.to_string();
    }
    match error.status() {
        Some(code) => format!("the mail server answered {code}: {text}"),
        None => text,
    }
}

fn tls(email: &Email) -> Result<Tls, Error> {
    Ok(match email.encryption {
        Encryption::None => Tls::None,
        Encryption::Opportunistic => Tls::Opportunistic(TlsParameters::new(email.host.clone())?),
        Encryption::Required => Tls::Required(TlsParameters::new(email.host.clone())?),
        Encryption::Implicit => Tls::Wrapper(TlsParameters::new(email.host.clone())?),
    })
}

fn hello() -> ClientId {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_name = !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    if is_name { ClientId::Domain(name) } else { ClientId::default() }
}

fn message(email: &Email, mail: &Mail) -> Result<Message, String> {
    let mailbox = |text: &str| {
        text.parse::<Mailbox>().map_err(|error| format!("`{text}` is no mail address: {error}"))
    };
    let header = |name: &'static str, value: &str| {
        HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
    };
    let mut message = Message::builder()
        .from(mailbox(&email.from)?)
        .date(date(mail.date))
        .message_id(Some(mail.message_id.clone()))
        .references(mail.thread.clone())
        .in_reply_to(mail.thread.clone())
        .subject(mail.subject.as_str())
        // RFC 3834: nobody's vacation notice answers it.
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .user_agent(concat!("wfx/", env!("CARGO_PKG_VERSION")).to_owned())
        .header(ContentType::TEXT_PLAIN);
    for to in &email.to {
        message = message.to(mailbox(to)?);
    }
    message.body(mail.body.clone()).map_err(|error| error.to_string())
}

fn date(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0))
}

/// Whether a text is a mailbox that mail can be sent to or from.
pub(crate) fn is_mailbox(text: &str) -> bool {
    !text.contains(char::is_control) && text.parse::<Mailbox>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::channel::Hidden;
    use super::super::receivers::{self, Outgoing};
    use super::super::text::Links;
    use super::super::text::tests::{HOSTILE, hostile};
    use super::*;
    use crate::base::visible::visible;
    use crate::notify::channel::{Channel, ChannelKind};
    use crate::notify::excerpt::Excerpt;

    fn email() -> Email {
        Email {
            host: "localhost".to_owned(),
            port: 25,
            encryption: Encryption::None,
            login: Some(("user".to_owned(), Hidden("secret".to_owned()))),
            from: "wfx <wfx@example.com>".to_owned(),
            to: vec!["ops@example.com".to_owned(), "On Call <b@example.com>".to_owned()],
        }
    }

    #[test]
    fn no_text_makes_a_header() {
        let kind = ChannelKind::Email(email());
        let channel =
            Channel { name: "mail".to_owned(), kind, output_lines: 10, secrets: Vec::new() };
        let names = |message: &Message| -> Vec<String> {
            let text = String::from_utf8(message.formatted()).unwrap();
            let (head, _) = text.split_once("\r\n\r\n").unwrap();
            let lines = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
            lines.map(|line| line.split_once(':').unwrap().0.to_owned()).collect()
        };
        let mail = |text: &str| {
            let now = Timestamp::from_micros(0);
            let links = Links::default();
            let output = Excerpt {
                lines: vec![visible(text)],
                is_cut: true,
                withheld: Some(text.to_owned()),
            };
            let message = receivers::Message {
                id: "msg_1",
                content: &hostile(text),
                output: &output,
                links: &links,
                host: "host",
                instance: "wfx-1",
                now,
            };
            match receivers::outgoing(&channel, &message) {
                Outgoing::Mail(mail) => super::message(&email(), &mail).unwrap(),
                Outgoing::Post(post) => panic!("{post:?}"),
            }
        };
        let expected = names(&mail("backup"));
        for text in HOSTILE {
            assert_eq!(names(&mail(text)), expected, "{text}");
        }
        assert!(expected.contains(&"Auto-Submitted".to_owned()), "{expected:?}");
    }

    #[test]
    fn mailboxes_are_told_from_other_text() {
        for (text, is) in [
            ("ops@example.com", true),
            ("On Call <ops@example.com>", true),
            ("ops", false),
            ("a@b, c@d", false),
            ("a@b\r\nBcc: c@d", false),
        ] {
            assert_eq!(is_mailbox(text), is, "{text}");
        }
    }
}
