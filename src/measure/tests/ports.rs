//! No free port: a network namespace of its own has few, so the test runs itself again inside one.

use std::process::Command;

use crate::record::Fault;

use super::server::{Act, Server, response};
use super::subject::*;

const INSIDE: &str = "measure::tests::ports::inside_a_namespace_with_few_ports";
const NARROW: &str =
    r#"ip link set lo up && echo "50000 50003" >/proc/sys/net/ipv4/ip_local_port_range && exec "$0" "$@""#;

/// Whether this machine lets us make a namespace, and narrow its ports.
fn can_unshare() -> bool {
    let tried = Command::new("unshare").args(["-rn", "sh", "-c", NARROW, "true"]).output();
    tried.is_ok_and(|output| output.status.success())
}

#[test]
fn no_free_port_is_the_clients_own_fault() {
    if !can_unshare() {
        eprintln!("skipped: this machine lets us make no network namespace");
        return;
    }
    let this = std::env::current_exe().unwrap();
    let mut command = Command::new("unshare");
    command.args(["-rn", "sh", "-c", NARROW]).arg(this).args(["--exact", INSIDE, "--ignored"]);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by the test above, in a namespace with few ports"]
fn inside_a_namespace_with_few_ports() {
    assert!(Fault::NoFreePort.is_ours());
    for_both(both(), async |mut client| {
        let server = Server::start(vec![vec![Act::Take, response("200 OK", "fine"), Act::Hold]]);
        // All ports to the same address are taken.
        let taken: Vec<_> =
            std::iter::from_fn(|| std::net::TcpStream::connect(("127.0.0.1", server.port())).ok()).collect();
        assert!(!taken.is_empty());
        let exchange = client.exchange(&get(&server.url())).await;
        assert_eq!(exchange.fault, Some(Fault::NoFreePort), "{client:?}");
        // Closed with a reset, a port is free again at once.
        for stream in taken {
            let at_once = nix::libc::linger { l_onoff: 1, l_linger: 0 };
            nix::sys::socket::setsockopt(&stream, nix::sys::socket::sockopt::Linger, &at_once).unwrap();
        }
        assert_eq!(client.exchange(&get(&server.url())).await.fault, None, "{client:?}");
    });
}
