//! The titles of steps, which are displayed instead of their names.

use std::collections::HashMap;
use std::sync::Arc;

use crate::workflow::definition::Definition;
use crate::workflow::handler::HandlerKind;

/// The titles of the steps of one execution, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Titles(Option<Arc<HashMap<String, String>>>);

impl Titles {
    /// Of a definition.
    #[must_use]
    pub(crate) fn of(definition: &Definition) -> Self {
        let titled = |step: &crate::workflow::definition::Step| {
            step.title.as_ref().map(|title| (step.name.clone(), title.clone()))
        };
        let handlers = definition.handlers.iter().map(|handler| &handler.step);
        Self::new(definition.steps.iter().chain(handlers).filter_map(titled).collect())
    }

    /// Of a stored snapshot.
    #[must_use]
    pub(crate) fn of_snapshot(snapshot: &serde_json::Value) -> Self {
        let definition = &snapshot["definition"];
        let lists = ["steps"].into_iter().chain(HandlerKind::ALL.map(HandlerKind::as_str));
        let steps = lists.filter_map(|list| definition[list].as_array()).flatten();
        let titled = |step: &serde_json::Value| {
            Some((step["name"].as_str()?.to_owned(), step["title"].as_str()?.to_owned()))
        };
        Self::new(steps.filter_map(titled).collect())
    }

    fn new(titles: HashMap<String, String>) -> Self {
        Self((!titles.is_empty()).then(|| Arc::new(titles)))
    }

    /// The title of the step, if it has one.
    #[must_use]
    pub(crate) fn title(&self, step: &str) -> Option<&str> {
        self.0.as_ref()?.get(step).map(String::as_str)
    }

    /// What is displayed for the step: its title, else its name.
    #[must_use]
    pub(crate) fn label<'a>(&'a self, step: &'a str) -> &'a str {
        self.title(step).unwrap_or(step)
    }
}
