//! Tells the program which commit it is built from, where that is known: of a clone, or of the
//! package that cargo made of one.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// How much of a commit's name is shown.
const SHOWN: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = match of_clone().or_else(of_package) {
        Some(commit) => format!("{version} ({})", commit.get(..SHOWN).unwrap_or(&commit)),
        None => version,
    };
    println!("cargo::rustc-env=WFX_VERSION={version}");
    link_unwinder();
    link_at_fixed_address();
}

/// Lets the program of a release be loaded at a fixed address. At any other, the loader rewrites tens of
/// thousands of addresses in it at each start, and copies the pages that they are in. Stack, heap and shared libraries are at random addresses as before. With
/// the feature `pie`, the program is as well.
fn link_at_fixed_address() {
    let of = |name: &str| env::var(name).unwrap_or_default();
    let is_gnu = of("CARGO_CFG_TARGET_OS") == "linux" && of("CARGO_CFG_TARGET_ENV") == "gnu";
    // There the linker is told already what kind of program it makes.
    let is_static =
        of("CARGO_CFG_TARGET_FEATURE").split(',').any(|feature| feature == "crt-static");
    // So does whoever builds packages for a distribution.
    let flags = of("CARGO_ENCODED_RUSTFLAGS");
    let is_decided = is_static || flags.contains("relocation-model") || flags.contains("-pie");
    let is_wanted = is_gnu && !is_decided && env::var_os("CARGO_FEATURE_PIE").is_none();
    if is_wanted && of("PROFILE") == "release" {
        println!("cargo::rustc-link-arg-bin=wfx=-no-pie");
    }
}

/// Links the unwinder of GCC into the program, where there is one to link: it is needed for
/// backtraces only, and a shared library less makes each start faster.
fn link_unwinder() {
    let of = |name: &str| env::var(name).unwrap_or_default();
    let is_native = of("TARGET") == of("HOST");
    if !is_native || of("CARGO_CFG_TARGET_OS") != "linux" || of("CARGO_CFG_TARGET_ENV") != "gnu" {
        return;
    }
    let output = Command::new("cc").arg("-print-file-name=libgcc_eh.a").output();
    let Ok(path) = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()) else {
        return;
    };
    // The name alone: there is none.
    let path = Path::new(path.trim());
    if let Some(folder) = path.parent().filter(|_| path.is_absolute() && path.exists()) {
        println!("cargo::rustc-link-search=native={}", folder.display());
        println!("cargo::rustc-link-lib=static=gcc_eh");
    }
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// The commit of this clone; none where the sources merely lie inside another one.
fn of_clone() -> Option<String> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let own = env::var("CARGO_MANIFEST_DIR").ok()?;
    if Path::new(&top).canonicalize().ok()? != Path::new(&own).canonicalize().ok()? {
        return None;
    }
    // A line is added to it with every commit and checkout.
    for file in ["HEAD", "logs/HEAD"] {
        println!("cargo::rerun-if-changed={}", git(&["rev-parse", "--git-path", file])?);
    }
    git(&["rev-parse", "HEAD"])
}

/// The commit that `cargo package` made this of.
fn of_package() -> Option<String> {
    let text = fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    rest.split('"').nth(1).map(str::to_owned)
}
