//! What a client sees through interception: the agent's certificate, the origin's bytes.

use tests::{Lab, ORIGIN4, ORIGIN6};

#[test]
fn http1_and_http2_arrive_with_the_agents_certificate_and_the_origins_bytes() {
    let lab = Lab::new();
    for (option, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let format = "%{http_version} %{certs}";
        let output = lab.agent().run(&["curl", "-sS", option, "-w", format, "https://origin.test/hello"]);
        let rest = output.ok().strip_prefix("hello from origin.test\n").unwrap();
        assert!(rest.starts_with(&format!("{version} ")), "{output:#?}");
        assert!(rest.contains("Issuer:") && !rest.contains("lab root"), "{output:#?}");
    }
}

#[test]
fn the_original_destination_is_dialled_over_ipv4_and_ipv6() {
    let lab = Lab::new();
    let session = lab.agent().up();
    for (url, expect) in [
        ("https://v4only.test/addr", format!("{ORIGIN4}:443 v4only.test HTTP/2.0 v4only.test\n")),
        (&format!("https://[{ORIGIN6}]/addr"), format!("[{ORIGIN6}]:443 [{ORIGIN6}] HTTP/2.0 \n")),
        (&format!("https://{ORIGIN4}/addr"), format!("{ORIGIN4}:443 {ORIGIN4} HTTP/2.0 \n")),
        ("https://192.0.2.77/addr", "192.0.2.77:443 192.0.2.77 HTTP/2.0 \n".to_owned()),
    ] {
        let output = session.exec(&["curl", "-sSk", url]);
        assert_eq!(output.ok().replace("2001:db8:1:0:0:0:0:10", "2001:db8:1::10"), expect, "{url}");
    }
    session.down();
}
