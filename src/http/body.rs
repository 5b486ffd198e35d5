//! The body of a request, and whether a byte of the request may have left.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Whether a byte of a call's requests may have left.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<AtomicU8>);

impl Sent {
    /// False only while it is certain that none did.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire) & Self::EVER != 0
    }

    /// The same of the last request alone: a redirect may lead to where nobody listens.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.0.load(Ordering::Acquire) & Self::NOW != 0
    }

    /// The next request.
    pub(super) fn begin(&self) {
        self.0.fetch_and(!Self::NOW, Ordering::AcqRel);
    }

    /// The last request has not left, whatever was thought of it.
    pub(super) fn take_back(&self) {
        self.0.store(0, Ordering::Release);
    }

    pub(super) fn set(&self) {
        self.0.store(Self::EVER | Self::NOW, Ordering::Release);
    }

    const EVER: u8 = 1;
    const NOW: u8 = 2;
}

/// A body of one frame, or of none, that tells when the connection first looks at it: hyper asks
/// whether there is a body just before it writes the head.
pub(super) struct OneFrame {
    body: Option<Bytes>,
    sent: Sent,
}

impl OneFrame {
    pub fn new(body: Bytes, sent: Sent) -> Self {
        Self { body: Some(body).filter(|body| !body.is_empty()), sent }
    }
}

impl Body for OneFrame {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.sent.set();
        Poll::Ready(self.body.take().map(|body| Ok(Frame::data(body))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent.set();
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.as_ref().map_or(0, |body| body.len() as u64))
    }
}
