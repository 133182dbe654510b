//! Where the values of a stored definition came from.

use serde_json::Value;

use super::layout::Layout;
use super::style::{BOLD, DIM};
use crate::base::units;
use crate::base::visible::visible;

/// How much of one value is shown, columns.
const VALUE_COLUMNS: usize = 100;

impl Layout {
    /// The origin of the definition, and that of each value that the defaults of a folder can set.
    pub(crate) fn source(&self, snapshot: &Value) -> String {
        let origin = match snapshot["source"].as_str() {
            Some("catalogue") => "a workflow of the folder of --workflows",
            Some("file") => "a file or standard input of `wfx exec`",
            Some("request") => "the body of a request",
            Some("predecessor") => "the database of the predecessor",
            _ => "not recorded",
        };
        let mut text = format!("\n{BOLD}source{BOLD:#}\n  {DIM}definition{DIM:#} {origin}\n");
        let file = snapshot["defaults"]["file"].as_str().unwrap_or_default();
        let from_file: Vec<&str> = snapshot["defaults"]["set"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut line = |name: &str, value: &str, pointer: &str| {
            let value = units::fit(&visible(value), VALUE_COLUMNS, self.unicode);
            let is_default = from_file.contains(&pointer);
            let from = if is_default { visible(file) } else { "the workflow".to_owned() };
            text += &format!("  {} = {value}  {DIM}from {from}{DIM:#}\n", visible(name));
        };
        let definition = &snapshot["definition"];
        for (name, value) in definition["env"].as_object().into_iter().flatten() {
            let pointer = format!("/env/{}", name.replace('~', "~0").replace('/', "~1"));
            line(&format!("env {name}"), value.as_str().unwrap_or_default(), &pointer);
        }
        if !definition["shell"].is_null() {
            line("shell", &definition["shell"].to_string(), "/shell");
        }
        if !definition["retention"].is_null() {
            line("retention", &definition["retention"].to_string(), "/retention");
        }
        if !definition["output_limit"].is_null() {
            line("output_limit", &definition["output_limit"].to_string(), "/output_limit");
        }
        if !definition["notify"].is_null() {
            line("notify", &definition["notify"].to_string(), "/notify");
        }
        text
    }
}
