//! The `plimsoll` command as a shell sees it: `load` against a real `serve`, exit codes and errors.

#![cfg(all(feature = "cli", feature = "serve"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use common::{Ran, Running, Server, closed_pipe, full_disk, plimsoll, run, run_into};
use nix::sys::signal::Signal;
use serde_json::Value;

fn load(args: &[&str]) -> Ran {
    run(plimsoll(&["load"]).args(args))
}

fn load_json(args: &[&str]) -> Value {
    let ran = load(&[&["--format", "json"], args].concat()).expect_code(0);
    serde_json::from_str(&ran.out).unwrap()
}

/// The count behind `name: `, as in `  200: 45 times`.
fn times(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.trim().strip_prefix(&format!("{name}: ")));
    line.and_then(|rest| rest.strip_suffix(" times")).map_or(0, |count| count.parse().unwrap())
}

#[test]
fn the_script_block_counts_a_hundred_at_once_against_a_limit_of_ten_as_the_server_did() {
    let server = Server::start(&["--max-concurrent-requests", "10"]);
    let url = server.at("/tokenizer?output_tokens=300000&input_text=abcdefgh");
    let ran = load(&[&url, "--requests", "100", "--concurrency", "100", "--format", "script"]).expect_code(0);
    let lines: Vec<&str> = ran.out.lines().collect();
    let (served, refused) = (times(&ran.out, "200"), times(&ran.out, "429"));
    assert_eq!(served + refused, 100, "{}", ran.out);
    assert!(served >= 10, "{}", ran.out);
    let stats = server.stats();
    assert_eq!(stats["200"].as_u64().unwrap(), served);
    assert_eq!(stats["429"].as_u64().unwrap_or(0), refused);

    assert_eq!(lines[..2], ["*** Results ***", "Status codes:"]);
    let after = lines.iter().position(|line| line.starts_with("Success ratio: ")).unwrap();
    assert_eq!(lines[after], format!("Success ratio: {served}.00%"));
    let expected = [
        "--- - --- - ---",
        "Total time: * seconds",
        "Median latency: *  |  Average latency: * seconds",
        "Shortest request time: * seconds  |  Longest request time: * seconds",
        "--- - --- - ---",
        "Throughput: * requests per second",
        "Avg Input Tokens: *  |  Avg Output Tokens: *",
        "Input Token Throughput: * tokens per second  |  Output Token Throughput: * tokens per second",
    ];
    let shapes: Vec<String> = lines[after + 1..].iter().map(|line| shape(line)).collect();
    assert_eq!(shapes, expected);
    let tokens = format!("Avg Output Tokens: {:.4}", 3_000.0 * served as f64);
    assert!(ran.out.contains(&tokens), "{tokens} in {}", ran.out);
}

