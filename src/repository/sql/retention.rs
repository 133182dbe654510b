//! How many finished executions are kept, as this process was set to, or as the daemon that uses
//! the same database was; and which ones are pinned.

use crate::repository::sql;
use crate::repository::sql::{Connection, OptionalExtension, params};
use std::time::Duration;

use super::rows;
use crate::repository::options::{BudgetOf, OutputBudgets, Retention};
use crate::workflow::pin::Pin;

/// Stores a setting.
pub(super) const SET: &str = "INSERT INTO workflow_settings (name, value) VALUES (?1, ?2)
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// How many are kept, stored or read as the rule says.
pub(crate) fn resolve(connection: Connection<'_>, rule: Retention) -> sql::Result<Option<u64>> {
    match rule {
        Retention::Given(keep) => Ok(keep),
        Retention::Followed { otherwise } => Ok(stored(connection)?.unwrap_or(otherwise)),
        Retention::Led(keep) => {
            // What is so already needs no commit, which a full disk would refuse.
            if stored(connection)? != Some(keep) {
                connection
                    .execute(SET, ["retention", &rows::integer(keep.unwrap_or(0)).to_string()])?;
            }
            Ok(keep)
        }
    }
}

/// As many as a daemon was set to keep, if one was.
pub(crate) fn stored(connection: Connection<'_>) -> sql::Result<Option<Option<u64>>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT value FROM workflow_settings WHERE name = 'retention'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let keep = text.and_then(|text| text.parse::<u64>().ok());
    Ok(keep.map(|keep| Some(keep).filter(|keep| *keep > 0)))
}

/// How much output is kept: so many bytes, for so long; stored or read as the options say.
pub(crate) fn resolve_output(
    connection: Connection<'_>,
    budgets: OutputBudgets,
) -> sql::Result<(u64, Duration)> {
    let resolve = |name: &str, budget: BudgetOf<u64>| -> sql::Result<u64> {
        let BudgetOf { value, is_set } = budget;
        let stored = number(connection, name)?;
        if !budgets.leads {
            return Ok(stored.filter(|_| !is_set).unwrap_or(value));
        }
        if stored != Some(value) {
            connection.execute(SET, [name, &rows::integer(value).to_string()])?;
        }
        Ok(value)
    };
    let total = resolve("output_total", budgets.total_bytes)?;
    let BudgetOf { value, is_set } = budgets.age;
    let seconds = resolve("output_retention_s", BudgetOf { value: value.as_secs(), is_set })?;
    Ok((total, Duration::from_secs(seconds)))
}

/// How much output a daemon was set to keep, bytes and seconds, if one was.
pub(crate) fn stored_output(connection: Connection<'_>) -> sql::Result<(Option<u64>, Option<u64>)> {
    Ok((number(connection, "output_total")?, number(connection, "output_retention_s")?))
}

/// A number that a daemon stored for others.
fn number(connection: Connection<'_>, name: &str) -> sql::Result<Option<u64>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT value FROM workflow_settings WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(text.and_then(|text| text.parse().ok()))
}

/// Pins an execution, or with `None` unpins it, inside the caller's transaction; `false` where there
/// is no such execution.
pub(crate) fn pin(
    connection: Connection<'_>,
    execution_id: &str,
    pin: Option<&Pin>,
) -> sql::Result<bool> {
    let changed = connection
        .prepare_cached(
            "UPDATE workflow_executions SET pinned_at = ?2, pinned_by = ?3, pin_reason = ?4
             WHERE execution_id = ?1",
        )?
        .execute(params![
            execution_id,
            pin.map(|pin| pin.at.to_string()),
            pin.map(|pin| pin.by.as_str()),
            pin.and_then(|pin| pin.reason.as_deref()),
        ])?;
    Ok(changed > 0)
}
