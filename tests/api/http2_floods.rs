//! HTTP/2: frames that carry nothing are bounded, and those of honest clients are not.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use crate::support::authority::Authority;
use crate::support::gateway::Gateway;
use crate::support::http2::{start_with_tls, tls_handshake};
use crate::support::poll::TIMEOUT;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Another error than an honest client would get.
const ENHANCE_YOUR_CALM: u32 = 11;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET /health/live`, or the same as POST with its body still to come, as HPACK has it without a table.
fn head(stream: u32, method: &str) -> Vec<u8> {
    let mut block = Vec::new();
    let fields = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", "/health/live")];
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    let end = if method == "GET" { END_STREAM } else { 0 };
    frame(HEADERS, END_HEADERS | end, stream, &block)
}

async fn connect(gateway: &Gateway, authority: &Authority) -> TlsStream<TcpStream> {
    let socket = TcpStream::connect(gateway.address).await.unwrap();
    let mut stream = tls_handshake(socket, authority, b"h2").await;
    stream.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.unwrap();
    stream
}

/// The next frame: its kind, flags and payload; `None` at the end of the connection.
async fn next(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    timeout(TIMEOUT, stream.read_exact(&mut head)).await.expect("nothing is said").ok()?;
    let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
    stream.read_exact(&mut payload).await.ok()?;
    Some((head[3], head[4], payload))
}

/// Sends `frames` until the gateway has had enough, and returns the error that it gives, if it says one.
async fn flood(stream: TlsStream<TcpStream>, frames: &[u8]) -> Option<u32> {
    let (mut read, mut write) = tokio::io::split(stream);
    let frames = frames.to_vec();
    let sending = tokio::spawn(async move {
        while write.write_all(&frames).await.is_ok() {}
        write
    });
    let mut error = None;
    while let Some((kind, _, payload)) = next(&mut read).await {
        if kind == GOAWAY {
            error = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
    }
    timeout(TIMEOUT, sending).await.expect("it is still read").unwrap();
    error
}

async fn is_well(gateway: &Gateway) {
    for _ in 0..10 {
        assert_eq!(gateway.send(gateway.operational("/health/live")).await.status, 200);
        assert_eq!(gateway.send(gateway.get("/v1/models")).await.status, 200);
    }
}

#[tokio::test]
async fn a_flood_of_empty_frames_ends_the_connection() {
    let (authority, gateway) = start_with_tls(&[]).await;
    let one = 1_u32.to_be_bytes();
    let floods = [
        ("PING", Vec::new(), frame(PING, 0, 0, &[0; 8])),
        ("acknowledged PING", Vec::new(), frame(PING, ACK, 0, &[0; 8])),
        ("SETTINGS", Vec::new(), frame(SETTINGS, 0, 0, &[])),
        ("SETTINGS with values", Vec::new(), frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0])),
        ("PRIORITY", Vec::new(), frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 1])),
        ("WINDOW_UPDATE of the connection", Vec::new(), frame(WINDOW_UPDATE, 0, 0, &one)),
        ("WINDOW_UPDATE of a stream", head(1, "POST"), frame(WINDOW_UPDATE, 0, 1, &one)),
        ("empty DATA", head(1, "POST"), frame(DATA, 0, 1, &[])),
        ("DATA of padding", head(1, "POST"), frame(DATA, 8, 1, &[&[100][..], &[0; 100]].concat())),
        ("an unknown frame", Vec::new(), frame(0xfa, 0, 0, &[])),
    ];
    for (what, begin, frame) in floods {
        let mut stream = connect(&gateway, &authority).await;
        stream.write_all(&begin).await.unwrap();
        let error = flood(stream, &frame.repeat(500)).await;
        // A reset may overtake it, since the client goes on sending.
        assert!(matches!(error, None | Some(ENHANCE_YOUR_CALM)), "{what}: {error:?}");
        is_well(&gateway).await;
    }
}

#[tokio::test]
async fn a_client_that_stops_in_time_reads_why_it_is_gone() {
    let (authority, gateway) = start_with_tls(&[]).await;
    let mut stream = connect(&gateway, &authority).await;
    stream.write_all(&frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 1]).repeat(6000)).await.unwrap();
    let mut error = None;
    while let Some((kind, _, payload)) = next(&mut stream).await {
        if kind == GOAWAY {
            error = Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
    }
    assert_eq!(error, Some(ENHANCE_YOUR_CALM));
}

#[tokio::test]
async fn a_client_that_lets_go_of_each_request_is_gone_before_long() {
    let (authority, gateway) = start_with_tls(&[]).await;
    let stream = connect(&gateway, &authority).await;
    let (mut read, mut write) = tokio::io::split(stream);
    let sending = tokio::spawn(async move {
        for at in 0..200_000_u32 {
            let id = 2 * at + 1;
            let frames = [head(id, "GET"), frame(RST_STREAM, 0, id, &8_u32.to_be_bytes())].concat();
            if write.write_all(&frames).await.is_err() {
                return at;
            }
        }
        200_000
    });
    while next(&mut read).await.is_some() {}
    drop(read);
    assert!(timeout(TIMEOUT, sending).await.expect("it is still read").unwrap() < 200_000);
    is_well(&gateway).await;
}

#[tokio::test]
async fn a_client_that_measures_its_path_and_makes_room_as_it_reads_is_served() {
    let (authority, gateway) = start_with_tls(&[]).await;
    let mut stream = connect(&gateway, &authority).await;
    let mut answered = 0;
    for at in 0..300_u32 {
        let id = 2 * at + 1;
        // As gRPC, Firefox and Go have it: a priority, room for the answer, a ping, and room again as it is read.
        let frames = [
            frame(PRIORITY, 0, id, &[0, 0, 0, 0, 1]),
            head(id, "GET"),
            frame(WINDOW_UPDATE, 0, id, &1000_u32.to_be_bytes()),
            frame(PING, 0, 0, &[7; 8]),
            frame(WINDOW_UPDATE, 0, 0, &1000_u32.to_be_bytes()),
        ];
        stream.write_all(&frames.concat()).await.unwrap();
        let (mut pinged, mut ended) = (false, false);
        while !(pinged && ended) {
            let (kind, flags, payload) = next(&mut stream).await.expect("the connection ended");
            assert_ne!(kind, GOAWAY, "{payload:?}");
            pinged |= kind == PING && flags == ACK;
            ended |= kind == DATA && flags & END_STREAM != 0;
        }
        answered += 1;
    }
    assert_eq!(answered, 300);
}
