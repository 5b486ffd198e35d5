//! What goes over a socket: answers are counted, bounded and made ready for hyper.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::BufMut as _;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;
use zeroize::Zeroize as _;

use super::{
    fault::{self, Reason},
    head::Head,
};

/// TCP, or TLS over it: one type, so that hyper's code is there once.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// The socket.
    fn tcp(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A stream that stops a peer that sends without end: neither interim answers nor the sizes of
/// chunks count as part of an answer, so nothing else bounds them.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    answer: Arc<Answer>,
    head: Head,
}

/// What has come of the answer to the last request.
#[derive(Default)]
pub(super) struct Answer {
    bytes: AtomicU64,
    is_old: AtomicBool,
    looks: AtomicBool,
    is_silent: AtomicBool,
}

impl Answer {
    /// A request begins.
    pub fn reset(&self) {
        self.bytes.store(0, Ordering::Release);
        self.is_old.store(false, Ordering::Release);
    }

    /// The next read looks at the socket itself, whatever the reactor knows of it.
    pub fn look(&self) {
        self.is_silent.store(false, Ordering::Release);
        self.looks.store(true, Ordering::Release);
    }

    /// Whether that look found nothing, not even the end.
    pub fn is_silent(&self) -> bool {
        self.is_silent.load(Ordering::Acquire)
    }

    /// Whether a byte of it came.
    pub fn has_begun(&self) -> bool {
        self.bytes.load(Ordering::Acquire) > 0
    }

    /// Whether its version is another than `HTTP/1.1`, though hyper was told so.
    pub fn is_old(&self) -> bool {
        self.is_old.load(Ordering::Acquire)
    }
}

impl Wire {
    pub fn new(stream: Box<dyn Stream>, answer: Arc<Answer>) -> Self {
        Self { stream, answer, head: Head::default() }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.answer.looks.swap(false, Ordering::AcqRel) {
            let looked = SockRef::from(self.stream.tcp()).peek(&mut [MaybeUninit::uninit()]);
            let is_silent = looked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            self.answer.is_silent.store(is_silent, Ordering::Release);
        }
        let before = buffer.filled().len();
        match ready!(Pin::new(&mut self.stream).poll_read(context, buffer)) {
            // TLS that ended without close_notify, as Python's and many small servers do, and as
            // `fetch` takes it: whether the answer is whole is told by HTTP and by JSON.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            result => result?,
        }
        let Self { answer, head, .. } = &mut *self;
        let came = &mut buffer.filled_mut()[before..];
        let count = came.len() as u64;
        let earlier = answer.bytes.fetch_add(count, Ordering::AcqRel);
        if earlier == 0 {
            *head = Head::default();
        }
        head.mend(came);
        if head.is_old() {
            answer.is_old.store(true, Ordering::Release);
        }
        if head.is_too_long() {
            return Poll::Ready(Err(io::Error::other(fault::LONG_HEAD)));
        }
        if earlier + count > LONGEST_ANSWER {
            return Poll::Ready(Err(io::Error::other(Reason::new("the answer does not end"))));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    /// A short request is written as a whole: `send` takes the kernel less than `writev`.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut short = [0; SHORT];
        let length = parts.iter().map(|part| part.len()).sum();
        let Some(short) = short.get_mut(..length) else {
            return Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        };
        let mut rest = &mut *short;
        for part in parts {
            rest.put_slice(part);
        }
        let written = Pin::new(&mut self.stream).poll_write(context, short);
        // It may hold a secret.
        short.zeroize();
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// In bytes.
const SHORT: usize = 2048;
/// In bytes on the wire: 1 MiB of content in chunks of a byte each has seven.
const LONGEST_ANSWER: u64 = 8 * 1024 * 1024;
