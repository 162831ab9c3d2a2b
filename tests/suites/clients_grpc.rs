//! gRPC through the agent: clients and servers of grpcio and @grpc/grpc-js, each client with each server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a suite panics where a test fails")]

use tests::clients::Client;
use tests::{Lab, eventually, facts};

const SERVERS: [&str; 2] = ["grpcio.test", "grpc-js.test"];

/// Each client, blocking and asynchronous.
fn clients() -> [Client; 3] {
    [Client::python("grpc_client.py"), Client::python("grpc_asyncio_client.py"), Client::node("grpc_client.js")]
}

/// Every client makes these checks of every server.
fn check(checks: &[&str]) {
    Lab::with_grpc().over_each_carrier(|session| {
        for client in clients() {
            for server in SERVERS {
                client.clone().arg(server).check(session, checks);
            }
        }
    });
}

#[test]
fn all_four_kinds_of_calls_pass_message_by_message() {
    check(&["a_client_streams", "a_server_streams", "both_stream"]);
}

#[test]
fn metadata_statuses_and_trailers_arrive_both_ways() {
    check(&["metadata_arrives", "an_error_keeps_status_message_and_trailers"]);
}

#[test]
fn cancellation_and_deadlines_reach_the_server() {
    check(&["a_cancelled_call_is_cancelled_at_the_server", "a_deadline_ends_the_call_at_both_ends"]);
}

#[test]
fn a_message_of_64_mib_goes_both_ways() {
    check(&["a_message_of_64_mib_goes_both_ways"]);
}

/// What a log says of the exchange with this path when it has ended: bytes of the request and of the response.
fn carried(log: &str, path: &str) -> Option<(u64, u64)> {
    let started =
        facts::of(log, "exchange_started").into_iter().find(|value| value["url"].as_str().unwrap().ends_with(path))?;
    let finished =
        facts::of(log, "exchange_finished").into_iter().find(|value| value["exchange"] == started["exchange"])?;
    Some((finished["request_bytes"].as_u64().unwrap(), finished["response_bytes"].as_u64().unwrap()))
}

#[test]
fn compressed_messages_stay_compressed() {
    let lab = Lab::with_grpc();
    for client in [Client::python("grpc_client.py"), Client::node("grpc_client.js")] {
        lab.over_each_carrier(|session| {
            client.clone().arg("grpcio.test").check(session, &["messages_are_compressed"]);
            let (request, response) = eventually("it is in the log", || carried(&session.log(), "/lab.Echo/Unary"));
            // Megabytes of zeros, which are thousandths of that compressed.
            assert!(request < 100_000 && response < 100_000, "{request} {response}");
        });
    }
}
