//! The upstream's HTTP/1.1 side: reads what came, byte for byte, and writes the answer by hand.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt, copy};
use tokio::net::TcpStream;

use super::answer::{Answer, answer};
use super::{Received, Store};
use crate::http1::{Body, Reader};

pub(super) async fn serve(stream: TcpStream, store: Arc<Store>) -> io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut reader = Reader::new(read, Vec::new());
    while let Some(head) = reader.head().await? {
        if head.field("expect").is_some() {
            write.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let body = match head.framing() {
            Some(framing) => reader.body(framing).await?,
            None => Body::default(),
        };
        let [method, target, _] = head.parts();
        let (method, target) = (String::from_utf8_lossy(method).into_owned(), target.to_vec());
        let received = Received::new("HTTP/1.1", method, target, head.fields, &body);
        let answer = answer(&received, &body);
        let bodiless = received.method == "HEAD" || answer.status == 204 || answer.status == 304;
        store.keep(received);
        send(&mut write, &answer, bodiless).await?;
        if answer.echo {
            return echo(reader, write).await;
        }
    }
    Ok(())
}

async fn send(write: &mut (impl AsyncWrite + Unpin), answer: &Answer, bodiless: bool) -> io::Result<()> {
    if answer.early {
        write.write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n").await?;
    }
    // A slow answer is slow with its first octet too.
    if let (true, Some((pause, _))) = (answer.sized, answer.pieces.first()) {
        tokio::time::sleep(*pause).await;
    }
    write.write_all(head(answer).as_bytes()).await?;
    if bodiless || answer.echo {
        return Ok(());
    }
    for (pause, piece) in &answer.pieces {
        if answer.sized {
            write.write_all(piece).await?;
        } else {
            tokio::time::sleep(*pause).await;
            if !piece.is_empty() {
                write.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
                write.write_all(piece).await?;
                write.write_all(b"\r\n").await?;
            }
        }
    }
    if !answer.sized {
        let trailers: String = answer.trailers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write.write_all(format!("0\r\n{trailers}\r\n").as_bytes()).await?;
    }
    Ok(())
}

fn head(answer: &Answer) -> String {
    let status = answer.status;
    if status == 101 {
        return "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n".to_owned();
    }
    if answer.echo {
        return format!("HTTP/1.1 {status} Connected\r\n\r\n");
    }
    let length: usize = answer.pieces.iter().map(|(_, piece)| piece.len()).sum();
    let framing = match (answer.sized, status) {
        (_, 204) => String::new(),
        (true, _) => format!("content-length: {length}\r\n"),
        (false, _) => "transfer-encoding: chunked\r\n".to_owned(),
    };
    format!("HTTP/1.1 {status} Answer\r\ncontent-type: {}\r\nx-upstream: app\r\n{framing}\r\n", answer.content_type)
}

async fn echo(
    mut reader: Reader<tokio::net::tcp::OwnedReadHalf>,
    mut write: tokio::net::tcp::OwnedWriteHalf,
) -> io::Result<()> {
    loop {
        let octets = reader.some().await?;
        if octets.is_empty() {
            return write.shutdown().await;
        }
        copy(&mut octets.as_slice(), &mut write).await?;
    }
}
