//! Lives of services, whole: shells that die, hang and fork, and this test binary itself as a server.
//!
//! Functions that begin with `fixture` are no tests: other tests start this binary anew with one of them, told by a variable.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::time::{Duration, Instant};

use super::error::ServiceError;
use super::launcher::{Launcher, Running, Startable};
use super::port::PortLease;
use super::ready::Patience;
use crate::plan::{Command, Service};

/// Tells a fixture that it is one.
const FIXTURE: &str = "PLIMSOLL_TEST_FIXTURE";
/// Where a fixture writes down the processes that it starts.
const PIDS: &str = "PLIMSOLL_TEST_PIDS";
/// Makes a fixture leave its group at once, as a daemon does.
const LEAVES: &str = "PLIMSOLL_TEST_LEAVES";
/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);
/// Within which killed processes must be gone.
const SOON: Duration = Duration::from_secs(5);

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn shell(script: &str) -> Command {
    Service::command("sh").args(["-c", script])
}

/// This test binary as a program that runs one of the fixtures below.
fn fixture(name: &str) -> Command {
    let program = std::env::current_exe().unwrap();
    Service::command(program.to_str().unwrap())
        .args(["--exact", &format!("measure::service::tests::{name}"), "--nocapture"])
        .env(FIXTURE, name)
}

fn prepare(command: Command, args: &[&str], folder: &Path) -> Result<Launcher, ServiceError> {
    let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
    Launcher::prepare(&command.into(), &args, folder, &folder.join("scratch"))
}

fn start(command: Command, time_out: Duration) -> Result<Running, ServiceError> {
    let folder = tempfile::tempdir().unwrap();
    let launcher = prepare(command, &[], folder.path())?;
    block_on(launcher.start(time_out))
}

fn get(url: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    // A server that dies resets the connection: what came until then counts.
    _ = stream.read_to_string(&mut answer);
    answer
}

/// Whether a process still does anything: one that nobody reaps is gone.
fn is_running(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < SOON {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    holds()
}

fn pids(file: &Path, count: usize) -> Vec<String> {
    let read = || fs::read_to_string(file).unwrap_or_default();
    assert!(eventually(|| read().lines().count() >= count), "{} has too few lines", file.display());
    read().lines().map(str::to_owned).collect()
}

/// A server: `/up` answers 200 from the third time on and 503 before, `/late` 404 before, `/none` always 404; all else is answered
/// at once with the arguments, `PORT` and `argv[0]`. Beside it runs a grandchild that does not listen to SIGTERM, as itself does not.
#[test]
#[expect(clippy::zombie_processes, reason = "the grandchild is there to be killed")]
fn fixture_server() {
    if std::env::var(FIXTURE).as_deref() != Ok("fixture_server") {
        return;
    }
    if std::env::var(LEAVES).as_deref() == Ok("true") {
        nix::unistd::setsid().unwrap();
    }
    if let Some(file) = std::env::var_os(PIDS) {
        let script = "trap '' TERM; echo $$ >> \"$0\"; sleep 1000 & echo $! >> \"$0\"; wait";
        Process::new("sh").arg("-c").arg(script).arg(&file).spawn().unwrap();
    }
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let mut ups = 0;
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut head = [0; 1024];
        let read = stream.read(&mut head).unwrap_or(0);
        let mut status = 200;
        if head[..read].starts_with(b"GET /up") || head[..read].starts_with(b"GET /late") {
            ups += 1;
            let not_yet = if head[..read].starts_with(b"GET /up") { 503 } else { 404 };
            status = if ups < 3 { not_yet } else { 200 };
        }
        if head[..read].starts_with(b"GET /none") {
            status = 404;
        }
        if head[..read].starts_with(b"GET /die") {
            eprintln!("a request of death");
            std::process::exit(7);
        }
        let said: Vec<String> = std::env::args().chain(std::env::var("ADDRESS")).collect();
        _ = write!(
            stream,
            "HTTP/1.1 {status} X\r\nconnection: close\r\n\r\n{ups} ups\n{}\n",
            said.join("\n")
        );
    }
}

/// A plimsoll that is killed while its service runs.
#[test]
fn fixture_plimsoll() {
    if std::env::var(FIXTURE).as_deref() != Ok("fixture_plimsoll") {
        return;
    }
    let pids = PathBuf::from(std::env::var_os(PIDS).unwrap());
    let mut running = start(fixture("fixture_server").env(PIDS, pids.to_str().unwrap()), LONG).unwrap();
    let mut file = fs::OpenOptions::new().append(true).create(true).open(&pids).unwrap();
    writeln!(file, "{}", running.pid().unwrap()).unwrap();
    std::thread::sleep(LONG);
    assert!(running.has_died("g/c/4").is_none());
}

