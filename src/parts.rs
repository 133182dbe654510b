//! Parts of wfx for its own benchmarks, limits, fuzz targets and tests of interleavings. Not an
//! interface for others: it changes with every version.

/// Time.
pub mod base {
    pub use crate::base::timestamp::Timestamp;

    /// Reads clocks.
    pub mod clock {
        pub use crate::base::clock::{Clock, monotonic, now};
    }
}

/// Workflows: documents, the state machine, what is stored of it.
pub mod workflow {
    pub use crate::workflow::compiled::{CompiledWorkflow, Snapshot};
    pub use crate::workflow::concurrency::WaitingFor;
    pub use crate::workflow::environment::inherited;
    pub use crate::workflow::event::{Event, Moment};
    pub use crate::workflow::execution::Execution;
    pub use crate::workflow::output::{Counts, Source as OutputSource};
    pub use crate::workflow::record::{Change, ExecutionState};
    pub use crate::workflow::report::{Observer, Report};
    pub use crate::workflow::scalar::Parameters;
    pub use crate::workflow::status::ExecutionStatus;

    /// Reads and checks documents.
    pub mod check {
        pub use crate::workflow::check::parameters::{GivenBy, parameters};
        pub use crate::workflow::check::{Source, given_parameters, read, snapshot};
        pub use crate::workflow::document::{Format, sniff};
    }
}

/// The database.
pub mod repository {
    pub use crate::repository::StoreAddress;
    pub use crate::repository::error::StoreError;
    pub use crate::repository::journal::pending_write::PendingWrite;
    pub use crate::repository::journal::writer::Writer;
    pub use crate::repository::options::{Durability, OutputBudgets, Retention, WriterOptions};
    pub use crate::repository::ownership::id::OwnerKind;
    pub use crate::repository::ownership::lock::Owner;
    pub use crate::repository::ownership::takeover::Which;
}

/// Runs executions.
pub mod engine {
    pub use crate::engine::cancel::Cancel;
    pub use crate::engine::context::{EngineContext, Unstored};
    pub use crate::engine::output::OutputSink;
    pub use crate::engine::supervisor::{Bounds, Supervisor};
    pub use crate::engine::work::orphans::Survivor;
    pub use crate::engine::work::parallelism::Parallelism;
    pub use crate::engine::work::scratch::Scratch;

    /// Continues the executions of dead processes.
    pub mod recovery {
        pub use crate::engine::recovery::{Recovered, SIDE_BY_SIDE, Watcher, recover};
    }
}

/// Service levels.
pub mod slo {
    pub use crate::render::slo_sim::json::document as report_json;
    pub use crate::slo::engine::{Engine, Event};
    pub use crate::slo::monitor::{Answered, Monitor};
    pub use crate::slo::policy::Policy;
    pub use crate::slo::report::Report;
    pub use crate::slo::simulation::Simulation;

    /// Reads logs.
    pub mod trace {
        pub use crate::slo::trace::format::LogFormat;
        pub use crate::slo::trace::{Options, Source, read};
    }
}

/// The performance gate.
pub mod perf {
    pub use crate::perf::baseline::Baseline;
    pub use crate::perf::filter::Filter;
    pub use crate::perf::judgement::Policy;
    pub use crate::perf::sources::read as read_source;
    pub use crate::perf::stats::Latency;
    pub use crate::perf::tolerance::Tolerance;
    pub use crate::perf::verdict::judge;
}

/// The daemon as clients see it.
pub mod http {
    pub use crate::base::tokens::NamedToken;
    pub use crate::http::api::json_body::parse as parse_json_body;
    pub use crate::http::api::query::pairs as query_pairs;
    pub use crate::http::api::route::Route;
    pub use crate::http::exchange::handler::{AnsweredRequest, Endpoint, Handler, RoutedRequest};
    pub use crate::http::exchange::reply::Reply;
    pub use crate::http::front::access::{Access, AccessRequest};
    pub use crate::http::front::authority::PublicUrl;
    pub use crate::http::front::server::{Ending, FrontOptions, serve};
    pub use crate::http::front::socket::{Listener, Local};
    pub use crate::metrics::Metrics;
}
