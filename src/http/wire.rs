//! What goes over a socket: answers are counted, bounded and made ready for hyper.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    fault::{self, Reason},
    head::Head,
};

/// TCP, or TLS over it: one type, so that hyper's code is there once.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

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
}

impl Answer {
    /// A request begins.
    pub fn reset(&self) {
        self.bytes.store(0, Ordering::Release);
        self.is_old.store(false, Ordering::Release);
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

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
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

/// In bytes on the wire: 1 MiB of content in chunks of a byte each has seven.
const LONGEST_ANSWER: u64 = 8 * 1024 * 1024;
