//! One connection: hyper, watched by one timer.
//!
//! There is one deadline at a time: for the next request, the rest of a head, more of a
//! body, or a peer that takes a response. The timer is set anew only where a deadline comes
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
use tokio::time::{Sleep, sleep_until};

use crate::base::clock;
use crate::http::exchange::handler::Handler;
use crate::http::exchange::problem::Problem;
use crate::http::front::connection_state::{ConnectionState, TimeLimits, TimerAction};
use crate::http::front::service::{ConnectionService, record_refusal};
use crate::http::front::socket::Socket;
use crate::http::front::transport::Transport;

/// The longest head.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How hyper has ended.
enum Ended {
    /// hyper is done, or the connection is to be closed as it stands.
    Closed,
    /// The head is no request, and hyper does not answer it.
    RefusedHead(Problem),
}

/// Serves a connection to its end.
pub(super) async fn serve<H: Handler>(
    stream: Socket,
    service: ConnectionService<H>,
    limits: TimeLimits,
) {
    let service = Arc::new(service);
    let state = Arc::clone(&service.state);
    let (handler, remote) = (Arc::clone(&service.handler), service.remote);
    let transport = TokioIo::new(Transport::new(stream, Arc::clone(&state)));
    let mut connection = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        // Exactly: the buffer may grow a little beyond its size.
        .max_header_size(HEAD_BYTES_MAX)
        .header_read_timeout(None)
        // A client that closes its side after its request still wants the answer, and what
        // was begun for it is carried through.
        .half_close(true)
        .serve_connection(
            transport,
            service_fn(move |request| Arc::clone(&service).answer(request)),
        );

    let mut timer = Timer::new(clock::monotonic());
    let ended = poll_fn(|context| {
        loop {
            // An error is the peer's: it was answered where that could be done.
            if let Poll::Ready(served) = Pin::new(&mut connection).poll(context) {
                let is_of_parser = served.is_err_and(|error| error.is_parse());
                return Poll::Ready(if is_of_parser && state.lock().awaits_refusal() {
                    Ended::RefusedHead(Problem::bad_request("only HTTP/1.1 is spoken here"))
                } else {
                    Ended::Closed
                });
            }
            ready!(timer.poll_expired(&state, &limits, context));
            match state.action_on_timeout() {
                TimerAction::BodyTimedOut => {}
                TimerAction::HeadTimedOut => {
                    let detail = "the rest of the head did not come in time";
                    let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, detail);
                    return Poll::Ready(Ended::RefusedHead(problem));
                }
                TimerAction::Close | TimerAction::Wait(_) => return Poll::Ready(Ended::Closed),
            }
        }
    })
    .await;

    if let Ended::RefusedHead(problem) = ended {
        let mut transport = connection.into_parts().io.into_inner();
        transport.prepare_refusal(&problem);
        poll_fn(|context| {
            if poll_close(&mut transport, context).is_ready() {
                return Poll::Ready(());
            }
            timer.poll_expired(&state, &limits, context)
        })
        .await;
    }
    record_refusal(&*handler, &state, remote, clock::monotonic());
}

/// Sends the refusal, and closes.
fn poll_close(transport: &mut Transport, context: &mut Context<'_>) -> Poll<()> {
    if ready!(transport.poll_refusal(context)).is_ok() {
        // An error says that the peer is gone.
        let _ = ready!(Pin::new(transport).poll_shutdown(context));
    }
    Poll::Ready(())
}

/// Expires when a deadline of the connection has passed.
struct Timer {
    sleep: Pin<Box<Sleep>>,
}

impl Timer {
    fn new(now: Instant) -> Self {
        Self { sleep: Box::pin(sleep_until(now.into())) }
    }

    fn poll_expired(
        &mut self,
        state: &ConnectionState,
        limits: &TimeLimits,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            let deadline = match state.next_action(limits, context, clock::monotonic) {
                TimerAction::Wait(None) => return Poll::Pending,
                TimerAction::Wait(Some(deadline)) => deadline,
                TimerAction::Close | TimerAction::HeadTimedOut | TimerAction::BodyTimedOut => {
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
