//! A proxy between wfx and a server, which breaks connections and points elsewhere when it is told.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What never ends.
const UNLIMITED: i64 = i64::MAX;

/// What is sent instead of some bytes of the server, of the same length.
type Rewrite = (Vec<u8>, Vec<u8>);

/// A proxy, for as long as the test runs.
#[derive(Clone)]
pub(crate) struct Proxy {
    state: Arc<State>,
    pub(crate) port: u16,
}

struct State {
    server: AtomicU16,
    /// How many bytes may still pass, in both directions of all connections.
    budget: AtomicI64,
    /// How many have passed.
    passed: AtomicU64,
    rewrites: Vec<Rewrite>,
    connections: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub(crate) fn start(server: u16) -> Self {
        Self::rewriting(server, Vec::new())
    }

    pub(crate) fn rewriting(server: u16, rewrites: Vec<Rewrite>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            server: AtomicU16::new(server),
            budget: AtomicI64::new(UNLIMITED),
            passed: AtomicU64::new(0),
            rewrites,
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                accepting.connect(client);
            }
        });
        Self { state, port }
    }

    /// How many bytes have passed so far.
    pub(crate) fn passed(&self) -> u64 {
        self.state.passed.load(Ordering::SeqCst)
    }

    /// Breaks all connections once so many further bytes have passed, one time.
    pub(crate) fn cut_after(&self, bytes: u64) {
        self.state.budget.store(i64::try_from(bytes).unwrap(), Ordering::SeqCst);
    }

    /// Breaks nothing any more.
    pub(crate) fn heal(&self) {
        self.state.budget.store(UNLIMITED, Ordering::SeqCst);
    }

    /// From now on leads to another server.
    pub(crate) fn point_to(&self, server: u16) {
        self.state.server.store(server, Ordering::SeqCst);
        self.state.cut();
    }
}

impl State {
    fn connect(self: &Arc<Self>, client: TcpStream) {
        // Where nobody listens, the connection is closed.
        let Ok(server) = TcpStream::connect(("127.0.0.1", self.server.load(Ordering::SeqCst)))
        else {
            return;
        };
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
            self.connections.lock().unwrap().push(stream.try_clone().unwrap());
        }
        let (to_server, to_client) = (Arc::clone(self), Arc::clone(self));
        let (from_client, into_client) = (client.try_clone().unwrap(), client);
        let (from_server, into_server) = (server.try_clone().unwrap(), server);
        thread::spawn(move || to_server.copy(from_client, into_server, false));
        thread::spawn(move || to_client.copy(from_server, into_client, true));
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream, is_answer: bool) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let bytes = &mut buffer[..read];
            if is_answer {
                self.rewrites.iter().for_each(|rewrite| replace(bytes, rewrite));
            }
            let size = i64::try_from(read).unwrap();
            let budget = self.budget.load(Ordering::SeqCst);
            let left = match budget {
                UNLIMITED => UNLIMITED,
                _ => self.budget.fetch_sub(size, Ordering::SeqCst),
            };
            if left < size {
                let rest = usize::try_from(left).unwrap_or(0);
                let _ = to.write_all(&bytes[..rest]);
                self.budget.store(UNLIMITED, Ordering::SeqCst);
                self.cut();
                break;
            }
            self.passed.fetch_add(read as u64, Ordering::SeqCst);
            if to.write_all(bytes).is_err() {
                break;
            }
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }

    fn cut(&self) {
        for stream in self.connections.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn replace(bytes: &mut [u8], (old, new): &Rewrite) {
    let found = bytes.windows(old.len()).position(|window| window == old);
    if let Some(at) = found {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
}