#[test]
fn a_service_that_dies_at_once_is_an_error_with_its_exit_status_and_its_last_lines() {
    let error =
        start(shell("for i in 1 2 3; do echo line $i; done; echo no config >&2; exit 3"), LONG).unwrap_err();
    assert!(matches!(error, ServiceError::DiedEarly { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("ended with exit status 3"), "{text}");
    assert!(text.contains("| line 1\n  | line 2\n  | line 3\n  | no config"), "{text}");
}

#[test]
fn a_service_that_is_killed_by_a_signal_is_an_error_that_names_the_signal() {
    let text = start(shell("kill -s SEGV $$"), LONG).unwrap_err().to_string();
    assert!(text.contains("was killed by SIGSEGV"), "{text}");
}

#[test]
fn a_service_that_never_listens_is_an_error_that_says_what_to_do() {
    let text = start(shell("echo starting; sleep 1000"), Duration::from_millis(300)).unwrap_err().to_string();
    for part in ["within 300ms", "nothing accepts connections at 127.0.0.1:", "PORT", "| starting"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn a_service_that_answers_with_503_is_not_ready_until_it_answers_with_200() {
    let running = start(fixture("fixture_server").ready("/up"), LONG).unwrap();
    assert!(get(running.url(), "/").contains("3 ups"));
    assert!(running.started_in() > Duration::ZERO);
}

/// Starts it with little or much patience for refusals of its ready path, and much for all else.
fn start_refused(ready: &str, refused: Duration) -> Result<String, ServiceError> {
    let folder = tempfile::tempdir().unwrap();
    let command = fixture("fixture_server").ready(ready);
    let launch = Startable::prepare(&command, &[], folder.path(), folder.path()).unwrap();
    let life = block_on(launch.start(Patience { time_out: LONG, refused }, PortLease::new))?;
    Ok(get(&format!("http://127.0.0.1:{}", life.port()), "/"))
}

#[test]
fn a_ready_path_that_is_refused_for_good_ends_the_wait_with_path_status_and_what_to_do() {
    let error = start_refused("/none", Duration::from_millis(20)).unwrap_err();
    assert!(matches!(error, ServiceError::Refuses { .. }), "{error}");
    let text = error.to_string();
    for part in ["/none answers with status 404 instead of 2xx", "for 20ms", "no such path", ".ready(…)"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn routes_that_come_late_and_a_service_that_warms_up_are_waited_for() {
    assert!(start_refused("/late", LONG).unwrap().contains("3 ups"));
    // A 503 is no refusal, however little patience there is for one.
    assert!(start_refused("/up", Duration::ZERO).unwrap().contains("3 ups"));
}

#[test]
fn the_port_stands_in_arguments_environment_and_port_and_service_args_come_last() {
    let folder = tempfile::tempdir().unwrap();
    let command = fixture("fixture_server").args(["--skip", "{{port}}"]).env("ADDRESS", "127.0.0.1:{port}");
    let launcher = prepare(command, &["--skip=x:{port}"], folder.path()).unwrap();
    let running = block_on(launcher.start(LONG)).unwrap();
    let port = running.url().rsplit_once(':').unwrap().1.to_owned();
    let answer = get(running.url(), "/");
    let own = std::env::current_exe().unwrap();
    assert!(answer.contains(&format!("\n{}\n", own.display())), "argv[0] is the original: {answer}");
    assert!(
        answer.ends_with(&format!("\n--skip\n{{port}}\n--skip=x:{port}\n127.0.0.1:{port}\n")),
        "{answer}"
    );
}

#[test]
fn a_port_that_accepts_does_not_count_when_the_service_itself_has_died() {
    let stranger = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let launch = Startable::prepare(&shell("exit 1"), &[], folder.path(), folder.path()).unwrap();
    let lease = PortLease::of(stranger.local_addr().unwrap().port()).unwrap();
    // It may be quicker to accept than the service to die; then the run finds it dead.
    let died = match block_on(launch.start_on(lease, Patience::within(LONG))) {
        Err(error) => matches!(error, ServiceError::DiedEarly { .. }),
        Ok(mut life) => eventually(|| life.death("g/c/4").is_some()),
    };
    assert!(died);
}

#[test]
fn a_service_that_dies_of_a_port_that_somebody_took_gets_another_one() {
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let taken_port = taken.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let launch = Startable::prepare(&fixture("fixture_server"), &[], folder.path(), folder.path()).unwrap();
    let mut given = Vec::new();
    let life = block_on(launch.start(Patience::within(LONG), || {
        let lease = if given.is_empty() { PortLease::of(taken_port).unwrap() } else { PortLease::new()? };
        given.push(lease.port());
        Ok(lease)
    }));
    assert!(life.unwrap().death("g/c/4").is_none());
    assert_eq!((given.len(), given[0]), (2, taken_port));
}

#[test]
fn a_service_that_dies_in_mid_run_is_found_dead_with_its_last_output() {
    let mut running = start(fixture("fixture_server"), LONG).unwrap();
    assert!(running.has_died("g/c/4").is_none());
    assert_eq!(get(running.url(), "/die"), "");
    assert!(eventually(|| running.has_died("g/c/4").is_some()));
    let text = running.has_died("g/c/4").unwrap().to_string();
    assert!(text.contains("cell `g/c/4`"), "{text}");
    assert!(text.contains("ended with exit status 7") && text.contains("| a request of death"), "{text}");
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_of_a_group_that_ignores_sigterm_is_left_after_stop_or_drop() {
    for (orderly, leaves) in [(true, "false"), (false, "false"), (true, "true"), (false, "true")] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        let command = fixture("fixture_server").env(PIDS, file.to_str().unwrap()).env(LEAVES, leaves);
        let running = start(command, LONG).unwrap();
        let mut all = pids(&file, 2);
        all.push(running.pid().unwrap().to_string());
        assert!(all.iter().all(|pid| is_running(pid)));
        if orderly {
            block_on(running.stop())
        } else {
            drop(running)
        }
        assert!(eventually(|| !all.iter().any(|pid| is_running(pid))), "{all:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_left_when_plimsoll_is_killed_by_sigkill() {
    for leaves in ["false", "true"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pids");
        let mut plimsoll = Process::new(std::env::current_exe().unwrap());
        plimsoll.args(["--exact", "measure::service::tests::fixture_plimsoll", "--nocapture"]);
        plimsoll.env(FIXTURE, "fixture_plimsoll").env(PIDS, &file).env(LEAVES, leaves);
        let mut plimsoll = plimsoll.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let all = pids(&file, 3);
        assert!(all.iter().all(|pid| is_running(pid)));
        plimsoll.kill().unwrap();
        plimsoll.wait().unwrap();
        assert!(eventually(|| !all.iter().any(|pid| is_running(pid))), "{all:?}");
    }
}

/// What the kernel laid on a process's stack: path, arguments, environment, and a pointer for each text of both.
#[cfg(target_os = "linux")]
fn weight_bytes(process: &std::process::Child, path: &Path) -> usize {
    let read = |name: &str| fs::read(format!("/proc/{}/{name}", process.id())).unwrap();
    // The parent goes on a moment before the kernel has laid it all out.
    assert!(eventually(|| !read("environ").is_empty()));
    let texts = [read("cmdline"), read("environ")].concat();
    let pointers = texts.iter().filter(|&&byte| byte == 0).count();
    path.as_os_str().len() + 1 + texts.len() + size_of::<usize>() * pointers
}

#[test]
#[cfg(target_os = "linux")]
fn both_sides_of_a_duet_find_their_stack_at_the_same_place() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a/much/longer/path/than/that/of/the/other/side");
    fs::create_dir_all(&deep).unwrap();
    fs::copy(fs::canonicalize("/bin/sleep").unwrap(), deep.join("sleep")).unwrap();
    let built = deep.join("sleep").to_string_lossy().into_owned();
    let launch = |command: Command| Startable::prepare(&command, &[], folder.path(), folder.path()).unwrap();
    let mut head = launch(Service::command("sleep").args(["30", "30"]));
    let mut base =
        launch(Service::command(built).arg("60.0").env("ADDRESS", "127.0.0.1:{port}").env("B", ""));
    let weights = |head: &Startable, base: &Startable| {
        [head, base].map(|side| {
            let mut process = side.system_command(20_000).stdin(Stdio::null()).spawn().unwrap();
            let weight = weight_bytes(&process, Path::new(side.system_command(20_000).get_program()));
            process.kill().unwrap();
            process.wait().unwrap();
            weight
        })
    };
    let [without, other] = weights(&head, &base);
    assert_ne!(without, other);
    Startable::level(&mut base, &mut head);
    let [head, base] = weights(&head, &base);
    assert_eq!(head, base);
}

#[test]
fn a_server_in_this_process_serves_and_stops() {
    let server = Service::in_process(|listener: tokio::net::TcpListener| async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer =
                tokio::task::spawn_local(async { b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nhello" });
            let answer = answer.await.unwrap();
            _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 512]).await;
            _ = tokio::io::AsyncWriteExt::write_all(&mut stream, answer).await;
        }
    });
    let folder = Path::new(".");
    let mut running = block_on(Launcher::prepare(&server, &[], folder, folder).unwrap().start(LONG)).unwrap();
    let url = running.url().to_owned();
    assert!(get(&url, "/").ends_with("hello"));
    assert!(running.has_died("g/c/4").is_none());
    block_on(running.stop());
    assert!(TcpStream::connect(url.strip_prefix("http://").unwrap()).is_err());
}

#[test]
fn a_server_in_this_process_that_panics_or_returns_has_died() {
    let panics = Service::in_process(|_| async { panic!("no database") });
    let returns = Service::in_process(|_| async {});
    for (server, how) in [(panics, "it panicked: no database"), (returns, "it returned")] {
        let folder = Path::new(".");
        let launcher = Launcher::prepare(&server, &[], folder, folder).unwrap();
        let mut running = block_on(launcher.start(LONG)).unwrap();
        assert!(eventually(|| running.has_died("g/c/4").is_some()));
        assert!(running.has_died("g/c/4").unwrap().to_string().contains(how));
    }
}

#[test]
fn an_address_that_already_runs_is_taken_as_it_is() {
    let folder = Path::new(".");
    let service = Service::url("http://127.0.0.1:9/");
    let mut running =
        block_on(Launcher::prepare(&service, &[], folder, folder).unwrap().start(LONG)).unwrap();
    assert_eq!(running.url(), "http://127.0.0.1:9");
    assert!(running.has_died("g/c/4").is_none());
}