/// A line with a star for each number.
fn shape(line: &str) -> String {
    let star = |word| if f64::from_str(word).is_ok() { "*" } else { word };
    line.split(' ').map(star).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_data_has_all_that_is_promised() {
    let server = Server::start(&[]);
    let url = server.at("/tokenizer?output_tokens=30&input_text=abcdefgh");
    let data = load_json(&[&url, "-n", "40", "-c", "4"]);
    assert_eq!((&data["requests"], &data["concurrency"]), (&40.into(), &4.into()));
    assert_eq!(data["status_codes"]["200"], 40);
    assert_eq!(data["faults"], serde_json::json!({}));
    assert_eq!(data["success_ratio"], 1.0);
    assert_eq!(data["output_tokens_mean"], 30.0);
    assert_eq!(data["input_tokens_mean"], 2.0);
    assert_eq!(data["connections_opened"], 4);
    let elapsed = data["elapsed_s"].as_f64().unwrap();
    let rate = |name: &str| data[name].as_f64().unwrap() * elapsed;
    assert!((rate("throughput_per_s") - 40.0).abs() < 1e-6, "{data}");
    assert!((rate("output_token_throughput_per_s") - 1_200.0).abs() < 1e-3, "{data}");
    assert!((rate("input_token_throughput_per_s") - 80.0).abs() < 1e-3, "{data}");
    let names = ["min", "p50", "p90", "p95", "p99", "p99_9", "max"];
    let latency: Vec<f64> = names.iter().map(|name| data["latency_ns"][name].as_f64().unwrap()).collect();
    assert!(latency[0] > 0.0 && latency.is_sorted(), "{data}");
    assert!(data["latency_ns"]["mean"].is_number() && data["lag_ns"].is_object(), "{data}");
}

#[test]
fn the_summary_is_for_people() {
    let server = Server::start(&[]);
    let address = server.at("/tokenizer?output_tokens=30&input_text=abcdefgh");
    // Without a scheme it is http.
    let ran = load(&[address.strip_prefix("http://").unwrap(), "-n", "40", "-c", "4"]).expect_code(0);
    for line in [
        "Requests: 40",
        "Success ratio: 100%",
        "Output tokens: 30 tokens per success",
        "Latency of successes:",
        "Latency histogram:",
        "200: 40",
        "opened 4 connections",
        "client lag",
        "of each connection's time",
    ] {
        assert!(
            ran.out.split_whitespace().collect::<Vec<_>>().join(" ").contains(line),
            "{line} in\n{}",
            ran.out
        );
    }
    assert!(!ran.out.contains("Faults") && ran.err.is_empty(), "{}\n{}", ran.out, ran.err);
}

#[test]
fn a_dumb_terminal_gets_plain_lines_and_no_escape_codes() {
    let server = Server::start(&["--service-time", "1ms"]);
    let url = server.at("/hello");
    for term in [Some("dumb"), None] {
        let (code, text) =
            common::run_on_terminal(term, &mut plimsoll(&["load", &url, "-z", "3s", "-c", "2"]));
        assert!(!text.contains('\x1b'), "{text}");
        let is_progress = |line: &str| line.contains("%: ") && line.contains(" requests, ");
        assert!(code == Some(0) && text.lines().any(is_progress), "{text}");
        assert!(text.contains("Summary:"), "{text}");
    }
    let bar = common::run_on_terminal(Some("xterm"), &mut plimsoll(&["load", &url, "-z", "500ms"])).1;
    assert!(bar.contains('\x1b'), "{bar}");
}

#[test]
fn a_reader_that_left_early_is_not_an_error() {
    let server = Server::start(&[]);
    let url = server.at("/hello");
    for args in [&["load", &url][..], &["load", &url, "--format", "json"], &["baseline", "list"], &["--help"]]
    {
        let ran = run_into(closed_pipe(), &mut plimsoll(args)).expect_code(0);
        assert_eq!(ran.err, "", "{args:?}");
    }
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    let server = Server::start(&[]);
    let url = server.at("/hello");
    for args in [&["load", &url][..], &["load", &url, "--format", "script"], &["baseline", "list"]] {
        let ran = run_into(full_disk(), &mut plimsoll(args)).expect_code(3);
        assert_eq!(
            ran.err,
            "error: could not write to standard output: No space left on device (os error 28)\n"
        );
    }
}

#[test]
fn no_exchange_is_shorter_than_what_the_server_sleeps() {
    let server = Server::start(&[]);
    let data = load_json(&[&server.at("/sleeper?sleep_length=0.05"), "-n", "20", "-c", "4"]);
    assert_eq!(data["status_codes"]["200"], 20);
    assert!(data["latency_ns"]["min"].as_f64().unwrap() >= 50e6, "{data}");
    assert!(data["elapsed_s"].as_f64().unwrap() >= 0.25, "{data}");
}

#[test]
fn a_duration_loads_for_so_long() {
    let server = Server::start(&["--service-time", "1ms"]);
    let began = Instant::now();
    let data = load_json(&[&server.at("/hello"), "-z", "300ms", "-c", "2"]);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(data["requests"].as_u64().unwrap() >= 2, "{data}");
    assert!(data["elapsed_s"].as_f64().unwrap() >= 0.3, "{data}");
}

/// Loads a listener of this test once, and returns the request.
fn sent(args: &[&str]) -> String {
    let url = |address| format!("http://{address}/x?y");
    let (request, _) = sent_by(|address| run(plimsoll(&["load", &url(address), "-n1", "-c1"]).args(args)));
    request
}

/// Lets `load` make one request to a listener of this test, and returns the request and what was told.
fn sent_by(load: impl FnOnce(SocketAddr) -> Ran) -> (String, Ran) {
    use std::io::{Read, Write};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut request = Vec::new();
        let mut more = |length: usize| {
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).unwrap();
            request.extend(bytes);
            String::from_utf8_lossy(&request).into_owned()
        };
        let mut head = more(1);
        while !head.ends_with("\r\n\r\n") {
            head = more(1);
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let request = more(length.map_or(0, |length| length.parse().unwrap()));
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        request
    });
    let ran = load(address).expect_code(0);
    (server.join().unwrap(), ran)
}

