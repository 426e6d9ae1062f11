//! Small bounded walks over services in this process and small programs.

use super::*;
use crate::measure::{check, measure};
use crate::plan::{Endpoint, Load, Location};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"output_tokens\": 7}";

/// A server that answers each request on each connection with the same bytes.
fn answering(answer: &'static [u8]) -> Service {
    Service::in_process(move |listener: TcpListener| async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::task::spawn_local(async move {
                let mut request = [0; 4096];
                while connection.read(&mut request).await.is_ok_and(|read| read > 0) {
                    if connection.write_all(answer).await.is_err() {
                        return;
                    }
                }
            });
        }
    })
}

fn plan(service: Service, loads: &[Load]) -> Plan {
    let mut group = Group::new("g", Location::unknown());
    group.service = service;
    group.settings.sample_size = 10;
    group.settings.measurement_time = Duration::from_millis(200);
    group.settings.warm_up_time = Duration::from_millis(10);
    group.cells = loads.iter().map(|load| cell(*load, Endpoint::get("/x"))).collect();
    Plan { bench: "b".into(), groups: vec![group], errors: Vec::new(), runs: 1, seed: 1, ..Plan::default() }
}

fn cell(load: Load, endpoint: Endpoint) -> Cell {
    Cell {
        id: load.to_string().into(),
        targets: endpoint.into(),
        load,
        throughput: None,
        location: Location::unknown(),
        metrics: None,
    }
}

fn site(root: &tempfile::TempDir) -> Site<'_> {
    Site { root: root.path(), service_args: &[], test_bed: None, until: None }
}

fn measured(plan: &Plan) -> (Result<Vec<Run>, MeasureError>, Vec<Event>) {
    let root = tempfile::tempdir().unwrap();
    let site = site(&root);
    let mut events = Vec::new();
    let runs = measure(plan, site, &mut |event| events.push(event));
    (runs, events)
}

#[test]
fn loopback_is_known_by_its_name_and_its_numbers() {
    for url in ["http://127.0.0.1:80/x", "http://localhost", "http://[::1]:8080", "http://127.9.9.9/"] {
        assert!(is_loopback(url), "{url}");
    }
    for url in ["http://10.0.0.1/", "https://example.org", "nonsense", "http://localhost.example.org/"] {
        assert!(!is_loopback(url), "{url}");
    }
}

#[test]
fn each_cell_gets_its_rounds_and_its_metrics() {
    let plan = plan(answering(OK), &[Load::closed(2), Load::burst(30)]);
    let (runs, events) = measured(&plan);
    let run = &runs.unwrap()[0];
    assert_eq!(run.stop, None);
    for cell in &run.cells {
        assert_eq!(cell.rounds.len(), 10, "{}", cell.id);
        let counts = cell.counts();
        assert_eq!(counts.success_ratio(), Some(1.0));
        assert_eq!(cell.series().launches(), 1);
        for id in ["latency_p50", "latency_max", "output_tokens"] {
            assert!(cell.series().values.contains_key(id), "{} lacks {id}", cell.id);
        }
        assert_eq!(cell.rounds[0].values["output_tokens"], 7.0);
    }
    let burst = &run.cells[1];
    assert!(burst.rounds.iter().all(|round| round.counts.requests == 30));
    assert!(
        events.contains(&Event::Round { cell: "g/burst(30)".into(), done: 20, of: 20 }) || events.len() > 20
    );
    assert_eq!(events.last(), Some(&Event::Finished));
}

/// Long enough for the ticks of a clock to tell something.
#[cfg(target_os = "linux")]
fn condition(service: Service) -> crate::record::Condition {
    let mut plan = plan(service, &[Load::closed(1)]);
    plan.groups[0].settings.measurement_time = Duration::from_millis(1_300);
    let run = measured(&plan).0.unwrap().remove(0);
    run.environment.condition.expect("Linux tells what its CPUs did")
}

