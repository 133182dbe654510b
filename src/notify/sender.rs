//! One attempt at one notification.

use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use tokio::time;

use super::attempt::{ATTEMPT_TIME, Failure};
use super::channel::{Channel, ChannelKind, Target};
use super::excerpt::Excerpt;
use super::receivers::{self, Message, Outgoing, Post};
use super::smtp;
pub(crate) use super::smtp::is_mailbox;
use super::text::Links;
use crate::base::clock;
use crate::system::http_client::{self, Client};
use crate::workflow::notification::Content;

/// Sends to one channel.
#[derive(Debug)]
pub(crate) struct Sender {
    channel: Channel,
    client: Option<Client>,
    links: Links,
    /// This machine, as receivers are told.
    host: String,
}

impl Sender {
    /// A sender for a channel: certificates are only loaded where they are needed.
    ///
    /// # Errors
    /// Why nothing can be sent there.
    pub(crate) fn new(channel: Channel, links: Links) -> Result<Self, String> {
        let client = match target(&channel) {
            Some(target) => Some(Client::new(&target.uri)?),
            None => None,
        };
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Self { channel, client, links, host })
    }

    /// Its channel.
    pub(crate) fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Makes one attempt. The id is the same each time; `output` are the last lines of the step that
    /// the content names, and `instance` is the database that it comes from.
    ///
    /// # Errors
    /// Why the receiver did not accept it.
    pub(crate) async fn send(
        &self,
        id: &str,
        content: &Content,
        output: &Excerpt,
        instance: &str,
    ) -> Result<(), Failure> {
        let (links, host, now) = (&self.links, self.host.as_str(), clock::now());
        let message = Message { id, content, output, links, host, instance, now };
        let outgoing = receivers::outgoing(&self.channel, &message);
        let attempt = async {
            match (&outgoing, &self.channel.kind) {
                (Outgoing::Mail(mail), ChannelKind::Email(email)) => smtp::send(email, mail).await,
                (Outgoing::Post(post), _) => self.post(Method::POST, post).await,
                (Outgoing::Mail(_), _) => Err(Failure::passing("it takes no mail".to_owned())),
            }
        };
        within(attempt).await
    }

    /// Asks for the URL of a heartbeat.
    ///
    /// # Errors
    /// Why the receiver did not accept it.
    pub(crate) async fn beat(&self) -> Result<(), Failure> {
        let nothing = Post { path: "", headers: Vec::new(), body: String::new() };
        within(self.post(Method::GET, &nothing)).await
    }

    async fn post(&self, method: Method, post: &Post) -> Result<(), Failure> {
        let (Some(client), Some(target)) = (&self.client, target(&self.channel)) else {
            return Err(Failure::passing("it has no URL".to_owned()));
        };
        let request = request(method, target, post).map_err(Failure::passing)?;
        // The body of the answer is not read: the status says all, and a receiver that drips one
        // holds nobody.
        let response = client.send(request).await.map_err(Failure::passing)?;
        let status = response.status();
        if status.is_success() {
            return Ok(());
        }
        let wait = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|text| http_client::retry_after(text, clock::now()));
        Err(Failure { why: refusal(status), wait, is_final: http_client::is_final(status) })
    }
}

fn refusal(status: StatusCode) -> String {
    if status.is_redirection() {
        format!("the receiver answered {status}; redirects are not followed")
    } else if http_client::is_final(status) {
        format!("the receiver refused it for good: {status}")
    } else {
        format!("the receiver answered {status}")
    }
}

async fn within(attempt: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    time::timeout(ATTEMPT_TIME, attempt).await.unwrap_or_else(|_| {
        Err(Failure::passing(format!("no answer within {} s", ATTEMPT_TIME.as_secs())))
    })
}

fn target(channel: &Channel) -> Option<&Target> {
    match &channel.kind {
        ChannelKind::Webhook { target, .. }
        | ChannelKind::Slack { target }
        | ChannelKind::PagerDuty { target, .. }
        | ChannelKind::Alertmanager { target, .. }
        | ChannelKind::Heartbeat { target, .. } => Some(target),
        ChannelKind::Email(_) => None,
    }
}

fn request(method: Method, target: &Target, post: &Post) -> Result<Request<Full<Bytes>>, String> {
    let uri = match post.path {
        "" => target.uri.clone(),
        path => below(&target.uri, path)?,
    };
    let mut request = Request::builder()
        .method(method)
        .uri(uri)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("wfx/", env!("CARGO_PKG_VERSION")));
    for (name, value) in &post.headers {
        request = request.header(*name, value);
    }
    if let Some(authorization) = &target.authorization {
        request = request.header(AUTHORIZATION, authorization);
    }
    request.body(Full::new(post.body.clone().into())).map_err(|error| error.to_string())
}

/// A path below a URL, with its query.
fn below(uri: &Uri, path: &str) -> Result<Uri, String> {
    let mut parts = uri.clone().into_parts();
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let whole = format!("{}{path}{query}", uri.path().trim_end_matches('/'));
    parts.path_and_query = Some(whole.parse().map_err(|_| "it is no URL".to_owned())?);
    Uri::from_parts(parts).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_comes_below_the_one_of_the_url() {
        for (base, whole) in [
            ("http://am:9093", "http://am:9093/api/v2/alerts"),
            ("http://am:9093/", "http://am:9093/api/v2/alerts"),
            ("https://x/am/?a=1", "https://x/am/api/v2/alerts?a=1"),
        ] {
            assert_eq!(below(&base.parse().unwrap(), "/api/v2/alerts").unwrap(), whole);
        }
    }
}
