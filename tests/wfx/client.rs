//! The command line as a client of a daemon: what it shows is what it shows of the database.

mod edges;
mod following;
mod golden;
mod tokens;

use std::path::PathBuf;

use crate::daemon::Daemon;
use crate::support::{Place, Ran};

/// A daemon on a TCP port and on a unix socket.
fn serve(place: &Place, more: &[&str]) -> Daemon {
    let mut command = place.wfx(["serve", "--listen", "127.0.0.1:0", "--workflows", "workflows"]);
    command.args(["--listen", &format!("unix:{}", socket(place).display())]).args(more);
    Daemon::of(&mut command)
}

fn socket(place: &Place) -> PathBuf {
    place.path("wfx.sock")
}

/// `wfx` with these arguments and the unix socket of the daemon; without a database.
fn served(place: &Place, args: &[&str]) -> std::process::Command {
    let mut command = place.wfx(args);
    command.env_remove("WFX_DB").env("WFX_SERVER", format!("unix:{}", socket(place).display()));
    command
}

fn run_served(place: &Place, args: &[&str]) -> Ran {
    Ran::of(&mut served(place, args))
}

fn place(workflows: &[(&str, &str)]) -> Place {
    let place = Place::new();
    std::fs::create_dir(place.path("workflows")).unwrap();
    for (name, text) in workflows {
        place.write(&format!("workflows/{name}.yaml"), text);
    }
    place
}

/// Goes on when there is a file `go`.
const WAITING: &str = "id: waiting
steps:
- name: wait
  run: echo waits; until test -e go; do sleep 0.02; done
";
