//! A checked definition, compiled once for many executions as a statement is for many rows: it
//! holds what they share.

use std::collections::HashMap;
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
    /// Only if a step has a condition.
    conditions: Option<Box<Conditions>>,
    json: Box<RawValue>,
}

/// What the evaluation of conditions needs.
#[derive(Debug)]
struct Conditions {
    /// The steps whose status the condition of each step tests, ascending.
    tested: Vec<Vec<usize>>,
    /// About how much memory their regular expressions take.
    pattern_bytes: usize,
}

impl CompiledWorkflow {
    /// Prepares a definition.
    ///
    /// # Errors
    /// [`Cycle`] when its steps wait for each other, which a checked definition never does.
    pub fn of(mut definition: Definition) -> Result<Self, Cycle> {
        let graph = Graph::of(&definition)?;
        let conditions = Conditions::of(&mut definition).map(Box::new);
        let in_order = || graph.order.iter().map(|&index| &definition.steps[index]);
        Ok(Self {
            step_order: in_order().map(|step| step.name.clone()).collect(),
            depends_on: in_order().map(|step| step.depends_on.clone()).collect(),
            conditions,
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

    /// About how much memory its regular expressions take.
    #[must_use]
    pub(crate) fn pattern_bytes(&self) -> usize {
        self.conditions.as_ref().map_or(0, |conditions| conditions.pattern_bytes)
    }

    /// The step at `index` of the list; handlers come after the steps.
    #[must_use]
    pub fn step(&self, index: usize) -> &Step {
        match self.definition.steps.get(index) {
            Some(step) => step,
            None => &self.definition.handlers[index - self.definition.steps.len()].step,
        }
    }

    /// The steps whose status the condition of the step at `index` tests, ascending.
    #[must_use]
    pub(crate) fn tested_by(&self, index: usize) -> &[usize] {
        self.conditions.as_ref().map_or(&[][..], |conditions| &conditions.tested[index])
    }
}

impl Conditions {
    /// Looks up the steps that conditions name; `None` where there are no conditions.
    fn of(definition: &mut Definition) -> Option<Self> {
        let steps = &mut definition.steps;
        if steps.iter().all(|step| step.flow.when.is_none()) {
            return None;
        }
        let index: HashMap<String, usize> =
            steps.iter().enumerate().map(|(at, step)| (step.name.clone(), at)).collect();
        let mut pattern_bytes = 0;
        let tested = |step: &mut Step| {
            let mut tested = Vec::new();
            if let Some(when) = &mut step.flow.when {
                when.resolve(&|name| index.get(name).copied());
                when.add_tested(&mut tested);
                pattern_bytes += when.pattern_bytes();
            }
            tested.sort_unstable();
            tested.dedup();
            tested
        };
        Some(Self { tested: steps.iter_mut().map(tested).collect(), pattern_bytes })
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
