//! What `wfx doctor` makes of a server of PostgreSQL.

use std::time::Duration;

use super::{Finding, note, ok, problem};
use crate::base::units;
use crate::repository::{Guarantee, OldestTransaction, ServerInspection, ServerStatus};

/// A transaction that goes on for longer keeps enough from being cleaned up to be felt.
const LONG_SECONDS: f64 = 300.0;
/// So many transactions have begun since it began, where its age cannot be seen.
const LONG_TRANSACTIONS: u64 = 1_000_000;
/// So many dead rows are not worth a word.
const DEAD_FEW: u64 = 100_000;
/// What a daemon opens: it writes over one connection, and reads over some at a time.
const CONNECTIONS_OF_DAEMON: u64 = 24;
/// Two clocks that differ by more confuse whoever compares times.
const SKEW_US: u64 = 1_000_000;

pub(super) fn judge(server: &ServerInspection, size_bytes: u64, findings: &mut Vec<Finding>) {
    findings.push(release(server));
    findings.push(ok("size", units::bytes(size_bytes)));
    findings.push(rights(server));
    let status = &server.status;
    findings.push(durability(status));
    if status.guarantee() != Guarantee::Nothing && !status.is_standby {
        findings.push(standbys(status));
    }
    findings.push(connections(status));
    findings.push(transactions(status.oldest.as_ref()));
    findings.push(dead_rows(server));
    findings.push(clock(status));
}

fn release(server: &ServerInspection) -> Finding {
    let detail = format!("PostgreSQL {}, encoding {}", server.version, server.encoding);
    match server.status.is_standby {
        false => ok("server", detail),
        true => problem(
            "server",
            format!("{detail}: a standby, which can only be read"),
            "name the primary, or all servers with `?target_session_attrs=read-write`",
        ),
    }
}

fn rights(server: &ServerInspection) -> Finding {
    if server.is_read_only {
        return problem(
            "permissions",
            "default_transaction_read_only is on: nothing can be stored",
            "set it to off for this role or database (`ALTER ROLE … SET`)",
        );
    }
    match &server.missing_rights[..] {
        [] if server.owns_schema => ok("permissions", "the role owns the schema wfx"),
        [] => note(
            "permissions",
            "the role does not own the schema wfx: a newer wfx cannot bring it up",
            "make it a member of the role that does (`GRANT owner TO role`)".to_owned(),
        ),
        [first, rest @ ..] => {
            let more = match rest.len() {
                0 => String::new(),
                more => format!(" and {}", units::count(more as u64, "further right")),
            };
            problem(
                "permissions",
                format!("the role lacks {first}{more} in the schema wfx"),
                "make it a member of the role that owns the schema (`GRANT owner TO role`)",
            )
        }
    }
}

/// What a commit outlives on the server itself.
fn durability(status: &ServerStatus) -> Finding {
    if !status.fsync {
        return problem(
            "durability",
            "fsync is off: a crash of the server's machine may lose or damage everything",
            "set fsync = on in postgresql.conf, and reload the server",
        );
    }
    if status.is_relaxed {
        return problem(
            "durability",
            "wfx does not wait for the disk of the server, whose crash loses starts that were \
             acknowledged",
            "set WFX_DURABILITY (`wfx_durability` in the configuration file) to full",
        );
    }
    if status.synchronous_commit == "off" {
        return problem(
            "durability",
            "synchronous_commit is off: a crash of the server loses starts that were acknowledged",
            "set it to on for this role or database (`ALTER ROLE … SET synchronous_commit = on`)",
        );
    }
    let detail = format!("fsync on, synchronous_commit {}", status.synchronous_commit);
    if !status.full_page_writes {
        return problem(
            "durability",
            format!("{detail}, full_page_writes off: a power failure may damage pages"),
            "set full_page_writes = on, unless the file system writes whole pages or none",
        );
    }
    ok("durability", format!("{detail}, full_page_writes on"))
}

