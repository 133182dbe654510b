//! One connection: hyper, and one timer that watches over it.
//!
//! There is one deadline at a time: for the next request, the rest of a head, more of a
//! body, or a peer that takes our answer. The timer is set anew only where a deadline comes
//! closer; one that moved on is noticed when the timer goes off. So requests that follow
//! each other quickly never touch it.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use hyper::StatusCode;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};

use crate::clock;
use crate::http::exchange::handler::Handler;
use crate::http::exchange::problem::Problem;
use crate::http::front::connection_state::{Limits, Link, Verdict};
use crate::http::front::service::{Service, tell_refused};
use crate::http::front::transport::Wire;

/// The longest head.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How the watched part has ended.
enum Ended {
    /// hyper is done, or the connection is to be closed as it stands.
    Closed,
    /// There is no request, and hyper says nothing to that.
    Refused(Problem),
}

/// Serves a connection to its end.
pub(super) async fn serve<H: Handler>(stream: TcpStream, service: Service<H>, limits: Limits) {
    let service = Arc::new(service);
    let link = Arc::clone(&service.link);
    let (handler, remote) = (Arc::clone(&service.handler), service.remote);
    let wire = TokioIo::new(Wire::new(stream, Arc::clone(&link)));
    let mut connection = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        // Exactly: the buffer may grow a little beyond its size.
        .max_header_size(HEAD_BYTES_MAX)
        .header_read_timeout(None)
        // A client that closes its side after its request still wants the answer, and what
        // was begun for it is carried through.
        .half_close(true)
        .serve_connection(wire, service_fn(move |request| Arc::clone(&service).answer(request)));

    let mut timer = Timer::new(clock::monotonic());
    let ended = poll_fn(|context| {
        loop {
            // An error is the peer's: it was answered where that could be done.
            if let Poll::Ready(served) = Pin::new(&mut connection).poll(context) {
                let is_of_parser = served.is_err_and(|error| error.is_parse());
                return Poll::Ready(if is_of_parser && link.lock().is_unanswered() {
                    Ended::Refused(Problem::bad_request("only HTTP/1.1 is spoken here"))
                } else {
                    Ended::Closed
                });
            }
            ready!(timer.poll_expired(&link, &limits, context));
            match link.time_out() {
                Verdict::BodyTimedOut => {}
                Verdict::HeadTimedOut => {
                    let detail = "the rest of the head did not come in time";
                    let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, detail);
                    return Poll::Ready(Ended::Refused(problem));
                }
                Verdict::Close | Verdict::Wait(_) => return Poll::Ready(Ended::Closed),
            }
        }
    })
    .await;

    if let Ended::Refused(problem) = ended {
        let mut wire = connection.into_parts().io.into_inner();
        wire.refuse(&problem);
        poll_fn(|context| {
            if poll_goodbye(&mut wire, context).is_ready() {
                return Poll::Ready(());
            }
            timer.poll_expired(&link, &limits, context)
        })
        .await;
    }
    tell_refused(&*handler, &link, remote, clock::monotonic());
}

/// Sends what is left to be said, and closes.
fn poll_goodbye(wire: &mut Wire, context: &mut Context<'_>) -> Poll<()> {
    if ready!(wire.poll_refused(context)).is_ok() {
        // Who is gone needs no goodbye.
        let _ = ready!(Pin::new(wire).poll_shutdown(context));
    }
    Poll::Ready(())
}

/// Goes off when a deadline of the connection has passed.
struct Timer {
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    fn new(now: Instant) -> Self {
        Self { sleep: Box::pin(sleep_until(now.into())) }
    }

    fn poll_expired(
        &mut self,
        link: &Link,
        limits: &Limits,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            let deadline = match link.judge(limits, context, clock::monotonic) {
                Verdict::Wait(None) => return Poll::Pending,
                Verdict::Wait(Some(deadline)) => deadline,
                Verdict::Close | Verdict::HeadTimedOut | Verdict::BodyTimedOut => {
                    return Poll::Ready(());
                }
            };
            if deadline < self.sleep.deadline().into_std() {
                self.sleep.as_mut().reset(deadline.into());
            }
            ready!(self.sleep.as_mut().poll(context));
            if deadline <= clock::monotonic() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(deadline.into());
        }
    }
}
