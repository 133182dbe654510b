//! Results that are longer than memory should be: what a command may allocate is limited.

use std::process::Command;

use super::server::Server;
use crate::support::{Place, Ran};

/// Much more than a command needs, and less than the results below have.
const DATA_BYTES: u64 = 64 << 20;
/// The size of a result.
const RESULT_BYTES: u64 = 96 << 20;

/// Runs wfx with limited memory.
#[track_caller]
fn run_limited(server: &Server, place: &Place, args: &[&str]) -> Ran {
    let plain = server.wfx(place, args);
    let mut command = Command::new("prlimit");
    command.arg(format!("--data={DATA_BYTES}")).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(plain.get_current_dir().unwrap()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = Ran::of(&mut command);
    assert_eq!(ran.code, Some(0), "{args:?}: {}", ran.stderr);
    ran
}

#[test]
fn long_results_are_read_piece_by_piece() {
    const TEXT_BYTES: u64 = 64 << 10;
    let count = RESULT_BYTES / TEXT_BYTES;
    let server = Server::start();
    let place = Place::new();
    place.write("w.yaml", "id: w\nsteps: [{name: a, run: 'echo one'}]\n");
    server.run(&place, &["exec", "w.yaml"], 0);
    // As if it had very many steps, each of which had printed much.
    server.sql(&format!(
        "INSERT INTO wfx.workflow_execution_steps
           (seq, position, step_name, status, attempt, depends_on)
         SELECT seq, n, 'step-' || n, 'success', 1, '[]'
         FROM wfx.workflow_executions, generate_series(1, {count}) AS n"
    ));
    server.sql(&format!(
        "INSERT INTO wfx.workflow_execution_attempts
           (seq, position, attempt, status, started_at, completed_at, duration_ms, stdout_bytes,
            stderr_bytes, stdout)
         SELECT seq, n, 1, 'success', created_at, created_at, 1, {TEXT_BYTES}, 0,
           convert_to(repeat('x', {TEXT_BYTES} - 1) || E'\\n', 'UTF8')
         FROM wfx.workflow_executions, generate_series(1, {count}) AS n"
    ));
    let ran = run_limited(&server, &place, &["show", "@1", "--format", "json"]);
    assert!(ran.stdout.len() as u64 > RESULT_BYTES, "{}", ran.stdout.len());
    // As if there were many executions with long definitions.
    server.sql(&format!(
        "INSERT INTO wfx.workflow_executions
           (execution_id, workflow_id, status, created_at, completed_at, updated_at,
            steps_completed, total_steps, completion_number, step_order, input_snapshot)
         SELECT 'many-' || n, 'w', 'success', created_at, created_at, created_at, 1, 1, 1000 + n,
           step_order, CAST(rtrim(CAST(input_snapshot AS TEXT), '}}') || ',\"long\":\"'
             || repeat('x', {TEXT_BYTES}) || '\"}}' AS JSON)
         FROM wfx.workflow_executions, generate_series(2, {count}) AS n"
    ));
    let limit = count.to_string();
    let ran = run_limited(&server, &place, &["list", "--format", "jsonl", "--limit", &limit]);
    assert_eq!(ran.stdout.lines().count() as u64, count);
    let ran = run_limited(&server, &place, &["purge", "--all", "--dry-run", "--format", "json"]);
    assert!(ran.stdout.contains(&count.to_string()), "{ran:?}");
    run_limited(&server, &place, &["purge", "--all"]);
    assert_eq!(server.sql("SELECT count(*) FROM wfx.workflow_executions"), "0");
}
