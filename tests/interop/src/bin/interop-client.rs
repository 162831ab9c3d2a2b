//! The client of gRPC's interoperability tests (`grpc/doc/interop-test-descriptions.md`): `interop-client CASE…` against
//! `https://stream.test`. It trusts what its environment says, and prints the name of each case that it passed.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test's client says what it passed, and fails where a case fails"
)]

use std::time::Duration;

use interop::{
    EchoStatus, Empty, LARGEST, ResponseParameters, SimpleRequest, SimpleResponse, StreamingInputCallRequest,
    StreamingInputCallResponse, StreamingOutputCallRequest, StreamingOutputCallResponse, zeros,
};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, ClientTlsConfig};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

#[tokio::main]
async fn main() {
    let endpoint = Channel::from_static("https://stream.test").tls_config(ClientTlsConfig::new().with_native_roots());
    let channel = endpoint.unwrap().connect().await.unwrap();
    let client = Client { channel, gzip: false };
    for case in std::env::args().skip(1) {
        client.run(&case).await;
        println!("{case}");
    }
}

#[derive(Clone)]
struct Client {
    channel: Channel,
    gzip: bool,
}

type Outputs = Streaming<StreamingOutputCallResponse>;

fn codec<In: Message + Default + 'static, Out: Message + Default + 'static>() -> ProstCodec<In, Out> {
    ProstCodec::default()
}

fn path(method: &str) -> http::uri::PathAndQuery {
    format!("/{}/{method}", interop::SERVICE).parse().unwrap()
}

/// The sizes that the published cases use.
const SIZES_OUT: [i32; 4] = [27_182, 8, 1_828, 45_904];
const SIZES_IN: [i32; 4] = [31_415, 9, 2_653, 58_979];

impl Client {
    async fn run(&self, case: &str) {
        match case {
            "empty_unary" => drop(self.empty("EmptyCall").await.unwrap()),
            "large_unary" => self.large(271_828, 314_159).await,
            "huge_unary" => self.large(64 << 20, 64 << 20).await,
            "compressed_unary" => Self { gzip: true, ..self.clone() }.large(271_828, 314_159).await,
            "client_streaming" => self.client_streaming().await,
            "server_streaming" => self.server_streaming().await,
            "compressed_streaming" => Self { gzip: true, ..self.clone() }.server_streaming().await,
            "ping_pong" => self.ping_pong().await,
            "empty_stream" => self.empty_stream().await,
            "custom_metadata" => self.custom_metadata().await,
            "status_code_and_message" => self.status("test status message").await,
            "special_status_message" => {
                self.status("\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n").await;
            }
            "unimplemented_method" => {
                assert_eq!(self.empty("UnimplementedCall").await.unwrap_err().code(), Code::Unimplemented);
            }
            "unimplemented_service" => self.unimplemented_service().await,
            "cancel_after_begin" => self.cancel_after_begin().await,
            "cancel_after_first_response" => self.cancel_after_first_response().await,
            "timeout_on_sleeping_server" => self.timeout().await,
            "concurrent_large_unary" => self.concurrent().await,
            unknown => panic!("no case {unknown}"),
        }
    }