/// What a commit outlives beyond the server.
fn standbys(status: &ServerStatus) -> Finding {
    let connected = units::count(status.standbys, "standby");
    match (status.names_standbys, status.synchronous_commit.as_str()) {
        (true, "local") => problem(
            "standbys",
            "synchronous_commit is local: commits do not wait for the synchronous standbys",
            "set it to on for this role or database (`ALTER ROLE … SET synchronous_commit = on`)",
        ),
        (true, _) if status.waits_in_vain() => problem(
            "standbys",
            "synchronous_standby_names names standbys of which none is connected: no commit is \
             acknowledged",
            "start one of them, or see why it does not replicate: `SELECT * FROM \
             pg_stat_replication`",
        ),
        (true, wait) => {
            let detail = match status.synchronous_standbys {
                None => format!("synchronous ones are set, and {connected} connected"),
                Some(count) => format!("{connected} connected, {count} of them synchronous"),
            };
            match wait {
                "remote_write" => note(
                    "standbys",
                    format!(
                        "{detail}; commits do not wait for the disks of standbys \
                         (synchronous_commit is remote_write)"
                    ),
                    "set it to on, or accept that a start may be lost if both machines fail at \
                     a time"
                        .to_owned(),
                ),
                _ => ok(
                    "standbys",
                    format!("{detail}: an acknowledged start outlives the loss of the server"),
                ),
            }
        }
        (false, _) if status.standbys > 0 => note(
            "standbys",
            format!(
                "{connected} connected, none synchronous: a failover to one may lose the last \
                 acknowledged starts"
            ),
            "set synchronous_standby_names on the server, where that matters".to_owned(),
        ),
        (false, _) => note(
            "standbys",
            "a single server: an acknowledged start outlives a crash of the server, and not the \
             loss of its disk",
            "set up a synchronous standby, where that matters; back up the server in any case"
                .to_owned(),
        ),
    }
}

fn connections(status: &ServerStatus) -> Finding {
    let (left, max) = (status.connections_left, status.connections_max);
    let detail = format!("{left} of {max} connections are left");
    match left {
        0 => problem(
            "connections",
            format!("none of {max} connections is left"),
            "close sessions of others, or raise max_connections on the server",
        ),
        1..CONNECTIONS_OF_DAEMON => note(
            "connections",
            format!("{detail}, and a daemon opens up to {CONNECTIONS_OF_DAEMON}"),
            "close sessions of others, or raise max_connections on the server".to_owned(),
        ),
        _ => ok("connections", detail),
    }
}

/// How what keeps old rows is made to let go of them. Who drops a replication slot that is in use has to
/// set up its standby anew.
fn let_go(holder: &str) -> &'static str {
    match holder.split(' ').next() {
        Some("prepared") => {
            "ask who prepared it; `COMMIT PREPARED` or `ROLLBACK PREPARED` in this database ends it"
        }
        Some("replication") => {
            "see whether the standby or program that uses it still exists (`SELECT slot_name, active, \
             active_pid FROM pg_replication_slots`), and bring that up to date; only a slot that nobody \
             needs any more may be dropped"
        }
        _ => "end its transaction, or the session: `SELECT pg_terminate_backend(PID)`",
    }
}

/// Whether something keeps old rows from being cleaned up.
fn transactions(oldest: Option<&OldestTransaction>) -> Finding {
    let Some(OldestTransaction { holder, transactions, seconds }) = oldest else {
        return ok("transactions", "none keeps old rows");
    };
    let since = units::count(*transactions, "transaction");
    let (age, is_long) = match seconds {
        Some(seconds) => {
            let age = Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default();
            (format!("{}, {since}", units::spoken(age)), *seconds > LONG_SECONDS)
        }
        None => (since, *transactions > LONG_TRANSACTIONS),
    };
    let detail = format!("the oldest that keeps old rows is {holder}, since {age}");
    match is_long {
        false => ok("transactions", detail),
        true => note(
            "transactions",
            format!("{detail}: what is deleted is not cleaned up, and queries become slow"),
            let_go(holder).to_owned(),
        ),
    }
}

fn dead_rows(server: &ServerInspection) -> Finding {
    if !server.has_autovacuum {
        return problem(
            "vacuum",
            "autovacuum or track_counts is off: tables grow with everything that changes",
            "set both to on in postgresql.conf, and reload the server",
        );
    }
    let dead = server.status.dead_rows;
    let detail = units::count(dead, "dead row");
    match &server.deadest {
        Some((table, live, dead)) if *dead > DEAD_FEW && dead > live => note(
            "vacuum",
            format!("{detail}, {dead} of them in wfx.{table} beside {live} others"),
            format!(
                "`VACUUM wfx.{table}`, unless an old transaction keeps them; give autovacuum more \
                 to do (autovacuum_vacuum_cost_limit)"
            ),
        ),
        _ => ok("vacuum", detail),
    }
}

fn clock(status: &ServerStatus) -> Finding {
    let skew = Duration::from_micros(status.clock_ahead_us.unsigned_abs());
    let side = if status.clock_ahead_us < 0 { "behind" } else { "ahead of" };
    let doubt = Duration::from_micros(status.clock_doubt_us);
    let detail = format!(
        "that of the server is {} {side} the one here, give or take {}",
        units::duration(skew),
        units::duration(doubt)
    );
    match status.clock_ahead_us.unsigned_abs() > SKEW_US + status.clock_doubt_us {
        false => ok("clock", detail),
        true => note(
            "clock",
            detail,
            "let both machines follow the same time (NTP): wfx stores the times of its own machine"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests;