#[cfg(target_os = "linux")]
#[test]
fn what_others_used_is_known_unless_the_service_was_there_before() {
    use std::io::{Read, Write};
    let own = condition(answering(OK));
    assert!(own.others_share.is_some() && own.stolen_share.is_some(), "{own:?}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                while connection.read(&mut request).is_ok_and(|read| read > 0) {
                    if connection.write_all(OK).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let foreign = condition(Service::url(url));
    assert!(foreign.others_share.is_none() && foreign.stolen_share.is_some(), "{foreign:?}");
}

#[test]
fn a_first_answer_that_is_wrong_names_cell_url_and_what_came_back() {
    let plan = plan(answering(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), &[Load::closed(1)]);
    let error = measured(&plan).0.unwrap_err().to_string();
    assert!(
        error.contains("`g/closed(1)`") && error.contains("/x") && error.contains("503 instead of a 2xx"),
        "{error}"
    );
}

#[test]
fn a_duet_has_a_round_of_base_for_each_of_head_alone_or_side_by_side() {
    for alone in [false, true] {
        let mut plan = plan(answering(OK), &[Load::closed(1), Load::closed(2)]);
        plan.alone = alone;
        plan.groups[0].base = Some(answering(OK));
        let (runs, events) = measured(&plan);
        let run = runs.unwrap().remove(0);
        let planned = plan.groups[0].settings.sample_size;
        for cell in &run.cells {
            assert_eq!((cell.rounds.len(), cell.base.len()), (planned, planned));
            let launches =
                |rounds: &[crate::record::Round]| rounds.iter().map(|round| round.launch).collect::<Vec<_>>();
            assert_eq!(launches(&cell.rounds), launches(&cell.base));
            assert!(cell.base_counts().successes > 0);
        }
        let told = events.iter().filter(|event| matches!(event, Event::Round { .. })).count();
        assert_eq!(told, 4 * planned, "each round of each side is told");
    }
}

#[test]
fn time_that_is_up_ends_a_duet_with_whole_pairs() {
    let mut plan = plan(answering(OK), &[Load::closed(1)]);
    plan.groups[0].base = Some(answering(OK));
    let root = tempfile::tempdir().unwrap();
    let until = Some(std::time::Instant::now());
    let run = measure(&plan, Site { until, ..site(&root) }, &mut |_| {}).unwrap().remove(0);
    assert_eq!(run.stop, Some(Stop::TimeUp));
    assert_eq!(run.cells[0].rounds.len(), run.cells[0].base.len());
}

#[test]
fn each_cell_is_checked_even_when_one_fails() {
    let mut plan = plan(answering(OK), &[Load::closed(1), Load::closed(2)]);
    plan.groups[0].cells[0].targets = Endpoint::get("/x").expect_body_contains("nowhere").into();
    let root = tempfile::tempdir().unwrap();
    let site = site(&root);
    let mut told = Vec::new();
    check(&plan, site, &mut |cell, wrong| told.push((cell.to_owned(), wrong.map(|wrong| wrong.to_string()))))
        .unwrap();
    let wrong = told[0].1.as_deref().unwrap();
    assert!(told[0].0 == "g/closed(1)" && wrong.contains("its body does not contain \"nowhere\""), "{wrong}");
    assert_eq!(told[1..], [("g/closed(2)".to_owned(), None)]);
}

#[test]
fn an_exchange_longer_than_the_measuring_time_makes_the_cell_invalid_at_once() {
    let slow = Service::in_process(|listener: TcpListener| async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            tokio::task::spawn_local(async move {
                let mut request = [0; 4096];
                while connection.read(&mut request).await.is_ok_and(|read| read > 0) {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                    _ = connection.write_all(OK).await;
                }
            });
        }
    });
    let run = &measured(&plan(slow, &[Load::closed(1)])).0.unwrap()[0];
    let why = run.cells[0].invalid.as_deref().unwrap();
    assert!(why.contains("longer than the whole measurement_time") && why.contains("would do"), "{why}");
    assert!(run.cells[0].rounds.is_empty());
}

#[test]
fn a_service_that_dies_in_mid_run_keeps_what_was_measured() {
    let dying = Service::in_process(|listener: TcpListener| async move {
        let begun = Instant::now();
        let mut served = 0;
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut request = [0; 4096];
            while connection.read(&mut request).await.is_ok_and(|read| read > 0) {
                served += 1;
                assert!(served < 200 || begun.elapsed() < Duration::from_millis(150), "had enough");
                _ = connection.write_all(OK).await;
            }
        }
    });
    let run = &measured(&plan(dying, &[Load::closed(1)])).0.unwrap()[0];
    let Some(Stop::Failed(why)) = &run.stop else { panic!("{:?}", run.stop) };
    assert!(why.contains("had enough"), "{why}");
    assert!(run.cells[0].rounds.len() < 10);
}

#[test]
fn the_seed_decides_every_deck_and_rounds_differ() {
    assert_eq!(mix(1, 2), mix(1, 2));
    assert_ne!(mix(1, 2), mix(1, 3));
    assert_ne!(mix(1, 2), mix(2, 2));
}
