//! gRPC by tonic over a unix socket: one HTTP/2 connection, many calls at a time. The messages are bare bytes, which spares it
//! protobuf.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut};
use powerhose::{Bytes, Workers};
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

use super::System;
use crate::compare::{Error, Ground, PAYLOAD, Running, Sample, children, load};

const NAME: &str = "grpc";

pub(super) const SYSTEM: System = System {
    name: NAME,
    what: "tonic gRPC over a unix socket",
    needs: None,
    start,
    child: Some(work),
};

const METHOD: PathAndQuery = PathAndQuery::from_static("/bench.Echo/Echo");

#[derive(Clone, Copy)]
struct BareBytes;

impl Codec for BareBytes {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for BareBytes {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for BareBytes {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// The worker's one method.
#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            Ok(tonic::server::Grpc::new(BareBytes)
                .unary(Self, request)
                .await)
        })
    }
}

impl Service<Request<Bytes>> for Echo {
    type Response = Response<Bytes>;
    type Error = Status;
    type Future = std::future::Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        std::future::ready(Ok(Response::new(request.into_inner())))
    }
}

struct Client {
    worker: Workers,
    executor: Runtime,
    channel: Channel,
}

fn start(ground: &Ground<'_>) -> Result<Box<dyn Running>, Error> {
    let path = ground.directory.join("socket").display().to_string();
    let worker = children::start(NAME, &path)?;
    let executor = load::executor(ground)?;
    let endpoint = Endpoint::from_shared(format!("unix:{path}"))?;
    let channel = children::retry(|| Ok(executor.block_on(endpoint.connect())?))?;
    Ok(Box::new(Client {
        executor,
        channel,
        worker,
    }))
}

fn work(path: &str) -> Result<(), Error> {
    let executor = Builder::new_current_thread().enable_all().build()?;
    executor.block_on(async {
        let incoming = UnixListenerStream::new(UnixListener::bind(path)?);
        let server = Server::builder().add_service(Echo);
        Ok(server.serve_with_incoming(incoming).await?)
    })
}

impl Running for Client {
    fn run(&mut self, in_flight: usize, time: Duration) -> Result<Sample, Error> {
        load::callers(&self.executor, in_flight, time, |_| {
            let client = Grpc::new(self.channel.clone());
            move || {
                let mut client = client.clone();
                async move {
                    client.ready().await?;
                    let request = Request::new(Bytes::from_static(&PAYLOAD));
                    client.unary(request, METHOD, BareBytes).await?;
                    Ok(())
                }
            }
        })
    }

    fn processes(&self) -> Vec<u32> {
        self.worker.pids()
    }
}
