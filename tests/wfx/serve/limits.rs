//! Many at once.

use super::*;

#[test]
fn starts_at_one_moment_are_no_more_than_may_be_in_flight() {
    const CLIENTS: usize = 32;
    const ROUNDS: usize = 8;
    for _ in 0..ROUNDS {
        let place = place();
        let daemon = serve(&place, &["--max-in-flight", "1"]);
        let together = std::sync::Barrier::new(CLIENTS);
        let start = || {
            together.wait();
            daemon.post("/api/v1/workflows/waiting/execute", "").status
        };
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(start)).collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        let count = |status| statuses.iter().filter(|found| **found == status).count();
        assert_eq!((count(200), count(503)), (1, CLIENTS - 1), "{statuses:?}");
        assert_eq!(daemon.get(EXECUTIONS).expect(200)["total"], 1);
        place.write("go", "");
        daemon.stop();
    }
}