    async fn grpc(&self) -> Grpc<Channel> {
        let grpc = Grpc::new(self.channel.clone());
        let grpc = grpc.max_decoding_message_size(LARGEST).max_encoding_message_size(LARGEST);
        let mut grpc = match self.gzip {
            true => grpc.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip),
            false => grpc,
        };
        grpc.ready().await.unwrap();
        grpc
    }

    async fn empty(&self, method: &str) -> Result<Response<Empty>, Status> {
        self.grpc().await.unary(Request::new(Empty {}), path(method), codec::<Empty, Empty>()).await
    }

    async fn unary(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        self.grpc().await.unary(request, path("UnaryCall"), codec::<SimpleRequest, SimpleResponse>()).await
    }

    async fn duplex(&self, requests: mpsc::Receiver<StreamingOutputCallRequest>) -> Result<Response<Outputs>, Status> {
        let codec = codec::<StreamingOutputCallRequest, StreamingOutputCallResponse>();
        let request = Request::new(ReceiverStream::new(requests));
        self.grpc().await.streaming(request, path("FullDuplexCall"), codec).await
    }

    async fn large(&self, sent: i32, wanted: i32) {
        let request = SimpleRequest { response_size: wanted, payload: zeros(sent), response_status: None };
        let response = self.unary(Request::new(request)).await.unwrap();
        let body = response.into_inner().payload.unwrap().body;
        assert_eq!(body.len(), usize::try_from(wanted).unwrap());
        assert!(body.iter().all(|&byte| byte == 0));
    }

    async fn concurrent(&self) {
        let calls: Vec<_> = (0..20)
            .map(|_| {
                let client = self.clone();
                tokio::spawn(async move { client.large(271_828, 314_159).await })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
    }

    async fn client_streaming(&self) {
        let messages = SIZES_OUT.map(|size| StreamingInputCallRequest { payload: zeros(size) });
        let request = Request::new(tokio_stream::iter(messages));
        let codec = codec::<StreamingInputCallRequest, StreamingInputCallResponse>();
        let response = self.grpc().await.client_streaming(request, path("StreamingInputCall"), codec).await.unwrap();
        assert_eq!(response.into_inner().aggregated_payload_size, 74_922);
    }

    async fn server_streaming(&self) {
        let response_parameters = SIZES_IN.map(|size| ResponseParameters { size, interval_us: 0 }).to_vec();
        let request = StreamingOutputCallRequest { response_parameters, ..Default::default() };
        let codec = codec::<StreamingOutputCallRequest, StreamingOutputCallResponse>();
        let call = self.grpc().await.server_streaming(Request::new(request), path("StreamingOutputCall"), codec).await;
        let mut outputs = call.unwrap().into_inner();
        for size in SIZES_IN {
            assert_eq!(next(&mut outputs).await, size);
        }
        assert!(outputs.message().await.unwrap().is_none());
    }

    /// Each message is sent when the answer to the one before is there.
    async fn ping_pong(&self) {
        let (sender, requests) = mpsc::channel(1);
        sender.send(ask(SIZES_IN[0], SIZES_OUT[0])).await.unwrap();
        let mut outputs = self.duplex(requests).await.unwrap().into_inner();
        assert_eq!(next(&mut outputs).await, SIZES_IN[0]);
        for (wanted, sent) in SIZES_IN.into_iter().zip(SIZES_OUT).skip(1) {
            sender.send(ask(wanted, sent)).await.unwrap();
            assert_eq!(next(&mut outputs).await, wanted);
        }
        drop(sender);
        assert!(outputs.message().await.unwrap().is_none());
    }

    async fn empty_stream(&self) {
        let (sender, requests) = mpsc::channel(1);
        drop(sender);
        let mut outputs = self.duplex(requests).await.unwrap().into_inner();
        assert!(outputs.message().await.unwrap().is_none());
    }

    async fn custom_metadata(&self) {
        const INITIAL: &str = "x-grpc-test-echo-initial";
        const TRAILING: &str = "x-grpc-test-echo-trailing-bin";
        let mut request = Request::new(SimpleRequest { response_size: 314_159, ..Default::default() });
        request.metadata_mut().insert(INITIAL, "test_initial_metadata_value".parse().unwrap());
        request.metadata_mut().insert_bin(TRAILING, MetadataValue::from_bytes(b"\x0a\x0b\x0a\x0b\x0a\x0b"));
        let response = self.unary(request).await.unwrap();
        assert_eq!(response.metadata().get(INITIAL).unwrap(), "test_initial_metadata_value");
        let trailing = response.metadata().get_bin(TRAILING).unwrap().to_bytes().unwrap();
        assert_eq!(&trailing[..], b"\x0a\x0b\x0a\x0b\x0a\x0b");
    }

    async fn status(&self, message: &str) {
        let response_status = Some(EchoStatus { code: 2, message: message.to_owned() });
        let request = SimpleRequest { response_status: response_status.clone(), ..Default::default() };
        let refused = self.unary(Request::new(request)).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::Unknown, message));
        let (sender, requests) = mpsc::channel(1);
        sender.send(StreamingOutputCallRequest { response_status, ..Default::default() }).await.unwrap();
        let refused = match self.duplex(requests).await {
            Ok(response) => response.into_inner().message().await.unwrap_err(),
            Err(status) => status,
        };
        assert_eq!((refused.code(), refused.message()), (Code::Unknown, message));
    }

    async fn unimplemented_service(&self) {
        let path = "/grpc.testing.UnimplementedService/UnimplementedCall".parse().unwrap();
        let answer = self.grpc().await.unary(Request::new(Empty {}), path, codec::<Empty, Empty>()).await;
        assert_eq!(answer.unwrap_err().code(), Code::Unimplemented);
    }

    /// The call is dropped before anything was sent on it; the connection is used on.
    async fn cancel_after_begin(&self) {
        let (_sender, requests) = mpsc::channel::<StreamingInputCallRequest>(1);
        let request = Request::new(ReceiverStream::new(requests));
        let codec = codec::<StreamingInputCallRequest, StreamingInputCallResponse>();
        let mut grpc = self.grpc().await;
        tokio::select! {
            biased;
            answer = grpc.client_streaming(request, path("StreamingInputCall"), codec) => panic!("{answer:?}"),
            () = tokio::task::yield_now() => {}
        }
        drop(self.empty("EmptyCall").await.unwrap());
    }

    async fn cancel_after_first_response(&self) {
        let (sender, requests) = mpsc::channel(1);
        sender.send(ask(SIZES_IN[0], SIZES_OUT[0])).await.unwrap();
        let mut outputs = self.duplex(requests).await.unwrap().into_inner();
        assert_eq!(next(&mut outputs).await, SIZES_IN[0]);
        drop((outputs, sender));
        drop(self.empty("EmptyCall").await.unwrap());
    }

    /// tonic times the head of a response only, so the deadline is kept here: the call is given up.
    async fn timeout(&self) {
        let (sender, requests) = mpsc::channel(1);
        let slow = ResponseParameters { size: 1, interval_us: 60_000_000 };
        let ask = StreamingOutputCallRequest { response_parameters: vec![slow], ..Default::default() };
        sender.send(ask).await.unwrap();
        let call = async { self.duplex(requests).await.unwrap().into_inner().message().await };
        let late = tokio::time::timeout(Duration::from_millis(200), call).await;
        assert!(late.is_err(), "the server did not sleep");
        drop(self.empty("EmptyCall").await.unwrap());
    }
}

fn ask(wanted: i32, sent: i32) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters { size: wanted, interval_us: 0 }],
        payload: zeros(sent),
        response_status: None,
    }
}

async fn next(outputs: &mut Outputs) -> i32 {
    let output = outputs.message().await.unwrap().unwrap();
    i32::try_from(output.payload.unwrap().body.len()).unwrap()
}
