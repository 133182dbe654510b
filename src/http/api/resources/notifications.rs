//! Notifications: the history, and tests of channels.

use serde::Deserialize;
use serde_json::json;

use crate::base::visible::quote;
use crate::http::api::query::Query;
use crate::http::api::resources::context::Resources;
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::notify::testing;
use crate::repository::cursor;
use crate::repository::notifications::{NotificationFilter, NotificationState};
use crate::repository::{ListFilter, Position};
use crate::workflow::notification::EventKind;

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 500;

/// The body of a test.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TestBody {
    channel: Option<String>,
    event: Option<String>,
}

impl Resources {
    /// A page of notifications, newest first.
    pub(super) fn notifications(&self, query: &str) -> Result<Reply, Problem> {
        let query = Query::read(query, &["limit", "cursor", "channel", "workflow", "state"])?;
        let limit = query.parsed::<u32>("limit", "a number from 1 to 500")?;
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Problem::bad_request("the query key `limit` is out of its range")
                .with_hint("it takes a number from 1 to 500"));
        }
        let channel = query.parsed::<String>("channel", "the name of a channel")?;
        let workflow_id = query.parsed::<String>("workflow", "the id of a workflow")?;
        let takes = "pending, accepted, given_up or dropped";
        let state = query.parsed::<String>("state", takes)?;
        let state = match state {
            None => None,
            Some(text) => {
                let mut known = NotificationState::ALL.into_iter();
                let state = known.find(|state| state.as_str() == text);
                Some(state.ok_or_else(|| {
                    Problem::bad_request(format!("{} is no state", quote(&text)))
                        .with_hint(format!("it takes {takes}"))
                })?)
            }
        };
        // What the list is of, for the token: none of another list is taken.
        let list = ListFilter {
            workflow_id: Some(format!("notifications {channel:?} {workflow_id:?} {state:?}")),
            ..ListFilter::default()
        };
        let token = query.parsed::<String>("cursor", "a `next_cursor` of an earlier answer")?;
        let before = token.map(|token| {
            cursor::parse(&list, &token).map(Position::number).map_err(|error| {
                Problem::bad_request(format!(
                    "the cursor {} cannot be used: {error}",
                    quote(&token)
                ))
                .with_hint("begin with the first page")
            })
        });
        let before = before.transpose()?;
        let filter = NotificationFilter {
            channel,
            workflow_id,
            state,
            before,
            limit: limit.saturating_add(1),
        };
        let mut items = self.readers.read(|reader| reader.notifications(&filter))?;
        let has_more = items.len() > limit as usize;
        items.truncate(limit as usize);
        let next = items.last().filter(|_| has_more);
        let next = next.map(|last| cursor::token(&list, Position::new(last.seq)));
        Ok(Reply::json(&json!({ "items": items, "next_cursor": next })))
    }

    /// Sends tests to one channel or all, and waits for their receivers.
    pub(in crate::http) async fn test_channels(
        &self,
        query: &str,
        body: Option<&[u8]>,
    ) -> Result<Reply, Problem> {
        Query::read(query, &[])?;
        let body = match body.filter(|body| !body.trim_ascii().is_empty()) {
            None => TestBody::default(),
            Some(text) => serde_json::from_slice::<TestBody>(text).map_err(|error| {
                Problem::bad_request(format!("the body is not as expected: {error}"))
                    .with_hint("send `{\"channel\": NAME, \"event\": EVENT}`, both optional")
            })?,
        };
        let event = body.event.as_deref().unwrap_or("failed");
        let event = EventKind::parse(event).ok_or_else(|| {
            let known = EventKind::ALL.map(EventKind::as_str).join(", ");
            Problem::bad_request(format!("{} is no event", quote(event)))
                .with_hint(format!("known are {known}"))
        })?;
        let name = body.channel;
        let senders = self
            .channels
            .senders
            .iter()
            .filter(|sender| name.as_ref().is_none_or(|name| sender.channel().name == *name));
        let senders: Vec<_> = senders.cloned().collect();
        if senders.is_empty() {
            return Err(match &name {
                Some(name) => Problem::not_found(format!("there is no channel {}", quote(name))),
                None => Problem::not_found("there is no channel".to_owned()),
            }
            .with_hint(
                "add a table such as `[notify.ops]` to the configuration file of the daemon",
            ));
        }
        let tests =
            senders.iter().map(|sender| testing::test(&self.channels.delivery, sender, event));
        let tested = futures_util::future::join_all(tests).await;
        Ok(Reply::json(&json!({ "tested": tested })))
    }
}