#[test]
fn method_headers_and_body_are_sent_as_given() {
    let request =
        sent(&["-m", "PUT", "-H", "X-One: 1", "-H", "X-Two:2", "-d", "the body", "-T", "text/plain"]);
    assert!(request.starts_with("PUT /x?y HTTP/1.1\r\n"), "{request}");
    for part in ["X-One: 1\r\n", "X-Two: 2\r\n", "Content-Type: text/plain\r\n", "Content-Length: 8\r\n"] {
        assert!(request.contains(part), "{part} in {request}");
    }
    assert!(request.ends_with("\r\n\r\nthe body"), "{request}");
    assert!(sent(&[]).starts_with("GET /x?y HTTP/1.1\r\n"));
}

#[test]
fn methods_of_http_are_sent_in_upper_case_and_others_as_given() {
    for (given, sent_as) in [("get", "GET"), ("post", "POST"), ("pUT", "PUT"), ("Purge", "Purge")] {
        let request = sent(&["-m", given]);
        assert!(request.starts_with(&format!("{sent_as} /x?y HTTP/1.1\r\n")), "{request}");
    }
}

#[test]
fn a_body_is_text_a_file_or_standard_input_and_implies_post() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("body.json");
    fs::write(&file, "{\"from\": \"a file\"}\n").unwrap();
    let at_file = format!("@{}", file.display());
    for (args, body) in [
        (["-d", r#"{"a": 1}"#], r#"{"a": 1}"#),
        (["-d", &at_file], "{\"from\": \"a file\"}\n"),
        (["-D", file.to_str().unwrap()], "{\"from\": \"a file\"}\n"),
        (["-d", "@-"], "from a pipe"),
        (["-D", "-"], "from a pipe"),
        (["-d", ""], ""),
    ] {
        let script = "printf 'from a pipe' | \"$0\" load -n1 -c1 \"$@\"";
        let plimsoll = env!("CARGO_BIN_EXE_plimsoll");
        let (request, ran) = sent_by(|address| {
            run(Command::new("sh").args(["-c", script, plimsoll, &format!("http://{address}/x")]).args(args))
        });
        assert!(request.starts_with("POST /x HTTP/1.1\r\n"), "{args:?}: {request}");
        assert!(request.ends_with(&format!("\r\n\r\n{body}")), "{args:?}: {request}");
        assert_eq!(ran.err.contains("without a Content-Type header"), !body.is_empty(), "{}", ran.err);
    }
    assert!(sent(&["-d", "a=1", "-d", "b=2"]).ends_with("\r\n\r\na=1&b=2"));
    // Who names a method gets it.
    assert!(sent(&["-m", "GET", "-d", "x"]).starts_with("GET /x?y HTTP/1.1\r\n"));
}

#[test]
fn only_a_body_without_a_content_type_is_told() {
    let told = |args: &[&str]| {
        let (_, ran) =
            sent_by(|address| load(&[&[&*format!("http://{address}/"), "-n1", "-c1"], args].concat()));
        ran.err
    };
    assert!(told(&["-d", "{}"]).contains("set it with -T, as in -T application/json"));
    for args in [&["-d", "{}", "-T", "application/json"][..], &["-d", "{}", "-H", "content-type: x"], &[]] {
        assert_eq!(told(args), "", "{args:?}");
    }
}

#[test]
fn a_timeout_is_a_fault_and_an_expected_status_a_success() {
    let server = Server::start(&[]);
    let slow = load(&[
        &server.at("/sleeper?sleep_length=20"),
        "-n",
        "2",
        "-c",
        "2",
        "-t",
        "100ms",
        "--format",
        "json",
    ]);
    let data: Value = serde_json::from_str(&slow.out).unwrap();
    assert_eq!((slow.code, data["success_ratio"].as_f64()), (Some(3), Some(0.0)), "{data}");
    let faults: Vec<(&String, &Value)> = data["faults"].as_object().unwrap().iter().collect();
    assert!(faults.len() == 1 && faults[0].0.contains("time") && faults[0].1 == 2, "{data}");

    let nowhere = server.at("/nowhere");
    let wanted = load_json(&[&nowhere, "-n", "3", "--expect-status", "404"]);
    assert_eq!((&wanted["success_ratio"], &wanted["status_codes"]["404"]), (&1.0.into(), &3.into()));
    // Without a single success nothing was measured.
    let unwanted = load(&[&nowhere, "-n", "3", "--format", "json"])
        .expect_code(3)
        .expect_err("none of 3 requests succeeded: unexpected status 404 (3)")
        .expect_err("--expect-status");
    let unwanted: Value = serde_json::from_str(&unwanted.out).unwrap();
    assert_eq!((&unwanted["success_ratio"], &unwanted["faults"]["status_404"]), (&0.0.into(), &3.into()));
}

#[test]
fn a_body_with_a_rejected_text_or_without_the_expected_one_is_a_fault() {
    let server = Server::start(&[]);
    let url = server.at("/tokenizer?output_tokens=3&input_text=abcdefgh");
    let ran = load(&[&url, "-n", "4", "--reject-body", "output_text"])
        .expect_code(3)
        .expect_err("none of 4 requests succeeded: body with a rejected text (4)");
    assert!(ran.out.contains("200: 4"), "{}", ran.out);
    load(&[&url, "-n", "4", "--expect-body", "nowhere"])
        .expect_code(3)
        .expect_err("body without the expected text (4)");
    let data = load_json(&[&url, "-n", "4", "--expect-body", "output_text", "--reject-body", "\"error\""]);
    assert_eq!(data["success_ratio"], 1.0);
}

#[test]
fn tokens_are_found_where_pointers_lead_and_not_shown_where_there_are_none() {
    let server = Server::start(&[]);
    let url = server.at("/tokenizer?output_tokens=30&input_text=abcdefgh");
    // The number of input tokens as that of output tokens.
    let data = load_json(&[&url, "-n", "4", "--output-tokens", "/input_tokens"]);
    assert_eq!((&data["output_tokens_mean"], &data["input_tokens_mean"]), (&2.0.into(), &2.0.into()));
    let ran = load(&[&server.at("/hello"), "-n", "4", "--format", "script"]).expect_code(0);
    assert!(!ran.out.contains("Tokens"), "{}", ran.out);
    load(&[&server.at("/hello"), "-n", "4", "--output-tokens", "/n"])
        .expect_code(0)
        .expect_out("no response has a number at /n");
}

#[test]
fn targets_are_read_from_a_file() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("endpoints.txt");
    let text = format!("\u{feff}# ours\r\n\r\n{}\r\n{}\r\n", server.at("/hello"), server.at("/nowhere"));
    fs::write(&file, text).unwrap();
    let data = load_json(&["--targets", file.to_str().unwrap(), "-n", "64", "--seed", "1"]);
    let [hello, nowhere] = ["200", "404"].map(|status| data["status_codes"][status].as_u64().unwrap_or(0));
    assert!(hello > 0 && nowhere > 0 && hello + nowhere == 64, "{data}");
    // The default is this file in the working directory.
    let default =
        run(plimsoll(&["load", "-n", "64", "--format", "script"]).current_dir(&folder)).expect_code(0);
    assert_eq!(times(&default.out, "200") + times(&default.out, "404"), 64);
}

