//! The server of gRPC's interoperability tests: `interop-server CERT KEY`, on ports 443 and 80 of every address, gRPC
//! and gRPC-Web.

#![allow(
    clippy::print_stdout,
    clippy::panic,
    reason = "a test's server says that it is ready, and ends where it fails"
)]

use std::convert::Infallible;
use std::net::Ipv6Addr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use interop::{
    EchoStatus, Empty, LARGEST, SimpleRequest, SimpleResponse, StreamingInputCallRequest, StreamingInputCallResponse,
    StreamingOutputCallRequest, StreamingOutputCallResponse, zeros,
};
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codec::CompressionEncoding;
use tonic::codec::EnabledCompressionEncodings;
use tonic::metadata::MetadataMap;
use tonic::server::{Grpc, NamedService};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::service_fn;

type Answer = http::Response<Body>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let [cert, key] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else { panic!("CERT KEY") };
    let identity = Identity::from_pem(std::fs::read(cert)?, std::fs::read(key)?);
    let (secure, plain) = (listen(443).await?, listen(80).await?);
    println!("ready");
    let web = || Server::builder().accept_http1(true).layer(tonic_web::GrpcWebLayer::new());
    let secured = web().tls_config(ServerTlsConfig::new().identity(identity))?.add_service(TestService);
    tokio::try_join!(
        secured.serve_with_incoming(secure),
        // tonic's TLS offers HTTP/2 only; gRPC-Web is spoken over HTTP/1.1 too.
        web().add_service(TestService).serve_with_incoming(plain),
    )?;
    Ok(())
}

async fn listen(port: u16) -> std::io::Result<TcpIncoming> {
    Ok(TcpIncoming::from(TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await?))
}

/// `grpc.testing.TestService`.
#[derive(Clone)]
struct TestService;

impl NamedService for TestService {
    const NAME: &'static str = interop::SERVICE;
}

impl tower::Service<http::Request<Body>> for TestService {
    type Response = Answer;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move { Ok(dispatch(request).await) })
    }
}

async fn dispatch(request: http::Request<Body>) -> Answer {
    let method = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    match method.as_str() {
        "EmptyCall" => {
            let empty = service_fn(|_: Request<Empty>| async { Ok(Response::new(Empty {})) });
            grpc::<Empty, Empty>().unary(empty, request).await
        }
        "UnaryCall" => grpc::<SimpleResponse, SimpleRequest>().unary(service_fn(unary), request).await,
        "StreamingInputCall" => {
            let input = service_fn(streaming_input);
            grpc::<StreamingInputCallResponse, StreamingInputCallRequest>().client_streaming(input, request).await
        }
        "StreamingOutputCall" => {
            let output = service_fn(streaming_output);
            grpc::<StreamingOutputCallResponse, StreamingOutputCallRequest>().server_streaming(output, request).await
        }
        "FullDuplexCall" => {
            let duplex = service_fn(full_duplex);
            grpc::<StreamingOutputCallResponse, StreamingOutputCallRequest>().streaming(duplex, request).await
        }
        _ => Status::unimplemented("no such method").into_http(),
    }
}

fn grpc<Out: Message + Default + 'static, In: Message + Default + 'static>() -> Grpc<ProstCodec<Out, In>> {
    let mut gzip = EnabledCompressionEncodings::default();
    gzip.enable(CompressionEncoding::Gzip);
    Grpc::new(ProstCodec::default())
        .apply_compression_config(gzip, gzip)
        .apply_max_message_size_config(Some(LARGEST), Some(LARGEST))
}

/// The metadata that the cases want back.
fn echo<T>(metadata: &MetadataMap, mut response: Response<T>) -> Response<T> {
    for key in ["x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"] {
        if let Some(value) = metadata.get(key) {
            response.metadata_mut().insert(key, value.clone());
        } else if let Some(value) = metadata.get_bin(key) {
            response.metadata_mut().insert_bin(key, value.clone());
        }
    }
    response
}

fn wanted(status: Option<EchoStatus>) -> Result<(), Status> {
    status.map_or(Ok(()), |status| Err(Status::new(Code::from_i32(status.code), status.message)))
}

async fn unary(request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
    let (metadata, _, message) = request.into_parts();
    wanted(message.response_status)?;
    Ok(echo(&metadata, Response::new(SimpleResponse { payload: zeros(message.response_size) })))
}

async fn streaming_input(
    request: Request<Streaming<StreamingInputCallRequest>>,
) -> Result<Response<StreamingInputCallResponse>, Status> {
    let mut messages = request.into_inner();
    let mut size = 0;
    while let Some(message) = messages.message().await? {
        size += message.payload.map_or(0, |payload| payload.body.len());
    }
    let aggregated_payload_size = i32::try_from(size).map_err(|error| Status::out_of_range(error.to_string()))?;
    Ok(Response::new(StreamingInputCallResponse { aggregated_payload_size }))
}

type Outputs = ReceiverStream<Result<StreamingOutputCallResponse, Status>>;
type Sender = mpsc::Sender<Result<StreamingOutputCallResponse, Status>>;

async fn streaming_output(request: Request<StreamingOutputCallRequest>) -> Result<Response<Outputs>, Status> {
    let (sender, outputs) = mpsc::channel(1);
    tokio::spawn(async move { answer(request.into_inner(), &sender).await });
    Ok(Response::new(ReceiverStream::new(outputs)))
}

async fn full_duplex(request: Request<Streaming<StreamingOutputCallRequest>>) -> Result<Response<Outputs>, Status> {
    let metadata = request.metadata().clone();
    let mut messages = request.into_inner();
    let (sender, outputs) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Ok(Some(message)) = messages.message().await {
            if !answer(message, &sender).await {
                return;
            }
        }
    });
    Ok(echo(&metadata, Response::new(ReceiverStream::new(outputs))))
}

/// Sends what one message asks for; false when that was the last.
async fn answer(message: StreamingOutputCallRequest, sender: &Sender) -> bool {
    if let Err(status) = wanted(message.response_status) {
        // Whoever no longer listens needs no status.
        drop(sender.send(Err(status)).await);
        return false;
    }
    for parameters in message.response_parameters {
        // The case of the sleeping server: nothing depends on how long it sleeps, as long as it does.
        tokio::time::sleep(Duration::from_micros(u64::try_from(parameters.interval_us).unwrap_or_default())).await;
        let output = StreamingOutputCallResponse { payload: zeros(parameters.size) };
        if sender.send(Ok(output)).await.is_err() {
            return false;
        }
    }
    true
}
