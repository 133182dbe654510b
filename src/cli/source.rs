//! Reads documents from files, and a workflow also from standard input.

use std::io::{self, Read};
use std::path::Path;

use super::CliError;
use crate::base::clock;
use crate::base::exit::Exit;
use crate::base::visible::quote;
use crate::operations::catalogue::{Catalogue, Entry, Event};
use crate::operations::folder_defaults::{self, UnusableDefaults};
use crate::system::files;
use crate::workflow::check::nearest::nearest;
use crate::workflow::check::{self, Format, Problems, Source};
use crate::workflow::defaults::{FILE_NAME, FolderDefaults};
use crate::workflow::definition::Definition;

/// The largest document that is read.
const DOCUMENT_BYTES_MAX: u64 = check::DOCUMENT_BYTES_MAX as u64;

/// The text of a workflow and what it is.
#[derive(Debug)]
pub(super) struct Document {
    name: String,
    text: String,
    format: Format,
    default_id: Option<String>,
    /// Those of its folder; a document of standard input has none.
    defaults: Result<Option<FolderDefaults>, UnusableDefaults>,
}

impl Document {
    /// Reads `argument`, `-` being standard input. The format goes by the
    /// extension, elsewhere by the look of the text.
    ///
    /// # Errors
    /// Exit 2 when it cannot be read, is too large or is not UTF-8.
    pub(super) fn read(argument: &Path) -> Result<Self, CliError> {
        let name = argument.display().to_string();
        let refuse = |why: &str| CliError::new(Exit::Usage, format!("cannot read `{name}`: {why}"));
        let is_stdin = argument.as_os_str() == "-";
        if argument.file_name().is_some_and(|name| name == FILE_NAME) {
            return Err(refuse("it holds the defaults of a folder and is no workflow"));
        }
        let text = if is_stdin { bounded(io::stdin().lock()) } else { text(argument) };
        let text = text.map_err(|why| refuse(&why))?;
        let format = Format::of(argument).unwrap_or_else(|| check::sniff(&text));
        let stem = argument.file_stem().filter(|_| !is_stdin);
        let default_id = stem.map(|stem| stem.to_string_lossy().into_owned());
        let defaults = if is_stdin { Ok(None) } else { folder_defaults::beside(argument) };
        Ok(Self { name, text, format, default_id, defaults })
    }

    /// Reads the workflow of a folder that has this id, as `serve` finds it.
    ///
    /// # Errors
    /// Exit 2 when there is none, 3 when the folder cannot be read.
    pub(super) fn of_folder(folder: &Path, workflow_id: &str) -> Result<Self, CliError> {
        let entries = self::folder(folder)?.0.list();
        // A file that cannot be used is read again for all that is wrong with it.
        let is_it = |entry: &&Entry| entry.workflow_id == workflow_id;
        let usable = entries.iter().filter(is_it).find(|entry| entry.compiled.is_some());
        if let Some(entry) = usable.or_else(|| entries.iter().find(is_it)) {
            return Self::read(&entry.file);
        }
        let message = format!("{} has no workflow {}", folder.display(), quote(workflow_id));
        let names = entries.iter().map(|entry| entry.workflow_id.as_str());
        let hint = match nearest(workflow_id, names) {
            Some(name) => format!("did you mean {}?", quote(name)),
            None if entries.is_empty() => {
                "it has no file that ends with .yaml, .yml or .json".to_owned()
            }
            None => "`wfx status --workflows DIR` lists those of a folder".to_owned(),
        };
        Err(CliError::new(Exit::Usage, message).with_hint(hint))
    }

    /// The same, with the workflow id that it has if it does not say one.
    #[must_use]
    pub(super) fn with_default_id(self, id: &str) -> Self {
        Self { default_id: Some(id.to_owned()), ..self }
    }

    /// Checks it and sets what the defaults of its folder set; gives also what is allowed in it and
    /// hardly meant.
    ///
    /// # Errors
    /// Exit 2 with all problems, of the document and of the defaults.
    pub(super) fn check(&self) -> Result<(Definition, Option<Problems>), CliError> {
        match (self.check_alone(), &self.defaults) {
            (checked, Ok(_)) => Ok(checked?),
            (Ok(_), Err(why)) => Err(CliError::new(Exit::Usage, why.to_string())),
            (Err(problems), Err(why)) => {
                Err(CliError::new(Exit::Usage, format!("{problems}\n{why}")))
            }
        }
    }

    /// The same where somebody else reports what is wrong with the defaults.
    ///
    /// # Errors
    /// [`Problems`] of the document, all of them.
    pub(super) fn check_alone(&self) -> Result<(Definition, Option<Problems>), Problems> {
        let (definition, lints) = check::read_with_lints(&Source {
            name: &self.name,
            text: &self.text,
            format: self.format,
            default_id: self.default_id.as_deref(),
        })?;
        let definition = match &self.defaults {
            Ok(Some(defaults)) => definition.with_defaults(defaults),
            _ => definition,
        };
        Ok((definition, lints))
    }
}

/// The workflows of a folder, and what is to be reported of its files.
///
/// # Errors
/// Exit 3 when it cannot be read. Broken files are no error.
pub(super) fn folder(folder: &Path) -> Result<(Catalogue, Vec<Event>), CliError> {
    Catalogue::load(folder, clock::now()).map_err(|error| {
        let message = format!("cannot read the workflows of {}: {error}", folder.display());
        CliError::new(Exit::Environment, message).with_hint("name another folder with --workflows")
    })
}

/// The text of standard input.
///
/// # Errors
/// Why there is none: it cannot be read, is too large or is not UTF-8.
pub(super) fn stdin_text() -> Result<String, String> {
    bounded(io::stdin().lock())
}

/// The text of a file.
///
/// # Errors
/// Why there is none: it cannot be read, is too large or is not UTF-8.
pub(super) fn text(path: &Path) -> Result<String, String> {
    bounded(files::open(path).map_err(|error| error.to_string())?)
}

fn bounded(from: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    from.take(DOCUMENT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > DOCUMENT_BYTES_MAX {
        return Err("it is longer than 16 MiB".to_owned());
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()))
}
