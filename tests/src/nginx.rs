//! The origin of the main tests: nginx from the distribution.

use std::fmt::Write as _;
use std::fs;

use crate::certificates::Authority;
use crate::lab::{ORIGIN4, ORIGIN6};
use crate::netns::Netns;
use crate::process::Process;
use crate::scratch::Scratch;
use crate::wait::eventually;

/// Starts nginx for these names, all on the same addresses, each with a certificate and files of its own:
/// `/` is the directory `www-NAME`, `/addr` says how the request arrived, `/upload/` takes PUT, `/grpc` answers POST with
/// the file `grpc.bin` and a trailer, as a unary call is answered.
#[must_use]
pub fn start(netns: &Netns, scratch: &Scratch, authority: &Authority, names: &[&str]) -> Process {
    let dir = scratch.file("nginx");
    fs::create_dir(&dir).unwrap();
    // Without a master there is no worker that would survive the end of the process that we hold.
    let mut conf = format!(
        "daemon off; master_process off; user root; pid {dir}/pid; error_log {dir}/error.log;\n\
         worker_rlimit_nofile 8192; events {{ worker_connections 4096; }}\n\
         http {{ access_log off; client_max_body_size 0; keepalive_requests 1000000; sendfile on; default_type text/plain;\n"
    );
    for place in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(conf, "{place}_temp_path {dir}/{place};").unwrap();
    }
    for name in names {
        conf.push_str(&server(scratch, authority, name));
    }
    conf.push_str("}\n");
    let path = scratch.write("nginx/nginx.conf", conf);
    let mut process = Process::spawn(netns.command("nginx").args(["-c", &path, "-e", &format!("{dir}/error.log")]));
    // nginx writes it once it listens.
    eventually("nginx listens", || {
        assert!(process.is_alive(), "nginx: {}", fs::read_to_string(format!("{dir}/error.log")).unwrap_or_default());
        fs::read_to_string(format!("{dir}/pid")).ok().filter(|pid| !pid.is_empty())
    });
    process
}

/// Where the files of a name are.
#[must_use]
pub fn root(scratch: &Scratch, name: &str) -> String {
    scratch.file(&format!("www-{name}"))
}

fn server(scratch: &Scratch, authority: &Authority, name: &str) -> String {
    let root = root(scratch, name);
    fs::create_dir_all(format!("{root}/upload")).unwrap();
    fs::write(format!("{root}/hello"), format!("hello from {name}\n")).unwrap();
    let (cert, key) = authority.issue(scratch, name, &format!("DNS:{name},IP:{ORIGIN4},IP:{ORIGIN6}"));
    format!(
        "server {{ server_name {name};
           listen 443 ssl http2; listen [::]:443 ssl http2; listen 80; listen [::]:80; listen 8080; listen [::]:8080;
           ssl_certificate {cert}; ssl_certificate_key {key}; root {root};
           location = /addr {{ return 200 \"$server_addr:$server_port $http_host $server_protocol $ssl_server_name\\n\"; }}
           location = /seen {{ return 200 \"$request_uri|$http_authorization|$http_cookie|$http_accept_encoding\\n\"; }}
           location = /grpc {{ error_page 405 =200 /grpc.bin; }}
           location = /grpc.bin {{ default_type application/grpc; add_trailer grpc-status 0; }}
           location /upload/ {{ dav_methods PUT; }} }}\n"
    )
}