#[test]
fn a_line_of_targets_may_be_an_object_with_method_headers_and_body() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("targets.jsonl");
    fs::write(folder.path().join("prompt"), "from a file").unwrap();
    let sent = |rest: &str, args: &[&str]| {
        sent_by(|address| {
            fs::write(&file, format!("{{\"url\": \"http://{address}/x\", {rest}}}\n")).unwrap();
            load(&[&["--targets", file.to_str().unwrap(), "-n1", "-c1"], args].concat())
        })
    };
    let own =
        r#""method": "put", "headers": {"X-One": "1", "Content-Type": "text/plain"}, "body": "of its own""#;
    let (request, ran) = sent(own, &[]);
    assert!(request.starts_with("PUT /x HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nX-One: 1\r\n") && request.ends_with("\r\n\r\nof its own"), "{request}");
    assert_eq!(ran.err, "");
    let (request, ran) = sent(r#""body_file": "prompt""#, &[]);
    assert!(request.starts_with("POST /x ") && request.ends_with("\r\n\r\nfrom a file"), "{request}");
    assert!(ran.err.contains("without a Content-Type header"), "{}", ran.err);
    // An option takes precedence over a line, and what it does not name stays.
    let (request, _) = sent(own, &["-d", "another", "-T", "text/html", "-H", "x-one: 2"]);
    assert!(request.starts_with("PUT /x ") && request.ends_with("\r\n\r\nanother"), "{request}");
    assert!(request.contains("x-one: 2\r\n") && request.contains("Content-Type: text/html\r\n"), "{request}");
    assert!(!request.contains("X-One") && !request.contains("text/plain"), "{request}");
    assert!(sent(own, &["-m", "PATCH"]).0.starts_with("PATCH /x "));

    fs::write(&file, "# ours\n{\"url\": \"http://h/\", \"heders\": {}}\n").unwrap();
    load(&["--targets", file.to_str().unwrap()])
        .expect_code(2)
        .expect_err("targets.jsonl:2: unknown field `heders`, expected one of `method`, `url`, `headers`");
}

