//! Which resource answers a request.

use crate::http::api::query::Query;
use crate::http::api::resources::context::Resources;
use crate::http::api::resources::health;
use crate::http::api::route::Route;
use crate::http::exchange::handler::{AnsweredRequest, Handler, RoutedRequest};
use crate::http::exchange::reply::Reply;

impl Handler for Resources {
    type Route = Route;

    async fn handle(&self, request: RoutedRequest<Route>) -> Reply {
        let RoutedRequest { route, query, body: given, bounded_wait, caller, accept, .. } = request;
        let (query, body) = (query.as_str(), given.as_deref());
        let outcome = match &route {
            Route::Ping => Query::read(query, &[]).map(|_| health::ping()),
            Route::Healthz => Query::read(query, &[]).map(|_| health::health()),
            Route::Readyz => Query::read(query, &[]).map(|_| self.ready()),
            Route::Metrics => self.metrics(query).await,
            Route::Slo => self.slo(query),
            Route::Status => self.status(query),
            Route::Queue => self.queue(query),
            Route::Schedules => self.schedules(query),
            Route::Decisions { workflow_id } => self.decisions(workflow_id.as_deref(), query),
            Route::Pause { workflow_id } => {
                self.pause(workflow_id.as_deref(), query, body, &caller).await
            }
            Route::Resume { workflow_id } => {
                self.resume(workflow_id.as_deref(), query, body, &caller).await
            }
            Route::RunScheduled { workflow_id } => {
                self.run_scheduled(workflow_id, query, body, &caller, &bounded_wait).await
            }
            Route::Notifications => self.notifications(query),
            Route::TestNotifications => self.test_channels(query, body).await,
            Route::Workflows => self.workflows(query),
            Route::Workflow { workflow_id } => self.workflow(workflow_id, query),
            Route::Execute { workflow_id } => {
                self.execute(workflow_id, query, given, &caller, &bounded_wait).await
            }
            Route::WorkflowExecutions { workflow_id } => self.list(Some(workflow_id), query).await,
            Route::Executions => self.list(None, query).await,
            Route::Execution { execution_id } => self.execution(execution_id, query),
            Route::Attempts { execution_id } => self.attempts(execution_id, query),
            Route::Output { execution_id } => self.output(execution_id, query, &accept).await,
            Route::Lineage { execution_id } => self.lineage(execution_id, query),
            Route::Replay { execution_id } => {
                self.replay(execution_id, query, body, &caller, &bounded_wait).await
            }
            Route::Cancel { execution_id } => self.cancel(execution_id, query, body, &caller).await,
            Route::Pin { execution_id } => self.pin(execution_id, query, body, &caller).await,
            Route::Unpin { execution_id } => self.unpin(execution_id, query, body).await,
        };
        outcome.unwrap_or_else(Reply::from)
    }

    fn record(&self, request: &AnsweredRequest<'_>) {
        self.observed.request(request);
    }
}
