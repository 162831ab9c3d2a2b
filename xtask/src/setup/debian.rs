//! Debian packages: those that the tests and the demo use. Asks apt only for what is missing.

use std::path::Path;

use anyhow::{Result, bail};

use super::clients::PYTHON;
use crate::shell::{as_root, command, find, read, run, say};

/// A package, and how to tell that the machine has what it brings without it.
pub(crate) struct Package {
    name: &'static str,
    /// Whether what it brings came from elsewhere.
    elsewhere: fn() -> bool,
}

impl Package {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self { name, elsewhere: || false }
    }

    const fn unless(name: &'static str, elsewhere: fn() -> bool) -> Self {
        Self { name, elsewhere }
    }
}

/// What the agent's tests, the demo and the checks of CI use.
pub(crate) fn runtime() -> Vec<Package> {
    let plain = [
        "gcc",
        // For libFuzzer.
        "g++",
        "libc6-dev",
        "nginx-light",
        "nghttp2-client",
        "ca-certificates",
        "curl",
        "diffutils",
        "git",
        "gnutls-bin",
        "libnss3-tools",
        "iproute2",
        "nftables",
        "tcpdump",
        "tshark",
        "iputils-ping",
        "openssl",
        "procps",
        "sqlite3",
        "util-linux",
        "wget",
        "zstd",
        "python3",
    ];
    let mut packages: Vec<Package> = plain.into_iter().map(Package::new).collect();
    packages.push(Package::unless("python3-venv", python_makes_environments));
    packages.push(Package::unless("chromium", || find("chromium").is_some()));
    packages.push(Package::unless("nodejs", || find("node").is_some()));
    packages.push(Package::unless("npm", || find("npm").is_some()));
    // Java's compiler comes along: the suites run sources.
    packages.push(Package::unless("default-jdk-headless", || find("javac").is_some()));
    packages
}

/// Installs those of `packages` that are missing; returns whether any was.
pub(crate) fn install(packages: &[Package]) -> Result<bool> {
    let missing = missing(packages)?;
    if missing.is_empty() {
        return Ok(false);
    }
    if find("apt-get").is_none() {
        bail!("this machine has no apt; install what these Debian packages bring: {}", missing.join(" "));
    }
    say(&format!("setup: packages {}", missing.join(" ")));
    update()?;
    let had_nginx = find("nginx").is_some();
    let install = [
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "install",
        "--quiet",
        "--yes",
        "--no-upgrade",
        "--no-install-recommends",
    ];
    run(&mut as_root("env", &[&install[..], &missing[..]].concat())?)?;
    if !had_nginx && find("nginx").is_some() {
        stop_nginx()?;
    }
    Ok(true)
}

/// Whether apt can install the package `name`, by the lists it has now.
pub(crate) fn knows(name: &str) -> bool {
    read(&mut command("apt-cache", &["show", "--no-all-versions", name])).is_ok()
}

/// Fetches apt's lists.
pub(crate) fn update() -> Result<()> {
    run(&mut as_root("apt-get", &["update", "--quiet"])?)
}

fn missing(packages: &[Package]) -> Result<Vec<&'static str>> {
    let installed = installed(packages)?;
    let missing = packages.iter().filter(|package| !is_in(&installed, package.name) && !(package.elsewhere)());
    Ok(missing.map(|package| package.name).collect())
}

/// What dpkg says of `packages`, a line each: name and status. Nothing where there is no dpkg.
fn installed(packages: &[Package]) -> Result<String> {
    let Some(query) = find("dpkg-query") else { return Ok(String::new()) };
    let mut query =
        command(&query.to_string_lossy(), &["--show", "--showformat=${Package} ${db:Status-Status}\n", "dpkg"]);
    // It fails if it knows nothing of one of them, having listed the others; dpkg itself it always knows.
    let output = query.args(packages.iter().map(|package| package.name)).output()?;
    let installed = String::from_utf8_lossy(&output.stdout).into_owned();
    if !is_in(&installed, "dpkg") {
        bail!("`dpkg-query` does not work: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(installed)
}

fn is_in(installed: &str, name: &str) -> bool {
    installed.lines().any(|line| line.split_once(' ') == Some((name, "installed")))
}

/// Debian starts nginx on port 80 as soon as it is installed, and again at each boot; the tests only want the binary.
/// A `policy-rc.d` would prevent the start, but for every service of the machine and for a file that may be there
/// already, so we let it start and end it at once. An nginx that was installed before is none of our business.
fn stop_nginx() -> Result<()> {
    if Path::new("/run/systemd/system").exists() {
        return run(&mut as_root("systemctl", &["disable", "--now", "nginx.service"])?);
    }
    run(&mut as_root("update-rc.d", &["nginx", "disable"])?)?;
    if Path::new("/run/nginx.pid").exists() {
        run(&mut as_root("service", &["nginx", "stop"])?)?;
    }
    Ok(())
}

/// Whether `python3 -m venv` works: Debian's own python needs another package for that, and may not be the first on PATH.
fn python_makes_environments() -> bool {
    ["python3", PYTHON].iter().all(|python| read(&mut command(python, &["-c", "import venv, ensurepip"])).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_from_elsewhere_is_not_missing() {
        let packages = [Package::unless("no-such-package-1", || true), Package::new("no-such-package-2")];
        assert_eq!(missing(&packages).unwrap(), ["no-such-package-2"]);
    }
}