#[test]
fn an_interrupt_prints_what_there_is() {
    let server = Server::start(&["--service-time", "1ms"]);
    let url = server.at("/hello");
    let args = ["load", &url, "-z", "100s", "-c", "2", "--format", "script"];
    let load = Running::start(&mut plimsoll(&args));
    let answered = || server.stats()["200"].as_u64().unwrap_or(0);
    common::wait_until("it loads", Duration::from_secs(30), || answered() > 20);
    let (signal, code) = common::ending_signals()[0];
    load.signal(signal);
    let ran = load.finish().expect_code(code).expect_out("*** Results ***");
    assert!(times(&ran.out, "200") > 0, "{}", ran.out);
}

#[test]
fn a_server_that_is_still_loading_is_waited_for() {
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = free();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(400));
        let listener = TcpListener::bind(address).unwrap();
        for (number, mut stream) in listener.incoming().flatten().enumerate() {
            _ = std::io::Read::read(&mut stream, &mut [0; 1024]);
            let status = if number < 2 { "503 Loading" } else { "200 OK" };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
        }
    });
    let url = format!("http://{address}/");
    let ran = load(&[&url, "-n", "2", "-c", "1", "--wait", "60s", "--format", "script"]).expect_code(0);
    let ran = ran.expect_err(&format!("waiting up to 60s for {url}\n"));
    assert_eq!(times(&ran.out, "200"), 2, "{}", ran.out);
    load(&[&format!("http://{}/", free()), "--wait", "200ms"])
        .expect_code(3)
        .expect_err("was not ready within 200ms")
        .expect_err("raise the timeout with --wait");
}

