//! A checked definition, compiled once for many executions as a statement is for many rows: it
//! holds what they share.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::definition::{Definition, Parameters, Step};
use super::graph::{Cycle, Graph};

/// A definition with all that its executions share.
#[derive(Debug)]
pub struct CompiledWorkflow {
    definition: Definition,
    graph: Graph,
    step_order: Arc<[String]>,
    depends_on: Arc<[Vec<String>]>,
    json: Box<RawValue>,
}

impl CompiledWorkflow {
    /// Prepares a definition.
    ///
    /// # Errors
    /// [`Cycle`] when its steps wait for each other, which a checked definition never does.
    pub fn of(definition: Definition) -> Result<Self, Cycle> {
        let graph = Graph::of(&definition)?;
        let in_order = || graph.order.iter().map(|&index| &definition.steps[index]);
        Ok(Self {
            step_order: in_order().map(|step| step.name.clone()).collect(),
            depends_on: in_order().map(|step| step.depends_on.clone()).collect(),
            json: json(&definition),
            graph,
            definition,
        })
    }

    /// What is to be done.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Dependencies and order of its steps.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Step names by position.
    #[must_use]
    pub fn step_order(&self) -> &Arc<[String]> {
        &self.step_order
    }

    /// The `depends_on` of each step, by position.
    #[must_use]
    pub fn depends_on(&self) -> &Arc<[Vec<String>]> {
        &self.depends_on
    }

    /// How long the JSON text of the definition is.
    #[must_use]
    pub fn json_bytes(&self) -> usize {
        self.json.get().len()
    }

    /// The step at `index` of the list.
    #[must_use]
    pub fn step(&self, index: usize) -> &Step {
        &self.definition.steps[index]
    }
}

impl PartialEq for CompiledWorkflow {
    /// Everything else is derived from the definition.
    fn eq(&self, other: &Self) -> bool {
        self.definition == other.definition
    }
}

/// The snapshot of an execution, which a replay runs again: stored whole with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The definition as run.
    pub compiled: Arc<CompiledWorkflow>,
    /// The parameters as run.
    pub params: Parameters,
    /// The absolute folder that relative paths start from.
    pub workdir: String,
    /// The origin of the definition; `None` if an earlier wfx stored it without one.
    pub source: Option<DefinitionSource>,
}

/// Where a definition came from: a client that may start workflows of the catalogue need not be
/// allowed to run anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DefinitionSource {
    /// The folder of workflows that a daemon serves.
    Catalogue,
    /// A file or the standard input of `wfx exec`.
    File,
    /// The body of a request.
    Request,
    /// The database of the predecessor, whose steps do no work.
    Predecessor,
}

impl DefinitionSource {
    /// Every source.
    pub const ALL: [Self; 4] = [Self::Catalogue, Self::File, Self::Request, Self::Predecessor];

    /// The word in the JSON of a snapshot.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Catalogue => "catalogue",
            Self::File => "file",
            Self::Request => "request",
            Self::Predecessor => "predecessor",
        }
    }
}

impl Snapshot {
    /// What is to be done.
    #[must_use]
    pub fn definition(&self) -> &Definition {
        self.compiled.definition()
    }

    /// Its JSON text.
    #[must_use]
    pub fn to_json(&self) -> String {
        String::from(Box::<str>::from(json(self)))
    }
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("definition", &self.compiled.json)?;
        map.serialize_entry("params", &self.params)?;
        map.serialize_entry("workdir", &self.workdir)?;
        if let Some(source) = &self.source {
            map.serialize_entry("source", source)?;
        }
        if let Some(defaults) = &self.definition().from_folder {
            map.serialize_entry("defaults", defaults)?;
        }
        map.end()
    }
}

#[expect(clippy::expect_used, reason = "lists, and maps with text for keys, always have a JSON")]
fn json(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).expect("a definition has a JSON")
}
