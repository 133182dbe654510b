//! The reports for CI: JUnit, Markdown, JSON, annotations.

use std::cell::Cell;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Args;
use crate::base::exit::Exit;
use crate::cli::{CliError, Context};
use crate::perf::judgement::Verdict;
use crate::perf::report::Report;
use crate::perf::store;
use crate::render::perf_check::{self, json, junit, markdown};

const JUNIT: &str = "perf/performance_junit.xml";

/// Where reports go.
#[derive(Debug)]
pub(super) struct Reports {
    junit: Option<PathBuf>,
    markdown: Option<PathBuf>,
    /// `$GITHUB_STEP_SUMMARY`, which further steps append to.
    step_summary: Option<PathBuf>,
    summary: Option<PathBuf>,
    annotates: bool,
    /// Whether there is a result, and it was written as far as it could be.
    told: Cell<bool>,
}

impl Reports {
    pub(super) fn new(args: &Args, context: &Context) -> Result<Self, CliError> {
        let settings = &context.settings;
        let junit = settings.perf_junit()?.then(|| {
            let named = args.junit.clone().flatten();
            named.unwrap_or_else(|| PathBuf::from(JUNIT))
        });
        Ok(Self {
            junit,
            markdown: args.markdown.clone(),
            step_summary: settings.of_ci("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            summary: args.summary.clone(),
            annotates: settings.of_ci("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
            told: Cell::new(false),
        })
    }

    /// Writes all of them, and tells of the first that cannot be written.
    ///
    /// # Errors
    /// Exit 3 with the file's name.
    pub(super) fn write(
        &self,
        report: &Report<'_>,
        strict: bool,
        context: &Context,
    ) -> Result<(), CliError> {
        self.told.set(true);
        self.annotate(report, context);
        let mut written = Vec::new();
        if let Some(path) = &self.junit {
            let text = junit::render(report.judgement, strict).map_err(io::Error::other);
            written.push((path, text.and_then(|text| replace(path, &text))));
        }
        if let Some(path) = &self.markdown {
            written.push((path, replace(path, &markdown::document(report))));
        }
        if let Some(path) = &self.step_summary {
            written.push((path, append(path, &markdown::document(report))));
        }
        if let Some(path) = &self.summary {
            let text = crate::base::json::to_string_pretty(&json::document(report))
                .map_err(io::Error::from);
            written.push((path, text.and_then(|text| replace(path, &(text + "\n")))));
        }
        written.into_iter().try_for_each(|(path, written)| {
            written.map_err(|error| {
                let message = format!("cannot write the report {}: {error}", path.display());
                CliError::new(Exit::Environment, message)
                    .with_hint("name a file in a folder that can be written")
            })
        })
    }

    /// Tells CI why there is no verdict: a report of an earlier run would be taken for
    /// this one's.
    pub(super) fn tell_trouble(&self, why: &str, context: &Context) {
        if why.is_empty() {
            return;
        }
        if self.annotates {
            context.ui.annotation("wfx perf-check", why);
        }
        let mut written = Vec::new();
        if let Some(path) = &self.junit {
            let text = junit::trouble(why).map_err(io::Error::other);
            written.push((path, text.and_then(|text| replace(path, &text))));
        }
        // A result that is told stays.
        if !self.told.get() {
            let markdown = markdown::trouble(why);
            written.extend(self.markdown.iter().map(|path| (path, replace(path, &markdown))));
            written.extend(self.step_summary.iter().map(|path| (path, append(path, &markdown))));
            let json = format!("{:#}\n", json::trouble(why));
            written.extend(self.summary.iter().map(|path| (path, replace(path, &json))));
        }
        for (path, written) in written {
            if let Err(error) = written {
                let path = path.display();
                context.ui.warning(&format!("cannot write the report {path}: {error}"));
            }
        }
    }

    fn annotate(&self, report: &Report<'_>, context: &Context) {
        if !self.annotates || report.judgement.verdict == Verdict::Pass {
            return;
        }
        for reason in perf_check::reasons(report.judgement) {
            context.ui.annotation("wfx perf-check", &reason);
        }
    }
}

/// Replaces a report as a whole, so that none is ever half of one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    use io::ErrorKind as Kind;
    make_folder(path)?;
    // Links, devices and pipes are written through.
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return fs::write(path, text);
    }
    let temporary = store::beside(path, &format!(".{}.tmp", std::process::id()))?;
    match store::replace(path, &temporary, text) {
        // A file may be open to wfx where its folder is not, be mounted itself, or have a
        // name as long as can be.
        Err(error) => match error.kind() {
            Kind::PermissionDenied
            | Kind::ReadOnlyFilesystem
            | Kind::ResourceBusy
            | Kind::InvalidFilename
            | Kind::AlreadyExists => fs::write(path, text),
            _ => Err(error),
        },
        Ok(()) => Ok(()),
    }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    make_folder(path)?;
    crate::system::files::append(path, 0o666)?.write_all(text.as_bytes())
}

fn make_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => fs::create_dir_all(folder),
        _ => Ok(()),
    }
}