#[test]
fn requests_can_go_to_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    load(&["http://shop.example/x", "--unix-socket", path.to_str().unwrap(), "-n1", "-c1"]).expect_code(0);
    let request = server.join().unwrap();
    assert!(request.starts_with("GET /x HTTP/1.1\r\nHost: shop.example\r\n"), "{request}");
    load(&["http://shop.example/x", "--unix-socket", "/no/such/socket", "-n1"])
        .expect_code(3)
        .expect_err("could not connect to the Unix socket /no/such/socket: No such file or directory");
}

#[test]
fn connections_can_be_redirected_and_limited_to_a_version_of_ip() {
    let server = Server::start(&[]);
    for entry in ["shop.example:80:127.0.0.1:PORT", "shop.example::127.0.0.1:PORT", "::127.0.0.1:PORT"] {
        let entry = entry.replace("PORT", server.port());
        let data = load_json(&["http://shop.example/hello", "--connect-to", &entry, "-n", "3"]);
        assert_eq!(data["status_codes"]["200"], 3, "{data}");
    }
    assert_eq!(load_json(&[&server.at("/hello"), "-4", "-n", "3"])["status_codes"]["200"], 3);
}

#[test]
fn without_keepalive_each_request_has_a_connection_of_its_own() {
    let server = Server::start(&[]);
    let url = server.at("/hello");
    let opened = |args: &[&str]| {
        let data = load_json(&[&[&*url, "-n", "20", "-c", "2"], args].concat());
        assert_eq!(data["status_codes"]["200"], 20, "{data}");
        data["connections_opened"].as_u64().unwrap()
    };
    assert_eq!((opened(&[]), opened(&["--no-keepalive"])), (2, 20));
    assert!(sent(&["--no-keepalive"]).contains("\r\nConnection: close\r\n"));
    assert!(!sent(&["--no-keepalive", "-H", "connection: keep-alive"]).contains("close"));
}

#[test]
fn the_limit_of_open_files_is_raised_for_every_host_of_every_worker() {
    // All of 127.0.0.0/8 is this machine.
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = [0; 1024];
                while std::io::Read::read(&mut stream, &mut request).is_ok_and(|read| read > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
                    _ = std::io::Write::write_all(&mut stream, answer);
                }
            });
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("endpoints.txt");
    let lines: Vec<String> = (1..=16).map(|host| format!("http://127.0.0.{host}:{port}/")).collect();
    fs::write(&file, lines.join("\n")).unwrap();
    let script = "ulimit -Sn 80; exec \"$0\" load --targets \"$1\" -n 1000 -c 10 --format script";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_plimsoll")]).arg(&file);
    let ran = run(&mut shell).expect_code(0);
    assert_eq!(times(&ran.out, "200"), 1_000, "{}", ran.out);
}

#[test]
fn a_refused_connection_was_not_measured() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    load(&[&format!("http://{free}/"), "-n", "4"])
        .expect_code(3)
        .expect_out("connection refused: 4")
        .expect_out("No request succeeded.")
        .expect_err("none of 4 requests succeeded: connection refused (4)");
}

#[test]
fn serve_ends_cleanly_by_either_signal() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let server = Server::start(&[]);
        server.get("/hello");
        assert_eq!(server.end(signal), Some(0), "{signal}");
    }
}

#[test]
fn a_taken_port_is_named_with_a_way_out() {
    let server = Server::start(&[]);
    run(&mut plimsoll(&["serve", "--port", server.port()]))
        .expect_code(3)
        .expect_err(&format!("could not listen on port {} of 127.0.0.1", server.port()))
        .expect_err("--port 0");
}

