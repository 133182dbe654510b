//! Everything that the daemon serves: the API, and the page.

use std::sync::Arc;

use hyper::{HeaderMap, Method};

use crate::http::api::resources::context::Resources;
use crate::http::api::route::Route;
use crate::http::exchange::handler::{
    AnsweredRequest, Endpoint, Handler, PageHead, RefusedRequest, RoutedRequest,
};
use crate::http::exchange::problem::Problem;
use crate::http::exchange::reply::Reply;
use crate::http::exchange::tokens::Session;
use crate::http::page::route::PageRoute;
use crate::http::page::view::{Pages, View};
use crate::http::page::{
    actions, assets, execution, executions, failure, home, levels, login, notifications, schedules,
    workflow, workflows,
};

/// The API, and the page unless the operator wants none.
#[derive(Debug)]
pub(crate) struct Site {
    /// What the API answers from.
    pub resources: Arc<Resources>,
    /// What the page answers from.
    pub pages: Option<Pages>,
}

impl Pages {
    /// Answers a request with a page.
    pub(super) async fn answer(&self, request: RoutedRequest<PageRoute>, head: &PageHead) -> Reply {
        let view = View::of(self, &head.path, &head.headers, head.has_session);
        let query = request.query.as_str();
        let outcome = match &request.route {
            PageRoute::Home => home::show(&view),
            PageRoute::Executions => executions::show(&view, query).await,
            PageRoute::Execution(id) => execution::show(&view, id, query),
            PageRoute::Workflows => workflows::show(&view),
            PageRoute::Workflow(id) => workflow::show(&view, id),
            PageRoute::Schedules => schedules::show(&view, query),
            PageRoute::Pause => actions::pause(&view, &request).await,
            PageRoute::Resume => actions::resume(&view, &request).await,
            PageRoute::RunScheduled => actions::run_scheduled(&view, &request).await,
            PageRoute::Notifications => notifications::show(&view, query),
            PageRoute::TestChannels => actions::test_channels(&view, &request).await,
            PageRoute::Levels => levels::show(&view),
            PageRoute::Login if head.is_post => login::enter(&view, &request, head).await,
            PageRoute::Login => login::show(&view, query),
            PageRoute::Logout => login::leave(&view, head).await,
            PageRoute::Zone => actions::set_zone(&view, &request),
            PageRoute::Start(id) => actions::start(&view, id, &request).await,
            PageRoute::Replay(id) => actions::replay(&view, id, &request).await,
            PageRoute::Cancel(id) => actions::cancel(&view, id, &request).await,
            PageRoute::Asset { version, name } => assets::reply(version, name, &head.headers),
        };
        outcome.unwrap_or_else(|problem| failure::page(&view, &problem))
    }
}

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SiteRoute {
    /// Of the API.
    Api(Route),
    /// Of the page.
    Page(PageRoute),
}

impl Endpoint for SiteRoute {
    fn parse(path: &str) -> Result<Option<Self>, Problem> {
        match Route::parse(path)? {
            Some(route) => Ok(Some(Self::Api(route))),
            None => Ok(PageRoute::parse(path)?.map(Self::Page)),
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Api(route) => route.label(),
            Self::Page(route) => route.label(),
        }
    }

    fn is_post(&self) -> bool {
        match self {
            Self::Api(route) => route.is_post(),
            Self::Page(route) => route.is_post(),
        }
    }

    fn is_probe(&self) -> bool {
        matches!(self, Self::Api(route) if route.is_probe())
    }

    fn is_tagged(&self) -> bool {
        match self {
            Self::Api(route) => route.is_tagged(),
            Self::Page(route) => !route.is_post(),
        }
    }

    fn is_page(&self) -> bool {
        matches!(self, Self::Page(_))
    }

    fn is_open(&self) -> bool {
        matches!(self, Self::Page(route) if route.is_open())
    }

    fn allow(&self) -> &'static str {
        match self {
            Self::Page(PageRoute::Login) => "GET, HEAD, POST, OPTIONS",
            other if other.is_post() => "POST, OPTIONS",
            _ => "GET, HEAD, OPTIONS",
        }
    }

    fn takes(&self, method: &Method) -> bool {
        match *method {
            Method::GET | Method::HEAD => !self.is_post(),
            Method::POST => self.is_post() || *self == Self::Page(PageRoute::Login),
            Method::OPTIONS => true,
            _ => false,
        }
    }
}

impl Handler for Site {
    type Route = SiteRoute;

    async fn handle(&self, request: RoutedRequest<SiteRoute>) -> Reply {
        let RoutedRequest { route, query, body, accept, request_id, bounded_wait, caller, page } =
            request;
        match (route, page, &self.pages) {
            (SiteRoute::Api(route), page, _) => {
                let request = RoutedRequest {
                    route,
                    query,
                    body,
                    accept,
                    request_id,
                    bounded_wait,
                    caller,
                    page,
                };
                self.resources.handle(request).await
            }
            (SiteRoute::Page(route), Some(page), Some(pages)) => {
                let request = RoutedRequest {
                    route,
                    query,
                    body,
                    accept,
                    request_id,
                    bounded_wait,
                    caller,
                    page: None,
                };
                pages.answer(request, &page).await
            }
            (SiteRoute::Page(_), page, _) => {
                let path = page.map_or_else(String::new, |page| page.path);
                Problem::not_found(format!("there is nothing at `{path}`")).into()
            }
        }
    }

    fn session(&self, headers: &HeaderMap) -> Result<Option<Session>, Problem> {
        match &self.pages {
            Some(pages) => pages.sessions.of_request(headers, &pages.resources),
            None => Ok(None),
        }
    }

    fn refuse(&self, problem: Problem, request: &RefusedRequest<'_>) -> Reply {
        match &self.pages {
            Some(pages) if failure::is_for_people(request) => {
                failure::reply(pages, &problem, request)
            }
            _ => problem.into(),
        }
    }

    fn record(&self, request: &AnsweredRequest<'_>) {
        Handler::record(&*self.resources, request);
    }
}
