//! What both clients send, and what each can tell.

use crate::plan::Endpoint;

use super::server::{Act, Server, fine, response};
use super::subject::*;

/// The lines of a head, in order and without case: the first as it is, then the headers.
fn told(request: &str) -> (String, Vec<String>, String) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let first = lines.next().unwrap().to_owned();
    let mut headers: Vec<String> =
        lines.map(str::to_lowercase).filter(|line| !line.starts_with("host:")).collect();
    headers.sort();
    (first, headers, body.to_owned())
}

#[cfg(feature = "reqwest")]
#[test]
fn both_send_the_same_requests() {
    let endpoints = [
        Endpoint::get("/a?b=c d"),
        Endpoint::get("/").header("accept", "text/plain").header("X-Ship", "Ever Given"),
        Endpoint::post("/").body("hello"),
        Endpoint::post("/"),
        Endpoint::new("PUT", "/x"),
        Endpoint::new("DELETE", "/x"),
        Endpoint::get("/").header("user-agent", "mine").header("twice", "1").header("twice", "2"),
    ];
    for endpoint in endpoints {
        let server = Server::start(vec![fine()]);
        for_both(both(), async |mut client| {
            let base = server.url();
            let request = crate::measure::request::Request::new(&endpoint, Some(&base), PATIENCE).unwrap();
            assert_eq!(client.exchange(&request).await.fault, None);
        });
        let requests = server.requests();
        assert_eq!(requests.len(), 2);
        assert_eq!(told(&requests[0]), told(&requests[1]), "{endpoint:?}");
    }
}

#[test]
fn only_our_own_client_tells_of_connections_and_stamps() {
    for_both(both(), async |mut client| {
        let script = vec![Act::Take, response("200 OK", "a"), Act::Take, response("200 OK", "b"), Act::Hold];
        let server = Server::start(vec![script]);
        let first = client.exchange(&get(&server.url())).await;
        let second = client.exchange(&get(&server.url())).await;
        assert_eq!((first.connect.is_some(), second.connect), (client.is_ours(), None));
        assert!(client.is_ours() || !(first.stamped || second.stamped));
        assert!(first.sent < first.ended && first.ended <= second.sent && second.sent < second.ended);
    });
}