#[test]
fn each_wrong_call_is_told_what_is_wrong_with_it() {
    const URL: &str = "http://127.0.0.1:1/";
    let cases: &[(&[&str], &str)] = &[
        (&["/x"], "it has no host"),
        (&["ftp://h/x"], "`ftp` is neither http nor https"),
        (&[URL, "-c", "0"], "concurrency and requests must be at least 1"),
        (&[URL, "-n", "0"], "concurrency and requests must be at least 1"),
        (&[URL, "-c", "1000000", "-n", "1000000"], "more than 10,000 requests in flight"),
        (&[URL, "-c", "-1"], "unexpected argument '-1'"),
        (&[URL, "-z", "NaN"], "`NaN` is not a duration"),
        (&[URL, "-z", "-1s"], "`-1s` is out of range"),
        (&[URL, "-z", "1e9h"], "`1e9h` is not a duration"),
        (&[URL, "-z", "99999h"], "`99999h` is out of range"),
        (&[URL, "-z", "0"], "must be longer than 0"),
        (&[URL, "-t", "0ms"], "must be longer than 0"),
        (&[URL, "-t", "soon"], "`soon` is not a duration"),
        (&[URL, "-H", "no colon"], "write it as `Name: value`"),
        (&[URL, "-m", "GE T"], "`GE T` is not an HTTP method"),
        (&[URL, "-D", "/no/such/body"], "/no/such/body cannot be read"),
        (&[URL, "-d", "@/no/such/body"], "/no/such/body cannot be read"),
        (&[URL, "--expect-status", "999"], "999 is not an HTTP status"),
        (&[URL, "--reject-body", ""], "a text to look for in the body is empty"),
        (&[URL, "--input-tokens", "usage"], "`usage` is not a JSON pointer"),
        (&[URL, "--connect-to", "h:80"], "`h:80` must have four parts, HOST:PORT:HOST:PORT"),
        (&[URL, "-6"], "127.0.0.1 is not an IPv6 address"),
        (&[URL, "-4", "-6"], "cannot be used with"),
        (&[URL, "--unix-socket", "/x", "-4"], "all connections go to its Unix socket"),
        (&[URL, "--unix-socket", "/x", "--proxy", "http://h:1"], "all connections go to its Unix socket"),
        (
            &[URL, "--connect-to", "::h:1", "--follow"],
            "redirects cannot be followed together with connect-to",
        ),
        (&[URL, "--connect-to", "::h:2", "--http2"], "connect-to cannot lead from an IP address"),
        (&[URL, "--bogus"], "unexpected argument '--bogus'"),
        (&[], "no URL to load: pass one, or a file of URLs with --targets"),
        (&["--targets", "/no/such/file"], "the targets file /no/such/file cannot be read"),
    ];
    for (args, sentence) in cases {
        let ran = load(args).expect_code(2).expect_err(sentence);
        assert_eq!((ran.out.as_str(), ran.err.matches(sentence).count()), ("", 1), "{}", ran.err);
    }
}

#[test]
fn a_bad_targets_file_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.txt");
    let told = |bytes: &[u8], sentence: &str| {
        fs::write(&file, bytes).unwrap();
        load(&["--targets", file.to_str().unwrap()])
            .expect_code(2)
            .expect_err(sentence)
            .expect_err("bad.txt");
    };
    told(b"", "contains no URL");
    told(b"# nothing\r\n\r\n", "contains no URL");
    told(b"http://h/\n\nlocalhost:80\n", "bad.txt:3: ");
    told(b"http://h/\ngopher://h/\n", "bad.txt:2: ");
    told(b"http://h/\xff\n", "is not UTF-8 text");
    told(b"http://h/\n/path\n", "bad.txt:2: the URL `/path` cannot be requested: it has no host");
    told(b"http://h/\nhttp://h/x POST a=1\n", "bad.txt:2: a URL cannot have spaces");
    told(b"\xff\xfeh\0t\0", "is UTF-16: save it as UTF-8");
}
